package vnet

import "github.com/patchbay/patchbay/vnet/record"

// tape records what the loop does, if anything is to be recorded. The clock is
// read once for what came in one batch and once for what went out in one: a
// reading for each frame would cost as much as recording it.
type tape struct {
	ring *record.Ring // nil: nothing is recorded
	at   int64
}

// taken is where a frame is recorded. The zero taken is nowhere, or no more:
// then it is recorded anew when something becomes of it.
type taken struct {
	ref record.Ref
	as  record.View // what the frame is of what is recorded
}

// tick reads the clock.
func (t *tape) tick() {
	if t.ring != nil {
		t.at = t.ring.Now()
	}
}

// show lets readers see what was recorded.
func (t *tape) show() {
	if t.ring != nil {
		t.ring.Publish()
	}
}

// came records a frame that a guest sent.
func (t *tape) came(f *frame) {
	f.taken = taken{}
	if t.ring != nil {
		f.taken.ref = t.ring.Frame(t.at, f.in.tape, f.hdr, f.data)
	}
}

// fared records what became of a frame on a port.
func (t *tape) fared(f *frame, p *port, what fate) {
	if t.ring == nil {
		return
	}
	t.hold(f)
	v := f.taken.as
	if p != f.in {
		v = p.view(f)
	}
	t.ring.Fate(f.taken.ref, t.at, p.tape, fates[what], v)
}

// left records that the records in p's queue went out, those from sent on
// excepted.
func (t *tape) left(p *port, sent int) {
	if t.ring == nil {
		return
	}
	t.at = t.ring.Now()
	what := record.Delivered
	q := p.out.what[:p.out.n]
	for i := 0; i < len(q); {
		if i == sent {
			what = record.Dropped
		}
		f := q[i].frame
		t.hold(f)
		v := p.view(f)
		// The pieces of one frame share an entry as long as they share its fate.
		n := 1
		for i+n < len(q) && i+n != sent && q[i+n].frame == f && q[i+n].piece == q[i].piece+int32(n) {
			n++
		}
		if q[i].wires < f.wires {
			v.First, v.N = uint16(q[i].piece), uint16(n)
		}
		t.ring.Fate(f.taken.ref, t.at, p.tape, what, v)
		i += n
	}
}

// hold sees to it that f is in the recording: it may have been altered on its
// way, or so long under way that it is there no more.
func (t *tape) hold(f *frame) {
	if !t.ring.Holds(f.taken.ref) {
		f.taken = taken{ref: t.ring.Keep(t.at, f.in.tape, f.hdr, f.data)}
	}
}

// part is where the piece number i of f, or the whole, is recorded when it goes
// into w.
func (k taken) part(w *way, f *frame, i int, whole bool) taken {
	if w.dir == ToGuest {
		k.as = w.port.view(f)
	}
	if !whole {
		k.as.First, k.as.N = uint16(i), 1
	}
	return k
}

// view is how p sees f.
func (p *port) view(f *frame) record.View {
	v := f.taken.as
	if f.vlan != 0 {
		v.Tag, v.ID = moves[f.tagging(p.tagged(f))], f.vlan
	}
	return v
}

var fates = [...]record.Fate{
	delivered: record.Delivered, dropped: record.Dropped, lost: record.Lost, cut: record.Cut,
	stormed: record.Stormed, filtered: record.Filtered,
}

var moves = [...]record.Tag{
	keepTag: record.KeepTag, pushTag: record.PushTag, popTag: record.PopTag, replaceTag: record.ReplaceTag,
}
