package record_test

import (
	"bytes"
	"testing"

	"github.com/patchbay/patchbay/vnet/record"
)

// Whatever its length and wherever it goes, a frame is copied whole, and what
// lies around it stays.
func TestPut(t *testing.T) {
	const room, fill = 70 << 10, 0xee
	src, dst := make([]byte, room), make([]byte, room+256)
	for i := range src {
		src[i] = byte(i*7 + i>>8)
	}
	lengths := []int{0, 1, 14, 63, 64, 1514, 8191, 8192, 8193, 9014, 65535, 65557}
	for n := 8255; n < 8330; n++ {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		for off := range 65 {
			for i := range dst {
				dst[i] = fill
			}
			frame := src[off : off+n]
			record.Put(dst[off:], frame)
			if !bytes.Equal(dst[off:off+n], frame) {
				t.Fatalf("%d bytes at %d were not copied as they are", n, off)
			}
			if bytes.Count(dst[:off], []byte{fill}) != off || bytes.Count(dst[off+n:], []byte{fill}) != len(dst)-off-n {
				t.Fatalf("%d bytes at %d: what lies around them was changed", n, off)
			}
		}
	}
}
