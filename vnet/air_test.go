package vnet_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/impair"
	"github.com/patchbay/patchbay/vnet/offload"
	"golang.org/x/sys/unix"
)

const ms = time.Millisecond

// sky is a switch whose time a test turns, and the guests' ends of its ports.
type sky struct {
	*vnet.Air
	t   testing.TB
	fds []int
}

func newSky(t testing.TB, kind vnet.Kind, ports int) *sky { return newSkyOf(t, kind, ports, 4<<20, 7) }

func newSkyOf(t testing.TB, kind vnet.Kind, ports, memory int, seed uint64) *sky {
	t.Helper()
	return skyOf(t, kind, memory, seed, make([]vnet.PortConfig, ports)...)
}

func skyOf(t testing.TB, kind vnet.Kind, memory int, seed uint64, ports ...vnet.PortConfig) *sky {
	t.Helper()
	m, fds := manualOf(t, kind, ports...)
	a, err := m.Air(memory, seed)
	if err != nil {
		t.Fatal(err)
	}
	return &sky{a, t, fds}
}

// send has a guest send a frame that carries a number, and the switch take it.
func (s *sky) send(port int, number int) {
	s.t.Helper()
	s.sendFrame(port, numbered(number))
}

func (s *sky) sendFrame(port int, f []byte) {
	s.t.Helper()
	if err := unix.Sendto(s.fds[port], f, 0, nil); err != nil {
		s.t.Fatal(err)
	}
	s.after(0)
}

// after lets time pass.
func (s *sky) after(d time.Duration) {
	s.t.Helper()
	if err := s.Advance(d); err != nil {
		s.t.Fatal(err)
	}
}

// numbered is a frame of 64 bytes to everybody with a number in it, three times.
func numbered(n int) []byte {
	f := frame(0xff, 1)
	for i := range 3 {
		binary.BigEndian.PutUint32(f[14+4*i:], uint32(n))
	}
	return f
}

// number reads it, whatever one bit was inverted.
func number(f []byte) int {
	a, b, c := binary.BigEndian.Uint32(f[14:]), binary.BigEndian.Uint32(f[18:]), binary.BigEndian.Uint32(f[22:])
	return int(a&b | b&c | a&c)
}

// got returns the numbers of the frames that have come to a guest.
func (s *sky) got(port int) (numbers []int) {
	for _, f := range s.frames(port) {
		numbers = append(numbers, number(f))
	}
	return numbers
}

func (s *sky) frames(port int) (all [][]byte) {
	b := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(s.fds[port], b, unix.MSG_DONTWAIT)
		if err != nil || n == 0 {
			return all
		}
		all = append(all, bytes.Clone(b[:n]))
	}
}

func (s *sky) want(port int, want ...int) {
	s.t.Helper()
	if got := s.got(port); !slices.Equal(got, want) {
		s.t.Errorf("port %d got %v; want %v", port, got, want)
	}
}

func upTo(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

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

// differing counts the bits in which two frames differ.
func differing(a, b []byte) (n int) {
	for i := range a {
		for x := a[i] ^ b[i]; x != 0; x &= x - 1 {
			n++
		}
	}
	return n
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

// A pulled cable loses what is in it, both ways, and nothing else.
func TestCutInTheAir(t *testing.T) {
	s := newSky(t, vnet.Link, 2)
	for _, port := range []int{0, 1} {
		s.Impair(port, vnet.Both, impair.Config{Delay: 10 * ms})
	}
	s.send(0, 0)
	s.send(1, 1)
	s.after(10 * ms) // each has reached the switch and is in the other's cable
	s.send(0, 2)
	s.send(1, 3)
	s.SetPlugged(0, false)
	s.SetPlugged(0, true)
	s.send(0, 4)
	s.after(time.Second)
	s.want(1, 0, 4)
	s.want(0, 3)
	a, b := s.Stats(0), s.Stats(1)
	if a.Cut != 2 || b.Cut != 0 || a.Lost+b.Lost != 0 {
		t.Errorf("stats %+v, %+v; want 2 cut at the first", a, b)
	}
	if a.TxFrames != 2 || a.RxFrames != 1 || b.TxFrames != 2 || b.RxFrames != 2 {
		t.Errorf("stats %+v, %+v; want 2 and 1, 2 and 2 frames through", a, b)
	}
	if s.InUse() != 0 || s.UnderWay() != 0 {
		t.Errorf("%d bytes, %d frames are still under way", s.InUse(), s.UnderWay())
	}
}

// A queue that would take an hour is gone with the cut.
func TestCutEmptiesQueue(t *testing.T) {
	s := newSky(t, vnet.Link, 2)
	s.Impair(0, vnet.FromGuest, impair.Config{Rate: 1000, Delay: time.Hour})
	for i := range 50 {
		s.send(0, i)
	}
	s.Impair(0, vnet.FromGuest, impair.Config{Rate: 1000})
	s.SetPlugged(0, false)
	s.SetPlugged(0, true)
	s.send(0, 50)
	s.after(704 * ms)
	s.want(1, 50)
}

func TestReceiverGoesDownMeanwhile(t *testing.T) {
	s := newSky(t, vnet.Link, 2)
	s.Impair(0, vnet.FromGuest, impair.Config{Delay: 10 * ms})
	s.Impair(1, vnet.ToGuest, impair.Config{Delay: 10 * ms})
	s.send(0, 0)
	s.after(15 * ms)
	s.send(0, 1)
	unix.Close(s.fds[1])
	s.fds[1] = -1
	s.after(0)
	s.after(time.Second)
	if a, b := s.Stats(0), s.Stats(1); a.TxFrames != 2 || b.RxFrames+b.Drops+b.Cut+b.Lost != 0 || b.Up {
		t.Errorf("stats %+v, %+v; want 2 sent and nobody who heard them", a, b)
	}
	if s.InUse() != 0 {
		t.Errorf("%d bytes are still in use", s.InUse())
	}
}

func TestPortIsRemovedMeanwhile(t *testing.T) {
	s := newSky(t, vnet.Hub, 3)
	s.Impair(0, vnet.FromGuest, impair.Config{Delay: 10 * ms})
	s.Impair(1, vnet.ToGuest, impair.Config{Delay: 10 * ms})
	s.Impair(2, vnet.ToGuest, impair.Config{Delay: 10 * ms})
	s.send(0, 0)
	s.after(15 * ms)
	s.send(0, 1)
	s.Remove(0) // one frame in its cable, one beyond it
	s.Remove(1) // that one in its cable
	s.after(time.Second)
	s.want(1)
	s.want(2, 0)
	if s.InUse() != 0 || s.UnderWay() != 0 {
		t.Errorf("%d bytes, %d frames are still under way", s.InUse(), s.UnderWay())
	}
}

// Whatever is sent, no more memory is held than there may be, and one
// direction does not take it all.
func TestFloodOfDelayedFrames(t *testing.T) {
	const memory = 2 << 20
	s := newSkyOf(t, vnet.Hub, 3, memory, 1)
	s.Impair(0, vnet.FromGuest, impair.Config{Delay: time.Hour})
	s.Impair(1, vnet.FromGuest, impair.Config{Delay: 10 * ms})
	big := make([]byte, 1514)
	copy(big, numbered(0))
	const n = 4000
	for range n {
		s.sendFrame(0, big)
		if s.InUse() > memory {
			t.Fatalf("%d bytes in use; want at most %d", s.InUse(), memory)
		}
	}
	if st := s.Stats(0); st.Lost == 0 || int(st.Lost)+s.UnderWay() != n {
		t.Errorf("%d lost, %d under way of %d", st.Lost, s.UnderWay(), n)
	}
	for i := range 50 {
		s.send(1, i)
	}
	s.after(10 * ms)
	s.want(2, upTo(50)...)
	if st := s.Stats(1); st.Lost != 0 {
		t.Errorf("the other direction lost %d", st.Lost)
	}
	s.SetPlugged(0, false)
	if s.UnderWay() != 0 || s.InUse() != 0 {
		t.Errorf("%d frames under way, %d bytes in use after the cut", s.UnderWay(), s.InUse())
	}
}

// Memory that a flood took is given back when it is over.
func TestDelayMemoryIsGivenBack(t *testing.T) {
	s := newSkyOf(t, vnet.Link, 2, 16<<20, 1)
	s.Impair(0, vnet.FromGuest, impair.Config{Delay: time.Minute})
	big := make([]byte, 9000)
	copy(big, numbered(0))
	for range 700 {
		s.sendFrame(0, big)
	}
	full := s.Resident()
	s.after(time.Minute)
	s.after(2 * time.Second)
	s.frames(1)
	if n := s.Resident(); full < 5<<20 || n > 1<<20 {
		t.Errorf("%d bytes in memory at rest, %d before; want at most 1 MiB of more than 5", n, full)
	}
	s.send(0, 1)
	s.after(time.Minute)
	s.want(1, 1)
}

func TestDelayAllocatesNothing(t *testing.T) {
	s := newSky(t, vnet.Link, 2)
	s.Impair(0, vnet.FromGuest, impair.Config{Delay: 3 * ms, Jitter: ms, Loss: 0.1, Duplicate: 0.1, Reorder: 0.1, Corrupt: 0.1, Rate: 1e9, Queue: 1000})
	s.Impair(1, vnet.ToGuest, impair.Config{Delay: 3 * ms})
	if err := s.Script(vnet.Event{Port: "p0", Frame: "ether proto 0x88b5", Nth: 10, Every: true, Do: vnet.DelayFrame, Delay: ms}); err != nil {
		t.Fatal(err)
	}
	in, out := vnet.NewPump(frame(0xff, 1)), vnet.NewPump(frame(1, 2))
	frames := 0
	turn := func() {
		in.Send(s.fds[0], vnet.Batch)
		s.after(ms)
		frames += max(out.Drain(s.fds[1]), 0)
		frames += max(out.Drain(s.fds[1]), 0)
	}
	for range 20 {
		turn()
	}
	if n := testing.AllocsPerRun(200, turn); n != 0 {
		t.Errorf("%v allocations a round; want none", n)
	}
	if frames < 200*vnet.Batch*8/10 {
		t.Errorf("only %d frames came through", frames)
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

// missing are the numbers below n that are not in got.
func missing(got []int, n int) (all []int) {
	for i := range n {
		if !slices.Contains(got, i) {
			all = append(all, i)
		}
	}
	return all
}

func sendRecord(fd int, f []byte) error { return unix.Sendto(fd, f, 0, nil) }

// A super-frame that goes into an impaired direction is what a wire carries:
// each piece has its own fate.
func TestSuperFramesAreCut(t *testing.T) {
	h, f := super(t, 2, 1, 10000, 1000)
	plainH, plain := super(t, 2, 1, 500, 0) // its checksum is yet to be made
	want := append(wire(t, h, f), wire(t, plainH, plain)...)
	for _, d := range []vnet.Direction{vnet.FromGuest, vnet.ToGuest} {
		for _, c := range []impair.Config{{Delay: 10 * ms}, {Duplicate: 1e-9}, {Rate: 1e6}, {Loss: 0.3}, {Loss: 0.3, Delay: ms}, {Duplicate: 1}} {
			s := skyOf(t, vnet.Hub, 4<<20, 1, vnet.PortConfig{Offload: true}, vnet.PortConfig{Offload: true}, vnet.PortConfig{})
			if d == vnet.FromGuest {
				s.Impair(0, d, c)
			} else {
				s.Impair(1, d, c)
				s.Impair(2, d, c)
			}
			s.sendFrame(0, withHeader(h, f))
			s.sendFrame(0, withHeader(plainH, plain))
			s.after(time.Second)
			for port := 1; port < 3; port++ {
				got := s.frames(port)
				for i := range got {
					if port == 1 {
						head, err := offload.Parse(got[i])
						if err != nil {
							t.Fatal(err)
						}
						got[i] = wire(t, head, got[i][offload.Size:])[0]
					}
				}
				loser := 0
				if d == vnet.ToGuest {
					loser = port
				}
				lost := s.Stats(loser).Lost
				switch {
				case c.Loss > 0:
					if lost == 0 || int(lost)+len(got) != len(want) {
						t.Errorf("%s %+v: %d lost, %d came to p%d; want %d together", d, c, lost, len(got), port, len(want))
					}
					rest := want
					for _, g := range got {
						i := slices.IndexFunc(rest, func(w []byte) bool { return bytes.Equal(w, g) })
						if i < 0 {
							t.Fatalf("%s %+v: %x came to p%d out of nowhere", d, c, g, port)
						}
						rest = rest[i+1:]
					}
				case c.Duplicate == 1:
					if len(got) != 2*len(want) || !slices.EqualFunc(everyOther(got), want, bytes.Equal) || !slices.EqualFunc(everyOther(got[1:]), want, bytes.Equal) {
						t.Errorf("%s %+v: %d frames came to p%d; want each of %d twice", d, c, len(got), port, len(want))
					}
				case !slices.EqualFunc(got, want, bytes.Equal) || lost != 0:
					t.Errorf("%s %+v: %d frames came to p%d; want %d", d, c, len(got), port, len(want))
				}
				if st := s.Stats(port); int(st.RxFrames) != len(got) {
					t.Errorf("%s %+v: stats %+v; want %d frames", d, c, st, len(got))
				}
			}
			if s.InUse() != 0 || s.UnderWay() != 0 {
				t.Errorf("%s %+v: %d bytes, %d frames are still under way", d, c, s.InUse(), s.UnderWay())
			}
		}
	}
}

func everyOther(all [][]byte) (some [][]byte) {
	for i := 0; i < len(all); i += 2 {
		some = append(some, all[i])
	}
	return some
}

// Tags are what they would be without impairment.
func TestDelayWithVLANs(t *testing.T) {
	ports := []vnet.PortConfig{
		{VLAN: vnet.VLANConfig{Access: 10}}, {VLAN: vnet.VLANConfig{Access: 10}, Offload: true},
		{VLAN: vnet.VLANConfig{Trunk: []uint16{10, 20}, Native: 20}}, {VLAN: vnet.VLANConfig{Trunk: []uint16{10, 20}}, Offload: true},
		{VLAN: vnet.VLANConfig{Access: 20}}, {},
	}
	sent := []struct {
		port  int
		frame []byte
	}{
		{0, numbered(0)}, {2, numbered(1)}, {2, tagged(numbered(2), 10)}, {2, tagged(numbered(3), 0x6000)},
		{4, numbered(4)}, {2, tagged(numbered(5), 30)}, {2, tagged(numbered(6), 20)}, {5, numbered(7)},
		{1, withHeader(offload.Header{}, numbered(8))}, {3, withHeader(offload.Header{}, tagged(numbered(9), 10))},
	}
	run := func(delay time.Duration) (all [6][][]byte, stats []vnet.PortStats) {
		s := skyOf(t, vnet.SwitchKind, 4<<20, 1, ports...)
		for i := range ports {
			s.Impair(i, vnet.Both, impair.Config{Delay: delay})
		}
		for _, x := range sent {
			s.sendFrame(x.port, x.frame)
		}
		s.after(time.Second)
		for i := range ports {
			all[i] = s.frames(i)
			stats = append(stats, s.Stats(i))
		}
		return all, stats
	}
	want, wantStats := run(0)
	got, gotStats := run(ms)
	for i := range ports {
		if !slices.EqualFunc(got[i], want[i], bytes.Equal) {
			t.Errorf("p%d got %x; want %x", i, got[i], want[i])
		}
	}
	if fmt.Sprint(gotStats) != fmt.Sprint(wantStats) {
		t.Errorf("stats %+v\nwant %+v", gotStats, wantStats)
	}
}

// The timer wakes the loop for what is due, and for nothing else.
func TestTimer(t *testing.T) {
	s := newSky(t, vnet.Link, 2)
	if err := s.Real(); err != nil {
		t.Fatal(err)
	}
	s.Impair(0, vnet.FromGuest, impair.Config{Delay: 3 * ms})
	for i := range 3 {
		start := time.Now()
		if err := sendRecord(s.fds[0], numbered(i)); err != nil {
			t.Fatal(err)
		}
		rounds := 0
		for s.Stats(1).RxFrames <= uint64(i) {
			if err := s.Wait(20 * time.Second); err != nil {
				t.Fatal(err)
			}
			rounds++
		}
		if took := time.Since(start); took < 3*ms || took > 15*time.Second {
			t.Errorf("frame %d came after %v; want 3 ms", i, took)
		}
		if rounds > 50 { // spinning makes thousands; a signal to the thread one more each
			t.Errorf("frame %d took %d rounds; want one to take it and one to let it go", i, rounds)
		}
		if s.Ringing() {
			t.Error("the timer rings with nothing to do")
		}
	}
}
