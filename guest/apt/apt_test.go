package apt_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/guest/apt"
)

func TestParseTargets(t *testing.T) {
	tests := []struct {
		name    string
		lines   string
		want    apt.Mirror
		wantErr string
	}{
		{
			name: "plain",
			lines: "http://mirror.example/debian/ bookworm main Debian\n" +
				"http://mirror.example/debian/ bookworm-updates main Debian\n" +
				"http://mirror.example/debian-security/ bookworm-security main Debian\n",
			want: apt.Mirror{Archive: "http://mirror.example/debian/", Security: "http://mirror.example/debian-security/"},
		},
		{
			name: "others beside Debian, two mirrors",
			lines: "https://packages.example/debian stable main Editor Makers\n" +
				"https://packages.example/tools bookworm main Tools\n" +
				"http://one.example/x trixie contrib Debian\n" +
				"http://two.example/x trixie main Debian\n" +
				"http://three.example/x trixie main Debian\n",
			want: apt.Mirror{Archive: "http://two.example/x"},
		},
		{
			name: "before the first update",
			lines: "https://packages.example/editor stable main $(ORIGIN)\n" +
				"http://m.example/debian-security bookworm-security main $(ORIGIN)\n" +
				"http://m.example/debian bookworm main $(ORIGIN)\n",
			want: apt.Mirror{Archive: "http://m.example/debian", Security: "http://m.example/debian-security"},
		},
		{
			name:  "old layout of security",
			lines: "http://s.example/ bookworm-security/updates main Debian\nhttp://b.example/ sid main Debian\n",
			want:  apt.Mirror{Archive: "http://b.example/", Security: "http://s.example/"},
		},
		{
			name:  "an installation disc is no mirror",
			lines: "cdrom:[Debian]/ bookworm main Debian\nhttp://b.example/debian sid main Debian\n",
			want:  apt.Mirror{Archive: "http://b.example/debian"},
		},
		{name: "none", lines: "", wantErr: "apt knows no Debian archive"},
		{name: "Ubuntu", lines: "http://archive.example/ubuntu noble main Ubuntu\n", wantErr: "apt knows no Debian archive"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := apt.ParseTargets([]byte(tt.lines))
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("error %v; want %q", err, tt.wantErr)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

func TestParseMadison(t *testing.T) {
	const lines = `linux-source-7.2 | 7.2.6-1~bpo13+1 | http://m.example/debian trixie-backports/main amd64 Packages
linux-source-7.3 |    7.3.4-1 | http://m.example/debian sid/main amd64 Packages
     linux |    7.3.4-1 | http://m.example/debian sid/main Sources
nonsense
`
	want := []apt.Version{
		{Package: "linux-source-7.2", Version: "7.2.6-1~bpo13+1"},
		{Package: "linux-source-7.3", Version: "7.3.4-1"},
	}
	if got := apt.ParseMadison([]byte(lines)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSource(t *testing.T) {
	got := apt.Source{URI: "http://m.example/debian", Suite: "sid"}.String()
	want := "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://m.example/debian sid main"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestIsolation asks the real apt where it would look and write, given our
// configuration.
func TestIsolation(t *testing.T) {
	dir := t.TempDir()
	mirror := apt.Mirror{Settings: "Acquire::http::Proxy \"http://proxy.example:3142\";"}
	if _, err := apt.New(dir, mirror, apt.Source{URI: "http://m.example/debian", Suite: "sid"}); err != nil {
		t.Fatal(err)
	}
	ask := func(args ...string) string {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "APT_CONFIG="+filepath.Join(dir, "apt.conf"))
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	for _, key := range []string{"Dir::Etc::sourcelist/f", "Dir::Etc::sourceparts/d", "Dir::Etc::parts/d",
		"Dir::State::lists/d", "Dir::State::status/f", "Dir::Cache::archives/d", "Dir::Cache/d"} {
		got := ask("apt-config", "shell", "X", key)
		if !strings.HasPrefix(got, "X='"+dir) {
			t.Errorf("%s is %s, want it below %s", key, got, dir)
		}
	}
	if got := ask("apt-config", "shell", "X", "Acquire::http::Proxy"); got != "X='http://proxy.example:3142'" {
		t.Errorf("the proxy is %s, want the machine's", got)
	}
	if got := ask("apt-config", "dump", "DPkg::Post-Invoke"); strings.Contains(got, "Post-Invoke::") {
		t.Errorf("the machine's hooks came along: %s", got)
	}
	for line := range strings.Lines(ask("apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages")) {
		if got, want := strings.TrimSpace(line), "http://m.example/debian/ sid"; got != want {
			t.Errorf("apt would read %q, want %q alone", got, want)
		}
	}
}

// TestSystem reads this machine's configuration, which must name a Debian
// archive for anything to be built.
func TestSystem(t *testing.T) {
	m, err := apt.System(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(m.Archive, "://") && !strings.Contains(m.Archive, ":/") {
		t.Errorf("the archive is %q, want a URI", m.Archive)
	}
	if !strings.Contains(m.Settings, "Acquire") {
		t.Errorf("the settings are %q, want apt's Acquire ones", m.Settings)
	}
}
