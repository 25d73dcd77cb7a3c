package probe_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet/probe"
	"github.com/patchbay/patchbay/vnet/stackport"
)

func TestPing(t *testing.T) {
	sw := newSwitch(t, "lan")
	h := attachWith(t, sw, "lan", probe.Options{Seed: "h"}, "10.0.0.1/24", "fd00::1/64")
	b := attachWith(t, sw, "lan", probe.Options{Seed: "b"}, "10.0.0.2/24", "fd00::2/64")
	for _, to := range []string{"10.0.0.2", "fd00::2"} {
		for _, size := range []int{0, 1, 56, 1400, 1473, 4000, 60000} {
			got, err := h.Ping(within(t), ip(to), probe.Ping{Count: 3, Interval: time.Millisecond, Size: size})
			if err != nil {
				t.Errorf("ping %s with %d bytes: %v", to, size, err)
				continue
			}
			if size == 0 {
				size = 56
			}
			if got.Sent != 3 || got.Received != 3 || len(got.Replies) != 3 {
				t.Errorf("ping %s with %d bytes: %+v; want 3 replies", to, size, got)
			}
			for i, r := range got.Replies {
				if r.Seq != i+1 || r.From != ip(to) || r.TTL != 64 || r.Size != size || r.MAC.String() != b.MAC().String() ||
					r.ICMP != nil || r.Duplicate || r.Altered || r.RTT <= 0 {
					t.Errorf("ping %s with %d bytes: reply %+v", to, size, r)
				}
			}
		}
	}
}

// The link-local address of a neighbour is one of its own.
func TestPingLinkLocal(t *testing.T) {
	sw := newSwitch(t, "lan")
	h := attach(t, sw, "lan", "fd00::1/64")
	b := attachWith(t, sw, "lan", probe.Options{Seed: "b"}, "fd00::2/64")
	var local netip.Addr
	for _, p := range b.Addresses() {
		if p.Addr().IsLinkLocalUnicast() {
			local = p.Addr()
		}
	}
	got, err := h.Ping(within(t), local, probe.Ping{})
	if err != nil {
		t.Fatal(err)
	}
	if r := got.Replies[0]; r.From != local || r.MAC.String() != b.MAC().String() {
		t.Errorf("reply %+v; want one from %s", r, local)
	}
}

func TestPingThroughRouters(t *testing.T) {
	sw := newSwitch(t, "one", "two", "three")
	newRouter(t, sw, "r1", []leg{{"one", "10.0.1.254/24 fd01::fe/64"}, {"two", "10.0.2.1/24 fd02::1/64"}},
		"10.0.3.0/24", "10.0.2.2", "fd03::/64", "fd02::2", "10.9.0.0/16", "10.0.2.2")
	newRouter(t, sw, "r2", []leg{{"two", "10.0.2.2/24 fd02::2/64"}, {"three", "10.0.3.254/24 fd03::fe/64"}},
		"10.0.1.0/24", "10.0.2.1", "fd01::/64", "fd02::1", "10.9.0.0/16", "10.0.2.1")
	h := attachWith(t, sw, "one", probe.Options{Gateway: ip("10.0.1.254"), Routes: []probe.Route{{To: netip.MustParsePrefix("::/0"), Via: ip("fd01::fe")}}},
		"10.0.1.1/24", "fd01::1/64")
	attachWith(t, sw, "three", probe.Options{Gateway: ip("10.0.3.254"), Routes: []probe.Route{{To: netip.MustParsePrefix("::/0"), Via: ip("fd03::fe")}}},
		"10.0.3.1/24", "fd03::1/64")

	for _, to := range []string{"10.0.3.1", "fd03::1"} {
		got, err := h.Ping(within(t), ip(to), probe.Ping{})
		if err != nil {
			t.Errorf("ping %s: %v", to, err)
			continue
		}
		if r := got.Replies[0]; r.TTL != 62 {
			t.Errorf("ping %s came back with TTL %d; want 62", to, r.TTL)
		}
	}
	for _, tt := range []struct {
		to   string
		ttl  uint8
		from string
		says string
	}{
		// As a router gVisor sends an IPv4 packet of TTL 1 on with TTL 0. With
		// Linux's routers the guests' test has to do.
		{"10.0.3.1", 1, "10.0.2.2", "10.0.2.2 answered: time to live exceeded"},
		{"fd03::1", 1, "fd01::fe", "fd01::fe answered: time to live exceeded"},
		{"fd03::1", 2, "fd02::2", "fd02::2 answered: time to live exceeded"},
		{"10.9.9.9", 0, "", "time to live exceeded"}, // a loop
		{"10.7.7.7", 0, "10.0.1.254", "10.0.1.254 answered: network unreachable"},
	} {
		got, err := h.Ping(within(t), ip(tt.to), probe.Ping{TTL: tt.ttl})
		fails(t, err, probe.Unreachable, "ping "+tt.to, tt.says)
		e, ok := errors.AsType[*probe.Error](err)
		if !ok || e.ICMP == nil || tt.from != "" && e.From != ip(tt.from) {
			t.Errorf("ping %s: the error %+v", tt.to, e)
		}
		if got.Sent != 1 || got.Received != 0 || len(got.Replies) != 1 || got.Replies[0].ICMP == nil {
			t.Errorf("ping %s: %+v", tt.to, got)
		}
	}

	for _, icmp := range []bool{false, true} {
		for to, want := range map[string][]string{
			"10.0.3.1": {"10.0.2.2", "10.0.3.1"},
			"fd03::1":  {"fd01::fe", "fd02::2", "fd03::1"},
			"10.0.1.1": nil,
		} {
			got, err := h.Trace(within(t), ip(to), probe.Trace{ICMP: icmp})
			if want == nil {
				fails(t, err, probe.Fault, "own address")
				continue
			}
			if err != nil {
				t.Errorf("trace %s: %v", to, err)
				continue
			}
			routers := got.Routers()
			if len(routers) != len(want) || !got.Reached || got.Loop() != nil {
				t.Errorf("trace %s (ICMP %v): %v; want %v", to, icmp, routers, want)
				continue
			}
			for i, r := range routers {
				if r != ip(want[i]) || len(got.Hops[i].Probes) != 3 || got.Hops[i].TTL != i+1 {
					t.Errorf("trace %s (ICMP %v): hop %d is %+v; want %s", to, icmp, i+1, got.Hops[i], want[i])
				}
				for _, p := range got.Hops[i].Probes {
					if p.From != r || p.RTT <= 0 || p.MAC.String() != stackport.MAC("r1/one").String() {
						t.Errorf("trace %s (ICMP %v): hop %d answered %+v", to, icmp, i+1, p)
					}
				}
			}
		}
		got, err := h.Trace(within(t), ip("10.9.9.9"), probe.Trace{ICMP: icmp, Hops: 5, Probes: 1})
		fails(t, err, probe.Silence, "circle", "10.0.2.1", "10.0.2.2")
		if loop := got.Loop(); len(loop) != 2 || got.Reached {
			t.Errorf("the loop is %v in %v", loop, got.Routers())
		}
		_, err = h.Trace(within(t), ip("10.7.7.7"), probe.Trace{ICMP: icmp})
		fails(t, err, probe.Unreachable, "10.0.1.254 answered: network unreachable")
	}
}

func TestPingNobody(t *testing.T) {
	sw := newSwitch(t, "lan")
	h := attach(t, sw, "lan", "10.0.0.1/24", "fd00::1/64")
	newBlackHole(t, sw, "lan", "hole", "10.0.0.66", "10.0.0.254")

	_, err := h.Ping(within(t), ip("10.0.0.9"), probe.Ping{})
	fails(t, err, probe.NoNeighbour, "ping 10.0.0.9: nobody answered ARP for 10.0.0.9 within")
	_, err = h.Ping(within(t), ip("fd00::9"), probe.Ping{})
	fails(t, err, probe.NoNeighbour, "nobody answered neighbour discovery for fd00::9")
	_, err = h.Ping(within(t), ip("10.0.0.66"), probe.Ping{Count: 2, Interval: time.Millisecond, Timeout: 50 * time.Millisecond})
	fails(t, err, probe.Silence, "ping 10.0.0.66: no answer to 2 requests within")
	_, err = h.Ping(within(t), ip("10.1.0.1"), probe.Ping{})
	fails(t, err, probe.Fault, "no route", "10.0.0.1/24")
	_, err = h.Ping(within(t), ip("10.0.0.66"), probe.Ping{Size: 1 << 17})
	fails(t, err, probe.Fault, "131072 bytes")
	_, err = h.Ping(within(t), netip.Addr{}, probe.Ping{})
	fails(t, err, probe.Fault)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = h.Ping(ctx, ip("10.0.0.66"), probe.Ping{Timeout: patience})
	fails(t, err, probe.Silence, "no answer to 1 requests")
	_, err = h.Ping(ctx, ip("10.0.0.66"), probe.Ping{})
	fails(t, err, probe.Cancelled)
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = h.Ping(ctx, ip("10.0.0.10"), probe.Ping{})
	fails(t, err, probe.NoNeighbour, "nobody answered ARP for 10.0.0.10")
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err = h.Ping(ctx, ip("10.0.0.66"), probe.Ping{Timeout: patience})
	fails(t, err, probe.Cancelled)

	g := attachWith(t, sw, "lan", probe.Options{Gateway: ip("10.0.0.253")}, "10.0.0.3/24")
	_, err = g.Ping(within(t), ip("8.8.8.8"), probe.Ping{})
	fails(t, err, probe.NoNeighbour, "nobody answered ARP for 10.0.0.253, the router on the way")
	n := attach(t, sw, "lan")
	_, err = n.Ping(within(t), ip("10.0.0.1"), probe.Ping{})
	fails(t, err, probe.Fault, "no address")
}

func TestNeighbours(t *testing.T) {
	sw := newSwitch(t, "lan")
	w := newWire(t, sw, "lan", "wire")
	h := attachWith(t, sw, "lan", probe.Options{Seed: "h"}, "10.0.0.1/24")
	b := attachWith(t, sw, "lan", probe.Options{Seed: "b"}, "10.0.0.2/24", "fd00::2/64")
	nobody := attach(t, sw, "lan")
	for _, asker := range []*probe.Host{h, nobody} {
		for _, to := range []string{"10.0.0.2", "fd00::2"} {
			got, err := asker.Neighbours(within(t), ip(to), probe.Ask{Count: 2, Interval: 50 * time.Millisecond, Wait: 100 * time.Millisecond})
			if err != nil {
				t.Errorf("who has %s: %v", to, err)
				continue
			}
			if len(got) != 1 || got[0].MAC.String() != b.MAC().String() || got[0].Sender.String() != b.MAC().String() || got[0].Answers != 2 {
				t.Errorf("who has %s: %+v; want %s twice", to, got, b.MAC())
			}
		}
	}
	sw.Segments()
	for from := range map[string]int{"\x0a\x00\x00\x01": 0, "\x00\x00\x00\x00": 1} {
		found := false
		for n := len(w.frames); n > 0; n-- {
			f := <-w.frames
			found = found || len(f) == 42 && string(f[28:32]) == from
			w.frames <- f
		}
		if !found {
			t.Errorf("no ARP request of 42 bytes came from %x", from)
		}
	}
	_, err := h.Neighbours(within(t), ip("10.0.0.77"), probe.Ask{Wait: time.Millisecond})
	fails(t, err, probe.NoNeighbour, "ask who has 10.0.0.77: nobody answered 1 ARP requests")
	_, err = h.Neighbours(within(t), ip("fd00::77"), probe.Ask{Wait: time.Millisecond})
	fails(t, err, probe.NoNeighbour, "neighbour discovery")
	_, err = h.Neighbours(within(t), ip("224.0.0.1"), probe.Ask{})
	fails(t, err, probe.Fault)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = h.Neighbours(ctx, ip("10.0.0.77"), probe.Ask{Wait: patience})
	fails(t, err, probe.NoNeighbour)

	// One who pretends: both show.
	newBlackHole(t, sw, "lan", "spoofer", "10.0.0.2")
	got, err := h.Neighbours(within(t), ip("10.0.0.2"), probe.Ask{Wait: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	macs := map[string]bool{}
	for _, c := range got {
		macs[c.MAC.String()] = true
	}
	if len(got) != 2 || !macs[b.MAC().String()] || !macs[stackport.MAC("spoofer").String()] {
		t.Errorf("with a spoofer about: %+v", got)
	}
}

// A deadline that a connection's reader set is told as such.
func TestReadDeadline(t *testing.T) {
	sw := newSwitch(t, "lan")
	h := attach(t, sw, "lan", "10.0.0.1/24")
	newBlackHole(t, sw, "lan", "hole", "10.0.0.66")
	c, err := h.Dial(within(t), "udp", "10.0.0.66:53")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	_, err = c.Read(make([]byte, 1))
	fails(t, err, probe.Silence)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v is no os.ErrDeadlineExceeded", err)
	}
}
