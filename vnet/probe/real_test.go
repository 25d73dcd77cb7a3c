package probe_test

import (
	"bytes"
	"errors"
	"fmt"
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
	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/stackport"
)

// scratch holds what all tests with real guests share.
var scratch string

func TestMain(m *testing.M) {
	code := m.Run()
	if scratch != "" {
		os.RemoveAll(scratch)
	}
	os.Exit(code)
}

// parts are what real guests are made of.
type parts struct {
	kernel guest.Kernel
	initrd string
	image  guest.Disk
	disk   string // an empty file system, to be copied
}

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
	if scratch, err = os.MkdirTemp("", "patchbay-probe-"); err != nil {
		return p, err
	}
	guestd := filepath.Join(scratch, "guestd")
	p.disk = filepath.Join(scratch, "disk")
	f, err := os.Create(p.disk)
	if err != nil {
		return p, err
	}
	if err := errors.Join(os.Chmod(scratch, 0o755), f.Truncate(256<<20), f.Close(),
		run([]string{"CGO_ENABLED=0"}, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", guestd, "../../cmd/guestd"),
		run([]string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin"}, "mkfs.ext4", "-q", "-O", "^has_journal", p.disk)); err != nil {
		return p, err
	}
	p.kernel = guest.Kernel{Name: k.Name, Path: k.Path, Libs: k.Libs, Seccomp: k.Seccomp, Args: k.Args}
	p.image = guest.Disk{Path: img.Path, Type: img.Type}
	p.initrd, err = kernel.Initrd(scratch, k, guestd)
	return p, err
})

func run(env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// machine is a real guest.
type machine struct{ *guest.Guest }

// boot starts a guest with an interface on each of the segments, and skips the
// test where there is no kernel or image and nobody insists.
func boot(t testing.TB, sw *vnet.Switch, name string, segments ...string) machine {
	t.Helper()
	p, err := realParts()
	var noKernel *kernel.NotFoundError
	var noImage *image.NotFoundError
	if os.Getenv("CI") == "" && (errors.As(err, &noKernel) || errors.As(err, &noImage)) {
		t.Skipf("no real guests here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := guest.Config{
		Name: name, Dir: t.TempDir(), Kernel: p.kernel, Initrd: p.initrd, Image: p.image,
		Memory: 64 << 20, CPU: 0, Lines: 1,
		Machine: agent.Machine{Hostname: name, TimeNanos: time.Now().UnixNano(), Fresh: true},
	}
	c.Disk = guest.Disk{Path: filepath.Join(c.Dir, "disk"), Type: "ext4"}
	if err := run(nil, "cp", "--sparse=always", p.disk, c.Disk.Path); err != nil {
		t.Fatal(err)
	}
	for i, s := range segments {
		port := fmt.Sprintf("%s/eth%d", name, i)
		path := filepath.Join(c.Dir, fmt.Sprintf("net%d", i))
		if err := sw.AddPort(vnet.PortConfig{Name: port, Segment: s, Path: path}); err != nil {
			t.Fatal(err)
		}
		c.NICs = append(c.NICs, guest.NIC{MAC: stackport.MAC(port).String(), Socket: path})
		c.Machine.Interfaces = append(c.Machine.Interfaces, agent.Interface{Name: fmt.Sprintf("eth%d", i)})
	}
	g, err := guest.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	drained := make(chan []byte, 1)
	go func() {
		var b bytes.Buffer
		io.Copy(&b, g.Console(0))
		drained <- b.Bytes()
	}()
	t.Cleanup(func() {
		g.Kill()
		<-g.Done()
		if b := <-drained; t.Failed() {
			t.Logf("%s: %+v, console %q", name, g.Exit(), b)
		}
	})
	if _, err := g.Boot(within(t)); err != nil {
		t.Fatal(err)
	}
	return machine{g}
}

// sh runs a command in the guest and returns what it printed.
func (m machine) sh(t testing.TB, command string) string {
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
