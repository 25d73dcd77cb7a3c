package vnet_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/patchbay/patchbay/vnet"
)

func TestUnplug(t *testing.T) {
	for _, kind := range []vnet.Kind{vnet.SwitchKind, vnet.Hub, vnet.Link} {
		t.Run(string(kind), func(t *testing.T) {
			b := newBench(t, vnet.Options{})
			b.segment("lan", kind)
			b.add("lan", "a", "b")
			b.pass("a", frame(0xff, 1))
			b.pass("b", frame(1, 2))
			if err := b.SetPlugged("b", false); err != nil {
				t.Fatal(err)
			}
			if got := b.pass("a", frame(2, 1)); got != "" {
				t.Errorf("to the pulled cable: came out of %q", got)
			}
			if got := b.pass("b", frame(1, 2)); got != "" {
				t.Errorf("from the pulled cable: came out of %q", got)
			}
			p := b.stats("b")
			if p.Plugged || !p.Up || p.Cut != 2 || p.TxFrames != 1 || p.RxFrames != 1 || p.Drops != 0 {
				t.Errorf("stats = %+v; want up, unplugged, 2 cut, 1 each way", p)
			}
			for _, m := range b.MACs("lan") {
				if m.Port == "b" {
					t.Errorf("%x is still known at b", m.Addr)
				}
			}
			if !b.guests["b"].connected() {
				t.Fatal("the guest was disconnected")
			}
			if err := b.SetPlugged("b", true); err != nil {
				t.Fatal(err)
			}
			if got := b.pass("a", frame(2, 1)); got != "b" {
				t.Errorf("plugged in again: came out of %q; want b", got)
			}
			if got := b.pass("b", frame(1, 2)); got != "a" {
				t.Errorf("plugged in again: came out of %q; want a", got)
			}
		})
	}
}

func TestReconnect(t *testing.T) {
	var l links
	b := newBench(t, vnet.Options{OnLink: l.OnLink})
	b.segment("lan", vnet.SwitchKind)
	b.add("lan", "a", "b", "c")
	want := "a true, b true, c true"
	told := func(more string) {
		t.Helper()
		want += more
		eventually(t, "link changes "+want, func() bool { return l.all() == want })
	}
	told("")
	for range 3 {
		b.pass("a", frame(0xff, 1))
		b.pass("b", frame(1, 2))
		b.down("b")
		told(", b false")
		if p := b.stats("b"); p.Up {
			t.Error("b is up after its guest went down")
		}
		if got := b.pass("a", frame(2, 1)); got != "c" {
			t.Errorf("to a guest that is down: came out of %q; want c (flooded)", got)
		}
		b.up("b")
		told(", b true")
		if p := b.stats("b"); !p.Up || p.Cut != 0 || p.Drops != 0 {
			t.Errorf("stats = %+v; want up, nothing lost", p)
		}
		if got := b.pass("a", frame(2, 1)); got != "b c" {
			t.Errorf("to a guest that came back: came out of %q; want b c", got)
		}
	}
}

// What a guest sent before it went down arrives, however much it was.
func TestLastWords(t *testing.T) {
	b := newBench(t, vnet.Options{})
	b.segment("lan", vnet.Link)
	b.add("lan", "a", "b")
	const n = vnet.Batch + 6
	b.guests["b"].send(frame(1, 2)) // unread at a's end: its close is a reset
	b.settle()
	for range n {
		b.guests["a"].send(frame(2, 1))
	}
	b.down("a")
	eventually(t, "a is down", func() bool { return !b.stats("a").Up })
	got := 0
	for {
		if _, ok := b.guests["b"].recv(); !ok {
			break
		}
		got++
	}
	if got != n {
		t.Errorf("%d frames arrived; want %d", got, n)
	}
	if p := b.stats("a"); p.TxFrames != n || p.Runts != 0 {
		t.Errorf("stats = %+v; want %d frames, no runts", p, n)
	}
}

func TestNewestConnectionWins(t *testing.T) {
	b := newBench(t, vnet.Options{})
	b.segment("lan", vnet.SwitchKind)
	b.add("lan", "a", "b")
	first := b.guests["b"]
	b.pass("b", frame(0xff, 2))
	b.up("b")
	if n := len(b.MACs("lan")); n != 0 {
		t.Errorf("%d addresses known after the guest came anew; want none", n)
	}
	if got := b.pass("a", frame(2, 1)); got != "b" {
		t.Errorf("came out of %q; want b", got)
	}
	if _, ok := first.recv(); ok {
		t.Error("the older connection got a frame")
	}
	first.send(frame(1, 2))
	b.settle()
	if _, ok := b.guests["a"].recv(); ok {
		t.Error("the older connection's frame came out")
	}
	if p := b.stats("b"); p.Cut != 1 || p.TxFrames != 1 {
		t.Errorf("stats = %+v; want 1 cut", p)
	}
	if !first.connected() {
		t.Error("the older connection was closed")
	}
	first.close()
	b.settle()
	if p := b.stats("b"); !p.Up {
		t.Error("the end of the older connection took the link down")
	}
	if got := b.pass("b", frame(0xff, 2)); got != "a" {
		t.Errorf("came out of %q; want a", got)
	}
}

func TestManyConnectionsOfOneGuest(t *testing.T) {
	b := newBench(t, vnet.Options{})
	b.segment("lan", vnet.SwitchKind)
	b.add("lan", "a", "b")
	all := []*guest{b.guests["b"]}
	for range 50 {
		all = append(all, b.up("b"))
	}
	kept := 0
	for _, g := range all {
		if g.connected() {
			kept++
		}
	}
	if kept != vnet.OldConns+1 {
		t.Errorf("%d connections kept; want %d", kept, vnet.OldConns+1)
	}
	if got := b.pass("a", frame(2, 1)); got != "b" || !b.guests["b"].connected() {
		t.Errorf("came out of %q; want b", got)
	}
}

func TestReceiverThatNeverReads(t *testing.T) {
	b := newBench(t, vnet.Options{SendBuffer: 1 << 16})
	b.segment("lan", vnet.Hub)
	b.add("lan", "a", "b", "deaf")
	const n = 5000
	big := make([]byte, 1514)
	copy(big, frame(0xff, 1))
	got := uint64(0)
	for range n / 10 {
		for range 10 {
			b.guests["a"].send(big)
		}
		b.settle()
		for {
			if _, ok := b.guests["b"].recv(); !ok {
				break
			}
			got++
		}
	}
	if p := b.stats("b"); got != n || p.RxFrames != n || p.Drops != 0 {
		t.Errorf("b got %d frames, stats %+v; want all %d", got, p, n)
	}
	p := b.stats("deaf")
	if p.Drops == 0 || p.RxFrames == 0 || p.Drops+p.RxFrames != n {
		t.Errorf("stats = %+v; want received and dropped frames, %d together", p, n)
	}
	// It reads again: what fitted is there, and new frames come.
	for {
		if _, ok := b.guests["deaf"].recv(); !ok {
			break
		}
	}
	if got := b.pass("b", frame(0xff, 2)); got != "a deaf" {
		t.Errorf("came out of %q; want a deaf", got)
	}
}

func TestRemovePort(t *testing.T) {
	var l links
	b := newBench(t, vnet.Options{OnLink: l.OnLink})
	b.segment("lan", vnet.SwitchKind)
	b.add("lan", "a", "b", "c")
	b.pass("b", frame(0xff, 2))
	gone := b.guests["b"]
	if err := b.RemovePort("b"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(b.path("b")); !os.IsNotExist(err) {
		t.Errorf("the socket file is still there: %v", err)
	}
	if n := len(b.MACs("lan")); n != 0 || len(b.Ports()) != 2 {
		t.Errorf("%d addresses, %d ports; want none, 2", n, len(b.Ports()))
	}
	if got := b.pass("a", frame(2, 1)); got != "c" {
		t.Errorf("came out of %q; want c", got)
	}
	gone.send(frame(1, 2))
	b.settle()
	if _, ok := b.guests["a"].recv(); ok {
		t.Error("a removed port's frame came out")
	}
	if !gone.connected() {
		t.Error("the removed port's guest was disconnected")
	}
	delete(b.guests, "b")
	b.add("lan", "b")
	if got := b.pass("b", frame(1, 2)); got != "a" {
		t.Errorf("came out of %q; want a", got)
	}
	if err := b.RemoveSegment("lan"); err == nil {
		t.Error("a segment with ports was removed")
	}
	for _, p := range []string{"a", "b", "c"} {
		if err := b.RemovePort(p); err != nil {
			t.Error(err)
		}
	}
	if err := b.RemoveSegment("lan"); err != nil || len(b.Segments()) != 0 {
		t.Errorf("RemoveSegment = %v, then segments %v", err, b.Segments())
	}
	if strings.Contains(l.all(), "false") {
		t.Errorf("OnLink was told %s; a removal is no link change", l.all())
	}
}

func TestPortsComeAndGoUnderTraffic(t *testing.T) {
	b := newBench(t, vnet.Options{OnLink: new(links).OnLink})
	b.segment("lan", vnet.SwitchKind)
	b.add("lan", "a", "b")
	b.pass("a", frame(0xff, 1)) // now frames for 1 go to a alone
	from, to := b.guests["a"].fd, b.guests["b"].fd
	sent, got := uint64(1), uint64(1)
	var stopSending, stopReading atomic.Bool
	var sender, sink sync.WaitGroup
	sender.Go(func() {
		p := vnet.NewPump(frame(0xff, 1))
		for !stopSending.Load() {
			sent += uint64(p.Send(from, 16))
			runtime.Gosched()
		}
	})
	sink.Go(func() {
		p := vnet.NewPump(frame(0, 0))
		for {
			last := stopReading.Load()
			n := p.Drain(to)
			if n <= 0 && last {
				return
			}
			got += uint64(max(n, 0))
			runtime.Gosched()
		}
	})
	for i := range 100 {
		name := fmt.Sprint("x", i%7)
		b.add("lan", name)
		if i%3 == 0 {
			b.SetPlugged(name, false)
		}
		b.guests[name].send(frame(1, 9))
		if i%2 == 0 {
			b.up(name)
		}
		if i%5 == 0 {
			b.down(name)
		}
		if err := b.RemovePort(name); err != nil {
			t.Fatal(err)
		}
	}
	stopSending.Store(true)
	sender.Wait()
	eventually(t, "the switch took all frames", func() bool { return b.stats("a").TxFrames == sent })
	b.settle()
	stopReading.Store(true)
	sink.Wait()
	if p := b.stats("b"); p.RxFrames != got || p.RxFrames+p.Drops != sent {
		t.Errorf("%d sent, %d arrived; %+v", sent, got, p)
	}
}

func TestConnectedPort(t *testing.T) {
	var l links
	b := newBench(t, vnet.Options{OnLink: l.OnLink})
	b.segment("lan", vnet.SwitchKind)
	b.add("lan", "a")
	fd, f := pair(t)
	if err := b.AddPort(vnet.PortConfig{Name: "probe", Segment: "lan", Conn: f}); err != nil {
		t.Fatal(err)
	}
	f.Close()
	g := &guest{t: t, fd: fd}
	t.Cleanup(g.close)
	b.guests["probe"] = g
	if got := b.pass("a", frame(0xff, 1)); got != "probe" {
		t.Errorf("came out of %q; want probe", got)
	}
	if got := b.pass("probe", frame(1, 2)); got != "a" {
		t.Errorf("came out of %q; want a", got)
	}
	b.down("probe")
	if b.stats("probe").Up {
		t.Error("the port is up after its other end closed")
	}
	eventually(t, "link changes", func() bool { return l.all() == "a true, probe true, probe false" })
	if err := b.RemovePort("probe"); err != nil {
		t.Error(err)
	}
}

// A slow listener sees the last state of every port, in order of change.
func TestOnLinkMerges(t *testing.T) {
	hold := make(chan struct{})
	var l links
	b := newBench(t, vnet.Options{OnLink: func(port string, up bool) {
		<-hold
		l.OnLink(port, up)
	}})
	b.segment("lan", vnet.SwitchKind)
	b.add("lan", "first", "flaps", "stays")
	for range 100 {
		b.down("flaps")
		b.up("flaps")
	}
	close(hold)
	eventually(t, "link changes", func() bool { return l.all() == "first true, flaps true, stays true" })
}

func TestPortWithoutSegment(t *testing.T) {
	b := newBench(t, vnet.Options{})
	b.add("", "a", "b")
	if got := b.pass("a", frame(0xff, 1)); got != "" {
		t.Errorf("came out of %q; want nothing", got)
	}
	if p := b.stats("a"); p.Cut != 1 || !p.Up || p.Segment != "" {
		t.Errorf("stats = %+v; want up, 1 cut", p)
	}
	if err := b.SetPlugged("a", false); err != nil {
		t.Error(err)
	}
	if err := b.RemovePort("a"); err != nil {
		t.Error(err)
	}
}
