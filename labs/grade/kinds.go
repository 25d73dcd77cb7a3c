package grade

import "time"

// Kinds are the kinds of check; exactly one is set. The files kinds_*.go hold
// what each may say.
type Kinds struct {
	// Asked of the wire.
	Frames  *Frames  `json:"frames,omitempty" yaml:"frames" trust:"wire" doc:"Frames that the switch sees."`
	Answers *Answers `json:"answers,omitempty" yaml:"answers" trust:"wire" doc:"Who answers for an address (ARP, neighbour discovery)."`
	Ping    *Ping    `json:"ping,omitempty" yaml:"ping" trust:"wire" doc:"A probe host on a segment pings an address, or a node is made to and its frames are watched."`
	Trace   *Trace   `json:"trace,omitempty" yaml:"trace" trust:"wire" doc:"The routers on the way from a probe host to an address."`
	Connect *Connect `json:"connect,omitempty" yaml:"connect" trust:"wire" doc:"A probe host opens a TCP connection, or finds the port closed."`
	Resolve *Resolve `json:"resolve,omitempty" yaml:"resolve" trust:"wire" doc:"A probe host asks a name server."`
	Fetch   *Fetch   `json:"fetch,omitempty" yaml:"fetch" trust:"wire" doc:"A probe host fetches a URL."`
	DHCP    *DHCP    `json:"dhcp,omitempty" yaml:"dhcp" trust:"wire" doc:"A probe host asks for an address."`

	// Read from the disk.
	File *File `json:"file,omitempty" yaml:"file" trust:"disk" doc:"A file as it is on the student's disk."`

	// Asked in the guest.
	Command   *Command   `json:"command,omitempty" yaml:"command" trust:"guest" doc:"A program's exit code and output."`
	Sysctl    *Sysctl    `json:"sysctl,omitempty" yaml:"sysctl" trust:"guest" doc:"A kernel setting."`
	Process   *Process   `json:"process,omitempty" yaml:"process" trust:"guest" doc:"A program that runs."`
	Socket    *Socket    `json:"socket,omitempty" yaml:"socket" trust:"guest" doc:"A socket that listens or is connected."`
	Address   *Address   `json:"address,omitempty" yaml:"address" trust:"guest" doc:"Addresses of an interface."`
	Link      *Link      `json:"link,omitempty" yaml:"link" trust:"guest" doc:"An interface: its state, MTU, master, kind."`
	Route     *Route     `json:"route,omitempty" yaml:"route" trust:"guest" doc:"Routes of the kernel, IPv4 or IPv6."`
	Neighbour *Neighbour `json:"neighbour,omitempty" yaml:"neighbour" trust:"guest" doc:"An entry of the neighbour table."`
	Bridge    *Bridge    `json:"bridge,omitempty" yaml:"bridge" trust:"guest" doc:"A bridge, its ports, VLANs and VXLANs."`
	Firewall  *Firewall  `json:"firewall,omitempty" yaml:"firewall" trust:"guest" doc:"The nftables rule set."`
	WireGuard *WireGuard `json:"wireguard,omitempty" yaml:"wireguard" trust:"guest" doc:"A WireGuard interface and its peers."`
	OSPF      *OSPF      `json:"ospf,omitempty" yaml:"ospf" trust:"guest" doc:"FRR's OSPF: neighbours, routes, interfaces."`
	BGP       *BGP       `json:"bgp,omitempty" yaml:"bgp" trust:"guest" doc:"FRR's BGP: neighbours, routes with their paths, EVPN."`
	RIP       *RIP       `json:"rip,omitempty" yaml:"rip" trust:"guest" doc:"FRR's RIP: neighbours and routes."`
	ISIS      *ISIS      `json:"isis,omitempty" yaml:"isis" trust:"guest" doc:"FRR's IS-IS: neighbours and routes."`
	FRR       *FRR       `json:"frr,omitempty" yaml:"frr" trust:"guest" doc:"Any “show … json” of FRR: values at paths; networks and redistribution of a daemon."`
	Names     *Names     `json:"names,omitempty" yaml:"names" trust:"guest" doc:"What a node's resolver, or a name server asked from the node, answers."`
	HTTP      *HTTP      `json:"http,omitempty" yaml:"http" trust:"guest" doc:"A URL fetched from a node."`
	Reach     *Reach     `json:"reach,omitempty" yaml:"reach" trust:"guest" doc:"A node pings an address or a name."`
	Declared  *Declared  `json:"declared,omitempty" yaml:"declared" trust:"disk" doc:"What the lab itself says of a node; for labs taken over from elsewhere."`
}

// At is a place where a probe host joins the lab.
type At struct {
	Segment string   `json:"segment,omitempty" yaml:"segment" doc:"The segment that the probe host joins: a switch, hub or uplink. A link has room for its two ends alone."`
	VLAN    uint16   `json:"vlan,omitempty" yaml:"vlan" doc:"Its access port's VLAN."`
	Address []string `json:"address,omitempty" yaml:"address" doc:"Its own addresses, each with a prefix length. A network, such as 10.0.0.0/24, stands for one of its addresses that nobody has, drawn anew for each run, so that no answer can be prepared for it. When nothing is said the networks are those of the lab's interfaces on the segment."`
	Gateway string   `json:"gateway,omitempty" yaml:"gateway" doc:"Its default router."`
	DNS     string   `json:"dns,omitempty" yaml:"dns" doc:"Its name server."`

	// Seed is what the probe's MAC is drawn from, so that a probe which comes
	// again is the same machine; empty leaves it to chance. The engine sets it.
	Seed string `json:"-" yaml:"-"`
}

// Limits of what a check may ask for.
const (
	MaxWithin = 5 * time.Minute
	MaxFor    = time.Minute
	MaxChecks = 512
)
