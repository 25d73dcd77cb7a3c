package uplink

import (
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

const (
	dhcpServer = 67
	dhcpClient = 68
)

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// isDHCP says whether a packet is a question for the DHCP server. What is in
// fragments is none: no client's message is that long.
func (r *Router) isDHCP(h header.IPv4, pkt *stack.PacketBuffer) bool {
	if h.TransportProtocol() != header.UDPProtocolNumber || h.More() || h.FragmentOffset() != 0 {
		return false
	}
	to := addrOf(h.DestinationAddress())
	if to != broadcast && to != r.gateway && to != last(r.prefix) {
		return false
	}
	n := int(h.HeaderLength()) + header.UDPMinimumSize
	if int(h.TotalLength()) < n {
		return false // what follows in the frame is no part of the packet
	}
	data, ok := pkt.Data().PullUp(n)
	return ok && header.UDP(data[h.HeaderLength():]).DestinationPort() == dhcpServer
}

// takeDHCP answers a question. It is called by the port's reader alone.
func (r *Router) takeDHCP(pkt *stack.PacketBuffer) {
	data, ok := pkt.Data().PullUp(pkt.Data().Size())
	if !ok {
		return
	}
	h := header.IPv4(data)
	ask, err := dhcpv4.FromBytes(data[int(h.HeaderLength())+header.UDPMinimumSize : h.TotalLength()])
	if err != nil || ask.OpCode != dhcpv4.OpcodeBootRequest || len(ask.ClientHWAddr) != header.EthernetAddressSize || ask.ClientHWAddr[0]&1 != 0 {
		return
	}
	answer := r.answerDHCP(ask, time.Now())
	if answer == nil {
		return
	}
	to := netip.AddrPortFrom(broadcast, dhcpClient)
	mac := header.EthernetBroadcastAddress
	yours, _ := netip.AddrFromSlice(answer.YourIPAddr.To4())
	if answer.MessageType() != dhcpv4.MessageTypeNak && !ask.IsBroadcast() && yours.Is4() && !yours.IsUnspecified() {
		to, mac = netip.AddrPortFrom(yours, dhcpClient), tcpip.LinkAddress(ask.ClientHWAddr)
	}
	r.sendUDP(mac, netip.AddrPortFrom(r.gateway, dhcpServer), to, answer.ToBytes())
}

// answerDHCP is what a client hears; nil is nothing.
func (r *Router) answerDHCP(ask *dhcpv4.DHCPv4, now time.Time) *dhcpv4.DHCPv4 {
	card := string(ask.ClientHWAddr)
	if id := ask.ServerIdentifier(); id != nil && !id.Equal(r.gateway.AsSlice()) {
		return nil // it has taken another server's offer
	}
	// When Linux asks again for what it has, the address is in the header.
	wish, _ := netip.AddrFromSlice(ask.RequestedIPAddress().To4())
	if !wish.IsValid() {
		wish, _ = netip.AddrFromSlice(ask.ClientIPAddr.To4())
	}
	switch ask.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		a, ok := r.leases.offer(card, wish, now)
		if !ok {
			if !r.leases.full { // said once: a guest must not be able to fill the log
				r.leases.full = true
				r.log.Warn("the uplink has no address left to give out", "for", ask.ClientHWAddr.String())
			}
			return nil
		}
		r.leases.grant(card, a, now.Add(time.Minute)) // held until it is asked for
		return r.reply(ask, dhcpv4.MessageTypeOffer, a)
	case dhcpv4.MessageTypeRequest:
		if !r.leases.may(card, wish, now) {
			return r.reply(ask, dhcpv4.MessageTypeNak, netip.Addr{})
		}
		r.leases.grant(card, wish, now.Add(leaseTime))
		return r.reply(ask, dhcpv4.MessageTypeAck, wish)
	case dhcpv4.MessageTypeDecline:
		r.leases.decline(card, now)
	case dhcpv4.MessageTypeRelease:
		r.leases.release(card, now)
	case dhcpv4.MessageTypeInform:
		return r.reply(ask, dhcpv4.MessageTypeAck, netip.Addr{})
	}
	return nil
}

// reply makes an answer that gives out a, unless that is the zero Addr.
func (r *Router) reply(ask *dhcpv4.DHCPv4, kind dhcpv4.MessageType, a netip.Addr) *dhcpv4.DHCPv4 {
	self := net.IP(r.gateway.AsSlice())
	options := []dhcpv4.Modifier{
		dhcpv4.WithMessageType(kind),
		dhcpv4.WithServerIP(self),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(self)),
	}
	if kind != dhcpv4.MessageTypeNak {
		options = append(options,
			dhcpv4.WithNetmask(net.CIDRMask(r.prefix.Bits(), 32)),
			dhcpv4.WithRouter(self), dhcpv4.WithDNS(self),
			dhcpv4.WithGeneric(dhcpv4.OptionInterfaceMTU, []byte{byte(r.port.MTU() >> 8), byte(r.port.MTU())}))
	}
	if a.IsValid() {
		options = append(options, dhcpv4.WithYourIP(a.AsSlice()), dhcpv4.WithLeaseTime(uint32(leaseTime.Seconds())))
	}
	answer, err := dhcpv4.NewReplyFromRequest(ask, options...)
	if err != nil {
		r.log.Debug("answering DHCP", "err", err)
		return nil
	}
	return answer
}
