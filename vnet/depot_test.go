package vnet_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/patchbay/patchbay/vnet"
)

// Whatever comes and goes, no two frames share a byte, nothing is lost or kept.
func TestDepot(t *testing.T) {
	const size, shelves = 1 << 20, 5
	d := vnet.NewDepot(t, size, shelves)
	r := rand.New(rand.NewPCG(1, 2))
	type held struct{ shelf, off, size int }
	var all []held
	taken := make([]bool, size)
	drop := func(i int) {
		h := all[i]
		for j := h.off; j < h.off+h.size; j++ {
			taken[j] = false
		}
		d.Drop(h.off)
		all = slices.Delete(all, i, i+1)
	}
	refused := 0
	for range 20000 {
		if len(all) > 0 && r.IntN(5) < 2 {
			i := 0 // mostly the oldest goes first
			if r.IntN(4) == 0 {
				i = r.IntN(len(all))
			}
			drop(i)
			continue
		}
		h := held{shelf: r.IntN(shelves), size: 14 + r.IntN(vnet.MaxFrame-13)}
		if r.IntN(2) == 0 {
			h.size = 14 + r.IntN(100)
		}
		var ok bool
		if h.off, ok = d.Put(h.shelf, h.size); !ok {
			refused++
			for range min(len(all), 50) {
				drop(0)
			}
			continue
		}
		for j := h.off; j < h.off+h.size; j++ {
			if taken[j] {
				t.Fatalf("byte %d is given to two frames", j)
			}
			taken[j] = true
		}
		all = append(all, h)
	}
	if refused == 0 {
		t.Error("the depot was never full")
	}
	for len(all) > 0 {
		drop(0)
	}
	if n := d.InUse(); n != 0 {
		t.Errorf("%d bytes in use by nobody", n)
	}
}

// One direction alone gets two thirds of the depot, and what is left is there
// for others.
func TestDepotIsShared(t *testing.T) {
	const chunks = 30
	d := vnet.NewDepot(t, chunks*vnet.ChunkSize, 4)
	fill := func(shelf int) (n int) {
		for {
			before := d.InUse()
			if _, ok := d.Put(shelf, 1514); !ok {
				return n
			}
			n += d.InUse() - before
		}
	}
	for shelf, want := range []int{20, 7, 2, 1} {
		if n := fill(shelf) / vnet.ChunkSize; n != want {
			t.Errorf("greedy direction %d got %d of %d chunks; want %d", shelf, n, chunks, want)
		}
	}
}

// Memory that was in use once is given back.
func TestDepotTrim(t *testing.T) {
	d := vnet.NewDepot(t, 8<<20, 1)
	var offs []int
	for {
		off, ok := d.Put(0, 9000)
		if !ok {
			break
		}
		for i := range 9000 {
			d.Byte(off+i, 1)
		}
		offs = append(offs, off)
	}
	d.Trim() // frames are there: nothing happens
	full := d.Resident()
	for _, off := range offs {
		d.Drop(off)
	}
	d.Trim()
	if n := d.Resident(); full < 4<<20 || n > 1<<20 {
		t.Errorf("%d bytes in memory after Trim, %d before; want at most 1 MiB of more than 4", n, full)
	}
	for i := range offs {
		if _, ok := d.Put(0, 9000); !ok {
			t.Fatalf("after Trim no room for frame %d of %d", i, len(offs))
		}
	}
}

func TestFlights(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		f := vnet.NewFlights()
		type key struct{ at, seq int64 }
		var want []key
		n := r.IntN(300)
		for seq := range int64(n) {
			k := key{int64(r.IntN(50)), seq}
			f.Push(k.at, k.seq)
			want = append(want, k)
			if r.IntN(3) == 0 {
				slices.SortFunc(want, func(a, b key) int { return int((a.at-b.at)*1000 + a.seq - b.seq) })
				at, seq := f.Pop()
				if (key{at, seq}) != want[0] {
					t.Fatalf("Pop = %d, %d; want %v", at, seq, want[0])
				}
				want = want[1:]
			}
		}
		odd := func(k key) bool { return k.seq%2 == 1 }
		f.Remove(func(at, seq int64) bool { return odd(key{at, seq}) })
		want = slices.DeleteFunc(want, odd)
		slices.SortFunc(want, func(a, b key) int { return int((a.at-b.at)*1000 + a.seq - b.seq) })
		for _, w := range want {
			if at, seq := f.Pop(); (key{at, seq}) != w {
				t.Fatalf("Pop = %d, %d; want %v", at, seq, w)
			}
		}
		if f.Len() != 0 {
			t.Fatalf("%d flights left", f.Len())
		}
	}
}
