// Package labs is Patchbay's domain: what a lab is, who takes it and in which
// course. It knows nothing of HTTP, SQL or processes.
package labs

// Topology is what a lab wires together.
type Topology struct {
	Nodes    []Node    // in the order of the lab file
	Segments []Segment // in the order of the lab file
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
	X, Y        float64 // author's place in the drawing, unit: one node's width
	Placed      bool    // whether X, Y were given
}

// Interface joins a node to a segment.
type Interface struct {
	Name      string   // eth0
	Segment   string   // a segment's name; empty means an unplugged interface
	MAC       string   // empty means one drawn from rack, node and interface
	MTU       int      // bytes, 0 means 1500
	Addresses []string // CIDR
	Gateway   string
}

// SegmentKind says how a segment passes frames on.
type SegmentKind string

// The kinds of segment.
const (
	Switch SegmentKind = "switch" // learning switch
	Hub    SegmentKind = "hub"    // every frame to every other port
	Link   SegmentKind = "link"   // exactly two ports
)

// Segment is one Ethernet broadcast domain.
type Segment struct {
	Name   string
	Kind   SegmentKind
	X, Y   float64
	Placed bool
}

// Sysctl is one kernel setting of a node.
type Sysctl struct{ Key, Value string }

// File is put on a node's disk before its first start.
type File struct {
	Path string // absolute, in the node
	Mode uint32 // permission bits
	Data []byte
}
