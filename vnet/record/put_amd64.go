//go:build amd64 && !race

package record

import "unsafe"

// putAround is from how many bytes on put writes around the caches.
const putAround = 8 << 10

// put copies a frame to dst, which has room for it. A super-frame is written
// around the caches: the ring is far larger than what they have to spare, so a
// plain copy would fetch each line of old frames from memory only to overwrite
// it, and drive out what the switch and the guests work on. Of the time that a
// super-frame costs that is more than half. Short frames come in bits of lines,
// for which it does not pay.
func put(dst, src []byte) {
	if len(src) < putAround {
		copy(dst, src)
		return
	}
	putLong(dst, src)
}

func putLong(dst, src []byte) {
	_ = dst[len(src)-1]
	head := int(-uintptr(unsafe.Pointer(unsafe.SliceData(dst))) & 63) // up to a line's begin
	copy(dst[:head], src)
	lines := (len(src) - head) &^ 63
	putLines(&dst[head], &src[head], lines)
	copy(dst[head+lines:], src[head+lines:])
}

// putLines copies n bytes, a positive multiple of 64, to dst, a multiple of 64. When it
// returns they are in order with what is stored afterwards.
//
//go:noescape
func putLines(dst, src *byte, n int)
