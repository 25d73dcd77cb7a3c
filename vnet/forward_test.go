package vnet_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet"
)

func TestForward(t *testing.T) {
	type step struct {
		from     string
		dst, src byte // see frame
		want     string
	}
	for _, tt := range []struct {
		name  string
		kind  vnet.Kind
		ports string
		steps []step
	}{
		{"unknown unicast is flooded", vnet.SwitchKind, "a b c", []step{{"a", 2, 1, "b c"}}},
		{"learned", vnet.SwitchKind, "a b c", []step{
			{"a", 2, 1, "b c"}, {"b", 1, 2, "a"}, {"a", 2, 1, "b"}, {"c", 2, 3, "b"}, {"b", 3, 2, "c"},
		}},
		{"broadcast is flooded", vnet.SwitchKind, "a b c", []step{{"a", 0xff, 1, "b c"}, {"b", 0xff, 2, "a c"}}},
		{"multicast is flooded, and spanning tree's too", vnet.SwitchKind, "a b c", []step{{"a", 0xf0, 1, "b c"}, {"a", 0xfe, 1, "b c"}}},
		{"a group as source is not learned", vnet.SwitchKind, "a b c", []step{
			{"a", 2, 0xf1, "b c"}, {"b", 0xf1, 2, "a c"}, {"a", 2, 0xff, "b"}, {"b", 0xff, 2, "a c"},
		}},
		{"zero as source is not learned", vnet.SwitchKind, "a b c", []step{{"a", 2, 0, "b c"}, {"b", 0, 2, "a c"}}},
		{"own segment: filtered", vnet.SwitchKind, "a b c", []step{{"a", 2, 1, "b c"}, {"a", 1, 2, ""}, {"a", 1, 1, ""}}},
		{"station moves", vnet.SwitchKind, "a b c", []step{
			{"a", 0xff, 1, "b c"}, {"c", 1, 3, "a"}, {"b", 0xff, 1, "a c"}, {"c", 1, 3, "b"}, {"a", 1, 4, "b"},
		}},
		{"alone on a switch", vnet.SwitchKind, "a", []step{{"a", 0xff, 1, ""}, {"a", 2, 1, ""}}},
		{"hub", vnet.Hub, "a b c", []step{
			{"a", 2, 1, "b c"}, {"b", 1, 2, "a c"}, {"a", 2, 1, "b c"}, {"c", 0xff, 3, "a b"}, {"a", 1, 1, "b c"},
		}},
		{"link", vnet.Link, "a b", []step{
			{"a", 2, 1, "b"}, {"b", 1, 2, "a"}, {"a", 1, 2, "b"}, {"b", 2, 1, "a"}, {"a", 0xff, 0xf3, "b"},
		}},
		{"link with one end", vnet.Link, "a", []step{{"a", 2, 1, ""}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, vnet.Options{})
			b.segment("lan", tt.kind)
			b.segment("other", tt.kind)
			b.add("lan", strings.Fields(tt.ports)...)
			b.add("other", "x", "y") // nothing may come out here
			for i, s := range tt.steps {
				if got := b.pass(s.from, frame(s.dst, s.src)); got != s.want {
					t.Fatalf("step %d: %x → %x from %s came out of %q; want %q", i+1, s.src, s.dst, s.from, got, s.want)
				}
			}
			for _, p := range b.Ports() {
				if p.Drops+p.Cut+p.Runts+p.Giants != 0 {
					t.Errorf("something was lost: %+v", p)
				}
			}
		})
	}
}

func TestCounters(t *testing.T) {
	b := newBench(t, vnet.Options{})
	b.segment("lan", vnet.SwitchKind)
	b.add("lan", "a", "b", "c")
	b.pass("a", frame(0xff, 1))
	b.pass("b", frame(1, 2)[:20])
	b.pass("a", frame(2, 1))
	want := []vnet.PortStats{
		{Name: "a", Segment: "lan", Up: true, Plugged: true, TxFrames: 2, TxBytes: 128, RxFrames: 1, RxBytes: 20},
		{Name: "b", Segment: "lan", Up: true, Plugged: true, TxFrames: 1, TxBytes: 20, RxFrames: 2, RxBytes: 128},
		{Name: "c", Segment: "lan", Up: true, Plugged: true, RxFrames: 1, RxBytes: 64},
	}
	if got := b.Ports(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("Ports() = %+v\nwant %+v", got, want)
	}
}

func TestFrameSizes(t *testing.T) {
	for _, tt := range []struct {
		mtu, tags, size int
		runts, giants   uint64
	}{
		{0, 0, 1, 1, 0}, {0, 0, 13, 1, 0}, {0, 0, 14, 0, 0},
		{0, 0, 1514, 0, 0}, {0, 0, 1515, 0, 1}, {0, 0, 60000, 0, 1},
		{0, 1, 1518, 0, 0}, {0, 1, 1519, 0, 1}, {0, 2, 1522, 0, 0}, {0, 2, 1523, 0, 1}, {0, 3, 1526, 0, 1},
		{68, 0, 82, 0, 0}, {68, 0, 83, 0, 1}, {68, 0, 14, 0, 0},
		{9000, 0, 9014, 0, 0}, {9000, 0, 9015, 0, 1}, {9000, 2, vnet.MaxFrame, 0, 0}, {9000, 2, vnet.MaxFrame + 1, 0, 1},
		{9000, 0, 66000, 0, 1}, {9000, 0, 70000, 0, 1},
	} {
		t.Run(fmt.Sprintf("mtu %d, %d tags, %d bytes", tt.mtu, tt.tags, tt.size), func(t *testing.T) {
			b := newBench(t, vnet.Options{})
			if err := b.AddSegment(vnet.SegmentConfig{Name: "lan", Kind: vnet.SwitchKind, MTU: tt.mtu}); err != nil {
				t.Fatal(err)
			}
			b.add("lan", "a", "b")
			f := make([]byte, tt.size)
			copy(f, frame(2, 1))
			for i := 64; i < len(f); i++ {
				f[i] = byte(i * 7)
			}
			for i := range tt.tags {
				copy(f[12+4*i:], []byte{0x81, 0, 0, 10})
			}
			want := "b"
			if tt.runts+tt.giants > 0 {
				want = ""
			}
			if got := b.pass("a", f); got != want {
				t.Errorf("came out of %q; want %q", got, want)
			}
			if p := b.stats("a"); p.Runts != tt.runts || p.Giants != tt.giants || p.TxFrames != 1-tt.runts-tt.giants {
				t.Errorf("stats = %+v; want %d runts, %d giants", p, tt.runts, tt.giants)
			}
			if got := b.pass("a", frame(2, 1)); got != "b" {
				t.Errorf("the next frame came out of %q; want b", got)
			}
		})
	}
}

// An empty record looks like the end of a connection.
func TestEmptyRecord(t *testing.T) {
	b := newBench(t, vnet.Options{})
	b.segment("lan", vnet.SwitchKind)
	b.add("lan", "a", "b")
	for range 3 {
		b.guests["a"].send(nil)
	}
	if got := b.pass("a", frame(2, 1)); got != "b" {
		t.Errorf("a frame after empty records came out of %q; want b", got)
	}
	if p := b.stats("a"); !p.Up || p.TxFrames != 1 || p.Runts != 0 {
		t.Errorf("stats = %+v; want up, one frame", p)
	}
}

func TestAgeing(t *testing.T) {
	c := newClock()
	b := newBench(t, vnet.Options{Now: c.Now, MACAge: 10 * time.Second})
	b.segment("lan", vnet.SwitchKind)
	b.add("lan", "a", "b", "c")
	b.pass("a", frame(0xff, 1))
	for _, tt := range []struct {
		after time.Duration
		want  string
	}{
		{9 * time.Second, "a"},          // and b is seen
		{time.Second, "a"},              // 10 s after a
		{200 * time.Millisecond, "a c"}, // 10.2 s after a
		{0, "a c"},
	} {
		c.add(tt.after)
		if got := b.pass("b", frame(1, 2)); got != tt.want {
			t.Errorf("after %v more: came out of %q; want %q", tt.after, got, tt.want)
		}
	}
	if got := b.MACs("lan"); len(got) != 1 || got[0].Port != "b" || got[0].Age != 0 {
		t.Errorf("MACs = %v; want b's alone", got)
	}
	c.add(3 * time.Second)
	if got := b.MACs("lan"); len(got) != 1 || got[0].Addr != [6]byte(addr(2)) || got[0].Age != 3*time.Second {
		t.Errorf("MACs = %v; want b's alone, 3 s old", got)
	}
	if got := b.MACs("nowhere"); got != nil {
		t.Errorf("MACs(nowhere) = %v; want none", got)
	}
}

func TestMACFlood(t *testing.T) {
	const limit = 100
	c := newClock()
	b := newBench(t, vnet.Options{Now: c.Now, MACAge: 10 * time.Second, MACCap: limit})
	b.segment("lan", vnet.SwitchKind)
	b.segment("other", vnet.SwitchKind)
	b.add("lan", "a", "b", "c")
	b.add("other", "x", "y")
	b.pass("b", frame(0xff, 2))
	const flood = 1000
	for i := range flood {
		f := frame(0xff, 1)
		f[9], f[10] = byte(i>>8)+1, byte(i)
		b.pass("a", f)
	}
	if n := len(b.MACs("lan")); n != limit {
		t.Errorf("%d addresses known; want %d", n, limit)
	}
	if g := b.Segments()[0]; g.MACs != limit || g.Unlearned != flood-(limit-1) {
		t.Errorf("segment = %+v; want %d addresses, %d unlearned", g, limit, flood-(limit-1))
	}
	if got := b.pass("a", frame(2, 1)); got != "b" {
		t.Errorf("to who was known before: came out of %q; want b", got)
	}
	b.pass("c", frame(0xff, 3))
	if got := b.pass("b", frame(3, 2)); got != "a c" {
		t.Errorf("to who found no room: came out of %q; want a c", got)
	}
	b.pass("x", frame(0xff, 1))
	if got := b.pass("y", frame(1, 2)); got != "x" {
		t.Errorf("another segment came out of %q; want x", got)
	}
	c.add(11 * time.Second)
	b.pass("c", frame(0xff, 3))
	if got := b.pass("b", frame(3, 2)); got != "c" {
		t.Errorf("once the flood has aged: came out of %q; want c", got)
	}
}
