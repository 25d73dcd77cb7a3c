package vnet

import (
	"log/slog"
	"os"
	"time"

	"github.com/patchbay/patchbay/vnet/record"
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

	// Record is where every frame and what became of it is recorded; nil
	// records nothing. It belongs to the caller, who closes it after the Switch.
	Record *record.Ring

	// Seed is what impairment draws from: the same seed, the same names of ports
	// and the same frames give the same fates.
	Seed uint64

	// DelayMemory is how many bytes of frames that are under way on impaired
	// cables are held, in the whole Switch; more are dropped and counted as
	// Lost. 0 means 64 MiB. Memory is touched as it is used, and given back.
	DelayMemory int

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

// SegmentConfig describes a segment.
type SegmentConfig struct {
	Name string // unique in the Switch
	Kind Kind

	// MTU is how many bytes a frame may carry after its Ethernet header and its
	// VLAN tags, of which two are let pass; 0 means 1500. Longer frames are
	// dropped and counted as Giants.
	MTU int

	// Storm is how many group-addressed frames a second one port may send into
	// the segment; the rest is dropped and counted. While there is a loop,
	// unicast frames that come back count too. A port that was quiet may send a
	// second's worth at once. 0 means 10000 that were not seen before, a multicast
	// stream of 100 Mbit/s, and 1000 of others or while there is a loop, which
	// then costs the guests in it a tenth of a CPU. -1 means no limit.
	Storm int
}

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

	Offload bool // every record, both ways, is a struct virtio_net_hdr and a frame of up to 64 KiB
	Carrier bool // the guest understands carrier messages: see the package's description

	VLAN VLANConfig // only on a switch segment

	// CPU is the one that the guest runs on, if it is Pinned to one. The switch
	// keeps off the CPU whose guests have most to take in.
	CPU    int
	Pinned bool

	// Mirror gives the port a copy of every frame that enters the segment, as it
	// entered. What its guest sends is dropped and counted as Filtered. A
	// link may have mirrors beside its two ports.
	Mirror bool
}

// VLANConfig says which VLANs a port is in. Once one port of a segment has
// any, all are VLAN-aware: a port with the zero VLANConfig is then untagged in
// a VLAN that only such ports share. On a segment without any, tagged frames
// pass as they are.
type VLANConfig struct {
	Access uint16   // 1 to 4094: untagged member of this VLAN alone
	Trunk  []uint16 // tagged member of these
	Native uint16   // on a trunk: the VLAN of untagged frames; 0 drops them
}

// PortStats is a port as it is now. Tx and Rx are meant from the guest's point
// of view: Tx is what it sent. All counts are of frames as a wire would
// carry them, so that a super-frame of an offload port counts as its pieces.
// Every frame that a guest sends is counted in exactly one of TxFrames, Cut, Runts,
// Giants, Malformed, Filtered, Storm and Lost; every frame that is for it in
// exactly one of RxFrames, Drops, Cut, Filtered and Lost, and in none while it is
// not Up. A frame that is under way on an impaired cable is counted when it
// arrives, and a second copy as a frame of its own.
type PortStats struct {
	Name    string
	Segment string
	Up      bool // the guest's interface is up
	Plugged bool // the cable is in
	Offload bool

	TxFrames, TxBytes uint64
	RxFrames, RxBytes uint64

	Drops     uint64 // frames for the guest that it did not take in time
	Cut       uint64 // frames either way that met a pulled cable, or came by a superseded connection
	Runts     uint64 // frames sent that were shorter than an Ethernet header
	Giants    uint64 // frames sent that were longer than the segment's MTU allows
	Malformed uint64 // frames sent whose offload header made no sense
	Filtered  uint64 // frames sent in a VLAN that the port is not in, or into a mirror port; frames for the guest whose inner tag would have hopped VLANs
	Storm     uint64 // frames sent that storm control dropped
	Lost      uint64 // frames either way that impairment lost, its full queue and the end of DelayMemory included
}

// SegmentStats is a segment as it is now.
type SegmentStats struct {
	Name      string
	Kind      Kind
	MTU       int
	Ports     []string // names, in the order in which they were added, mirrors last
	MACs      int      // addresses remembered, aged ones that were not yet cleared away included
	Unlearned uint64   // frames whose source found no room in the address table
	Loop      *Loop    // nil: there is none now
}

// Loop is what a segment knows of a loop that it is part of: frames come back
// to it that it has had before, or addresses wander between its ports, too
// often for anything else.
type Loop struct {
	Since           time.Time
	Ports           []string // by which frames came back
	FramesPerSecond float64  // that did
}

// MAC is one learned address.
type MAC struct {
	Addr [6]byte
	VLAN uint16 // 0 on a segment without VLANs
	Port string
	Age  time.Duration // since its last frame, in steps of 100 ms
}
