package probe_test

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/probe"
	"github.com/patchbay/patchbay/vnet/stackport"
)

// dhcpd answers DHCP on a segment by what answer makes of a question; nil
// answers nothing, an empty message is sent as four bytes of nonsense.
func dhcpd(t testing.TB, sw *vnet.Switch, name, address string, answer func(q *dhcpv4.DHCPv4) *dhcpv4.DHCPv4) {
	t.Helper()
	ready := make(chan struct{})
	var p *stackport.Port
	p, err := stackport.Join(sw, vnet.PortConfig{Name: name, Segment: "lan"}, stackport.Options{
		MAC: stackport.MAC(name),
		Observe: func(f []byte) {
			<-ready
			if len(f) < 42 || f[12] != 8 || f[13] != 0 || f[23] != 17 || f[37] != 67 {
				return
			}
			q, err := dhcpv4.FromBytes(bytes.Clone(f[42:]))
			if err != nil {
				t.Errorf("the probe's question: %v", err)
				return
			}
			a := answer(q)
			if a == nil {
				return
			}
			body := []byte("none")
			if a.HWType != 0 {
				body = a.ToBytes()
			}
			p.Send(udpFrame(f[6:12], stackport.MAC(name), address, "255.255.255.255", 67, 68, body))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	close(ready)
	t.Cleanup(p.Close)
}

// udpFrame is a datagram without a checksum of UDP's.
func udpFrame(dst, src net.HardwareAddr, from, to string, sport, dport uint16, body []byte) []byte {
	n := 28 + len(body)
	ip4 := []byte{0x45, 0, byte(n >> 8), byte(n), 0, 0, 0, 0, 64, 17, 0, 0}
	ip4 = append(append(ip4, ip(from).AsSlice()...), ip(to).AsSlice()...)
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(ip4[i])<<8 | uint32(ip4[i+1])
	}
	sum = ^(sum&0xffff + sum>>16)
	ip4[10], ip4[11] = byte(sum>>8), byte(sum)
	f := append(append(append([]byte(nil), dst...), src...), 8, 0)
	f = append(f, ip4...)
	f = append(f, byte(sport>>8), byte(sport), byte(dport>>8), byte(dport), byte((n-20)>>8), byte(n-20), 0, 0)
	return append(f, body...)
}

// giving is a server that gives an address.
func giving(address, server string, nak bool) func(q *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	return func(q *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
		kind := dhcpv4.MessageTypeOffer
		if q.MessageType() == dhcpv4.MessageTypeRequest {
			if !q.ServerIdentifier().Equal(net.ParseIP(server)) || !q.RequestedIPAddress().Equal(net.ParseIP(address)) {
				return nil
			}
			kind = dhcpv4.MessageTypeAck
			if nak {
				kind = dhcpv4.MessageTypeNak
			}
		}
		a, err := dhcpv4.NewReplyFromRequest(q,
			dhcpv4.WithMessageType(kind), dhcpv4.WithYourIP(net.ParseIP(address)),
			dhcpv4.WithServerIP(net.ParseIP(server)), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.ParseIP(server))),
			dhcpv4.WithNetmask(net.CIDRMask(24, 32)), dhcpv4.WithRouter(net.ParseIP("10.0.0.254")),
			dhcpv4.WithDNS(net.ParseIP("10.0.0.53")), dhcpv4.WithLeaseTime(600),
			dhcpv4.WithOption(dhcpv4.OptDomainName("lab")))
		if err != nil {
			panic(err)
		}
		return a
	}
}

func TestDHCP(t *testing.T) {
	sw := newSwitch(t, "lan")
	brief := probe.DHCP{Timeout: 50 * time.Millisecond, Tries: 2}
	h := attach(t, sw, "lan")
	_, err := h.DHCP(within(t), brief)
	fails(t, err, probe.Silence, "get an address by DHCP: no OFFER came to 2 questions within")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = h.DHCP(ctx, probe.DHCP{Timeout: patience})
	fails(t, err, probe.Silence, "no OFFER came within")

	dhcpd(t, sw, "good", "10.0.0.1", giving("10.0.0.77", "10.0.0.1", false))
	got, err := h.DHCP(within(t), probe.DHCP{Hostname: "pc9"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Address != netip.MustParsePrefix("10.0.0.77/24") || got.Server != ip("10.0.0.1") || got.MAC.String() != stackport.MAC("good").String() ||
		!slices.Equal(got.Routers, []netip.Addr{ip("10.0.0.254")}) || !slices.Equal(got.DNS, []netip.Addr{ip("10.0.0.53")}) ||
		got.Domain != "lab" || got.Time != 600*time.Second || len(got.Offers) != 1 {
		t.Errorf("the lease: %+v", got)
	}
	if a := h.Addresses(); !slices.Equal(a, []netip.Prefix{got.Address}) {
		t.Errorf("the addresses are %v; want %v", a, got.Address)
	}
	peer := attach(t, sw, "lan", "10.0.0.2/24")
	if _, err := h.Ping(within(t), ip("10.0.0.2"), probe.Ping{}); err != nil {
		t.Error(err)
	}
	if _, err := peer.Ping(within(t), ip("10.0.0.77"), probe.Ping{}); err != nil {
		t.Error(err)
	}
	_, err = h.Resolve(within(t), probe.Query{Name: "x"})
	fails(t, err, probe.NoNeighbour, "10.0.0.53")
	_, err = h.Ping(within(t), ip("8.8.8.8"), probe.Ping{})
	fails(t, err, probe.NoNeighbour, "10.0.0.254, the router on the way")

	// Another server that should not be there shows.
	dhcpd(t, sw, "rogue", "10.0.0.6", giving("10.0.0.66", "10.0.0.6", false))
	h = attach(t, sw, "lan")
	got, err = h.DHCP(within(t), probe.DHCP{Others: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Offers) != 2 || got.Offers[0].Server == got.Offers[1].Server || got.Offers[0].Server != got.Server {
		t.Errorf("the offers: %+v", got.Offers)
	}
}

func TestDHCPErrors(t *testing.T) {
	brief := probe.DHCP{Timeout: 50 * time.Millisecond, Tries: 2}
	for _, tt := range []struct {
		name   string
		answer func(q *dhcpv4.DHCPv4) *dhcpv4.DHCPv4
		cause  probe.Cause
		says   string
	}{
		{"nonsense", func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4 { return &dhcpv4.DHCPv4{} }, probe.Broken, "answers came that are no DHCP"},
		{"no", giving("10.0.0.7", "10.0.0.1", true), probe.Refused, "10.0.0.1 took its offer back (NAK)"},
		{"a group", giving("224.0.0.1", "10.0.0.1", false), probe.Broken, "10.0.0.1 offers 224.0.0.1/24"},
		{"another's", func(q *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
			a := giving("10.0.0.7", "10.0.0.1", false)(q)
			a.ClientHWAddr = net.HardwareAddr{2, 0, 0, 0, 0, 9}
			return a
		}, probe.Silence, "no OFFER"},
		{"no ACK", func(q *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
			if q.MessageType() == dhcpv4.MessageTypeRequest {
				return nil
			}
			return giving("10.0.0.7", "10.0.0.1", false)(q)
		}, probe.Silence, "no ACK came"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sw := newSwitch(t, "lan")
			dhcpd(t, sw, "server", "10.0.0.1", tt.answer)
			h := attach(t, sw, "lan")
			_, err := h.DHCP(within(t), brief)
			fails(t, err, tt.cause, tt.says)
			if a := h.Addresses(); len(a) != 0 {
				t.Errorf("it has the addresses %v", a)
			}
		})
	}
}
