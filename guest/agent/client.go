package agent

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"unicode"
)

// ErrClosed is what calls end with when Close has been called.
var ErrClosed = errors.New("agent: line closed")

// FailedError says, in the guest's words, why it did not become the machine it
// was to be.
type FailedError struct{ Reason string }

func (e *FailedError) Error() string { return e.Reason }

// RequestError is guestd's refusal of one request; the line is well.
type RequestError struct{ Text string }

func (e *RequestError) Error() string { return e.Text }

// Logger is what a Client needs of a *slog.Logger. The package log/slog itself
// would come into guestd with this one, with fmt and encoding/json behind it: a
// fifth of its size.
type Logger interface {
	Warn(msg string, args ...any)
}

// Client is the host's end of the line to one guestd. Its methods may be called
// from any goroutine. All that arrives is taken as hostile: what a call keeps
// is bounded by its own limit, and what nobody asked for is dropped.
//
// Whoever makes a Client must Close it.
type Client struct {
	rw     io.ReadWriteCloser
	log    Logger      // nil for none
	out    chan []byte // encoded frames, to the writer
	events chan Event
	done   chan struct{} // closed when the line has ended, with err set
	hello  chan struct{} // closed when helloMsg or failed is set
	wg     sync.WaitGroup
	pacer  pacer         // between out and rw
	cut    chan struct{} // capacity 1: there are cuts

	mu       sync.Mutex
	err      error
	helloMsg Hello
	failed   *FailedError // said without being asked
	greeted  bool
	calls    map[uint32]*call
	gone     []uint32 // the last ids that were given up: what still comes for them is nobody's forgery
	strange  int      // answers that nobody had asked for
	streams  int      // of calls
	cuts     []uint32 // streams of whose end guestd is to be told
}

// call is one request under way.
type call struct {
	// take is given each answer, under Client.mu, and says whether it was the
	// last. It must copy what it keeps.
	take func(f frame) (last bool, err error)
	done chan struct{} // closed after the last answer, with err set
	err  error
}

// NewClient takes a line to a guest over and starts reading it. A nil log
// discards.
func NewClient(rw io.ReadWriteCloser, log Logger) *Client {
	c := &Client{
		rw: rw, log: log,
		out:    make(chan []byte, 4),
		events: make(chan Event, 16),
		done:   make(chan struct{}),
		hello:  make(chan struct{}),
		cut:    make(chan struct{}, 1),
		calls:  make(map[uint32]*call),
	}
	c.pacer = pacer{w: rw, end: c.done, wake: make(chan struct{}, 1)}
	c.wg.Go(c.read)
	c.wg.Go(c.write)
	return c
}

// Close ends the line and every call on it, and waits for the Client's own
// goroutines.
func (c *Client) Close() error {
	c.end(ErrClosed)
	err := c.rw.Close()
	c.wg.Wait()
	return err
}

// Done is closed when the line has ended, by Close or by the guest's end.
func (c *Client) Done() <-chan struct{} { return c.done }

// Events yields what guestd tells unasked. It is closed when the line ends.
// Events that nobody takes are dropped, beyond 16.
func (c *Client) Events() <-chan Event { return c.events }

// end fails all calls. The first reason stays.
func (c *Client) end(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = reason
	for id, call := range c.calls {
		delete(c.calls, id)
		call.err = reason
		close(call.done)
	}
	close(c.done)
}

func (c *Client) read() {
	defer close(c.events)
	in := frameReader{src: c.rw}
	skipped := false
	for {
		f, err := in.next()
		if err != nil {
			if err == io.EOF {
				err = errors.New("the guest has closed its line")
			}
			c.end(wrap("reading from guestd", err))
			return
		}
		// Said once: a guest must not be able to fill the log.
		if in.skipped > 0 && !skipped && c.log != nil {
			skipped = true
			c.log.Warn("bytes that are no frames came on guestd's line", "count", in.skipped)
		}
		// What is of no use, such as an answer that came too late, is dropped.
		_ = c.dispatch(f)
	}
}

// dispatch says whether the frame was of use.
func (c *Client) dispatch(f frame) bool {
	if f.kind == kindEvent {
		e, err := decodeEvent(f.body)
		if err != nil {
			return false
		}
		e.Text = clean(e.Text)
		select {
		case c.events <- e:
			return true
		default:
			return false
		}
	}
	if f.kind == kindCredit {
		return c.pacer.credit(f.body)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.kind == kindHello || f.kind == kindFailed && f.id == 0 {
		return c.greet(f)
	}
	call := c.calls[f.id]
	if call == nil {
		if (f.kind == kindOutput || f.kind == kindExit) && !slices.Contains(c.gone, f.id) {
			c.strange++
		}
		return false
	}
	last, err := false, error(nil)
	if f.kind == kindError {
		err = &RequestError{clean(string(f.body))}
	} else {
		last, err = call.take(f)
	}
	if last || err != nil {
		c.drop(f.id)
		call.err = err
		close(call.done)
	}
	return true
}

// greet is dispatch for the first words. A guest says them once.
func (c *Client) greet(f frame) bool {
	if f.kind == kindFailed && c.failed == nil {
		c.failed = &FailedError{clean(string(f.body))}
		for id, call := range c.calls {
			delete(c.calls, id)
			call.err = c.failed
			close(call.done)
		}
	} else if f.kind == kindHello && !c.greeted {
		h, err := decodeHello(f.body)
		if err != nil {
			return false
		}
		h.Kernel = clean(h.Kernel)
		c.helloMsg = h
	} else {
		return false
	}
	if !c.greeted {
		c.greeted = true
		close(c.hello)
	}
	return true
}

func (c *Client) write() {
	for {
		var err error
		select {
		case b := <-c.out:
			_, err = c.pacer.Write(b)
		case <-c.cut:
			err = c.writeCuts()
		case <-c.done:
			return
		}
		if err != nil {
			c.end(wrap("writing to guestd", err))
			return
		}
	}
}

// begin registers a call and gives it an id.
func (c *Client) begin(take func(frame) (bool, error)) (uint32, *call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return 0, nil, c.err
	case c.failed != nil:
		return 0, nil, c.failed
	}
	// Root of the guest can write answers onto the line, but not know to what.
	id := rand.Uint32()
	for id == 0 || c.calls[id] != nil {
		id = rand.Uint32()
	}
	cl := &call{take: take, done: make(chan struct{})}
	c.calls[id] = cl
	return id, cl, nil
}

// strangers counts the answers so far that nobody had asked for.
func (c *Client) strangers() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.strange
}

// forget ends a call that its caller gives up. After it take is not called.
func (c *Client) forget(id uint32) {
	c.mu.Lock()
	c.drop(id)
	c.mu.Unlock()
}

// drop takes a call off the list before its last answer.
func (c *Client) drop(id uint32) {
	delete(c.calls, id)
	c.gone = append(c.gone[max(0, len(c.gone)-maxGone):], id)
}

const maxGone = 256

// send hands one frame to the writer. It stops early when the call is over.
func (c *Client) send(ctx context.Context, cl *call, f frame) error {
	select {
	case c.out <- appendFrame(nil, f):
		return nil
	case <-cl.done:
		return cl.err
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// request sends a message and, behind it, data in frames of its own if there
// is to be any, and waits for the end of the answers.
func (c *Client) request(ctx context.Context, f frame, data []byte, take func(frame) (bool, error)) error {
	id, cl, err := c.begin(take)
	if err != nil {
		return err
	}
	defer c.forget(id)
	f.id = id
	err = c.send(ctx, cl, f)
	for more := f.more; more && err == nil; {
		n := min(len(data), chunk)
		more = n < len(data)
		err = c.send(ctx, cl, frame{kind: kindData, more: more, id: id, body: data[:n]})
		data = data[n:]
	}
	if err == nil {
		select {
		case <-cl.done:
			return cl.err
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if ctx.Err() != nil {
		// The guest would go on with it. When the writer is stuck there is no
		// point in waiting; a program's own timeout then ends it.
		select {
		case c.out <- appendFrame(nil, frame{kind: kindKill, id: id}):
		default:
		}
	}
	return err
}

// acknowledged takes a done and nothing else.
func acknowledged(f frame) (bool, error) {
	if f.kind != kindDone {
		return false, errUnexpected
	}
	return true, nil
}

var errUnexpected = errors.New("guestd answered with something else")

// clean makes text from a guest fit for a log or a page: printable, one line
// and short.
func clean(s string) string {
	out := make([]rune, 0, min(len(s), maxText))
	for _, r := range s {
		if len(out) == maxText {
			break
		}
		switch {
		case r == '\n' || r == '\t':
			r = ' '
		case !unicode.IsPrint(r):
			r = '\uFFFD'
		}
		out = append(out, r)
	}
	return string(out)
}
