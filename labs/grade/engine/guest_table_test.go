package engine_test

import (
	"github.com/patchbay/patchbay/labs/grade"
)

// guestTest is a check that passes on the routers, one that fails, and part of
// what is seen then.
type guestTest struct {
	good, bad grade.Kinds
	seen      string
}

func guestTests() map[string]guestTest {
	yes, no := true, false
	one := "one"
	n := func(i int) *int { return &i }
	return map[string]guestTest{
		"command": {
			grade.Kinds{Command: &grade.Command{Node: "r1", Run: "ip -br link show eth0; echo done", Contains: []string{"eth0", "!eth9"}, Matches: []string{`(?m)^done$`}}},
			grade.Kinds{Command: &grade.Command{Node: "r1", Run: "echo one; exit 3", Contains: []string{"two"}}},
			"exit code 3",
		},
		"sysctl": {
			grade.Kinds{Sysctl: &grade.Sysctl{Node: "r1", Values: map[string]string{"net.ipv4.ip_forward": "1", "net.ipv4.conf.eth0.mc_forwarding": "0"}}},
			grade.Kinds{Sysctl: &grade.Sysctl{Node: "r1", Key: "net.ipv4.ip_forward", Value: []string{"0"}}},
			"net.ipv4.ip_forward is 1",
		},
		"process": {
			grade.Kinds{Process: &grade.Process{Node: "r1", Name: []string{"ospfd", "bgpd", "named", "!apache2"}}},
			grade.Kinds{Process: &grade.Process{Node: "r1", Name: []string{"apache2", "!ospfd"}}},
			"apache2 does not run on r1, r1 runs ospfd",
		},
		"process by a part of its name": {
			grade.Kinds{Process: &grade.Process{Node: "r1", Like: true, Name: []string{"ospf", "^bgpd?$", "!apache"}}},
			grade.Kinds{Process: &grade.Process{Node: "r1", Like: true, Name: []string{"apache", "!ospf"}}},
			"apache does not run on r1, r1 runs ospf",
		},
		"either stream": {
			grade.Kinds{Command: &grade.Command{Node: "r1", Run: "echo one; exit 3", Stream: "either", Exit: n(3), Output: &one}},
			grade.Kinds{Command: &grade.Command{Node: "r1", Args: []string{"sh", "-c", "echo one; exit 3"}, Stream: "either", Output: &one}},
			"exit code 3",
		},
		"socket": {
			grade.Kinds{Socket: &grade.Socket{Node: "r1", Port: 179, Address: "any", Process: "bgpd"}},
			grade.Kinds{Socket: &grade.Socket{Node: "r1", Protocol: "udp", Port: 5353}},
			"has no such udp socket; it has unconn",
		},
		"established": {
			grade.Kinds{Socket: &grade.Socket{Node: "r1", State: "established", Peer: "10.0.12.2"}},
			grade.Kinds{Socket: &grade.Socket{Node: "r1", State: "established", Peer: "10.0.99.2"}},
			"estab 10.0.12.1",
		},
		"address": {
			grade.Kinds{Address: &grade.Address{Node: "r1", Interface: "0", Address: []string{"10.0.12.1/30", "fd00:12::1/64"}, Only: true}},
			grade.Kinds{Address: &grade.Address{Node: "r1", Interface: "lan", Address: []string{"10.9.0.0/24"}}},
			"lan of r1 has 10.1.0.1/24, fd00:1::1/64",
		},
		"link": {
			grade.Kinds{Link: &grade.Link{Node: "r1", Interface: "vxlan10", Kind: "vxlan", VNI: 10, Local: "10.255.0.1", Master: "br0", Up: &yes}},
			grade.Kinds{Link: &grade.Link{Node: "r1", Interface: "eth0", MTU: 9000, Up: &no, Master: "br0"}},
			"eth0 is up, its MTU is 1500, its master is none",
		},
		"route": {
			grade.Kinds{Route: &grade.Route{Node: "r1", To: "10.2.0.0/24", Via: []string{"10.0.12.2"}}},
			grade.Kinds{Route: &grade.Route{Node: "r1", To: "10.3.0.0/24"}},
			"r1 has no route to 10.3.0.0/24; it has 10.0.12.0/30 via eth0, 10.1.0.0/24 via lan",
		},
		"route by two": {
			grade.Kinds{Route: &grade.Route{Node: "r1", To: "10.55.0.0/16", Via: []string{"10.0.12.2", "lan"}}},
			grade.Kinds{Route: &grade.Route{Node: "r1", To: "10.55.0.0/16", Via: []string{"10.0.12.2"}}},
			"10.55.0.0/16 via 10.0.12.2 and lan",
		},
		"route of IPv6": {
			grade.Kinds{Route: &grade.Route{Node: "r1", To: "fd00:2::/64", Via: []string{"eth0"}}},
			grade.Kinds{Route: &grade.Route{Node: "r1", To: "default", IPv6: true}},
			"r1 has no route to default; it has fd00:1::/64 via lan",
		},
		"route in a VRF": {
			grade.Kinds{Route: &grade.Route{Node: "r1", To: "10.77.0.0/16", VRF: "blue", Metric: n(7)}},
			grade.Kinds{Route: &grade.Route{Node: "r1", To: "10.77.0.0/16", Table: "200"}},
			"has no route to 10.77.0.0/16",
		},
		"blackhole": {
			grade.Kinds{Route: &grade.Route{Node: "r1", To: "10.66.0.0/16", Type: "blackhole"}},
			grade.Kinds{Route: &grade.Route{Node: "r1", To: "10.2.0.0/24", Type: "blackhole"}},
			"the route of r1 is to 10.2.0.0/24",
		},
		"packet": {
			grade.Kinds{Route: &grade.Route{Node: "r1", Packet: "10.2.0.77", Via: []string{"10.0.12.2"}}},
			grade.Kinds{Route: &grade.Route{Node: "r1", Packet: "10.66.0.1"}},
			"no route for packets to 10.66.0.1",
		},
		"whole table": {
			grade.Kinds{Route: &grade.Route{Node: "r1", Only: true, Routes: []grade.Hop{
				{To: "10.2.0.0/24", Via: []string{"10.0.12.2"}}, {To: "10.55.0.0/16"}, {To: "10.66.0.0/16"}, {To: "10.255.0.2"},
				{To: "172.16.2.0/24"}, {To: "10.1.0.0/24"},
			}}},
			grade.Kinds{Route: &grade.Route{Node: "r1", Only: true, Routes: []grade.Hop{{To: "10.2.0.0/24"}}}},
			"a route to 10.55.0.0/16 via 10.0.12.2 and lan too many",
		},
		"neighbour": {
			grade.Kinds{Neighbour: &grade.Neighbour{Node: "r1", Address: "10.0.12.2", Interface: "eth0"}},
			grade.Kinds{Neighbour: &grade.Neighbour{Node: "r1", Address: "10.0.12.2", MAC: "02:00:00:00:00:01"}},
			"10.0.12.2 is 02:",
		},
		"bridge": {
			grade.Kinds{Bridge: &grade.Bridge{Node: "r1", Only: true, Filtering: &yes,
				Ports: map[string]grade.BridgePort{"host0": {VLANs: []int{20, 21, 22}, PVID: n(10)}},
				VXLAN: map[string]grade.BridgePort{"10": {PVID: n(10)}}, FDB: map[string]string{"02:00:00:00:00:77": "host0"}}},
			grade.Kinds{Bridge: &grade.Bridge{Node: "r1", Bridge: "br0", Ports: map[string]grade.BridgePort{"host0": {VLANs: []int{30}}, "eth0": {}}, VXLAN: map[string]grade.BridgePort{"20": {}}}},
			"eth0 is no port of it, host0 has VLANs 10 20 21 22, PVID 10, no VXLAN with VNI 20",
		},
		"firewall": {
			grade.Kinds{Firewall: &grade.Firewall{Node: "r1", Hook: "input", Rule: &grade.Rule{Protocol: "tcp", Port: "443", In: "lan", Do: "accept"}}},
			grade.Kinds{Firewall: &grade.Firewall{Node: "r1", Hook: "forward", Policy: "accept"}},
			"filter/forward at forward with policy drop",
		},
		"firewall's range and network": {
			grade.Kinds{Firewall: &grade.Firewall{Node: "r1", Rule: &grade.Rule{Protocol: "udp", Port: "1500", Source: "192.0.2.0/24", Do: "drop"}}},
			grade.Kinds{Firewall: &grade.Firewall{Node: "r1", Chain: "input", Rule: &grade.Rule{Protocol: "udp", Port: "999", Do: "drop"}}},
			"protocol udp saddr 192.0.2.0/24 dport 1000-2000 drop",
		},
		"nat": {
			grade.Kinds{Firewall: &grade.Firewall{Node: "r1", Hook: "postrouting", Rule: &grade.Rule{Out: "eth0", Source: "10.1.0.0/24", Do: "masquerade"}}},
			grade.Kinds{Firewall: &grade.Firewall{Node: "r1", Hook: "prerouting", Rule: &grade.Rule{Port: "8080", Do: "dnat", To: "10.1.0.9"}}},
			"dport 8080 iif eth0 dnat 10.1.0.5:80",
		},
		"iptables": {
			grade.Kinds{Firewall: &grade.Firewall{Node: "r1", Iptables: []string{"-A INPUT --dport 23 -p tcp -j DROP", "-t nat -A POSTROUTING -o eth0 -s 10.9.0.0/24 -j MASQUERADE"}}},
			grade.Kinds{Firewall: &grade.Firewall{Node: "r1", Iptables: []string{"-P FORWARD DROP"}}},
			"no rule -P FORWARD DROP",
		},
		"wireguard": {
			grade.Kinds{WireGuard: &grade.WireGuard{Node: "r1", Port: 51820, Only: true, Peers: []grade.WireGuardPeer{{Endpoint: "10.0.12.2", Allowed: []string{"fd00:100::/64", "10.100.0.2/32"}, Handshake: 3 * 60e9, Keepalive: 1}}}},
			grade.Kinds{WireGuard: &grade.WireGuard{Node: "r1", Interface: "wg0", Peers: []grade.WireGuardPeer{{Allowed: []string{"10.0.0.0/8"}}}}},
			"the allowed networks are 10.100.0.2/32, fd00:100::/64",
		},
		"ospf": {
			grade.Kinds{OSPF: &grade.OSPF{Node: "r1", RouterID: "10.255.0.1", Count: n(1), Neighbours: []grade.OSPFNeighbour{{ID: "10.255.0.2", Interface: "eth0", Address: "10.0.12.2"}},
				Routes: []grade.Hop{{To: "10.2.0.0/24", Via: []string{"10.0.12.2"}}, {To: "!10.3.0.0/24"}}, Interfaces: map[string]map[string]string{"eth0": {"area": "0", "timerDeadSecs": "4"}}}},
			grade.Kinds{OSPF: &grade.OSPF{Node: "r1", Neighbours: []grade.OSPFNeighbour{{ID: "10.255.0.3"}}, Routes: []grade.Hop{{To: "10.3.0.0/24"}}}},
			"the neighbours are 10.255.0.2 Full",
		},
		"ospf v3": {
			grade.Kinds{OSPF: &grade.OSPF{Node: "r1", V3: true, RouterID: "10.255.0.1", Neighbours: []grade.OSPFNeighbour{{ID: "10.255.0.2", Interface: "eth0"}}, Routes: []grade.Hop{{To: "fd00:2::/64", Via: []string{"eth0"}}}}},
			grade.Kinds{OSPF: &grade.OSPF{Node: "r1", V3: true, Routes: []grade.Hop{{To: "fd00:3::/64"}}}},
			"there is no route to fd00:3::/64",
		},
		"bgp": {
			grade.Kinds{BGP: &grade.BGP{Node: "r1", ASN: 65001, RouterID: "10.255.0.1", Neighbours: []grade.BGPNeighbour{{Address: "10.0.12.2", ASN: 65002, Received: n(1)}, {Address: "192.0.2.99", State: "any"}}, Only: true,
				Routes: []grade.BGPRoute{{To: "10.2.0.0/24", Paths: [][]uint32{{65002}}, Best: &[]uint32{65002}, Via: "10.0.12.2", Origin: "IGP"}, {To: "10.1.0.0/24", Paths: [][]uint32{{}}}, {To: "!10.9.0.0/24"}}}},
			grade.Kinds{BGP: &grade.BGP{Node: "r1", Neighbours: []grade.BGPNeighbour{{Address: "192.0.2.99"}}, Routes: []grade.BGPRoute{{To: "10.2.0.0/24", Paths: [][]uint32{{65002, 65003}}}}}},
			"192.0.2.99 in AS 65099",
		},
		"bgp's paths and no others": {
			grade.Kinds{BGP: &grade.BGP{Node: "r1", Routes: []grade.BGPRoute{{To: "10.2.0.0/24", Paths: [][]uint32{{65002}}, Only: true}}}},
			grade.Kinds{BGP: &grade.BGP{Node: "r1", Routes: []grade.BGPRoute{{To: "10.2.0.0/24", Paths: [][]uint32{{65002}, {65002}}, Only: true}}}},
			"the paths to 10.2.0.0/24 are “65002”",
		},
		"bgp of IPv6": {
			grade.Kinds{BGP: &grade.BGP{Node: "r1", Routes: []grade.BGPRoute{{To: "fd00:2::/64", Paths: [][]uint32{{65002}}}}}},
			grade.Kinds{BGP: &grade.BGP{Node: "r1", Routes: []grade.BGPRoute{{To: "fd00:9::/64"}}}},
			"there is no route to fd00:9::/64; the table has fd00:1::/64, fd00:2::/64",
		},
		"evpn": {
			grade.Kinds{BGP: &grade.BGP{Node: "r1", EVPN: []string{"10.0.12.2"}, VTEP: &grade.VTEP{IP: "10.255.0.1", VNIs: []int{10}}, Remote: map[string]int{"10": 1}}},
			grade.Kinds{BGP: &grade.BGP{Node: "r1", EVPN: []string{"10.0.12.9"}, VTEP: &grade.VTEP{IP: "10.255.0.9", VNIs: []int{10, 20}}}},
			"its VNIs are 10, its end of VNI 10 is 10.255.0.1",
		},
		"rip": {
			grade.Kinds{RIP: &grade.RIP{Node: "r1", Neighbours: []string{"10.0.12.2"}, Routes: []grade.Hop{{To: "172.16.2.0/24", Via: []string{"10.0.12.2"}}}}},
			grade.Kinds{RIP: &grade.RIP{Node: "r1", Routes: []grade.Hop{{To: "172.16.3.0/24"}}}},
			"172.16.2.0/24 via 10.0.12.2",
		},
		"ripng": {
			grade.Kinds{RIP: &grade.RIP{Node: "r1", NG: true, Routes: []grade.Hop{{To: "fd00:2::/64", Via: []string{"eth0"}}}}},
			grade.Kinds{RIP: &grade.RIP{Node: "r1", NG: true, Neighbours: []string{"fe80::1"}}},
			"the neighbours are fe80::",
		},
		"isis": {
			grade.Kinds{ISIS: &grade.ISIS{Node: "r1", Neighbours: []grade.ISISNeighbour{{System: "r2", Interface: "eth0"}}, Routes: []grade.Hop{{To: "10.2.0.0/24"}}}},
			grade.Kinds{ISIS: &grade.ISIS{Node: "r1", Neighbours: []grade.ISISNeighbour{{System: "r3"}}}},
			"the neighbours are r2 Up at eth0",
		},
		"frr": {
			grade.Kinds{FRR: &grade.FRR{Node: "r1", Daemon: "zebra", Show: "ip route json", Values: map[string]string{"[10.2.0.0/24].*.selected": "true", "[10.2.0.0/24].0.prefix": "!10.3.0.0/24"}}},
			grade.Kinds{FRR: &grade.FRR{Node: "r1", Daemon: "zebra", Show: "ip route json", Values: map[string]string{"[10.2.0.0/24].0.prefixLen": "25"}}},
			"[10.2.0.0/24].0.prefixLen is 24",
		},
		"frr's configuration": {
			grade.Kinds{FRR: &grade.FRR{Node: "r1", Daemon: "ospfd", Networks: []string{"10.0.12.0/30", "!10.9.0.0/24"}, Redistribute: []string{"static", "!bgp"}}},
			grade.Kinds{FRR: &grade.FRR{Node: "r1", Daemon: "ospfd", Networks: []string{"10.9.0.0/24"}, Redistribute: []string{"bgp"}}},
			"ospfd has the networks 10.0.12.0/30, 10.1.0.0/24, 10.255.0.1/32, ospfd redistributes static",
		},
		"names": {
			grade.Kinds{Names: &grade.Names{Node: "r1", Name: "www.example.test", Answers: []string{"10.1.0.5", "10.1.0.6"}, Only: true, Authoritative: &yes, Resolver: "10.255.0.1"}},
			grade.Kinds{Names: &grade.Names{Node: "r1", Name: "www.example.test", Server: "127.0.0.1", Answers: []string{"10.1.0.7"}}},
			"the answer holds 10.1.0.5, 10.1.0.6",
		},
		"mail": {
			grade.Kinds{Names: &grade.Names{Node: "r1", Name: "example.test", Type: "MX", Answers: []string{"10 mail.example.test"}}},
			grade.Kinds{Names: &grade.Names{Node: "r1", Name: "nope.example.test"}},
			"the answer was NXDOMAIN",
		},
		"names, one of": {
			grade.Kinds{Names: &grade.Names{Node: "r1", Name: "www.example.test", OneOf: []string{"10.1.0.5", "10.1.0.6", "10.1.0.7"}}},
			grade.Kinds{Names: &grade.Names{Node: "r1", Name: "www.example.test", OneOf: []string{"10.1.0.5", "10.1.0.7"}}},
			"the answer holds 10.1.0.5, 10.1.0.6",
		},
		"http": {
			grade.Kinds{HTTP: &grade.HTTP{Node: "r2", URL: "http://10.0.12.1/", Contains: []string{"Hello of r1"}, Matches: []string{"<h1>.*</h1>"}, Headers: map[string]string{"Content-Type": "text/html", "ETag": "*"}}},
			grade.Kinds{HTTP: &grade.HTTP{Node: "r1", URL: "http://127.0.0.1/nothing"}},
			"the status was 404",
		},
		"http by name": {
			grade.Kinds{HTTP: &grade.HTTP{Node: "r1", URL: "http://ns.example.test/"}},
			grade.Kinds{HTTP: &grade.HTTP{Node: "r1", URL: "http://127.0.0.1:81/"}},
			"got no answer from",
		},
		"reach": {
			grade.Kinds{Reach: &grade.Reach{Node: "r1", To: []string{"10.0.12.2", "ns.example.test", "!10.1.0.99"}}},
			grade.Kinds{Reach: &grade.Reach{Node: "r1", To: []string{"10.1.0.99", "!10.0.12.2"}}},
			"r1 reaches 10.0.12.2",
		},
	}
}
