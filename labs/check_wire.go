package labs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/patchbay/patchbay/vnet/outside"
)

// wireChecker holds what segments, interfaces and events say of the wire
// against each other.
type wireChecker struct {
	probs *collector
	dr    *draft
}

func (c *wireChecker) check(members map[string][]*draftInterface) {
	for _, s := range c.dr.segments {
		c.mirror(s)
		c.allow(s)
		c.vlans(s, members[s.name.s])
		most := defaultMTU
		if s.mtu.given {
			most = s.mtu.n
		}
		for _, di := range members[s.name.s] {
			if di.mtu.n > most {
				c.probs.add(di.mtu.mark, fmt.Sprintf(`lower it, or write "mtu: %d" at the segment`, di.mtu.n),
					"the mtu %d is more than segment %q carries: %d", di.mtu.n, s.name.s, most)
			}
		}
	}
	for _, dn := range c.dr.nodes {
		for _, di := range dn.interfaces {
			c.iface(di)
		}
	}
}

// iface checks what an interface says of itself alone.
func (c *wireChecker) iface(di *draftInterface) {
	switch {
	case di.vlan.given && di.trunkMark.line > 0:
		c.probs.add(di.vlan.mark, "remove vlan; native names the VLAN of untagged frames on a trunk", "the interface is both an access port and a trunk")
	case di.trunkMark.line > 0 && len(di.trunk) == 0:
		c.probs.add(di.trunkMark, "write it like [10, 20]", "the trunk has no VLANs")
	case di.native.given && di.trunkMark.line == 0:
		c.probs.add(di.native.mark, "write vlan for an access port, or add trunk", "native is for trunks")
	case di.native.given && !slices.ContainsFunc(di.trunk, func(v number) bool { return v.n == di.native.n }):
		c.probs.add(di.native.mark, fmt.Sprintf("add %d to the trunk, or choose one of %s", di.native.n, vlanList(di.trunk)), "the native VLAN %d is not in the trunk", di.native.n)
	}
	if di.segment.s == "" {
		if di.mtu.n > defaultMTU {
			c.probs.add(di.mtu.mark, "join the interface to a segment with that mtu", "an interface without a cable has an mtu of at most %d", defaultMTU)
		}
		if di.hasVLAN() || di.out != nil || di.in != nil {
			c.probs.add(di.name.mark, "join it to a segment", "%s has no cable, so neither VLANs nor an impairment", di.name.s)
		}
	}
}

func (di *draftInterface) hasVLAN() bool { return di.vlan.given || di.trunkMark.line > 0 }

// vlans checks that VLANs are on a switch, and there on every port.
func (c *wireChecker) vlans(s *draftSegment, members []*draftInterface) {
	if !slices.ContainsFunc(members, (*draftInterface).hasVLAN) {
		return
	}
	for _, di := range members {
		switch {
		case di.hasVLAN() && s.kind != Switch:
			at := di.vlan.mark
			if !di.vlan.given {
				at = di.trunkMark
			}
			c.probs.add(at, "make the segment a switch, or set VLANs up in the nodes", "segment %q is a %s, which knows no VLANs", s.name.s, s.kind)
		case !di.hasVLAN() && s.kind == Switch && di != c.mirrorOf(s):
			c.probs.add(di.name.mark, "add vlan or trunk", "%s has no VLAN, but others on segment %q have", di.name.s, s.name.s)
		}
	}
}

// mirror checks that a mirror is an interface on the segment that only listens.
func (c *wireChecker) mirror(s *draftSegment) {
	m := s.mirror
	if m.s == "" {
		return
	}
	switch s.kind {
	case Hub:
		c.probs.add(m.mark, "remove mirror, or make it a switch", "segment %q is a hub: every interface gets every frame already", s.name.s)
		return
	case Link:
		c.probs.add(m.mark, "make it a switch", "segment %q is a link, which has no place for a mirror", s.name.s)
		return
	}
	node, name, found := strings.Cut(m.s, "/")
	dn := c.node(node)
	if !found || dn == nil {
		c.probs.add(m.mark, didYouMean(node, c.nodeNames(), "write it like ids/eth1"), "mirror names an interface as NODE/INTERFACE, found %s", quoteShort(m.s))
		return
	}
	di := dn.iface(name)
	switch {
	case di == nil:
		c.probs.add(m.mark, didYouMean(name, dn.interfaceNames(), "add it to "+node), "%s has no interface %s", node, quoteShort(name))
	case di.segment.s != s.name.s:
		c.probs.add(m.mark, fmt.Sprintf("write %q at %s of %s", s.name.s, name, node), "%s of %s is not on segment %q", name, node, s.name.s)
	case len(di.addresses) > 0 || di.gateway.s != "":
		c.probs.add(m.mark, "remove its addresses", "%s of %s has an address, but a mirror's interface sends nothing", name, node)
	case di.hasVLAN():
		c.probs.add(m.mark, "remove its vlan or trunk", "%s of %s is in a VLAN, but a mirror's interface gets the frames of all", name, node)
	}
}

// mirrorOf is the interface that mirrors the segment, or nil.
func (c *wireChecker) mirrorOf(s *draftSegment) *draftInterface {
	node, name, _ := strings.Cut(s.mirror.s, "/")
	if dn := c.node(node); dn != nil {
		return dn.iface(name)
	}
	return nil
}

// allow checks that an uplink says where to, and nothing else does.
func (c *wireChecker) allow(s *draftSegment) {
	switch {
	case s.kind != Uplink && s.allow != nil:
		c.probs.add(s.name.mark, "write kind: uplink, or remove allow", "segment %q is a %s, and allow is for uplinks", s.name.s, s.kind)
	case s.kind == Uplink && len(s.allow) == 0:
		c.probs.add(s.name.mark, `write {kind: uplink, allow: ["www.example.com:80"]}`, "segment %q is an uplink that lets nobody go anywhere", s.name.s)
	}
	for _, rule := range s.allow {
		if _, err := outside.ParseRule(rule.s); err != nil {
			c.probs.add(rule.mark, "", "%v", err)
		}
	}
}

// events resolves where events happen.
func (c *wireChecker) events() []Event {
	var out []Event
	for _, de := range c.dr.events {
		e := de.event
		e.On = de.on.s
		c.place(de.on)
		out = append(out, e)
	}
	return out
}

// place checks the place of an event: a segment, a node with a cable, or one
// of its interfaces.
func (c *wireChecker) place(at text) {
	name, iface, hasIface := strings.Cut(at.s, "/")
	segment := !hasIface && slices.Contains(segmentNames(c.dr), name)
	dn := c.node(name)
	switch {
	case segment && dn != nil:
		c.probs.add(at.mark, fmt.Sprintf("rename one of them, or write %s/INTERFACE", name), "%q is both a segment and a node", name)
	case segment:
	case dn == nil:
		c.probs.add(at.mark, didYouMean(name, append(segmentNames(c.dr), c.nodeNames()...), "name a segment, a node, or NODE/INTERFACE"), "there is no segment or node %s", quoteShort(name))
	case hasIface && dn.iface(iface) == nil:
		c.probs.add(at.mark, didYouMean(iface, dn.interfaceNames(), "name one of its interfaces"), "%s has no interface %s", name, quoteShort(iface))
	case hasIface && dn.iface(iface).segment.s == "":
		c.probs.add(at.mark, "join it to a segment", "%s of %s has no cable", iface, name)
	case !hasIface && !slices.ContainsFunc(dn.interfaces, func(di *draftInterface) bool { return di.segment.s != "" }):
		c.probs.add(at.mark, "join it to a segment", "node %s has no cable", name)
	}
}

func (c *wireChecker) node(name string) *draftNode {
	for _, dn := range c.dr.nodes {
		if dn.name.s == name {
			return dn
		}
	}
	return nil
}

func (c *wireChecker) nodeNames() []string { return nodeNames(c.dr) }

func (dn *draftNode) iface(name string) *draftInterface {
	for _, di := range dn.interfaces {
		if di.name.s == name {
			return di
		}
	}
	return nil
}

func (dn *draftNode) interfaceNames() []string {
	names := make([]string, len(dn.interfaces))
	for i, di := range dn.interfaces {
		names[i] = di.name.s
	}
	return names
}
