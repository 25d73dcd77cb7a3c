package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// screen remembers what a console printed, and when it first had a prompt. It
// ends when its reader does.
type screen struct {
	node string

	mu       sync.Mutex
	text     []byte
	promptAt time.Time
	err      error         // why nothing more comes
	news     chan struct{} // closed and made anew at each change
}

// watchScreen begins to read a console of node.
func watchScreen(r io.Reader, node string) *screen {
	s := &screen{node: node, news: make(chan struct{})}
	go s.read(r)
	return s
}

func (s *screen) read(r io.Reader) {
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		now := time.Now()
		s.mu.Lock()
		s.text = append(s.text, buf[:n]...)
		if s.promptAt.IsZero() && hasPrompt(s.text, s.node) {
			s.promptAt = now
		}
		s.err = err
		close(s.news)
		s.news = make(chan struct{})
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// hasPrompt tells whether text ends in root's prompt on node.
func hasPrompt(text []byte, node string) bool {
	plain := bytes.TrimRight(stripEscapes(text), " ")
	return bytes.HasSuffix(plain, []byte("root@"+node+":~#"))
}

// stripEscapes drops the CSI and OSC sequences with which a prompt is coloured.
func stripEscapes(text []byte) []byte {
	var out []byte
	for i := 0; i < len(text); i++ {
		if text[i] != 0x1b || i+1 == len(text) {
			if text[i] != 0x1b {
				out = append(out, text[i])
			}
			continue
		}
		i++
		switch text[i] {
		case '[':
			for i++; i < len(text) && (text[i] < 0x40 || text[i] > 0x7e); i++ {
			}
		case ']':
			for i++; i < len(text) && text[i] != 0x07 && text[i] != '\\'; i++ {
			}
		}
	}
	return out
}

// wait waits until done, called with the text so far, is content.
func (s *screen) wait(ctx context.Context, what string, done func() bool) error {
	for {
		s.mu.Lock()
		ok, err, news, text := done(), s.err, s.news, s.text
		s.mu.Unlock()
		switch {
		case ok:
			return nil
		case err != nil:
			return fmt.Errorf("waiting for %s of %s: the console ended: %w; it said:\n%s", what, s.node, err, text)
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s of %s: %w; the console says:\n%s", what, s.node, ctx.Err(), text)
		}
	}
}

// prompt waits for the first prompt and says when it came.
func (s *screen) prompt(ctx context.Context) (time.Time, error) {
	err := s.wait(ctx, "the prompt", func() bool { return !s.promptAt.IsZero() })
	return s.promptAt, err
}

// prove has the shell add two numbers, so that what was timed was a shell.
func (s *screen) prove(ctx context.Context, w io.Writer) error {
	if _, err := io.WriteString(w, "echo sum-$((40+2))\r"); err != nil {
		return fmt.Errorf("typing at %s: %w", s.node, err)
	}
	return s.wait(ctx, "the sum", func() bool { return bytes.Contains(s.text, []byte("sum-42")) })
}
