package vnet

import "github.com/patchbay/patchbay/vnet/record"

// tape records what the loop does, if anything is to be recorded. The clock is
// read once for what came in one batch and once for what went out in one: a
// reading for each frame would cost as much as recording it.
type tape struct {
	ring *record.Ring // nil: nothing is recorded
	at   int64
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
	if t.ring != nil {
		f.ref = t.ring.Frame(t.at, f.in.tape, f.hdr, f.data)
	}
}

// fared records what became of a frame on a port.
func (t *tape) fared(f *frame, p *port, what fate) {
	if t.ring == nil {
		return
	}
	v := record.View{}
	if p != f.in {
		v = p.view(f)
	}
	t.ring.Fate(f.ref, t.at, p.tape, fates[what], v)
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
		v := p.view(f)
		// The pieces of one frame share an entry as long as they share its fate.
		n := 1
		for i+n < len(q) && i+n != sent && q[i+n].frame == f && q[i+n].piece == q[i].piece+int32(n) {
			n++
		}
		if q[i].wires < f.wires {
			v.First, v.N = uint16(q[i].piece), uint16(n)
		}
		t.ring.Fate(f.ref, t.at, p.tape, what, v)
		i += n
	}
}

var fates = [...]record.Fate{
	delivered: record.Delivered, dropped: record.Dropped, lost: record.Lost, cut: record.Cut,
	stormed: record.Stormed, filtered: record.Filtered,
}

// view is how p sees f.
func (p *port) view(f *frame) record.View {
	if f.vlan == 0 {
		return record.View{}
	}
	return record.View{Tag: moves[f.tagging(p.tagged(f))], ID: f.vlan}
}

var moves = [...]record.Tag{
	keepTag: record.KeepTag, pushTag: record.PushTag, popTag: record.PopTag, replaceTag: record.ReplaceTag,
}
