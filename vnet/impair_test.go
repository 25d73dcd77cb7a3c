package vnet_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/impair"
)

// These tests are of the running switch, with its own clock: they ask what
// comes, in which order, and no earlier than it may.

// numbers waits for so many numbered frames to come to a guest.
func (b *bench) numbers(port string, n int) (all []int) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); len(all) < n; {
		f, ok := b.guests[port].recv()
		if !ok {
			if time.Now().After(end) {
				b.t.Fatalf("only %d of %d frames came to %s: %v", len(all), n, port, all)
			}
			time.Sleep(100 * time.Microsecond)
			continue
		}
		all = append(all, number(f))
	}
	return all
}

func (b *bench) impair(port string, d vnet.Direction, c impair.Config) {
	b.t.Helper()
	if err := b.Impair(port, d, c); err != nil {
		b.t.Fatal(err)
	}
}

func newLink(t *testing.T, o vnet.Options) *bench {
	b := newBench(t, o)
	b.segment("wire", vnet.Link)
	b.add("wire", "a", "b")
	return b
}

func TestSwitchDelays(t *testing.T) {
	b := newLink(t, vnet.Options{})
	b.impair("a", vnet.FromGuest, impair.Config{Delay: 5 * ms})
	b.impair("b", vnet.ToGuest, impair.Config{Delay: 5 * ms, Jitter: 2 * ms})
	start := time.Now()
	for i := range 50 {
		b.guests["a"].send(numbered(i))
	}
	b.guests["b"].send(numbered(99))
	b.settle()
	if _, ok := b.guests["a"].recv(); !ok {
		t.Error("the perfect direction delays")
	}
	if got := b.numbers("b", 50); !slices.Equal(got, upTo(50)) {
		t.Errorf("%v came; want all in order", got)
	}
	if took := time.Since(start); took < 8*ms {
		t.Errorf("the last came after %v; want no less than 8 ms", took)
	}
	if p := b.stats("a"); p.TxFrames != 50 || p.Lost != 0 {
		t.Errorf("stats = %+v; want 50 frames sent", p)
	}
}

// The same seed loses, doubles and corrupts the same frames of a real switch.
func TestSwitchRepeats(t *testing.T) {
	run := func(seed uint64) (got [][]byte, lost uint64) {
		b := newLink(t, vnet.Options{Seed: seed})
		b.impair("a", vnet.FromGuest, impair.Config{
			Loss: 0.1, Burst: &impair.GilbertElliott{GoodToBad: 0.02, BadToGood: 0.3},
			Duplicate: 0.1, Corrupt: 0.1, Delay: ms,
		})
		for i := range 400 {
			b.guests["a"].send(numbered(i))
			if i%50 == 0 {
				b.settle()
			}
		}
		b.settle()
		b.impair("a", vnet.FromGuest, impair.Config{})
		const last = 999 // stays behind all that are under way
		b.guests["a"].send(numbered(last))
		for {
			f, ok := b.guests["b"].recv()
			switch {
			case !ok:
				time.Sleep(100 * time.Microsecond)
			case number(f) == last:
				return got, b.stats("a").Lost
			default:
				got = append(got, f)
			}
		}
	}
	got, lost := run(5)
	again, lostAgain := run(5)
	if !slices.EqualFunc(got, again, bytes.Equal) || lost != lostAgain || lost == 0 {
		t.Errorf("the same seed let %d frames through and lost %d, then %d and %d", len(got), lost, len(again), lostAgain)
	}
	if other, _ := run(6); slices.EqualFunc(got, other, bytes.Equal) {
		t.Error("another seed did the same")
	}
}

func TestSwitchScript(t *testing.T) {
	b := newLink(t, vnet.Options{})
	if err := b.Script([]vnet.Event{
		{Segment: "wire", Frame: synACK, Nth: 3, Do: vnet.DropFrame},
		{At: 20 * ms, Segment: "wire", Do: vnet.CutCable},
		{At: 30 * ms, Segment: "wire", Do: vnet.RestoreCable},
	}); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		b.guests["a"].send(tcp(syn|ack, i))
	}
	b.settle()
	eventually(t, "the cable is cut and restored", func() bool { return b.Events()[2].Done == 1 })
	for _, e := range b.Events() {
		if e.Done != 1 || e.Last < e.At {
			t.Errorf("event %+v; want it done once, after %v", e, e.At)
		}
	}
	if !b.stats("a").Plugged || !b.stats("b").Plugged {
		t.Error("the cable is out")
	}
	if p := b.stats("a"); p.Lost != 1 || p.TxFrames != 4 {
		t.Errorf("stats = %+v; want 1 lost of 5", p)
	}
}

// A port that is removed and added again under the same name is in the script;
// its cable is as new.
func TestScriptKnowsPortsByName(t *testing.T) {
	b := newLink(t, vnet.Options{})
	b.impair("a", vnet.Both, impair.Config{Loss: 1})
	if err := b.Script([]vnet.Event{{Port: "a", Nth: 2, Do: vnet.DropFrame}}); err != nil {
		t.Fatal(err)
	}
	if err := b.RemovePort("a"); err != nil {
		t.Fatal(err)
	}
	b.add("wire", "a")
	for i := range 4 {
		b.guests["a"].send(numbered(i))
	}
	if got := b.numbers("b", 3); !slices.Equal(got, []int{0, 2, 3}) {
		t.Errorf("%v came; want all but the second", got)
	}
	if c, err := b.Impairment("a", vnet.FromGuest); err != nil || !c.Perfect() {
		t.Errorf("Impairment = %+v, %v; want none", c, err)
	}
}

func TestImpairRefusals(t *testing.T) {
	b := newLink(t, vnet.Options{})
	_, noPort := b.Impairment("x", vnet.FromGuest)
	_, noWay := b.Impairment("a", vnet.Both)
	for _, tt := range []struct {
		err  error
		want string
	}{
		{b.Impair("x", vnet.FromGuest, impair.Config{}), "impairing port x: there is none"},
		{b.Impair("a", 9, impair.Config{}), "impairing port a: there is no direction 9"},
		{b.Impair("a", vnet.Both, impair.Config{Loss: -1}), "impairing port a: loss is -1"},
		{noPort, "asking for port x's impairment: there is none"},
		{noWay, "asking for port a's impairment: want one direction"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) {
			t.Errorf("error %v; want %q in it", tt.err, tt.want)
		}
	}
	want := impair.Config{Delay: ms, Burst: &impair.GilbertElliott{GoodToBad: 1}}
	b.impair("a", vnet.ToGuest, want)
	want.Burst.GoodToBad = 0.5 // the switch has its own
	if all := b.Impairments(); len(all) != 1 || !all["a"][0].Perfect() || all["a"][1].Delay != ms || all["a"][1].Burst == nil {
		t.Errorf("impaired: %+v; want what a gets", all)
	}
	if c, err := b.Impairment("a", vnet.ToGuest); err != nil || c.Delay != ms || c.Burst == nil || c.Burst.GoodToBad != 1 {
		t.Errorf("Impairment = %+v, %v; want what was set", c, err)
	}
	b.Close()
	_, closed := b.Impairment("a", vnet.ToGuest)
	if all := b.Impairments(); len(all) != 0 {
		t.Errorf("a closed switch impairs %v", all)
	}
	for what, err := range map[string]error{
		"Impair":     b.Impair("a", vnet.Both, impair.Config{Loss: 1}),
		"Impairment": closed,
		"Script":     b.Script(nil),
	} {
		if !errors.Is(err, vnet.ErrClosed) {
			t.Errorf("%s of a closed switch: %v; want ErrClosed", what, err)
		}
	}
	if b.Events() != nil {
		t.Error("a closed switch has events")
	}
}

func TestDirectionText(t *testing.T) {
	for text, want := range map[string]vnet.Direction{`"out"`: vnet.FromGuest, `"in"`: vnet.ToGuest, `"both"`: vnet.Both, `""`: vnet.Both} {
		d := vnet.Direction(9)
		if err := json.Unmarshal([]byte(text), &d); err != nil || d != want {
			t.Errorf("%s = %v, %v; want %v", text, d, err, want)
		}
		if b, err := json.Marshal(want); err != nil || text != `""` && string(b) != text {
			t.Errorf("%v is written %s, %v; want %s", want, b, err, text)
		}
	}
	var d vnet.Direction
	if err := json.Unmarshal([]byte(`"up"`), &d); err == nil || !strings.Contains(err.Error(), `"up" is no direction; want out, in or both`) {
		t.Errorf("up = %v, %v", d, err)
	}
	if _, err := json.Marshal(vnet.Direction(9)); err == nil {
		t.Error("a direction that there is not was written")
	}
}

// With frames in the air, Close leaves nothing.
func TestCloseWithFramesInTheAir(t *testing.T) {
	fds, goroutines := openFDs(t), runtime.NumGoroutine()
	maps := mappings(t)
	for range 20 {
		s, err := vnet.New(vnet.Options{})
		if err != nil {
			t.Fatal(err)
		}
		b := &bench{Switch: s, t: t, dir: t.TempDir(), guests: map[string]*guest{}}
		b.segment("wire", vnet.Link)
		b.add("wire", "a", "b")
		b.impair("a", vnet.Both, impair.Config{Delay: time.Hour})
		b.impair("b", vnet.FromGuest, impair.Config{Rate: 1000})
		if err := b.Script([]vnet.Event{{At: time.Hour, Port: "a", Do: vnet.CutCable}}); err != nil {
			t.Fatal(err)
		}
		for range 50 {
			b.guests["a"].send(numbered(0))
			b.guests["b"].send(numbered(0))
		}
		b.settle()
		s.Close()
		for _, g := range b.guests {
			g.close()
		}
	}
	if n := openFDs(t); n != fds {
		t.Errorf("%d descriptors open, %d before", n, fds)
	}
	eventually(t, "goroutines are gone", func() bool { return runtime.NumGoroutine() <= goroutines })
	if n := mappings(t); n > maps+10 {
		t.Errorf("%d mappings, %d before", n, maps)
	}
}

// mappings counts the pieces of the process's address space, those that Go's
// own memory needs among them.
func mappings(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(b, []byte("\n"))
}

// Impairments, scripts and ports change while frames are under way from all
// sides: every frame comes out or is counted.
func TestImpairedUnderFire(t *testing.T) {
	b := newBench(t, vnet.Options{DelayMemory: 1 << 20, SendBuffer: 4 << 20})
	b.segment("lan", vnet.Hub)
	b.add("lan", "a", "b", "c")
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for _, name := range []string{"a", "b", "c"} {
		g := b.guests[name]
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if i%3 == 0 {
					g.send(numbered(i))
				}
				for {
					f, ok := g.recv()
					if !ok {
						break
					}
					if len(f) != 64 || differing(f[:14], numbered(0)[:14]) != 0 {
						t.Errorf("%x came out", f)
						return
					}
				}
				runtime.Gosched()
			}
		})
	}
	configs := []impair.Config{
		{Delay: 2 * ms, Jitter: 2 * ms, Reorder: 0.3}, {Rate: 1e6, Queue: 7}, {Loss: 0.5, Duplicate: 0.5}, {},
		{Delay: ms, Corrupt: 0.5, Rate: 1e8, Queue: 1000}, {Rate: 1e5}, {Delay: 50 * ms},
	}
	for i := range 300 {
		port := string("abc"[i%3])
		b.impair(port, vnet.Direction(i%4%3), configs[i%len(configs)])
		switch i % 10 {
		case 3:
			b.SetPlugged(port, false)
			b.SetPlugged(port, true)
		case 6:
			if err := b.Script([]vnet.Event{
				{Segment: "lan", Nth: 3, Every: true, Do: vnet.DelayFrame, Delay: ms},
				{Port: port, Nth: 5, Do: vnet.CutCable},
				{Port: port, At: ms, Do: vnet.RestoreCable},
			}); err != nil {
				t.Fatal(err)
			}
		case 8:
			x := fmt.Sprint("x", i)
			b.add("lan", x)
			b.impair(x, vnet.ToGuest, configs[0])
			if err := b.RemovePort(x); err != nil {
				t.Fatal(err)
			}
		}
		b.Events()
	}
	close(stop)
	wg.Wait()
	for _, p := range b.Ports() {
		if p.TxFrames == 0 || p.RxFrames == 0 {
			t.Errorf("nothing went through: %+v", p)
		}
	}
}
