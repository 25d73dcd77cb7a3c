package record

import (
	"encoding/binary"

	"github.com/patchbay/patchbay/vnet/offload"
)

// Fate is what became of a frame on a port.
type Fate uint8

// The fates. A frame from a guest is Delivered when it entered its segment.
const (
	Delivered Fate = iota
	Dropped        // the receiver's queue was full
	Lost           // impairment lost it
	Cut            // the cable was pulled
	Stormed        // storm control
	Filtered       // VLAN membership
)

var fates = [...]string{"delivered", "dropped", "lost", "cut", "stormed", "filtered"}

// String is the fate in one word.
func (f Fate) String() string {
	if int(f) < len(fates) {
		return fates[f]
	}
	return "unknown"
}

// Ref names a frame in the Ring. The zero Ref names none.
type Ref uint64

// View says how a port saw a frame that is in the Ring. The zero View is the
// whole frame as it entered.
type View struct {
	Tag      Tag
	ID       uint16 // of the VLAN, for PushTag and ReplaceTag
	First, N uint16 // of the pieces that the frame is cut into: from which, how many; N 0: all
}

// Tag says what was done to the VLAN tag in front of a frame.
type Tag uint8

// What is done to a tag.
const (
	KeepTag Tag = iota
	PushTag
	PopTag
	ReplaceTag // its ID, not its priority
)

// writer is the writer's own part of a Ring.
type writer struct {
	live   int     // how many chunks can be found when the ring is full
	fresh  int     // how many of those have been used
	parked []int32 // chunks outside of the ring: spares, and what readers hold

	cur       *chunk // nil: no chunk could be had
	serial    uint64
	off       int // where in cur the next entry goes
	published int // up to where readers may look
	count     uint64
	last      int64
}

// An entry lies at a multiple of 8 bytes. All begin with
//
//	0  uint32  length, all of it, filled up to a multiple of 8
//	4  uint8   kind
//	5  uint8   fate
//	6  uint16  port
//	8  int64   time
//
// and go on, when they have a frame's bytes, with
//
//	16 [10]byte  offload header
//	28 uint32    length of the frame
//	32           the frame
//
// and otherwise with
//
//	16 uint64  ref of the frame
//	24 uint8   tag
//	26 uint16  VLAN
//	28 uint16  first piece
//	30 uint16  number of pieces
const headSize = 32

const (
	entered  = 1 + iota // a frame from a guest
	happened            // a fate of a frame that lies elsewhere
	kept                // a frame that is not shown
)

// room returns where size bytes can be written, or nil.
func (r *Ring) room(at int64, port int32, size int) []byte {
	w := &r.w
	w.count++ // also of what is not stored: so readers learn of it
	if uint32(port) >= maxPorts {
		return nil
	}
	if w.cur == nil || w.off+size > len(w.cur.buf) {
		if size > 1<<r.shift || !r.turn(at) {
			return nil
		}
	}
	b := w.cur.buf[w.off : w.off+size]
	w.off += size
	return b
}

// head fills in what all entries begin with.
func (w *writer) head(b []byte, kind, fate uint8, port int32, at int64) {
	w.last = max(w.last, at) // the order of entries is the order of times
	binary.LittleEndian.PutUint64(b, uint64(len(b))|uint64(kind)<<32|uint64(fate)<<40|uint64(port)<<48)
	binary.LittleEndian.PutUint64(b[8:], uint64(w.last))
}

func (r *Ring) bytes(kind uint8, fate Fate, at int64, port int32, h offload.Header, frame []byte) Ref {
	b := r.room(at, port, (headSize+len(frame)+7)&^7)
	if b == nil {
		return 0
	}
	r.w.head(b, kind, uint8(fate), port, at)
	h.Put(b[16:])
	binary.LittleEndian.PutUint32(b[28:], uint32(len(frame)))
	put(b[headSize:], frame)
	return Ref(r.w.serial<<r.shift | uint64(r.w.off-len(b)))
}

// Frame records that a frame came from a port's guest, with what is left to do
// for it to be what a wire carries. The header must have passed Check. The Ref
// is for Fate.
func (r *Ring) Frame(at int64, port int32, h offload.Header, frame []byte) Ref {
	return r.bytes(entered, Delivered, at, port, h, frame)
}

// Fate records what became of a frame on a port, and how that port saw it. On
// the port by which it came it says how its way into the segment ended. A frame
// that the Ring does not hold any more (see Holds) has no fate.
func (r *Ring) Fate(ref Ref, at int64, port int32, fate Fate, v View) {
	if ref == 0 {
		return
	}
	w := &r.w
	if off := int(ref) & (1<<r.shift - 1); uint64(ref)>>r.shift == w.serial && off >= w.published && w.cur != nil {
		// The frame itself is still the writer's own.
		if e := w.cur.buf[off:]; v.N == 0 && binary.LittleEndian.Uint16(e[6:]) == uint16(port) && e[4] == entered && e[5] == uint8(Delivered) {
			e[5] = uint8(fate)
			return
		}
	}
	b := r.room(at, port, headSize)
	if b == nil {
		return
	}
	w.head(b, happened, uint8(fate), port, at)
	binary.LittleEndian.PutUint64(b[16:], uint64(ref))
	binary.LittleEndian.PutUint64(b[24:], uint64(v.Tag)|uint64(v.ID)<<16|uint64(v.First)<<32|uint64(v.N)<<48)
}

// Keep stores a frame that nobody sees until there is a Fate of it: one that was
// altered on its way, or came so late that the Ring does not hold it any more.
// The port is that by which it came.
func (r *Ring) Keep(at int64, port int32, h offload.Header, frame []byte) Ref {
	return r.bytes(kept, Delivered, at, port, h, frame)
}

// Holds says whether the Ring will hold a frame for a good while yet, so that
// Fate can refer to it: it is in the newer half.
func (r *Ring) Holds(ref Ref) bool {
	return ref != 0 && r.w.serial-uint64(ref)>>r.shift < uint64(r.w.live/2)
}

// Publish lets readers see all that was recorded before. It is to be called
// once a round.
func (r *Ring) Publish() {
	w := &r.w
	if w.cur == nil || w.off == w.published {
		return
	}
	w.cur.filled.Store(uint32(w.off))
	w.published = w.off
	if r.bell.Load() != nil {
		close(r.bell.Swap(nil).c) // nobody else takes it down
	}
}

// turn begins a new chunk.
func (r *Ring) turn(at int64) bool {
	r.Publish()
	w := &r.w
	w.cur = nil
	i := r.take()
	if i < 0 {
		return false
	}
	c := &r.chunks[i]
	w.serial++
	w.off, w.published = 0, 0
	c.serial, c.first, c.began = w.serial, w.count-1, max(at, w.last)
	c.filled.Store(0)
	r.index[w.serial%uint64(len(r.index))].Store(i)
	c.pins.Store(0)
	r.newest.Store(w.serial)
	w.cur = c
	return true
}

// take finds a chunk for the writer, or -1.
func (r *Ring) take() int32 {
	w := &r.w
	if w.fresh < w.live {
		w.fresh++
		return int32(w.fresh - 1)
	}
	if len(w.parked) <= spares {
		old := r.oldest.Load()
		w.parked = append(w.parked, r.index[old%uint64(len(r.index))].Load())
		r.oldest.Store(old + 1)
	}
	// The last one first: so spares stay untouched unless readers are slow.
	for k := len(w.parked) - 1; k >= 0; k-- {
		i := w.parked[k]
		if c := &r.chunks[i]; c.serial == 0 || c.pins.CompareAndSwap(0, -1) {
			w.parked = append(w.parked[:k], w.parked[k+1:]...)
			return i
		}
	}
	return -1
}
