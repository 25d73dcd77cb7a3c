package vnet

import "time"

// Sizes of a frame, in bytes, as it passes a socket: no preamble, no checksum.
const (
	MinFrame = 14              // an Ethernet header
	MaxFrame = 9000 + 14 + 2*4 // the largest MTU, a header, two VLAN tags
)

// segment is one broadcast domain. Name and kind never change; the rest
// belongs to the loop.
type segment struct {
	name      string
	kind      Kind
	ports     []*port
	macs      *macTable // nil unless the segment learns
	unlearned uint64
}

func newSegment(name string, kind Kind, o Options) *segment {
	g := &segment{name: name, kind: kind}
	if kind == SwitchKind {
		g.macs = newMACTable(o.MACCap, o.MACAge)
	}
	return g
}

// receive takes one frame that in's guest sent. The frame lies in the receive
// ring and stays valid until the next flush. It says whether the frame
// entered the segment.
func (l *loop) receive(in *port, frame []byte, truncated bool) bool {
	switch {
	case truncated || len(frame) > MaxFrame:
		in.n.giants.Add(1)
		return false
	case len(frame) < MinFrame:
		in.n.runts.Add(1)
		return false
	case in.segment == nil || !in.plugged.Load():
		in.n.cut.Add(1)
		return false
	}
	l.forward(in, frame)
	return true
}

// forward decides where a well-formed frame goes.
func (l *loop) forward(in *port, frame []byte) {
	g := in.segment
	if t := g.macs; t != nil {
		if src := keyOf(frame[6:]); !src.group() && !src.zero() {
			if !t.learn(src, in.id, l.tick) {
				g.unlearned++
			}
		}
		if dst := keyOf(frame); !dst.group() {
			if out := t.lookup(dst, l.tick); out >= 0 {
				if out != in.id {
					l.emit(l.ports[out], frame)
				}
				return
			}
		}
	}
	for _, p := range g.ports {
		if p != in {
			l.emit(p, frame)
		}
	}
}

// emit queues a frame for p. It goes out with the next flush.
func (l *loop) emit(p *port, frame []byte) {
	switch {
	case p.fd < 0: // an interface that is down hears nothing
		return
	case !p.plugged.Load():
		p.n.cut.Add(1)
		return
	}
	if p.out.full() {
		p.send()
	}
	p.out.push(frame)
	if !p.dirty {
		p.dirty = true
		l.dirty = append(l.dirty, p) // addPort saw to the room
	}
}

// learned returns what g's address table holds and has not aged.
func (l *loop) learned(g *segment) []MAC {
	if g.macs == nil {
		return nil
	}
	l.setTick()
	g.macs.expire(l.tick)
	all := make([]MAC, 0, g.macs.used)
	for _, s := range g.macs.slots {
		if s.key != 0 {
			all = append(all, MAC{
				Addr: s.key.addr(),
				Port: l.ports[s.port].name,
				Age:  time.Duration(l.tick-s.seen) * macTick,
			})
		}
	}
	return all
}

func (g *segment) stats() SegmentStats {
	st := SegmentStats{Name: g.name, Kind: g.kind, Unlearned: g.unlearned}
	for _, p := range g.ports {
		st.Ports = append(st.Ports, p.name)
	}
	if g.macs != nil {
		st.MACs = g.macs.used
	}
	return st
}
