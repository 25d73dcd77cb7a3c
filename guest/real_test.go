package guest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/patchbay/patchbay/guest"
	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/guest/image"
	"github.com/patchbay/patchbay/guest/kernel"
)

// patience is how long the tests wait for something that must come. It is long
// because the machine may be busy; nothing is measured by it.
const patience = 60 * time.Second

// parts are what real guests are made of.
type parts struct {
	kernel, stock guest.Kernel
	initrd        string
	stockInitrd   string
	image         guest.Disk
	disk          string // an empty file system, to be copied
	guestd        string
	cache         string
}

// realParts finds kernel and image in the cache and makes the rest, once.
var realParts = sync.OnceValues(func() (p parts, err error) {
	cache := os.Getenv("PATCHBAY_CACHE")
	if cache == "" {
		cache = "/var/cache/patchbay"
		if os.Geteuid() != 0 {
			dir, err := os.UserCacheDir()
			if err != nil {
				return p, err
			}
			cache = filepath.Join(dir, "patchbay")
		}
	}
	k, err := kernel.Find(cache, "")
	if err != nil {
		return p, err
	}
	img, err := image.Find(cache, "")
	if err != nil {
		return p, err
	}
	dir, err := os.MkdirTemp("", "patchbay-parts-")
	if err != nil {
		return p, err
	}
	cleanups = append(cleanups, func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		return p, err
	}
	guestd := filepath.Join(dir, "guestd")
	if ready := os.Getenv(guestdEnv); ready != "" {
		guestd = ready // the test of the ordinary user, who has no Go
	} else if err := run([]string{"CGO_ENABLED=0"}, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", guestd, "../cmd/guestd"); err != nil {
		return p, err
	}
	p.image = guest.Disk{Path: img.Path, Type: img.Type}
	p.disk = filepath.Join(dir, "disk")
	if err := os.WriteFile(p.disk, nil, 0o644); err != nil {
		return p, err
	}
	if err := os.Truncate(p.disk, 256<<20); err != nil {
		return p, err
	}
	if err := run([]string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin"}, "mkfs.ext4", "-q", "-O", "^has_journal", p.disk); err != nil {
		return p, err
	}
	if p.initrd, err = kernel.Initrd(dir, k, guestd); err != nil {
		return p, err
	}
	p.kernel, p.guestd, p.cache = guestKernel(k), guestd, cache
	if s, err := kernel.Find(cache, kernel.Stock); err == nil {
		p.stock = guestKernel(s)
		if p.stockInitrd, err = kernel.Initrd(dir, s, guestd); err != nil {
			return p, err
		}
	}
	return p, nil
})

func run(env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.New(name + ": " + err.Error() + "\n" + string(out))
	}
	return nil
}

func guestKernel(k kernel.Kernel) guest.Kernel {
	g := guest.Kernel{
		Name: k.Name, Path: k.Path, Libs: k.Libs, Args: k.Args,
		Seccomp: k.Seccomp, Offload: k.Offload, Carrier: k.Carrier,
	}
	if k.Modules != "" {
		g.Modules = guest.Disk{Path: k.Modules, Type: "squashfs"}
	}
	return g
}

// need returns the parts, or skips the test where there are none and nobody
// insists.
func need(t testing.TB) parts {
	t.Helper()
	p, err := realParts()
	if err == nil {
		return p
	}
	var noKernel *kernel.NotFoundError
	var noImage *image.NotFoundError
	if os.Getenv("CI") == "" && (errors.As(err, &noKernel) || errors.As(err, &noImage)) {
		t.Skipf("real guests cannot be tested here: %v", err)
	}
	t.Fatal(err)
	return p
}

// realConfig is a small machine on a fresh disk.
func realConfig(t testing.TB) guest.Config {
	t.Helper()
	p := need(t)
	dir := t.TempDir()
	disk := filepath.Join(dir, "disk")
	if err := run(nil, "cp", "--sparse=always", p.disk, disk); err != nil {
		t.Fatal(err)
	}
	return guest.Config{
		Name: "pc1", Dir: dir,
		Kernel: p.kernel, Initrd: p.initrd, Image: p.image,
		Disk:   guest.Disk{Path: disk, Type: "ext4"},
		Memory: 96 << 20, CPU: 0, Lines: 2,
		Machine: agent.Machine{Hostname: "pc1", TimeNanos: time.Now().UnixNano(), Fresh: true},
	}
}

// machine is a guest under test with its consoles read.
type machine struct {
	*guest.Guest
	screens []*screen
}

// start starts a guest that is killed with the test.
func start(t testing.TB, c guest.Config) *machine {
	t.Helper()
	g, err := guest.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{Guest: g}
	for i := range c.Lines {
		m.screens = append(m.screens, newScreen(g.Console(i)))
	}
	t.Cleanup(func() {
		g.Kill()
		for _, s := range m.screens {
			<-s.ended
		}
		if t.Failed() {
			t.Logf("%+v", g.Exit())
			for i, s := range m.screens {
				t.Logf("console %d: %q", i, s.text())
			}
		}
	})
	return m
}

// boot starts a guest and waits until it is ready.
func boot(t testing.TB, c guest.Config) *machine {
	t.Helper()
	m := start(t, c)
	if _, err := m.Boot(within(t)); err != nil {
		t.Fatal(err)
	}
	return m
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// sh runs a command in the guest by guestd and returns what it printed.
func (m *machine) sh(t testing.TB, command string) string {
	t.Helper()
	r, err := m.Agent().Exec(within(t), agent.Exec{Args: []string{"sh", "-c", command}})
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	if r.Code != 0 {
		t.Fatalf("%s: exit code %d, %s", command, r.Code, r.Stderr)
	}
	return string(r.Stdout)
}

func waitDone(t testing.TB, g *guest.Guest) guest.Exit {
	t.Helper()
	select {
	case <-g.Done():
	case <-time.After(patience):
		t.Fatal("the guest does not end")
	}
	return g.Exit()
}

// screen reads a console and keeps all of it.
type screen struct {
	c     *guest.Console
	ended chan struct{}

	mu    sync.Mutex
	buf   bytes.Buffer
	grown chan struct{} // replaced and closed whenever buf grows
}

func newScreen(c *guest.Console) *screen {
	s := &screen{c: c, ended: make(chan struct{}), grown: make(chan struct{})}
	go func() {
		defer close(s.ended)
		p := make([]byte, 32<<10)
		for {
			n, err := c.Read(p)
			s.mu.Lock()
			s.buf.Write(p[:n])
			close(s.grown)
			s.grown = make(chan struct{})
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// expect waits until the text after position from holds want, and returns the
// position behind it.
func (s *screen) expect(t testing.TB, from int, want string) int {
	t.Helper()
	at, ok := s.find(from, want)
	if !ok {
		t.Fatalf("the console does not show %q: %q", want, tailOf(s.text()))
	}
	return at
}

// find is expect for use outside the test's own goroutine.
func (s *screen) find(from int, want string) (int, bool) {
	deadline := time.After(patience)
	for {
		s.mu.Lock()
		b, grown := s.buf.Bytes(), s.grown
		at := bytes.Index(b[min(from, len(b)):], []byte(want))
		s.mu.Unlock()
		if at >= 0 {
			return from + at + len(want), true
		}
		select {
		case <-grown:
		case <-s.ended:
			return 0, false
		case <-deadline:
			return 0, false
		}
	}
}

func (s *screen) typed(t testing.TB, keys string) {
	t.Helper()
	if err := s.c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(s.c, keys); err != nil {
		t.Fatal(err)
	}
}

func tailOf(s string) string { return s[max(0, len(s)-500):] }

// lacking ends a test that this machine's kernel cannot take: in CI, where the
// kernel is our own, that is a failure.
func lacking(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// modes runs a test in ptrace mode and, where the kernel knows it, in seccomp
// mode.
func modes(t *testing.T, f func(t *testing.T, c guest.Config)) {
	t.Run("ptrace", func(t *testing.T) { f(t, realConfig(t)) })
	t.Run("seccomp", func(t *testing.T) {
		c := realConfig(t)
		if !c.Kernel.Seccomp {
			lacking(t, "the kernel %s has no seccomp mode", c.Kernel.Name)
		}
		c.Seccomp = true
		f(t, c)
	})
}

// prompt is the plain part of root's prompt, which may be coloured.
const prompt = "root@pc1:~#"
