package labs

import (
	"fmt"
	"net/netip"
	"strings"
)

// check holds the parts of a lab against each other and gives its topology.
func check(file string, dr *draft, probs *collector) Topology {
	if len(dr.nodes) == 0 {
		probs.add(mark{file, 1, 1}, `add "nodes:" with at least one`, "the lab has no nodes")
	}
	// What is too much by extends alone; within one file it was said.
	if len(dr.nodes) > maxNodes {
		probs.add(dr.nodes[maxNodes].name.mark, "split the lab", "more than %d nodes", maxNodes)
	}
	if len(dr.segments) > maxSegments {
		probs.add(dr.segments[maxSegments].name.mark, "split the lab", "more than %d segments", maxSegments)
	}
	var t Topology
	members := map[string][]*draftInterface{}
	for _, s := range dr.segments {
		setIf(&s.kind, Switch)
		t.Segments = append(t.Segments, s.topology())
		members[s.name.s] = nil
	}
	c := checker{probs: probs, macs: map[string]string{}, addresses: map[string]string{}}
	for _, dn := range dr.nodes {
		n := dn.node
		n.Name = dn.name.s
		if len(dn.interfaces) > maxInterfaces {
			probs.add(dn.interfaces[maxInterfaces].name.mark, "spread them over more nodes", "more than %d interfaces on one node", maxInterfaces)
		}
		for _, di := range dn.interfaces {
			if seg := di.segment.s; seg != "" {
				if _, ok := members[seg]; !ok {
					probs.add(di.segment.mark, didYouMean(seg, segmentNames(dr), fmt.Sprintf(`add "%s: switch" below segments`, seg)), "there is no segment %s", quoteShort(seg))
				} else {
					members[seg] = append(members[seg], di)
				}
			}
			n.Interfaces = append(n.Interfaces, c.iface(n.Name, di))
		}
		for _, f := range dn.files {
			n.Files = append(n.Files, File{Path: f.path.s, Mode: f.mode, Data: f.data})
		}
		t.Nodes = append(t.Nodes, n)
	}
	for _, s := range dr.segments {
		n := len(members[s.name.s])
		switch {
		case n == 0:
			probs.add(s.name.mark, "join an interface to it, or remove it", "no interface is on segment %q", s.name.s)
		case s.kind == Link && n != 2:
			probs.add(s.name.mark, "make it a switch, or join two", "segment %q is a link, which joins two interfaces, and has %d", s.name.s, n)
		}
	}
	w := wireChecker{probs: probs, dr: dr}
	w.check(members)
	t.Events = w.events()
	t.Seed = uint64(dr.seed.n)
	return t
}

// topology is the segment as the topology has it.
func (s *draftSegment) topology() Segment {
	g := Segment{
		Name: s.name.s, Kind: s.kind, MTU: s.mtu.n, Mirror: s.mirror.s, Storm: s.storm.n, Impair: s.impair,
		X: s.x, Y: s.y, Placed: s.placed,
	}
	for _, rule := range s.allow {
		g.Allow = append(g.Allow, rule.s)
	}
	return g
}

// checker finds what may be there once only.
type checker struct {
	probs     *collector
	macs      map[string]string // MAC → node and interface that has it
	addresses map[string]string // segment and address → node and interface
}

// iface checks one interface of a node and gives it as the topology has it.
func (c *checker) iface(node string, di *draftInterface) Interface {
	who := node + " " + di.name.s
	if mac := di.mac.s; mac != "" {
		if other, taken := c.macs[mac]; taken {
			c.probs.add(di.mac.mark, "change one of them, or leave it out and get one of its own", "%s has the same MAC address as %s", who, other)
		}
		c.macs[mac] = who
	}
	var prefixes []netip.Prefix
	var addresses []string
	for _, t := range di.addresses {
		p := netip.MustParsePrefix(t.s) // decoded from one
		key := di.segment.s + "|" + p.Addr().String()
		if other, taken := c.addresses[key]; taken && (di.segment.s != "" || other == who) {
			c.probs.add(t.mark, "change one of them", "%s has the same address as %s on the same segment", who, other)
		}
		c.addresses[key] = who
		prefixes = append(prefixes, p)
		addresses = append(addresses, t.s)
	}
	if di.gateway.s != "" {
		c.gateway(who, di.gateway, prefixes)
	}
	f := Interface{
		Name: di.name.s, Segment: di.segment.s, MAC: di.mac.s, MTU: di.mtu.n,
		Addresses: addresses, Gateway: di.gateway.s,
		VLAN: uint16(di.vlan.n), Native: uint16(di.native.n), Out: di.out, In: di.in,
	}
	for _, v := range di.trunk {
		f.Trunk = append(f.Trunk, uint16(v.n))
	}
	return f
}

func (c *checker) gateway(who string, gw text, prefixes []netip.Prefix) {
	a := netip.MustParseAddr(gw.s)
	if a.Is6() && a.IsLinkLocalUnicast() {
		return // on every segment
	}
	var nets []string
	for _, p := range prefixes {
		if p.Addr() == a {
			c.probs.add(gw.mark, "name the router's address", "%s has itself as gateway", who)
			return
		}
		if p.Contains(a) {
			return
		}
		nets = append(nets, p.Masked().String())
	}
	if len(nets) == 0 {
		c.probs.add(gw.mark, "give it addresses too, or leave the gateway to the student", "%s has a gateway and no address to reach it from", who)
		return
	}
	c.probs.add(gw.mark, "choose an address in "+strings.Join(nets, " or "), "the gateway %s is not in a network of %s", gw.s, who)
}

func segmentNames(dr *draft) []string {
	names := make([]string, len(dr.segments))
	for i, s := range dr.segments {
		names[i] = s.name.s
	}
	return names
}
