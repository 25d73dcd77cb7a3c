// Package probe is a machine that joins a segment of a running switch when it
// is asked to, does something, and goes away: what it sees is the ground that
// checks stand on, for a student who is root on every machine of a lab cannot
// forge it.
//
//	h, err := probe.Attach(ctx, sw, "lan", probe.Options{
//		Seed:      "check 3",
//		Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.200/24")},
//		Gateway:   netip.MustParseAddr("10.0.0.1"),
//	})
//	if err != nil {
//		return err // ours: the student is not to blame
//	}
//	defer h.Close()
//	pinged, err := h.Ping(ctx, netip.MustParseAddr("10.0.1.2"), probe.Ping{Count: 3})
//
// A Host is gVisor's network stack on a port of the switch (package stackport).
// A link segment has room for its two ends alone and so none for a probe. While
// it is there the switch lists its port ("probe-" and its address, unless it was
// named) and tells OnLink of it: whoever shows a lab's ports to students leaves
// it out.
//
// # Errors
//
// Everything that goes wrong is an *Error: what was asked of whom, what was
// seen, who said so, and a Cause. The causes Cancelled and Fault are ours (Ours
// tells), all others are findings about the network. An ended context with a
// deadline is a finding once something was asked (nothing came until then), one
// that was cancelled never is.
//
// # Fidelity
//
// A Host is quiet until it is asked to do something, and then speaks as one of
// the lab's machines does: with an address of the same kind (02:…), a TTL of 64,
// the same ARP and neighbour discovery (three requests a second apart, entries
// that grow stale and are asked for again), ports from 32768 to 60999, TCP
// options in Linux's order, the first window of a Linux machine, identifications
// and flow labels that look like its own, no frame padded. It answers ARP,
// neighbour solicitations and pings, and refuses ports that are not open. When
// it goes its connections are closed as those of a program that ends.
//
// What could still tell it apart, for who looks closely:
//
//   - It does not say so when it comes: Linux with IPv6 sends a multicast
//     report, looks for duplicates of its addresses and asks for routers.
//   - It answers what it was not asked before only by ARP, neighbour discovery,
//     ICMP echo, and refusals: it has no multicast groups to report, no mDNS.
//   - TCP's windows beyond the first segment grow by another rule, its
//     retransmissions and congestion control are gVisor's, and its timestamps
//     count from one number for all connections to one machine.
//   - It does not answer ICMP's requests for the time.
//   - It ignores ICMP redirects, which Linux takes from its router.
//   - Its answers take the time of a process of the host, not of a guest: about
//     a tenth of a millisecond.
package probe
