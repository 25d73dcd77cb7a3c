// Package uplink lets guests reach the outside, as far as somebody allowed it:
// a router in user space on one port of a segment. It hands out addresses by
// DHCP, answers DNS, and carries TCP, UDP and pings on by sockets of this
// process, so it needs no privilege and touches nothing of the host's network.
//
// # What gets out
//
// Nothing, but what the rules of vnet/outside allow. Before each flow the router
// looks again at what is near: the host may have been given another address, and
// no guest is to reach that.
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
//	near, err := outside.Near()
//	rules, err := outside.Effective(admin, lab, near) // a *outside.RefusedError is for the student
//	router, err := uplink.New(sw, uplink.Options{Segment: "net", Allow: rules, Log: log})
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
