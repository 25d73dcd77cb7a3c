// Package outside is the words in which somebody says what of the world outside
// guests may reach, and what those words mean. It makes no connection and knows
// no network stack: vnet/uplink carries out what is decided here.
//
// A Rule names a host, a domain or a network (IPv4), and ports. Two lists meet:
// what the server's administrator allows and what the lab asks for; Effective
// says what both have in common, and a Policy decides by that.
//
// Some addresses are never reached, whatever a rule says: the host's loopback,
// link-local and multicast addresses, and those at which clouds answer
// questions about a machine and its secrets. The private networks, and those
// that the host itself is on, are near: they are reached only by a rule of the
// administrator that names such a network, or a part of it, as a prefix. A
// name that resolves to a near address is not enough, since whoever owns the
// name decides where it points.
package outside
