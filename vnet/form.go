package vnet

import (
	"encoding/binary"

	"github.com/patchbay/patchbay/vnet/offload"
)

// A frame takes up to four forms, by what a port wants: with its VLAN's tag or
// without, and with an offload header or as a wire would carry it. Each is
// made once, for the first port that wants it, from the frame's own bytes and
// new headers in the arena.

// form is where a frame's pieces in one form lie in the arena, and whether
// they still do.
type form struct {
	gen      uint32
	first, n int32
}

// What a form does with the tag in front.
type tagging uint8

const (
	keepTag    tagging = iota // the frame is in the form wanted
	pushTag                   // it has none and is to get one
	popTag                    // it has one and is to lose it
	replaceTag                // it has another, of priority alone
)

var zeroHeader [offload.Size]byte

// form returns f's pieces, with its VLAN's tag in front or without, as a port
// with offloads takes it or one without. They are valid until the next flush.
func (l *loop) form(f *frame, tagged, super bool) []piece {
	at := &f.forms[index(tagged, super)]
	if at.gen != l.arena.gen {
		do := f.tagging(tagged)
		bytes, pieces := f.need(super)
		if !l.arena.room(bytes, pieces) {
			l.sendAll()
		}
		at.gen, at.first = l.arena.gen, int32(l.arena.cut)
		if super {
			l.arena.push(l.super(f, do))
		} else {
			l.plain(f, do)
		}
		at.n = int32(l.arena.cut) - at.first
	}
	return l.arena.pieces[at.first : at.first+at.n]
}

func index(tagged, super bool) (i int) {
	if tagged {
		i |= 1
	}
	if super {
		i |= 2
	}
	return i
}

// tagging says what is to be done with f's front.
func (f *frame) tagging(want bool) tagging {
	switch {
	case f.vlan == 0: // on a segment without VLANs, or in the VLAN of the ports without: as it is
		return keepTag
	case want && !f.tagged:
		return pushTag
	case want && f.tag&0xfff != f.vlan:
		return replaceTag
	case !want && f.tagged:
		return popTag
	}
	return keepTag
}

// need is how much of the arena a form of f may take.
func (f *frame) need(super bool) (bytes, pieces int) {
	n := int(f.wires)
	switch {
	case super:
		return spare + 18, 1
	case f.hdr.GSO():
		return n * (spare + int(f.head)), n
	case f.hdr.Plain():
		return spare + 18, 1
	}
	return spare + max(int(f.hdr.CsumStart)+int(f.hdr.CsumOffset)+2, 18), 1
}

// super makes f's only piece for a port with offloads.
func (l *loop) super(f *frame, do tagging) piece {
	switch {
	case do == keepTag && f.in.offload && len(f.raw) > len(f.data):
		return piece{head: f.raw}
	case do == keepTag && f.hdr == offload.Header{}:
		return piece{head: zeroHeader[:], tail: f.data}
	}
	n := 12
	if do != keepTag && f.tagged {
		n = 16
	}
	buf := l.arena.alloc(spare + n)
	copy(buf[spare:], f.data[:n])
	head := retag(buf, do, f)
	h := f.hdr.Shift(len(head) - n)
	off := len(buf) - len(head) - offload.Size
	h.Put(buf[off:])
	return piece{head: buf[off:], tail: f.data[n:]}
}

// plain makes f's pieces for a port without offloads.
func (l *loop) plain(f *frame, do tagging) {
	if f.hdr.GSO() {
		l.cutter.Start(f.hdr, f.data) // was checked
		for range f.wires {
			buf := l.arena.alloc(spare + int(f.head))
			payload, _ := l.cutter.Next(buf[spare:])
			l.arena.push(piece{head: retag(buf, do, f), tail: payload})
		}
		return
	}
	n := 0 // bytes to be written anew
	switch {
	case !f.hdr.Plain():
		n = int(f.hdr.CsumStart) + int(f.hdr.CsumOffset) + 2
	case do == keepTag:
		l.arena.push(piece{head: f.data})
		return
	}
	if do == pushTag {
		n = max(n, 12)
	} else if do != keepTag {
		n = max(n, 16)
	}
	buf := l.arena.alloc(spare + n)
	copy(buf[spare:], f.data[:n])
	if !f.hdr.Plain() {
		f.hdr.Sum(f.data, buf[spare:])
	}
	l.arena.push(piece{head: retag(buf, do, f), tail: f.data[n:]})
}

// retag does with the tag of the head at buf[spare:] what is to be done, and
// returns where the head now is. Something is spare before it.
func retag(buf []byte, do tagging, f *frame) []byte {
	head := buf[spare:]
	switch do {
	case pushTag:
		head = buf[spare-4:]
		copy(head, head[4:16])
		binary.BigEndian.PutUint16(head[12:], 0x8100)
		binary.BigEndian.PutUint16(head[14:], f.vlan)
	case popTag:
		copy(head[4:], head[:12])
		head = head[4:]
	case replaceTag:
		binary.BigEndian.PutUint16(head[14:], f.tag&0xf000|f.vlan)
	}
	return head
}
