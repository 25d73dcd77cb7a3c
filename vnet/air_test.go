package vnet_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/impair"
)

func TestDelay(t *testing.T) {
	for _, d := range []vnet.Direction{vnet.FromGuest, vnet.ToGuest} {
		for _, kind := range []vnet.Kind{vnet.SwitchKind, vnet.Hub, vnet.Link} {
			s := newSky(t, kind, 2)
			port := map[vnet.Direction]int{vnet.FromGuest: 0, vnet.ToGuest: 1}[d]
			s.Impair(port, d, impair.Config{Delay: 20 * ms})
			s.send(0, 0)
			s.after(5 * ms)
			s.send(0, 1)
			s.send(1, 9)
			s.want(0, 9) // the other way is perfect
			s.after(15*ms - 1)
			s.want(1)
			s.after(1)
			s.want(1, 0)
			s.after(5*ms - 1)
			s.want(1)
			s.after(1)
			s.want(1, 1)
			if a, b := s.Stats(0), s.Stats(1); a.TxFrames != 2 || b.RxFrames != 2 || a.Lost+b.Lost+a.Cut+b.Cut != 0 {
				t.Errorf("%s: stats %+v, %+v; want 2 frames through", d, a, b)
			}
			if s.InUse() != 0 || s.UnderWay() != 0 {
				t.Errorf("%s: %d bytes, %d frames are still under way", d, s.InUse(), s.UnderWay())
			}
		}
	}
}

// A frame that goes through two impaired directions is late by both, however
// late the loop was at the first.
func TestDelaysAddUp(t *testing.T) {
	s := newSky(t, vnet.Link, 2)
	s.Impair(0, vnet.FromGuest, impair.Config{Delay: 10 * ms})
	s.Impair(1, vnet.ToGuest, impair.Config{Delay: 5 * ms})
	s.send(0, 0)
	s.after(12 * ms) // 2 ms too late for the first
	s.after(3*ms - 1)
	s.want(1)
	s.after(1)
	s.want(1, 0)
	s.send(0, 1)
	s.after(time.Second) // both are due
	s.want(1, 1)
}

// With loss alone nothing is delayed, and those that are not lost are passed on
// by reference, in order with those that must be copied to be corrupted.
func TestLossAtOnce(t *testing.T) {
	for _, d := range []vnet.Direction{vnet.FromGuest, vnet.ToGuest} {
		s := newSky(t, vnet.Hub, 2)
		port := map[vnet.Direction]int{vnet.FromGuest: 0, vnet.ToGuest: 1}[d]
		s.Impair(port, d, impair.Config{Loss: 0.3, Corrupt: 0.2, Duplicate: 0.2})
		for i := range 200 {
			s.send(0, i)
		}
		lost, corrupt, again := 200, 0, 0
		last := -1
		for _, f := range s.frames(1) {
			n := number(f)
			switch differing(f, numbered(n)) {
			case 0:
			case 1:
				corrupt++
			default:
				t.Fatalf("%s: frame %d came as %x", d, n, f)
			}
			switch {
			case n == last:
				again++
				continue
			case n < last:
				t.Fatalf("%s: frame %d after %d", d, n, last)
			}
			last = n
			lost--
		}
		st := s.Stats(port)
		if st.Lost == 0 || corrupt == 0 || again == 0 {
			t.Errorf("%s: %d lost, %d corrupted, %d doubled; want some of each", d, st.Lost, corrupt, again)
		}
		if int(st.Lost) != lost || lost < 30 || lost > 90 {
			t.Errorf("%s: %d of 200 lost, %d missing; want about 60", d, st.Lost, lost)
		}
		if s.InUse() != 0 {
			t.Errorf("%s: %d bytes are still in use", d, s.InUse())
		}
	}
}

// What is corrupted on the way to one guest is whole at the others.
func TestCorruptionIsOnesOwn(t *testing.T) {
	s := newSky(t, vnet.Hub, 3)
	s.Impair(1, vnet.ToGuest, impair.Config{Corrupt: 1})
	for i := range 20 {
		s.send(0, i)
		a, b := s.frames(1), s.frames(2)
		if len(a) != 1 || len(b) != 1 || differing(a[0], numbered(i)) != 1 || differing(b[0], numbered(i)) != 0 {
			t.Fatalf("frame %d: %x and %x; want one bit wrong in the first", i, a, b)
		}
		if !bytes.Equal(a[0][:14], numbered(i)[:14]) {
			t.Errorf("frame %d: its header was corrupted: %x", i, a[0])
		}
	}
}

func TestRateThroughSwitch(t *testing.T) {
	s := newSky(t, vnet.Link, 2)
	// 64 bytes are 88 on the wire: 704 µs at 1 Mbit/s.
	s.Impair(0, vnet.FromGuest, impair.Config{Rate: 1e6, Queue: 4, Delay: ms})
	for i := range 10 {
		s.send(0, i)
	}
	s.want(1)
	s.after(ms)
	for i := range 5 { // one that is sent and four that wait
		s.after(704*time.Microsecond - 1)
		s.want(1)
		s.after(1)
		s.want(1, i)
	}
	s.after(time.Second)
	s.want(1)
	if st := s.Stats(0); st.Lost != 5 || st.TxFrames != 5 {
		t.Errorf("stats %+v; want 5 lost, 5 sent", st)
	}
}

// A rate that is raised lets go of what waits.
func TestRateChange(t *testing.T) {
	s := newSky(t, vnet.Link, 2)
	s.Impair(0, vnet.FromGuest, impair.Config{Rate: 1000, Queue: 100, Delay: ms}) // 704 ms a frame
	for i := range 20 {
		s.send(0, i)
	}
	s.after(1408*ms + ms)
	s.want(1, 0, 1)
	s.after(ms) // between the two lines and the third, which is being sent
	s.Impair(0, vnet.FromGuest, impair.Config{Rate: 1e6, Queue: 5, Delay: ms})
	s.send(0, 20) // no room
	s.after(18*704*time.Microsecond + ms - 1)
	s.want(1, upTo(19)[2:]...)
	s.after(1)
	s.want(1, 19)
	s.send(0, 21)
	s.after(704*time.Microsecond + ms)
	s.want(1, 21)
	if st := s.Stats(0); st.Lost != 1 {
		t.Errorf("stats %+v; want 1 lost", st)
	}
}

func TestJitterThroughSwitch(t *testing.T) {
	s := newSky(t, vnet.Hub, 3)
	s.Impair(0, vnet.FromGuest, impair.Config{Delay: 20 * ms, Jitter: 20 * ms})
	s.Impair(2, vnet.ToGuest, impair.Config{Delay: 20 * ms, Jitter: 20 * ms, Reorder: 0.2})
	for i := range 300 {
		s.send(0, i)
		s.after(ms / 2)
	}
	s.after(time.Second)
	s.want(1, upTo(300)...)
	got := s.got(2)
	if slices.IsSorted(got) {
		t.Error("nothing was reordered")
	}
	slices.Sort(got)
	if !slices.Equal(got, upTo(300)) {
		t.Errorf("port 2 got %v; want each once", got)
	}
}

// What is under way keeps its time, later frames stay behind it, and when the
// last has arrived the way is perfect.
func TestLiveChange(t *testing.T) {
	for _, d := range []vnet.Direction{vnet.FromGuest, vnet.ToGuest} {
		s := newSky(t, vnet.Link, 2)
		port := map[vnet.Direction]int{vnet.FromGuest: 0, vnet.ToGuest: 1}[d]
		s.Impair(port, d, impair.Config{Delay: 20 * ms})
		s.send(0, 0)
		s.after(5 * ms)
		s.Impair(port, d, impair.Config{Delay: ms})
		s.send(0, 1)
		s.after(5 * ms)
		s.want(1)
		s.Impair(port, d, impair.Config{})
		s.send(0, 2)
		s.want(1)
		if s.Perfect(port, d) {
			t.Errorf("%s: the way is free while frames are under way", d)
		}
		s.after(10*ms - 1)
		s.want(1)
		s.after(1)
		s.want(1, 0, 1, 2)
		if !s.Perfect(port, d) {
			t.Errorf("%s: something is in the way of a perfect wire", d)
		}
		s.send(0, 3)
		s.want(1, 3)
		if c := s.Impairment(port, d); !c.Perfect() {
			t.Errorf("%s: Impairment = %+v; want none", d, c)
		}
	}
}

// The seed, the port's name and the direction make a frame's fate, and nothing
// else does.
func TestSeeds(t *testing.T) {
	run := func(seed uint64, port int, d vnet.Direction, more impair.Config) []int {
		s := newSkyOf(t, vnet.Link, 2, 1<<20, seed)
		more.Loss = 0.2
		s.Impair(port, d, more)
		from := port
		if d == vnet.ToGuest {
			from = 1 - port
		}
		for i := range 200 {
			s.send(from, i)
			s.after(ms)
		}
		s.after(time.Second)
		return s.got(1 - from)
	}
	want := run(1, 0, vnet.FromGuest, impair.Config{})
	if len(want) < 120 || len(want) > 190 {
		t.Errorf("%d of 200 came through; want about 160", len(want))
	}
	for range 2 {
		if got := run(1, 0, vnet.FromGuest, impair.Config{Delay: 10 * ms, Jitter: 2 * ms}); !slices.Equal(got, want) {
			t.Errorf("the same seed let %v through; want %v", got, want)
		}
	}
	for i, other := range [][]int{
		run(2, 0, vnet.FromGuest, impair.Config{}),
		run(1, 1, vnet.FromGuest, impair.Config{}),
		run(1, 1, vnet.ToGuest, impair.Config{}),
	} {
		if slices.Equal(other, want) {
			t.Errorf("run %d, of another seed, port or direction, lost the same frames", i)
		}
	}
	if got := fmt.Sprint(missing(want, 50)); got != "[2 10 12 20 22 28 34 35 45 47]" {
		t.Errorf("seed 1 loses %s of p0's first 50 frames; want others, as ever", got)
	}
}
