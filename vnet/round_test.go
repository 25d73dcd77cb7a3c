package vnet_test

import (
	"bytes"
	"testing"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/impair"
	"github.com/patchbay/patchbay/vnet/offload"
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
	h, super := super(t, 0xff, 1, 20000, 1448)
	access, trunk := vnet.VLANConfig{Access: 10}, vnet.VLANConfig{Trunk: []uint16{10}}
	for _, tt := range []struct {
		name  string
		kind  vnet.Kind
		ports [2]vnet.PortConfig
		rec   []byte
		n     int // frames of one record on a wire
	}{
		{"switch", vnet.SwitchKind, [2]vnet.PortConfig{}, frame(0xff, 1), 1},
		{"hub", vnet.Hub, [2]vnet.PortConfig{}, frame(0xff, 1), 1},
		{"link", vnet.Link, [2]vnet.PortConfig{}, frame(0xff, 1), 1},
		{"VLAN", vnet.SwitchKind, [2]vnet.PortConfig{{VLAN: access}, {VLAN: trunk}}, frame(0xff, 1), 1},
		{"super-frame", vnet.SwitchKind, [2]vnet.PortConfig{{Offload: true}, {Offload: true}}, withHeader(h, super), 14},
		{"super-frame, cut and tagged", vnet.SwitchKind, [2]vnet.PortConfig{{Offload: true, VLAN: access}, {VLAN: trunk}}, withHeader(h, super), 14},
		{"mirrored", vnet.Hub, [2]vnet.PortConfig{{Offload: true}, {Mirror: true}}, withHeader(h, super), 14},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, fds := manualOf(t, tt.kind, tt.ports[:]...)
			in, out := vnet.NewPump(tt.rec), vnet.NewPump(frame(1, 2))
			allocs := testing.AllocsPerRun(200, func() {
				in.Send(fds[0], 5)
				out.Send(fds[1], 3)
				if err := m.Round(); err != nil {
					t.Fatal(err)
				}
				for out.Drain(fds[1]) > 0 {
				}
				in.Drain(fds[0])
			})
			if allocs != 0 {
				t.Errorf("%v allocations a round; want none", allocs)
			}
			if got := m.Stats(1).RxFrames; got < uint64(200*5*tt.n) {
				t.Errorf("only %d frames came through", got)
			}
		})
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
			eachRecord(in, ports, func(from int, rec []byte) {
				ok := m.Receive(from, rec)
				if ok != (len(rec) >= vnet.MinFrame) {
					t.Errorf("%s: a record of %d bytes taken: %v", kind, len(rec), ok)
				}
				outs := 0
				m.Discard(func(port int, recs [][]byte) {
					outs++
					if port == from {
						t.Errorf("%s: %x came back to port %d", kind, rec, from)
					}
					if len(recs) != 1 || !bytes.Equal(recs[0], rec) {
						t.Errorf("%s: %x came out of port %d as %x", kind, rec, port, recs)
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
			})
			if kind == vnet.SwitchKind && m.Known() > limit {
				t.Errorf("%d addresses known; want at most %d", m.Known(), limit)
			}
		}
	})
}

// eachRecord reads the input of the fuzz tests.
func eachRecord(in []byte, ports int, f func(from int, rec []byte)) {
	for len(in) >= 2 {
		from, size := int(in[0])%ports, min(int(in[1]), len(in)-2)
		f(from, in[2:2+size])
		in = in[2+size:]
	}
}

// FuzzVLAN sends arbitrary records, with offload headers or without, through
// ports of all kinds, and holds what comes out against the rules: access ports see no
// tag, trunks see the tags that are theirs, nobody sees a VLAN that it is not in.
// So it is behind cables that might lose something, too.
func FuzzVLAN(f *testing.F) {
	h, cut := super(f, 2, 1, 150, 60)
	ht, tag := super(f, 2, 1, 150, 60, 10)
	for port, rec := range [][]byte{frame(0xff, 1), tagged(frame(0xff, 1), 10), withHeader(h, cut), withHeader(ht, tag)} {
		f.Add(append([]byte{byte(port), byte(len(rec))}, rec...))
	}
	f.Add(append([]byte{1, 72}, tagged(frame(0xff, 1), 10, 20)...))
	access, trunk, native := vnet.VLANConfig{Access: 10}, vnet.VLANConfig{Trunk: []uint16{10, 20}}, vnet.VLANConfig{Trunk: []uint16{10}, Native: 20}
	ports := []vnet.PortConfig{{VLAN: access}, {VLAN: trunk}, {VLAN: access, Offload: true}, {VLAN: trunk, Offload: true}, {VLAN: native}, {}}
	var switches []*vnet.Manual
	for range 2 {
		m, err := vnet.NewManualOf(vnet.SegmentConfig{Kind: vnet.SwitchKind, MTU: vnet.DefaultMTU, Storm: -1}, 16, ports, []int{-1, -1, -1, -1, -1, -1})
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(m.Close)
		switches = append(switches, m)
	}
	air, err := switches[1].Air(1<<20, 1)
	if err != nil {
		f.Fatal(err)
	}
	for i := range ports {
		air.Impair(i, vnet.Both, impair.Config{Loss: 1e-12})
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, m := range switches {
			m.Reset()
			eachRecord(in, len(ports), func(from int, rec []byte) {
				ok := m.Receive(from, rec)
				m.Discard(func(port int, recs [][]byte) {
					if !ok || port == from {
						t.Fatalf("%x from %d (taken: %v) came out of %d", rec, from, ok, port)
					}
					c := ports[port]
					for _, r := range recs {
						if c.Offload {
							h, err := offload.Parse(r)
							if err != nil {
								t.Fatal(err)
							}
							r = r[offload.Size:]
							if err := h.Check(r); err != nil {
								t.Fatalf("%x from %d came out of %d as %x: %v", rec, from, port, r, err)
							}
						}
						if len(r) < vnet.MinFrame {
							t.Fatalf("%x from %d came out of %d as %x", rec, from, port, r)
						}
						tag := -1
						if len(r) >= 18 && r[12] == 0x81 && r[13] == 0 {
							tag = int(r[14]&15)<<8 | int(r[15])
						}
						switch {
						case c.VLAN.Access != 0 && tag > 0,
							c.VLAN.Native == 0 && c.VLAN.Trunk != nil && tag != 10 && tag != 20,
							c.VLAN.Native != 0 && tag > 0 && tag != 10:
							t.Fatalf("%x from %d came out of %d with tag %d", rec, from, port, tag)
						}
					}
				})
			})
		}
	})
}
