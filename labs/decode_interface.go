package labs

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/goccy/go-yaml/ast"
)

func (d *decoder) iface(e entry) *draftInterface {
	di := &draftInterface{name: e.key}
	di.segment.mark = e.key.mark
	if e.key.s == "lo" {
		d.probs.add(e.key.mark, "give it addresses by a startup command", "lo is there on every node, and no cable goes into it")
	} else if e.key.s == "all" || e.key.s == "default" {
		d.probs.add(e.key.mark, "choose another name", "%q cannot be the name of an interface: it has a meaning of its own", e.key.s)
	} else if !interfaceRE.MatchString(e.key.s) {
		d.probs.add(e.key.mark, "use a name like eth0: a-z and 0-9, at most 15, a letter first", "%s cannot be the name of an interface", quoteShort(e.key.s))
	}
	segment := func(n ast.Node) {
		if _, null := n.(*ast.NullNode); !null {
			di.segment, _ = d.str(n, "a segment's name", 100)
		}
	}
	switch e.value.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
	default:
		segment(e.value)
		return di
	}
	d.object(e.value, interfaceForm, []field{
		{"segment", segment},
		{"mac", func(n ast.Node) { di.mac = d.mac(n) }},
		{"mtu", func(n ast.Node) { di.mtu = d.number(n, "mtu", "1500 is usual", minMTU, maxMTU) }},
		{"addresses", func(n ast.Node) {
			for _, item := range d.list(n, "addresses", maxAddresses) {
				if t, ok := d.cidr(item); ok {
					di.addresses = append(di.addresses, t)
				}
			}
		}},
		{"gateway", func(n ast.Node) { di.gateway = d.gateway(n) }},
		{"vlan", func(n ast.Node) { di.vlan = d.vlan(n, "vlan") }},
		{"trunk", func(n ast.Node) { di.trunk, di.trunkMark = d.trunk(n), d.mark(n) }},
		{"native", func(n ast.Node) { di.native = d.vlan(n, "native") }},
		{"impair", func(n ast.Node) { di.out, di.in = d.cable(n) }},
	})
	return di
}

func (d *decoder) mac(n ast.Node) text {
	const example = "write it like 02:00:00:00:00:01"
	t, ok := d.scalar(n, "a MAC address", 100)
	if !ok {
		return text{}
	}
	hw, err := net.ParseMAC(t.s)
	switch {
	case err != nil || len(hw) != 6:
		d.bad(n, example, "%s is not a MAC address", quoteShort(t.s))
		return text{}
	case hw[0]&1 != 0:
		d.bad(n, example, "%s is a group's address, no interface can have it", t.s)
		return text{}
	case hw.String() == "00:00:00:00:00:00":
		d.bad(n, example, "the MAC address is zero")
		return text{}
	}
	t.s = hw.String()
	return t
}

func (d *decoder) cidr(n ast.Node) (text, bool) {
	t, ok := d.str(n, "an address", 100)
	if !ok {
		return t, false
	}
	if a, err := netip.ParseAddr(t.s); err == nil && a.Zone() == "" {
		d.bad(n, fmt.Sprintf("write it like %s/%d", t.s, map[bool]int{true: 24, false: 64}[a.Is4()]), "%s has no prefix length", t.s)
		return t, false
	}
	p, err := netip.ParsePrefix(t.s)
	if err != nil {
		d.bad(n, "write it like 10.0.0.1/24 or fd00::1/64", "%s is not an address with a prefix length", quoteShort(t.s))
		return t, false
	}
	a := p.Addr()
	why := ""
	switch {
	case a.Is4In6():
		why = "is an IPv4 address in IPv6 clothes"
	case a.IsUnspecified(), a.IsMulticast(), a.IsLoopback(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		why = "cannot be the address of an interface"
	case a.Is4() && p.Bits() < 31 && p.Masked().Addr() == a:
		why = "is the network's own address, not a machine's"
	case a.Is4() && p.Bits() < 31 && lastAddr(p) == a:
		why = "is the network's broadcast address, not a machine's"
	}
	if why != "" {
		d.bad(n, "choose another address", "%s %s", t.s, why)
		return t, false
	}
	t.s = p.String()
	return t, true
}

// lastAddr is the highest address of an IPv4 prefix.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}

func (d *decoder) gateway(n ast.Node) text {
	t, ok := d.str(n, "gateway", 100)
	if !ok {
		return text{}
	}
	a, err := netip.ParseAddr(t.s)
	if err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a.Is4In6() {
		d.bad(n, "write an address without a prefix length, like 10.0.0.1", "%s is not the address of a gateway", quoteShort(t.s))
		return text{}
	}
	t.s = a.String()
	return t
}
