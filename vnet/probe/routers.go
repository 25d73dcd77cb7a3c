package probe

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// Advert is what an IPv6 router says of itself and the segment.
type Advert struct {
	Router   netip.Addr       // its link-local address
	MAC      net.HardwareAddr // that the advertisement came from
	Lifetime time.Duration    // as a default router; 0 for none
	HopLimit uint8            // that machines should use; 0 says nothing
	Managed  bool             // addresses are to be had by DHCPv6
	Other    bool             // other settings are
	MTU      int              // of the segment; 0 says nothing
	Prefixes []AdvertPrefix
	DNS      []netip.Addr
}

// AdvertPrefix is a network that a router tells of.
type AdvertPrefix struct {
	Prefix           netip.Prefix
	OnLink           bool
	Autonomous       bool // machines may make addresses of it
	Valid, Preferred time.Duration
}

// Routers asks for IPv6 routers and waits for all who answer, each once with
// the last that it said. That none answers is an Error of the cause Silence.
// The Host takes nothing over of what they say.
func (h *Host) Routers(ctx context.Context, o Ask) ([]Advert, error) {
	a := asked{op: "ask for IPv6 routers"}
	ctx, end, err := h.begin(ctx, a)
	if err != nil {
		return nil, err
	}
	defer end()
	o.Count = cmp.Or(max(o.Count, 0), 1)
	o.Interval, o.Wait = cmp.Or(o.Interval, time.Second), cmp.Or(o.Wait, time.Second)
	adverts, stop := watch(h, advert)
	defer stop()
	begun := time.Now()
	var found []Advert
	for i := range o.Count {
		if err := h.port.Send(h.routerSolicitation()); err != nil {
			return nil, a.fault(err, "sending the question")
		}
		timer := time.NewTimer(o.Interval)
		if i == o.Count-1 {
			timer.Reset(o.Wait)
		}
		for over := false; !over; {
			select {
			case r := <-adverts:
				found = slices.DeleteFunc(found, func(f Advert) bool { return f.Router == r.Router && bytes.Equal(f.MAC, r.MAC) })
				found = append(found, r)
			case <-timer.C:
				over = true
			case <-ctx.Done():
				timer.Stop()
				if len(found) == 0 {
					return nil, h.over(ctx, a, begun, "no router answered")
				}
				return found, nil
			}
		}
	}
	if err := h.broken(); err != nil {
		return nil, a.fault(err, "the probe's port has ended")
	}
	if len(found) == 0 {
		return nil, a.found(Silence, netip.Addr{}, "no router answered %d solicitations within %v", o.Count, time.Since(begun).Round(time.Millisecond))
	}
	return found, nil
}

// routerSolicitation is the frame that asks for routers.
func (h *Host) routerSolicitation() []byte {
	from, to := tcpipAddress(h.linkLocal().Addr()), header.IPv6AllRoutersLinkLocalMulticastAddress
	const size = 16 // type to reserved, and one option
	b := make([]byte, header.EthernetMinimumSize+header.IPv6MinimumSize+size)
	header.Ethernet(b).Encode(&header.EthernetFields{
		SrcAddr: tcpip.LinkAddress(h.mac), DstAddr: header.EthernetAddressFromMulticastIPv6Address(to), Type: header.IPv6ProtocolNumber,
	})
	header.IPv6(b[header.EthernetMinimumSize:]).Encode(&header.IPv6Fields{
		PayloadLength: size, TransportProtocol: header.ICMPv6ProtocolNumber, HopLimit: header.NDPHopLimit, SrcAddr: from, DstAddr: to,
	})
	m := header.ICMPv6(b[header.EthernetMinimumSize+header.IPv6MinimumSize:])
	m.SetType(header.ICMPv6RouterSolicit)
	m[8], m[9] = 1, 1 // source's link-layer address, 8 bytes
	copy(m[10:], h.mac)
	m.SetChecksum(header.ICMPv6Checksum(header.ICMPv6ChecksumParams{Header: m, Src: from, Dst: to}))
	return b
}

// advert reads a router's advertisement.
func advert(p *packet) (r Advert, ok bool) {
	const fixed = 16
	b := p.payload
	if p.proto != protoICMPv6 || p.later || len(b) < fixed || b[0] != byte(header.ICMPv6RouterAdvert) ||
		p.ttl != header.NDPHopLimit || !p.from.IsLinkLocalUnicast() || !p.sound() {
		return r, false
	}
	seconds := func(b []byte) time.Duration { return time.Duration(binary.BigEndian.Uint32(b)) * time.Second }
	r = Advert{
		Router: p.from, MAC: bytes.Clone(p.src), HopLimit: b[4], Managed: b[5]&0x80 != 0, Other: b[5]&0x40 != 0,
		Lifetime: time.Duration(binary.BigEndian.Uint16(b[6:])) * time.Second,
	}
	for o := b[fixed:]; len(o) >= 8 && o[1] != 0 && len(o) >= 8*int(o[1]); o = o[8*int(o[1]):] {
		switch {
		case o[0] == 3 && o[1] == 4 && o[2] <= 128: // prefix
			r.Prefixes = append(r.Prefixes, AdvertPrefix{
				Prefix: netip.PrefixFrom(netip.AddrFrom16([16]byte(o[16:32])), int(o[2])),
				OnLink: o[3]&0x80 != 0, Autonomous: o[3]&0x40 != 0, Valid: seconds(o[4:]), Preferred: seconds(o[8:]),
			})
		case o[0] == 5 && o[1] == 1: // MTU
			r.MTU = int(binary.BigEndian.Uint32(o[4:]) & 0x7fffffff)
		case o[0] == 25 && o[1] >= 3: // DNS servers
			for s := o[8 : 8*int(o[1])]; len(s) >= 16; s = s[16:] {
				r.DNS = append(r.DNS, netip.AddrFrom16([16]byte(s[:16])))
			}
		}
	}
	return r, true
}
