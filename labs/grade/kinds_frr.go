package grade

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// OSPFNeighbour is a neighbour of an OSPF router.
type OSPFNeighbour struct {
	ID        string `json:"id,omitempty" yaml:"id" doc:"Its router id; any when nothing is said."`
	State     string `json:"state,omitempty" yaml:"state" doc:"Its state: Full when nothing is said, 2-Way, Init, ExStart…"`
	Role      string `json:"role,omitempty" yaml:"role" doc:"DR, Backup or DROther."`
	Address   string `json:"address,omitempty" yaml:"address" doc:"Its address."`
	Interface string `json:"interface,omitempty" yaml:"interface" doc:"The interface that it is at."`
}

// OSPF: see Kinds.
type OSPF struct {
	Node       string                       `json:"node" yaml:"node" doc:"The node."`
	V3         bool                         `json:"v3,omitempty" yaml:"v3" doc:"OSPFv3, that is for IPv6."`
	VRF        string                       `json:"vrf,omitempty" yaml:"vrf" doc:"The VRF."`
	RouterID   string                       `json:"router_id,omitempty" yaml:"router_id" doc:"Its router id."`
	Neighbours []OSPFNeighbour              `json:"neighbours,omitempty" yaml:"neighbours" doc:"Its neighbours."`
	Count      *int                         `json:"count,omitempty" yaml:"count" doc:"How many neighbours are Full."`
	Routes     []Hop                        `json:"routes,omitempty" yaml:"routes" doc:"Routes that OSPF found."`
	Interfaces map[string]map[string]string `json:"interfaces,omitempty" yaml:"interfaces" doc:"Interfaces, and any fields of “show ip ospf interface json” with their values: area, cost, networkType, timerDeadSecs…"`
}

func (k *OSPF) Nodes() []string    { return []string{k.Node} }
func (k *OSPF) Segments() []string { return nil }

func (k *OSPF) Validate(report func(field, fix, format string, args ...any)) {
	askNode(report, k.Node)
	askWord(report, "vrf", k.VRF)
	if k.RouterID == "" && len(k.Neighbours) == 0 && k.Count == nil && len(k.Routes) == 0 && len(k.Interfaces) == 0 {
		report("neighbours", "write neighbours, count, routes or interfaces", "there is nothing to look for")
	}
	askHops(report, k.Routes)
	for i, n := range k.Neighbours {
		askAddr(report, fmt.Sprintf("neighbours[%d].id", i), n.ID)
		askAddr(report, fmt.Sprintf("neighbours[%d].address", i), n.Address)
	}
}

// askWord keeps what goes into a command of vtysh a single word.
func askWord(report reporter, field, s string) {
	if strings.ContainsAny(s, " \t\n?'\"") {
		report(field, "", "%q is no name", s)
	}
}

func askHops(report reporter, hops []Hop) {
	for i, h := range hops {
		rest, _ := Barred(h.To)
		askPrefix(report, fmt.Sprintf("routes[%d].to", i), rest, "default")
	}
}

func hops(list []Hop) string {
	var out []string
	for _, h := range list {
		to, barred := Barred(h.To)
		if barred {
			to = "none to " + to
		}
		out = append(out, to+say(" via ", listed(h.Via)))
	}
	return listed(out)
}

func (k *OSPF) Expect() string {
	var neighbours []string
	for _, n := range k.Neighbours {
		id, state := n.ID, n.State
		if id == "" {
			id = "any"
		}
		if state == "" {
			state = "Full"
		}
		neighbours = append(neighbours, id+" "+state+say("/", n.Role)+say(" at ", n.Interface)+say(" with ", n.Address))
	}
	count := ""
	if k.Count != nil {
		count = fmt.Sprintf("%d full neighbours", *k.Count)
	}
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(k.Interfaces)) {
		for _, f := range slices.Sorted(maps.Keys(k.Interfaces[name])) {
			fields = append(fields, name+" "+f+" "+k.Interfaces[name][f])
		}
	}
	version := "OSPF"
	if k.V3 {
		version = "OSPFv3"
	}
	return version + " on " + k.Node + " has " + parts(say("the router id ", k.RouterID), say("neighbours ", listed(neighbours)), count,
		say("routes to ", hops(k.Routes)), say("interfaces with ", listed(fields)))
}

// BGPNeighbour is a neighbour of a BGP router.
type BGPNeighbour struct {
	Address  string `json:"address" yaml:"address" doc:"Its address, or the interface of an unnumbered session."`
	ASN      uint32 `json:"asn,omitempty" yaml:"asn" doc:"Its autonomous system."`
	State    string `json:"state,omitempty" yaml:"state" doc:"Established when nothing is said; “any” for a neighbour that is only configured."`
	Received *int   `json:"received,omitempty" yaml:"received" doc:"How many networks it has told, of the family that is asked for."`
}

// BGPRoute is a network in a BGP table.
type BGPRoute struct {
	To          string     `json:"to" yaml:"to" doc:"The network; with “!” in front, one that is not there."`
	Paths       [][]uint32 `json:"paths,omitempty" yaml:"paths" doc:"AS paths that it has, each a list of numbers; [] for a network of its own."`
	Only        bool       `json:"only,omitempty" yaml:"only" doc:"It has no other paths than those in paths, each as often as it stands there."`
	Best        *[]uint32  `json:"best,omitempty" yaml:"best" doc:"The AS path of the best."`
	Via         string     `json:"via,omitempty" yaml:"via" doc:"The next hop of the best path."`
	Preference  *int       `json:"local_preference,omitempty" yaml:"local_preference" doc:"The local preference of the best path."`
	MED         *int       `json:"med,omitempty" yaml:"med" doc:"The metric (MED) of the best path."`
	Weight      *int       `json:"weight,omitempty" yaml:"weight" doc:"The weight of the best path."`
	Origin      string     `json:"origin,omitempty" yaml:"origin" doc:"The origin of the best path: IGP, EGP or incomplete."`
	Communities []string   `json:"communities,omitempty" yaml:"communities" doc:"Communities that the best path has."`
}

// VTEP is a node's own end of VXLANs.
type VTEP struct {
	IP   string `json:"ip" yaml:"ip" doc:"Its address."`
	VNIs []int  `json:"vnis,omitempty" yaml:"vnis" doc:"Its VNIs."`
}

// BGP: see Kinds.
type BGP struct {
	Node       string         `json:"node" yaml:"node" doc:"The node."`
	VRF        string         `json:"vrf,omitempty" yaml:"vrf" doc:"The VRF."`
	IPv6       bool           `json:"ipv6,omitempty" yaml:"ipv6" doc:"Networks of IPv6."`
	ASN        uint32         `json:"asn,omitempty" yaml:"asn" doc:"Its own autonomous system."`
	RouterID   string         `json:"router_id,omitempty" yaml:"router_id" doc:"Its router id."`
	Neighbours []BGPNeighbour `json:"neighbours,omitempty" yaml:"neighbours" doc:"Its neighbours."`
	Only       bool           `json:"only,omitempty" yaml:"only" doc:"It has no other neighbours."`
	Routes     []BGPRoute     `json:"routes,omitempty" yaml:"routes" doc:"Networks of its table."`
	EVPN       []string       `json:"evpn_sessions,omitempty" yaml:"evpn_sessions" doc:"Neighbours with whom it has an established EVPN session."`
	VTEP       *VTEP          `json:"vtep,omitempty" yaml:"vtep" doc:"Its own end of the VXLANs that EVPN spans."`
	Remote     map[string]int `json:"remote_vteps,omitempty" yaml:"remote_vteps" doc:"VNIs, and how many other ends of each EVPN has found."`
}

func (k *BGP) Nodes() []string    { return []string{k.Node} }
func (k *BGP) Segments() []string { return nil }

func (k *BGP) Validate(report func(field, fix, format string, args ...any)) {
	askNode(report, k.Node)
	askWord(report, "vrf", k.VRF)
	if k.ASN == 0 && k.RouterID == "" && len(k.Neighbours) == 0 && len(k.Routes) == 0 && len(k.EVPN) == 0 && k.VTEP == nil && len(k.Remote) == 0 {
		report("neighbours", "write neighbours, routes, evpn_sessions or vtep", "there is nothing to look for")
	}
	for i, n := range k.Neighbours {
		if n.Address == "" {
			report(fmt.Sprintf("neighbours[%d].address", i), "write the neighbour's address", "a neighbour has no address")
		}
	}
	for i, r := range k.Routes {
		rest, _ := Barred(r.To)
		askPrefix(report, fmt.Sprintf("routes[%d].to", i), rest)
		if r.Only && len(r.Paths) == 0 {
			report(fmt.Sprintf("routes[%d].only", i), "write the paths that it has", "there are no paths of which there could be others")
		}
	}
	if k.VTEP != nil {
		askAddr(report, "vtep.ip", k.VTEP.IP)
	}
}

func (k *BGP) Expect() string {
	var neighbours, routes []string
	for _, n := range k.Neighbours {
		state := n.State
		if state == "" {
			state = "Established"
		}
		asn := ""
		if n.ASN != 0 {
			asn = " in AS " + strconv.FormatUint(uint64(n.ASN), 10)
		}
		neighbours = append(neighbours, n.Address+asn+" "+state)
	}
	for _, r := range k.Routes {
		to, barred := Barred(r.To)
		if barred {
			to = "none to " + to
		}
		var paths []string
		for _, p := range r.Paths {
			paths = append(paths, ASPath(p))
		}
		best := ""
		if r.Best != nil {
			best = " best by " + ASPath(*r.Best)
		}
		by := say(" by ", strings.Join(paths, " and "))
		if r.Only {
			by += " alone"
		}
		routes = append(routes, to+by+best+say(" via ", r.Via))
	}
	vtep := ""
	if k.VTEP != nil {
		vtep = "the VTEP " + k.VTEP.IP + " with VNIs " + strings.Trim(fmt.Sprint(k.VTEP.VNIs), "[]")
	}
	asn := ""
	if k.ASN != 0 {
		asn = "AS " + strconv.FormatUint(uint64(k.ASN), 10)
	}
	only := ""
	if k.Only {
		only = "no other neighbours"
	}
	return "BGP on " + k.Node + " has " + parts(asn, say("the router id ", k.RouterID), say("neighbours ", listed(neighbours)), only,
		say("routes to ", listed(routes)), say("EVPN sessions with ", listed(k.EVPN)), vtep, sayInt("VNIs with other ends: ", len(k.Remote)))
}

// ASPath writes a path of autonomous systems.
func ASPath(path []uint32) string {
	if len(path) == 0 {
		return "an empty path"
	}
	words := make([]string, len(path))
	for i, as := range path {
		words[i] = strconv.FormatUint(uint64(as), 10)
	}
	return strings.Join(words, " ")
}

// RIP: see Kinds.
type RIP struct {
	Node       string   `json:"node" yaml:"node" doc:"The node."`
	Neighbours []string `json:"neighbours,omitempty" yaml:"neighbours" doc:"Addresses of routers that it has heard."`
	Routes     []Hop    `json:"routes,omitempty" yaml:"routes" doc:"Routes in its RIP table."`
	NG         bool     `json:"ng,omitempty" yaml:"ng" doc:"RIPng, that is for IPv6."`
}

func (k *RIP) Nodes() []string    { return []string{k.Node} }
func (k *RIP) Segments() []string { return nil }

func (k *RIP) Validate(report func(field, fix, format string, args ...any)) {
	askNode(report, k.Node)
	if len(k.Neighbours) == 0 && len(k.Routes) == 0 {
		report("routes", "write routes or neighbours", "there is nothing to look for")
	}
	for i, n := range k.Neighbours {
		askAddr(report, fmt.Sprintf("neighbours[%d]", i), n)
	}
	askHops(report, k.Routes)
}

func (k *RIP) Expect() string {
	return "RIP on " + k.Node + " has " + parts(say("neighbours ", listed(k.Neighbours)), say("routes to ", hops(k.Routes)))
}

// ISISNeighbour is an adjacency of an IS-IS router.
type ISISNeighbour struct {
	System    string `json:"system,omitempty" yaml:"system" doc:"Its name or system id; any when nothing is said."`
	Interface string `json:"interface,omitempty" yaml:"interface" doc:"The interface that it is at."`
	State     string `json:"state,omitempty" yaml:"state" doc:"Up when nothing is said."`
	Level     int    `json:"level,omitempty" yaml:"level" doc:"1 or 2."`
}

// ISIS: see Kinds.
type ISIS struct {
	Node       string          `json:"node" yaml:"node" doc:"The node."`
	Neighbours []ISISNeighbour `json:"neighbours,omitempty" yaml:"neighbours" doc:"Its adjacencies."`
	Routes     []Hop           `json:"routes,omitempty" yaml:"routes" doc:"Routes that IS-IS gave the kernel's table, or would."`
}

func (k *ISIS) Nodes() []string    { return []string{k.Node} }
func (k *ISIS) Segments() []string { return nil }

func (k *ISIS) Validate(report func(field, fix, format string, args ...any)) {
	askNode(report, k.Node)
	if len(k.Neighbours) == 0 && len(k.Routes) == 0 {
		report("neighbours", "write neighbours or routes", "there is nothing to look for")
	}
	for i, n := range k.Neighbours {
		if n.Level < 0 || n.Level > 2 {
			report(fmt.Sprintf("neighbours[%d].level", i), "", "a level is 1 or 2")
		}
	}
	askHops(report, k.Routes)
}

func (k *ISIS) Expect() string {
	var neighbours []string
	for _, n := range k.Neighbours {
		system := n.System
		if system == "" {
			system = "any"
		}
		neighbours = append(neighbours, system+say(" at ", n.Interface)+sayInt(" of level ", n.Level))
	}
	return "IS-IS on " + k.Node + " has " + parts(say("neighbours ", listed(neighbours)), say("routes to ", hops(k.Routes)))
}

// daemons are FRR's, by the names that lab files use.
var daemons = []string{"zebra", "bgpd", "ospfd", "ospf6d", "ripd", "ripngd", "isisd", "pimd", "ldpd", "nhrpd", "eigrpd", "babeld", "sharpd", "pbrd", "bfdd", "fabricd", "vrrpd", "pathd", "staticd"}

// FRR: see Kinds.
type FRR struct {
	Node         string            `json:"node" yaml:"node" doc:"The node."`
	Daemon       string            `json:"daemon" yaml:"daemon" doc:"The daemon that is asked: zebra, ospfd, bgpd…"`
	Show         string            `json:"show,omitempty" yaml:"show" doc:"A command whose answer is JSON, without the word show: “ip route json”."`
	Values       map[string]string `json:"values,omitempty" yaml:"values" doc:"Paths in the answer with their values: default.routerId, routes.0.metric; * for any key or index, “*” as the value for any value, “!” in front of it for another. Write a key with dots in square brackets: [10.0.0.0/8].0.selected."`
	Networks     []string          `json:"networks,omitempty" yaml:"networks" doc:"Networks that the daemon is configured for; with “!” in front, that it is not."`
	Redistribute []string          `json:"redistribute,omitempty" yaml:"redistribute" doc:"What it takes over: connected, static, ospf, bgp…; with “!” in front, what it does not."`
	Config       []string          `json:"config,omitempty" yaml:"config" doc:"Lines of the running configuration; with “!” in front, that are not there."`
}

func (k *FRR) Nodes() []string    { return []string{k.Node} }
func (k *FRR) Segments() []string { return nil }

func (k *FRR) Validate(report func(field, fix, format string, args ...any)) {
	askNode(report, k.Node)
	if k.Daemon == "" {
		report("daemon", "write "+strings.Join(daemons[:6], ", ")+"…", "there is no daemon")
	}
	askOneOf(report, "daemon", k.Daemon, daemons...)
	switch {
	case k.Show != "" && len(k.Values) == 0:
		report("values", "write a path and its value", "nothing is looked for in the answer")
	case k.Show == "" && len(k.Values) > 0:
		report("show", "write the command", "there is no command to look at the answer of")
	case k.Show == "" && len(k.Networks)+len(k.Redistribute)+len(k.Config) == 0:
		report("show", "write show and values, networks, redistribute or config", "there is nothing to look for")
	}
	if k.Show != "" && !strings.HasSuffix(k.Show, "json") {
		report("show", "end it with json", "the answer of %q is no JSON", k.Show)
	}
	if strings.ContainsAny(k.Show, "\n\r?") {
		report("show", "", "this is no command")
	}
}

func (k *FRR) Expect() string {
	var values []string
	for _, path := range slices.Sorted(maps.Keys(k.Values)) {
		values = append(values, path+" "+k.Values[path])
	}
	return parts(say("“show "+k.Show+"” on "+k.Node+" says ", listed(values)), say(k.Daemon+" on "+k.Node+" has the networks ", wanted(k.Networks)),
		say(k.Daemon+" on "+k.Node+" redistributes ", wanted(k.Redistribute)), say(k.Daemon+" on "+k.Node+" is configured with ", wanted(k.Config)))
}
