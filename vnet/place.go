package vnet

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	placePeriod = int64(100 * time.Millisecond) // between two looks
	// placeLeast is how many bytes guests take within a period for it to matter
	// where the loop runs: 160 Mbit/s.
	placeLeast = 2 << 20
)

// place keeps the loop's thread off the CPU whose guests take most of what is
// sent. Taking a stream costs a guest more than sending it, so the receiver's CPU
// is the one that has nothing to spare: on two CPUs, TCP between two guests came
// to 4.4 to 6.4 Gbit/s where the host chose, 5.9 to 6.5 like this, in runs that
// took turns. All other CPUs are left to the host's choice. A nil *place does
// nothing.
type place struct {
	allowed unix.CPUSet
	taken   []uint64 // bytes by CPU since the last look
	next    int64    // when to look again
	off     int      // the CPU that is kept off, -1 for none
	set     func(*unix.CPUSet) error
}

// newPlace is for the thread that calls it. It returns nil where there is no
// choice.
func newPlace() *place {
	pl := &place{off: -1, set: func(s *unix.CPUSet) error { return unix.SchedSetaffinity(0, s) }}
	if err := unix.SchedGetaffinity(0, &pl.allowed); err != nil || pl.allowed.Count() < 2 {
		return nil
	}
	return pl
}

// took notes that p's guest was sent so many bytes.
func (pl *place) took(p *port, bytes uint64) {
	if pl == nil || !p.pinned {
		return
	}
	for p.cpu >= len(pl.taken) {
		pl.taken = append(pl.taken, 0) // once for each CPU
	}
	pl.taken[p.cpu] += bytes
}

// look moves the thread if that is due.
func (pl *place) look(now int64) {
	if pl == nil || now < pl.next {
		return
	}
	pl.next = now + placePeriod
	var all, most uint64
	off := -1
	for cpu, n := range pl.taken {
		all += n
		if n > most {
			most, off = n, cpu
		}
		pl.taken[cpu] = 0
	}
	// Little traffic, streams both ways, a CPU that is not ours.
	if all < placeLeast || most < all/3*2 || !pl.allowed.IsSet(off) {
		off = -1
	}
	if off == pl.off {
		return
	}
	set := pl.allowed
	if off >= 0 {
		set.Clear(off)
	}
	if pl.set(&set) == nil { // refused: the host has its own ideas, and that is all right
		pl.off = off
	}
}
