package vnet

import (
	"sync/atomic"
	"time"
)

// batch is how many frames go through one system call, and how many one port
// may send before the others have their turn.
const batch = 64

// maxCPUs is how many a set of the host's has.
const maxCPUs = 1024

// superBatch is batch for a port with offloads, whose frames may be forty times
// as long: copying 16 of 64 KiB twice takes 0.2 ms.
const superBatch = 16

// wiresBatch is how many frames on a wire a batch should come to at most. A
// guest may ask for two thousand pieces of a super-frame, and cutting them
// takes as long as everybody else's frames together.
const wiresBatch = 1024

// port is one socket of the switch. Without a remark a field belongs to the
// loop.
type port struct {
	name     string   // this and the next six never change
	segment  *segment // nil when the cable hangs in the air
	listener *socketFile
	mirror   bool
	vlan     vlans
	cpu      int // where its guest runs, if pinned
	pinned   bool

	offload bool // records carry an offload header; changes while Switch.mu is held
	carries bool // the guest understands carrier messages

	id    int32 // index in loop.ports
	most  int   // records that are taken in a round
	tape  int32 // its number in the recording
	fd    int   // the connection; -1 when the guest's interface is down
	dirty bool  // is in loop.dirty
	out   txQueue
	tx    struct{ frames, bytes uint64 } // not yet in n

	ways     [2]way // of the cable: what the guest sends, and what it gets
	from, to *way   // the same, nil while frames need not go through them

	storm   bucket
	looped  uint32 // 1 + the last second in which it brought a frame back
	flapped uint32 // and in which it brought an address that was elsewhere

	carrier struct{ told, owed bool } // what its guest was told, and that it is yet to be told the other

	entry int32   // the connection's slot in loop.entries
	ear   int32   // the listener's slot, -1 for none
	old   []int32 // slots of superseded connections, oldest first

	up      atomic.Bool // read from anywhere
	plugged atomic.Bool // read from anywhere
	n       counters    // read from anywhere

	link struct{ queued, told, gone bool } // the link teller's, under its lock
}

type counters struct {
	txFrames, txBytes, rxFrames, rxBytes atomic.Uint64
	drops, cut, runts, giants, malformed atomic.Uint64
	filtered, storm, lost                atomic.Uint64
}

func newPort(c PortConfig, g *segment) (*port, error) {
	v, err := newVLANs(c.VLAN)
	if err != nil {
		return nil, err
	}
	p := &port{
		name: c.Name, segment: g, mirror: c.Mirror, vlan: v,
		cpu: c.CPU, pinned: c.Pinned && c.CPU >= 0 && c.CPU < maxCPUs,
		fd: -1, entry: -1, ear: -1, out: newTxQueue(),
		storm: bucket{at: -int64(time.Second)}, // it may begin with a second's worth
	}
	p.speak(c.Offload, c.Carrier)
	p.plugged.Store(true)
	return p, nil
}

// speak settles what is said on p's next connection.
func (p *port) speak(offload, carrier bool) {
	p.offload, p.carries = offload, carrier
	if p.most = batch; offload {
		p.most = superBatch
	}
}

// pace settles how many records the next batch has, by what entered in this one.
func (p *port) pace() {
	switch {
	case !p.offload:
	case p.tx.frames > wiresBatch:
		p.most = max(p.most/2, 1)
	case p.tx.frames < wiresBatch/2:
		p.most = min(p.most*2, superBatch)
	}
}

func (p *port) stats() PortStats {
	st := PortStats{
		Name:      p.name,
		Up:        p.up.Load(),
		Plugged:   p.plugged.Load(),
		Offload:   p.offload,
		TxFrames:  p.n.txFrames.Load(),
		TxBytes:   p.n.txBytes.Load(),
		RxFrames:  p.n.rxFrames.Load(),
		RxBytes:   p.n.rxBytes.Load(),
		Drops:     p.n.drops.Load(),
		Cut:       p.n.cut.Load(),
		Runts:     p.n.runts.Load(),
		Giants:    p.n.giants.Load(),
		Malformed: p.n.malformed.Load(),
		Filtered:  p.n.filtered.Load(),
		Storm:     p.n.storm.Load(),
		Lost:      p.n.lost.Load(),
	}
	if p.segment != nil {
		st.Segment = p.segment.Name
	}
	return st
}

// publish shows what entered by p since the last time.
func (p *port) publish() {
	if p.tx.frames > 0 {
		p.n.txFrames.Add(p.tx.frames)
		p.n.txBytes.Add(p.tx.bytes)
		p.tx.frames, p.tx.bytes = 0, 0
	}
}
