package rack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Stream is the Go client of a rack's websocket. Safe for concurrent use;
// Close it.
type Stream struct {
	ws      *websocket.Conn
	session string

	writing sync.Mutex // guards writes to ws

	mu       sync.Mutex
	state    *State
	watchers map[chan struct{}]struct{}
	channels map[uint16]*Terminal
	answers  map[int64]chan ServerMessage
	nextID   int64
	nextCh   uint16
	err      error // why the stream ended
	done     chan struct{}
}

// Stream opens a stream with a session of its own.
func (c *Client) Stream(ctx context.Context, role Role) (*Stream, error) {
	return OpenStream(ctx, c.dir, rand.Text(), role)
}

// OpenStream opens a stream of the rack in dir for a session, see DialStream.
func OpenStream(ctx context.Context, dir, session string, role Role) (*Stream, error) {
	ws, err := DialStream(ctx, dir, session, role)
	if err != nil {
		return nil, err
	}
	return NewStream(ws, session), nil
}

// NewStream is a stream over a websocket that was opened for a session already,
// such as one through the web server. It owns ws.
func NewStream(ws *websocket.Conn, session string) *Stream {
	s := &Stream{
		ws:       ws,
		session:  session,
		watchers: map[chan struct{}]struct{}{},
		channels: map[uint16]*Terminal{},
		answers:  map[int64]chan ServerMessage{},
		done:     make(chan struct{}),
	}
	go s.read() // Close waits for it
	return s
}

// Close ends the stream and waits for its reader.
func (s *Stream) Close() error {
	err := s.ws.Close()
	<-s.done
	return err
}

// Done is closed when the stream has ended; Err says why.
func (s *Stream) Done() <-chan struct{} { return s.done }

// Err returns why the stream ended, nil while it has not.
func (s *Stream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// State returns the newest state, nil before the first has come.
func (s *Stream) State() *State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Watch calls f with the newest state now and whenever it has changed, until f
// says that it has seen enough. It returns early when ctx or the stream ends.
// States that come while f runs are merged.
func (s *Stream) Watch(ctx context.Context, f func(*State) (enough bool)) error {
	news := make(chan struct{}, 1)
	s.mu.Lock()
	s.watchers[news] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.watchers, news)
		s.mu.Unlock()
	}()
	for {
		if st := s.State(); st != nil && f(st) {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.done:
			return s.Err()
		}
	}
}

// Do carries out an operation and waits until it is done.
func (s *Stream) Do(ctx context.Context, op Op) error {
	a, err := s.ask(ctx, ClientMessage{T: "do", Op: &op})
	if err != nil {
		return err
	}
	if a.Error != "" {
		return errors.New(a.Error)
	}
	return nil
}

// ask sends a message with an id and waits for what answers it.
func (s *Stream) ask(ctx context.Context, m ClientMessage) (ServerMessage, error) {
	answer := make(chan ServerMessage, 1)
	s.mu.Lock()
	s.nextID++
	m.ID = s.nextID
	s.answers[m.ID] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.answers, m.ID)
		s.mu.Unlock()
	}()
	if err := s.sendJSON(m); err != nil {
		return ServerMessage{}, err
	}
	select {
	case a := <-answer:
		return a, nil
	case <-ctx.Done():
		return ServerMessage{}, ctx.Err()
	case <-s.done:
		return ServerMessage{}, s.Err()
	}
}

func (s *Stream) sendJSON(m ClientMessage) error {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("marshalling a message: %w", err)
	}
	return s.send(websocket.TextMessage, data)
}

func (s *Stream) send(kind int, data []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.ws.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("sending to the rack: %w", err)
	}
	if err := s.ws.WriteMessage(kind, data); err != nil {
		return fmt.Errorf("sending to the rack: %w", err)
	}
	return nil
}

// read dispatches what the rack sends, until the stream ends.
func (s *Stream) read() {
	err := s.dispatch()
	if websocket.IsCloseError(err, websocket.CloseGoingAway) {
		err = io.EOF
	}
	s.mu.Lock()
	s.err = err
	for _, t := range s.channels {
		t.end(err)
	}
	s.mu.Unlock()
	s.ws.Close()
	close(s.done)
}

func (s *Stream) dispatch() error {
	for {
		kind, data, err := s.ws.ReadMessage()
		if err != nil {
			return err
		}
		if kind == websocket.BinaryMessage {
			f, err := parseFrame(data)
			if err != nil {
				return err
			}
			s.mu.Lock()
			t := s.channels[f.channel]
			s.mu.Unlock()
			if t != nil {
				t.takeFrame(f)
			}
			continue
		}
		var m ServerMessage
		if err := json.Unmarshal(data, &m); err != nil {
			return fmt.Errorf("reading the rack's message: %w", err)
		}
		s.takeText(m)
	}
}

func (s *Stream) takeText(m ServerMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.channels[m.Channel]; t != nil && m.T != "state" && m.T != "done" {
		t.takeText(m) // first: whoever waits for the answer goes on from what it says
	}
	switch m.T {
	case "state":
		s.state = m.State
		for news := range s.watchers {
			select {
			case news <- struct{}{}:
			default:
			}
		}
	case "attached", "done":
		if a := s.answers[m.ID]; a != nil {
			delete(s.answers, m.ID)
			a <- m // of capacity 1, and only once
		}
	}
}
