package uplink

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/patchbay/patchbay/vnet/outside"
	"github.com/patchbay/patchbay/vnet/stackport"
)

// gate stands between the port and the stack. The stack believes every address
// to be its own; the gate keeps from it what would make it answer for the
// segment's other machines.
type gate struct {
	*stackport.Port
	router *Router
}

// Attach implements stack.NetworkLinkEndpoint.
func (g *gate) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		g.Port.Attach(nil)
		return
	}
	g.Port.Attach(&turnstile{d, g.router})
}

// turnstile lets packets through the gate. It is called by the port's reader.
type turnstile struct {
	stack.NetworkDispatcher
	router *Router
}

// DeliverNetworkPacket implements stack.NetworkDispatcher.
func (t *turnstile) DeliverNetworkPacket(proto tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	switch proto {
	case header.ARPProtocolNumber:
		if t.router.letARP(pkt) {
			t.NetworkDispatcher.DeliverNetworkPacket(proto, pkt)
		}
	case header.IPv4ProtocolNumber:
		if t.router.letIPv4(pkt) {
			t.NetworkDispatcher.DeliverNetworkPacket(proto, pkt)
		}
	}
}

func addrOf(a tcpip.Address) netip.Addr { return netip.AddrFrom4(a.As4()) }

// letARP lets through questions for the router, and answers.
func (r *Router) letARP(pkt *stack.PacketBuffer) bool {
	data, ok := pkt.Data().PullUp(header.ARPSize)
	if !ok {
		return false
	}
	h := header.ARP(data)
	if !h.IsValid() || header.IsMulticastEthernetAddress(tcpip.LinkAddress(h.HardwareAddressSender())) {
		return false
	}
	from := netip.AddrFrom4([4]byte(h.ProtocolAddressSender()))
	// 0.0.0.0 asks whether an address is free.
	if !r.neighbour(from) && !(from.IsUnspecified() && h.Op() == header.ARPRequest) {
		return false
	}
	return h.Op() == header.ARPReply || netip.AddrFrom4([4]byte(h.ProtocolAddressTarget())) == r.gateway
}

// neighbour says whether an address may be a guest's.
func (r *Router) neighbour(a netip.Addr) bool {
	return r.prefix.Contains(a) && a != r.gateway && a != r.prefix.Addr() && a != last(r.prefix)
}

// letIPv4 lets through what a guest of this segment sends to the router or to
// the outside. DHCP is answered here: who asks has no address yet.
func (r *Router) letIPv4(pkt *stack.PacketBuffer) bool {
	size := pkt.Data().Size()
	data, ok := pkt.Data().PullUp(min(size, header.IPv4MaximumHeaderSize+quotedBytes))
	if !ok || size < header.IPv4MinimumSize {
		return false
	}
	h := header.IPv4(data)
	if !h.IsValid(size) {
		return false
	}
	from, to := addrOf(h.SourceAddress()), addrOf(h.DestinationAddress())
	if r.isDHCP(h, pkt) {
		r.takeDHCP(pkt)
		return false
	}
	if !r.neighbour(from) || pkt.PktType != tcpip.PacketHost {
		return false
	}
	r.learn(from, header.Ethernet(pkt.LinkHeader().Slice()).SourceAddress())
	if to == r.gateway {
		return true
	}
	// What is for another machine here came by mistake, or to get past a lab's
	// own wiring.
	return !r.prefix.Contains(to) && !outside.Never(netip.PrefixFrom(to, 32)).IsValid() || r.tell(from, to, data)
}

// learn notes which card an address is on, for answers that the stack does not
// send.
func (r *Router) learn(a netip.Addr, mac tcpip.LinkAddress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.hosts) < maxHosts || r.hosts[a] != "" {
		r.hosts[a] = mac
	}
}

func (r *Router) hostMAC(a netip.Addr) (tcpip.LinkAddress, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	mac, ok := r.hosts[a]
	return mac, ok
}

const maxHosts = 1024

// tell says that a destination is never reached, whatever its port. It lets
// nothing through.
func (r *Router) tell(from, to netip.Addr, packet []byte) bool {
	if r.prefix.Contains(to) || to.IsMulticast() || to == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return false
	}
	r.deny(to.String())
	r.sendUnreachable(from, packet)
	return false
}

// last is the highest address of a network, its broadcast address.
func last(p netip.Prefix) netip.Addr {
	a := p.Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		a[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(a)
}
