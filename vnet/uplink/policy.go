package uplink

import "net/netip"

// policy decides what a Router lets through. It does not change.
type policy struct {
	rules []Rule
	near  []netip.Prefix
}

// destination is where a guest wants to go. names are those for which the
// router gave addr as an answer, and which still hold.
type destination struct {
	proto Protocol
	addr  netip.Addr
	port  uint16 // not of an Echo
	names []string
}

func (p *policy) allows(d destination) bool {
	for _, r := range p.rules {
		if d.proto != Echo && (!r.Ports.holds(d.port) || r.Proto != "" && r.Proto != d.proto) {
			continue
		}
		if r.addressed(d.addr, p.near) && r.named(d.names) {
			return true
		}
	}
	return false
}

// asks says whether the router may look a name up.
func (p *policy) asks(name string) bool {
	for _, r := range p.rules {
		if r.Name != "" && covers(r.Name, name) {
			return true
		}
	}
	return false
}

// answers says whether addr may be given as an answer for name: only where
// some port of it may then be reached by that answer, so that no name of the
// outside can point a guest at what is near.
func (p *policy) answers(name string, addr netip.Addr) bool {
	for _, r := range p.rules {
		if r.Name != "" && covers(r.Name, name) && r.addressed(addr, p.near) {
			return true
		}
	}
	return false
}

func (r *Rule) addressed(addr netip.Addr, near []netip.Prefix) bool {
	return (!r.Within.IsValid() || r.Within.Contains(addr)) && !barred(addr, r.Within, near)
}

// named says whether the rule is for one of the names, or for none in
// particular.
func (r *Rule) named(names []string) bool {
	if r.Name == "" || r.Name == "*" {
		return true
	}
	for _, n := range names {
		if covers(r.Name, n) {
			return true
		}
	}
	return false
}
