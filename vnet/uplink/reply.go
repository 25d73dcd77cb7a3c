package uplink

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

const ttl = 64

// sendIPv4 sends a packet that the stack has no part in: to a card, from an
// address that need not be the router's.
func (r *Router) sendIPv4(mac tcpip.LinkAddress, from, to netip.Addr, proto tcpip.TransportProtocolNumber, payload []byte) {
	size := header.IPv4MinimumSize + len(payload)
	if size > int(r.port.MTU()) {
		return
	}
	frame := make([]byte, header.EthernetMinimumSize+size)
	header.Ethernet(frame).Encode(&header.EthernetFields{SrcAddr: r.port.LinkAddress(), DstAddr: mac, Type: header.IPv4ProtocolNumber})
	ip := header.IPv4(frame[header.EthernetMinimumSize:])
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(size), TTL: ttl, Protocol: uint8(proto), Flags: header.IPv4FlagDontFragment,
		SrcAddr: tcpip.AddrFrom4(from.As4()), DstAddr: tcpip.AddrFrom4(to.As4()),
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	copy(frame[header.EthernetMinimumSize+header.IPv4MinimumSize:], payload)
	_ = r.port.Send(frame) // fails when the router is being closed
}

// sendUDP sends a datagram from the router itself.
func (r *Router) sendUDP(mac tcpip.LinkAddress, from, to netip.AddrPort, data []byte) {
	b := make([]byte, header.UDPMinimumSize+len(data))
	u := header.UDP(b)
	u.Encode(&header.UDPFields{SrcPort: from.Port(), DstPort: to.Port(), Length: uint16(len(b))})
	copy(b[header.UDPMinimumSize:], data)
	sum := header.PseudoHeaderChecksum(header.UDPProtocolNumber, tcpip.AddrFrom4(from.Addr().As4()), tcpip.AddrFrom4(to.Addr().As4()), uint16(len(b)))
	u.SetChecksum(^u.CalculateChecksum(checksum.Checksum(data, sum)))
	r.sendIPv4(mac, from.Addr(), to.Addr(), header.UDPProtocolNumber, b)
}

// quotedBytes are quoted of a packet behind its IP header: its ports are among
// them, by which its sender knows it again.
const quotedBytes = 8

// sendUnreachable tells a guest that a destination is prohibited. packet is
// what it sent, from its IP header on. Linux ends a connection attempt with
// that at once, and ping says "Packet filtered".
func (r *Router) sendUnreachable(to netip.Addr, packet []byte) {
	mac, ok := r.hostMAC(to)
	if !ok || !r.meter.asked.Allow() { // an answer costs no more than a question
		return
	}
	const prohibited = 13 // communication administratively prohibited, RFC 1812
	quoted := packet[:min(len(packet), int(header.IPv4(packet).HeaderLength())+quotedBytes)]
	b := make([]byte, header.ICMPv4MinimumSize+len(quoted))
	m := header.ICMPv4(b)
	m.SetType(header.ICMPv4DstUnreachable)
	m.SetCode(prohibited)
	copy(b[header.ICMPv4MinimumSize:], quoted)
	m.SetChecksum(header.ICMPv4Checksum(m[:header.ICMPv4MinimumSize], checksum.Checksum(quoted, 0)))
	r.sendIPv4(mac, r.gateway, to, header.ICMPv4ProtocolNumber, b)
}
