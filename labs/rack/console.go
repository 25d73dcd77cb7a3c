package rack

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/patchbay/patchbay/labs/rack/leak"
)

const (
	readChunk  = 4 << 10          // per read of a console; one page, as the guest writes
	idleRate   = 1 << 20          // bytes per second read while nobody looks
	maxChunk   = 16 << 10         // of output in one message, so that channels take turns
	maxTypists = 64               // sessions whose input position is remembered, per console
	maxQueue   = 4096             // pieces of input that wait; a piece costs some 100 bytes beside its own
	pasteChunk = 4 << 10          // of input in one write
	resyncBack = Window / 2       // how much of the newest output a channel that fell behind gets
	noticeOn   = "\x1b[0m\x1b[2m" // dim
	noticeOff  = "\x1b[0m\r\n"
)

// leaveModes undoes what a program that died may have left in the terminal:
// the other screen, mouse reports, bracketed paste, a hidden cursor.
const leaveModes = "\x1b[?47l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?25h"

var errInputFlood = errors.New("more input than the console takes")

// A console is one terminal of a node, over all the node's starts: what was
// written is in a ring, any number of channels look at it, and what they type
// goes to the line while there is one. Safe for concurrent use.
type console struct {
	touched func() // a channel came, or the size has changed; called without the lock

	shown, typed *leak.Stream // guarded by mu: what is looked through for what belongs to others; may be nil

	mu       sync.Mutex
	changed  sync.Cond // on mu: an ack, a channel, input, the line's end
	ring     ring
	epoch    int64
	channels map[*channel]struct{}
	cols     uint16
	rows     uint16

	line    *line // nil while the node is off
	typists map[string]*typist
	uses    int64 // counts attachments, for forgetting the oldest typist
}

// typist is one session's input at one console.
type typist struct {
	have    int64 // bytes taken
	written int64 // bytes given to the guest, or thrown away with it
	used    int64
}

// typed is input on its way to the guest.
type typed struct {
	by   *typist
	end  int64
	data []byte
}

// line is a console's connection to one run of the guest.
type line struct {
	conn   io.ReadWriter
	queue  []typed // guarded by the console's lock
	queued int     // bytes in queue
	ended  bool    // the guest is gone: drain, then stop
	stop   context.CancelFunc
	wg     sync.WaitGroup
}

func newConsole(touched func()) *console {
	c := &console{
		touched:  touched,
		epoch:    time.Now().UnixMilli(), // greater than in any earlier process of this rack
		channels: map[*channel]struct{}{},
		typists:  map[string]*typist{},
	}
	c.changed.L = &c.mu
	return c
}

// connect joins the console to a guest's line. The caller closes conn when the
// guest has ended and then calls disconnect.
func (c *console) connect(conn io.ReadWriter) {
	ctx, stop := context.WithCancel(context.Background())
	l := &line{conn: conn, stop: stop}
	c.mu.Lock()
	c.line = l
	c.mu.Unlock()
	l.wg.Add(2)
	go func() { defer l.wg.Done(); c.readLine(ctx, l) }()
	go func() { defer l.wg.Done(); c.writeLine(l) }()
}

// disconnect reads what a guest that has ended left on its line, however slow
// the channels are, and returns when nothing uses the line any more. Call it
// when no process holds the line's other side, or when conn is closed.
func (c *console) disconnect() {
	c.mu.Lock()
	l := c.line
	if l == nil {
		c.mu.Unlock()
		return
	}
	l.ended = true
	l.stop()
	c.changed.Broadcast()
	c.mu.Unlock()
	l.wg.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line = nil
	for _, t := range l.queue { // nobody will read it now
		t.by.written = t.end
	}
	c.noteInput()
}

// readLine moves the guest's output into the ring. While nobody looks, it does
// so slowly, so that a `yes` that was left alone costs little.
func (c *console) readLine(ctx context.Context, l *line) {
	idle := rate.NewLimiter(idleRate, ringSize)
	buf := make([]byte, readChunk)
	for {
		n, err := l.conn.Read(buf[:c.allowance(l, len(buf))])
		if n > 0 && !c.append(buf[:n]) {
			_ = idle.WaitN(ctx, n) // an error means the guest has ended: read on
		}
		if err != nil {
			return
		}
	}
}

// allowance waits until the console may be read and says how many bytes. While
// somebody looks, the fastest of them sets the pace, and the rest waits in the
// guest, where Ctrl-C reaches its writer at once.
func (c *console) allowance(l *line, most int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.channels) > 0 && !l.ended {
		if room := c.fastest() + Window - c.ring.head; room > 0 {
			return int(min(room, int64(most)))
		}
		c.changed.Wait()
	}
	return most
}

// fastest is the highest offset that any channel has acknowledged.
func (c *console) fastest() int64 {
	best := int64(0)
	for ch := range c.channels {
		if ch.epoch == c.epoch {
			best = max(best, ch.acked)
		}
	}
	return best
}

// append adds output, tells the channels, and says whether there are any.
func (c *console) append(p []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ring.write(p)
	c.shown.Look(p)
	for ch := range c.channels {
		ch.wake()
	}
	return len(c.channels) > 0
}

// notice writes the rack's own word into the console, set apart from the
// guest's.
func (c *console) notice(text string) {
	lead := leaveModes
	c.mu.Lock()
	if last := c.ring.last(1); len(last) > 0 && last[0] != '\n' {
		lead += "\r\n"
	}
	c.mu.Unlock()
	c.append([]byte(lead + noticeOn + "[patchbay] " + text + noticeOff))
}

// clear begins a new epoch: everything kept is forgotten.
func (c *console) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.ring.clear()
	c.changed.Broadcast()
	for ch := range c.channels {
		ch.wake()
	}
}

// tail returns the last n bytes of output.
func (c *console) tail(n int) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ring.last(n)
}

// wanted says whether anybody looks.
func (c *console) wanted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.channels) > 0
}

// size returns the console's size, zero when nobody has set it.
func (c *console) size() (cols, rows uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cols, c.rows
}

// resize sets the size for everybody: the last one to say so has it. The other
// channels are told.
func (c *console) resize(by *channel, cols, rows uint16) {
	c.mu.Lock()
	if c.cols == cols && c.rows == rows {
		c.mu.Unlock()
		return
	}
	c.cols, c.rows = cols, rows
	for ch := range c.channels {
		if ch != by {
			ch.sizeDue = true
			ch.wake()
		}
	}
	c.mu.Unlock()
	c.touched()
}

// input takes what a session typed, from position on. What it has already is
// dropped; what it has not is queued for the guest. A position beyond what it
// has means that this rack forgot the session (it was started anew), and the
// input goes on from there.
func (c *console) input(ch *channel, position int64, data []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := ch.typist
	end := position + int64(len(data))
	if end <= t.have {
		ch.inputDue = true
		ch.wake()
		return nil
	}
	if position < t.have {
		data = data[t.have-position:]
	}
	c.typed.Look(data)
	l := c.line
	if l == nil || l.ended {
		t.have, t.written = end, end
		c.noteInput()
		return nil
	}
	// Keys that pile up are put together: a message for each of a million would
	// take a hundred times its size. The first piece is being written.
	last := len(l.queue) - 1
	join := last > 0 && l.queue[last].by == t && len(l.queue[last].data)+len(data) <= pasteChunk
	if l.queued+len(data) > InputWindow || !join && len(l.queue) >= maxQueue {
		return errInputFlood
	}
	t.have = end
	l.queued += len(data)
	if join {
		l.queue[last].data = append(l.queue[last].data, data...)
		l.queue[last].end = end
	} else {
		l.queue = append(l.queue, typed{by: t, end: end, data: append([]byte(nil), data...)})
	}
	c.changed.Broadcast()
	return nil
}

// noteInput tells every channel whose session got on.
func (c *console) noteInput() {
	for ch := range c.channels {
		if ch.typist != nil && ch.typist.written > ch.inputAcked {
			ch.inputDue = true
			ch.wake()
		}
	}
}

// writeLine gives input to the guest, as fast as it takes it.
func (c *console) writeLine(l *line) {
	for {
		c.mu.Lock()
		for len(l.queue) == 0 && !l.ended {
			c.changed.Wait()
		}
		if l.ended {
			c.mu.Unlock()
			return
		}
		t := l.queue[0]
		c.mu.Unlock()
		for p := t.data; len(p) > 0; {
			n, err := l.conn.Write(p[:min(len(p), pasteChunk)])
			if err != nil {
				return // the guest has ended; disconnect settles the queue
			}
			p = p[n:]
		}
		c.mu.Lock()
		l.queue[0] = typed{}
		l.queue = l.queue[1:]
		l.queued -= len(t.data)
		t.by.written = t.end
		c.noteInput()
		c.mu.Unlock()
	}
}

// typist returns a session's input position, and forgets the session that has
// been away for longest when there are too many.
func (c *console) typist(session string) *typist {
	c.uses++
	t := c.typists[session]
	if t == nil {
		if len(c.typists) >= maxTypists {
			oldest := ""
			for s, o := range c.typists {
				if oldest == "" || o.used < c.typists[oldest].used {
					oldest = s
				}
			}
			delete(c.typists, oldest)
		}
		t = &typist{}
		c.typists[session] = t
	}
	t.used = c.uses
	return t
}
