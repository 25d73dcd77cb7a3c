package record

import (
	"encoding/binary"
	"io"
	"slices"

	"github.com/patchbay/patchbay/vnet/offload"
)

// A Reader holds a chunk only while it walks through it and copies what it
// finds: so the writer meets a held chunk rarely, and three spare ones are
// plenty.
const (
	walkBytes = 256 << 10 // of the ring, in one go
	rawBytes  = 128 << 10 // copied, in one go
	wireBytes = 512 << 10 // handed out in one batch
	outFrames = 2048      // handed out in one batch
)

// item is a frame that was found.
type item struct {
	num    uint64
	missed uint64 // by then, in all
	at     int64
	port   uint16
	dir    Direction
	fate   Fate
	ref    uint64 // where its bytes are
	ends   []end  // that only pieces of it met
	tested bool   // it matches
	view   View
	hdr    offload.Header
	off, n int // its bytes in Reader.raw
}

// end is the fate of some pieces of a frame on their way into the segment.
type end struct {
	first, n int
	fate     Fate
}

// fateOf is the fate of one piece.
func (it *item) fateOf(piece int) Fate {
	for _, e := range it.ends {
		if piece >= e.first && piece < e.first+e.n {
			return e.fate
		}
	}
	return it.fate
}

// ended notes what became of a frame from a guest, or of pieces of it, if it is
// about to be handed out. Nearly always it is: fates are published together
// with their frames.
func (rd *Reader) ended(ref uint64, fate Fate, v View) bool {
	for i := len(rd.items) - 1; i >= 0; i-- {
		it := &rd.items[i]
		if it.dir != FromGuest || it.ref != ref {
			continue
		}
		if v.N == 0 {
			it.fate = fate
		} else {
			it.ends = append(it.ends, end{int(v.First), int(v.N), fate})
		}
		return true
	}
	return false
}

// entry is what lies in a chunk at some place.
type entry struct {
	b    []byte
	kind uint8
	fate Fate
	port uint16
	at   int64
}

// entryAt reads the head of an entry. The writer wrote it: it makes sense.
func entryAt(b []byte) entry {
	return entry{
		b:    b[:binary.LittleEndian.Uint32(b)],
		kind: b[4],
		fate: Fate(b[5]),
		port: binary.LittleEndian.Uint16(b[6:]),
		at:   int64(binary.LittleEndian.Uint64(b[8:])),
	}
}

// frame is the header and the bytes of an entry that has some.
func (e entry) frame() (h offload.Header, frame []byte) {
	h, _ = offload.Parse(e.b[16:])
	return h, e.b[headSize:][:binary.LittleEndian.Uint32(e.b[28:])]
}

// fill looks for frames, some way along the ring, and puts them into items. It
// says whether there is more to look at.
func (rd *Reader) fill() (more bool, err error) {
	r := rd.r
	rd.items, rd.raw = rd.items[:0], rd.raw[:0]
	clear(rd.large)
	if r.closed.Load() {
		return false, io.EOF
	}
	for walked := 0; walked < walkBytes && len(rd.raw) < rawBytes; {
		newest := r.newest.Load()
		if rd.serial > newest || rd.finished() {
			return false, nil
		}
		c := r.pin(rd.serial)
		if c == nil {
			if r.closed.Load() {
				return false, io.EOF
			}
			if oldest := r.oldest.Load(); rd.serial < oldest {
				rd.serial, rd.off = oldest, 0
			}
			continue
		}
		rd.arrive(c)
		n := rd.walk(c)
		filled := rd.off == int(c.filled.Load())
		c.unpin()
		walked += n
		if filled && !rd.finished() {
			if rd.serial == newest {
				return false, nil
			}
			rd.serial, rd.off = rd.serial+1, 0
		}
	}
	return true, nil
}

// finished says that a Reader has read all that was asked for.
func (rd *Reader) finished() bool {
	return rd.past || !rd.q.Follow && (rd.serial > rd.endSerial || rd.serial == rd.endSerial && rd.off >= rd.endOff)
}

// arrive finds out, at the begin of a chunk, what was missed since the last.
func (rd *Reader) arrive(c *chunk) {
	if rd.off > 0 {
		return
	}
	if !rd.fresh && c.first > rd.num {
		rd.missed += c.first - rd.num
	}
	rd.num, rd.fresh = c.first, false
}

// walk reads a chunk that is held, and returns how far it came.
func (rd *Reader) walk(c *chunk) int {
	filled := int(c.filled.Load())
	if !rd.q.Follow && rd.serial == rd.endSerial {
		filled = min(filled, rd.endOff)
	}
	start := rd.off
	for rd.off < filled && !rd.past {
		e := entryAt(c.buf[rd.off:])
		if (rd.off-start >= walkBytes || len(rd.raw) >= rawBytes) && !rd.tail(c, e) {
			break
		}
		rd.take(c, e)
		rd.off += len(e.b)
		rd.num++
	}
	return rd.off - start
}

// tail says whether an entry that comes when enough has been read is about a
// frame that was: what pieces of it met on their way in follows it at once.
func (rd *Reader) tail(c *chunk, e entry) bool {
	if e.kind != happened || len(rd.items) == 0 {
		return false
	}
	ref := binary.LittleEndian.Uint64(e.b[16:])
	return ref>>rd.r.shift == c.serial && entryAt(c.buf[ref&(1<<rd.r.shift-1):]).port == e.port
}

// take puts an entry into items if it is asked for.
func (rd *Reader) take(c *chunk, e entry) {
	if e.at > rd.to {
		rd.past = true
		return
	}
	if e.at < rd.from || e.kind == kept || !rd.wants(e.port) {
		return
	}
	it := item{num: rd.num, missed: rd.missed, at: e.at, port: e.port, dir: ToGuest, fate: e.fate}
	src := e
	switch e.kind {
	case entered:
		it.dir = FromGuest
		it.ref = c.serial<<rd.r.shift | uint64(rd.off)
	case happened:
		ref := binary.LittleEndian.Uint64(e.b[16:])
		at := c
		if serial := ref >> rd.r.shift; serial != c.serial {
			if at = rd.r.pin(serial); at == nil {
				if serial >= rd.begin { // else it was gone before this reader came
					rd.missed++
				}
				return
			}
			defer at.unpin()
		}
		src = entryAt(at.buf[ref&(1<<rd.r.shift-1):])
		it.ref = ref
		it.view = View{
			Tag: Tag(e.b[24]), ID: binary.LittleEndian.Uint16(e.b[26:]),
			First: binary.LittleEndian.Uint16(e.b[28:]), N: binary.LittleEndian.Uint16(e.b[30:]),
		}
		if src.port == e.port {
			if rd.ended(ref, e.fate, it.view) {
				return
			}
			it.dir = FromGuest
		}
	}
	if rd.q.Delivered && e.fate != Delivered && e.kind != entered {
		return
	}
	if rd.q.Dir != AnyDirection && rd.q.Dir != it.dir || rd.q.Once && it.dir == ToGuest && rd.wants(src.port) {
		return
	}
	var frame []byte
	if it.hdr, frame = src.frame(); it.hdr.Plain() && it.view.Tag == KeepTag {
		if it.tested = rd.q.Filter.Match(frame); !it.tested {
			return
		}
	}
	it.off, it.n = rd.store(it.ref, frame)
	rd.items = append(rd.items, it)
}

// store copies a frame to raw, a large one that many ports saw once.
func (rd *Reader) store(ref uint64, frame []byte) (off, n int) {
	if len(frame) < 2048 {
		rd.raw = append(rd.raw, frame...)
		return len(rd.raw) - len(frame), len(frame)
	}
	off, ok := rd.large[ref]
	if !ok {
		off = len(rd.raw)
		rd.raw = append(rd.raw, frame...)
		if rd.large == nil {
			rd.large = map[uint64]int{}
		}
		rd.large[ref] = off
	}
	return off, len(frame)
}

// hand makes Frames of items until a batch is full.
func (rd *Reader) hand() {
	done := 0
	for _, it := range rd.items {
		if len(rd.wire) >= wireBytes || len(rd.out) >= outFrames {
			break
		}
		done++
		frame := rd.raw[it.off : it.off+it.n]
		if it.tested {
			rd.emit(it, it.fate, frame)
			continue
		}
		frame, it.hdr = rd.retag(it, frame)
		rd.scratch = slices.Grow(rd.scratch[:0], len(frame))[:len(frame)]
		piece := -1
		// An error means that the header was never checked: what a wire would
		// carry cannot be said then.
		_ = offload.Segments(it.hdr, frame, rd.scratch, func(wire []byte) {
			piece++
			if it.view.N > 0 && (piece < int(it.view.First) || piece >= int(it.view.First)+int(it.view.N)) {
				return
			}
			if rd.q.Filter.Match(wire) {
				rd.emit(it, it.fateOf(piece), rd.keep(wire))
			}
		})
	}
	rd.items = rd.items[:copy(rd.items, rd.items[done:])]
}

// keep copies bytes to where they stay until the next batch.
func (rd *Reader) keep(b []byte) []byte {
	n := len(rd.wire)
	rd.wire = append(rd.wire, b...)
	return rd.wire[n:len(rd.wire):len(rd.wire)]
}

func (rd *Reader) emit(it item, fate Fate, data []byte) {
	if rd.q.Delivered && fate != Delivered {
		return
	}
	p := rd.r.port(it.port)
	rd.out = append(rd.out, Frame{
		Seq: it.num, Time: rd.r.Time(it.at), Port: p.Name, Segment: p.Segment,
		Dir: it.dir, Fate: fate, Data: data, Missed: it.missed - rd.told,
	})
	rd.told = it.missed
}

// retag does to a frame what was done to it for the port that saw it.
func (rd *Reader) retag(it item, frame []byte) ([]byte, offload.Header) {
	if it.view.Tag == KeepTag || len(frame) < 14 {
		return frame, it.hdr
	}
	head, rest, shift := frame[:12], frame[12:], 0
	var tag []byte
	switch it.view.Tag {
	case PushTag:
		tag = []byte{0x81, 0, byte(it.view.ID >> 8), byte(it.view.ID)}
		shift = 4
	case PopTag, ReplaceTag:
		if len(rest) < 4 {
			return frame, it.hdr
		}
		if it.view.Tag == PopTag {
			shift = -4
		} else {
			tag = []byte{rest[0], rest[1], rest[2]&0xf0 | byte(it.view.ID>>8)&0x0f, byte(it.view.ID)}
		}
		rest = rest[4:]
	}
	n := len(rd.wire)
	rd.wire = append(append(append(rd.wire, head...), tag...), rest...)
	return rd.wire[n:len(rd.wire):len(rd.wire)], it.hdr.Shift(shift)
}
