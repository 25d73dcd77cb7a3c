package rack_test

import (
	"bytes"
	"testing"
	"testing/quick"

	"github.com/patchbay/patchbay/labs/rack"
)

// TestRingKeepsTheEnd compares the ring with the plainest thing that does the
// same, under any sequence of writes.
func TestRingKeepsTheEnd(t *testing.T) {
	for _, limit := range []int{16, 4 << 10, 16 << 10} {
		same := func(sizes []uint16) bool {
			r, all, next := rack.NewRing(limit), []byte(nil), byte(0)
			for _, size := range sizes {
				p := make([]byte, int(size)%(2*limit+1))
				for i := range p {
					p[i], next = next, next+1
				}
				r.Write(p)
				all = append(all, p...)
				kept := int(r.Head() - r.Tail())
				got := make([]byte, kept+10)
				n := r.Read(r.Tail(), got)
				if r.Head() != int64(len(all)) || n != kept || r.Size() > limit ||
					kept < min(len(all), limit) || !bytes.Equal(got[:n], all[len(all)-kept:]) {
					return false
				}
				if mid := r.Tail() + int64(kept/2); r.Read(mid, got) != int(r.Head()-mid) ||
					!bytes.Equal(got[:r.Head()-mid], all[mid:]) {
					return false
				}
			}
			return true
		}
		if err := quick.Check(same, &quick.Config{MaxCount: 200}); err != nil {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}

func TestRingGrowsWithUse(t *testing.T) {
	var r rack.Ring
	r.Write([]byte("a prompt"))
	if r.Size() > 4<<10 {
		t.Errorf("a ring with a prompt in it takes %d bytes", r.Size())
	}
	for range 2 * rack.RingSize / 1000 {
		r.Write(make([]byte, 1000))
	}
	if r.Size() != rack.RingSize {
		t.Errorf("a full ring takes %d bytes, not %d", r.Size(), rack.RingSize)
	}
	r.Clear()
	if r.Head() != 0 || r.Size() != 0 {
		t.Errorf("a cleared ring: head %d, %d bytes", r.Head(), r.Size())
	}
}

func TestRingLines(t *testing.T) {
	r := rack.NewRing(16)
	r.Write([]byte("0123\n5678\nabcdefgh")) // keeps from 2 on
	for _, tt := range []struct{ from, want int64 }{{2, 5}, {5, 10}, {11, 11}} {
		if got := r.LineAfter(tt.from); got != tt.want {
			t.Errorf("line after %d: %d, want %d", tt.from, got, tt.want)
		}
	}
	if got := string(r.Last(4)); got != "efgh" {
		t.Errorf("last 4: %q", got)
	}
	if got := string(r.Last(100)); got != "23\n5678\nabcdefgh" {
		t.Errorf("last 100: %q", got)
	}
}
