package vnet

import (
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	// chunkSize is what an impaired direction takes of the depot at a time: 40
	// full frames, 6 of the largest.
	chunkSize = 64 << 10
	// frameCost is added to the size of every frame that waits, so that small
	// ones, which cost as much to keep track of, count for what they cost.
	frameCost = 64
	// depotStock is how many chunks stay in memory when none is in use: 1 MiB.
	depotStock = 16
)

// depot is the bounded memory of frames that are under way. Frames that enter
// one direction of a cable leave it in nearly the same order, so each direction
// fills chunks of its own from one end, and a chunk is free when its last frame
// has left. The addresses are mapped once; pages are touched as they are used.
type depot struct {
	mem   []byte
	users []*shelf // by chunk, nil for a free one
	live  []int32  // by chunk: frames in it
	free  []int32  // chunks, the next one last
	peak  int      // most chunks in use since the last trim
}

// shelf is what one direction has of the depot. The zero value has nothing.
type shelf struct {
	chunks int   // in use
	chunk  int32 // the one that is being filled, while filled > 0
	filled int
}

// open maps the depot, unless it is mapped.
func (a *depot) open(size int) error {
	if a.mem != nil {
		return nil
	}
	n := max(size/chunkSize, 1)
	mem, err := unix.Mmap(-1, 0, n*chunkSize, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return fmt.Errorf("mapping memory for delayed frames: %w", err)
	}
	a.mem = mem
	a.users = make([]*shelf, n)
	a.live = make([]int32, n)
	a.free = make([]int32, n)
	a.refill()
	return nil
}

// refill makes all chunks free, the first ones next.
func (a *depot) refill() {
	for i := range a.free {
		a.free[i] = int32(len(a.free) - 1 - i)
	}
}

func (a *depot) close() {
	if a.mem != nil {
		unix.Munmap(a.mem)
		*a = depot{}
	}
}

// put finds room for a frame of n bytes, at most MaxFrame. It returns where in
// mem that is, or false.
//
// A direction gets another chunk only while it has fewer than twice as many as
// are free. So one alone can fill two thirds of the depot, and however many are
// greedy, there is room for those who are not.
func (a *depot) put(s *shelf, n int) (off int, ok bool) {
	cost := (n + frameCost + 63) &^ 63
	if s.filled == 0 || s.filled+cost > chunkSize {
		if s.chunks >= 2*len(a.free) {
			return 0, false
		}
		c := a.free[len(a.free)-1]
		a.free = a.free[:len(a.free)-1]
		a.peak = max(a.peak, len(a.live)-len(a.free))
		a.users[c] = s
		s.chunk, s.filled = c, 0
		s.chunks++
	}
	off = int(s.chunk)*chunkSize + s.filled
	s.filled += cost
	a.live[s.chunk]++
	return off, true
}

// drop gives back the room of the frame at off.
func (a *depot) drop(off int) {
	c := int32(off / chunkSize)
	if a.live[c]--; a.live[c] > 0 {
		return
	}
	s := a.users[c]
	if s.filled > 0 && s.chunk == c {
		s.filled = 0
	}
	s.chunks--
	a.users[c] = nil
	a.free = append(a.free, c) // within its first capacity
}

// swollen says that more memory may be touched than is worth keeping.
func (a *depot) swollen() bool { return a.peak > depotStock }

// trim gives memory back to the system. It does nothing while frames are in
// the depot.
func (a *depot) trim() {
	if len(a.free) < len(a.live) {
		return
	}
	a.refill()
	a.peak = 0
	unix.Madvise(a.mem[min(depotStock*chunkSize, len(a.mem)):], unix.MADV_DONTNEED)
}

// inUse is how many bytes of the depot frames hold.
func (a *depot) inUse() int {
	return (len(a.live) - len(a.free)) * chunkSize
}
