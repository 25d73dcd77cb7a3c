package offload_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/patchbay/patchbay/vnet/offload"
)

// flow is what the frames of a test have in common. Its frames are made by
// gopacket, which knows nothing of this package.
type flow struct {
	v6, udp bool
	tags    []layers.EthernetType // of the VLAN tags, outermost first
	options int                   // bytes of IPv4 and TCP options
}

type piece struct {
	id                 uint16
	seq                uint32
	fin, psh, cwr, ece bool
	payload            []byte
}

// frame makes the wire frame of a piece.
func (f flow) frame(t testing.TB, p piece) []byte {
	t.Helper()
	kind := layers.EthernetTypeIPv4
	if f.v6 {
		kind = layers.EthernetTypeIPv6
	}
	types := append(append([]layers.EthernetType{}, f.tags...), kind)
	stack := []gopacket.SerializableLayer{&layers.Ethernet{
		DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, EthernetType: types[0],
	}}
	for i := range f.tags {
		stack = append(stack, &layers.Dot1Q{VLANIdentifier: uint16(10 + i), Priority: 3, Type: types[i+1]})
	}
	proto := layers.IPProtocolTCP
	if f.udp {
		proto = layers.IPProtocolUDP
	}
	var network gopacket.NetworkLayer
	if f.v6 {
		ip := &layers.IPv6{Version: 6, TrafficClass: 2, FlowLabel: 0x12345, HopLimit: 64, NextHeader: proto,
			SrcIP: net.ParseIP("fd00::1"), DstIP: net.ParseIP("fd00::ffff:2")}
		stack, network = append(stack, ip), ip
	} else {
		ip := &layers.IPv4{Version: 4, TOS: 2, TTL: 64, Id: p.id, Flags: layers.IPv4DontFragment, Protocol: proto,
			SrcIP: net.IPv4(10, 0, 0, 1), DstIP: net.IPv4(10, 0, 255, 2)}
		if f.options > 0 {
			ip.Options = []layers.IPv4Option{{OptionType: 7, OptionLength: uint8(f.options), OptionData: make([]byte, f.options-2)}}
		}
		stack, network = append(stack, ip), ip
	}
	if f.udp {
		u := &layers.UDP{SrcPort: 5001, DstPort: 5002}
		u.SetNetworkLayerForChecksum(network)
		stack = append(stack, u)
	} else {
		s := &layers.TCP{SrcPort: 5001, DstPort: 5002, Seq: p.seq, Ack: 77, ACK: true, Window: 512,
			FIN: p.fin, PSH: p.psh, CWR: p.cwr, ECE: p.ece}
		if f.options > 0 {
			s.Options = []layers.TCPOption{{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: make([]byte, 8)}}
		}
		s.SetNetworkLayerForChecksum(network)
		stack = append(stack, s)
	}
	buf := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		append(stack, gopacket.Payload(p.payload))...)
	if err != nil {
		t.Fatal(err)
	}
	b := buf.Bytes() // padded to the 60 bytes of a short frame
	l3 := 14 + 4*len(f.tags)
	size := 40 + int(binary.BigEndian.Uint16(b[l3+4:]))
	if !f.v6 {
		size = int(binary.BigEndian.Uint16(b[l3+2:]))
	}
	return bytes.Clone(b[:l3+size])
}

// super makes the super-frame of a piece as Linux hands it to a card, with the
// sum of its pseudo-header where the checksum goes.
func (f flow) super(t testing.TB, p piece, size int) (offload.Header, []byte) {
	t.Helper()
	b := f.frame(t, p)
	l3 := 14 + 4*len(f.tags)
	l4 := l3 + 40
	if !f.v6 {
		l4 = l3 + int(b[l3]&15)*4
	}
	h := offload.Header{Flags: offload.NeedsCsum, CsumStart: uint16(l4), CsumOffset: 16}
	proto := uint32(6)
	if f.udp {
		h.CsumOffset, proto = 6, 17
	}
	if size > 0 {
		h.GSOSize = uint16(size)
		switch {
		case f.udp:
			h.GSOType = offload.GSOUDP
		case f.v6:
			h.GSOType = offload.GSOTCPv6
		default:
			h.GSOType = offload.GSOTCPv4
		}
	}
	addrs := b[l3+12 : l3+20]
	if f.v6 {
		addrs = b[l3+8 : l3+40]
	}
	sum := proto + uint32(len(b)-l4)
	for i := 0; i < len(addrs); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(addrs[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(b[l4+int(h.CsumOffset):], uint16(sum))
	return h, b
}

func payload(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestSegments(t *testing.T) {
	vlan, stack := []layers.EthernetType{0x8100}, []layers.EthernetType{0x88a8, 0x8100}
	for _, tt := range []struct {
		name    string
		flow    flow
		payload int
		size    int
		last    int // length of the last piece
	}{
		{"tcp4", flow{}, 64000, 1448, 64000 % 1448},
		{"tcp4, whole pieces", flow{}, 3 * 1460, 1460, 1460},
		{"tcp4, one piece", flow{}, 1000, 1460, 1000},
		{"tcp4, no payload", flow{}, 0, 1460, 0},
		{"tcp4, odd pieces", flow{}, 5000, 333, 5000 % 333},
		{"tcp4, options", flow{options: 12}, 10000, 1436, 10000 % 1436},
		{"tcp4, tagged", flow{tags: vlan}, 30000, 1448, 30000 % 1448},
		{"tcp4, tagged twice", flow{tags: stack}, 30000, 1448, 30000 % 1448},
		{"tcp4, jumbo", flow{}, 60000, 8948, 60000 % 8948},
		{"tcp6", flow{v6: true}, 64000, 1428, 64000 % 1428},
		{"tcp6, tagged, options", flow{v6: true, tags: vlan, options: 12}, 7777, 1416, 7777 % 1416},
		{"udp4", flow{udp: true}, 20000, 1472, 20000 % 1472},
		{"udp6, tagged", flow{udp: true, v6: true, tags: vlan}, 20001, 1452, 20001 % 1452},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := payload(tt.payload)
			whole := piece{id: 0xfffe, seq: 0xffffff00, fin: true, psh: true, cwr: true, ece: true, payload: data}
			h, super := tt.flow.super(t, whole, tt.size)
			before := bytes.Clone(super)
			var want [][]byte
			for off := 0; off == 0 || off < len(data); off += tt.size {
				end := min(off+tt.size, len(data))
				want = append(want, tt.flow.frame(t, piece{
					id: whole.id + uint16(len(want)), seq: whole.seq + uint32(off), payload: data[off:end],
					fin: end == len(data), psh: end == len(data), cwr: off == 0, ece: true,
				}))
			}
			var got [][]byte
			err := offload.Segments(h, super, make([]byte, len(super)), func(b []byte) { got = append(got, bytes.Clone(b)) })
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(want) {
				t.Fatalf("%d pieces; want %d", len(got), len(want))
			}
			for i := range want {
				if !bytes.Equal(got[i], want[i]) {
					t.Fatalf("piece %d:\n%x; want\n%x", i, clip(got[i]), clip(want[i]))
				}
			}
			if n := len(got[len(got)-1]) - (len(super) - tt.payload); n != tt.last {
				t.Errorf("the last piece holds %d bytes; want %d", n, tt.last)
			}
			if !bytes.Equal(super, before) {
				t.Error("the super-frame was changed")
			}
		})
	}
}

func TestComplete(t *testing.T) {
	for _, f := range []flow{
		{}, {v6: true}, {udp: true}, {udp: true, v6: true}, {tags: []layers.EthernetType{0x8100}}, {options: 12},
	} {
		for _, n := range []int{0, 1, 2, 7, 8, 63, 64, 65, 127, 999, 1460} {
			t.Run(fmt.Sprintf("%+v/%d", f, n), func(t *testing.T) {
				p := piece{id: 7, seq: 9, payload: payload(n)}
				h, b := f.super(t, p, 0)
				if err := h.Check(b); err != nil {
					t.Fatal(err)
				}
				h.Complete(b)
				if want := f.frame(t, p); !bytes.Equal(b, want) {
					t.Errorf("completed:\n%x; want\n%x", clip(b), clip(want))
				}
			})
		}
	}
}

// A checksum that comes to nothing is sent as all ones: zero says that a UDP
// datagram has none.
func TestZeroChecksum(t *testing.T) {
	f := flow{udp: true}
	p := piece{payload: make([]byte, 2)}
	plain := f.frame(t, p)
	copy(p.payload, plain[14+20+6:][:2]) // the checksum of all the rest, as data
	h, b := f.super(t, p, 0)
	h.Complete(b)
	if got := binary.BigEndian.Uint16(b[14+20+6:]); got != 0xffff {
		t.Errorf("checksum = %#x; want 0xffff", got)
	}
	h, b = f.super(t, p, 100)
	if err := offload.Segments(h, b, make([]byte, len(b)), func(b []byte) {
		if got := binary.BigEndian.Uint16(b[14+20+6:]); got != 0xffff {
			t.Errorf("a piece's checksum = %#x; want 0xffff", got)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

func clip(b []byte) []byte { return b[:min(len(b), 100)] }
