package vnet_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/offload"
)

// super makes a TCP frame as Linux hands it to a card: its checksum undone and,
// if size is not 0, to be cut into pieces of size.
func super(t testing.TB, dst, src byte, payload, size int, tags ...uint16) (offload.Header, []byte) {
	t.Helper()
	data := make([]byte, payload)
	for i := range data {
		data[i] = byte(i * 31)
	}
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: net.IPv4(10, 0, 0, src), DstIP: net.IPv4(10, 0, 0, dst)}
	tcp := &layers.TCP{SrcPort: 1, DstPort: 2, Seq: 3, ACK: true, PSH: true}
	tcp.SetNetworkLayerForChecksum(ip)
	kinds := []layers.EthernetType{}
	for range tags {
		kinds = append(kinds, layers.EthernetTypeDot1Q)
	}
	kinds = append(kinds, layers.EthernetTypeIPv4)
	stack := []gopacket.SerializableLayer{&layers.Ethernet{DstMAC: addr(dst), SrcMAC: addr(src), EthernetType: kinds[0]}}
	for i, id := range tags {
		stack = append(stack, &layers.Dot1Q{VLANIdentifier: id, Type: kinds[i+1]})
	}
	buf := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, append(stack, ip, tcp, gopacket.Payload(data))...)
	if err != nil {
		t.Fatal(err)
	}
	l4 := 34 + 4*len(tags)
	b := bytes.Clone(buf.Bytes()[:l4+20+payload])
	sum := uint32(6 + 20 + payload)
	for i := l4 - 8; i < l4; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	binary.BigEndian.PutUint16(b[l4+16:], uint16(sum>>16+sum&0xffff))
	h := offload.Header{Flags: offload.NeedsCsum, CsumStart: uint16(l4), CsumOffset: 16}
	if size > 0 {
		h.GSOType, h.GSOSize = offload.GSOTCPv4, uint16(size)
	}
	return h, b
}

// withHeader is the record of an offload port.
func withHeader(h offload.Header, frame []byte) []byte {
	b := make([]byte, offload.Size, offload.Size+len(frame))
	h.Put(b)
	return append(b, frame...)
}

// wire is what a wire would carry for a frame.
func wire(t testing.TB, h offload.Header, frame []byte) (all [][]byte) {
	t.Helper()
	err := offload.Segments(h, frame, make([]byte, len(frame)), func(b []byte) { all = append(all, bytes.Clone(b)) })
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// inbox takes all that has come to a guest.
func (g *guest) inbox() (all [][]byte) {
	for {
		b, ok := g.recv()
		if !ok {
			return all
		}
		all = append(all, b)
	}
}

func (b *bench) want(port string, want ...[]byte) {
	b.t.Helper()
	got := b.guests[port].inbox()
	if len(got) != len(want) {
		b.t.Errorf("%s got %d records; want %d", port, len(got), len(want))
		return
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			b.t.Errorf("%s got as record %d\n%x; want\n%x", port, i, got[i][:min(len(got[i]), 90)], want[i][:min(len(want[i]), 90)])
			return
		}
	}
}

// addWith adds a port with a guest whose interface is up.
func (b *bench) addWith(c vnet.PortConfig) {
	b.t.Helper()
	c.Path = b.path(c.Name)
	if err := b.AddPort(c); err != nil {
		b.t.Fatal(err)
	}
	b.up(c.Name)
}

// o1 and o2 have offloads, p1 and p2 do not. Every frame is flooded.
func offloads(t *testing.T, mtu int) *bench {
	t.Helper()
	b := newBench(t, vnet.Options{})
	if err := b.AddSegment(vnet.SegmentConfig{Name: "lan", Kind: vnet.Hub, MTU: mtu}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"o1", "o2", "p1", "p2"} {
		b.addWith(vnet.PortConfig{Name: name, Segment: "lan", Offload: name[0] == 'o'})
	}
	return b
}

func TestOffload(t *testing.T) {
	for _, tt := range []struct {
		payload, size int
		tags          []uint16
	}{
		{64000, 1448, nil}, {1460, 0, nil}, {0, 0, nil}, {3, 0, []uint16{7}}, {20000, 1448, []uint16{7}}, {20000, 1448, []uint16{7, 8}},
		{500, 1448, nil},
	} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			b := offloads(t, 0)
			h, f := super(t, 2, 1, tt.payload, tt.size, tt.tags...)
			rec := withHeader(h, f)
			b.guests["o1"].send(rec)
			b.settle()
			wires := wire(t, h, f)
			b.want("o2", rec)
			b.want("p1", wires...)
			b.want("p2", wires...)
			bytes := uint64(0)
			for _, w := range wires {
				bytes += uint64(len(w))
			}
			n := uint64(len(wires))
			if p := b.stats("o1"); !p.Offload || p.TxFrames != n || p.TxBytes != bytes {
				t.Errorf("o1: %+v; want %d frames, %d bytes sent", p, n, bytes)
			}
			for _, name := range []string{"o2", "p1", "p2"} {
				if p := b.stats(name); p.RxFrames != n || p.RxBytes != bytes {
					t.Errorf("%s: %+v; want %d frames, %d bytes received", name, p, n, bytes)
				}
			}
		})
	}
}

func TestPlainToOffload(t *testing.T) {
	b := offloads(t, 0)
	f := frame(2, 1)
	b.guests["p1"].send(f)
	b.settle()
	b.want("p2", f)
	b.want("o1", withHeader(offload.Header{}, f))
	b.want("o2", withHeader(offload.Header{}, f))
	if p := b.stats("o1"); p.RxFrames != 1 || p.RxBytes != 64 {
		t.Errorf("o1: %+v; want one frame of 64 bytes received", p)
	}
}

// What a hostile guest may write before a frame reaches nobody.
func TestHostileHeaders(t *testing.T) {
	h, f := super(t, 2, 1, 20000, 1448)
	with := func(edit func(*offload.Header)) []byte {
		h := h
		edit(&h)
		return withHeader(h, f)
	}
	for _, tt := range []struct {
		name string
		rec  []byte
		want func(vnet.PortStats) uint64
	}{
		{"no header", make([]byte, 9), func(p vnet.PortStats) uint64 { return p.Runts }},
		{"no frame", make([]byte, 10), func(p vnet.PortStats) uint64 { return p.Runts }},
		{"a runt", make([]byte, 23), func(p vnet.PortStats) uint64 { return p.Runts }},
		{"a carrier message", []byte{1}, func(p vnet.PortStats) uint64 { return p.Runts }},
		{"checksum outside", with(func(h *offload.Header) { h.CsumStart = 60000 }), func(p vnet.PortStats) uint64 { return p.Malformed }},
		{"unknown type", with(func(h *offload.Header) { h.GSOType = 99 }), func(p vnet.PortStats) uint64 { return p.Malformed }},
		{"not what it says", with(func(h *offload.Header) { h.GSOType = offload.GSOTCPv6 }), func(p vnet.PortStats) uint64 { return p.Malformed }},
		{"tiny pieces", with(func(h *offload.Header) { h.GSOSize = 1 }), func(p vnet.PortStats) uint64 { return p.Malformed }},
		{"no segmentation", with(func(h *offload.Header) { h.GSOType = 0 }), func(p vnet.PortStats) uint64 { return p.Giants }},
		{"pieces over the MTU", with(func(h *offload.Header) { h.GSOSize = 1461 }), func(p vnet.PortStats) uint64 { return p.Giants / 14 }},
		{"longer than the ring's buffers", make([]byte, 66000), func(p vnet.PortStats) uint64 { return p.Giants }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := offloads(t, 0)
			b.guests["o1"].send(tt.rec)
			b.settle()
			for _, name := range []string{"o2", "p1", "p2"} {
				b.want(name)
			}
			if p := b.stats("o1"); tt.want(p) != 1 || p.TxFrames != 0 {
				t.Errorf("stats = %+v; want one of them counted", p)
			}
		})
	}
}

func TestOffloadMTU(t *testing.T) {
	b := offloads(t, 9000)
	h, f := super(t, 2, 1, 60000, 8960)
	b.guests["o1"].send(withHeader(h, f))
	b.settle()
	b.want("p1", wire(t, h, f)...)
}

// Pieces of many super-frames, more than the arena and a queue hold.
func TestManySuperFrames(t *testing.T) {
	m, fds := manualOf(t, vnet.Hub, vnet.PortConfig{Offload: true}, vnet.PortConfig{}, vnet.PortConfig{Offload: true})
	h, f := super(t, 2, 1, 2000, 1)
	h.GSOSize = 1
	rec := withHeader(h, f)
	in := &guest{t: t, fd: fds[0]}
	in.send(rec)
	in.send(rec)
	in.send(rec)
	if err := m.Round(); err != nil {
		t.Fatal(err)
	}
	st := m.Stats(1)
	if m.Stats(0).TxFrames != 6000 || st.RxFrames+st.Drops != 6000 || m.Stats(2).RxFrames != 6000 {
		t.Errorf("%+v\n%+v\n%+v; want 6000 frames of each", m.Stats(0), st, m.Stats(2))
	}
	want := wire(t, h, f)
	for i, got := range (&guest{t: t, fd: fds[1]}).inbox() {
		if !bytes.Equal(got, want[i%2000]) {
			t.Fatalf("record %d: %x; want %x", i, got, want[i%2000])
		}
	}
}

// A guest that asks for thousands of pieces gets no longer turns than others.
func TestManyPiecesAreThrottled(t *testing.T) {
	m, fds := manualOf(t, vnet.Link, vnet.PortConfig{Offload: true}, vnet.PortConfig{})
	h, f := super(t, 2, 1, 2000, 1)
	h.GSOSize = 1
	in, sink := vnet.NewPump(withHeader(h, f)), vnet.NewPump(frame(0, 0))
	took := func() uint64 {
		before := m.Stats(0).TxFrames
		in.Send(fds[0], 16)
		if err := m.Round(); err != nil {
			t.Fatal(err)
		}
		for sink.Drain(fds[1]) > 0 {
		}
		return (m.Stats(0).TxFrames - before) / 2000
	}
	var got []uint64
	for range 5 {
		got = append(got, took())
	}
	if want := []uint64{16, 8, 4, 2, 1}; !slices.Equal(got, want) {
		t.Errorf("rounds took %v records; want %v", got, want)
	}
}
