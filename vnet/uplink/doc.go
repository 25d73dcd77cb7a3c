// Package uplink lets guests reach the outside, as far as somebody allowed it:
// a router in user space on one port of a segment. It hands out addresses by
// DHCP, answers DNS, and carries TCP, UDP and pings on by sockets of this
// process, so it needs no privilege and touches nothing of the host's network.
//
// # What gets out
//
// Nothing, but what a Rule allows. A rule names a host, a domain or a network
// (IPv4), and ports. Two lists meet: what the server's administrator allows and
// what the lab asks for; Effective says what both have in common, and a Router
// is given that.
//
// Some addresses are never reached, whatever a rule says: the host's loopback,
// link-local and multicast addresses, and those at which clouds answer
// questions about a machine and its secrets. The private networks, and those
// that the host itself is on, are near: they are reached only by a rule of the
// administrator that names such a network, or a part of it, as a prefix. A
// name that resolves to a near address is not enough, since whoever owns the
// name decides where it points.
//
// A guest dials addresses, not names. So the router remembers which addresses
// it gave as the answer for which name, for as long as it said that they are
// good, and a rule that names a host allows these alone. It cannot tell two
// names apart that share an address; whoever shares one with an allowed name
// is reachable.
//
// Only questions for the address of an allowed name leave the router, so DNS
// carries no more out than a rule for a whole domain lets through: to
// "*.example.org" one may say something in the part that the star stands for.
//
// # Putting one on a segment
//
// Whoever runs the switch asks, for each segment that is an uplink:
//
//	near, err := uplink.Near()
//	rules, err := uplink.Effective(admin, lab, near) // a *RefusedError is for the student
//	router, err := uplink.New(sw, uplink.Options{Segment: "net", Allow: rules, Near: near, Log: log})
//	defer router.Close() // before the switch is closed
//
// and shows Router.Stats: what was denied is what a student wonders about.
//
// # What it is made of
//
// gVisor's network stack, with its forwarders for TCP and UDP, behind a gate
// that decides what the stack may see (gate.go); the messages of DHCP by
// insomniacslk/dhcp, those of DNS by golang.org/x/net. A ready-made virtual
// network such as gvisor-tap-vsock's has a switch of its own and dials whatever
// it is asked for: all of what matters here would still have to be written.
package uplink
