package impair

import "time"

// Sizes of an Ethernet frame as a Rate counts them, in bytes.
const (
	overhead = 24 // preamble 8, checksum 4, gap 12
	minFrame = 60 // shorter ones are padded
	header   = 14 // what corruption spares
)

// Drop says why a frame is dropped.
type Drop uint8

// The reasons.
const (
	Kept  Drop = iota // it is not
	Lost              // on the wire: Loss or Burst
	Queue             // it found the queue full
)

func (d Drop) String() string {
	switch d {
	case Lost:
		return "lost"
	case Queue:
		return "queue full"
	}
	return "kept"
}

// Verdict is what becomes of one frame. Times are in ns on the clock of Judge.
// Without a Drop the frame arrives at At, and At is never before Judge's now.
type Verdict struct {
	Drop    Drop
	Reorder bool  // At follows no order: frames that were judged earlier may arrive later
	Again   bool  // a second copy arrives, at AgainAt, behind the first
	Flip    int32 // the bit to invert, counted from the first byte's lowest; -1 for none
	At      int64
	AgainAt int64

	// When the last bit goes out: until then the frame waits in the queue or is
	// being sent.
	Sent, AgainSent int64
}

// Corrupt does to frame what v says.
func (v Verdict) Corrupt(frame []byte) {
	if v.Flip >= 0 {
		frame[v.Flip/8] ^= 1 << (v.Flip % 8)
	}
}

// A Pipe is one direction of one cable. It is not safe for concurrent use.
type Pipe struct {
	c       Config
	streams [draws]stream
	n       uint64 // frames judged

	loss, duplicate, reorder, corrupt chance

	burst struct {
		on, bad              bool
		goodToBad, badToGood chance
		lossGood, lossBad    chance
	}

	last int64 // when the latest frame that keeps the order arrives
	line line
}

// NewPipe returns a Pipe that has seen no frame. c must pass Check.
func NewPipe(c Config, seed uint64) *Pipe {
	p := &Pipe{}
	for d := range draws {
		p.streams[d] = newStream(seed, d)
	}
	p.Set(c)
	return p
}

// Set changes what the pipe does to frames from the next one on; c must pass
// Check. What was decided stays so, those decided later arrive no earlier, and
// the count of frames goes on.
func (p *Pipe) Set(c Config) {
	p.loss, p.duplicate = chanceOf(c.Loss), chanceOf(c.Duplicate)
	p.reorder, p.corrupt = chanceOf(c.Reorder), chanceOf(c.Corrupt)
	b := &p.burst
	if g := c.Burst; g == nil {
		b.on, b.bad = false, false
	} else {
		b.on = true
		b.goodToBad, b.badToGood = chanceOf(g.GoodToBad), chanceOf(g.BadToGood)
		b.lossGood, b.lossBad = chanceOf(g.LossGood), chanceOf(g.LossBad)
		if g.LossBad == 0 {
			b.lossBad = chanceOf(1)
		}
	}
	p.line.set(c.Rate, c.Queue)
	p.c = c.Clone()
}

// Config is what the pipe does now.
func (p *Pipe) Config() Config { return p.c.Clone() }

// Restart empties the queue, as after a cut or before Resend: the next frame
// waits for none before it, and arrives no earlier than last unless it follows
// no order. The count of frames goes on.
func (p *Pipe) Restart(last int64) {
	p.last = last
	p.line.clear()
}

// Resend decides anew about a frame that still waits, when the rate has
// changed. It is called after Restart for all that wait, first come first. Extra
// is by how much the frame was to arrive after its last bit went out, reorder
// whether it follows no order.
func (p *Pipe) Resend(now int64, size int, extra int64, reorder bool) (sent, at int64) {
	sent = p.line.resend(now, size)
	if reorder {
		return sent, sent + extra
	}
	return sent, p.arrive(sent, extra, false)
}

// Frames is how many frames were judged.
func (p *Pipe) Frames() uint64 { return p.n }

// Judge decides about the next frame, of size bytes, which is put into the wire
// at now, in ns of a clock that does not go backwards. It allocates nothing.
func (p *Pipe) Judge(now int64, size int) Verdict {
	n := p.n
	p.n++
	v := Verdict{Flip: -1}
	lost := p.lose(n)
	sent, room := p.line.send(now, size)
	switch {
	case !room:
		v.Drop = Queue
		return v
	case lost:
		v.Drop = Lost
		return v
	}
	if p.corrupt != 0 && p.corrupt.hit(p.streams[drawCorrupt].at(n)) {
		v.Flip = p.bit(n, size)
	}
	delay := p.delay(n)
	v.Reorder = p.reorder != 0 && p.reorder.hit(p.streams[drawReorder].at(n))
	v.Sent, v.At = sent, p.arrive(sent, delay, v.Reorder)
	if p.duplicate != 0 && p.duplicate.hit(p.streams[drawDuplicate].at(n)) {
		if sent, room = p.line.send(now, size); room {
			v.Again, v.AgainSent, v.AgainAt = true, sent, p.arrive(sent, delay, v.Reorder)
		}
	}
	return v
}

// Bit is the bit that Judge would have inverted in the frame that it judged
// last, had it been for corruption; -1 for a frame that has nothing behind its
// Ethernet header.
func (p *Pipe) Bit(size int) int32 { return p.bit(p.n-1, size) }

func (p *Pipe) bit(n uint64, size int) int32 {
	if size <= header {
		return -1
	}
	// The bias is that of 2^64 over some 10^5 bits: none.
	return int32(8*header + p.streams[drawBit].at(n)%uint64(8*(size-header)))
}

// lose decides whether frame n is lost.
func (p *Pipe) lose(n uint64) bool {
	lost := p.loss != 0 && p.loss.hit(p.streams[drawLoss].at(n))
	if b := &p.burst; b.on {
		change, loss := b.goodToBad, b.lossGood
		if b.bad {
			change, loss = b.badToGood, b.lossBad
		}
		if loss.hit(p.streams[drawBurstLoss].at(n)) {
			lost = true
		}
		if change.hit(p.streams[drawBurst].at(n)) {
			b.bad = !b.bad
		}
	}
	return lost
}

func (p *Pipe) delay(n uint64) int64 {
	d := p.c.Delay
	if p.c.Jitter > 0 {
		d += time.Duration(p.c.Distribution.deviate(p.streams[drawJitter].at(n)) * float64(p.c.Jitter))
	}
	return int64(max(d, 0))
}

// arrive is when a frame that has been sent arrives.
func (p *Pipe) arrive(sent, delay int64, reorder bool) int64 {
	if reorder {
		return sent
	}
	p.last = max(p.last, sent+delay)
	return p.last
}
