// Package tty attaches a person's terminal to the consoles of a rack, with a
// menu behind Ctrl-] to go from node to node.
package tty

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/patchbay/patchbay/labs/rack"
)

// Outcome says why Attach returned.
type Outcome int

// The outcomes.
const (
	Detached Outcome = iota // the rack runs on
	Stopped                 // the person stopped it
	Ended                   // it ended by itself
)

const (
	otherScreen = "\x1b[?1049h"
	mainScreen  = "\x1b[?1049l"
	// restore leaves the person's terminal as a program may not have left it.
	restore = "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?25h\x1b[0m"
	wipe    = restore + "\x1b[H\x1b[2J\x1b[3J"
)

// session is one person at one terminal.
type session struct {
	stream *rack.Stream
	in     *os.File
	out    io.Writer

	node    string
	console int
	opened  map[string]int // consoles in use, per node

	term *rack.Terminal
	pump sync.WaitGroup
	gate sync.Mutex // held while the menu has the screen: output waits in the rack
	alt  screenWatch
}

// Attach shows a console of the node until the person detaches or stops the
// rack, or until the rack or ctx ends. in and out are a terminal's.
func Attach(ctx context.Context, stream *rack.Stream, node string, in, out *os.File) (Outcome, error) {
	old, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return Detached, fmt.Errorf("preparing the terminal: %w", err)
	}
	defer term.Restore(int(in.Fd()), old)
	s := &session{stream: stream, in: in, out: out, node: node, opened: map[string]int{}}
	if err := s.show(ctx); err != nil {
		return Detached, err
	}
	defer func() {
		s.hide()
		io.WriteString(out, restore)
		if s.alt.other {
			io.WriteString(out, mainScreen)
		}
		io.WriteString(out, "\r\n")
	}()
	keys, stopKeys, err := readKeys(in)
	if err != nil {
		return Detached, err
	}
	defer stopKeys()
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	for {
		select {
		case k, ok := <-keys:
			if !ok {
				return Detached, nil
			}
			if outcome, over, err := s.keys(ctx, k, keys); over || err != nil {
				return outcome, err
			}
		case <-resized:
			if cols, rows, ok := s.size(); ok {
				_ = s.term.Resize(cols, rows) // an error ends the stream, see below
			}
		case <-stream.Done():
			if err := stream.Err(); !errors.Is(err, io.EOF) {
				return Ended, err
			}
			return Ended, nil
		case <-ctx.Done():
			return Detached, ctx.Err()
		}
	}
}

// keys handles what was typed; it is over when the person leaves.
func (s *session) keys(ctx context.Context, k []byte, more <-chan []byte) (outcome Outcome, over bool, err error) {
	for len(k) > 0 && !over && err == nil {
		i := bytes.IndexByte(k, prefix)
		if i < 0 {
			i = len(k)
		}
		if i > 0 {
			_, err = s.term.Write(k[:i])
			k = k[i:]
			continue
		}
		var v verb
		var m *menu
		v, m, k = s.menu(ctx, k[1:], more)
		outcome, over, err = s.act(ctx, v, m)
	}
	return outcome, over, err
}

// menu shows the menu and returns what it was asked for, and what was typed
// after that.
func (s *session) menu(ctx context.Context, typed []byte, more <-chan []byte) (verb, *menu, []byte) {
	s.gate.Lock()
	defer s.gate.Unlock()
	m := newMenu(s.stream.State(), s.node, s.console)
	io.WriteString(s.out, otherScreen)
	defer func() {
		if !s.alt.other {
			io.WriteString(s.out, mainScreen+"\x1b[?25h")
		}
	}()
	for {
		for len(typed) > 0 {
			var k string
			k, typed = firstKey(typed)
			if v := m.key(k); v != again {
				return v, m, typed
			}
		}
		rows := 24
		if _, r, ok := s.size(); ok {
			rows = int(r)
		}
		io.WriteString(s.out, m.draw(rows))
		select {
		case k, ok := <-more:
			if !ok {
				return detach, m, nil
			}
			typed = k
		case <-s.stream.Done():
			return back, m, nil
		case <-ctx.Done():
			return back, m, nil
		}
	}
}

// firstKey splits what was typed after its first key. An escape sequence is
// one key; the escape key itself is one that nothing of a sequence follows.
func firstKey(typed []byte) (key string, rest []byte) {
	n := 1
	if len(typed) >= 3 && typed[0] == 0x1b && (typed[1] == '[' || typed[1] == 'O') {
		for n = 3; n < len(typed) && (typed[n-1] < 0x40 || typed[n-1] > 0x7e); n++ {
		}
	}
	return string(typed[:n]), typed[n:]
}

// act does what the menu was asked for.
func (s *session) act(ctx context.Context, v verb, m *menu) (outcome Outcome, over bool, err error) {
	say := func(format string, args ...any) { fmt.Fprintf(s.out, "\r\n[patchbay] "+format+"\r\n", args...) }
	if s.alt.other && (v == back || v == literal) {
		// A full-screen program had the screen that the menu took.
		if err := s.reshow(ctx); err != nil {
			return Detached, false, err
		}
	}
	switch v {
	case literal:
		_, err = s.term.Write([]byte{prefix})
	case goTo:
		s.node, s.console = m.node(), 0
		err = s.reshow(ctx)
	case newConsole:
		n := s.opened[s.node] + 1
		if n >= m.state.Nodes[m.at].Consoles {
			say("%s has no more consoles", s.node)
			return Detached, false, nil
		}
		s.opened[s.node], s.console = n, n
		err = s.reshow(ctx)
	case detach:
		return Detached, true, nil
	case stop:
		say("stopping the lab …")
		err = s.stream.Do(ctx, rack.Op{Do: "end"})
		if errors.Is(err, io.EOF) { // it ended before it could answer
			err = nil
		}
		return Stopped, true, err
	case restart, reset, resetAll:
		op := rack.Op{Do: "restart", Node: s.node}
		if v == reset {
			op = rack.Op{Do: "reset", Node: m.node()}
		} else if v == resetAll {
			op = rack.Op{Do: "reset"}
		}
		if e := s.stream.Do(ctx, op); e != nil {
			say("%s", printable(e.Error()))
		}
	}
	return Detached, false, err
}

// size returns the terminal's size.
func (s *session) size() (cols, rows uint16, ok bool) {
	c, r, err := term.GetSize(int(s.in.Fd()))
	if err != nil || c <= 0 || r <= 0 {
		return 0, 0, false
	}
	return uint16(min(c, 1000)), uint16(min(r, 1000)), true
}

// reshow shows the session's console from the beginning of what is kept.
func (s *session) reshow(ctx context.Context) error {
	s.hide()
	lead := wipe
	if s.alt.other {
		lead = mainScreen + lead
		s.alt = screenWatch{}
	}
	io.WriteString(s.out, lead)
	return s.show(ctx)
}

// show attaches the session's console and passes its output on.
func (s *session) show(ctx context.Context) error {
	o := rack.AttachOptions{Node: s.node, Console: s.console}
	if cols, rows, ok := s.size(); ok {
		o.Cols, o.Rows = cols, rows
	}
	o.Event = func(m rack.ServerMessage) {
		if m.T == "epoch" || m.T == "gap" {
			io.WriteString(s.out, wipe)
		}
	}
	t, err := s.stream.Attach(ctx, o)
	if err != nil {
		return err
	}
	s.term = t
	s.pump.Go(func() {
		buf := make([]byte, 32<<10)
		for {
			n, err := t.Read(buf)
			s.gate.Lock()
			s.alt.see(buf[:n])
			_, werr := s.out.Write(buf[:n])
			s.gate.Unlock()
			if err != nil || werr != nil {
				return
			}
		}
	})
	return nil
}

// hide detaches the console.
func (s *session) hide() {
	_ = s.term.Close() // the stream may have ended
	s.pump.Wait()
}

// screenWatch notes whether a program has switched to the terminal's other
// screen, as full-screen programs do.
type screenWatch struct {
	other bool
	last  []byte // the end of what was seen, for a sequence cut in two
}

func (w *screenWatch) see(p []byte) {
	w.last = append(w.last, p...)
	on := max(bytes.LastIndex(w.last, []byte(otherScreen)), bytes.LastIndex(w.last, []byte("\x1b[?47h")))
	off := max(bytes.LastIndex(w.last, []byte(mainScreen)), bytes.LastIndex(w.last, []byte("\x1b[?47l")))
	if on >= 0 || off >= 0 {
		w.other = on > off
	}
	if keep := len(otherScreen) - 1; len(w.last) > keep {
		w.last = append([]byte(nil), w.last[len(w.last)-keep:]...)
	}
}

// readKeys reads in until stop is called; one piece is what one read gave,
// which for a person's keys is one key.
func readKeys(in *os.File) (keys <-chan []byte, stop func(), err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("making a pipe: %w", err)
	}
	ch, quit := make(chan []byte), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(ch)
		buf := make([]byte, 4096)
		for {
			fds := []unix.PollFd{{Fd: int32(in.Fd()), Events: unix.POLLIN}, {Fd: int32(r.Fd()), Events: unix.POLLIN}}
			if _, err := unix.Poll(fds, -1); err == unix.EINTR {
				continue
			} else if err != nil || fds[1].Revents != 0 {
				return
			}
			n, err := in.Read(buf)
			if n > 0 {
				select {
				case ch <- append([]byte(nil), buf[:n]...):
				case <-quit:
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	return ch, func() {
		close(quit)
		w.Close()
		wg.Wait()
		r.Close()
	}, nil
}

// Copy is Attach without a terminal: what in says is typed, what the console
// says goes to out. It returns when the rack or ctx ends, or, once in has
// ended, when the console has been silent for quiet.
func Copy(ctx context.Context, stream *rack.Stream, node string, in io.Reader, out io.Writer, quiet time.Duration) error {
	t, err := stream.Attach(ctx, rack.AttachOptions{Node: node})
	if err != nil {
		return err
	}
	defer t.Close()
	typed := make(chan error, 1)
	go func() { // ends with in; a process that copies its stdin ends with it
		_, err := io.Copy(t, in)
		typed <- err
	}()
	said := make(chan struct{}, 1)
	var pump sync.WaitGroup
	pump.Go(func() {
		buf := make([]byte, 32<<10)
		for {
			n, err := t.Read(buf)
			if err != nil {
				return
			}
			if _, err := out.Write(buf[:n]); err != nil {
				return
			}
			select {
			case said <- struct{}{}:
			default:
			}
		}
	})
	defer pump.Wait()
	defer t.Close()
	var silent <-chan time.Time
	for {
		select {
		case err := <-typed:
			if err != nil {
				return fmt.Errorf("typing: %w", err)
			}
			silent = time.After(quiet)
		case <-said:
			if silent != nil {
				silent = time.After(quiet)
			}
		case <-silent:
			return nil
		case <-stream.Done():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
