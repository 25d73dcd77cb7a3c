package vnet_test

import (
	"testing"

	"github.com/patchbay/patchbay/vnet"
	"golang.org/x/sys/unix"
)

// carriers is what a guest was told since the last time.
func (g *guest) carriers() (told string) {
	for _, m := range g.inbox() {
		switch {
		case len(m) == 1 && m[0] == 0:
			told += "0"
		case len(m) == 1 && m[0] == 1:
			told += "1"
		default:
			told += "?"
		}
	}
	return told
}

func TestCarrier(t *testing.T) {
	b := newBench(t, vnet.Options{})
	b.segment("lan", vnet.SwitchKind)
	b.segment("p2p", vnet.Link)
	for _, c := range []vnet.PortConfig{
		{Name: "a", Segment: "lan", Carrier: true}, {Name: "b", Segment: "lan", Carrier: true}, {Name: "deaf", Segment: "lan"},
		{Name: "l", Segment: "p2p", Carrier: true}, {Name: "m", Segment: "p2p", Mirror: true, Carrier: true},
		{Name: "air", Carrier: true},
	} {
		b.addWith(c)
	}
	told := func(step string, want map[string]string) {
		t.Helper()
		b.settle()
		for name, g := range b.guests {
			if got := g.carriers(); got != want[name] {
				t.Errorf("%s: %s was told %q; want %q", step, name, got, want[name])
			}
		}
	}
	plug := func(port string, in bool) {
		t.Helper()
		if err := b.SetPlugged(port, in); err != nil {
			t.Fatal(err)
		}
	}
	told("at first", map[string]string{"air": "0"})
	plug("a", false)
	told("a is pulled", map[string]string{"a": "0"})
	plug("a", false)
	told("again", nil)
	b.down("a")
	b.up("a")
	told("a comes anew", map[string]string{"a": "0"})
	plug("a", true)
	told("a is plugged in", map[string]string{"a": "1"})
	plug("deaf", false)
	plug("deaf", true)
	told("one that does not understand", nil)

	b.addWith(vnet.PortConfig{Name: "r", Segment: "p2p", Carrier: true})
	told("a link's other end", nil)
	b.down("r")
	told("it is down", nil)
	plug("r", false)
	told("its cable is pulled", map[string]string{"l": "0"})
	b.up("r")
	told("it is up, without cable", map[string]string{"r": "0"})
	plug("l", false)
	told("both are pulled", nil)
	plug("r", true)
	told("one is in", nil)
	plug("l", true)
	told("both are in", map[string]string{"l": "1", "r": "1"})
	plug("r", false)
	told("pulled", map[string]string{"l": "0", "r": "0"})
	if err := b.RemovePort("r"); err != nil {
		t.Fatal(err)
	}
	if b.guests["r"].connected() {
		t.Error("r, removed, is still connected, and would understand that it is not")
	}
	delete(b.guests, "r")
	told("the port with the pulled cable is gone", map[string]string{"l": "1"})
	if !b.guests["a"].connected() || !b.guests["l"].connected() {
		t.Error("others were disconnected")
	}
}

// A guest that does not read is told when it does.
func TestCarrierIsNotLost(t *testing.T) {
	b := newBench(t, vnet.Options{SendBuffer: 1 << 16})
	b.segment("lan", vnet.Hub)
	b.addWith(vnet.PortConfig{Name: "a", Segment: "lan"})
	b.addWith(vnet.PortConfig{Name: "b", Segment: "lan", Carrier: true})
	for range 2000 {
		b.guests["a"].send(frame(0xff, 1))
		b.settle()
	}
	if p := b.stats("b"); p.Drops == 0 {
		t.Fatalf("stats = %+v; want drops", p)
	}
	for _, in := range []bool{false, true, false} {
		if err := b.SetPlugged("b", in); err != nil {
			t.Fatal(err)
		}
	}
	last, others := byte(9), 0
	eventually(t, "the carrier message", func() bool {
		for _, m := range b.guests["b"].inbox() {
			if len(m) == 1 {
				last = m[0]
			} else {
				others++
			}
		}
		return last != 9
	})
	if last != 0 || uint64(others) != b.stats("b").RxFrames {
		t.Errorf("told %d after %d frames; want 0 after %d", last, others, b.stats("b").RxFrames)
	}
	b.settle()
	if got := b.guests["b"].carriers(); got != "" {
		t.Errorf("then %q; want nothing", got)
	}
}

// A guest that owes its connection's end nothing more: full, told, and gone.
func TestCarrierOwedToTheDead(t *testing.T) {
	b := newBench(t, vnet.Options{SendBuffer: 1 << 16})
	b.segment("lan", vnet.Hub)
	b.addWith(vnet.PortConfig{Name: "a", Segment: "lan"})
	b.addWith(vnet.PortConfig{Name: "b", Segment: "lan", Carrier: true})
	for range 2000 {
		b.guests["a"].send(frame(0xff, 1))
		b.settle()
	}
	if err := b.SetPlugged("b", false); err != nil {
		t.Fatal(err)
	}
	b.down("b")
	if b.stats("b").Up {
		t.Error("b is up after its guest went down")
	}
	b.up("b")
	if got := b.guests["b"].carriers(); got != "0" {
		t.Errorf("anew, it was told %q; want 0", got)
	}
	full := b.guests["b"]
	for range 2 {
		b.up("b") // leaves the one before to the superseded
	}
	unix.Shutdown(full.fd, unix.SHUT_WR)
	b.settle()
	if !b.stats("b").Up {
		t.Error("the end of an older connection took b down")
	}
}
