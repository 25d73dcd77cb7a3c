package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/patchbay/patchbay/labs/rack"
)

// typist is a student who types, a key at a time, and waits for each to appear.
type typist struct {
	stream *rack.Stream
	term   *rack.Terminal
	seen   chan []byte
	typed  int // since the line was emptied
}

const (
	key       = '~'                    // what is typed: no prompt has it
	keyEvery  = 125 * time.Millisecond // eight a second: somebody who can type
	keyLatest = 10 * time.Second       // of an echo, or it will not come
	lineKeys  = 40                     // no line that is typed is longer than the screen is wide
)

// newTypist sits down at the first student's rack, through the server.
func newTypist(ctx context.Context, s *benchServer, class *benchClass, node string) (*typist, error) {
	token, err := class.token(ctx, class.students[0].ID)
	if err != nil {
		return nil, err
	}
	stream, err := s.stream(ctx, token, class.rack.ID)
	if err != nil {
		return nil, err
	}
	term, err := stream.Attach(ctx, rack.AttachOptions{Node: node})
	if err != nil {
		return nil, errors.Join(err, stream.Close())
	}
	t := &typist{stream: stream, term: term, seen: make(chan []byte, 1024)}
	go func() { // ends with the stream
		defer close(t.seen)
		for {
			b := make([]byte, 4096)
			n, err := term.Read(b)
			if err != nil {
				return
			}
			t.seen <- b[:n]
		}
	}()
	return t, nil
}

func (t *typist) close() {
	_ = t.stream.Close()
	for range t.seen { // until its reader has ended
	}
}

// busyTyping is for who types while something else goes on.
type busyTyping struct {
	enough chan<- struct{} // is closed when there are enough keys
	over   <-chan struct{} // closed when what else goes on does no more
}

// typeUntil types at least n keys, and goes on while something else does, if so.
// It gives each one's time to its echo in ms.
func (t *typist) typeUntil(ctx context.Context, n int, while *busyTyping) (times []float64, err error) {
	tick := time.NewTicker(keyEvery)
	defer tick.Stop()
	var over <-chan struct{}
	if while != nil {
		over = while.over
	}
	for {
		if while == nil && len(times) == n {
			return times, nil
		}
		select {
		case <-over:
			return times, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
		took, err := t.strike(ctx)
		if err != nil {
			return nil, fmt.Errorf("typing, key %d: %w", len(times)+1, err)
		}
		times = append(times, millis(took))
		if while != nil && len(times) == n {
			close(while.enough)
		}
	}
}

// strike types one key and waits for its echo.
func (t *typist) strike(ctx context.Context) (time.Duration, error) {
	if t.typed == lineKeys { // the line is emptied
		t.typed = 0
		if _, err := t.term.Write([]byte{'U' & 0x1f}); err != nil {
			return 0, err
		}
		if err := sleep(ctx, 2*keyEvery); err != nil {
			return 0, err
		}
	}
	t.typed++
	for len(t.seen) > 0 {
		<-t.seen
	}
	began := time.Now()
	if _, err := t.term.Write([]byte{key}); err != nil {
		return 0, err
	}
	late := time.NewTimer(keyLatest)
	defer late.Stop()
	for {
		select {
		case b, ok := <-t.seen:
			if !ok {
				return 0, errors.New("the console has ended")
			}
			if bytes.IndexByte(b, key) >= 0 {
				return time.Since(began), nil
			}
		case <-late.C:
			return 0, fmt.Errorf("it was not echoed within %v", keyLatest)
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}
