package probe

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// Protocol numbers of IP.
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// packet is a frame that came, taken apart as far as it is well-formed. Its
// slices are parts of the frame: whoever keeps them copies them.
type packet struct {
	at       time.Time
	dst, src net.HardwareAddr
	kind     uint16 // EtherType

	body []byte // behind the Ethernet header

	// Of an IP packet alone.
	from, to netip.Addr
	ttl      uint8
	proto    uint8
	payload  []byte // of the transport protocol; of a fragment, what it has of it
	later    bool   // a fragment other than the first: payload begins in the midst
}

// dissect takes a frame apart.
func dissect(frame []byte, at time.Time) (p packet, ok bool) {
	if len(frame) < header.EthernetMinimumSize {
		return p, false
	}
	p.at = at
	p.dst, p.src, p.kind = frame[:6], frame[6:12], binary.BigEndian.Uint16(frame[12:])
	p.body = frame[header.EthernetMinimumSize:]
	switch p.kind {
	case uint16(header.IPv4ProtocolNumber):
		return p, p.ipv4(p.body) && header.IPv4(p.body).IsChecksumValid()
	case uint16(header.IPv6ProtocolNumber):
		return p, p.ipv6(p.body)
	}
	return p, true
}

// ipv4 fills in what an IPv4 packet says. Packets cut short, as ICMP quotes
// them, are taken too.
func (p *packet) ipv4(b []byte) bool {
	if len(b) < header.IPv4MinimumSize || b[0]>>4 != 4 {
		return false
	}
	h := header.IPv4(b)
	n := int(h.HeaderLength())
	if n < header.IPv4MinimumSize || n > len(b) || int(h.TotalLength()) < n {
		return false
	}
	p.from, _ = netip.AddrFromSlice(b[12:16])
	p.to, _ = netip.AddrFromSlice(b[16:20])
	p.ttl, p.proto, p.later = h.TTL(), h.Protocol(), h.FragmentOffset() != 0
	p.payload = b[n:min(len(b), int(h.TotalLength()))]
	return true
}

// ipv6 fills in what an IPv6 packet says, past the extension headers that a
// machine may put before the transport's.
func (p *packet) ipv6(b []byte) bool {
	if len(b) < header.IPv6MinimumSize || b[0]>>4 != 6 {
		return false
	}
	p.from, _ = netip.AddrFromSlice(b[8:24])
	p.to, _ = netip.AddrFromSlice(b[24:40])
	p.ttl, p.proto = b[7], b[6]
	length := int(binary.BigEndian.Uint16(b[4:]))
	b = b[header.IPv6MinimumSize:]
	b = b[:min(len(b), length)]
	for range 8 { // more than any machine sends
		switch p.proto {
		case 0, 43, 60: // hop-by-hop, routing, destination
			if len(b) < 8 || len(b) < 8+8*int(b[1]) {
				return false
			}
			p.proto, b = b[0], b[8+8*int(b[1]):]
			continue
		case 44: // fragment
			if len(b) < 8 {
				return false
			}
			p.later = binary.BigEndian.Uint16(b[2:])>>3 != 0
			p.proto, b = b[0], b[8:]
			if !p.later {
				continue
			}
		}
		break
	}
	p.payload = b
	return true
}

// icmp returns the ICMP error that the packet is, if it is one, with the
// packet that it quotes.
func (p *packet) icmp() (m ICMP, quoted packet, ok bool) {
	if p.later || len(p.payload) < 8 || p.proto != protoICMP && p.proto != protoICMPv6 {
		return m, quoted, false
	}
	b := p.payload
	m = ICMP{V6: p.proto == protoICMPv6, Type: b[0], Code: b[1], From: p.from, rest: binary.BigEndian.Uint32(b[4:])}
	if m.V6 != p.from.Is6() || !m.isError() || !p.sound() {
		return m, quoted, false
	}
	if m.V6 {
		ok = quoted.ipv6(b[8:])
	} else {
		ok = quoted.ipv4(b[8:])
	}
	return m, quoted, ok
}

// sound says that an ICMP message's checksum is right.
func (p *packet) sound() bool {
	sum := uint16(0)
	if p.proto == protoICMPv6 {
		sum = header.PseudoHeaderChecksum(header.ICMPv6ProtocolNumber, tcpipAddress(p.from), tcpipAddress(p.to), uint16(len(p.payload)))
	}
	return checksum.Checksum(p.payload, sum) == 0xffff
}

// ports returns the ports of a TCP or UDP packet.
func (p *packet) ports() (src, dst uint16, ok bool) {
	if p.later || len(p.payload) < 4 || p.proto != protoTCP && p.proto != protoUDP {
		return 0, 0, false
	}
	return binary.BigEndian.Uint16(p.payload), binary.BigEndian.Uint16(p.payload[2:]), true
}

// echo returns what an ICMP echo request (or reply) says.
func (p *packet) echo(reply bool) (ident, seq uint16, ok bool) {
	want := byte(header.ICMPv4Echo)
	switch {
	case p.proto == protoICMP && reply:
		want = byte(header.ICMPv4EchoReply)
	case p.proto == protoICMPv6 && reply:
		want = byte(header.ICMPv6EchoReply)
	case p.proto == protoICMPv6:
		want = byte(header.ICMPv6EchoRequest)
	case p.proto != protoICMP:
		return 0, 0, false
	}
	if p.later || len(p.payload) < 8 || p.payload[0] != want {
		return 0, 0, false
	}
	return binary.BigEndian.Uint16(p.payload[4:]), binary.BigEndian.Uint16(p.payload[6:]), true
}
