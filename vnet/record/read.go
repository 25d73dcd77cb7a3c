package record

import (
	"context"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/patchbay/patchbay/vnet/filter"
)

// Direction is a frame's, seen from the guest.
type Direction uint8

// The directions. AnyDirection is for queries.
const (
	AnyDirection Direction = iota
	FromGuest
	ToGuest
)

// String is "from" or "to".
func (d Direction) String() string {
	switch d {
	case FromGuest:
		return "from"
	case ToGuest:
		return "to"
	}
	return "any"
}

// Frame is a frame as a wire carried it at one port. What one guest sends to
// another is recorded twice: from the one and to the other. What an offloading
// guest hands over in one piece is several Frames, with one Seq and one Time.
// One that was handed out already when it was lost on its way into the segment
// (a cable was pulled while it was under way) comes a second time, with its fate.
type Frame struct {
	Seq     uint64 // grows from Frame to Frame; of what one query does not ask for there are numbers too
	Time    time.Time
	Port    string
	Segment string
	Dir     Direction
	Fate    Fate
	Data    []byte // from the Ethernet header on, without checksum (FCS)
	Missed  uint64 // how many records were lost just before this one, because the reader was too slow
}

// Query says what is to be read. The zero Query is all that the Ring holds.
//
// Of one port everything is what a capture in the guest would have. Of several
// ports frames come twice, which Wireshark takes for retransmissions: Once is
// for that.
type Query struct {
	Ports     []string // by name; nil: all
	Segments  []string // nil: all
	Dir       Direction
	Delivered bool           // leave out what was lost, dropped, cut, filtered
	Once      bool           // a frame that entered at a port that is asked for is shown there and nowhere else
	Filter    *filter.Filter // nil: all
	From, To  time.Time      // from when to when; zero: from the oldest, to now
	Follow    bool           // wait for what comes, until To or, when that is zero, for ever
}

// Reader reads frames from a Ring in the order in which they were recorded. It
// never makes the writer wait. It has nothing to be closed, and is not to be
// used by several goroutines at once.
type Reader struct {
	r        *Ring
	q        Query
	from, to int64
	ports    []bool // by number: asked for; as long as the ports that are known

	begin  uint64 // the oldest chunk that there was when it came
	serial uint64 // the chunk to go on with
	off    int    // and where in it
	num    uint64 // number of the entry there
	fresh  bool   // nothing was read yet: num says nothing
	past   bool   // the time asked for is over

	endSerial uint64 // where a Reader that does not follow stops
	endOff    int

	missed, told uint64
	woken        time.Time

	items   []item         // found but not yet handed out
	raw     []byte         // their bytes
	large   map[uint64]int // where in raw a large frame is, by its ref
	wire    []byte         // the bytes of frames handed out that had to be made
	scratch []byte
	out     []Frame
}

// Reader returns a Reader for a Query.
func (r *Ring) Reader(q Query) *Reader {
	rd := &Reader{r: r, q: q, from: -1 << 62, to: 1<<62 - 1}
	if !q.From.IsZero() {
		rd.from = r.at(q.From)
	}
	if !q.To.IsZero() {
		rd.to = r.at(q.To)
	}
	rd.seek()
	return rd
}

// seek goes to the last chunk that began before the time asked for, and finds
// the end.
func (rd *Reader) seek() {
	r := rd.r
	oldest, newest := r.oldest.Load(), r.newest.Load()
	rd.begin, rd.serial, rd.endSerial = oldest, oldest, newest
	rd.fresh = newest > 0 // of an empty ring the first entry's number is known
	for s := newest; s >= oldest && s > 0; s-- {
		c := r.pin(s)
		if c == nil {
			continue
		}
		if s == newest {
			rd.endOff = int(c.filled.Load())
		}
		before := c.began < rd.from
		rd.serial, rd.num, rd.fresh = s, c.first, false
		c.unpin()
		if before {
			break
		}
	}
}

// Since is the time from which on the Ring has everything; ok is false when
// it has nothing.
func (r *Ring) Since() (t time.Time, ok bool) {
	for !r.closed.Load() && r.newest.Load() > 0 {
		if c := r.pin(r.oldest.Load()); c != nil {
			defer c.unpin()
			return r.Time(c.began), true
		}
	}
	return t, false
}

// Missed is how many records the Reader has lost so far, because the writer
// was faster.
func (rd *Reader) Missed() uint64 { return rd.missed }

// Batch returns the next frames, at least one, and waits for them when the
// Query follows. It is io.EOF that ends a Reader: nothing more was asked for,
// or the Ring was closed. The frames' bytes are valid until the next call.
func (rd *Reader) Batch(ctx context.Context) ([]Frame, error) {
	rd.out, rd.wire = rd.out[:0], rd.wire[:0]
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(rd.items) == 0 {
			// The bell is hung up first, so that nothing comes unnoticed between.
			var bell <-chan struct{}
			if rd.q.Follow {
				bell = rd.r.wakeUp()
			}
			late := rd.r.Now()-int64(time.Millisecond) > rd.to
			more, err := rd.fill()
			if err != nil {
				return nil, err
			}
			if len(rd.items) == 0 && !more {
				if !rd.q.Follow || rd.past || late {
					return nil, io.EOF
				}
				if err := rd.wait(ctx, bell); err != nil {
					return nil, err
				}
				continue
			}
		}
		if rd.hand(); len(rd.out) > 0 {
			return rd.out, nil
		}
	}
}

// gather is how long a Reader that was woken sleeps before it wants to be
// woken again. Waking takes the switch a few microseconds.
const gather = 2 * time.Millisecond

// wait waits for something to be published, and no longer than to the end of
// the Query.
func (rd *Reader) wait(ctx context.Context, bell <-chan struct{}) error {
	if rest := gather - time.Since(rd.woken); rest > 0 {
		t := time.NewTimer(rest)
		defer t.Stop()
		select {
		case <-t.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var end <-chan time.Time
	if !rd.q.To.IsZero() {
		t := time.NewTimer(time.Duration(rd.to-rd.r.Now()) + 2*time.Millisecond)
		defer t.Stop()
		end = t.C
	}
	select {
	case <-bell:
		rd.woken = time.Now()
	case <-end:
	case <-rd.r.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// Read returns the frames that a Query asks for. The bytes of each are valid
// until the next. An error, which is ctx's, is the last that it yields. What
// was asked for and lost shows in the next Frame's Missed.
func (r *Ring) Read(ctx context.Context, q Query) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		rd := r.Reader(q)
		for {
			frames, err := rd.Batch(ctx)
			switch {
			case err == io.EOF:
				return
			case err != nil:
				yield(Frame{}, err)
				return
			}
			for _, f := range frames {
				if !yield(f, nil) {
					return
				}
			}
		}
	}
}

// wants says whether a port is asked for.
func (rd *Reader) wants(port uint16) bool {
	if int(port) >= len(rd.ports) {
		for _, p := range (*rd.r.ports.Load())[len(rd.ports):] {
			rd.ports = append(rd.ports, rd.q.asks(p))
		}
	}
	return rd.ports[port]
}

func (q *Query) asks(p Port) bool {
	return (q.Ports == nil || slices.Contains(q.Ports, p.Name)) &&
		(q.Segments == nil || slices.Contains(q.Segments, p.Segment))
}
