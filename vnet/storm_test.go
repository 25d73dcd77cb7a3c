package vnet_test

import (
	"slices"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet"
)

func TestMirror(t *testing.T) {
	for _, kind := range []vnet.Kind{vnet.SwitchKind, vnet.Hub, vnet.Link} {
		t.Run(string(kind), func(t *testing.T) {
			b := newBench(t, vnet.Options{})
			b.segment("lan", kind)
			b.addWith(vnet.PortConfig{Name: "m", Segment: "lan", Mirror: true})
			b.add("lan", "a", "b")
			b.addWith(vnet.PortConfig{Name: "m2", Segment: "lan", Mirror: true})
			b.pass("b", frame(0xff, 2))
			if got := b.pass("a", frame(2, 1)); got != "b m m2" {
				t.Errorf("came out of %q; want b m m2", got)
			}
			if got := b.pass("a", frame(0xff, 1)); got != "b m m2" {
				t.Errorf("came out of %q; want b m m2", got)
			}
			if got := b.pass("m", frame(2, 3)); got != "" {
				t.Errorf("from the mirror: came out of %q; want nothing", got)
			}
			if p := b.stats("m"); p.Filtered != 1 || p.TxFrames != 0 || p.RxFrames != 3 {
				t.Errorf("stats = %+v; want one filtered, 3 received", p)
			}
			if got := b.Segments()[0].Ports; !slices.Equal(got, []string{"a", "b", "m", "m2"}) {
				t.Errorf("ports = %v; want a b m m2", got)
			}
			if err := b.SetPlugged("a", false); err != nil {
				t.Fatal(err)
			}
			if got := b.pass("a", frame(2, 1)); got != "" {
				t.Errorf("cut before it entered: came out of %q; want nothing", got)
			}
			if err := b.RemovePort("m"); err != nil {
				t.Fatal(err)
			}
			delete(b.guests, "m")
			if got := b.pass("b", frame(0xff, 2)); got != "m2" {
				t.Errorf("came out of %q; want m2", got)
			}
		})
	}
}

// A mirror of a segment with VLANs sees tags as they came in.
func TestMirrorVLAN(t *testing.T) {
	b := vlanBench(t, false)
	b.addWith(vnet.PortConfig{Name: "m", Segment: "lan", Mirror: true})
	for from, f := range map[string][]byte{"a10": frame(0xff, 1), "t": tagged(frame(0xff, 1), 20)} {
		b.guests[from].send(f)
		b.settle()
		b.want("m", f)
	}
	b.guests["c20"].send(tagged(frame(0xff, 1), 10))
	b.settle()
	b.want("m") // it was filtered
}

// By default frames that say something new, as a multicast stream's do, may be ten
// times as many as the same one over and over.
func TestStormByDefault(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fresh bool
		lost  uint64 // of 2000 in no time
	}{
		{"each is new", true, 0},
		// The first is new and costs a tenth of the others.
		{"the same again", false, 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClock()
			b := newBench(t, vnet.Options{Now: c.Now})
			if err := b.AddSegment(vnet.SegmentConfig{Name: "lan", Kind: vnet.SwitchKind}); err != nil {
				t.Fatal(err)
			}
			b.add("lan", "a", "b")
			for i := range 2000 {
				f := append(frame(0xff, 1), 0, 0)
				if tt.fresh {
					f[len(f)-2], f[len(f)-1] = byte(i>>8), byte(i)
				}
				b.guests["a"].send(f)
				b.settle()
				b.guests["b"].inbox()
			}
			if p := b.stats("a"); p.Storm != tt.lost || p.TxFrames != 2000-tt.lost {
				t.Errorf("stats = %+v; want %d stopped of 2000", p, tt.lost)
			}
		})
	}
}

func TestStorm(t *testing.T) {
	c := newClock()
	b := newBench(t, vnet.Options{Now: c.Now})
	if err := b.AddSegment(vnet.SegmentConfig{Name: "lan", Kind: vnet.SwitchKind, Storm: 100}); err != nil {
		t.Fatal(err)
	}
	b.add("lan", "a", "b", "c")
	b.pass("b", frame(1, 2))
	send := func(n int, dst byte) {
		for range n {
			b.guests["a"].send(frame(dst, 1))
			b.settle()
			b.guests["b"].inbox()
			b.guests["c"].inbox()
		}
	}
	for i, tt := range []struct {
		after time.Duration
		n     int
		dst   byte
		storm uint64 // in all
	}{
		{0, 150, 0xff, 50},                     // a second's worth at once, and no more
		{0, 50, 2, 50},                         // unicast is not asked
		{0, 50, 9, 50},                         // nor is it when flooded
		{100 * time.Millisecond, 15, 0xf1, 55}, // ten more
		{time.Hour, 100, 0xff, 55},
	} {
		c.add(tt.after)
		send(tt.n, tt.dst)
		if p := b.stats("a"); p.Storm != tt.storm {
			t.Errorf("step %d: stats = %+v; want %d stormed", i, p, tt.storm)
		}
	}
	if got := b.pass("b", frame(0xff, 2)); got != "a c" {
		t.Errorf("from another port: came out of %q; want a c", got)
	}
	if b.Segments()[0].Loop != nil {
		t.Error("a storm of one port was taken for a loop")
	}
	if p := b.stats("a"); p.TxFrames != 365-55 {
		t.Errorf("stats = %+v; want %d sent", p, 365-55)
	}
}

// bridge has a guest's ports passed on to each other, as a bridge in a guest
// does, until nothing moves or so many frames have passed.
func bridge(limit int, pairs ...[2]*guest) (passed int) {
	for moved := true; moved && passed < limit; {
		moved = false
		for _, p := range pairs {
			for i := range p {
				for {
					f, ok := p[i].recv()
					if !ok {
						break
					}
					moved = true
					passed++
					p[1-i].send(f)
				}
			}
		}
	}
	return passed
}

// Loops through guests: they are found, named, and stopped by storm control; and
// a failover or a lone flood is none.
func TestLoop(t *testing.T) {
	for _, tt := range []struct {
		name  string
		kind  vnet.Kind
		ports map[string][]string // by segment; x1 and x2 are the bridge x
		pairs []string
		want  map[string][]string
	}{
		{"two bridges between two switches", vnet.SwitchKind,
			map[string][]string{"s1": {"a", "c1", "d1"}, "s2": {"c2", "d2", "e"}}, []string{"c", "d"},
			map[string][]string{"s1": {"c1", "d1"}, "s2": {"c2", "d2"}}},
		{"two bridges between two hubs", vnet.Hub,
			map[string][]string{"s1": {"a", "c1", "d1"}, "s2": {"c2", "d2", "e"}}, []string{"c", "d"},
			map[string][]string{"s1": {"c1", "d1"}, "s2": {"c2", "d2"}}},
		{"both ports of one bridge", vnet.SwitchKind,
			map[string][]string{"s1": {"a", "c1", "c2"}}, []string{"c"},
			map[string][]string{"s1": {"c1", "c2"}}},
		{"three bridges in a ring of links", vnet.Link,
			map[string][]string{"s1": {"c1", "d2"}, "s2": {"d1", "e2"}, "s3": {"e1", "c2"}}, []string{"c", "d", "e"},
			map[string][]string{"s1": {"c1", "d2"}, "s2": {"d1", "e2"}, "s3": {"c2", "e1"}}},
		{"two bridges in a row", vnet.SwitchKind,
			map[string][]string{"s1": {"a", "c1"}, "s2": {"c2", "d1"}, "s3": {"d2", "b"}}, []string{"c", "d"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClock()
			b := newBench(t, vnet.Options{Now: c.Now})
			for _, name := range []string{"s1", "s2", "s3"} {
				if err := b.AddSegment(vnet.SegmentConfig{Name: name, Kind: tt.kind, Storm: 200}); err != nil {
					t.Fatal(err)
				}
				b.add(name, tt.ports[name]...)
			}
			var pairs [][2]*guest
			for _, name := range tt.pairs {
				pairs = append(pairs, [2]*guest{b.guests[name+"1"], b.guests[name+"2"]})
			}
			for name, g := range b.guests {
				if name == "a" || tt.kind == vnet.Link && name[0] == 'c' { // a bridge floods both ways
					g.send(frame(0xff, 1))
				}
			}
			passed := 0
			for range 300 {
				b.settle()
				passed += bridge(5000, pairs...)
			}
			if passed > 4000 {
				t.Errorf("the bridges passed %d frames; storm control should have stopped them", passed)
			}
			for _, g := range b.Segments() {
				want := tt.want[g.Name]
				switch {
				case want == nil && g.Loop != nil:
					t.Errorf("%s: loop %+v; want none", g.Name, g.Loop)
				case want == nil:
				case g.Loop == nil:
					t.Errorf("%s: no loop found after %d frames", g.Name, passed)
				case !slices.Equal(slices.Sorted(slices.Values(g.Loop.Ports)), want) || g.Loop.FramesPerSecond < 32 || g.Loop.Since.IsZero():
					t.Errorf("%s: loop %+v; want ports %v", g.Name, g.Loop, want)
				}
			}
			c.add(time.Minute)
			for _, g := range b.Segments() {
				if g.Loop != nil {
					t.Errorf("%s: loop %+v long after", g.Name, g.Loop)
				}
			}
		})
	}
}

// The same frame again and again from one port is no loop; nor is a machine
// that moves, or one whose address two ports use now and then.
func TestNoLoop(t *testing.T) {
	c := newClock()
	b := newBench(t, vnet.Options{Now: c.Now})
	b.segment("lan", vnet.SwitchKind)
	b.add("lan", "a", "b", "c")
	for range 500 {
		b.pass("a", frame(0xff, 1))
	}
	for range 10 {
		b.pass("b", frame(0xff, 1))
		b.pass("a", frame(0xff, 1))
		c.add(time.Second)
	}
	if lp := b.Segments()[0].Loop; lp != nil {
		t.Errorf("loop %+v; want none", lp)
	}
}

// Addresses that wander without a frame that repeats.
func TestFlapping(t *testing.T) {
	b := newBench(t, vnet.Options{Now: newClock().Now})
	b.segment("lan", vnet.SwitchKind)
	b.add("lan", "a", "b", "c")
	for i := range 50 {
		f := frame(9, 1)
		f[20] = byte(i)
		b.pass([]string{"a", "b"}[i%2], f)
	}
	if lp := b.Segments()[0].Loop; lp == nil || !slices.Equal(lp.Ports, []string{"a", "b"}) {
		t.Errorf("loop %+v; want one by a and b", lp)
	}
}
