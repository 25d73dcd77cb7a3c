// Package apt reads the machine's apt configuration, for its mirror and proxy,
// and runs an apt of its own beside it: own sources, own lists, own cache. The
// machine's apt is never written to, and no right beyond an ordinary user's is
// needed.
package apt

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/patchbay/patchbay/guest/build"
)

// Keyring holds the keys that Debian signs its archive with.
const Keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// Mirror is where the machine gets Debian from.
type Mirror struct {
	Archive  string // URI of the archive, for every suite but those of Security
	Security string // URI of the security archive; empty when the machine uses none
	Settings string // its Acquire settings (proxies, timeouts), as apt.conf lines
}

// System reads the mirror from the machine's own apt configuration.
func System(ctx context.Context) (Mirror, error) {
	const format = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)"
	targets, err := output(ctx, "apt-get", "indextargets", "--format", format, "Created-By: Packages")
	if err != nil {
		return Mirror{}, fmt.Errorf("asking apt for its sources: %w", err)
	}
	m, err := parseTargets(targets)
	if err != nil {
		// Before the first "apt-get update" apt tells of its sources only this way.
		targets, err = output(ctx, "apt-get", "indextargets", "--no-release-info", "--format", format, "Created-By: Packages")
		if err != nil {
			return Mirror{}, fmt.Errorf("asking apt for its sources: %w", err)
		}
		if m, err = parseTargets(targets); err != nil {
			return Mirror{}, err
		}
	}
	settings, err := output(ctx, "apt-config", "dump", "Acquire")
	if err != nil {
		return Mirror{}, fmt.Errorf("asking apt for its settings: %w", err)
	}
	m.Settings = string(settings)
	return m, nil
}

// parseTargets picks the archives out of lines of URI, suite, component and
// origin. Of several mirrors the first named serves, as with apt. Third parties'
// archives lie beside Debian's in the list. What tells them apart is the origin
// in the signed Release file; where apt has not read that yet it writes
// "$(ORIGIN)", and the names have to do.
func parseTargets(lines []byte) (Mirror, error) {
	var m Mirror
	for sc := bufio.NewScanner(bytes.NewReader(lines)); sc.Scan(); {
		f := strings.Fields(sc.Text())
		if len(f) < 4 || f[2] != "main" || strings.HasPrefix(f[0], "cdrom:") {
			continue
		}
		uri, origin := f[0], strings.Join(f[3:], " ")
		release, rest, _ := strings.Cut(f[1], "-")
		rest, _, _ = strings.Cut(rest, "/")
		switch {
		case origin != "Debian" && (origin != "$(ORIGIN)" || !looksLikeDebian(uri, release)):
		case rest == "security":
			if m.Security == "" {
				m.Security = uri
			}
		case m.Archive == "":
			m.Archive = uri
		}
	}
	if m.Archive == "" {
		return Mirror{}, errors.New("apt knows no Debian archive: add one to /etc/apt/sources.list.d, such as \"deb http://MIRROR/debian bookworm main\"")
	}
	return m, nil
}

// looksLikeDebian goes by names, since third parties have suites called stable
// and bookworm as well.
func looksLikeDebian(uri, release string) bool {
	switch release {
	case "bookworm", "trixie", "forky", "duke", "sid", "oldstable", "stable", "testing", "unstable":
		return strings.Contains(uri, "/debian")
	}
	return false
}

// Source is a line of sources.list.
type Source struct {
	URI   string
	Suite string
}

func (s Source) String() string {
	return fmt.Sprintf("deb [signed-by=%s] %s %s main", Keyring, s.URI, s.Suite)
}

// Apt is an apt with a configuration of its own below one folder. Its calls
// must not overlap.
type Apt struct {
	dir string
}

// New writes the configuration below dir, which the caller owns and removes.
func New(dir string, m Mirror, sources ...Source) (*Apt, error) {
	for _, d := range []string{"lists/partial", "archives/partial", "etc"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, fmt.Errorf("making apt's folders: %w", err)
		}
	}
	var list strings.Builder
	for _, s := range sources {
		fmt.Fprintln(&list, s)
	}
	files := map[string]string{
		"sources.list": list.String(),
		"status":       "",
		"apt.conf":     configuration(dir, m),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, fmt.Errorf("writing apt's configuration: %w", err)
		}
	}
	return &Apt{dir: dir}, nil
}

// configuration names every place that apt would otherwise take from the
// machine. Only the credentials for a mirror (auth.conf) stay where they are.
func configuration(dir string, m Mirror) string {
	var b strings.Builder
	b.WriteString(m.Settings)
	if !strings.HasSuffix(m.Settings, "\n") {
		b.WriteByte('\n')
	}
	set := func(key, value string) { fmt.Fprintf(&b, "%s %q;\n", key, value) }
	// The machine's hooks and preferences speak of the machine.
	set("Dir::Etc::main", "/dev/null")
	set("Dir::Etc::parts", filepath.Join(dir, "etc"))
	set("Dir::Etc::preferences", "/dev/null")
	set("Dir::Etc::preferencesparts", filepath.Join(dir, "etc"))
	set("Dir::Etc::sourcelist", filepath.Join(dir, "sources.list"))
	set("Dir::Etc::sourceparts", filepath.Join(dir, "etc"))
	set("Dir::State", dir)
	set("Dir::State::lists", filepath.Join(dir, "lists")+"/")
	set("Dir::State::status", filepath.Join(dir, "status"))
	set("Dir::Cache", dir)
	set("Dir::Cache::archives", filepath.Join(dir, "archives")+"/")
	// The folder may be one that the user _apt cannot enter.
	if os.Geteuid() == 0 {
		set("APT::Sandbox::User", "root")
	}
	set("APT::Get::List-Cleanup", "false")
	set("Acquire::Languages", "none")
	set("Acquire::Retries", "3")
	return b.String()
}

// Update reads the sources' lists. apt checks their signatures; a source that
// cannot be read is an error.
func (a *Apt) Update(ctx context.Context) error {
	cmd := a.command(ctx, "apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update")
	if err := build.Run(ctx, cmd, nil); err != nil {
		return fmt.Errorf("reading package lists: %w", err)
	}
	return nil
}

// Version is one version of a package that the sources offer.
type Version struct {
	Package string
	Version string
}

// Search lists all versions of the packages whose names begin with prefix.
func (a *Apt) Search(ctx context.Context, prefix string) ([]Version, error) {
	names, err := a.output(ctx, "apt-cache", "pkgnames", prefix)
	if err != nil {
		return nil, fmt.Errorf("searching packages: %w", err)
	}
	found := strings.Fields(string(names))
	if len(found) == 0 {
		return nil, nil
	}
	lines, err := a.output(ctx, "apt-cache", append([]string{"madison"}, found...)...)
	if err != nil {
		return nil, fmt.Errorf("searching packages: %w", err)
	}
	return parseMadison(lines), nil
}

// parseMadison reads lines of "package | version | where".
func parseMadison(lines []byte) []Version {
	var vs []Version
	for sc := bufio.NewScanner(bytes.NewReader(lines)); sc.Scan(); {
		f := strings.Split(sc.Text(), "|")
		if len(f) == 3 && strings.HasSuffix(strings.TrimSpace(f[2]), "Packages") {
			vs = append(vs, Version{strings.TrimSpace(f[0]), strings.TrimSpace(f[1])})
		}
	}
	return vs
}

// Download fetches a package into dir and returns its path. apt holds its
// checksum against the signed lists.
func (a *Apt) Download(ctx context.Context, v Version, dir string) (string, error) {
	spec := v.Package
	if v.Version != "" {
		spec += "=" + v.Version
	}
	cmd := a.command(ctx, "apt-get", "-q", "download", spec)
	cmd.Dir = dir
	if err := build.Run(ctx, cmd, nil); err != nil {
		return "", fmt.Errorf("downloading %s: %w", spec, err)
	}
	debs, err := filepath.Glob(filepath.Join(dir, v.Package+"_*.deb"))
	if err != nil || len(debs) != 1 {
		return "", fmt.Errorf("downloading %s: apt left %d packages in %s", spec, len(debs), dir)
	}
	return debs[0], nil
}

func (a *Apt) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "APT_CONFIG="+filepath.Join(a.dir, "apt.conf"), "LC_ALL=C.UTF-8")
	return cmd
}

func (a *Apt) output(ctx context.Context, name string, args ...string) ([]byte, error) {
	return run(a.command(ctx, name, args...))
}

func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	return run(cmd)
}

func run(cmd *exec.Cmd) ([]byte, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("running %s: %w: %s", cmd.Args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}
