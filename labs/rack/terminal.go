package rack

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/gorilla/websocket"
)

// AttachOptions say which console to attach, and from where.
type AttachOptions struct {
	Node       string
	Console    int
	Cols, Rows uint16 // 0 leaves the size alone
	Epoch      int64  // with From: where an earlier terminal ended; 0 for all that is kept
	From       int64
	// Event, if not nil, is told of attached, epoch, gap and size messages, in
	// their order among the output. It must not call the Stream or Terminal.
	Event func(ServerMessage)
}

// Terminal is a console attached over a Stream. One goroutine may read while
// another writes. What Read has returned is acknowledged, so a reader that
// stops makes the console wait, unless somebody else reads it.
type Terminal struct {
	stream *Stream
	id     uint16
	event  func(ServerMessage)

	mu     sync.Mutex
	news   sync.Cond
	pieces []piece // at most Window bytes and a few messages: the rack's promise
	epoch  int64
	offset int64 // of the next byte for Read
	typed  int64 // position of the next byte typed
	taken  int64 // acknowledged by the rack
	err    error
}

// piece is output, or a message among it.
type piece struct {
	data []byte
	text *ServerMessage
}

// Attach opens a console.
func (s *Stream) Attach(ctx context.Context, o AttachOptions) (*Terminal, error) {
	t := &Terminal{stream: s, event: o.Event}
	t.news.L = &t.mu
	s.mu.Lock()
	s.nextCh++
	t.id = s.nextCh
	s.channels[t.id] = t
	s.mu.Unlock()
	m := ClientMessage{T: "attach", Node: o.Node, Console: o.Console, Channel: t.id,
		Epoch: o.Epoch, From: o.From, Cols: o.Cols, Rows: o.Rows}
	if o.Epoch == 0 {
		m.From = -1
	}
	a, err := s.ask(ctx, m)
	if err == nil && a.Error != "" {
		err = errors.New(a.Error)
	}
	if err != nil {
		s.forget(t.id)
		return nil, fmt.Errorf("attaching console %d of %s: %w", o.Console, o.Node, err)
	}
	return t, nil
}

func (s *Stream) forget(id uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.channels, id)
}

// Read returns output, in order. It returns io.EOF when the rack has ended.
func (t *Terminal) Read(p []byte) (int, error) {
	t.mu.Lock()
	for {
		if len(t.pieces) == 0 {
			if t.err != nil {
				defer t.mu.Unlock()
				return 0, t.err
			}
			t.news.Wait()
			continue
		}
		if m := t.pieces[0].text; m != nil {
			t.pieces = t.pieces[1:]
			if m.T != "size" {
				t.offset = m.Offset
			}
			if m.T != "size" && m.T != "gap" {
				t.epoch = m.Epoch
			}
			if t.event != nil {
				t.event(*m)
			}
			continue
		}
		break
	}
	n := copy(p, t.pieces[0].data)
	if t.pieces[0].data = t.pieces[0].data[n:]; len(t.pieces[0].data) == 0 {
		t.pieces = t.pieces[1:]
	}
	t.offset += int64(n)
	offset := t.offset
	t.mu.Unlock()
	// An error ends the stream, and so the next Read.
	_ = t.stream.send(websocket.BinaryMessage, appendFrame(nil, MsgAck, t.id, offset, nil))
	return n, nil
}

// Position says where Read has come to: what to give to AttachOptions to go on.
func (t *Terminal) Position() (epoch, offset int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.epoch, t.offset
}

// Write types p. It waits while the console has InputWindow bytes to take yet.
func (t *Terminal) Write(p []byte) (int, error) {
	const most = 16 << 10
	done := 0
	for done < len(p) {
		n := min(len(p)-done, most)
		t.mu.Lock()
		for t.err == nil && t.typed-t.taken > InputWindow/2 {
			t.news.Wait()
		}
		if t.err != nil {
			defer t.mu.Unlock()
			return done, t.err
		}
		frame := appendFrame(nil, MsgInput, t.id, t.typed, p[done:done+n])
		t.typed += int64(n)
		t.mu.Unlock()
		if err := t.stream.send(websocket.BinaryMessage, frame); err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

// Resize sets the console's size, for everybody who looks at it.
func (t *Terminal) Resize(cols, rows uint16) error {
	return t.stream.sendJSON(ClientMessage{T: "resize", Channel: t.id, Cols: cols, Rows: rows})
}

// Close detaches the console. What was typed is on its way and arrives.
func (t *Terminal) Close() error {
	t.stream.forget(t.id)
	t.end(errors.New("the terminal was closed"))
	return t.stream.sendJSON(ClientMessage{T: "detach", Channel: t.id})
}

func (t *Terminal) end(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
	}
	t.news.Broadcast()
}

func (t *Terminal) takeFrame(f frame) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch f.kind {
	case MsgOutput:
		t.pieces = append(t.pieces, piece{data: f.data})
	case MsgInputAck:
		t.taken = max(t.taken, f.position)
	}
	t.news.Broadcast()
}

func (t *Terminal) takeText(m ServerMessage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m.T == "attached" {
		t.typed, t.taken = m.Input, m.Input
	}
	t.pieces = append(t.pieces, piece{text: &m})
	t.news.Broadcast()
}
