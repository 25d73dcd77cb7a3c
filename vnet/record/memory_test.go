//go:build !race

package record_test

import (
	"testing"

	"github.com/patchbay/patchbay/vnet/record"
)

// Memory is touched as frames come, and the spare chunks not at all unless
// readers are slow.
func TestMemoryIsTouchedAsItIsUsed(t *testing.T) {
	r := newRing(t, 0)
	a := r.Port("a", "")
	if n := r.Resident(); n > 64<<10 {
		t.Errorf("an empty ring has touched %d bytes", n)
	}
	for i := range uint64(100) {
		r.Frame(1, a, plain, numbered(i, 1000))
	}
	if n := r.Resident(); n < 100000 || n > 256<<10 {
		t.Errorf("a ring with 100 KB of frames has touched %d bytes", n)
	}
	for i := range uint64(5 * record.DefaultSize / 1000) {
		r.Frame(1, a, plain, numbered(i, 1000))
	}
	if n := r.Resident(); n > record.DefaultSize {
		t.Errorf("a full ring has touched %d bytes of %d", n, record.DefaultSize)
	}
}
