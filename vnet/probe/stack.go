package probe

import (
	"errors"
	"net/netip"
	"slices"

	"golang.org/x/time/rate"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

const nic tcpip.NICID = 1

// Buffers of TCP, as a machine of 64 MiB has them.
const (
	minBuffer  = 4 << 10
	recvBuffer = 128 << 10
	sendBuffer = 64 << 10
	maxBuffer  = 6 << 20
)

// stackError is what gVisor says, as an error.
func stackError(err tcpip.Error) error {
	if err == nil {
		return nil
	}
	return errors.New(err.String())
}

func tcpipAddress(a netip.Addr) tcpip.Address { return tcpip.AddrFromSlice(a.WithZone("").AsSlice()) }

func fullAddress(a netip.AddrPort) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: nic, Addr: tcpipAddress(a.Addr()), Port: a.Port()}
}

func network(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Is4() {
		return ipv4.ProtocolNumber
	}
	return ipv6.ProtocolNumber
}

// checkAddresses checks the options and puts the Host's addresses and routes
// together.
func (h *Host) checkAddresses(a asked) error {
	v6 := false
	for _, p := range h.o.Addresses {
		addr := p.Addr()
		if !p.IsValid() || addr.Is4In6() || addr.IsMulticast() || addr.IsUnspecified() || addr.IsLoopback() {
			return a.fault(nil, "%v is not an address that a machine has", p)
		}
		v6 = v6 || addr.Is6()
		h.nets = append(h.nets, netip.PrefixFrom(addr.WithZone(""), p.Bits()))
	}
	if v6 && !slices.ContainsFunc(h.nets, func(p netip.Prefix) bool { return p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() }) {
		h.nets = append(h.nets, h.linkLocal())
	}
	h.routes = slices.Clone(h.o.Routes)
	if g := h.o.Gateway; g.IsValid() {
		to := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if g.Is6() {
			to = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		h.routes = append(h.routes, Route{To: to, Via: g})
	}
	for _, r := range h.routes {
		switch {
		case !r.To.IsValid() || !r.Via.IsValid() || r.To.Addr().Is4() != r.Via.Is4():
			return a.fault(nil, "%v via %v is no route", r.To, r.Via)
		case !h.onLink(r.Via):
			return a.fault(nil, "the router %v for %v is not on the segment that the addresses %v are on", r.Via, r.To, h.nets)
		}
	}
	h.sortRoutes()
	return nil
}

func (h *Host) sortRoutes() {
	slices.SortStableFunc(h.routes, func(a, b Route) int { return b.To.Bits() - a.To.Bits() })
}

// linkLocal is the IPv6 address that a Linux machine makes from its MAC.
func (h *Host) linkLocal() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16(header.LinkLocalAddr(tcpip.LinkAddress(h.mac)).As16()), 64)
}

// onLink says that an address is reached without a router.
func (h *Host) onLink(a netip.Addr) bool {
	if a.Is6() && (a.IsLinkLocalUnicast() || a.IsMulticast()) {
		return true
	}
	return slices.ContainsFunc(h.nets, func(p netip.Prefix) bool { return p.Contains(a.WithZone("")) })
}

// start makes the stack. It sends nothing: no duplicate address detection, no
// router solicitation, no membership report.
func (h *Host) start(a asked) error {
	h.stack = stack.New(stack.Options{
		NetworkProtocols: []stack.NetworkProtocolFactory{
			arp.NewProtocol,
			ipv4.NewProtocol,
			ipv6.NewProtocolWithOptions(ipv6.Options{
				NDPConfigs: ipv6.NDPConfigurations{HandleRAs: ipv6.HandlingRAsDisabled},
			}),
		},
		TransportProtocols: []stack.TransportProtocolFactory{
			tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6,
		},
	})
	h.stack.SetICMPLimit(rate.Inf) // Linux answers every ping
	if err := h.stack.SetPortRange(32768, 60999); err != nil {
		return a.fault(stackError(err), "setting up ports")
	}
	sack, moderate, cubic := tcpip.TCPSACKEnabled(true), tcpip.TCPModerateReceiveBufferOption(true), tcpip.CongestionControlOption("cubic")
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: minBuffer, Default: recvBuffer, Max: maxBuffer}
	send := tcpip.TCPSendBufferSizeRangeOption{Min: minBuffer, Default: sendBuffer, Max: maxBuffer}
	for _, o := range []tcpip.SettableTransportProtocolOption{&sack, &moderate, &cubic, &receive, &send} {
		if err := h.stack.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return a.fault(stackError(err), "setting up TCP")
		}
	}
	if err := h.stack.CreateNIC(nic, h.port); err != nil {
		return a.fault(stackError(err), "setting up the interface")
	}
	for _, p := range h.nets {
		if err := h.addAddress(p); err != nil {
			return a.fault(err, "setting the address %v", p)
		}
	}
	h.setRoutes()
	return nil
}

func (h *Host) addAddress(p netip.Prefix) error {
	return stackError(h.stack.AddProtocolAddress(nic, tcpip.ProtocolAddress{
		Protocol:          network(p.Addr()),
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpipAddress(p.Addr()), PrefixLen: p.Bits()},
	}, stack.AddressProperties{}))
}

// setRoutes tells the stack of h.nets and h.routes, the longest prefixes first.
func (h *Host) setRoutes() {
	type entry struct {
		bits int
		tcpip.Route
	}
	var table []entry
	add := func(p netip.Prefix, via netip.Addr) {
		r := tcpip.Route{NIC: nic, Destination: tcpip.AddressWithPrefix{Address: tcpipAddress(p.Addr()), PrefixLen: p.Bits()}.Subnet()}
		if via.IsValid() {
			r.Gateway = tcpipAddress(via)
		}
		table = append(table, entry{p.Bits(), r})
	}
	for _, p := range h.nets {
		add(p, netip.Addr{})
	}
	for _, p := range []string{"255.255.255.255/32", "224.0.0.0/4", "ff00::/8", "fe80::/64"} {
		add(netip.MustParsePrefix(p), netip.Addr{})
	}
	for _, r := range h.routes {
		add(r.To, r.Via)
	}
	slices.SortStableFunc(table, func(a, b entry) int { return b.bits - a.bits })
	var routes []tcpip.Route
	for _, e := range table {
		routes = append(routes, e.Route)
	}
	h.stack.SetRouteTable(routes)
}

// source is the address that the Host would speak from to a target.
func (h *Host) source(to netip.Addr) (netip.Addr, bool) {
	r, err := h.stack.FindRoute(nic, tcpip.Address{}, tcpipAddress(to), network(to), false)
	if err != nil {
		return netip.Addr{}, false
	}
	defer r.Release()
	from := r.LocalAddress()
	return netip.AddrFromSlice(from.AsSlice())
}

// nextHop is the neighbour by which a target is reached: itself, a router, or
// none for a group.
func (h *Host) nextHop(a asked, to netip.Addr) (netip.Addr, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	to = to.WithZone("")
	if !slices.ContainsFunc(h.nets, func(p netip.Prefix) bool { return p.Addr().Is4() == to.Is4() }) {
		return netip.Addr{}, a.fault(nil, "the probe has no address of the same version of IP to speak from")
	}
	if slices.ContainsFunc(h.nets, func(p netip.Prefix) bool { return p.Addr() == to }) {
		return netip.Addr{}, a.fault(nil, "that is the probe's own address")
	}
	if to.IsMulticast() || to == netip.AddrFrom4([4]byte{255, 255, 255, 255}) || h.isBroadcast(to) {
		return netip.Addr{}, nil
	}
	// As in the stack's table the longest prefix decides, a network before a
	// route of the same length.
	bits, hop := -1, netip.Addr{}
	if to.Is6() && to.IsLinkLocalUnicast() {
		bits, hop = 64, to
	}
	for _, p := range h.nets {
		if p.Contains(to) && p.Bits() > bits {
			bits, hop = p.Bits(), to
		}
	}
	for _, r := range h.routes {
		if r.To.Contains(to) && r.To.Bits() > bits {
			bits, hop = r.To.Bits(), r.Via.WithZone("")
		}
	}
	if bits < 0 {
		return hop, a.fault(nil, "the probe, with addresses %v, has no route there", h.nets)
	}
	return hop, nil
}

// isBroadcast says that an address is the last of one of the Host's networks.
func (h *Host) isBroadcast(to netip.Addr) bool {
	return to.Is4() && slices.ContainsFunc(h.nets, func(p netip.Prefix) bool {
		if !p.Contains(to) || p.Bits() > 30 {
			return false
		}
		subnet := tcpip.AddressWithPrefix{Address: tcpipAddress(p.Addr()), PrefixLen: p.Bits()}.Subnet()
		return subnet.Broadcast() == tcpipAddress(to)
	})
}
