package vnet

import (
	"encoding/binary"
	"math/bits"
	"time"
)

const (
	// By default a port may flood freshFrames a second that were not seen before,
	// which is a multicast stream of 100 Mbit/s, and repeated ones, or any while
	// there is a loop, at the pace of staleFrames.
	freshFrames, staleFrames = 10000, 1000

	// loopFrames is how many frames a second must come back for it to be a
	// loop. A machine that moved, a failover or a student's script comes to a
	// few; a loop has thousands, or what storm control leaves of them.
	loopFrames = 32
	// frameMemory is for how many seconds a frame is remembered, loopMemory for
	// how many a loop is reported after its last sign: storm control may let it
	// die down until somebody sends again.
	frameMemory, loopMemory = 3, 10
)

// bucket is one port's allowance of flooded frames: credit in nanoseconds, of
// which each frame costs its share of a second.
type bucket struct{ credit, at int64 }

func (b *bucket) take(now int64, cost int64) bool {
	b.credit = min(b.credit+now-b.at, int64(time.Second))
	b.at = now
	if b.credit < cost {
		return false
	}
	b.credit -= cost
	return true
}

// sentry watches a segment for frames that come back. It remembers the last
// flooded ones by a hash and the ports they came by; when many come by
// others too, or many addresses move from port to port, there is a loop.
type sentry struct {
	seen   [256]sighting
	second uint32 // the current one, since the loop's start
	back   int    // frames that came back in it
	before int    // and in the one before
	last   uint32 // the last second that had loopFrames of them
	began  int64  // when the present loop was found; 0: there is none
}

type sighting struct {
	hash   uint64
	second uint32 // of the last time
	first  int32  // the port by which it came at first
	last   int32  // and the last time
}

// calm says whether a frame that is to be flooded may be. It looks at every
// such frame that is group-addressed or, on a switch, whose addressee is
// unknown; on a hub or link, where all are flooded, at the unicast ones only
// while there is a loop.
// Moved says that its source was just seen at another port.
func (g *segment) calm(l *loop, f *frame, moved bool) bool {
	s := &g.sentry
	group := f.data[0]&1 == 1
	if !group && g.macs == nil && s.began == 0 {
		return true
	}
	second := uint32(l.at / int64(time.Second))
	if second != s.second {
		s.turn(second)
	}
	known, back := s.sight(f, second)
	if back {
		f.in.looped = second + 1
	} else if moved {
		f.in.flapped = second + 1
	}
	if back || moved {
		s.back++
		if s.back >= loopFrames {
			s.last = second
			if s.began == 0 {
				s.began = max(l.at, 1)
			}
		}
	}
	if g.Storm < 0 || !group && (s.began == 0 || !back) {
		return true
	}
	allowed := g.Storm
	switch {
	case allowed > 0:
	case known || s.began != 0:
		allowed = staleFrames
	default:
		allowed = freshFrames
	}
	return f.in.storm.take(l.at, int64(time.Second)/int64(allowed)*int64(f.wires))
}

// turn begins a second.
func (s *sentry) turn(second uint32) {
	s.before = 0
	if second == s.second+1 {
		s.before = s.back
	}
	s.second, s.back = second, 0
	if second > s.last+loopMemory {
		s.began = 0
	}
}

// sight notes a frame and says whether it is known and whether it has come back:
// by another port than at first, or than the last time. (A machine may well send
// the same again.)
func (s *sentry) sight(f *frame, second uint32) (known, back bool) {
	h := fingerprint(f.data)
	e := &s.seen[h%uint64(len(s.seen))]
	if e.hash != h || second > e.second+frameMemory {
		*e = sighting{h, second, f.in.id, f.in.id}
		return false, false
	}
	back = e.first != f.in.id || e.last != f.in.id
	e.second, e.last = second, f.in.id
	return true, back
}

// fingerprint tells frames apart by their length and first 128 bytes, which
// hold every header's counters and most of what small frames say.
func fingerprint(b []byte) uint64 {
	h := uint64(len(b)) * 0x9e3779b97f4a7c15
	b = b[:min(len(b), 128)]
	for len(b) >= 8 {
		h = (bits.RotateLeft64(h, 23) ^ binary.LittleEndian.Uint64(b)) * 0xff51afd7ed558ccd
		b = b[8:]
	}
	for _, c := range b {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	return h ^ h>>32
}

// loop is what g reports.
func (g *segment) loop(l *loop) *Loop {
	s := &g.sentry
	second := uint32(l.at / int64(time.Second))
	if second != s.second {
		s.turn(second)
	}
	if s.began == 0 {
		return nil
	}
	lp := &Loop{Since: l.since(s.began), FramesPerSecond: float64(max(s.before, s.back))}
	// The addresses of machines wander that have no part in it: theirs count
	// only when nothing else tells.
	for _, p := range g.ports {
		if p.looped != 0 && second < p.looped+loopMemory {
			lp.Ports = append(lp.Ports, p.name)
		}
	}
	if lp.Ports != nil {
		return lp
	}
	for _, p := range g.ports {
		if p.flapped != 0 && second < p.flapped+loopMemory {
			lp.Ports = append(lp.Ports, p.name)
		}
	}
	return lp
}
