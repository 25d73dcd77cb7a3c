package outside

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Policy decides what an uplink lets through. It does not change.
type Policy struct {
	Rules []Rule         // see Effective
	Near  []netip.Prefix // what Near says
}

// Destination is where a guest wants to go. Names are those for which it was
// given Addr as an answer, and which still hold.
type Destination struct {
	Proto Protocol
	Addr  netip.Addr
	Port  uint16 // not of an Echo
	Names []string
}

// Address is what a net.Dialer takes.
func (d Destination) Address() string {
	return net.JoinHostPort(d.Addr.String(), strconv.Itoa(int(d.Port)))
}

// String is for the log and for people.
func (d Destination) String() string {
	s := d.Address() + "/" + string(d.Proto)
	if d.Proto == Echo {
		s = d.Addr.String() + "/ping"
	}
	if len(d.Names) > 0 {
		s += " (" + strings.Join(d.Names[:min(len(d.Names), 3)], ", ") + ")"
	}
	return s
}

// Allows says whether a guest may go there.
func (p *Policy) Allows(d Destination) bool {
	for _, r := range p.Rules {
		if d.Proto != Echo && (!r.Ports.holds(d.Port) || r.Proto != "" && r.Proto != d.Proto) {
			continue
		}
		if r.addressed(d.Addr, p.Near) && r.named(d.Names) {
			return true
		}
	}
	return false
}

// Asks says whether a name may be looked up.
func (p *Policy) Asks(name string) bool {
	for _, r := range p.Rules {
		if r.Name != "" && covers(r.Name, name) {
			return true
		}
	}
	return false
}

// Answers says whether addr may be given as an answer for name: only where
// some port of it may then be reached by that answer, so that no name of the
// outside can point a guest at what is near.
func (p *Policy) Answers(name string, addr netip.Addr) bool {
	for _, r := range p.Rules {
		if r.Name != "" && covers(r.Name, name) && r.addressed(addr, p.Near) {
			return true
		}
	}
	return false
}

func (r *Rule) addressed(addr netip.Addr, near []netip.Prefix) bool {
	return (!r.Within.IsValid() || r.Within.Contains(addr)) && !barred(addr, r.namedBy(), near)
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
