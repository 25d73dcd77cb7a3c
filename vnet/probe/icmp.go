package probe

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// ICMP is an ICMP error, of either version.
type ICMP struct {
	V6         bool
	Type, Code uint8
	From       netip.Addr // who sent it

	rest uint32 // the four bytes whose meaning depends on the type
}

func (m ICMP) isError() bool {
	if m.V6 {
		return m.Type < 128
	}
	switch m.Type {
	case 3, 4, 5, 11, 12:
		return true
	}
	return false
}

// refuses says that the message tells of a closed port or protocol, which it is
// the target's own to say.
func (m ICMP) refuses() bool {
	if m.V6 {
		return m.Type == 1 && m.Code == 4 || m.Type == 4 && m.Code == 1
	}
	return m.Type == 3 && (m.Code == 2 || m.Code == 3)
}

// TimeExceeded says that a packet's TTL ended on the way: at a router that a
// trace asks for, or in a loop.
func (m ICMP) TimeExceeded() bool {
	return m.Code == 0 && (m.V6 && m.Type == 3 || !m.V6 && m.Type == 11)
}

// redirect says that the message advises, while the packet went on its way.
func (m ICMP) redirect() bool { return !m.V6 && m.Type == 5 }

// tooBig says that a packet did not fit a link on the way.
func (m ICMP) tooBig() bool { return m.V6 && m.Type == 2 || !m.V6 && m.Type == 3 && m.Code == 4 }

// MTU is that of the link that a packet was too big for, in bytes; 0 for
// another message, or a router that does not say.
func (m ICMP) MTU() int {
	switch {
	case !m.tooBig():
		return 0
	case m.V6:
		return int(min(m.rest, 1<<30))
	}
	return int(m.rest & 0xffff)
}

// Gateway is the better router that a redirect of IPv4 names.
func (m ICMP) Gateway() netip.Addr {
	if m.V6 || m.Type != 5 {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, m.rest)))
}

var unreachable4 = [...]string{
	"network unreachable", "host unreachable", "protocol unreachable", "port unreachable",
	"fragmentation needed", "source route failed", "network unknown", "host unknown",
	"source host isolated", "network administratively prohibited", "host administratively prohibited",
	"network unreachable for this type of service", "host unreachable for this type of service",
	"communication administratively prohibited", "host precedence violation", "precedence cutoff in effect",
}

var unreachable6 = [...]string{
	"no route to destination", "communication administratively prohibited", "beyond the scope of the source address",
	"address unreachable", "port unreachable", "source address failed a policy", "route rejected",
}

// String names the message as tools do.
func (m ICMP) String() string {
	switch {
	case m.MTU() != 0 && m.V6:
		return fmt.Sprintf("packet too big, MTU %d", m.MTU())
	case m.MTU() != 0:
		return fmt.Sprintf("fragmentation needed, MTU %d", m.MTU())
	case m.TimeExceeded():
		return "time to live exceeded"
	case m.V6 && m.Type == 1 && int(m.Code) < len(unreachable6):
		return unreachable6[m.Code]
	case m.V6 && m.Type == 3:
		return "fragment reassembly time exceeded"
	case m.V6 && m.Type == 4:
		return fmt.Sprintf("parameter problem at byte %d", m.rest)
	case !m.V6 && m.Type == 3 && int(m.Code) < len(unreachable4):
		return unreachable4[m.Code]
	case !m.V6 && m.Type == 11:
		return "fragment reassembly time exceeded"
	case !m.V6 && m.Type == 12:
		return fmt.Sprintf("parameter problem at byte %d", m.rest>>24)
	case m.redirect():
		return fmt.Sprintf("redirect to %s", m.Gateway())
	}
	return fmt.Sprintf("ICMP type %d code %d", m.Type, m.Code)
}
