package offload

import (
	"encoding/binary"
	"math/bits"
)

// add returns a plus the bytes b, as a sum of one's complement: 64 bits wide,
// of words in little-endian order, which is the machine's. An odd last byte
// counts as the first of a pair. What is added after it would be out of step.
func add(a uint64, b []byte) uint64 {
	var c uint64
	for len(b) >= 64 {
		w := b[:64]
		a, c = bits.Add64(a, binary.LittleEndian.Uint64(w), 0)
		a, c = bits.Add64(a, binary.LittleEndian.Uint64(w[8:]), c)
		a, c = bits.Add64(a, binary.LittleEndian.Uint64(w[16:]), c)
		a, c = bits.Add64(a, binary.LittleEndian.Uint64(w[24:]), c)
		a, c = bits.Add64(a, binary.LittleEndian.Uint64(w[32:]), c)
		a, c = bits.Add64(a, binary.LittleEndian.Uint64(w[40:]), c)
		a, c = bits.Add64(a, binary.LittleEndian.Uint64(w[48:]), c)
		a, c = bits.Add64(a, binary.LittleEndian.Uint64(w[56:]), c)
		a += c // cannot overflow: a carry leaves less than all ones
		b = b[64:]
	}
	for len(b) >= 8 {
		a, c = bits.Add64(a, binary.LittleEndian.Uint64(b), 0)
		a += c
		b = b[8:]
	}
	var last [8]byte
	copy(last[:], b)
	a, c = bits.Add64(a, binary.LittleEndian.Uint64(last[:]), 0)
	return a + c
}

// addUint16 returns a plus a number of 16 bits.
func addUint16(a uint64, v uint16) uint64 {
	a, c := bits.Add64(a, uint64(bits.ReverseBytes16(v)), 0)
	return a + c
}

// fold makes a checksum, not inverted, of a sum.
func fold(a uint64) uint16 {
	a = a>>32 + a&0xffffffff
	a = a>>32 + a&0xffffffff
	a = a>>16 + a&0xffff
	a = a>>16 + a&0xffff
	a = a>>16 + a&0xffff
	return bits.ReverseBytes16(uint16(a))
}

// finish inverts a sum into a checksum for a transport header, where zero
// would mean that there is none. Linux gives TCP the same treatment.
func finish(a uint64) uint16 {
	if s := ^fold(a); s != 0 {
		return s
	}
	return 0xffff
}

// Complete puts the checksum into frame that h asks for. The frame is then
// what a wire would carry, unless h also asks for it to be cut. The header must
// have passed Check.
func (h Header) Complete(frame []byte) { h.Sum(frame, frame) }

// Sum puts the checksum of frame that h asks for into a copy of it, which may
// end behind that checksum.
func (h Header) Sum(frame, dst []byte) {
	if h.Flags&NeedsCsum == 0 {
		return
	}
	at := int(h.CsumStart) + int(h.CsumOffset)
	binary.BigEndian.PutUint16(dst[at:at+2], finish(add(0, frame[h.CsumStart:])))
}
