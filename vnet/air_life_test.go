package vnet_test

import (
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/impair"
	"golang.org/x/sys/unix"
)

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

// Memory that a flood took is given back when it is over, be it that all has
// arrived or that the cable was cut.
func TestDelayMemoryIsGivenBack(t *testing.T) {
	for _, cut := range []bool{false, true} {
		s := newSkyOf(t, vnet.Link, 2, 16<<20, 1)
		s.Impair(0, vnet.FromGuest, impair.Config{Delay: time.Minute})
		big := make([]byte, 9000)
		copy(big, numbered(0))
		for range 700 {
			s.sendFrame(0, big)
		}
		full := s.Resident()
		if cut {
			s.SetPlugged(0, false)
			s.SetPlugged(0, true)
		} else {
			s.after(time.Minute)
		}
		s.after(2 * time.Second)
		s.frames(1)
		if n := s.Resident(); full < 5<<20 || n > 1<<20 {
			t.Errorf("cut %v: %d bytes in memory at rest, %d before; want at most 1 MiB of more than 5", cut, n, full)
		}
		s.send(0, 1)
		s.after(time.Minute)
		s.want(1, 1)
	}
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
