package probe

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// DHCP is how Host.DHCP asks for an address.
type DHCP struct {
	Hostname string        // told to the server; "" says nothing
	Timeout  time.Duration // for one attempt; 0 means 2 s
	Tries    int           // of each question; 0 means 3

	// Others is how long further offers are waited for after the first, to
	// find servers that should not be there; 0 does not wait.
	Others time.Duration
}

// Offer is what one DHCP server would give.
type Offer struct {
	Server  netip.Addr
	MAC     net.HardwareAddr // that the offer came from
	Address netip.Prefix
	Routers []netip.Addr
	DNS     []netip.Addr
	Domain  string
	Time    time.Duration // of the lease
}

// Lease is the offer that was taken, as the server confirmed it.
type Lease struct {
	Offer
	Offers []Offer // all, the taken one first
}

const (
	dhcpServer = 67
	dhcpClient = 68
)

// DHCP gets an IPv4 address as a machine would: it takes the first offer and
// from then on has its address, default router and DNS server beside what it
// had. It neither renews a lease nor gives it back.
func (h *Host) DHCP(ctx context.Context, o DHCP) (Lease, error) {
	a := asked{op: "get an address by DHCP"}
	ctx, end, err := h.begin(ctx, a)
	if err != nil {
		return Lease{}, err
	}
	defer end()
	d := leasing{h: h, a: a, o: o, begun: time.Now()}
	d.o.Timeout, d.o.Tries = cmp.Or(o.Timeout, 2*time.Second), cmp.Or(max(o.Tries, 0), 3)
	lease, err := d.run(ctx)
	if err != nil {
		return lease, err
	}
	if err := h.take(lease.Offer); err != nil {
		return lease, a.fault(err, "taking the address %v", lease.Address)
	}
	return lease, nil
}

type leasing struct {
	h      *Host
	a      asked
	o      DHCP
	begun  time.Time
	strays int
	heard  <-chan letter
}

// letter is a message of a server.
type letter struct {
	*dhcpv4.DHCPv4
	from netip.Addr
	mac  net.HardwareAddr
	odd  bool // no DHCP after all
}

func (l letter) offer() Offer {
	ones, _ := l.SubnetMask().Size()
	addr, _ := netip.AddrFromSlice(l.YourIPAddr.To4())
	f := Offer{Server: l.from, MAC: l.mac, Address: netip.PrefixFrom(addr, ones), Domain: l.DomainName(), Time: l.IPAddressLeaseTime(0)}
	if s, ok := netip.AddrFromSlice(l.ServerIdentifier().To4()); ok {
		f.Server = s
	}
	f.Routers, f.DNS = list(l.Router()), list(l.DNS())
	return f
}

// sound says that an offer can be taken.
func (f Offer) sound() bool {
	a := f.Address.Addr()
	return f.Server.IsValid() && a.Is4() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && f.Address.Bits() > 0
}

func list(ips []net.IP) (as []netip.Addr) {
	for _, ip := range ips {
		if a, ok := netip.AddrFromSlice(ip.To4()); ok {
			as = append(as, a)
		}
	}
	return as
}

func (d *leasing) run(ctx context.Context) (lease Lease, err error) {
	discover, err := dhcpv4.NewDiscovery(d.h.mac, d.options()...)
	if err != nil {
		return lease, d.a.fault(err, "making the question")
	}
	var stop func()
	d.heard, stop = watch(d.h, func(p *packet) (letter, bool) { return hear(p, discover.TransactionID, d.h.mac) })
	defer stop()

	first, err := d.exchange(ctx, discover, dhcpv4.MessageTypeOffer)
	if err != nil {
		return lease, err
	}
	lease.Offer = first.offer()
	lease.Offers = append([]Offer{lease.Offer}, d.others(ctx)...)
	if !lease.Offer.sound() {
		return lease, d.a.found(Broken, lease.Server, "%s offers %v, which no machine can have", lease.Server, lease.Address)
	}
	request, err := dhcpv4.NewRequestFromOffer(first.DHCPv4, d.options()...)
	if err != nil {
		return lease, d.a.found(Broken, lease.Server, "the offer of %s cannot be answered: %v", lease.Server, err)
	}
	// The addresses and lists of a confirmation count, should they differ.
	ack, err := d.exchange(ctx, request, dhcpv4.MessageTypeAck)
	if err != nil {
		return lease, err
	}
	lease.Offer = ack.offer()
	if !lease.Offer.sound() {
		return lease, d.a.found(Broken, lease.Server, "%s confirms %v, which no machine can have", lease.Server, lease.Address)
	}
	return lease, nil
}

func (d *leasing) options() []dhcpv4.Modifier {
	if d.o.Hostname == "" {
		return nil
	}
	return []dhcpv4.Modifier{dhcpv4.WithOption(dhcpv4.OptHostName(d.o.Hostname))}
}

// exchange sends a message until an answer of a kind comes.
func (d *leasing) exchange(ctx context.Context, m *dhcpv4.DHCPv4, want dhcpv4.MessageType) (letter, error) {
	for range d.o.Tries {
		if err := d.h.port.Send(d.h.dhcpFrame(m.ToBytes())); err != nil {
			return letter{}, d.a.fault(err, "sending the question")
		}
		timer := time.NewTimer(d.o.Timeout)
		for again := false; !again; {
			select {
			case l := <-d.heard:
				switch {
				case l.odd:
					d.strays++
				case l.MessageType() == want:
					timer.Stop()
					return l, nil
				case l.MessageType() == dhcpv4.MessageTypeNak && want == dhcpv4.MessageTypeAck:
					timer.Stop()
					return letter{}, d.a.found(Refused, l.from, "%s took its offer back (NAK) %s", l.from, l.Message())
				}
			case <-timer.C:
				again = true
			case <-d.h.port.Done():
				timer.Stop()
				return letter{}, d.a.fault(d.h.broken(), "the probe's port has ended")
			case <-ctx.Done():
				timer.Stop()
				return letter{}, d.h.over(ctx, d.a, d.begun, "no %s came", want)
			}
		}
	}
	after := time.Since(d.begun).Round(time.Millisecond)
	if d.strays > 0 {
		return letter{}, d.a.found(Broken, netip.Addr{}, "%d answers came that are no DHCP, and no %s within %v", d.strays, want, after)
	}
	return letter{}, d.a.found(Silence, netip.Addr{}, "no %s came to %d questions within %v", want, d.o.Tries, after)
}

// others waits for offers of further servers.
func (d *leasing) others(ctx context.Context) (offers []Offer) {
	if d.o.Others <= 0 {
		return nil
	}
	timer := time.NewTimer(d.o.Others)
	defer timer.Stop()
	for len(offers) < watched {
		select {
		case l := <-d.heard:
			if !l.odd && l.MessageType() == dhcpv4.MessageTypeOffer {
				offers = append(offers, l.offer())
			}
		case <-timer.C:
			return offers
		case <-ctx.Done():
			return offers
		}
	}
	return offers
}

// hear takes a packet for a server's message.
func hear(p *packet, id dhcpv4.TransactionID, mac net.HardwareAddr) (l letter, ok bool) {
	src, dst, ok := p.ports()
	if !ok || p.proto != protoUDP || src != dhcpServer || dst != dhcpClient || len(p.payload) < 8 {
		return l, false
	}
	l = letter{from: p.from, mac: bytes.Clone(p.src)}
	m, err := dhcpv4.FromBytes(bytes.Clone(p.payload[8:]))
	if err != nil || m.OpCode != dhcpv4.OpcodeBootReply {
		l.odd = true
		return l, true
	}
	l.DHCPv4 = m
	return l, m.TransactionID == id && bytes.Equal(m.ClientHWAddr, mac)
}

// dhcpFrame is a message to all from one who has no address.
func (h *Host) dhcpFrame(m []byte) []byte {
	const head = header.EthernetMinimumSize + header.IPv4MinimumSize + header.UDPMinimumSize
	b := make([]byte, head+len(m))
	header.Ethernet(b).Encode(&header.EthernetFields{
		SrcAddr: tcpip.LinkAddress(h.mac), DstAddr: header.EthernetBroadcastAddress, Type: header.IPv4ProtocolNumber,
	})
	all := tcpip.AddrFrom4([4]byte{255, 255, 255, 255})
	none := tcpip.AddrFrom4([4]byte{})
	ip := header.IPv4(b[header.EthernetMinimumSize:])
	ip.Encode(&header.IPv4Fields{TotalLength: uint16(len(ip)), TTL: 64, Protocol: protoUDP, SrcAddr: none, DstAddr: all})
	ip.SetChecksum(^ip.CalculateChecksum())
	u := header.UDP(b[header.EthernetMinimumSize+header.IPv4MinimumSize:])
	copy(b[head:], m)
	u.Encode(&header.UDPFields{SrcPort: dhcpClient, DstPort: dhcpServer, Length: uint16(len(u))})
	sum := header.PseudoHeaderChecksum(header.UDPProtocolNumber, none, all, uint16(len(u)))
	sum = ^u.CalculateChecksum(checksum.Checksum(m, sum))
	binary.BigEndian.PutUint16(u[6:], cmp.Or(sum, 0xffff))
	return b
}

// take makes an offer's address, router and server the Host's.
func (h *Host) take(f Offer) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.nets {
		if p.Addr() == f.Address.Addr() {
			return nil
		}
	}
	if err := h.addAddress(f.Address); err != nil {
		return err
	}
	h.nets = append(h.nets, f.Address)
	for _, r := range f.Routers {
		if f.Address.Contains(r) {
			h.routes = append(h.routes, Route{To: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Via: r})
			h.sortRoutes()
			break
		}
	}
	if len(f.DNS) > 0 && !h.dns.IsValid() {
		h.dns = f.DNS[0]
	}
	h.setRoutes()
	return nil
}
