package engine

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
)

// evalDeclared asks the lab's own text.
func evalDeclared(_ context.Context, t Target, k *grade.Declared) (verdict, error) {
	topo := t.Topology()
	i := slices.IndexFunc(topo.Nodes, func(n labs.Node) bool { return n.Name == k.Node })
	switch {
	case k.Present != nil && i < 0 && *k.Present:
		return failed("the lab has no node %s", k.Node), nil
	case k.Present != nil && i < 0:
		return passed("the lab has no node %s", k.Node), nil
	case k.Present != nil && !*k.Present:
		return failed("the lab has the node %s", k.Node), nil
	case i < 0:
		return verdict{}, fmt.Errorf("the lab has no node %s", k.Node)
	}
	n := &topo.Nodes[i]
	var wrong []string
	miss := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if has := len(n.Startup) > 0; k.Startup != nil && *k.Startup != has {
		miss("it has %s", numberOf(len(n.Startup), "startup command"))
	}
	set := map[string]string{}
	for _, s := range n.Sysctls {
		set[strings.ReplaceAll(s.Key, "/", ".")] = s.Value
	}
	values(k.Sysctls, set, ".", miss)
	if on := hasIPv6(n, set); k.IPv6 != nil && *k.IPv6 != on {
		miss("IPv6 is %s", map[bool]string{true: "on", false: "off"}[on])
	}
	if k.Image != "" {
		image := n.Image
		if image == "" {
			image = "default"
		}
		if image != k.Image {
			miss("its image is %s", image)
		}
	}
	for _, iface := range slices.Sorted(maps.Keys(k.On)) {
		at := slices.IndexFunc(n.Interfaces, func(f labs.Interface) bool { return f.Name == iface })
		switch {
		case at < 0:
			miss("it has no interface %s", iface)
		case n.Interfaces[at].Segment != k.On[iface]:
			miss("%s is on %s", iface, quote(n.Interfaces[at].Segment))
		}
	}
	if len(wrong) > 0 {
		return failed("%s", strings.Join(wrong, "; ")), nil
	}
	return passed("the lab says so"), nil
}

// hasIPv6 says whether the lab wants IPv6 on a node.
func hasIPv6(n *labs.Node, set map[string]string) bool {
	all, said := set["net.ipv6.conf.all.disable_ipv6"]
	if said {
		return all == "0"
	}
	if set["net.ipv6.conf.all.forwarding"] == "1" {
		return true
	}
	for _, f := range n.Interfaces {
		for _, s := range f.Addresses {
			if p, err := netip.ParsePrefix(s); err == nil && p.Addr().Is6() {
				return true
			}
		}
	}
	return false
}
