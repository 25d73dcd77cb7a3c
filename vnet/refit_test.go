package vnet_test

import (
	"testing"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/impair"
	"github.com/patchbay/patchbay/vnet/offload"
)

// A port is made one for another kernel: all but how its guest is spoken to
// stays as it was, whoever brought it about.
func TestRefit(t *testing.T) {
	b := newBench(t, vnet.Options{})
	b.segment("lan", vnet.Hub)
	b.add("lan", "a", "b")
	plain, super := frame(0xff, 1), withHeader(offload.Header{}, frame(0xff, 1))
	if got := b.pass("a", plain); got != "b" {
		t.Fatalf("came out of %q; want b", got)
	}
	lossy := impair.Config{Loss: 1e-12}
	err := b.Script([]vnet.Event{
		{Port: "a", Do: vnet.CutCable}, {Port: "a", Dir: vnet.ToGuest, Do: vnet.ImpairCable, Impair: &lossy},
		{Port: "a", Frame: "ether proto 0x88b5", Dir: vnet.FromGuest, Nth: 2, Do: vnet.DropFrame},
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the cable is cut", func() bool { return !b.stats("a").Plugged })
	for range 2 { // the second time it is so already
		if err := b.Refit("a", true, true); err != nil {
			t.Fatal(err)
		}
	}
	old := b.guests["a"]
	old.send(frame(0xff, 9))
	b.settle()
	if p := b.stats("a"); p.Up || p.Plugged || !p.Offload || p.TxFrames != 1 || p.Cut != 1 {
		t.Errorf("%+v; want it down, pulled, with offloads, one frame sent and one cut", p)
	}
	if c, err := b.Impairment("a", vnet.ToGuest); err != nil || c != lossy {
		t.Errorf("impaired by %+v, %v; want what the event set", c, err)
	}
	if !old.connected() {
		t.Error("the guest before was disconnected, upon which it may spin")
	}
	b.up("a")
	if got := b.guests["a"].carriers(); got != "0" {
		t.Errorf("the guest was told the carrier %q; want 0", got)
	}
	if err := b.SetPlugged("a", true); err != nil {
		t.Fatal(err)
	}
	if got := b.guests["a"].carriers(); got != "1" {
		t.Errorf("the guest was told the carrier %q; want 1", got)
	}
	for range 3 { // the second is dropped
		b.guests["a"].send(super)
	}
	b.guests["b"].send(plain)
	b.settle()
	b.want("a", super)
	b.want("b", plain, plain)
	if p := b.stats("a"); p.TxFrames != 3 || p.Lost != 1 {
		t.Errorf("%+v; want 3 frames sent in all and one lost", p)
	}
	if err := b.Refit("nobody", true, true); err == nil {
		t.Error("a port that is not there was refitted")
	}
}
