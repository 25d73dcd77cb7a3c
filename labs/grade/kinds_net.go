package grade

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Address: see Kinds.
type Address struct {
	Node      string   `json:"node" yaml:"node" doc:"The node."`
	Interface string   `json:"interface,omitempty" yaml:"interface" doc:"The interface; any when nothing is said. A number N means ethN."`
	Address   []string `json:"address" yaml:"address" doc:"Addresses that it has: 10.0.0.1/24, or without a length for any length; with “!” in front, that it has not. 10.0.0.0/24, a network, asks for any address in it."`
	Only      bool     `json:"only,omitempty" yaml:"only" doc:"It has no others of these families; link-local ones and 127.0.0.1 are not counted."`
}

func (k *Address) Nodes() []string    { return []string{k.Node} }
func (k *Address) Segments() []string { return nil }

func (k *Address) Validate(report func(field, fix, format string, args ...any)) {
	askNode(report, k.Node)
	if len(k.Address) == 0 {
		report("address", "write the address with its length", "there is no address")
	}
	for i, a := range k.Address {
		rest, _ := Barred(a)
		askPrefix(report, fmt.Sprintf("address[%d]", i), rest)
	}
}

func (k *Address) Expect() string {
	s := k.Node + " has " + wanted(k.Address)
	if k.Interface != "" {
		s = interfaceName(k.Interface) + " of " + s
	}
	if k.Only {
		s += " and no others"
	}
	return s
}

// interfaceName lets a number stand for ethN.
func interfaceName(s string) string {
	if s != "" && strings.Trim(s, "0123456789") == "" {
		return "eth" + s
	}
	return s
}

// Name is the interface's.
func (k *Address) Name() string { return interfaceName(k.Interface) }

// Link: see Kinds.
type Link struct {
	Node      string   `json:"node" yaml:"node" doc:"The node."`
	Interface string   `json:"interface" yaml:"interface" doc:"The interface."`
	Up        *bool    `json:"up,omitempty" yaml:"up" doc:"Whether it is set up."`
	Carrier   *bool    `json:"carrier,omitempty" yaml:"carrier" doc:"Whether it has a carrier."`
	MTU       int      `json:"mtu,omitempty" yaml:"mtu" doc:"Its MTU in bytes."`
	MAC       string   `json:"mac,omitempty" yaml:"mac" doc:"Its address."`
	Master    string   `json:"master,omitempty" yaml:"master" doc:"The bridge, bond or VRF that it belongs to; “none” for none."`
	Kind      string   `json:"kind,omitempty" yaml:"kind" doc:"What it is: vlan, bridge, bond, vxlan, vrf, dummy, gre, ipip, sit, wireguard, veth, macvlan…"`
	Parent    string   `json:"parent,omitempty" yaml:"parent" doc:"The interface below a VLAN's or a tunnel's."`
	VLAN      int      `json:"vlan,omitempty" yaml:"vlan" doc:"The id of a VLAN interface."`
	VNI       int      `json:"vni,omitempty" yaml:"vni" doc:"The network identifier of a VXLAN interface."`
	Local     string   `json:"local,omitempty" yaml:"local" doc:"A tunnel's own address."`
	Remote    string   `json:"remote,omitempty" yaml:"remote" doc:"A tunnel's other end."`
	Table     string   `json:"table,omitempty" yaml:"table" doc:"A VRF's table."`
	Mode      string   `json:"mode,omitempty" yaml:"mode" doc:"A bond's mode: 802.3ad, active-backup…"`
	Flags     []string `json:"flags,omitempty" yaml:"flags" doc:"Flags as ip link shows them: PROMISC, NOARP; with “!” in front, that are not set."`
}

func (k *Link) Nodes() []string    { return []string{k.Node} }
func (k *Link) Segments() []string { return nil }

func (k *Link) Validate(report func(field, fix, format string, args ...any)) {
	askNode(report, k.Node)
	if k.Interface == "" {
		report("interface", "write the interface's name", "there is no interface")
	}
	if k.VLAN < 0 || k.VLAN > 4094 {
		report("vlan", "", "%d is no VLAN", k.VLAN)
	}
	if k.VNI < 0 || k.VNI >= 1<<24 {
		report("vni", "", "%d is no VNI", k.VNI)
	}
	askAddr(report, "local", k.Local)
	askAddr(report, "remote", k.Remote)
}

// Name is the interface's.
func (k *Link) Name() string { return interfaceName(k.Interface) }

func (k *Link) Expect() string {
	what := parts(sayBool(k.Up, "is up", "is down"), sayBool(k.Carrier, "has a carrier", "has no carrier"), sayInt("has MTU ", k.MTU),
		say("has the address ", k.MAC), say("belongs to ", k.Master), say("is a ", k.Kind), say("lies on ", k.Parent), sayInt("is in VLAN ", k.VLAN),
		sayInt("has VNI ", k.VNI), say("is a tunnel from ", k.Local), say("is a tunnel to ", k.Remote), say("has table ", k.Table),
		say("has mode ", k.Mode), say("has the flags ", wanted(k.Flags)))
	if what == "" {
		what = "is there"
	}
	return k.Name() + " of " + k.Node + " " + what
}

// Hop is a route in a list.
type Hop struct {
	To  string   `json:"to" yaml:"to" doc:"The network, or default."`
	Via []string `json:"via,omitempty" yaml:"via" doc:"Next hops: addresses or interfaces, all of them."`
}

// Route: see Kinds.
type Route struct {
	Node    string   `json:"node" yaml:"node" doc:"The node."`
	To      string   `json:"to,omitempty" yaml:"to" doc:"The network of the route: 10.0.3.0/24, fd00::/64, or default."`
	Via     []string `json:"via,omitempty" yaml:"via" doc:"Its next hops, addresses or interfaces: these and no others."`
	Packet  string   `json:"packet,omitempty" yaml:"packet" doc:"In place of to: an address; the route that a packet to it takes."`
	IPv6    bool     `json:"ipv6,omitempty" yaml:"ipv6" doc:"With default and with only: IPv6."`
	Table   string   `json:"table,omitempty" yaml:"table" doc:"A table's name or number; main when nothing is said."`
	VRF     string   `json:"vrf,omitempty" yaml:"vrf" doc:"The VRF that the route is in."`
	Proto   string   `json:"proto,omitempty" yaml:"proto" doc:"Who made it: static, kernel, ospf, bgp, rip, isis, zebra, dhcp, ra, boot…"`
	Metric  *int     `json:"metric,omitempty" yaml:"metric" doc:"Its metric."`
	Type    string   `json:"type,omitempty" yaml:"type" doc:"unicast, blackhole, unreachable, prohibit…"`
	Source  string   `json:"source,omitempty" yaml:"source" doc:"The source address that it prefers."`
	Routes  []Hop    `json:"routes,omitempty" yaml:"routes" doc:"In place of to: several routes."`
	Only    bool     `json:"only,omitempty" yaml:"only" doc:"With routes: the table has no others, networks that the node is connected to left aside."`
	Links   bool     `json:"links,omitempty" yaml:"links" doc:"With only: routes to an interface, without a next hop, are left aside as well."`
	Connect bool     `json:"connected,omitempty" yaml:"connected" doc:"With only: connected networks count as well."`
}

func (k *Route) Nodes() []string    { return []string{k.Node} }
func (k *Route) Segments() []string { return nil }

func (k *Route) Validate(report func(field, fix, format string, args ...any)) {
	askNode(report, k.Node)
	given := 0
	for _, is := range []bool{k.To != "", k.Packet != "", len(k.Routes) > 0 || k.Only} {
		if is {
			given++
		}
	}
	if given != 1 {
		report("to", "write to, packet or routes", "one of to, packet and routes is to be given")
	}
	if k.To != "" {
		askPrefix(report, "to", k.To, "default")
	}
	askAddr(report, "packet", k.Packet)
	askAddr(report, "source", k.Source)
	for i, h := range k.Routes {
		askPrefix(report, fmt.Sprintf("routes[%d].to", i), h.To, "default")
	}
	if strings.HasPrefix(k.Table, "-") || strings.HasPrefix(k.VRF, "-") {
		report("table", "", "a name does not begin with a dash")
	}
	if k.Table != "" && k.VRF != "" {
		report("vrf", "keep one of them", "a VRF has a table of its own")
	}
	askOneOf(report, "type", k.Type, "unicast", "local", "broadcast", "multicast", "throw", "unreachable", "prohibit", "blackhole", "nat", "anycast")
}

func (k *Route) Expect() string {
	via := say("via ", listed(k.Via))
	metric := ""
	if k.Metric != nil {
		metric = fmt.Sprintf("metric %d", *k.Metric)
	}
	rest := parts(via, say("made by ", k.Proto), metric, say("of type ", k.Type), say("from ", k.Source), say("in table ", k.Table), say("in VRF ", k.VRF))
	if rest != "" {
		rest = " " + rest
	}
	if k.Packet != "" {
		return "packets of " + k.Node + " to " + k.Packet + " have a route" + rest
	}
	if k.To != "" {
		return k.Node + " has a route to " + k.To + rest
	}
	var list []string
	for _, h := range k.Routes {
		list = append(list, h.To+say(" via ", listed(h.Via)))
	}
	s := k.Node + " has routes to " + listed(list) + rest
	if k.Only {
		s += " and no others"
	}
	return s
}

// Neighbour: see Kinds.
type Neighbour struct {
	Node      string   `json:"node" yaml:"node" doc:"The node."`
	Address   string   `json:"address" yaml:"address" doc:"The neighbour's IP address."`
	MAC       string   `json:"mac,omitempty" yaml:"mac" doc:"Its address on the wire."`
	Interface string   `json:"interface,omitempty" yaml:"interface" doc:"The interface that it is at."`
	State     []string `json:"state,omitempty" yaml:"state" doc:"Its state, or several of which one will do: reachable, stale, delay, probe, permanent, failed… When nothing is said, any in which its address is known."`
	Proxy     bool     `json:"proxy,omitempty" yaml:"proxy" doc:"The node answers for it (proxy ARP)."`
}

func (k *Neighbour) Nodes() []string    { return []string{k.Node} }
func (k *Neighbour) Segments() []string { return nil }

func (k *Neighbour) Validate(report func(field, fix, format string, args ...any)) {
	askNode(report, k.Node)
	if k.Address == "" {
		report("address", "write the neighbour's address", "there is no address")
	}
	askAddr(report, "address", k.Address)
}

func (k *Neighbour) Expect() string {
	return parts(k.Node+" has "+k.Address+" in its neighbour table", say("with ", k.MAC), say("at ", interfaceName(k.Interface)), say("as ", strings.Join(k.State, " or ")))
}

// BridgePort is a port of a bridge.
type BridgePort struct {
	VLANs    []int  `json:"vlans,omitempty" yaml:"vlans" doc:"Its VLANs: these and no others, the PVID among them or not."`
	First    bool   `json:"first,omitempty" yaml:"first" doc:"Besides vlans it may be in VLAN 1, which each port is given at first."`
	PVID     *int   `json:"pvid,omitempty" yaml:"pvid" doc:"The VLAN of frames without a tag; 0 for none."`
	Untagged []int  `json:"untagged,omitempty" yaml:"untagged" doc:"VLANs that leave it without a tag."`
	State    string `json:"state,omitempty" yaml:"state" doc:"The spanning tree's word: forwarding, blocking, disabled…"`
}

// Bridge: see Kinds.
type Bridge struct {
	Node      string                `json:"node" yaml:"node" doc:"The node."`
	Bridge    string                `json:"bridge,omitempty" yaml:"bridge" doc:"The bridge's name; any bridge that is so when nothing is said."`
	Ports     map[string]BridgePort `json:"ports,omitempty" yaml:"ports" doc:"Its ports, by interface."`
	Only      bool                  `json:"only,omitempty" yaml:"only" doc:"It has no other ports, those of VXLANs named in vxlan left aside."`
	VXLAN     map[string]BridgePort `json:"vxlan,omitempty" yaml:"vxlan" doc:"Its VXLAN ports, by VNI."`
	Filtering *bool                 `json:"filtering,omitempty" yaml:"filtering" doc:"Whether it minds VLANs."`
	STP       *bool                 `json:"stp,omitempty" yaml:"stp" doc:"Whether it takes part in the spanning tree."`
	Root      *bool                 `json:"root,omitempty" yaml:"root" doc:"Whether it is the root of the spanning tree."`
	Priority  *int                  `json:"priority,omitempty" yaml:"priority" doc:"Its priority in the spanning tree."`
	FDB       map[string]string     `json:"fdb,omitempty" yaml:"fdb" doc:"Addresses that it has learned, and the port of each."`
}

func (k *Bridge) Nodes() []string    { return []string{k.Node} }
func (k *Bridge) Segments() []string { return nil }

func (k *Bridge) Validate(report func(field, fix, format string, args ...any)) {
	askNode(report, k.Node)
	for name, ports := range map[string]map[string]BridgePort{"ports": k.Ports, "vxlan": k.VXLAN} {
		for _, key := range slices.Sorted(maps.Keys(ports)) {
			p := ports[key]
			for _, v := range slices.Concat(p.VLANs, p.Untagged) {
				if v < 1 || v > 4094 {
					report(name+"."+key, "", "%d is no VLAN", v)
				}
			}
			if p.PVID != nil && (*p.PVID < 0 || *p.PVID > 4094) {
				report(name+"."+key+".pvid", "", "%d is no VLAN", *p.PVID)
			}
		}
	}
	for vni := range k.VXLAN {
		if strings.Trim(vni, "0123456789") != "" || vni == "" {
			report("vxlan."+vni, "write the VNI in digits", "%q is no VNI", vni)
		}
	}
}

func (k *Bridge) Expect() string {
	name := k.Bridge
	if name == "" {
		name = "a bridge"
	}
	describe := func(ports map[string]BridgePort) string {
		var list []string
		for _, key := range slices.Sorted(maps.Keys(ports)) {
			p := ports[key]
			s := key
			if p.VLANs != nil {
				s += " in VLANs " + strings.Trim(fmt.Sprint(p.VLANs), "[]")
			}
			if p.PVID != nil {
				s += fmt.Sprintf(" with PVID %d", *p.PVID)
			}
			list = append(list, s+say(" ", p.State))
		}
		return listed(list)
	}
	only := ""
	if k.Only {
		only = "no other ports"
	}
	return name + " of " + k.Node + " has " + parts(say("the ports ", describe(k.Ports)), say("the VXLANs ", describe(k.VXLAN)), only,
		sayBool(k.Filtering, "VLAN filtering", "no VLAN filtering"), sayBool(k.STP, "spanning tree", "no spanning tree"),
		sayBool(k.Root, "the root's part", "not the root's part"), sayInt("learned addresses: ", len(k.FDB)))
}
