package vnet

import (
	"encoding/binary"

	"github.com/patchbay/patchbay/vnet/offload"
)

// Sizes of a frame on a wire, in bytes, as it passes a socket: no preamble, no
// checksum.
const (
	MinFrame = 14              // an Ethernet header
	MaxFrame = MaxMTU + 14 + 8 // a header and two VLAN tags more
)

// Limits of a segment's MTU, in bytes.
const (
	MinMTU     = 68 // IPv4 allows no less
	MaxMTU     = 9000
	DefaultMTU = 1500
)

// A frame is what a guest sent, on its way through the switch. Those that came
// in a record have their place beside it in the receive ring and are valid until
// the next flush; a copy that is to come later must be given memory of its own.
type frame struct {
	in   *port
	raw  []byte         // the record: header and frame when in has offloads, else the frame alone
	data []byte         // the frame
	hdr  offload.Header // what is left to do for it to be what a wire carries

	wires int32 // frames that a wire would carry for it
	head  int32 // bytes of headers that each of these has, when there are several

	tag  uint16 // the VLAN tag it carries in front, all 16 bits, when tagged
	vlan uint16 // the VLAN it is in, 0 on a segment without VLANs

	tagged bool // it carries a tag in front; told only on a segment with VLANs

	taken taken // where it is recorded

	forms [4]form
}

// bytes is what a wire would carry for f.
func (f *frame) bytes() uint64 { return uint64(len(f.data)) + uint64(f.wires-1)*uint64(f.head) }

// receive takes the record in a slot of the ring, which in's guest sent.
func (l *loop) receive(in *port, slot int) {
	f := &l.frames[slot]
	rec, truncated := l.rx.record(slot)
	f.in, f.raw, f.data = in, rec, rec
	f.hdr, f.wires, f.head = offload.Header{}, 1, 0
	f.vlan, f.tagged = 0, false
	if in.offload {
		if len(rec) < offload.Size+MinFrame {
			in.n.runts.Add(1)
			return
		}
		f.hdr, _ = offload.Parse(rec) // long enough
		f.data = rec[offload.Size:]
	}
	limit := MaxFrame
	if in.segment != nil {
		limit = in.segment.limit
	}
	switch {
	case len(f.data) < MinFrame:
		in.n.runts.Add(1)
		return
	case truncated:
		in.n.giants.Add(1)
		return
	case !in.offload || f.hdr == offload.Header{}:
	case f.hdr.Check(f.data) != nil:
		in.n.malformed.Add(1)
		return
	case f.hdr.GSO():
		n, head := f.hdr.Pieces(f.data)
		f.wires, f.head = int32(n), int32(head)
	}
	longest := len(f.data)
	if f.wires > 1 {
		longest = int(f.head) + int(f.hdr.GSOSize)
	}
	if longest > limit && longest > limit+4*tags(f.data) {
		in.n.giants.Add(uint64(f.wires))
		return
	}
	l.entered(f)
	if in.from != nil && in.segment != nil && in.plugged.Load() {
		l.travel(in.from, f)
		return
	}
	l.enter(f)
}

// tags counts the VLAN tags in front of a frame, up to two.
func tags(b []byte) (n int) {
	for n < 2 && len(b) >= 18+4*n && isTag(b[12+4*n:]) {
		n++
	}
	return n
}

func isTag(b []byte) bool {
	kind := binary.BigEndian.Uint16(b)
	return kind == 0x8100 || kind == 0x88a8
}
