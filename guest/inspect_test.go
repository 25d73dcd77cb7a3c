package guest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/guest/image"
)

// inspect starts a guest that looks at a copy of a disk.
func inspect(t *testing.T, disk string) (*machine, error) {
	t.Helper()
	c := realConfig(t)
	c.Name, c.Lines, c.Memory = "inspector", 1, 64<<20
	c.Machine = agent.Machine{Inspect: true}
	c.Disk.Path = filepath.Join(c.Dir, "copy")
	if err := image.CopySparse(c.Disk.Path, disk); err != nil {
		t.Fatal(err)
	}
	m := start(t, c)
	_, err := m.Boot(within(t))
	return m, err
}

func look(t *testing.T, m *machine, path string, limit int) agent.Entry {
	t.Helper()
	e, err := m.Agent().Look(within(t), path, limit)
	if err != nil {
		t.Fatalf("looking at %s: %v", path, err)
	}
	return e
}

func TestInspectADiskInUse(t *testing.T) {
	c := realConfig(t)
	m := boot(t, c)
	m.sh(t, `
		echo 'net.ipv4.ip_forward = 1' >/etc/sysctl.d/lab.conf
		mkdir -p /srv/d; touch /srv/d/b /srv/d/a; chmod 1770 /srv/d; chown 7:8 /srv/d
		ln -s /etc/sysctl.d/lab.conf /srv/link; ln -s link /srv/link2; ln -s /nowhere /srv/dangling
		ln -s round /srv/round; ln -s ../../../../../../etc/hostname /srv/up
		mkfifo /srv/pipe; mknod /srv/null c 1 3; mknod /srv/disk b 98 16
		truncate -s 1T /srv/huge 2>/dev/null || truncate -s 100G /srv/huge
		rm /etc/issue; touch /etc/passwd; echo x >>/etc/group; chmod 700 /etc/shadow
		echo hidden >/run/hidden
		ln -s /proc/1/root/dev/ubda /srv/magic
	`)
	if err := m.Agent().Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Agent().Look(within(t), "/etc", 0); err == nil {
		t.Error("a machine of a student's was looked at from inside")
	}
	if err := m.Pause(within(t)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	in, err := inspect(t, c.Disk.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("copied and booted after %v", time.Since(began))
	for path, want := range map[string]agent.Entry{
		"/etc/sysctl.d/lab.conf": {Exists: true, Kind: "file", Mode: 0o644, Size: 24, Data: []byte("net.ipv4.ip_forward = 1\n"), Changed: true},
		"/srv/link2":             {Exists: true, Kind: "file", Mode: 0o644, Size: 24, Data: []byte("net.ipv4.ip_forward = 1\n"), Changed: true, Link: "/etc/sysctl.d/lab.conf"},
		"/srv/d":                 {Exists: true, Kind: "directory", Mode: 0o1770, UID: 7, GID: 8, Names: []string{"a", "b"}, Changed: true},
		"/srv/d/../link/../x":    {},
		"/srv/dangling":          {Kind: "link", Link: "/nowhere", Changed: true},
		"/srv/round":             {Kind: "link", Link: "round", Trouble: "its links go round in a circle"},
		"/srv/pipe":              {Exists: true, Kind: "pipe", Mode: 0o644, Changed: true},
		"/srv/null":              {Exists: true, Kind: "device", Mode: 0o644, Changed: true},
		"/srv/disk":              {Exists: true, Kind: "device", Mode: 0o644, Changed: true},
		"/etc/issue":             {Changed: true},
		"/run/hidden":            {},
		"/nowhere/at/all":        {},
		"/../../../nowhere":      {},
		"/srv/magic":             {Kind: "link", Link: "/proc/1/root/dev/ubda", Changed: true},
	} {
		if got := look(t, in, path, 100); !sameEntry(got, want) {
			t.Errorf("%s is %+v, want %+v", path, got, want)
		}
	}
	for path, changed := range map[string]bool{
		"/etc/passwd": false, "/etc/group": true, "/etc/shadow": true, "/etc/os-release": false, "/bin/bash": false, "/bin": false, "/etc": true,
	} {
		if e := look(t, in, path, 1); !e.Exists || e.Trouble != "" || e.Changed != changed {
			t.Errorf("%s is %+v, want changed: %v", path, e, changed)
		}
	}
	if e := look(t, in, "/srv/huge", 1000); e.Size < 100<<30 || len(e.Data) != 1000 {
		t.Errorf("the huge file is %d bytes, and %d of them came", e.Size, len(e.Data))
	}
	// What is looked at cannot be written, nor is anything asked of it run.
	if _, err := in.Agent().Exec(within(t), agent.Exec{Args: []string{"/inspect/bin/true"}}); err == nil {
		t.Error("a program of the disk was run")
	}
}

func sameEntry(a, b agent.Entry) bool { return fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b) }

// ext4 makes a file system with what fill puts into a folder.
func ext4(t *testing.T, fill func(dir string), options ...string) string {
	t.Helper()
	dir, disk := filepath.Join(t.TempDir(), "d"), filepath.Join(t.TempDir(), "disk")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	fill(dir)
	if err := os.WriteFile(disk, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(disk, 64<<20); err != nil {
		t.Fatal(err)
	}
	args := slices.Concat([]string{"-q", "-F", "-d", dir}, options, []string{disk})
	if err := run([]string{sbinPath()}, "mkfs.ext4", args...); err != nil {
		t.Fatal(err)
	}
	return disk
}

func sbinPath() string { return "PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin" }

// debugfs changes a file system below its rules.
func debugfs(t *testing.T, disk string, commands ...string) {
	t.Helper()
	program, err := exec.LookPath("debugfs")
	if err != nil {
		program = "/usr/sbin/debugfs"
	}
	cmd := exec.Command(program, "-w", "-f", "-", disk)
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("debugfs: %v: %s", err, out)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Whoever is root on a machine may write to its disk below the file system.
// Nothing of that is our error, and nothing holds us.
func TestInspectAHostileDisk(t *testing.T) {
	need(t)
	tree := func(dir string) {
		write(t, dir+"/upper/etc/lab.conf", "here\n")
		write(t, dir+"/upper/root/a/b/c", strings.Repeat("text\n", 10000))
		write(t, dir+"/upper/evil/x", "")
		write(t, dir+"/upper/meta", "")
		for i := range 300 {
			write(t, fmt.Sprintf("%s/upper/root/many/%d", dir, i), "x")
		}
	}
	t.Run("no file system", func(t *testing.T) {
		disk := filepath.Join(t.TempDir(), "disk")
		write(t, disk, strings.Repeat("\x00", 1<<20))
		if _, err := inspect(t, disk); err == nil || !strings.Contains(err.Error(), "cannot be mounted") {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("no folder of files", func(t *testing.T) {
		for what, fill := range map[string]func(string){
			"a link": func(dir string) { _ = os.Symlink("/", dir+"/upper") },
			"a file": func(dir string) { write(t, dir+"/upper", "") },
		} {
			if _, err := inspect(t, ext4(t, fill)); err == nil || !strings.Contains(err.Error(), "something else than a folder") {
				t.Errorf("%s: the error is %v", what, err)
			}
		}
		in, err := inspect(t, ext4(t, func(string) {}))
		if err != nil {
			t.Fatal(err)
		}
		if e := look(t, in, "/etc/passwd", 10); !e.Exists || e.Changed {
			t.Errorf("on a disk never used /etc/passwd is %+v", e)
		}
	})
	t.Run("overlay", func(t *testing.T) {
		disk := ext4(t, tree)
		debugfs(t, disk,
			"ea_set /upper/evil trusted.overlay.redirect /etc",
			"ea_set /upper/meta trusted.overlay.metacopy \"\"", "ea_set /upper/meta trusted.overlay.redirect /etc/passwd",
			"cd /upper/root/a", "mknod passwd c 0 0", "link /upper/root/a /upper/root/a/loop", "cd /upper/etc", "mknod passwd c 0 0")
		in, err := inspect(t, disk)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/evil/passwd", "/evil/shadow"} {
			if e := look(t, in, path, 100); e.Exists {
				t.Errorf("%s shows what lies elsewhere: %+v", path, e)
			}
		}
		if e := look(t, in, "/meta", 100); len(e.Data) > 0 {
			t.Errorf("/meta shows what lies elsewhere: %+v", e)
		}
		if e := look(t, in, "/etc/passwd", 100); e.Exists || !e.Changed {
			t.Errorf("what was deleted is %+v", e)
		}
		if e := look(t, in, "/etc/lab.conf", 100); string(e.Data) != "here\n" {
			t.Errorf("the honest file is %+v", e)
		}
		look(t, in, "/root/a"+strings.Repeat("/loop", 500)+"/b/c", 10) // whatever it is
	})
	t.Run("damaged", func(t *testing.T) {
		disk := ext4(t, tree, "-e", "panic", "-O", "^metadata_csum")
		clean, err := os.ReadFile(disk)
		if err != nil {
			t.Fatal(err)
		}
		for seed, much := range []int{300, 5000, 50_000, 500_000} {
			rng := rand.New(rand.NewPCG(uint64(seed), 1))
			b := slices.Clone(clean)
			for range much { // past the superblock, among inodes and folders
				b[2048+rng.IntN(6<<20)] = byte(rng.Uint32())
			}
			if err := os.WriteFile(disk, b, 0o644); err != nil {
				t.Fatal(err)
			}
			in, err := inspect(t, disk)
			if err != nil {
				t.Logf("seed %d: %.200v", seed, err)
				continue
			}
			for _, path := range []string{"/etc/lab.conf", "/root/a/b/c", "/root/many", "/etc", "/"} {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				e, err := in.Agent().Look(ctx, path, 100)
				cancel()
				t.Logf("seed %d: %s: %q %v %v", seed, path, e.Trouble, e.Exists, err)
				if ctx.Err() == context.DeadlineExceeded {
					t.Errorf("seed %d: looking at %s never ended", seed, path)
				}
			}
			in.Kill()
		}
	})
	t.Run("many names", func(t *testing.T) {
		c := realConfig(t)
		m := boot(t, c)
		m.sh(t, `cd /etc; i=0; while [ $i -lt 6000 ]; do : >z$i; i=$((i+1)); done`)
		if err := m.Stop(within(t)); err != nil {
			t.Fatal(err)
		}
		in, err := inspect(t, c.Disk.Path)
		if err != nil {
			t.Fatal(err)
		}
		e := look(t, in, "/etc", 0)
		if len(e.Names) != agent.MaxNames || !slices.IsSorted(e.Names) || slices.Contains(e.Names, ".") {
			t.Errorf("%d names came, from %q", len(e.Names), e.Names[:3])
		}
	})
}
