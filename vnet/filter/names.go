package filter

// Ethernet types.
const (
	typeIP   = 0x0800
	typeARP  = 0x0806
	typeRARP = 0x8035
	typeIP6  = 0x86dd
	typeVLAN = 0x8100
	typeQinQ = 0x88a8
	typeOldQ = 0x9100 // what some switches used before 802.1ad
	typeMPLS = 0x8847
	typeMPLM = 0x8848 // MPLS, multicast
)

// IP protocols that the evaluation knows.
const (
	protoICMP     = 1
	protoTCP      = 6
	protoUDP      = 17
	protoFragment = 44
	protoICMP6    = 58
	protoSCTP     = 132
)

// A proto is a protocol as a qualifier: the word before host, port or [.
type proto uint8

const (
	pAny proto = iota
	pEther
	pIP
	pIP6
	pARP
	pRARP
	pTCP
	pUDP
	pSCTP
	pICMP
	pICMP6
	pIPOther // an IP protocol without qualifiers of its own; its number beside it
)

var protos = map[string]proto{
	"ether": pEther, "link": pEther, "ip": pIP, "ip6": pIP6, "arp": pARP, "rarp": pRARP,
	"tcp": pTCP, "udp": pUDP, "sctp": pSCTP, "icmp": pICMP, "icmp6": pICMP6,
	"igmp": pIPOther, "igrp": pIPOther, "pim": pIPOther, "vrrp": pIPOther, "carp": pIPOther,
	"ah": pIPOther, "esp": pIPOther,
}

// ipProtos are the numbers of IP protocols by name.
var ipProtos = map[string]uint32{
	"icmp": protoICMP, "igmp": 2, "ipip": 4, "ipencap": 4, "tcp": protoTCP, "egp": 8, "igrp": 9, "igp": 9,
	"udp": protoUDP, "ipv6": 41, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51,
	"icmp6": protoICMP6, "ipv6-icmp": protoICMP6, "eigrp": 88, "ospf": 89, "pim": 103,
	"vrrp": 112, "carp": 112, "l2tp": 115, "isis": 124, "sctp": protoSCTP, "udplite": 136,
}

// etherTypes are Ethernet types by name; those below 1501 are the SAPs of LLC.
var etherTypes = map[string]uint32{
	"ip": typeIP, "ip6": typeIP6, "arp": typeARP, "rarp": typeRARP,
	"stp": 0x42, "iso": 0xfe, "netbeui": 0xf0, "aarp": 0x80f3, "lldp": 0x88cc, "loopback": 0x9000,
}

// isoProtos are the network layer protocols of OSI.
var isoProtos = map[string]uint32{"clnp": 0x81, "esis": 0x82, "isis": 0x83}

// services are the ports that go by a name, over whatever transport.
var services = map[string]uint32{
	"echo": 7, "discard": 9, "daytime": 13, "chargen": 19, "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23,
	"smtp": 25, "time": 37, "whois": 43, "tacacs": 49, "domain": 53, "bootps": 67, "bootpc": 68, "tftp": 69,
	"gopher": 70, "finger": 79, "http": 80, "kerberos": 88, "pop3": 110, "sunrpc": 111, "ntp": 123,
	"netbios-ns": 137, "netbios-dgm": 138, "netbios-ssn": 139, "imap": 143, "imap2": 143, "snmp": 161,
	"snmp-trap": 162, "snmptrap": 162, "bgp": 179, "irc": 194, "ldap": 389, "https": 443, "microsoft-ds": 445,
	"submissions": 465, "isakmp": 500, "syslog": 514, "route": 520, "ripng": 521, "dhcpv6-client": 546,
	"dhcpv6-server": 547, "submission": 587, "ipp": 631, "ldp": 646, "ldaps": 636, "domain-s": 853,
	"imaps": 993, "pop3s": 995, "openvpn": 1194, "l2f": 1701, "l2tp": 1701, "radius": 1812,
	"radius-acct": 1813, "nfs": 2049, "mysql": 3306, "iscsi-target": 3260, "ipsec-nat-t": 4500, "vxlan": 4789,
	"sip": 5060, "sip-tls": 5061, "mdns": 5353, "postgresql": 5432, "http-alt": 8080,
}

// constants are numbers by name: offsets, TCP flags, ICMP types.
var constants = map[string]uint32{
	"tcpflags": 13, "tcp-fin": 1, "tcp-syn": 2, "tcp-rst": 4, "tcp-push": 8, "tcp-ack": 16, "tcp-urg": 32,
	"tcp-ece": 64, "tcp-cwr": 128,
	"icmptype": 0, "icmpcode": 1, "icmp-echoreply": 0, "icmp-unreach": 3, "icmp-sourcequench": 4,
	"icmp-redirect": 5, "icmp-echo": 8, "icmp-routeradvert": 9, "icmp-routersolicit": 10, "icmp-timxceed": 11,
	"icmp-paramprob": 12, "icmp-tstamp": 13, "icmp-tstampreply": 14, "icmp-ireq": 15, "icmp-ireqreply": 16,
	"icmp-maskreq": 17, "icmp-maskreply": 18,
	"icmp6type": 0, "icmp6code": 1, "icmp6-destinationrunreach": 1, "icmp6-packettoobig": 2,
	"icmp6-timeexceeded": 3, "icmp6-parameterproblem": 4, "icmp6-echo": 128, "icmp6-echoreply": 129,
	"icmp6-multicastlistenerquery": 130, "icmp6-multicastlistenerreportv1": 131,
	"icmp6-multicastlistenerdone": 132, "icmp6-routersolicit": 133, "icmp6-routeradvert": 134,
	"icmp6-neighborsolicit": 135, "icmp6-neighboradvert": 136, "icmp6-redirect": 137,
	"icmp6-routerrenum": 138, "icmp6-nodeinformationquery": 139, "icmp6-nodeinformationresponse": 140,
	"icmp6-ineighbordiscoverysolicit": 141, "icmp6-ineighbordiscoveryadvert": 142,
	"icmp6-multicastlistenerreportv2": 143, "icmp6-homeagentdiscoveryrequest": 144,
	"icmp6-homeagentdiscoveryreply": 145, "icmp6-mobileprefixsolicit": 146, "icmp6-mobileprefixadvert": 147,
	"icmp6-certpathsolicit": 148, "icmp6-certpathadvert": 149, "icmp6-multicastrouteradvert": 151,
	"icmp6-multicastroutersolicit": 152, "icmp6-multicastroutertermination": 153,
}

// hints are for words that people write and the language does not have.
var hints = map[string]string{
	"ospf": `say "ip proto ospf"`, "gre": `say "ip proto gre"`, "eigrp": `say "ip proto eigrp"`,
	"dns": `say "port 53"`, "http": `say "tcp port 80"`, "https": `say "tcp port 443"`, "ssh": `say "tcp port 22"`,
	"dhcp": `say "port 67 or port 68"`, "bgp": `say "tcp port 179"`, "rip": `say "udp port 520"`,
	"lldp": `say "ether proto lldp"`, "ipv6": `say "ip6"`, "ipv4": `say "ip"`, "icmpv6": `say "icmp6"`,
	"gateway": "it would need a name server", "mac": `say "ether host"`, "eth": `say "ether"`,
	"xor": `say "^"`, "contains": "a capture filter does not search for text",
	"tcp.port": "this is a display filter of Wireshark; a capture filter says \"tcp port 80\"",
	"ip.addr":  "this is a display filter of Wireshark; a capture filter says \"host 10.0.0.1\"",
}
