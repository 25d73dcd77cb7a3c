package vnet_test

import (
	"bytes"
	"testing"

	"github.com/patchbay/patchbay/vnet"
	"golang.org/x/sys/unix"
)

// manual makes a hand-turned switch of n ports and returns the guests' ends.
func manual(t testing.TB, kind vnet.Kind, n int) (*vnet.Manual, []int) {
	t.Helper()
	return manualOf(t, kind, make([]vnet.PortConfig, n)...)
}

// manualOf is manual with a configuration for each port.
func manualOf(t testing.TB, kind vnet.Kind, ports ...vnet.PortConfig) (*vnet.Manual, []int) {
	t.Helper()
	var inner, outer []int
	for range ports {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		outer, inner = append(outer, fds[0]), append(inner, fds[1])
		t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	}
	c := vnet.SegmentConfig{Kind: kind, MTU: vnet.MaxMTU, Storm: -1}
	m, err := vnet.NewManualOf(c, 1024, ports, inner)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m, outer
}

// However much one port sends, the others have their turn in the same round.
func TestFloodingPortDoesNotStarveOthers(t *testing.T) {
	m, fds := manual(t, vnet.Hub, 3)
	flood, quiet, sink := fds[0], fds[1], vnet.NewPump(frame(0, 0))
	p := vnet.NewPump(frame(0xff, 1))
	sent := p.Send(flood, vnet.Batch) + p.Send(flood, vnet.Batch) + p.Send(flood, vnet.Batch)
	if sent != 3*vnet.Batch {
		t.Fatalf("the socket took %d frames; want %d", sent, 3*vnet.Batch)
	}
	if n := p.Send(quiet, 1); n != 1 {
		t.Fatal("the socket took no frame")
	}
	if err := m.Round(); err != nil {
		t.Fatal(err)
	}
	if a, b := m.Stats(0), m.Stats(1); a.TxFrames != vnet.Batch || b.TxFrames != 1 {
		t.Errorf("after one round %d frames of the flood and %d of the other; want %d and 1", a.TxFrames, b.TxFrames, vnet.Batch)
	}
	if n := sink.Drain(fds[2]) + sink.Drain(fds[2]); n != vnet.Batch+1 {
		t.Errorf("%d frames came out; want %d", n, vnet.Batch+1)
	}
}

// More ports full of frames than the receive ring has room for.
func TestRingOverflow(t *testing.T) {
	const ports = 9
	m, fds := manual(t, vnet.Hub, ports)
	p := vnet.NewPump(frame(0xff, 1))
	for _, fd := range fds {
		if n := p.Send(fd, vnet.Batch); n != vnet.Batch {
			t.Fatalf("the socket took %d frames", n)
		}
	}
	if err := m.Round(); err != nil {
		t.Fatal(err)
	}
	for i := range fds {
		if st := m.Stats(i); st.RxFrames != (ports-1)*vnet.Batch || st.Drops != 0 {
			t.Errorf("port %d: %+v; want %d frames", i, st, (ports-1)*vnet.Batch)
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	for _, kind := range []vnet.Kind{vnet.SwitchKind, vnet.Hub, vnet.Link} {
		m, fds := manual(t, kind, 2)
		in, out := vnet.NewPump(frame(0xff, 1)), vnet.NewPump(frame(1, 2))
		frames := 0
		allocs := testing.AllocsPerRun(200, func() {
			in.Send(fds[0], vnet.Batch)
			out.Send(fds[1], 3)
			if err := m.Round(); err != nil {
				t.Fatal(err)
			}
			frames += out.Drain(fds[1])
			in.Drain(fds[0])
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations a round; want none", kind, allocs)
		}
		if frames < 200*vnet.Batch {
			t.Errorf("%s: only %d frames came through", kind, frames)
		}
	}
}

// FuzzReceive sends arbitrary records from arbitrary ports. Input: a byte for
// the port, one for the length, then as much of the record as there is.
func FuzzReceive(f *testing.F) {
	f.Add(append([]byte{0, 64}, frame(2, 1)...))
	f.Add(bytes.Join([][]byte{{1, 64}, frame(0xff, 2), {0, 64}, frame(2, 2), {2, 13}, frame(1, 3)[:13]}, nil))
	f.Add([]byte{3, 0, 2, 14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	const ports, limit = 4, 8
	switches := map[vnet.Kind]*vnet.Manual{}
	for _, kind := range []vnet.Kind{vnet.SwitchKind, vnet.Hub} {
		m, err := vnet.NewManual(kind, limit, -1, -1, -1, -1)
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(m.Close)
		switches[kind] = m
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for kind, m := range switches {
			m.Reset()
			for b := in; len(b) >= 2; {
				from, size := int(b[0])%ports, min(int(b[1]), len(b)-2)
				rec := b[2 : 2+size]
				b = b[2+size:]
				ok := m.Receive(from, rec)
				if ok != (size >= vnet.MinFrame) {
					t.Errorf("%s: a record of %d bytes taken: %v", kind, size, ok)
				}
				outs := 0
				m.Discard(func(port, frames int) {
					outs++
					if port == from {
						t.Errorf("%s: %x came back to port %d", kind, rec, from)
					}
					if frames != 1 {
						t.Errorf("%s: %x came out %d times of port %d", kind, rec, frames, port)
					}
				})
				switch {
				case !ok && outs != 0:
					t.Errorf("%s: %x was refused and came out of %d ports", kind, rec, outs)
				case ok && (kind == vnet.Hub || rec[0]&1 == 1) && outs != ports-1:
					t.Errorf("%s: %x came out of %d ports; want %d", kind, rec, outs, ports-1)
				case outs != 0 && outs != 1 && outs != ports-1:
					t.Errorf("%s: %x came out of %d ports", kind, rec, outs)
				}
			}
			if kind == vnet.SwitchKind && m.Known() > limit {
				t.Errorf("%d addresses known; want at most %d", m.Known(), limit)
			}
		}
	})
}
