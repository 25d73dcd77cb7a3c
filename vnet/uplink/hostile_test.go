package uplink_test

import (
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/patchbay/patchbay/vnet/uplink"
)

// packetOf is a frame with an IPv4 packet that says it is total bytes long.
func (g *guest) packetOf(to tcpip.LinkAddress, dst string, proto uint8, total int, behind []byte) []byte {
	f := make([]byte, 34+len(behind))
	header.Ethernet(f).Encode(&header.EthernetFields{SrcAddr: g.port.LinkAddress(), DstAddr: to, Type: header.IPv4ProtocolNumber})
	ip := header.IPv4(f[14:])
	ip.Encode(&header.IPv4Fields{TotalLength: uint16(total), TTL: 64, Protocol: proto, SrcAddr: ip4("100.64.0.2"), DstAddr: ip4(dst)})
	ip.SetChecksum(^ip.CalculateChecksum())
	copy(f[34:], behind)
	return f
}

// What lies in a frame behind the end of its packet is no part of it, not even
// where it looks like a question of DHCP.
func TestBehindThePacket(t *testing.T) {
	w := newWorld(t, rules(t, "*"))
	g := w.guest("pc1", "100.64.0.2")
	udp := make([]byte, 40)
	header.UDP(udp).Encode(&header.UDPFields{SrcPort: 68, DstPort: 67, Length: 40})
	for total := 20; total <= 60; total++ {
		for _, dst := range []string{"255.255.255.255", "100.64.0.1", "100.64.0.255", "198.51.100.7"} {
			for _, proto := range []uint8{1, 6, 17} {
				if err := g.port.Send(g.packetOf(routerMAC(), dst, proto, total, udp)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if g.ping("100.64.0.1") != header.ICMPv4EchoReply {
		t.Error("the router is gone")
	}
}

// A guest that asks for addresses under ever new names for its card gets no
// more than there are, and does not fill the log.
func TestStarvedDHCP(t *testing.T) {
	var log strings.Builder // written by the port's reader, read behind Close
	w := newWorld(t, nil, func(o *uplink.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	g := w.guest("pc1", "100.64.0.2")
	const cards = 1000
	for i := range cards {
		m := g.message(dhcpv4.MessageTypeDiscover, dhcpv4.WithHwAddr(net.HardwareAddr{2, 0, 0, 9, byte(i >> 8), byte(i)}))
		data := make([]byte, 8, 400)
		data = append(data, m.ToBytes()...)
		header.UDP(data).Encode(&header.UDPFields{SrcPort: 68, DstPort: 67, Length: uint16(len(data))})
		if err := g.port.Send(g.packetOf(header.EthernetBroadcastAddress, "255.255.255.255", 17, 20+len(data), data)); err != nil {
			t.Fatal(err)
		}
	}
	if g.ping("100.64.0.1") != header.ICMPv4EchoReply {
		t.Error("the router is gone")
	}
	w.router.Close()
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("the log has %d lines:\n%.500s", n, log.String())
	}
}

// The host is given another address while the router runs. What was somebody
// else's is then the host's own, and no longer reached.
func TestHostMoves(t *testing.T) {
	var now atomic.Pointer[[]netip.Prefix]
	now.Store(&near)
	w := newWorld(t, rules(t, "*"), func(o *uplink.Options) {
		o.Near = func() ([]netip.Prefix, error) { return *now.Load(), nil }
	})
	w.out.serveTCP("198.51.100.7:80", echo)
	w.out.serveUDP("198.51.100.7:53")
	g := w.guest("pc1", "100.64.0.2")
	c, err := g.dial("198.51.100.7:80")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	moved := append(slices.Clone(near), netip.MustParsePrefix("198.51.100.7/32"))
	now.Store(&moved)
	before := len(w.out.did(&w.out.dialled))
	if c, err := g.dial("198.51.100.7:80"); err == nil {
		c.Close()
		t.Error("a connection to the host itself is made")
	}
	u := g.dialUDP("198.51.100.7:53")
	if _, err := u.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if g.ping("198.51.100.7") == header.ICMPv4EchoReply {
		t.Error("the host itself answers a ping")
	}
	if did := w.out.did(&w.out.dialled); len(did) != before {
		t.Errorf("it dialled %v", did[before:])
	}
	if s := w.router.Stats(); len(s.Denied) == 0 || !strings.HasPrefix(s.Denied[0].Destination, "198.51.100.7") {
		t.Errorf("the denials are %v", s.Denied)
	}
}
