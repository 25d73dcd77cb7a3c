package guest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/patchbay/patchbay/guest"
)

type report struct {
	PID, UID, GID int
	Groups        []int
	Host          string
	Args, Env     []string
	Files         []string
	FDs           []int
	Caps          [3]uint32
	Bounding      int
	NoNewPrivs    bool
	CPUs          int
	Interfaces    []string
	Limits        map[string]uint64
	Tried         map[string]string
}

// inmate builds testdata/inmate once for all tests.
var inmate = sync.OnceValues(func() (string, error) {
	if ready := os.Getenv(inmateEnv); ready != "" {
		return ready, nil
	}
	dir, err := os.MkdirTemp("", "patchbay-inmate-")
	if err != nil {
		return "", err
	}
	cleanups = append(cleanups, func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "inmate")
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", bin, "./testdata/inmate")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", &buildError{string(out), err}
	}
	return bin, os.Chmod(bin, 0o777) // only the jail keeps it from being changed
})

type buildError struct {
	out string
	err error
}

func (e *buildError) Error() string { return e.err.Error() + "\n" + e.out }

// inmateConfig is a Config whose kernel is the inmate.
func inmateConfig(t *testing.T) guest.Config {
	t.Helper()
	bin, err := inmate()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name string, size int64) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(p, size); err != nil {
			t.Fatal(err)
		}
		return p
	}
	// Only the jail keeps it from writing.
	for _, p := range []string{file("initrd", 4096), file("image", 4096)} {
		if err := os.Chmod(p, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	sock := filepath.Join(dir, "net")
	l := listenSeqpacket(t, sock)
	t.Cleanup(func() { l.Close() })
	return guest.Config{
		Name: "inmate", Dir: dir,
		Kernel: guest.Kernel{Name: "inmate", Path: bin},
		Initrd: filepath.Join(dir, "initrd"),
		Image:  guest.Disk{Path: filepath.Join(dir, "image"), Type: "squashfs"},
		Disk:   guest.Disk{Path: file("disk", 16<<20), Type: "ext4"},
		Memory: 8 << 20, CPU: 0, Lines: 2,
		NICs: []guest.NIC{{MAC: "02:00:00:00:00:01", Socket: sock}},
	}
}

func inmateReport(g *guest.Guest) (report, error) {
	if err := g.Console(0).SetReadDeadline(time.Now().Add(patience)); err != nil {
		return report{}, err
	}
	line, err := bufio.NewReaderSize(g.Console(0), 1<<20).ReadBytes('\n')
	if err != nil {
		return report{}, fmt.Errorf("reading the inmate's report: %w, got %q", err, line)
	}
	var r report
	return r, json.Unmarshal(line, &r)
}

// What a kernel that has been taken over finds in its jail, all of it.
func TestJailPosture(t *testing.T) {
	// A descriptor that nobody closes on exec must not get in.
	stray, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer stray.Close()
	clearCloseOnExec(t, stray)
	// Nor must it inherit that a signal is ignored.
	signal.Ignore(syscall.SIGHUP)
	defer signal.Reset(syscall.SIGHUP)

	g, err := guest.Start(t.Context(), inmateConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Kill()
	r, err := inmateReport(g)
	if err != nil {
		t.Fatal(err)
	}

	if r.PID != 1 || r.UID != 0 || r.GID != 0 {
		t.Errorf("it is pid %d, uid %d, gid %d, not 1, 0, 0", r.PID, r.UID, r.GID)
	}
	if os.Geteuid() == 0 && len(r.Groups) != 0 {
		t.Errorf("it is in the groups %v", r.Groups)
	}
	if want := []int{0, 1, 2, 3, 4, 5}; !slices.Equal(r.FDs, want) {
		t.Errorf("it has the descriptors %v, not %v", r.FDs, want)
	}
	slices.Sort(r.Files)
	want := []string{"/", "/disk", "/image", "/initrd", "/linux", "/net", "/net/0", "/run", "/run/client", "/run/notify"}
	if !slices.Equal(r.Files, want) {
		t.Errorf("it sees %v, not %v", r.Files, want)
	}
	if r.Caps != [3]uint32{} || r.Bounding != 0 || !r.NoNewPrivs {
		t.Errorf("it has capabilities %x, %d in the bounding set, no_new_privs %v", r.Caps, r.Bounding, r.NoNewPrivs)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.PID()))
	for _, want := range []string{"\nSigIgn:\t0000000000000000\n", "\nSigBlk:\t0000000000000000\n"} {
		if err != nil || !strings.Contains(string(status), want) {
			t.Errorf("its status lacks %q, %v:\n%s", want, err, status)
		}
	}
	if r.CPUs != 1 {
		t.Errorf("it may run on %d CPUs", r.CPUs)
	}
	if r.Host != "patchbay" {
		t.Errorf("it sees the host name %q", r.Host)
	}
	if want := []string{"TMPDIR=/run", "HOME=/run"}; !slices.Equal(r.Env, want) {
		t.Errorf("its environment is %q", r.Env)
	}
	if want := []string{"lo loopback"}; !slices.Equal(r.Interfaces, want) {
		t.Errorf("it has the interfaces %q", r.Interfaces)
	}
	if r.Limits["core"] != 0 || r.Limits["nofile"] > 4096 || r.Limits["fsize"] != 16<<20 {
		t.Errorf("its limits are %v", r.Limits)
	}
	tried := map[string]string{
		"change /linux":           "read-only file system",
		"write /initrd":           "read-only file system",
		"write /image":            "read-only file system",
		"write /disk":             "",
		"make a file in the root": "read-only file system",
		"grow the disk":           "file too large",
		"fill the scratch folder": "no space left on device",
		"mount":                   "operation not permitted",
		"make a user namespace":   "no space left on device",
		"make a mount namespace":  "operation not permitted",
		"leave the root":          "operation not permitted",
		"become another user":     "invalid argument",
		"signal everybody":        "no such process",
		"set the host name":       "operation not permitted",
		"reach the network":       "network is unreachable",
		"a raw socket":            "operation not permitted",
	}
	for name, got := range r.Tried {
		want, known := tried[name]
		if !known || (want == "") != (got == "") || !strings.HasSuffix(got, want) {
			t.Errorf("it tried to %s and got %q, not %q", name, got, want)
		}
		delete(tried, name)
	}
	for name := range tried {
		t.Errorf("it did not try to %s", name)
	}
}

// A jail that cannot be built is none, and Start says at which step it failed.
func TestJailFailsClosed(t *testing.T) {
	notKernel := func(c *guest.Config) { c.Kernel.Path = c.Image.Path; _ = os.Chmod(c.Image.Path, 0o755) }
	tests := []struct {
		name   string
		change func(*guest.Config)
		want   string
	}{
		{"a CPU that is not there", func(c *guest.Config) { c.CPU = 1023 }, "moving to CPU 1023: invalid argument"},
		{"a kernel that is none", notKernel, "executing the kernel: exec format error"},
		{"no kernel", func(c *guest.Config) { c.Kernel.Path += "-gone" }, "the kernel inmate is missing"},
		{"no initrd", func(c *guest.Config) { c.Initrd += "-gone" }, "the initrd is missing"},
		{"an empty image", func(c *guest.Config) { _ = os.Truncate(c.Image.Path, 0) }, "the image is empty"},
		{"no socket", func(c *guest.Config) { c.NICs[0].Socket += "-gone" }, "interface 0 has no socket"},
		{"no folder", func(c *guest.Config) { c.Dir += "-gone" }, "its folder"},
		{"the same library twice", func(c *guest.Config) {
			lib := c.Image.Path
			c.Kernel.Libs = []string{lib, lib}
		}, "file exists"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := inmateConfig(t)
			tt.change(&c)
			before := processes(t)
			g, err := guest.Start(t.Context(), c)
			if err == nil {
				g.Kill()
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "inmate") {
				t.Errorf("error %q does not say %q", err, tt.want)
			}
			if after := processes(t); len(after) > len(before) {
				t.Errorf("processes are left: %v", after)
			}
		})
	}
}

// The jail's process shares this one's memory until it executes. Many at once,
// with the garbage collector at work and signals coming in, do not disturb it,
// nor it them.
func TestJailManyAtOnce(t *testing.T) {
	stop := make(chan struct{})
	var noise sync.WaitGroup
	noise.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
				_ = syscall.Kill(os.Getpid(), syscall.SIGURG) // what the runtime itself uses to preempt
			}
		}
	})
	defer noise.Wait()
	defer close(stop)
	var guests sync.WaitGroup
	defer guests.Wait()
	for range 16 {
		c := inmateConfig(t)
		guests.Go(func() {
			for range 3 {
				g, err := guest.Start(t.Context(), c)
				if err != nil {
					t.Error(err)
					return
				}
				if r, err := inmateReport(g); err != nil || r.PID != 1 {
					t.Errorf("it is pid %d, %v", r.PID, err)
				}
				g.Kill()
			}
		})
	}
}
