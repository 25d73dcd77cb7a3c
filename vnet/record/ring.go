package record

import (
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed is returned by what would read a Ring that has been closed.
var ErrClosed = errors.New("the recording is closed")

const (
	// DefaultSize holds about 10000 full frames: some 15 s of a busy lab, a
	// quarter of a second of TCP as fast as it goes.
	DefaultSize = 16 << 20
	// minSize is eight chunks of the least size that holds any frame.
	minSize = 8 << minShift
	// minShift makes a chunk of 128 KiB, twice the longest frame.
	minShift = 17
	// spares are how many chunks may be held by readers beyond the ring's size.
	spares = 3
	// maxPorts is how many ports one Ring can tell apart.
	maxPorts = 1 << 16
)

// Options of a Ring. The zero value is good.
type Options struct {
	// Size is how many bytes of frames it keeps, in bytes; 0 means 16 MiB, at
	// least 1 MiB. It is address space: pages are touched when frames come. Three
	// sixteenths more are touched only while slow readers hold on to old frames.
	Size int
}

// Ring keeps the last frames of a switch. One goroutine writes: Frame, Fate,
// Keep, Holds and Publish. All other methods may be called from anywhere, at any
// time.
type Ring struct {
	start  time.Time // the zero of its clock
	shift  int       // a chunk has 1<<shift bytes
	memory memory
	chunks []chunk
	index  []atomic.Int32 // by serial, modulo its length: which chunk

	newest atomic.Uint64 // serial of the chunk being written; 0 before the first
	oldest atomic.Uint64 // serial of the oldest chunk that can be found
	bell   atomic.Pointer[bell]

	closed atomic.Bool
	done   chan struct{} // closed by Close

	w writer

	mu    sync.Mutex // serialises changes of ports, and Close
	ports atomic.Pointer[[]Port]
}

// Port is one end of a cable: where frames enter the switch and leave it.
type Port struct {
	Name    string // such as "pc1/eth0"
	Segment string
}

// chunk is a part of the memory that is written from begin to end and then
// made anew as a whole.
type chunk struct {
	// pins counts the readers that hold it. The writer makes it anew only
	// after it has taken it from 0 to -1.
	pins   atomic.Int32
	filled atomic.Uint32 // bytes that readers may look at

	// Written while pins is -1.
	serial uint64 // counts from 1; 0: never used
	first  uint64 // number of its first entry
	began  int64  // time of its first entry

	buf []byte
}

// New returns an empty Ring. Whoever calls it must call Close, after the switch
// that writes to it has been closed.
func New(o Options) (*Ring, error) {
	if o.Size <= 0 {
		o.Size = DefaultSize
	}
	o.Size = max(o.Size, minSize)
	// A sixteenth of it is lost at a time; more and the end of each chunk,
	// where the next frame finds no room, wastes too much.
	shift := max(minShift, bits.Len(uint(o.Size/16))-1)
	n := o.Size >> shift
	r := &Ring{
		start:  time.Now(),
		shift:  shift,
		chunks: make([]chunk, n+spares),
		index:  make([]atomic.Int32, n+spares),
		done:   make(chan struct{}),
	}
	buf, err := r.memory.get(len(r.chunks) << shift)
	if err != nil {
		return nil, fmt.Errorf("getting memory for %d MiB of frames: %w", o.Size>>20, err)
	}
	for i := range r.chunks {
		r.chunks[i].buf = buf[i<<shift : (i+1)<<shift : (i+1)<<shift]
		r.chunks[i].pins.Store(-1)
	}
	r.oldest.Store(1)
	r.ports.Store(&[]Port{})
	r.w.live = n
	r.w.parked = make([]int32, 0, spares+1)
	for i := range spares {
		r.w.parked = append(r.w.parked, int32(n+i))
	}
	return r, nil
}

// Close ends all that reads the Ring, and gives its memory back. What read it
// may still return what it had read before.
func (r *Ring) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed.Swap(true) {
		return nil
	}
	close(r.done)
	for i := range r.chunks {
		// A reader holds a chunk only while it copies from it.
		for c := &r.chunks[i]; c.pins.Load() >= 0 && !c.pins.CompareAndSwap(0, -1); {
			runtime.Gosched()
		}
	}
	if err := r.memory.release(); err != nil {
		return fmt.Errorf("giving the recording's memory back: %w", err)
	}
	return nil
}

// Port returns the number by which the writer names a port of this name on this
// segment. It is for when a port is added, not for the frame path. It is -1,
// which Frame and Fate take for "not recorded", when there are 65536 already.
func (r *Ring) Port(name, segment string) int32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := Port{Name: name, Segment: segment}
	old := *r.ports.Load()
	if i := slices.Index(old, p); i >= 0 {
		return int32(i)
	}
	if len(old) == maxPorts {
		return -1
	}
	// Readers go on with the slice that they have, whose part they see stays.
	all := append(old, p)
	r.ports.Store(&all)
	return int32(len(old))
}

// Ports returns every port that there has been, in order of appearance.
func (r *Ring) Ports() []Port { return slices.Clone(*r.ports.Load()) }

func (r *Ring) port(id uint16) Port { return (*r.ports.Load())[id] }

// Now is the time by the Ring's clock, in nanoseconds, as Frame and Fate want
// it. The clock is monotonic: a step of the wall clock does not move it.
func (r *Ring) Now() int64 { return int64(time.Since(r.start)) }

// Time is the time of day at a time by the Ring's clock. Times from one Ring
// are in order even when the wall clock was set meanwhile.
func (r *Ring) Time(at int64) time.Time { return r.start.Add(time.Duration(at)) }

// at is a time by the Ring's clock. A time that has a monotonic reading, such
// as time.Now().Add(-time.Minute), means that instant whatever was done to the
// wall clock; one without, such as that of a recorded frame that went through a
// browser, means the time that Frame.Time shows.
func (r *Ring) at(t time.Time) int64 { return int64(t.Sub(r.start)) }

// pin holds a chunk so that it is not made anew. It is nil when that has
// happened.
func (r *Ring) pin(serial uint64) *chunk {
	c := &r.chunks[r.index[serial%uint64(len(r.index))].Load()]
	for {
		n := c.pins.Load()
		if n < 0 {
			return nil
		}
		if c.pins.CompareAndSwap(n, n+1) {
			break
		}
	}
	if c.serial != serial {
		c.unpin()
		return nil
	}
	return c
}

func (c *chunk) unpin() { c.pins.Add(-1) }

// A bell wakes those who wait for frames. Whoever waits hangs one up; the
// writer takes it down when it has something.
type bell struct{ c chan struct{} }

// wakeUp returns what is closed when more has been published after the call.
func (r *Ring) wakeUp() <-chan struct{} {
	for {
		if b := r.bell.Load(); b != nil {
			return b.c
		}
		r.bell.CompareAndSwap(nil, &bell{c: make(chan struct{})})
	}
}
