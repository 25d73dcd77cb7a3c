package filter_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
)

// frames for the tests are put together from the inside out.

func ether(dst, src byte, typ uint16, payload []byte) []byte {
	b := []byte{2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src, byte(typ >> 8), byte(typ)}
	if dst == 0xff {
		copy(b, "\xff\xff\xff\xff\xff\xff")
	}
	return append(b, payload...)
}

// tag puts a VLAN tag into a frame.
func tag(tpid, id uint16, frame []byte) []byte {
	b := append([]byte{}, frame[:12]...)
	b = binary.BigEndian.AppendUint16(b, tpid)
	b = binary.BigEndian.AppendUint16(b, id)
	return append(b, frame[12:]...)
}

func ip4(src, dst string, proto byte, frag uint16, options int, payload []byte) []byte {
	b := make([]byte, 20+4*options)
	b[0] = 0x45 + byte(options)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)+len(payload)))
	binary.BigEndian.PutUint16(b[6:], frag)
	b[8], b[9] = 64, proto
	copy(b[12:], netip.MustParseAddr(src).AsSlice())
	copy(b[16:], netip.MustParseAddr(dst).AsSlice())
	return append(b, payload...)
}

func ip6(src, dst string, next byte, payload []byte) []byte {
	b := make([]byte, 40)
	b[0] = 0x60
	binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
	b[6], b[7] = next, 64
	copy(b[8:], netip.MustParseAddr(src).AsSlice())
	copy(b[24:], netip.MustParseAddr(dst).AsSlice())
	return append(b, payload...)
}

func arp(op byte, sha byte, spa string, tpa string) []byte {
	b := []byte{0, 1, 8, 0, 6, 4, 0, op, 2, 0, 0, 0, 0, sha}
	b = append(b, netip.MustParseAddr(spa).AsSlice()...)
	b = append(b, 0, 0, 0, 0, 0, 0)
	return append(b, netip.MustParseAddr(tpa).AsSlice()...)
}

func ports(src, dst uint16, more ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, src)
	b = binary.BigEndian.AppendUint16(b, dst)
	return append(b, more...)
}

func tcp(src, dst uint16, flags byte) []byte {
	return ports(src, dst, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags, 1, 0, 0, 0, 0, 0)
}

func udp(src, dst uint16) []byte { return ports(src, dst, 0, 12, 0, 0, 'h', 'i', '!', '\n') }

// corpus is some frames of every kind that the primitives tell apart.
func corpus() [][]byte {
	icmp := []byte{8, 0, 0, 0, 0, 1, 0, 1}
	icmp6 := []byte{135, 0, 0, 0, 0, 0, 0, 0}
	ospf := []byte{2, 1, 0, 44, 10, 0, 0, 1}
	all := [][]byte{
		ether(0xff, 1, 0x806, arp(1, 1, "10.0.0.1", "10.0.0.2")),
		ether(1, 2, 0x806, arp(2, 2, "10.0.0.2", "10.0.0.1")),
		ether(0xff, 1, 0x8035, arp(3, 1, "10.0.0.1", "10.0.0.1")),
		ether(2, 1, 0x800, ip4("10.0.0.1", "10.0.0.2", 6, 0, 0, tcp(40000, 80, 2))),
		ether(1, 2, 0x800, ip4("10.0.0.2", "10.0.0.1", 6, 0x4000, 2, tcp(80, 40000, 0x12))),
		ether(2, 1, 0x800, ip4("10.0.0.1", "10.1.0.2", 17, 0, 0, udp(53, 53))),
		ether(2, 1, 0x800, ip4("10.0.0.1", "192.168.1.2", 17, 0x2000, 0, udp(68, 67))),
		ether(2, 1, 0x800, ip4("10.0.0.1", "192.168.1.2", 17, 0x00b9, 0, udp(68, 67))),
		ether(2, 1, 0x800, ip4("10.0.0.1", "10.0.0.2", 1, 0, 0, icmp)),
		ether(2, 1, 0x800, ip4("10.0.0.1", "10.0.0.2", 132, 0, 0, ports(80, 5000, icmp...))),
		ether(2, 1, 0x800, ip4("10.0.0.1", "224.0.0.5", 89, 0, 0, ospf)),
		ether(2, 1, 0x800, ip4("10.0.0.1", "224.0.0.1", 2, 0, 1, icmp)),
		ether(2, 1, 0x800, ip4("10.0.0.1", "10.0.0.2", 50, 0, 0, icmp)),
		ether(2, 1, 0x800, ip4("10.0.0.1", "10.0.0.2", 112, 0, 0, icmp)),
		ether(2, 1, 0x86dd, ip6("2001:db8::1", "2001:db8::2", 6, tcp(40000, 80, 2))),
		ether(2, 1, 0x86dd, ip6("2001:db8:1::1", "2001:db8::2", 17, udp(53, 5353))),
		ether(2, 1, 0x86dd, ip6("fe80::1", "ff02::1", 58, icmp6)),
		ether(2, 1, 0x86dd, ip6("fe80::1", "fe80::2", 44, append([]byte{17, 0, 0, 1, 0, 0, 0, 7}, udp(53, 53)...))),
		ether(2, 1, 0x86dd, ip6("fe80::1", "fe80::2", 0, icmp)),
		ether(2, 1, 0x8847, append([]byte{0, 1, 0x01, 64}, ip4("10.0.0.1", "10.0.0.2", 1, 0, 0, icmp)...)),
		ether(2, 1, 0x8847, append([]byte{0, 1, 0x00, 64, 0, 2, 0x01, 64}, ip4("10.0.0.1", "10.0.0.2", 1, 0, 0, icmp)...)),
		ether(2, 1, 0x8847, append([]byte{0, 1, 0x11, 64}, ip6("2001:db8::1", "2001:db8::2", 6, tcp(40000, 80, 2))...)),
		ether(2, 1, 0x88cc, []byte{2, 7, 4, 2, 0, 0, 0, 0, 1, 0, 0}),
		ether(2, 1, 38, append([]byte{0x42, 0x42, 3}, make([]byte, 40)...)),
		ether(2, 1, 38, append([]byte{0xfe, 0xfe, 3, 0x83}, make([]byte, 40)...)),
		ether(2, 1, 38, append([]byte{0xfe, 0xfe, 3, 0x81}, make([]byte, 40)...)),
		ether(2, 1, 38, append([]byte{0xf0, 0xf0, 3}, make([]byte, 40)...)),
		ether(2, 1, 0x1234, make([]byte, 100)),
		ether(2, 1, 0x800, nil),
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, f := range all[:len(all):len(all)] {
		short := f[:14+r.IntN(len(f)-13)]
		all = append(all, short)
		bent := append([]byte{}, f...)
		for range 3 {
			bent[r.IntN(len(bent))] ^= 1 << r.IntN(8)
		}
		all = append(all, bent)
	}
	return all
}

// tags is corpus on a trunk.
func tags() (all [][]byte) {
	for i, f := range corpus() {
		all = append(all, tag(0x8100, uint16(10+10*(i%3)), f))
	}
	return all
}
