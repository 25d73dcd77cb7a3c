package vnet

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// batch is how many frames go through one system call, and how many one port
// may send before the others have their turn.
const batch = 64

// port is one socket of the switch. Without a remark a field belongs to the
// loop.
type port struct {
	name     string   // never changes
	segment  *segment // never changes; nil when the cable hangs in the air
	listener *socketFile

	id    int32 // index in loop.ports
	fd    int   // the connection; -1 when the guest's interface is down
	dirty bool  // is in loop.dirty
	out   txQueue

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
	drops, cut, runts, giants            atomic.Uint64
}

func newPort(name string, g *segment) *port {
	p := &port{name: name, segment: g, fd: -1, entry: -1, ear: -1, out: newTxQueue()}
	p.plugged.Store(true)
	return p
}

func (p *port) stats() PortStats {
	st := PortStats{
		Name:     p.name,
		Up:       p.up.Load(),
		Plugged:  p.plugged.Load(),
		TxFrames: p.n.txFrames.Load(),
		TxBytes:  p.n.txBytes.Load(),
		RxFrames: p.n.rxFrames.Load(),
		RxBytes:  p.n.rxBytes.Load(),
		Drops:    p.n.drops.Load(),
		Cut:      p.n.cut.Load(),
		Runts:    p.n.runts.Load(),
		Giants:   p.n.giants.Load(),
	}
	if p.segment != nil {
		st.Segment = p.segment.name
	}
	return st
}

// send hands the queued frames to the guest's socket. What does not fit there
// is dropped.
func (p *port) send() {
	q := &p.out
	if q.n == 0 {
		return
	}
	sent := 0
	if p.fd >= 0 {
		// Less than all means that the socket is full or its other end gone:
		// the next frame would fare no better.
		sent, _ = sendmmsg(p.fd, q.msgs[:q.n])
	}
	if sent > 0 {
		var bytes uint64
		for i := range q.iovs[:sent] {
			bytes += uint64(q.iovs[i].Len)
		}
		p.n.rxFrames.Add(uint64(sent))
		p.n.rxBytes.Add(bytes)
	}
	if sent < q.n {
		p.n.drops.Add(uint64(q.n - sent))
	}
	q.n = 0
}

// A txQueue holds up to a batch of frames, by reference, for one sendmmsg.
type txQueue struct {
	n    int
	iovs []unix.Iovec
	msgs []mmsghdr
}

func newTxQueue() txQueue {
	q := txQueue{iovs: make([]unix.Iovec, batch), msgs: make([]mmsghdr, batch)}
	for i := range q.msgs {
		q.msgs[i].hdr.Iov = &q.iovs[i]
		q.msgs[i].hdr.SetIovlen(1)
	}
	return q
}

func (q *txQueue) full() bool { return q.n == len(q.msgs) }

func (q *txQueue) push(frame []byte) {
	q.iovs[q.n].Base = &frame[0]
	q.iovs[q.n].SetLen(len(frame))
	q.n++
}

const (
	ringFrames = 4 * batch // frames that may wait for one flush
	bufSize    = 143 * 64  // beyond MaxFrame; an odd number of cache lines spreads buffers over the cache's sets
)

// rxRing is where frames arrive, and stay until they are sent. 2.3 MiB of
// addresses, of which a quiet switch touches the first few pages.
type rxRing struct {
	buf  []byte
	iovs []unix.Iovec
	msgs []mmsghdr
	used int // buffers that hold frames not yet flushed
}

func newRxRing() rxRing {
	r := rxRing{
		buf:  make([]byte, ringFrames*bufSize),
		iovs: make([]unix.Iovec, ringFrames),
		msgs: make([]mmsghdr, ringFrames),
	}
	for i := range r.msgs {
		r.iovs[i].Base = &r.buf[i*bufSize]
		r.iovs[i].SetLen(bufSize)
		r.msgs[i].hdr.Iov = &r.iovs[i]
		r.msgs[i].hdr.SetIovlen(1)
	}
	return r
}

// full says that there is no room for another batch.
func (r *rxRing) full() bool { return r.used+batch > ringFrames }

// read takes up to a batch of records from fd. They stay until used is reset.
func (r *rxRing) read(fd int) (first, n int, err unix.Errno) {
	first = r.used
	n, err = recvmmsg(fd, r.msgs[first:first+batch])
	r.used += n
	return first, n, err
}

// record is the i-th record of the ring, and whether it was longer than shown.
func (r *rxRing) record(i int) (b []byte, truncated bool) {
	m := &r.msgs[i]
	off := i * bufSize
	return r.buf[off : off+int(m.len) : off+bufSize], m.hdr.Flags&unix.MSG_TRUNC != 0
}
