package vnet_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/impair"
	"github.com/patchbay/patchbay/vnet/offload"
)

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

// Whatever happens to the wires, every frame is counted once at each end.
func TestEveryFrameIsCounted(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := skyOf(t, vnet.Link, 1<<20, seed, vnet.PortConfig{Offload: seed%2 == 0}, vnet.PortConfig{Offload: seed%3 == 0})
		config := func() impair.Config {
			c := impair.Config{
				Delay: time.Duration(r.IntN(20)) * ms, Jitter: time.Duration(r.IntN(10)) * ms,
				Loss: float64(r.IntN(3)) / 10, Corrupt: float64(r.IntN(2)) / 10, Reorder: float64(r.IntN(3)) / 10,
			}
			if r.IntN(2) == 0 {
				c.Rate, c.Queue = 1<<(10+r.IntN(20)), 1+r.IntN(200)
			}
			return c
		}
		h, big := super(t, 2, 1, 20000, 1400)
		sent, got := 0, 0
		receive := func() {
			for _, f := range s.frames(1) {
				if seed%3 == 0 { // several pieces come as one if nothing was in their way
					head, err := offload.Parse(f)
					if err != nil {
						t.Fatal(err)
					}
					got += len(wire(t, head, f[offload.Size:]))
					continue
				}
				got++
			}
		}
		for range 300 {
			switch r.IntN(12) {
			case 0:
				s.Impair(0, vnet.FromGuest, config())
			case 1:
				s.Impair(1, vnet.ToGuest, config())
			case 2:
				s.Impair(r.IntN(2), vnet.Both, impair.Config{})
			case 3:
				s.SetPlugged(r.IntN(2), r.IntN(2) == 0)
			case 4:
				s.script(vnet.Event{Port: "p0", Nth: 1 + r.IntN(5), Do: vnet.DelayFrame, Delay: ms}, vnet.Event{Port: "p1", Nth: 3, Do: vnet.CutCable})
			case 5:
				s.SetPlugged(0, true)
				s.SetPlugged(1, true)
			}
			switch {
			case seed%2 == 1:
				s.send(0, 0)
				sent++
			case r.IntN(3) == 0:
				s.sendFrame(0, withHeader(h, big))
				sent += 15
			default:
				s.sendFrame(0, withHeader(offload.Header{}, numbered(0)))
				sent++
			}
			s.after(time.Duration(r.IntN(3)) * ms)
			receive()
		}
		for s.UnderWay() > 0 {
			s.after(time.Minute)
			receive()
		}
		a, b := s.Stats(0), s.Stats(1)
		if int(a.TxFrames+a.Lost+a.Cut) != sent || a.Drops+a.Runts+a.Giants+a.Malformed != 0 {
			t.Errorf("seed %d: of %d frames sent: %+v", seed, sent, a)
		}
		if b.RxFrames+b.Lost+b.Cut+b.Drops != a.TxFrames || int(b.RxFrames) != got {
			t.Errorf("seed %d: of %d frames for it %d came: %+v", seed, a.TxFrames, got, b)
		}
		if got == 0 || a.Lost+b.Lost == 0 || a.Cut+b.Cut == 0 {
			t.Errorf("seed %d: %d frames came; %+v, %+v; want some of each fate", seed, got, a, b)
		}
		if s.InUse() != 0 {
			t.Errorf("seed %d: %d bytes are still in use", seed, s.InUse())
		}
	}
}
