package probe

import (
	"bytes"
	"cmp"
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// Ask is how Neighbours asks.
type Ask struct {
	Count    int           // requests; 0 means 1
	Interval time.Duration // between them; 0 means 1 s
	Wait     time.Duration // for answers, from the last request on; 0 means 1 s
}

// Claim is one machine's claim to an address.
type Claim struct {
	MAC     net.HardwareAddr // that it says the address is at
	Sender  net.HardwareAddr // that its frames came from: another's than MAC is odd
	RTT     time.Duration    // of its first answer
	Answers int
}

// Neighbours asks the segment who has an address, by ARP or, for IPv6, by
// neighbour discovery, and waits for all who answer: more than one Claim is a
// duplicate address or somebody who pretends. They are in the order in which
// they came. That nobody answers is an Error of the cause NoNeighbour.
//
// The question is asked from the Host's address in the same network, or else
// from any it has; without one, as a machine asks that is about to take the
// address itself.
func (h *Host) Neighbours(ctx context.Context, addr netip.Addr, o Ask) ([]Claim, error) {
	a := asked{"ask who has", addr.String()}
	if !addr.IsValid() || addr.Is4In6() || addr.IsMulticast() || addr.IsUnspecified() {
		return nil, a.fault(nil, "no machine has such an address")
	}
	addr = addr.WithZone("")
	ctx, end, err := h.begin(ctx, a)
	if err != nil {
		return nil, err
	}
	defer end()
	o.Count = cmp.Or(max(o.Count, 0), 1)
	o.Interval, o.Wait = cmp.Or(o.Interval, time.Second), cmp.Or(o.Wait, time.Second)

	type answer struct {
		mac, sender net.HardwareAddr
		at          time.Time
	}
	question, claims := h.arpRequest(addr), arpClaim
	if addr.Is6() {
		question, claims = h.solicitation(addr), ndpClaim
	}
	answers, stop := watch(h, func(p *packet) (answer, bool) {
		mac, ok := claims(p, addr)
		return answer{bytes.Clone(mac), bytes.Clone(p.src), p.at}, ok
	})
	defer stop()

	begun := time.Now()
	last := begun
	var found []Claim
	count := func(n answer) {
		i := slices.IndexFunc(found, func(c Claim) bool { return bytes.Equal(c.MAC, n.mac) && bytes.Equal(c.Sender, n.sender) })
		if i < 0 {
			i = len(found)
			found = append(found, Claim{MAC: n.mac, Sender: n.sender, RTT: n.at.Sub(last)})
		}
		found[i].Answers++
	}
	for i := range o.Count {
		last = time.Now()
		if err := h.port.Send(question); err != nil {
			return nil, a.fault(err, "sending the question")
		}
		wait := o.Interval
		if i == o.Count-1 {
			wait = o.Wait
		}
		timer := time.NewTimer(wait)
	collect:
		for {
			select {
			case n := <-answers:
				count(n)
			case <-timer.C:
				break collect
			case <-ctx.Done():
				timer.Stop()
				if len(found) == 0 {
					err := h.over(ctx, a, begun, "nobody answered %d requests", i+1)
					if err.Cause == Silence {
						err.Cause = NoNeighbour
					}
					return nil, err
				}
				return found, nil
			}
		}
	}
	if len(found) == 0 {
		if err := h.broken(); err != nil {
			return nil, a.fault(err, "the probe's port has ended")
		}
		return nil, a.found(NoNeighbour, netip.Addr{}, "nobody answered %d %s requests within %v",
			o.Count, resolver(addr), time.Since(begun).Round(time.Millisecond))
	}
	return found, nil
}

func resolver(a netip.Addr) string {
	if a.Is4() {
		return "ARP"
	}
	return "neighbour discovery"
}

// near is the Host's address to ask a neighbour from.
func (h *Host) near(addr netip.Addr) (netip.Addr, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var any netip.Addr
	for _, p := range h.nets {
		if p.Addr().Is4() == addr.Is4() && p.Addr() != addr {
			if p.Contains(addr) {
				return p.Addr(), true
			}
			if !any.IsValid() {
				any = p.Addr()
			}
		}
	}
	return any, any.IsValid()
}

// arpRequest is the frame that asks for an IPv4 address.
func (h *Host) arpRequest(addr netip.Addr) []byte {
	b := make([]byte, header.EthernetMinimumSize+header.ARPSize)
	header.Ethernet(b).Encode(&header.EthernetFields{
		SrcAddr: tcpip.LinkAddress(h.mac), DstAddr: header.EthernetBroadcastAddress, Type: header.ARPProtocolNumber,
	})
	q := header.ARP(b[header.EthernetMinimumSize:])
	q.SetIPv4OverEthernet()
	q.SetOp(header.ARPRequest)
	copy(q.HardwareAddressSender(), h.mac)
	if from, ok := h.near(addr); ok {
		copy(q.ProtocolAddressSender(), from.AsSlice())
	}
	copy(q.ProtocolAddressTarget(), addr.AsSlice())
	return b
}

// arpClaim returns the address that a reply, or an announcement, says addr is
// at.
func arpClaim(p *packet, addr netip.Addr) (net.HardwareAddr, bool) {
	q := header.ARP(p.body)
	if p.kind != uint16(header.ARPProtocolNumber) || !q.IsValid() || !bytes.Equal(q.ProtocolAddressSender(), addr.AsSlice()) {
		return nil, false
	}
	announced := bytes.Equal(q.ProtocolAddressSender(), q.ProtocolAddressTarget())
	return q.HardwareAddressSender(), q.Op() == header.ARPReply || announced
}

// solicitation is the frame that asks for an IPv6 address.
func (h *Host) solicitation(addr netip.Addr) []byte {
	from, ok := h.near(addr)
	if !ok {
		from = h.linkLocal().Addr()
	}
	to := header.SolicitedNodeAddr(tcpipAddress(addr))
	const size = header.ICMPv6NeighborSolicitMinimumSize + 8
	b := make([]byte, header.EthernetMinimumSize+header.IPv6MinimumSize+size)
	header.Ethernet(b).Encode(&header.EthernetFields{
		SrcAddr: tcpip.LinkAddress(h.mac), DstAddr: header.EthernetAddressFromMulticastIPv6Address(to), Type: header.IPv6ProtocolNumber,
	})
	header.IPv6(b[header.EthernetMinimumSize:]).Encode(&header.IPv6Fields{
		PayloadLength: size, TransportProtocol: header.ICMPv6ProtocolNumber, HopLimit: header.NDPHopLimit,
		SrcAddr: tcpipAddress(from), DstAddr: to,
	})
	m := header.ICMPv6(b[header.EthernetMinimumSize+header.IPv6MinimumSize:])
	m.SetType(header.ICMPv6NeighborSolicit)
	ns := header.NDPNeighborSolicit(m.MessageBody())
	ns.SetTargetAddress(tcpipAddress(addr))
	ns.Options().Serialize(header.NDPOptionsSerializer{header.NDPSourceLinkLayerAddressOption(tcpip.LinkAddress(h.mac))})
	m.SetChecksum(header.ICMPv6Checksum(header.ICMPv6ChecksumParams{Header: m, Src: tcpipAddress(from), Dst: to}))
	return b
}

// ndpClaim returns the address that an advertisement says addr is at.
func ndpClaim(p *packet, addr netip.Addr) (net.HardwareAddr, bool) {
	const fixed = 24 // type, code, checksum, flags, target
	b := p.payload
	if p.proto != protoICMPv6 || p.later || len(b) < fixed || b[0] != byte(header.ICMPv6NeighborAdvert) ||
		p.ttl != header.NDPHopLimit || !bytes.Equal(b[8:24], addr.AsSlice()) || !p.sound() {
		return nil, false
	}
	mac := p.src
	for o := b[fixed:]; len(o) >= 8 && o[1] != 0 && len(o) >= 8*int(o[1]); o = o[8*int(o[1]):] {
		if o[0] == 2 && o[1] == 1 { // target's link-layer address
			mac = net.HardwareAddr(o[2:8])
		}
	}
	return mac, true
}

// meet finds the neighbour by which a target is reached, as the stack would at
// its first packet. What it finds the stack remembers.
func (h *Host) meet(ctx context.Context, a asked, to netip.Addr) error {
	hop, err := h.nextHop(a, to)
	if err != nil || !hop.IsValid() {
		return err
	}
	from, ok := h.source(to)
	if !ok {
		return a.fault(nil, "the probe has no address to speak from")
	}
	begun := time.Now()
	met := make(chan stack.LinkResolutionResult, 1)
	terr := h.stack.GetLinkAddress(nic, tcpipAddress(hop), tcpipAddress(from), network(hop), func(r stack.LinkResolutionResult) { met <- r })
	if _, later := terr.(*tcpip.ErrWouldBlock); terr != nil && !later {
		return a.fault(stackError(terr), "asking for the neighbour %v", hop)
	}
	who := hop.String()
	if hop != to {
		who += ", the router on the way"
	}
	select {
	case r := <-met:
		if r.Err == nil {
			return nil
		}
		if err := h.broken(); err != nil {
			return a.fault(err, "the probe's port has ended")
		}
		return a.found(NoNeighbour, netip.Addr{}, "nobody answered %s for %s within %v", resolver(hop), who, time.Since(begun).Round(time.Millisecond))
	case <-ctx.Done():
		err := h.over(ctx, a, begun, "nobody answered %s for %s", resolver(hop), who)
		if err.Cause == Silence {
			err.Cause = NoNeighbour
		}
		return err
	}
}
