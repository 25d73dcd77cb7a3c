// Package filter reads capture filters in the language of tcpdump
// (pcap-filter(7)) and says which Ethernet frames they match.
//
//	f, err := filter.Compile("tcp port 80 and host 10.0.0.1")
//	if f.Match(frame) { … }
//
// # What it reads
//
// Expressions joined by and, or, not (&&, ||, !) and parentheses, and and or
// of equal precedence from left to right, as in tcpdump. The primitives:
//
//	[ip|ip6|arp|rarp] [src|dst|src or dst|src and dst] host ADDRESS
//	[ip|ip6|arp|rarp] [src|dst|…] net 10.0.0.0/8 | net 10.1 | net A mask B
//	[tcp|udp|sctp] [src|dst|…] port N, portrange N-M
//	ether [src|dst|…] [host] MAC, ether broadcast, [ether] multicast, ip|ip6 multicast
//	ether proto TYPE, [ip|ip6] proto N
//	ip ip6 arp rarp tcp udp sctp icmp icmp6 igmp igrp pim vrrp carp ah esp stp iso isis clnp esis
//	vlan [ID], mpls [LABEL], less N, greater N
//	EXPR < <= > >= = == != EXPR   of len, numbers, PROTO[OFFSET:SIZE], + - * / % & | ^ << >>
//
// and the names of TCP flags, of ICMP types, and of the usual services and IP
// protocols.
//
// # Where it differs from tcpdump
//
// Names of machines are refused, never looked up: a filter comes from a
// student, and must not make the server ask a name server. Names of services
// and protocols come from a table in this package.
//
// A VLAN tag hides nothing. "host 10.0.0.1" matches a frame with that address
// on a trunk port as well as on an access port; only ether[…] counts the bytes
// of the frame as it is. "vlan 10" is one more condition: "vlan 10 or vlan 20"
// is a frame in either, which in tcpdump it is not, and "vlan 10 and vlan 20"
// is a frame with the tag 20 inside of 10, as in tcpdump.
//
// As in tcpdump, labels of MPLS do hide what they carry: "icmp" is no frame with
// a label, and "mpls and icmp" is one with exactly one label and ICMP behind it.
//
// As in tcpdump, what follows an IPv6 extension header is not looked for, tcp[…]
// and udp[…] mean IPv4 alone, and a frame that ends before a byte that the
// filter has to look at is not matched, not even by a negation.
//
// # Why not libpcap
//
// Linking it takes a program's start from 5 to 13 ms (it brings in ten shared
// libraries, D-Bus among them) and every rack would pay; an expression of 4 KB
// keeps its optimiser busy for a second; its only message is "syntax error";
// it looks names up. The pure Go compilers that there are read a small part of
// the language. The tests hold this one against tcpdump.
package filter
