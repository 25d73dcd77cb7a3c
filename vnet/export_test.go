package vnet

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Batch is how many frames one port may send in a round.
const Batch = batch

// OldConns is how many superseded connections a port keeps.
const OldConns = oldConns

// Manual is a switch without a goroutine: a test turns it by hand.
type Manual struct {
	l     *loop
	seg   *segment
	ports []*port
	slot  int // where the next record goes that Receive is given
}

// NewManual returns a switch of one segment with one port for each connected
// socket. For a socket of -1 it makes a port that is up and has no socket.
func NewManual(kind Kind, limit int, socks ...int) (*Manual, error) {
	return NewManualOf(SegmentConfig{Kind: kind, MTU: MaxMTU, Storm: -1}, limit, make([]PortConfig, len(socks)), socks)
}

// NewManualOf is NewManual with a configuration for the segment and each port.
func NewManualOf(c SegmentConfig, limit int, ports []PortConfig, socks []int) (*Manual, error) {
	o := Options{MACAge: time.Minute, MACCap: limit, Now: time.Now, SendBuffer: 1 << 20}
	l, err := newLoop(o, nil)
	if err != nil {
		return nil, err
	}
	seg, err := newSegment(c, o)
	if err != nil {
		return nil, err
	}
	m := &Manual{l: l, seg: seg}
	for i, s := range socks {
		p, err := newPort(ports[i], m.seg)
		if err != nil {
			return nil, err
		}
		if err := l.addPort(p, s); err != nil {
			return nil, err
		}
		if s < 0 {
			p.fd = 1 << 30
		}
		m.ports = append(m.ports, p)
	}
	return m, nil
}

// Close lets go of the sockets.
func (m *Manual) Close() {
	for _, p := range m.ports {
		p.fd = -1
	}
	m.l.release()
}

// Round turns the loop once, without waiting.
func (m *Manual) Round() error { return m.l.round(0) }

// Receive takes a frame from a port's guest and leaves what comes of it queued.
func (m *Manual) Receive(port int, frame []byte) bool {
	p := m.ports[port]
	before := p.tx.frames
	m.l.rx.msgs[m.slot].len = uint32(copy(m.l.rx.buf[m.slot*bufSize:][:bufSize], frame))
	m.l.receive(p, m.slot)
	m.slot = (m.slot + 1) % ringFrames
	return p.tx.frames > before
}

// Place puts a record where Replay finds it.
func (m *Manual) Place(rec []byte) {
	m.l.rx.msgs[0].len = uint32(copy(m.l.rx.buf[:bufSize], rec))
}

// Replay receives the record of Place.
func (m *Manual) Replay(port int) { m.l.receive(m.ports[port], 0) }

// Reset forgets all addresses.
func (m *Manual) Reset() {
	for _, p := range m.ports {
		m.l.flushMACs(p)
	}
}

// Discard empties the queues and calls f, if any, with each port that had
// records and what they were.
func (m *Manual) Discard(f func(port int, recs [][]byte)) {
	for _, p := range m.l.dirty {
		if f != nil {
			var recs [][]byte
			for i := range p.out.msgs[:p.out.n] {
				var rec []byte
				for _, v := range p.out.iovs[2*i:][:p.out.msgs[i].hdr.Iovlen] {
					rec = append(rec, unsafe.Slice(v.Base, v.Len)...)
				}
				recs = append(recs, rec)
			}
			f(slices.Index(m.ports, p), recs)
		}
		p.out.n = 0
		p.dirty = false
	}
	m.l.dirty = m.l.dirty[:0]
	m.l.arena.reset()
}

// Known is how many addresses the segment remembers.
func (m *Manual) Known() int { return m.seg.macs.used }

// Stats of a port.
func (m *Manual) Stats(port int) PortStats { return m.ports[port].stats() }

// MACTable is the address table.
type MACTable struct{ t *macTable }

// NewMACTable makes one with an age in ticks.
func NewMACTable(limit int, age uint32) MACTable {
	return MACTable{newMACTable(limit, time.Duration(age)*macTick)}
}

func key(a uint64) macKey { return macUsed | macKey(a) }

func (m MACTable) Learn(a uint64, port int32, now uint32) bool { return m.t.learn(key(a), port, now) }
func (m MACTable) Lookup(a uint64, now uint32) int32           { return m.t.lookup(key(a), now) }
func (m MACTable) Flush(port int32)                            { m.t.flush(port) }
func (m MACTable) Expire(now uint32)                           { m.t.expire(now) }
func (m MACTable) Len() int                                    { return m.t.used }

// Unseed fixes the seed, for a test that wants to repeat.
func (m MACTable) Unseed(r *rand.Rand) { m.t.seed = r.Uint64() }

// A Pump moves batches of records through a socket with the switch's own
// calls, for generators and sinks.
type Pump struct {
	tx txQueue
	rx rxRing
}

// NewPump returns a Pump that sends batches of frame.
func NewPump(frame []byte) *Pump {
	rx, err := newRxRing()
	if err != nil {
		panic(err)
	}
	p := &Pump{tx: newTxQueue(), rx: rx}
	runtime.AddCleanup(p, func(r rxRing) { r.release() }, rx)
	for !p.tx.full() {
		p.tx.push(piece{head: frame}, outgoing{wires: 1})
	}
	return p
}

// Send sends up to n records, at most a batch, and returns how many the socket took.
func (p *Pump) Send(fd, n int) int {
	n, _ = sendmmsg(fd, p.tx.msgs[:min(n, batch)])
	return n
}

// Drain reads up to a batch of records and returns how many there were, 0 when
// there are none for now, and -1 at the end.
func (p *Pump) Drain(fd int) int {
	p.rx.used = 0
	_, n, err := p.rx.read(fd, batch)
	switch {
	case err == unix.EAGAIN:
		return 0
	case err != 0:
		return -1
	}
	for i := range n {
		if b, _ := p.rx.record(i); len(b) == 0 {
			if i == 0 {
				return -1
			}
			return i
		}
	}
	return n
}

// Place is the loop's choice of CPUs, with a set of its own.
type Place struct{ pl *place }

// NewPlace makes one that may run on some CPUs, and tells where it goes.
func NewPlace(allowed []int, goes func([]int)) *Place {
	pl := &place{off: -1, set: func(s *unix.CPUSet) error {
		var cpus []int
		for i := range maxCPUs {
			if s.IsSet(i) {
				cpus = append(cpus, i)
			}
		}
		goes(cpus)
		return nil
	}}
	for _, c := range allowed {
		pl.allowed.Set(c)
	}
	return &Place{pl}
}

// Took notes bytes sent to a guest on a CPU, -1 for one that is not pinned.
func (p *Place) Took(cpu int, bytes uint64) {
	p.pl.took(&port{cpu: cpu, pinned: cpu >= 0}, bytes)
}

// Look moves the loop if that is due.
func (p *Place) Look(now int64) { p.pl.look(now) }
