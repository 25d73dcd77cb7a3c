// Package labs is Patchbay's domain: what a lab is, who takes it and in which
// course. It knows nothing of HTTP, SQL or processes.
package labs

import (
	"time"

	"github.com/patchbay/patchbay/vnet/impair"
)

// Topology is what a lab wires together.
type Topology struct {
	Nodes    []Node    // in the order of the lab file
	Segments []Segment // in the order of the lab file
	Events   []Event   // in the order of the lab file
	Seed     uint64    // of everything that the wire leaves to chance; 0 means one drawn from the rack's name
}

// Node is one machine of a topology.
type Node struct {
	Name        string
	Image       string // an image's name; empty means the default one
	Kernel      string // a kernel's name; empty means the default one
	Mode        string // "ptrace" (default) or "seccomp", see uml's seccomp=
	MemoryBytes int64  // 0 means the default
	DiskBytes   int64  // 0 means the default
	Interfaces  []Interface
	Sysctls     []Sysctl
	Startup     []string
	Files       []File
	Publish     []uint16 // TCP ports that its owner's browser may open
	X, Y        float64  // author's place in the drawing, unit: one node's width
	Placed      bool     // whether X, Y were given
}

// Interface joins a node to a segment.
type Interface struct {
	Name      string   // eth0
	Segment   string   // a segment's name; empty means an unplugged interface
	MAC       string   // empty means one drawn from rack, node and interface
	MTU       int      // bytes, 0 means 1500; at most its segment's
	Addresses []string // CIDR
	Gateway   string

	VLAN   uint16   // untagged member of this VLAN; 0 means no access port
	Trunk  []uint16 // tagged member of these VLANs
	Native uint16   // one of Trunk, for untagged frames; 0 drops them

	// What the cable does to frames: Out to those that the node sends, In to
	// those that it gets. nil leaves it to the segment.
	Out, In *impair.Config
}

// SegmentKind says how a segment passes frames on.
type SegmentKind string

// The kinds of segment.
const (
	Switch SegmentKind = "switch" // learning switch
	Hub    SegmentKind = "hub"    // every frame to every other port
	Link   SegmentKind = "link"   // exactly two ports
	Uplink SegmentKind = "uplink" // learning switch with a router to the world outside
)

// Segment is one Ethernet broadcast domain.
type Segment struct {
	Name   string
	Kind   SegmentKind
	MTU    int            // bytes, 0 means 1500
	Mirror string         // NODE/INTERFACE on it that gets a copy of every frame, and sends none
	Storm  int            // group-addressed frames a second and port; 0 means the switch's default, -1 no limit
	Impair *impair.Config // of every cable that says nothing itself, both ways; on a link, once each way
	Allow  []string       // of an uplink: where its nodes may go, as HOST:PORT or CIDR:PORT
	X, Y   float64
	Placed bool
}

// Event is something that the lab does to its own wires, at a time or to a
// frame.
type Event struct {
	At    time.Duration // since all nodes have come up; of an event without Frame
	Frame string        // pcap filter: the event happens to frames that match
	Nth   int           // to the how manieth of them, from 1: counted on a segment as a whole, on a node's cables each for itself
	Every bool          // and to every Nth again
	On    string        // a segment, NODE or NODE/INTERFACE
	In    bool          // to frames that a node gets, instead of those that it sends
	Do    EventKind
	Delay time.Duration  // of a frame that is delayed
	Wire  *impair.Config // what an impair event sets
}

// EventKind says what an Event does.
type EventKind string

// The kinds of event. Those with a comment alone need a frame.
const (
	EventDrop      EventKind = "drop"      // the frame
	EventDelay     EventKind = "delay"     // the frame
	EventDuplicate EventKind = "duplicate" // the frame
	EventCorrupt   EventKind = "corrupt"   // the frame
	EventCut       EventKind = "cut"
	EventRestore   EventKind = "restore"
	EventImpair    EventKind = "impair"
)

// Sysctl is one kernel setting of a node.
type Sysctl struct{ Key, Value string }

// File is put on a node's disk before its first start.
type File struct {
	Path string // absolute, in the node
	Mode uint32 // permission bits
	Data []byte
}
