package vnet_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"

	"github.com/patchbay/patchbay/vnet"
	"golang.org/x/sys/unix"
)

// While descriptors are short a guest waits, and neither the loop nor the
// other guests suffer.
func TestOutOfDescriptors(t *testing.T) {
	b := newBench(t, vnet.Options{})
	b.segment("lan", vnet.SwitchKind)
	b.add("lan", "a", "b")
	if err := b.AddPort(vnet.PortConfig{Name: "late", Segment: "lan", Path: b.path("late")}); err != nil {
		t.Fatal(err)
	}
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	g := &guest{t: t, fd: fd}
	t.Cleanup(g.close)
	limit := func(n uint64) {
		t.Helper()
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: was.Max}); err != nil {
			t.Fatal(err)
		}
	}
	limit(3) // below what is open: no new ones
	t.Cleanup(func() { limit(was.Cur) })
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: b.path("late")}); err != nil {
		t.Fatal(err)
	}
	b.settle()
	if b.stats("late").Up {
		t.Error("the port is up without a descriptor")
	}
	if got := b.pass("a", frame(0xff, 1)); got != "b" {
		t.Errorf("meanwhile: came out of %q; want b", got)
	}
	limit(was.Cur)
	b.guests["late"] = g
	eventually(t, "the guest is let in", func() bool { return b.stats("late").Up })
	if got := b.pass("a", frame(0xff, 1)); got != "b late" {
		t.Errorf("came out of %q; want b late", got)
	}
}

func openFDs(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

func TestCloseLeavesNothing(t *testing.T) {
	warm, err := vnet.New(vnet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	warm.Close()
	fds, goroutines := openFDs(t), runtime.NumGoroutine()
	for range 20 {
		dir := t.TempDir()
		s, err := vnet.New(vnet.Options{OnLink: func(string, bool) {}})
		if err != nil {
			t.Fatal(err)
		}
		b := &bench{Switch: s, t: t, dir: dir, guests: map[string]*guest{}}
		b.segment("lan", vnet.SwitchKind)
		b.segment("empty", vnet.Hub)
		b.add("lan", "a", "b", "c")
		old := b.guests["b"]
		b.up("b")
		removed := b.guests["c"]
		s.RemovePort("c")
		b.pass("a", frame(0xff, 1))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("closing again: %v", err)
		}
		for name, g := range b.guests {
			if g.connected() {
				t.Errorf("%s is still connected", name)
			}
			g.close()
		}
		old.close()
		removed.close()
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
		for what, err := range map[string]error{
			"AddSegment":    s.AddSegment(vnet.SegmentConfig{Name: "x", Kind: vnet.Hub}),
			"RemoveSegment": s.RemoveSegment("empty"),
			"AddPort":       s.AddPort(vnet.PortConfig{Name: "x", Path: dir + "/x"}),
			"RemovePort":    s.RemovePort("a"),
			"SetPlugged":    s.SetPlugged("a", false),
		} {
			if !errors.Is(err, vnet.ErrClosed) {
				t.Errorf("%s of a closed switch: %v; want ErrClosed", what, err)
			}
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("left behind by a closed switch: %v", left)
		}
		if s.Segments() != nil || s.MACs("lan") != nil || len(s.Ports()) != 2 || s.Ports()[0].Up {
			t.Errorf("a closed switch shows segments %v, ports %v", s.Segments(), s.Ports())
		}
	}
	if n := openFDs(t); n != fds {
		t.Errorf("%d descriptors open, %d before", n, fds)
	}
	eventually(t, "goroutines are gone", func() bool { return runtime.NumGoroutine() <= goroutines })
}

// Close while others use the switch: each call ends, with or without effect.
func TestCloseInTheMidst(t *testing.T) {
	for range 20 {
		s, err := vnet.New(vnet.Options{})
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		s.AddSegment(vnet.SegmentConfig{Name: "lan", Kind: vnet.Hub})
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for j := range 20 {
					name := fmt.Sprint("p", i, ".", j)
					s.AddPort(vnet.PortConfig{Name: name, Segment: "lan", Path: dir + "/" + name})
					s.Ports()
					s.Segments()
					if j%2 == 0 {
						s.RemovePort(name)
					}
				}
			})
		}
		s.Close()
		wg.Wait()
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}
