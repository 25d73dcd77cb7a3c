package uplink

import "net/netip"

// For tests: the decisions alone, without a router around them.

// Policy is what a Router decides by.
type Policy struct{ p policy }

func NewPolicy(rules []Rule, near []netip.Prefix) *Policy { return &Policy{policy{rules, near}} }

func (p *Policy) Allows(proto Protocol, addr string, port uint16, names ...string) bool {
	return p.p.allows(destination{proto, netip.MustParseAddr(addr), port, names})
}
func (p *Policy) Asks(name string) bool { return p.p.asks(name) }
func (p *Policy) Answers(name, addr string) bool {
	return p.p.answers(name, netip.MustParseAddr(addr))
}
