package vnet_test

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/impair"
)

// tcp is a frame with a TCP segment of these flags and a number as its
// sequence number.
func tcp(flags byte, n int) []byte {
	f := frame(0xff, 1)
	binary.BigEndian.PutUint16(f[12:], 0x0800)
	ip := f[14:]
	copy(ip, []byte{0x45, 0, 0, 50, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2})
	seg := ip[20:]
	clear(seg)
	binary.BigEndian.PutUint32(seg[4:], uint32(n))
	seg[12], seg[13] = 5<<4, flags
	return f
}

const (
	fin    = 0x01
	syn    = 0x02
	ack    = 0x10
	synACK = "tcp[tcpflags] & (tcp-syn|tcp-ack) == (tcp-syn|tcp-ack)"
)

func (s *sky) gotTCP(port int) (numbers []int) {
	for _, f := range s.frames(port) {
		numbers = append(numbers, int(binary.BigEndian.Uint32(f[38:])))
	}
	return numbers
}

func (s *sky) script(events ...vnet.Event) {
	s.t.Helper()
	if err := s.Script(events...); err != nil {
		s.t.Fatal(err)
	}
}

func TestDropTheThirdSYNACK(t *testing.T) {
	for _, where := range []vnet.Event{
		{Segment: "s"}, {Port: "p0"}, {Port: "p0", Dir: vnet.FromGuest}, {Port: "p1", Dir: vnet.ToGuest},
	} {
		where.Frame, where.Nth, where.Do = synACK, 3, vnet.DropFrame
		s := newSky(t, vnet.Link, 2)
		s.script(where)
		for i, flags := range []byte{syn, ack, syn | ack, syn, syn | ack, ack, syn | ack, syn | ack, fin | ack, syn | ack} {
			s.sendFrame(0, tcp(flags, i))
		}
		if got, want := s.gotTCP(1), []int{0, 1, 2, 3, 4, 5, 7, 8, 9}; !slices.Equal(got, want) {
			t.Errorf("%+v: %v came through; want %v", where, got, want)
		}
		lost := s.Stats(0).Lost + s.Stats(1).Lost
		if e := s.Events()[0]; e.Seen != 3 || e.Done != 1 || lost != 1 {
			t.Errorf("%+v: event %+v, %d lost; want it seen 3 times, done and lost once", where, e, lost)
		}
		// What is over costs nothing.
		s.send(1, 0)
		for port := range 2 {
			for _, d := range []vnet.Direction{vnet.FromGuest, vnet.ToGuest} {
				if !s.Perfect(port, d) {
					t.Errorf("%+v: p%d %s is still looked at", where, port, d)
				}
			}
		}
	}
}

// On a segment frames count that enter it from any port.
func TestEventOnSegment(t *testing.T) {
	s := newSky(t, vnet.Hub, 3)
	s.script(vnet.Event{Segment: "s", Nth: 2, Every: true, Do: vnet.DropFrame})
	for i := range 9 {
		s.send(i%3, i)
	}
	s.want(0, 2, 4, 8)
	s.want(1, 0, 2, 6, 8)
	s.want(2, 0, 4, 6)
}

func TestFrameEvents(t *testing.T) {
	for _, tt := range []struct {
		name  string
		event vnet.Event
		want  []int
		lost  uint64
	}{
		{"the first", vnet.Event{Do: vnet.DropFrame}, []int{1, 2, 3, 4, 5, 6, 7, 8, 9}, 1},
		{"the fourth", vnet.Event{Nth: 4, Do: vnet.DropFrame}, []int{0, 1, 2, 4, 5, 6, 7, 8, 9}, 1},
		{"all", vnet.Event{Every: true, Do: vnet.DropFrame}, nil, 10},
		{"each third", vnet.Event{Nth: 3, Every: true, Do: vnet.DropFrame}, []int{0, 1, 3, 4, 6, 7, 9}, 3},
		{"from 5 ms on", vnet.Event{At: 5 * ms, Nth: 2, Do: vnet.DropFrame}, []int{0, 1, 2, 3, 4, 5, 7, 8, 9}, 1},
		{"the other way", vnet.Event{Dir: vnet.ToGuest, Do: vnet.DropFrame}, upTo(10), 0},
		{"no such frame", vnet.Event{Frame: "ip6", Do: vnet.DropFrame}, upTo(10), 0},
		{"delay", vnet.Event{Nth: 3, Do: vnet.DelayFrame, Delay: 3*ms + 1}, []int{0, 1, 3, 4, 5, 2, 6, 7, 8, 9}, 0},
		{"duplicate", vnet.Event{Nth: 3, Do: vnet.DuplicateFrame}, []int{0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, delay := range []time.Duration{0, 2 * ms} {
				s := newSky(t, vnet.Link, 2)
				s.Impair(0, vnet.FromGuest, impair.Config{Delay: delay})
				tt.event.Port = "p0"
				s.script(tt.event)
				for i := range 10 {
					s.send(0, i)
					s.after(ms)
				}
				s.after(time.Second)
				s.want(1, tt.want...)
				if st := s.Stats(0); st.Lost != tt.lost {
					t.Errorf("%d lost; want %d", st.Lost, tt.lost)
				}
			}
		})
	}
}

func TestCorruptFrame(t *testing.T) {
	var first [][]byte
	for run := range 2 {
		s := newSky(t, vnet.Link, 2)
		s.script(vnet.Event{Port: "p0", Nth: 2, Do: vnet.CorruptFrame})
		for i := range 3 {
			s.send(0, i)
		}
		got := s.frames(1)
		if len(got) != 3 || differing(got[0], numbered(0)) != 0 || differing(got[1], numbered(1)) != 1 || differing(got[2], numbered(2)) != 0 {
			t.Fatalf("%x came through; want one bit of the second wrong", got)
		}
		if run == 0 {
			first = got
		} else if !slices.Equal(got[1], first[1]) {
			t.Errorf("the same seed made %x and %x", first[1], got[1])
		}
	}
}

// An event takes nothing from what chance does to other frames.
func TestEventShiftsNoDraw(t *testing.T) {
	run := func(events ...vnet.Event) []int {
		s := newSky(t, vnet.Link, 2)
		s.Impair(0, vnet.FromGuest, impair.Config{Loss: 0.3})
		s.script(events...)
		for i := range 100 {
			s.send(0, i)
		}
		return s.got(1)
	}
	want := run()
	i := slices.IndexFunc(want, func(n int) bool { return n >= 10 })
	got := run(vnet.Event{Port: "p0", Nth: want[i] + 1, Do: vnet.DropFrame})
	if want = slices.Delete(want, i, i+1); !slices.Equal(got, want) {
		t.Errorf("with an event %v came through; want %v", got, want)
	}
}

func TestTimedEvents(t *testing.T) {
	s := newSky(t, vnet.Link, 2)
	s.script(
		vnet.Event{At: 20 * ms, Port: "p0", Do: vnet.RestoreCable},
		vnet.Event{At: 10 * ms, Segment: "s", Do: vnet.CutCable},
		vnet.Event{At: 20 * ms, Port: "p1", Do: vnet.RestoreCable},
		vnet.Event{At: 30 * ms, Segment: "s", Do: vnet.ImpairCable, Impair: &impair.Config{Delay: 5 * ms}},
		vnet.Event{At: 40 * ms, Port: "p1", Do: vnet.ImpairCable, Dir: vnet.ToGuest, Impair: &impair.Config{Loss: 1}},
	)
	s.after(10*ms - 1)
	s.send(0, 0)
	s.after(1)
	s.send(0, 1)
	s.want(1, 0)
	if s.Plugged(0) || s.Plugged(1) {
		t.Error("a cable is in after 10 ms")
	}
	s.after(10*ms - 1)
	s.send(0, 2)
	s.after(1)
	s.send(0, 3)
	s.want(1, 3)
	s.after(10 * ms)
	s.send(0, 4)
	s.after(5*ms - 1)
	s.want(1)
	s.after(1)
	s.want(1, 4)
	if !s.Perfect(0, vnet.ToGuest) || !s.Perfect(1, vnet.ToGuest) {
		t.Error("what guests get is delayed too")
	}
	s.send(0, 5)
	s.after(5 * ms) // at 40 ms it arrives, and the event is first
	s.want(1)
	if st := s.Stats(0); st.Cut != 2 {
		t.Errorf("stats %+v; want 2 cut", st)
	}
	for i, e := range s.Events() {
		if e.Done != 1 || e.Last != e.At {
			t.Errorf("event %d: done %d times, last after %v; want once, after %v", i, e.Done, e.Last, e.At)
		}
	}
}

// Events are in order with frames that arrive between them, even when the loop
// comes late to all of them.
func TestLateLoop(t *testing.T) {
	s := newSky(t, vnet.Link, 2)
	s.Impair(0, vnet.FromGuest, impair.Config{Delay: 10 * ms})
	s.script(
		vnet.Event{At: 15 * ms, Port: "p1", Do: vnet.CutCable},
		vnet.Event{At: 25 * ms, Port: "p1", Do: vnet.RestoreCable},
	)
	for i := range 3 {
		s.send(0, i)
		s.after(9 * ms)
	}
	s.after(time.Second)
	s.want(1, 0, 2)
}

// The frame that brings a cut about is the last to pass, or is in the cable.
func TestCutByFrame(t *testing.T) {
	for _, delay := range []time.Duration{0, ms} {
		s := newSky(t, vnet.Link, 2)
		s.Impair(0, vnet.FromGuest, impair.Config{Delay: delay})
		s.script(
			vnet.Event{Port: "p0", Dir: vnet.FromGuest, Nth: 3, Do: vnet.CutCable},
			vnet.Event{Port: "p1", Dir: vnet.FromGuest, Nth: 1, Do: vnet.RestoreCable},
		)
		var all [][]byte
		for i := range 5 {
			all = append(all, numbered(i))
		}
		for _, f := range all { // in one round
			if err := sendRecord(s.fds[0], f); err != nil {
				t.Fatal(err)
			}
		}
		s.after(0)
		want := []int{0, 1, 2}
		if delay > 0 {
			want = nil
		}
		s.after(time.Second)
		s.want(1, want...)
		if got, want := s.Stats(0).Cut, uint64(5-len(want)); got != want || s.Plugged(0) {
			t.Errorf("%d cut; want %d", got, want)
		}
	}
}

// A script that begins ends the one before it.
func TestScriptIsReplaced(t *testing.T) {
	s := newSky(t, vnet.Link, 2)
	s.script(
		vnet.Event{Port: "p0", Every: true, Do: vnet.DropFrame},
		vnet.Event{Port: "p0", At: 10 * ms, Do: vnet.CutCable},
	)
	s.send(0, 0)
	s.script(vnet.Event{Port: "p0", Nth: 2, Do: vnet.DropFrame})
	s.after(time.Second)
	for i := range 4 {
		s.send(0, i)
	}
	s.want(1, 0, 2, 3)
	s.script()
	s.send(0, 4)
	s.want(1, 4)
	if len(s.Events()) != 0 || !s.Perfect(0, vnet.FromGuest) || !s.Perfect(0, vnet.ToGuest) {
		t.Errorf("events %v are left of an empty script", s.Events())
	}
}

func TestScriptMistakes(t *testing.T) {
	b := newBench(t, vnet.Options{})
	b.segment("lan", vnet.Link)
	b.add("lan", "a")
	drop := vnet.DropFrame
	for _, tt := range []struct {
		e    vnet.Event
		want string
	}{
		{vnet.Event{Do: drop}, "event 2 (drop): it needs either a port or a segment"},
		{vnet.Event{Do: drop, Port: "a", Segment: "lan"}, "it needs either a port or a segment"},
		{vnet.Event{Do: drop, Port: "x"}, `there is no port "x"`},
		{vnet.Event{Do: drop, Segment: "x"}, `there is no segment "x"`},
		{vnet.Event{Do: "melt", Port: "a"}, `unknown action "melt"; want drop, delay`},
		{vnet.Event{Do: drop, Port: "a", Frame: "prot tcp"}, "event 2 (drop): "},
		{vnet.Event{Do: drop, Port: "a", At: -1}, "at -1ns is before the script begins"},
		{vnet.Event{Do: drop, Port: "a", At: 1 << 62}, "is too late; want up to 8760h0m0s"},
		{vnet.Event{Do: drop, Port: "a", Nth: -1}, "there is no frame number -1"},
		{vnet.Event{Do: drop, Port: "a", Dir: 3}, "there is no direction 3"},
		{vnet.Event{Do: vnet.DelayFrame, Port: "a"}, "delay is 0s; want up to 1h0m0s"},
		{vnet.Event{Do: vnet.ImpairCable, Port: "a"}, "it does not say how to impair"},
		{vnet.Event{Do: vnet.ImpairCable, Port: "a", Impair: &impair.Config{Loss: 2}}, "loss is 2; want a share"},
	} {
		err := b.Script([]vnet.Event{{Port: "a", Do: drop, Every: true}, tt.e})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Script(%+v) = %v; want %q in it", tt.e, err, tt.want)
		}
	}
	if err := b.Script(make([]vnet.Event, 10001)); err == nil || !strings.Contains(err.Error(), "it has 10001 events") {
		t.Errorf("Script of 10001 events = %v", err)
	}
	if got := b.Events(); len(got) != 0 {
		t.Errorf("events %v of scripts that were refused", got)
	}
}
