package vnet

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/patchbay/patchbay/vnet/impair"
)

const (
	// defaultDelayMemory lets 400 Mbit/s of full frames be delayed by a second.
	defaultDelayMemory = 64 << 20
	// landing is how many frames arrive between two flushes, and landings how
	// often that may be before the guests' sockets have their turn again.
	landing  = ringFrames
	landings = 4
	// spacing is how much time passes from when something was due to when the
	// loop wakes for more, in ns. On a wire of 1 Gbit/s, 12 µs a frame, that makes
	// four frames of one waking.
	spacing = 50_000
	// trimAfter is how long all must be quiet before memory is given back, in
	// ns: a link at work is empty many times a second.
	trimAfter = int64(time.Second)
)

// air is all that is under way on impaired cables, and what wakes the loop for
// it. Nothing of it is used before the first impairment or script.
type air struct {
	depot
	size    int // of the depot
	flights flights
	seq     uint64
	timer   timer
	trimAt  int64 // when to give memory back; 0: there is none to give

	clock func() int64
	now   int64 // the time at which the frame in hand arrived

	landed int64 // when something was due last

	// Frames that have arrived stay where they are until the flush after.
	frames  []frame
	arrived int
	spent   []int32 // their places in the depot

	one  frame          // a piece of a larger one, to be told of
	flat [MaxFrame]byte // and its bytes
}

// load is what a flight keeps of the frame that its bytes came from.
type load struct {
	in    *port
	taken taken
}

func (l load) frame(b []byte) frame { return frame{in: l.in, data: b, wires: 1, taken: l.taken} }

// load is what is kept of f, or of its piece number i, as it goes into w.
func (w *way) load(f *frame, i int, whole bool) load {
	return load{in: f.in, taken: f.taken.part(w, f, i, whole)}
}

func newAir(o Options) (a air, err error) {
	if a.size = o.DelayMemory; a.size <= 0 {
		a.size = defaultDelayMemory
	}
	a.clock = newClock()
	a.timer, err = newTimer(a.clock)
	return a, err
}

// open gets what impairment needs. It may be called again.
func (a *air) open() error {
	if a.mem != nil {
		return nil
	}
	if err := a.depot.open(a.size); err != nil {
		return err
	}
	a.frames = make([]frame, landing)
	a.spent = make([]int32, 0, landing)
	a.now = a.clock()
	return nil
}

func (a *air) close() {
	closeFD(a.timer.fd)
	a.depot.close()
	a.flights = nil
}

// travel puts f into w, cut into what a wire carries. It is called where
// nothing else is under way with f's pieces.
func (l *loop) travel(w *way, f *frame) {
	tagged := f.tagged
	if w.dir == ToGuest {
		tagged = w.port.tagged(f)
	}
	pieces := l.form(f, tagged, false)
	for i, b := range pieces {
		l.fly(w, f, i, b, len(pieces) == 1)
	}
	if len(l.script.urgent) > 0 {
		l.handleUrgent()
	}
}

// fly puts b, the piece number i of f or the whole, into w.
func (l *loop) fly(w *way, f *frame, i int, b piece, whole bool) {
	a := &l.air
	v := w.pipe.Judge(a.now, b.len())
	strays := v.Reorder
	if len(w.events) > 0 && l.play(w, a.now, a.flatten(b), &v) {
		strays = true
	}
	if v.Drop != impair.Kept {
		l.lose(w, f, i, b, whole)
		return
	}
	// Without a rate a second copy comes with the first; with one nothing comes at once.
	if whole && v.At <= a.now && v.Flip < 0 && (strays || w.ordered == 0) {
		l.arrive(w, f)
		if v.Again {
			l.arrive(w, f)
		}
		return
	}
	l.store(w, f, i, b, whole, flight{at: v.At, sent: v.Sent, strays: strays}, v.Flip)
	if v.Again {
		l.store(w, f, i, b, whole, flight{at: v.AgainAt, sent: v.AgainSent, strays: strays}, v.Flip)
	}
}

// store keeps a copy of b until it arrives, with one bit inverted if flip says
// so. Without room it is lost.
func (l *loop) store(w *way, f *frame, i int, b piece, whole bool, to flight, flip int32) {
	a := &l.air
	off, ok := a.put(&w.shelf, b.len())
	if !ok {
		l.lose(w, f, i, b, whole)
		return
	}
	mem := a.mem[off : off+b.len()]
	copy(mem[copy(mem, b.head):], b.tail)
	if flip >= 0 {
		mem[flip/8] ^= 1 << (flip % 8)
	}
	a.seq++
	to.seq, to.way, to.load = a.seq, w, w.load(f, i, whole)
	if flip >= 0 {
		to.load.taken = taken{}
	}
	to.off, to.size = int32(off), int32(b.len())
	if !to.strays {
		w.ordered++
	}
	a.flights.push(to)
}

// lose says that b, the piece number i of f or the whole, is lost.
func (l *loop) lose(w *way, f *frame, i int, b piece, whole bool) {
	if !whole {
		l.air.one = w.load(f, i, whole).frame(l.air.flatten(b))
		f = &l.air.one
	}
	l.settled(f, w.port, lost)
}

// flatten returns b in one part, valid until the next call.
func (a *air) flatten(b piece) []byte {
	if len(b.tail) == 0 {
		return b.head
	}
	n := copy(a.flat[:], b.head)
	return a.flat[:n+copy(a.flat[n:], b.tail)]
}

// arrive takes a frame out of w.
func (l *loop) arrive(w *way, f *frame) {
	switch {
	case w.dir == FromGuest:
		f.forms = [4]form{} // made when it was in no VLAN yet
		l.enter(f)
	case w.port.fd < 0: // it went down meanwhile
	case !w.port.plugged.Load():
		l.settled(f, w.port, cut)
	default:
		l.queue(w.port, f)
	}
}

// land lets happen what is due, in the order of its time. It flushes, so it is
// called where nothing is queued that must wait, and it leaves the rest for
// the next round when much is due at once.
func (l *loop) land() {
	a := &l.air
	now := a.clock()
	for flushes := 0; flushes < landings; {
		next := int64(math.MaxInt64)
		if len(a.flights) > 0 {
			next = a.flights[0].at
		}
		if t := l.script.timed; len(t) > 0 && t[0].from <= min(next, now) {
			a.now = t[0].from
			l.script.timed = t[1:]
			l.note(t[0], now)
			l.handle(t[0])
			continue
		}
		if next > now {
			break
		}
		a.landed = now
		if a.arrived == len(a.frames) {
			l.flush()
			flushes++
		}
		a.now = next
		l.touchDown(a.flights.pop())
	}
	if a.arrived > 0 {
		l.flush() // no frame that is due waits for what other guests sent
	}
	if a.trimAt != 0 && a.trimAt <= now {
		a.trimAt = 0
		if len(a.flights) == 0 {
			a.trim()
			a.flights = nil
		}
	}
	a.now = now
}

// touchDown takes a flight to where it arrives.
func (l *loop) touchDown(g flight) {
	a, w := &l.air, g.way
	f := &a.frames[a.arrived]
	a.arrived++
	*f = g.load.frame(a.mem[g.off : g.off+g.size])
	a.spent = append(a.spent, g.off)
	if !g.strays {
		if w.ordered--; w.ordered == 0 {
			w.settle()
		}
	}
	l.arrive(w, f)
	if w.dir == FromGuest {
		w.port.publish()
	}
	a.rest(g.at)
}

// rest has memory given back some time after the last frame has left.
func (a *air) rest(now int64) {
	if len(a.flights) == 0 && a.swollen() && a.trimAt == 0 {
		a.trimAt = now + trimAfter
	}
}

// flushed says that frames that had arrived are gone.
func (a *air) flushed() {
	for _, off := range a.spent {
		a.drop(int(off))
	}
	a.spent = a.spent[:0]
	a.arrived = 0
}

// due says whether something is.
func (l *loop) due() bool { return l.next() <= l.air.now }

// takeOff ends a round: what is due now, such as the pieces of a frame that was
// cut and not delayed, does not wait for the next, and what is due later has the
// timer set.
func (l *loop) takeOff() {
	if l.due() {
		l.land()
	}
	if next := l.next(); next < math.MaxInt64 {
		l.air.timer.wake(max(next, l.air.landed+spacing))
	} else {
		l.air.timer.quiet()
	}
	l.tape.show()
}

// next is when something next is due.
func (l *loop) next() int64 {
	next := int64(math.MaxInt64)
	if len(l.air.flights) > 0 {
		next = l.air.flights[0].at
	}
	if t := l.script.timed; len(t) > 0 {
		next = min(next, t[0].from)
	}
	if l.air.trimAt != 0 {
		next = min(next, l.air.trimAt)
	}
	return next
}

// requeue has what still waits in w sent at the rate that it has now.
func (l *loop) requeue(w *way) {
	a := &l.air
	var waiting []flight
	last := int64(0)
	a.flights.remove(func(g *flight) bool {
		switch {
		case g.way != w:
		case g.sent > a.now:
			waiting = append(waiting, *g)
			return true
		case !g.strays:
			last = max(last, g.at)
		}
		return false
	})
	slices.SortFunc(waiting, func(g, h flight) int { return cmp.Compare(g.seq, h.seq) })
	w.pipe.Restart(last)
	for _, g := range waiting {
		g.sent, g.at = w.pipe.Resend(a.now, int(g.size), g.at-g.sent, g.strays)
		a.flights.push(g)
	}
}

// sweep drops what is under way in p's cable, which is cut.
func (l *loop) sweep(p *port) {
	a := &l.air
	if a.mem == nil {
		return
	}
	a.flights.remove(func(g *flight) bool {
		if g.way.port != p {
			return false
		}
		a.one = g.load.frame(a.mem[g.off : g.off+g.size])
		l.settled(&a.one, p, cut)
		a.drop(int(g.off))
		return true
	})
	for i := range p.ways {
		if w := &p.ways[i]; w.pipe != nil {
			w.ordered = 0
			w.pipe.Restart(0)
			w.settle()
		}
	}
	a.rest(a.now)
}
