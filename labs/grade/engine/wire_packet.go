package engine

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// Protocols of IP that answers come by.
const (
	protoICMP  = 1
	protoTCP   = 6
	protoUDP   = 17
	protoICMP6 = 58
)

// packet is an IP packet as a frame carries it, or as an ICMP error quotes it.
type packet struct {
	srcMAC, dstMAC net.HardwareAddr
	src, dst       netip.Addr
	proto          byte
	data           []byte // what follows the IP header; of a fragment, the first part
}

// parsePacket reads a frame; one that holds no IP packet, or a later fragment
// of one, is not ok.
func parsePacket(b []byte) (p packet, ok bool) {
	if len(b) < 14 {
		return p, false
	}
	p.dstMAC, p.srcMAC = b[0:6], b[6:12]
	kind := binary.BigEndian.Uint16(b[12:])
	for b = b[14:]; kind == 0x8100 || kind == 0x88a8; b = b[4:] {
		if len(b) < 4 {
			return p, false
		}
		kind = binary.BigEndian.Uint16(b[2:])
	}
	if kind != 0x0800 && kind != 0x86dd {
		return p, false
	}
	return p, p.parseIP(b, false)
}

// parseIP reads a packet from its IP header on. One that is quoted may be cut.
func (p *packet) parseIP(b []byte, quoted bool) bool {
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		size, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
		if quoted {
			total = min(total, len(b))
		}
		if size < 20 || total < size || total > len(b) || binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
			return false
		}
		p.src, p.dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
		p.proto, p.data = b[9], b[size:total]
	case len(b) >= 40 && b[0]>>4 == 6:
		total := 40 + int(binary.BigEndian.Uint16(b[4:]))
		if quoted {
			total = min(total, len(b))
		}
		if total > len(b) {
			return false
		}
		p.src, p.dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
		p.proto, p.data = b[6], b[40:total]
		if p.proto == 44 && len(p.data) >= 8 { // a fragment
			if binary.BigEndian.Uint16(p.data[2:])&^7 != 0 {
				return false
			}
			p.proto, p.data = p.data[0], p.data[8:]
		}
	default:
		return false
	}
	return true
}

// ports are those of TCP and UDP.
func (p *packet) ports() (src, dst uint16, ok bool) {
	if p.proto != protoTCP && p.proto != protoUDP || len(p.data) < 8 {
		return 0, 0, false
	}
	return binary.BigEndian.Uint16(p.data), binary.BigEndian.Uint16(p.data[2:]), true
}

// answersEcho says whether it is an answer to an echo request.
func (p *packet) answersEcho() bool {
	return len(p.data) >= 8 && (p.proto == protoICMP && p.data[0] == 0 || p.proto == protoICMP6 && p.data[0] == 129)
}

// quoted is the packet that an ICMP error tells of.
func (p *packet) quoted() (q packet, ok bool) {
	if len(p.data) < 8 {
		return q, false
	}
	switch {
	case p.proto == protoICMP && (p.data[0] == 3 || p.data[0] == 11):
	case p.proto == protoICMP6 && p.data[0] >= 1 && p.data[0] <= 4:
	default:
		return q, false
	}
	return q, q.parseIP(p.data[8:], true)
}

// segment is one of TCP.
type segment struct {
	seq, ack uint32
	flags    byte
	data     []byte
}

const (
	flagFIN = 1
	flagSYN = 2
	flagRST = 4
	flagACK = 16
)

func (p *packet) segment() (s segment, ok bool) {
	if p.proto != protoTCP || len(p.data) < 20 {
		return s, false
	}
	size := int(p.data[12]>>4) * 4
	if size < 20 || size > len(p.data) {
		return s, false
	}
	return segment{
		seq: binary.BigEndian.Uint32(p.data[4:]), ack: binary.BigEndian.Uint32(p.data[8:]),
		flags: p.data[13], data: p.data[size:],
	}, true
}
