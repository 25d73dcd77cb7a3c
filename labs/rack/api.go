// Package rack runs one topology for one student: its guests, its switch, its
// consoles. The process that does so serves an HTTP API on a unix socket, and
// one websocket on it (see stream.go) carries all that a page or a terminal
// client needs.
package rack

import (
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack/leak"
	"github.com/patchbay/patchbay/vnet/impair"
	"github.com/patchbay/patchbay/vnet/outside"
	"github.com/patchbay/patchbay/vnet/uplink"
)

// Spec is what a rack is told to run. It lies as rack.json in the rack's folder.
type Spec struct {
	ID       string         `json:"id"`    // ^[a-z0-9][a-z0-9-]{0,31}$
	Owner    string         `json:"owner"` // a user's login, or "local"
	LabSlug  string         `json:"lab"`
	Title    string         `json:"title"`
	Topology labs.Topology  `json:"topology"`
	Cache    string         `json:"cache"`            // where kernels and images lie
	Uplink   []outside.Rule `json:"uplink,omitempty"` // what the server's administrator lets labs reach outside
	Created  time.Time      `json:"created"`

	// Disks is a folder with a snapshot's NODE.ext4, which nodes begin with and
	// are reset to; empty, or a node's file missing: with an empty disk.
	Disks string `json:"disks,omitempty"`

	// Background has the rack and its guests run behind everything else that
	// the machine does: nobody sits in front of it.
	Background bool `json:"background,omitempty"`

	// Watch is what belongs to other students and is looked for in this lab.
	Watch []leak.Watched `json:"watch,omitempty"`
}

// Status of a rack or a node.
type Status string

// A node goes off → starting → booting → running → stopping → off; failed has a Reason.
const (
	Off      Status = "off"
	Starting Status = "starting" // its process is being made
	Booting  Status = "booting"  // the kernel runs, guestd has not finished
	Running  Status = "running"
	Stopping Status = "stopping"
	Failed   Status = "failed"
)

// State is everything a page shows of a rack. GET /v1/state, and pushed on the
// stream whenever it changes (at most ten times a second).
type State struct {
	Rack     string         `json:"rack"`
	Owner    string         `json:"owner"`
	Lab      string         `json:"lab"`
	Title    string         `json:"title"`
	Status   Status         `json:"status"` // starting, running, stopping
	Started  time.Time      `json:"started"`
	Nodes    []NodeState    `json:"nodes"`
	Segments []SegmentState `json:"segments"`
	Events   []EventState   `json:"events,omitempty"`   // the lab's, in its order
	Progress *Progress      `json:"progress,omitempty"` // while something long is under way
	Frozen   string         `json:"frozen,omitempty"`   // a sentence: why the owner's keys and operations are refused for now
}

// Progress of a long job.
type Progress struct {
	Step  string `json:"step"` // a sentence: what is done now
	Done  int    `json:"done"`
	Total int    `json:"total"`
}

// NodeState is one node as it is now.
type NodeState struct {
	Name        string           `json:"name"`
	Status      Status           `json:"status"`
	Reason      string           `json:"reason,omitempty"` // one sentence for a student: why failed or stopped
	Detail      string           `json:"detail,omitempty"` // the console's last lines, for whoever digs
	Image       string           `json:"image"`
	Kernel      string           `json:"kernel"` // empty until the first start, when the lab names none
	MemoryBytes int64            `json:"memory"`
	Consoles    int              `json:"consoles"`
	Interfaces  []InterfaceState `json:"interfaces"`
	BootMillis  int64            `json:"boot_ms,omitempty"` // exec to running
	Publish     []uint16         `json:"publish,omitempty"` // TCP ports that its owner's browser may open
	X           float64          `json:"x,omitempty"`
	Y           float64          `json:"y,omitempty"`
	Placed      bool             `json:"placed,omitempty"`
}

// InterfaceState is one interface as the switch sees it.
type InterfaceState struct {
	Name      string   `json:"name"`
	Segment   string   `json:"segment,omitempty"`
	MAC       string   `json:"mac"`
	Addresses []string `json:"addresses,omitempty"` // as the lab gave them
	Up        bool     `json:"up"`                  // the guest's side is up
	Plugged   bool     `json:"plugged"`             // the cable is in
	Carrier   bool     `json:"carrier"`             // the cable is in at both its ends
	VLAN      uint16   `json:"vlan,omitempty"`      // an access port's
	Trunk     []uint16 `json:"trunk,omitempty"`     // VLANs of a trunk
	Native    uint16   `json:"native,omitempty"`    // the trunk's VLAN of untagged frames
	Mirror    bool     `json:"mirror,omitempty"`    // gets a copy of all that its segment carries
}

// SegmentState is one segment and its ports' counters.
type SegmentState struct {
	Name   string           `json:"name"`
	Kind   labs.SegmentKind `json:"kind"`
	MTU    int              `json:"mtu"`
	Mirror string           `json:"mirror,omitempty"` // NODE/INTERFACE
	VLANs  []uint16         `json:"vlans,omitempty"`  // of all its ports, in order
	Loop   *Loop            `json:"loop,omitempty"`   // while there is one
	Uplink *UplinkState     `json:"uplink,omitempty"` // of a segment of that kind
	Ports  []PortState      `json:"ports"`
	X      float64          `json:"x,omitempty"`
	Y      float64          `json:"y,omitempty"`
	Placed bool             `json:"placed,omitempty"`
}

// UplinkState is a segment's way to the outside.
type UplinkState struct {
	Trouble string        `json:"trouble,omitempty"` // a sentence: why not all that the lab asks for is there
	Gateway string        `json:"gateway,omitempty"` // the router's address; empty when there is none
	Allow   []string      `json:"allow,omitempty"`   // where nodes may go
	Stats   *uplink.Stats `json:"stats,omitempty"`
}

// PortState counts, from the guest's point of view: tx is what the guest sent.
type PortState struct {
	Node      string `json:"node"`
	Interface string `json:"interface"`
	TxFrames  uint64 `json:"tx_frames"`
	TxBytes   uint64 `json:"tx_bytes"`
	RxFrames  uint64 `json:"rx_frames"`
	RxBytes   uint64 `json:"rx_bytes"`
	Drops     uint64 `json:"drops"` // frames for this port that its guest did not take in time

	Lost     uint64 `json:"lost,omitempty"`     // by impairment, its full queue included
	Filtered uint64 `json:"filtered,omitempty"` // of a VLAN that the port is not in
	Storm    uint64 `json:"storm,omitempty"`    // group-addressed frames beyond the segment's limit
	Giants   uint64 `json:"giants,omitempty"`   // sent, and larger than the segment's MTU
	Cut      uint64 `json:"cut,omitempty"`      // met a pulled cable

	// What the cable does now; absent where it does nothing. Out is what the
	// node sends.
	Out *impair.Config `json:"out,omitempty"`
	In  *impair.Config `json:"in,omitempty"`
}

// Loop is a segment in which frames go round.
type Loop struct {
	Since           time.Time `json:"since"`
	Ports           []string  `json:"ports"` // NODE/INTERFACE: pulling one of them may end it
	FramesPerSecond float64   `json:"frames_per_second"`
}

// EventState is something that the lab does to its own wires, and what has come
// of it.
type EventState struct {
	On          string         `json:"on"` // a segment, NODE or NODE/INTERFACE
	Do          labs.EventKind `json:"do"`
	AtMillis    int64          `json:"at_ms,omitempty"` // since all nodes had come up; of an event without a frame
	Frame       string         `json:"frame,omitempty"` // a capture filter: it happens to frames that match
	Direction   Direction      `json:"direction,omitempty"`
	Nth         int            `json:"nth,omitempty"` // to the how manieth
	Every       bool           `json:"every,omitempty"`
	DelayMillis float64        `json:"delay_ms,omitempty"`
	Impair      *impair.Config `json:"impair,omitempty"` // what an impair event sets
	Seen        int            `json:"seen,omitempty"`   // frames that matched
	Done        int            `json:"done"`             // times that it happened
	Last        *time.Time     `json:"last,omitempty"`   // when it did last
}

// Op is something that a person does to a rack. POST /v1/do, or a "do" message
// on the stream.
type Op struct {
	Do        string `json:"do"`             // start, stop, restart, reset, plug, unplug, cut, restore, impair, end
	Node      string `json:"node,omitempty"` // empty: every node (start, stop, restart, reset)
	Interface string `json:"interface,omitempty"`
	Segment   string `json:"segment,omitempty"` // instead of Node and Interface: all its cables (cut, restore, impair)

	Direction Direction      `json:"direction,omitempty"` // of impair; empty: both
	Impair    *impair.Config `json:"impair,omitempty"`    // nil: a perfect wire
}

// Direction of a cable as its node sees it.
type Direction string

// The directions.
const (
	Out Direction = "out" // what the node sends
	In  Direction = "in"  // what it gets
)

// The rack's HTTP API on its unix socket:
//
//	GET  /v1/state                     State
//	POST /v1/do                        Op → 204, or Problem with 4xx
//	GET  /v1/capture                   pcapng, see CaptureQuery
//	GET  /v1/frames                    the same as one Frame each: JSON, or a line each while it follows
//	POST /v1/probe                     ProbeRequest → ProbeResult
//	POST /v1/freeze                    FreezeRequest → 204
//	POST /v1/thaw                      → 204
//	POST /v1/snapshot                  SnapshotRequest → 204
//	POST /v1/check                     CheckRequest → a CheckLine each line: results as they come, then the report
//	POST /v1/nodes/{node}/exec         ExecRequest → ExecResult
//	PUT  /v1/nodes/{node}/file?path=   body = content, ?mode=0644
//	GET  /v1/nodes/{node}/file?path=   content
//	GET  /v1/nodes/{node}/tcp?port=    Upgrade: tcp → 101, then bytes of a published port both ways
//	GET  /v1/leaks                     Leaks: for staff; the student's State and stream know nothing of them
//	PUT  /v1/watch                     []leak.Watched, instead of the Spec's → 204
//	GET  /v1/stream?session=S          websocket; header Patchbay-Role: owner | viewer
//
// Do "end" stops every guest and then the rack's process; the disks stay. A
// frozen rack refuses whatever else do, exec and PUT ask, until it is thawed.

// ExecRequest runs a program in a guest, as root, without a terminal.
type ExecRequest struct {
	Args    []string      `json:"args"`
	Stdin   []byte        `json:"stdin,omitempty"`
	Timeout time.Duration `json:"timeout"` // ns; 0 means 10 s
}

// ExecResult of an ExecRequest. Output is cut at 1 MiB each.
type ExecResult struct {
	ExitCode int    `json:"exit_code"` // 128+n for signal n
	Stdout   []byte `json:"stdout"`
	Stderr   []byte `json:"stderr"`
	Cut      bool   `json:"cut,omitempty"`
}

// Problem is the body of every answer that is not a success.
type Problem struct {
	Error string `json:"error"` // a sentence for a person
}
