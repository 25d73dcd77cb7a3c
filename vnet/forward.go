package vnet

import (
	"time"

	"github.com/patchbay/patchbay/vnet/offload"
)

// The way of a frame, each step a function:
//
//	receive  a record is taken for a frame, its size and its header checked
//	entered  it has come out of a guest
//	enter    it enters its segment, by a cable that is in: VLAN, storm control
//	emit     it is for a port: the port's cable, its VLAN
//	queue    it is put into the port's queue, in the form the port takes
//	send     the queue is handed to the guest's socket
//
// Two things hook in. A recorder takes a frame at entered, and hears what became
// of it at settled and, for what came into a queue, at send. Impairment of
// a port's direction takes a frame between entered and enter, or between emit and
// queue; it sees what a wire would carry (form), copies what is to come
// later, and has it come by enter or by queue in another round, as a frame with
// memory of its own that stays until the flush after. What came by enter is
// counted by publish.

// fate is what became of a frame on a port.
type fate uint8

const (
	delivered fate = iota
	dropped        // the receiver did not take it in time
	lost           // impaired away
	cut            // met a pulled cable
	stormed        // too many group-addressed frames from this port
	filtered       // not in this VLAN
)

// entered is told of every frame that a guest sent, however it fares.
func (l *loop) entered(f *frame) { l.tape.came(f) }

// settled is told what became of f on p, unless it came into p's queue: p is
// the port it came in by or one it was for. It counts it.
func (l *loop) settled(f *frame, p *port, what fate) {
	l.tape.fared(f, p, what)
	n := uint64(f.wires)
	switch what {
	case lost:
		p.n.lost.Add(n)
	case cut:
		p.n.cut.Add(n)
	case stormed:
		p.n.storm.Add(n)
	case filtered:
		p.n.filtered.Add(n)
	}
}

// enter takes a frame into its port's segment.
func (l *loop) enter(f *frame) {
	in := f.in
	g := in.segment
	switch {
	case g == nil || !in.plugged.Load():
		l.settled(f, in, cut)
		return
	case in.mirror:
		l.settled(f, in, filtered)
		return
	case g.vlans > 0 && !f.classify():
		l.settled(f, in, filtered)
		return
	}
	out, flood, moved := l.decide(g, f)
	if flood && !g.calm(l, f, moved) {
		l.settled(f, in, stormed)
		return
	}
	in.tx.frames += uint64(f.wires)
	in.tx.bytes += f.bytes()
	for _, p := range g.mirrors {
		l.emit(p, f)
	}
	switch {
	case flood:
		for _, p := range g.ports {
			if p != in && (g.vlans == 0 || p.vlan.has(f.vlan)) {
				l.emit(p, f)
			}
		}
	case out != in.id:
		l.emit(l.ports[out], f)
	}
}

// decide says which port f goes to, or that it goes to all. It learns f's
// source, and says whether that moved here from another port.
func (l *loop) decide(g *segment, f *frame) (out int32, flood, moved bool) {
	t := g.macs
	if t == nil {
		return -1, true, false
	}
	if src := keyOf(f.data[6:]); !src.group() && !src.zero() {
		before := t.moves
		if !t.learn(src.in(f.vlan), f.in.id, l.tick) {
			g.unlearned++
		}
		moved = t.moves != before
	}
	if dst := keyOf(f.data); !dst.group() {
		if out := t.lookup(dst.in(f.vlan), l.tick); out >= 0 {
			return out, false, moved
		}
	}
	return -1, true, moved
}

// emit sends f out by p, where it may meet a pulled cable.
func (l *loop) emit(p *port, f *frame) {
	switch {
	case p.fd < 0: // an interface that is down hears nothing
	case !p.plugged.Load():
		l.settled(f, p, cut)
	case f.vlan != 0 && !p.mirror && !p.vlan.tags(f.vlan) && f.hops():
		l.settled(f, p, filtered)
	case p.to != nil:
		l.travel(p.to, f)
	default:
		l.queue(p, f)
	}
}

// queue puts f, in the form that p takes, into p's queue. It goes out with the
// next flush.
func (l *loop) queue(p *port, f *frame) {
	tagged := p.tagged(f)
	if p.offload == f.in.offload && len(f.raw) > 0 && f.tagging(tagged) == keepTag && (p.offload || f.hdr.Plain()) {
		l.push(p, piece{head: f.raw}, outgoing{frame: f, wires: f.wires, bytes: f.bytes()}) // the common case: as it came
		return
	}
	if p.offload {
		w := l.form(f, tagged, true)[0]
		tags := w.len() - offload.Size - len(f.data) // put into each frame on a wire, or taken out
		l.push(p, w, outgoing{frame: f, wires: f.wires, bytes: f.bytes() + uint64(int(f.wires)*tags)})
		return
	}
	for i, w := range l.form(f, tagged, false) {
		l.push(p, w, outgoing{frame: f, wires: 1, bytes: uint64(w.len()), piece: int32(i)})
	}
}

func (l *loop) push(p *port, w piece, r outgoing) {
	if !p.dirty {
		p.dirty = true
		l.dirty = append(l.dirty, p) // addPort saw to the room
	}
	if p.out.full() {
		l.send(p)
	}
	p.out.push(w, r)
}

// learned returns what g's address table holds and has not aged.
func (l *loop) learned(g *segment) []MAC {
	if g.macs == nil {
		return nil
	}
	l.setTime()
	g.macs.expire(l.tick)
	all := make([]MAC, 0, g.macs.used)
	for _, s := range g.macs.slots {
		if s.key != 0 {
			all = append(all, MAC{
				Addr: s.key.addr(),
				VLAN: s.key.vlan(),
				Port: l.ports[s.port].name,
				Age:  time.Duration(l.tick-s.seen) * macTick,
			})
		}
	}
	return all
}
