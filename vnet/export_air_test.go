package vnet

import (
	"fmt"
	"log/slog"
	"testing"
	"time"
	"unsafe"

	"github.com/patchbay/patchbay/vnet/impair"
	"golang.org/x/sys/unix"
)

// ChunkSize is what a direction takes of the depot at a time.
const ChunkSize = chunkSize

// Depot is the memory of delayed frames, with some directions that use it.
type Depot struct {
	d       depot
	shelves []shelf
}

func NewDepot(t testing.TB, size, shelves int) *Depot {
	d := &Depot{shelves: make([]shelf, shelves)}
	if err := d.d.open(size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.d.close)
	return d
}

func (d *Depot) Put(shelf, n int) (int, bool) { return d.d.put(&d.shelves[shelf], n) }
func (d *Depot) Drop(off int)                 { d.d.drop(off) }
func (d *Depot) InUse() int                   { return d.d.inUse() }
func (d *Depot) Trim()                        { d.d.trim() }
func (d *Depot) Byte(off int, b byte)         { d.d.mem[off] = b }

// Resident is how many bytes of the depot are in memory.
func (d *Depot) Resident() int { return resident(d.d.mem) }

func resident(mem []byte) (bytes int) {
	const page = 4096
	in := make([]byte, (len(mem)+page-1)/page)
	if _, _, err := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&mem[0])), uintptr(len(mem)), uintptr(unsafe.Pointer(&in[0]))); err != 0 {
		panic(err)
	}
	for _, b := range in {
		bytes += int(b&1) * page
	}
	return bytes
}

// Flights are frames that are under way.
type Flights struct{ f flights }

func NewFlights() *Flights { return &Flights{} }

func (f *Flights) Push(at, seq int64) { f.f.push(flight{at: at, seq: uint64(seq)}) }
func (f *Flights) Len() int           { return len(f.f) }

func (f *Flights) Pop() (at, seq int64) {
	g := f.f.pop()
	return g.at, int64(g.seq)
}

func (f *Flights) Remove(unwanted func(at, seq int64) bool) {
	f.f.remove(func(g *flight) bool { return unwanted(g.at, int64(g.seq)) })
}

// Air is a hand-turned switch whose cables have a clock that a test sets. Its
// ports are called p0, p1 and so on, its segment s.
type Air struct {
	*Manual
	now int64
}

// Air opens what impairment needs, with so much memory for delayed frames.
func (m *Manual) Air(memory int, seed uint64) (*Air, error) {
	a := &Air{Manual: m, now: 1}
	m.l.seed = seed
	m.l.log = slog.New(slog.DiscardHandler)
	m.l.air.size = memory
	m.l.air.clock = func() int64 { return a.now }
	m.seg.Name = "s"
	for i, p := range m.ports {
		p.name = fmt.Sprint("p", i)
	}
	return a, m.l.air.open()
}

// Advance lets time pass and turns the loop until nothing is due.
func (a *Air) Advance(d time.Duration) error {
	a.now += int64(d)
	for {
		if err := a.Round(); err != nil {
			return err
		}
		if !a.l.due() {
			return nil
		}
	}
}

func (a *Air) Impair(port int, d Direction, c impair.Config) {
	a.l.air.now = a.now
	a.l.impair(a.ports[port], d, c)
}

func (a *Air) Impairment(port int, d Direction) impair.Config {
	return a.l.way(a.ports[port], d.ways()[0]).pipe.Config()
}

// Perfect says that nothing is in the way of a direction's frames.
func (a *Air) Perfect(port int, d Direction) bool {
	p := a.ports[port]
	if d == FromGuest {
		return p.from == nil
	}
	return p.to == nil
}

func (a *Air) SetPlugged(port int, in bool) { a.l.setPlugged(a.ports[port], in) }
func (a *Air) Plugged(port int) bool        { return a.ports[port].plugged.Load() }
func (a *Air) Remove(port int)              { a.l.removePort(a.ports[port]) }
func (a *Air) InUse() int                   { return a.l.air.inUse() }
func (a *Air) UnderWay() int                { return len(a.l.air.flights) }
func (a *Air) Resident() int                { return resident(a.l.air.mem) }

// Script begins one; its errors are Switch.Script's.
func (a *Air) Script(events ...Event) error {
	s := &Switch{l: a.l, ports: a.ports, segments: []*segment{a.seg}}
	all, err := s.read(events)
	if err == nil {
		a.l.perform(all)
	}
	return err
}

func (a *Air) Events() (all []EventState) {
	for _, e := range a.l.script.events {
		all = append(all, e.EventState)
	}
	return all
}

// Real gives the switch a clock that goes by itself.
func (a *Air) Real() error {
	a.l.air.clock = newClock()
	return a.l.air.timer.follow(a.l.air.clock)
}

// Ringing says that the timer would wake the loop at once.
func (a *Air) Ringing() bool {
	p := []unix.PollFd{{Fd: int32(a.l.air.timer.fd), Events: unix.POLLIN}}
	n, _ := unix.Poll(p, 0)
	return n > 0
}

// Wait turns the loop once, after waiting until there is something to do.
func (a *Air) Wait(limit time.Duration) error { return a.l.round(int(limit.Milliseconds())) }
