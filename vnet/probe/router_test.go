package probe_test

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/stackport"
)

// leg is a router's interface.
type leg struct {
	segment   string
	addresses string // with spaces between
}

// newRouter forwards between segments. routes are pairs of a prefix and a
// router.
func newRouter(t testing.TB, sw *vnet.Switch, name string, legs []leg, routes ...string) {
	t.Helper()
	s := stack.New(stack.Options{NetworkProtocols: []stack.NetworkProtocolFactory{arp.NewProtocol, ipv4.NewProtocol, ipv6.NewProtocol}})
	var ports []*stackport.Port
	t.Cleanup(func() {
		for _, p := range ports {
			p.Close()
		}
		s.Destroy()
	})
	var table []tcpip.Route
	subnet := func(p netip.Prefix) tcpip.Subnet {
		return tcpip.AddressWithPrefix{Address: tcpip.AddrFromSlice(p.Addr().AsSlice()), PrefixLen: p.Bits()}.Subnet()
	}
	number := func(a netip.Addr) tcpip.NetworkProtocolNumber {
		if a.Is4() {
			return ipv4.ProtocolNumber
		}
		return ipv6.ProtocolNumber
	}
	var nets []netip.Prefix
	var ids []tcpip.NICID // of nets
	for i, l := range legs {
		port := name + "/" + l.segment
		p, err := stackport.Join(sw, vnet.PortConfig{Name: port, Segment: l.segment}, stackport.Options{MAC: stackport.MAC(port)})
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, p)
		id := tcpip.NICID(i + 1)
		if err := s.CreateNIC(id, p); err != nil {
			t.Fatal(err)
		}
		for _, address := range strings.Fields(l.addresses) {
			prefix := netip.MustParsePrefix(address)
			if err := s.AddProtocolAddress(id, tcpip.ProtocolAddress{Protocol: number(prefix.Addr()), AddressWithPrefix: tcpip.AddressWithPrefix{
				Address: tcpip.AddrFromSlice(prefix.Addr().AsSlice()), PrefixLen: prefix.Bits(),
			}}, stack.AddressProperties{}); err != nil {
				t.Fatal(err)
			}
			table = append(table, tcpip.Route{Destination: subnet(prefix), NIC: id})
			nets = append(nets, prefix)
			ids = append(ids, id)
		}
	}
	for i := 0; i < len(routes); i += 2 {
		via := netip.MustParseAddr(routes[i+1])
		for j, n := range nets {
			if n.Contains(via) {
				table = append(table, tcpip.Route{Destination: subnet(netip.MustParsePrefix(routes[i])), Gateway: tcpip.AddrFromSlice(via.AsSlice()), NIC: ids[j]})
			}
		}
	}
	s.SetRouteTable(table)
	for _, p := range []tcpip.NetworkProtocolNumber{ipv4.ProtocolNumber, ipv6.ProtocolNumber} {
		if err := s.SetForwardingDefaultAndAllNICs(p, true); err != nil {
			t.Fatal(err)
		}
	}
}

// newBlackHole answers ARP for every address but those of the real machines,
// and swallows what comes: the wire's own port is asked for all of it.
func newBlackHole(t testing.TB, sw *vnet.Switch, segment, name string, addresses ...string) *wire {
	t.Helper()
	w := &wire{}
	ready := make(chan struct{})
	p, err := stackport.Join(sw, vnet.PortConfig{Name: name, Segment: segment}, stackport.Options{
		MAC: stackport.MAC(name),
		Observe: func(f []byte) {
			<-ready
			if len(f) < 42 || binary.BigEndian.Uint16(f[12:]) != 0x0806 || f[21] != 1 {
				return
			}
			asked, _ := netip.AddrFromSlice(f[38:42])
			for _, a := range addresses {
				if asked == ip(a) {
					w.Send(arpReply(name, a, f))
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Port = p
	close(ready)
	t.Cleanup(p.Close)
	return w
}

// arpReply is the answer of a name's machine to a request: "address is mine".
func arpReply(name, address string, request []byte) []byte {
	mac := stackport.MAC(name)
	f := append(append([]byte(nil), request[6:12]...), mac...)
	f = append(f, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2)
	f = append(append(f, mac...), ip(address).AsSlice()...)
	return append(append(f, request[22:28]...), request[28:32]...)
}
