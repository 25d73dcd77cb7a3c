package probe_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/probe"
	"github.com/patchbay/patchbay/vnet/stackport"
)

// patience bounds what must happen; nothing is measured by it.
const patience = 30 * time.Second

func newSwitch(t testing.TB, segments ...string) *vnet.Switch {
	t.Helper()
	sw, err := vnet.New(vnet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sw.Close() })
	for _, s := range segments {
		if err := sw.AddSegment(vnet.SegmentConfig{Name: s, Kind: vnet.SwitchKind}); err != nil {
			t.Fatal(err)
		}
	}
	return sw
}

func attach(t testing.TB, sw probe.Attacher, segment string, addresses ...string) *probe.Host {
	t.Helper()
	return attachWith(t, sw, segment, probe.Options{}, addresses...)
}

func attachWith(t testing.TB, sw probe.Attacher, segment string, o probe.Options, addresses ...string) *probe.Host {
	t.Helper()
	for _, a := range addresses {
		o.Addresses = append(o.Addresses, netip.MustParsePrefix(a))
	}
	h, err := probe.Attach(t.Context(), sw, segment, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// fails asserts that err is of a cause and says all of a text's parts.
func fails(t testing.TB, err error, cause probe.Cause, says ...string) {
	t.Helper()
	if got := probe.CauseOf(err); got != cause {
		t.Errorf("the error %q has the cause %q; want %q", err, got, cause)
		return
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("the error %q does not say %q", err, s)
		}
	}
	if ours := cause == probe.Fault || cause == probe.Cancelled; probe.Ours(err) != ours {
		t.Errorf("Ours(%q) = %v", err, !ours)
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func openFDs(t testing.TB) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// wire is a port where a test sees all frames and sends its own.
type wire struct {
	*stackport.Port
	frames chan []byte
}

func newWire(t testing.TB, sw *vnet.Switch, segment, name string) *wire {
	t.Helper()
	w := &wire{frames: make(chan []byte, 4096)}
	p, err := stackport.Join(sw, vnet.PortConfig{Name: name, Segment: segment}, stackport.Options{
		MAC: stackport.MAC(name), Observe: func(f []byte) { w.frames <- bytes.Clone(f) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	w.Port = p
	return w
}

// A probe says nothing that it was not asked to say, goes without a trace, and
// leaves neither goroutine nor descriptor.
func TestHundredAttaches(t *testing.T) {
	sw := newSwitch(t, "lan")
	w := newWire(t, sw, "lan", "wire")
	target := attach(t, sw, "lan", "10.0.0.2/24", "fd00::2/64")
	once := func(ask bool) {
		h := attach(t, sw, "lan", "10.0.0.1/24", "fd00::1/64")
		if ask {
			for _, to := range []string{"10.0.0.2", "fd00::2"} {
				if _, err := h.Ping(within(t), ip(to), probe.Ping{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	once(true)
	fds, goroutines := openFDs(t), runtime.NumGoroutine()
	for len(w.frames) > 0 {
		<-w.frames
	}
	for i := range 100 {
		once(i%4 == 0)
	}
	if n := len(sw.Ports()); n != 2 {
		t.Errorf("%d ports are left; want 2", n)
	}
	eventually(t, "goroutines are gone", func() bool { return runtime.NumGoroutine() <= goroutines })
	eventually(t, "descriptors are closed", func() bool { return openFDs(t) <= fds })
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
	// Each time one ARP request and one neighbour solicitation, as all machines
	// of the segment see them, and nothing else that is for all.
	sw.Segments()
	kinds := map[string]int{}
	for len(w.frames) > 0 {
		kinds[string((<-w.frames)[12:14])]++
	}
	if len(kinds) > 2 || kinds["\x08\x06"] > 25 || kinds["\x86\xdd"] > 25 {
		t.Errorf("frames for all by EtherType: %x", kinds)
	}
}

func TestQuiet(t *testing.T) {
	sw := newSwitch(t, "lan")
	w := newWire(t, sw, "lan", "wire")
	h := attachWith(t, sw, "lan", probe.Options{Gateway: ip("10.0.0.254")}, "10.0.0.1/24", "fd00::1/64")
	l, err := h.Listen(netip.MustParseAddrPort("0.0.0.0:80"))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	h.Close()
	sw.Segments()
	if n := len(w.frames); n != 0 {
		t.Errorf("%d frames came of a probe that was asked nothing: %x", n, <-w.frames)
	}
}

func TestAttachErrors(t *testing.T) {
	sw := newSwitch(t, "lan")
	sw.AddSegment(vnet.SegmentConfig{Name: "cable", Kind: vnet.Link})
	newWire(t, sw, "cable", "one")
	newWire(t, sw, "cable", "two")
	prefix := func(s ...string) (p []netip.Prefix) {
		for _, s := range s {
			p = append(p, netip.MustParsePrefix(s))
		}
		return p
	}
	before := len(sw.Ports())
	fds, goroutines := openFDs(t), runtime.NumGoroutine()
	for _, tt := range []struct {
		name, segment string
		o             probe.Options
		says          string
	}{
		{"no such segment", "wan", probe.Options{}, "wan"},
		{"a link is full", "cable", probe.Options{}, "cable"},
		{"the name is taken", "lan", probe.Options{Name: "one"}, "one"},
		{"a group's MAC", "lan", probe.Options{MAC: net.HardwareAddr{1, 2, 3, 4, 5, 6}}, "01:02:03:04:05:06"},
		{"a strange MTU", "lan", probe.Options{MTU: 20}, "20"},
		{"a strange address", "lan", probe.Options{Addresses: prefix("224.0.0.1/24")}, "224.0.0.1"},
		{"a far gateway", "lan", probe.Options{Addresses: prefix("10.0.0.1/24"), Gateway: ip("10.0.1.1")}, "10.0.1.1"},
		{"a mixed route", "lan", probe.Options{Addresses: prefix("10.0.0.1/24"), Routes: []probe.Route{{prefix("::/0")[0], ip("10.0.0.2")}}}, "::/0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := probe.Attach(t.Context(), sw, tt.segment, tt.o)
			fails(t, err, probe.Fault, tt.says)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := probe.Attach(ctx, sw, "lan", probe.Options{})
	fails(t, err, probe.Cancelled)
	if n := len(sw.Ports()); n != before {
		t.Errorf("%d ports; want %d", n, before)
	}
	eventually(t, "goroutines are gone", func() bool { return runtime.NumGoroutine() <= goroutines })
	eventually(t, "descriptors are closed", func() bool { return openFDs(t) <= fds })
}

// The context that a probe was attached with ends it and what it is about.
func TestContextEnds(t *testing.T) {
	sw := newSwitch(t, "lan")
	ctx, cancel := context.WithCancel(t.Context())
	h, err := probe.Attach(ctx, sw, "lan", probe.Options{Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := h.Listen(netip.MustParseAddrPort("0.0.0.0:80"))
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 2)
	go func() {
		_, err := h.Ping(context.Background(), ip("10.0.0.9"), probe.Ping{})
		errs <- err
	}()
	go func() {
		_, err := l.Accept()
		errs <- err
	}()
	time.Sleep(10 * time.Millisecond) // that they have begun is likely, not needed
	cancel()
	for range 2 {
		if err := <-errs; !probe.Ours(err) {
			t.Errorf("an operation of a probe whose context ended: %v; want one of ours", err)
		}
	}
	h.Close()
	_, err = h.Ping(t.Context(), ip("10.0.0.9"), probe.Ping{})
	fails(t, err, probe.Fault, "closed")
	if n := len(sw.Ports()); n != 0 {
		t.Errorf("%d ports are left", n)
	}
}

// When the switch goes, it is not the network that is silent.
func TestSwitchGone(t *testing.T) {
	sw := newSwitch(t, "lan")
	h := attach(t, sw, "lan", "10.0.0.1/24")
	errs := make(chan error, 1)
	go func() {
		_, err := h.Ping(t.Context(), ip("10.0.0.9"), probe.Ping{})
		errs <- err
	}()
	sw.Close()
	fails(t, <-errs, probe.Fault)
	_, err := h.Dial(t.Context(), "tcp", "10.0.0.9:80")
	fails(t, err, probe.Fault)
	if !errors.Is(err, stackport.ErrHungUp) {
		t.Errorf("%v does not say that the switch hung up", err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}
