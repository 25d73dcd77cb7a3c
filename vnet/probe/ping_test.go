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

// Of a group everybody who answers is waited for.
func TestPingGroup(t *testing.T) {
	t.Parallel()
	sw := newSwitch(t, "lan")
	h := attach(t, sw, "lan", "10.0.0.1/24", "fd00::1/64")
	want := map[string]bool{}
	for range 3 {
		want[attach(t, sw, "lan", "fd00::2/64").MAC().String()] = true
	}
	got, err := h.Ping(within(t), ip("ff02::1"), probe.Ping{Timeout: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range got.Replies {
		delete(want, r.MAC.String())
	}
	if len(want) != 0 || got.Received != 1 || len(got.Replies) != 3 {
		t.Errorf("%+v; %v did not answer", got, want)
	}
	_, err = h.Ping(within(t), ip("10.0.0.255"), probe.Ping{Timeout: 50 * time.Millisecond})
	fails(t, err, probe.Silence)
}

func TestPingNobody(t *testing.T) {
	t.Parallel()
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
	for _, icmp := range []bool{false, true} {
		got, err := h.Trace(within(t), ip("10.0.0.66"), probe.Trace{ICMP: icmp, Hops: 2, Timeout: 50 * time.Millisecond})
		fails(t, err, probe.Silence, "trace 10.0.0.66: not reached in 2 hops; nobody on the way answered")
		if len(got.Hops) != 2 || len(got.Hops[0].Probes) != 3 || got.Reached || got.Loop() != nil {
			t.Errorf("%+v", got)
		}
		_, err = h.Trace(within(t), ip("10.0.0.1"), probe.Trace{ICMP: icmp})
		fails(t, err, probe.Fault, "own address")
	}

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
	t.Parallel()
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
