package uplink_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/patchbay/patchbay/vnet/stackport"
	"github.com/patchbay/patchbay/vnet/uplink"
)

func routerMAC() tcpip.LinkAddress { return tcpip.LinkAddress(stackport.MAC("net:uplink")) }

func sum(b []byte) uint16 { return checksum.Checksum(b, 0) }

// ask sends a DHCP message, as a machine without an address does, and waits
// for the answer; nil when there is none within a moment.
func (g *guest) ask(m *dhcpv4.DHCPv4, patience time.Duration) *dhcpv4.DHCPv4 {
	g.t.Helper()
	data := m.ToBytes()
	f := make([]byte, 14+20+8+len(data))
	header.Ethernet(f).Encode(&header.EthernetFields{SrcAddr: g.port.LinkAddress(), DstAddr: header.EthernetBroadcastAddress, Type: header.IPv4ProtocolNumber})
	ip := header.IPv4(f[14:])
	ip.Encode(&header.IPv4Fields{TotalLength: uint16(len(f) - 14), TTL: 64, Protocol: 17, SrcAddr: ip4("0.0.0.0"), DstAddr: ip4("255.255.255.255")})
	ip.SetChecksum(^ip.CalculateChecksum())
	header.UDP(f[34:]).Encode(&header.UDPFields{SrcPort: 68, DstPort: 67, Length: uint16(8 + len(data))})
	copy(f[42:], data)
	if err := g.port.Send(f); err != nil {
		g.t.Fatal(err)
	}
	until := time.After(patience)
	for {
		select {
		case f := <-g.seen:
			if len(f) < 42 || f[12] != 8 || f[13] != 0 || f[23] != 17 {
				continue
			}
			u := header.UDP(f[34:])
			if u.SourcePort() != 67 || u.DestinationPort() != 68 {
				continue
			}
			ip := header.IPv4(f[14:34])
			if !u.IsChecksumValid(ip.SourceAddress(), ip.DestinationAddress(), sum(f[42:])) || !ip.IsChecksumValid() {
				g.t.Errorf("a sum of %x is wrong", f)
			}
			answer, err := dhcpv4.FromBytes(f[42:])
			if err != nil {
				g.t.Fatal(err)
			}
			if answer.TransactionID == m.TransactionID {
				return answer
			}
		case <-until:
			return nil
		}
	}
}

func (g *guest) message(kind dhcpv4.MessageType, more ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	g.t.Helper()
	m, err := dhcpv4.New(append([]dhcpv4.Modifier{dhcpv4.WithHwAddr([]byte(g.port.LinkAddress())), dhcpv4.WithMessageType(kind)}, more...)...)
	if err != nil {
		g.t.Fatal(err)
	}
	return m
}

const soon = 10 * time.Second

// lease goes through the four messages and returns the address.
func (g *guest) lease(more ...dhcpv4.Modifier) netip.Addr {
	g.t.Helper()
	offer := g.ask(g.message(dhcpv4.MessageTypeDiscover, more...), soon)
	if offer == nil || offer.MessageType() != dhcpv4.MessageTypeOffer {
		g.t.Fatalf("the offer is %v", offer)
	}
	ack := g.ask(g.message(dhcpv4.MessageTypeRequest, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(offer.YourIPAddr)),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(offer.ServerIdentifier()))), soon)
	if ack == nil || ack.MessageType() != dhcpv4.MessageTypeAck || !ack.YourIPAddr.Equal(offer.YourIPAddr) {
		g.t.Fatalf("after the offer of %v comes %v", offer.YourIPAddr, ack)
	}
	a, _ := netip.AddrFromSlice(ack.YourIPAddr.To4())
	return a
}

func TestDHCP(t *testing.T) {
	w := newWorld(t, nil)
	a, b := w.guest("pc1", ""), w.guest("pc2", "")
	first, second := a.lease(), b.lease(dhcpv4.WithBroadcast(true))
	if first != netip.MustParseAddr("100.64.0.128") || second != netip.MustParseAddr("100.64.0.129") {
		t.Errorf("the addresses are %v and %v", first, second)
	}
	if again := a.lease(); again != first {
		t.Errorf("the second time it is %v", again)
	}
	ack := a.ask(a.message(dhcpv4.MessageTypeRequest, dhcpv4.WithClientIP(first.AsSlice())), soon)
	if ack == nil || ack.MessageType() != dhcpv4.MessageTypeAck {
		t.Fatalf("renewing is answered with %v", ack)
	}
	if len(ack.Router()) != 1 || ack.Router()[0].String() != "100.64.0.1" || ack.DNS()[0].String() != "100.64.0.1" ||
		ack.SubnetMask().String() != "ffffff00" || ack.IPAddressLeaseTime(0) != time.Hour {
		t.Errorf("the lease says %v", ack.Summary())
	}
	nak := b.ask(b.message(dhcpv4.MessageTypeRequest, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(first.AsSlice()))), soon)
	if nak == nil || nak.MessageType() != dhcpv4.MessageTypeNak {
		t.Errorf("another's address is answered with %v", nak)
	}
	nak = b.ask(b.message(dhcpv4.MessageTypeRequest, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress([]byte{10, 0, 0, 1}))), soon)
	if nak == nil || nak.MessageType() != dhcpv4.MessageTypeNak {
		t.Errorf("an address of elsewhere is answered with %v", nak)
	}
	// A declined address is not offered again.
	if got := a.ask(a.message(dhcpv4.MessageTypeDecline, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(first.AsSlice()))), 50*time.Millisecond); got != nil {
		t.Errorf("declining is answered with %v", got)
	}
	if now := a.lease(); now == first || now == second {
		t.Errorf("after declining %v it is %v", first, now)
	}
	// One that has chosen another server is left alone.
	if got := a.ask(a.message(dhcpv4.MessageTypeRequest, dhcpv4.WithOption(dhcpv4.OptServerIdentifier([]byte{100, 64, 0, 9}))), 50*time.Millisecond); got != nil {
		t.Errorf("another server's client gets %v", got)
	}
}

// A small network's addresses run out, and are given to others only after they
// were given back.
func TestDHCPRunsOut(t *testing.T) {
	w := newWorld(t, nil, func(o *uplink.Options) { o.Prefix = netip.MustParsePrefix("100.64.0.0/29") })
	var guests []*guest
	seen := map[netip.Addr]bool{}
	for _, name := range []string{"a", "b", "c"} {
		g := w.guest(name, "")
		guests = append(guests, g)
		a := g.lease()
		if seen[a] || a.Less(netip.MustParseAddr("100.64.0.4")) || netip.MustParseAddr("100.64.0.6").Less(a) {
			t.Errorf("%s got %v", name, a)
		}
		seen[a] = true
	}
	late := w.guest("d", "")
	if got := late.ask(late.message(dhcpv4.MessageTypeDiscover), 100*time.Millisecond); got != nil {
		t.Errorf("the fourth of three gets %v", got)
	}
	guests[1].ask(guests[1].message(dhcpv4.MessageTypeRelease), 20*time.Millisecond)
	if a := late.lease(); !seen[a] {
		t.Errorf("it gets %v", a)
	}
}

// FuzzFrames: whatever a guest sends, the router lives and dials nobody whom no
// rule names.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 100, 64, 0, 2, 100, 64, 0, 1, 0, 68, 0, 67, 0, 8, 0, 0})
	f.Add([]byte{8, 0, 0x45, 0, 0, 28, 0, 0, 0x20, 0, 64, 1, 0, 0, 100, 64, 0, 2, 198, 51, 100, 7, 8, 0, 0, 0, 0, 1, 0, 1})
	f.Add([]byte{8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 100, 64, 0, 2, 0, 0, 0, 0, 0, 0, 100, 64, 0, 1})
	f.Fuzz(func(t *testing.T, rest []byte) {
		if len(rest) < 2 || len(rest) > 1400 {
			return
		}
		w := newWorld(t, rules(t, "deb.example:80"))
		g := w.guest("pc1", "100.64.0.2")
		if rest[0] == 8 && rest[1] == 0 && len(rest) >= 22 && rest[2] == 0x45 {
			ip := header.IPv4(rest[2:22])
			ip.SetChecksum(0)
			ip.SetChecksum(^ip.CalculateChecksum())
		}
		for _, to := range []tcpip.LinkAddress{routerMAC(), header.EthernetBroadcastAddress} {
			frame := append([]byte(to+g.port.LinkAddress()), rest...)
			if err := g.port.Send(frame); err != nil {
				t.Fatal(err)
			}
		}
		if g.ping("100.64.0.1") != header.ICMPv4EchoReply {
			t.Error("the router is gone")
		}
		if got := w.out.did(&w.out.dialled); got != nil {
			t.Errorf("it dialled %v", got)
		}
	})
}
