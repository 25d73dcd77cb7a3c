package vnet

import (
	"log/slog"
	"os"
	"time"
)

// Options of a Switch. The zero value is good.
type Options struct {
	Log *slog.Logger // nil discards

	// OnLink is told when a guest's interface comes up or goes down. It is
	// called from one goroutine of the Switch, never from the frame path, in
	// the order in which ports changed. Changes that come faster than OnLink
	// takes them are merged: a port's last state is always told, a flap in
	// between perhaps not. It may call any method of the Switch but Close. It
	// is not called for a port's removal, nor after Close has returned; a call
	// that began before RemovePort may still be under way when that returns.
	OnLink func(port string, up bool)

	MACAge time.Duration // how long a switch remembers a silent address; 0 means 300 s; kept to 100 ms
	MACCap int           // how many addresses one segment remembers; 0 means 4096, at most 65536

	// SendBuffer is SO_SNDBUF of the switch's end of each connection, in bytes:
	// the queue towards a guest that is slow to read. 0 means 1 MiB, which the
	// kernel doubles: some 900 full frames. The kernel caps it at
	// net.core.wmem_max. Bigger does not help TCP and lets one guest that never
	// reads hold more of the host's memory.
	SendBuffer int

	Now func() time.Time // the clock of address ageing; nil means time.Now; called from the loop
}

// Kind says how a segment passes frames on.
type Kind string

// The kinds of segment.
const (
	SwitchKind Kind = "switch" // learns addresses
	Hub        Kind = "hub"    // every frame to every other port
	Link       Kind = "link"   // point to point: at most two ports
)

// PortConfig describes a port. Exactly one of Path and Conn is given.
type PortConfig struct {
	Name    string // unique in the Switch, such as "pc1/eth0"
	Segment string // a segment's name; empty leaves the cable in the air: frames are cut

	// Path, absolute, is where the port listens. A socket file that nobody
	// listens on any more is replaced. Paths beyond the 107 bytes of a socket
	// address are fine as long as the last element has at most 80.
	Path string
	Mode os.FileMode // of the socket file; 0 means 0666: the folder around it is the guard

	// Conn is a connected SOCK_SEQPACKET socket. The Switch duplicates it; the
	// caller goes on owning its own and should close it. The port is up until
	// the other end closes.
	Conn *os.File
}

// PortStats is a port as it is now. Tx and Rx are meant from the guest's point
// of view: Tx is what it sent. Every frame that a guest sends is counted in
// exactly one of TxFrames, Cut, Runts and Giants; every frame that is for it
// in exactly one of RxFrames, Drops and Cut, and in none while it is not Up.
type PortStats struct {
	Name    string
	Segment string
	Up      bool // the guest's interface is up
	Plugged bool // the cable is in

	TxFrames, TxBytes uint64
	RxFrames, RxBytes uint64

	Drops  uint64 // frames for the guest that it did not take in time
	Cut    uint64 // frames either way that met a pulled cable, or came by a superseded connection
	Runts  uint64 // frames sent that were shorter than an Ethernet header
	Giants uint64 // frames sent that were longer than MaxFrame
}

// SegmentStats is a segment as it is now.
type SegmentStats struct {
	Name      string
	Kind      Kind
	Ports     []string // names, in the order in which they were added
	MACs      int      // addresses remembered, aged ones that were not yet cleared away included
	Unlearned uint64   // frames whose source found no room in the address table
}

// MAC is one learned address.
type MAC struct {
	Addr [6]byte
	Port string
	Age  time.Duration // since its last frame, in steps of 100 ms
}
