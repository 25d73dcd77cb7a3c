// Package offload does in software what a network card does for a Linux
// guest: it completes checksums and cuts TCP super-frames into the frames that
// a wire would carry.
//
// A guest whose kernel leaves that work to its card puts a struct
// virtio_net_hdr before each frame: where a checksum is still to be put, and
// into what pieces the frame is to be cut. A guest may write anything there, so
// a header is worth nothing until Check has seen it together with its frame.
package offload

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Size is the length of a header, in bytes.
const Size = 10

// Flags of a header.
const (
	NeedsCsum uint8 = 1 // the checksum at CsumStart+CsumOffset is to be completed
	DataValid uint8 = 2 // the checksums were verified, or need no look
)

// Types of segmentation. ECN may be added to the TCP ones.
const (
	GSONone  uint8 = 0
	GSOTCPv4 uint8 = 1
	GSOTCPv6 uint8 = 4
	GSOUDP   uint8 = 5 // datagrams of one flow, each with a UDP header of its own
	GSOECN   uint8 = 0x80
)

// Limits of what Check passes.
const (
	// MaxHead is how long the headers before the payload of a frame that is
	// to be cut may be, in bytes. Ethernet, two tags, IPv6 and TCP take 122 and
	// leave room for a routing header of eight addresses.
	MaxHead = 256
	// MaxSegments is how many frames may come of one. Linux makes at most 64 KiB
	// of pieces of no less than 48 bytes, 1366 of them; a guest that asks for
	// pieces of one byte wants the switch to work for it.
	MaxSegments = 2048
)

// Header is a struct virtio_net_hdr. The zero Header asks for nothing.
type Header struct {
	Flags      uint8
	GSOType    uint8
	HdrLen     uint16 // a hint; not used here
	GSOSize    uint16 // payload of each piece, in bytes
	CsumStart  uint16 // where the checksummed part begins, from the start of the frame
	CsumOffset uint16 // where in it the checksum goes
}

var errShort = errors.New("shorter than a header")

// Parse reads the header at the start of b.
func Parse(b []byte) (Header, error) {
	if len(b) < Size {
		return Header{}, errShort
	}
	_ = b[Size-1]
	return Header{
		Flags:      b[0],
		GSOType:    b[1],
		HdrLen:     binary.LittleEndian.Uint16(b[2:]),
		GSOSize:    binary.LittleEndian.Uint16(b[4:]),
		CsumStart:  binary.LittleEndian.Uint16(b[6:]),
		CsumOffset: binary.LittleEndian.Uint16(b[8:]),
	}, nil
}

// Put writes the header to the first Size bytes of b.
func (h Header) Put(b []byte) {
	_ = b[Size-1]
	b[0], b[1] = h.Flags, h.GSOType
	binary.LittleEndian.PutUint16(b[2:], h.HdrLen)
	binary.LittleEndian.PutUint16(b[4:], h.GSOSize)
	binary.LittleEndian.PutUint16(b[6:], h.CsumStart)
	binary.LittleEndian.PutUint16(b[8:], h.CsumOffset)
}

// Plain says that a frame with this header is what a wire would carry.
func (h Header) Plain() bool { return h.Flags&NeedsCsum == 0 && h.GSOType == GSONone }

// GSO says that a frame with this header may be more than one on a wire.
func (h Header) GSO() bool { return h.GSOType != GSONone }

// Pieces returns how many frames a wire would carry for frame, and how many
// bytes of headers each of them has. The header must ask for segmentation and
// have passed Check.
func (h Header) Pieces(frame []byte) (n, head int) {
	l, err := h.layout(frame)
	if err != nil {
		return 1, len(frame)
	}
	size := int(h.GSOSize)
	return max((len(frame)-l.payload+size-1)/size, 1), l.payload
}

// Shift returns the header for the frame with n bytes more (or, below zero,
// fewer) between its addresses and its type: a VLAN tag pushed or popped. The
// header must have passed Check, and what is taken away must have been there.
func (h Header) Shift(n int) Header {
	if h.Flags&NeedsCsum != 0 {
		h.CsumStart = uint16(int(h.CsumStart) + n)
	}
	if h.HdrLen != 0 {
		h.HdrLen = uint16(max(int(h.HdrLen)+n, 0))
	}
	return h
}

var (
	errFlags   = errors.New("unknown flags")
	errCsum    = errors.New("the checksum lies outside the frame")
	errNoCsum  = errors.New("segmentation without a checksum to complete")
	errSize    = errors.New("segments of no size")
	errMany    = errors.New("too many segments")
	errLayout  = errors.New("the frame is not what the segmentation type says")
	errHeading = errors.New("the frame's headers are too long")
)

// Check says whether frame can be completed and cut as h asks. The error names
// what is wrong; no byte of the frame but its headers is looked at.
func (h Header) Check(frame []byte) error {
	if h.Plain() && h.Flags&^DataValid == 0 {
		return nil
	}
	if h.Flags&^(NeedsCsum|DataValid) != 0 {
		return errFlags
	}
	if start := int(h.CsumStart); start < ethernet || start+int(h.CsumOffset)+2 > len(frame) {
		return errCsum
	}
	if !h.GSO() {
		return nil
	}
	_, err := h.layout(frame)
	return err
}

const ethernet = 14 // bytes of an Ethernet header

// layout is where the headers of a super-frame begin.
type layout struct {
	l3, l4  int
	payload int
	v6, udp bool
}

// layout finds and checks the headers of a frame that is to be cut.
func (h Header) layout(frame []byte) (l layout, err error) {
	switch h.GSOType &^ GSOECN {
	case GSOTCPv4:
	case GSOTCPv6:
		l.v6 = true
	case GSOUDP:
		l.udp = true
	default:
		return l, fmt.Errorf("unknown segmentation type %d", h.GSOType)
	}
	switch {
	case h.GSOType == GSOUDP|GSOECN:
		return l, errLayout
	case h.Flags&NeedsCsum == 0:
		return l, errNoCsum
	case h.GSOSize == 0:
		return l, errSize
	case len(frame) < ethernet:
		return l, errLayout
	}
	kind := uint16(0)
	for l.l3 = ethernet; ; l.l3 += 4 {
		if l.l3+20 > len(frame) { // the shorter of the two IP headers
			return l, errLayout
		}
		kind = binary.BigEndian.Uint16(frame[l.l3-2:])
		if kind != 0x8100 && kind != 0x88a8 && kind != 0x9100 {
			break
		}
	}
	if l.udp {
		l.v6 = kind == 0x86dd
	}
	l.l4 = int(h.CsumStart)
	proto := byte(6)
	if l.udp {
		proto = 17
	}
	ip := frame[l.l3:]
	switch {
	case l.v6:
		// Extension headers may lie between; only the first is looked at here.
		if kind != 0x86dd || ip[0]>>4 != 6 || l.l3+40 > l.l4 || (l.l3+40 == l.l4 && ip[6] != proto) {
			return l, errLayout
		}
	case kind != 0x0800 || ip[0]>>4 != 4 || ip[0]&15 < 5 || l.l3+int(ip[0]&15)*4 != l.l4 || ip[9] != proto:
		return l, errLayout
	}
	if l.udp {
		if h.CsumOffset != 6 || l.l4+8 > len(frame) {
			return l, errLayout
		}
		l.payload = l.l4 + 8
	} else {
		if h.CsumOffset != 16 || l.l4+20 > len(frame) || frame[l.l4+12]>>4 < 5 {
			return l, errLayout
		}
		l.payload = l.l4 + int(frame[l.l4+12]>>4)*4
	}
	switch {
	case l.payload > len(frame):
		return l, errLayout
	case l.payload > MaxHead:
		return l, errHeading
	case len(frame)-l.payload > int(h.GSOSize)*MaxSegments:
		return l, errMany
	}
	return l, nil
}
