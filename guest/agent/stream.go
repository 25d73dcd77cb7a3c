package agent

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strconv"
	"sync"
)

// Flow of a Stream. Each end keeps no more than a window of bytes that its
// reader has not taken, and says what was taken in absolute numbers, so that a
// word of it which is lost on the line is made good by the next. Bytes that are
// lost are noticed by their place and end the stream.
const (
	windowToGuest = 32 << 10  // the guest's own memory, a stream
	windowToHost  = 128 << 10 // 12 ms of the line
	maxStreams    = 64        // of one guest at a time

	// toGuestChunk is smaller than chunk: at the 3 KiB at a time that the line
	// takes towards the guest, a key's echo waits less behind it.
	toGuestChunk = 4 << 10
)

var (
	errLost    = errors.New("bytes of the connection were lost on the guest's line")
	errFlood   = errors.New("more came than was asked for")
	errStreams = errors.New("too many connections into the machine at once")
)

// Stream is a connection to a TCP port of the guest. One goroutine may read
// while another writes. Whoever has it must Close it.
type Stream struct {
	c      *Client
	id     uint32
	call   *call         // over when guestd has nothing more to say
	opened chan struct{} // closed by take
	closed chan struct{} // by Close
	once   sync.Once
	came   chan struct{} // capacity 1: there is something to read
	room   chan struct{} // capacity 1: there is room to write

	wrote uint64 // by the writer alone
	done  bool   // by the writer alone: CloseWrite was called

	mu     sync.Mutex
	in     []byte
	got    uint64 // bytes that came
	read   uint64 // of them taken by Read
	told   uint64 // of read, that guestd was told of
	taken  uint64 // of wrote, that guestd has taken
	isOpen bool
	ended  bool // guestd will send no more
}

// Connect connects to a TCP port at the guest's own loopback address: 127.0.0.1,
// and ::1 where nothing listens there. guestd's refusal is a *RequestError.
func (c *Client) Connect(ctx context.Context, port int) (*Stream, error) {
	what := "connecting to port " + strconv.Itoa(port) + " of the guest"
	if port < 1 || port > 65535 {
		return nil, errors.New(what + ": no such port")
	}
	c.mu.Lock()
	if c.streams >= maxStreams {
		c.mu.Unlock()
		return nil, wrap(what, errStreams)
	}
	c.streams++
	c.mu.Unlock()
	s := &Stream{c: c, opened: make(chan struct{}), closed: make(chan struct{}),
		came: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	var err error
	if s.id, s.call, err = c.begin(s.take); err != nil {
		c.mu.Lock()
		c.streams--
		c.mu.Unlock()
		return nil, wrap(what, err)
	}
	err = c.send(ctx, s.call, frame{kind: kindConnect, id: s.id, body: binary.BigEndian.AppendUint16(nil, uint16(port))})
	if err != nil {
		c.forget(s.id) // guestd does not know of it
	} else {
		select {
		case <-s.opened:
			return s, nil
		case <-s.call.done:
			err = s.call.err
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	s.Close()
	return nil, wrap(what, err)
}

// take is given the guest's frames, see call.
func (s *Stream) take(f frame) (last bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case f.kind == kindOpened && !s.isOpen && len(f.body) == 0:
		s.isOpen = true
		close(s.opened)
		return false, nil
	case !s.isOpen:
	case f.kind == kindBytes && len(f.body) >= 4 && !s.ended:
		if binary.BigEndian.Uint32(f.body) != uint32(s.got) {
			return false, errLost
		}
		b := f.body[4:]
		if s.got-s.read+uint64(len(b)) > windowToHost {
			return false, errFlood
		}
		s.got += uint64(len(b))
		s.in = append(s.in, b...)
		s.ended = !f.more
		nudge(s.came)
		return false, nil
	case f.kind == kindTaken && len(f.body) == 8:
		n := binary.BigEndian.Uint64(f.body)
		if n > s.taken {
			s.taken = n // more than was written is seen by Write
			nudge(s.room)
		}
		return false, nil
	case f.kind == kindDone && s.ended:
		return true, nil
	}
	return false, errUnexpected
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Read reads what the guest's program has sent. It returns io.EOF when that
// has closed its side.
func (s *Stream) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for over := false; ; {
		s.mu.Lock()
		n := copy(b, s.in)
		s.in = s.in[n:]
		if len(s.in) == 0 {
			s.in = nil // what a burst took is given back
		}
		s.read += uint64(n)
		read := s.read
		tell := read-s.told >= windowToHost/4 && !s.ended
		if tell {
			s.told = read
		}
		ended := s.ended
		s.mu.Unlock()
		switch {
		case n > 0:
			if tell {
				_ = s.send(frame{kind: kindTaken, body: binary.BigEndian.AppendUint64(nil, read)}) // the next Read sees why not
			}
			return n, nil
		case ended:
			return 0, io.EOF
		case over:
			return 0, s.why()
		}
		select {
		case <-s.came:
		case <-s.call.done:
			over = true // once more, for what came before
		case <-s.closed:
			return 0, ErrClosed
		}
	}
}

// why is the reason of a stream that is over without an end.
func (s *Stream) why() error {
	if s.call.err != nil {
		return wrap("connection into the guest", s.call.err)
	}
	return io.ErrUnexpectedEOF
}

// Write sends b to the guest's program, as fast as that takes it.
func (s *Stream) Write(b []byte) (int, error) {
	if s.done {
		return 0, io.ErrClosedPipe
	}
	for sent := 0; ; {
		if sent == len(b) {
			return sent, nil
		}
		s.mu.Lock()
		taken := min(s.taken, s.wrote) // a lie only harms the guest
		s.taken = taken
		s.mu.Unlock()
		n := min(len(b)-sent, int(windowToGuest-(s.wrote-taken)), toGuestChunk)
		if n == 0 {
			select {
			case <-s.room:
			case <-s.call.done:
				return sent, s.broken()
			case <-s.closed:
				return sent, ErrClosed
			}
			continue
		}
		if err := s.sendBytes(b[sent:sent+n], true); err != nil {
			return sent, err
		}
		sent += n
	}
}

// broken is why nothing more can be written.
func (s *Stream) broken() error {
	if s.call.err != nil {
		return wrap("connection into the guest", s.call.err)
	}
	return io.ErrClosedPipe // the program has closed both ways
}

// CloseWrite tells the guest's program that no more will come. It is called by
// the goroutine that writes.
func (s *Stream) CloseWrite() error {
	if s.done {
		return nil
	}
	s.done = true
	return s.sendBytes(nil, false)
}

func (s *Stream) sendBytes(b []byte, more bool) error {
	body := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(b)), uint32(s.wrote))
	s.wrote += uint64(len(b))
	return s.send(frame{kind: kindBytes, more: more, body: append(body, b...)})
}

func (s *Stream) send(f frame) error {
	f.id = s.id
	select {
	case <-s.call.done:
		return s.broken()
	case <-s.closed:
		return ErrClosed
	default:
	}
	select {
	case s.c.out <- appendFrame(nil, f):
		return nil
	case <-s.call.done:
		return s.broken()
	case <-s.closed:
		return ErrClosed
	}
}

// Close ends both directions at once and lets go of the connection. It does not
// wait, and may be called from any goroutine, and again.
func (s *Stream) Close() error {
	s.once.Do(func() {
		close(s.closed)
		s.c.release(s)
	})
	return nil
}

// release forgets a stream and has guestd told, unless that knows.
func (c *Client) release(s *Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streams--
	if c.calls[s.id] == s.call {
		delete(c.calls, s.id)
		c.cuts = append(c.cuts, s.id)
		nudge(c.cut)
	}
}

// writeCuts is the writer's: it tells guestd which streams nobody wants, after
// all that was said on them.
func (c *Client) writeCuts() error {
	c.mu.Lock()
	ids := c.cuts
	c.cuts = nil
	c.mu.Unlock()
	for range len(c.out) {
		if _, err := c.pacer.Write(<-c.out); err != nil {
			return err
		}
	}
	var b []byte
	for _, id := range ids {
		b = appendFrame(b, frame{kind: kindKill, id: id})
	}
	_, err := c.pacer.Write(b)
	return err
}
