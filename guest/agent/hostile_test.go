package agent_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/patchbay/patchbay/guest/agent"
)

// liar is a guest's end of a line in the test's own hands.
type liar struct {
	conn net.Conn
	in   *agent.FrameReader
	wg   sync.WaitGroup
}

func lie(t *testing.T) (*agent.Client, *liar) {
	t.Helper()
	host, guest := net.Pipe()
	c := agent.NewClient(host, nil)
	l := &liar{conn: guest, in: agent.NewFrameReader(guest)}
	t.Cleanup(func() {
		guest.Close()
		_ = c.Close()
		l.wg.Wait()
	})
	return c, l
}

// script runs what the guest does while the test calls.
func (l *liar) script(do func()) { l.wg.Go(do) }

// say and hear do nothing once the test has closed the line.
func (l *liar) say(f agent.Frame) { _, _ = l.conn.Write(agent.AppendFrame(nil, f)) }

func (l *liar) hear() agent.Frame {
	f, _ := l.in.Next()
	return f
}

func TestClientOutlivesAFlood(t *testing.T) {
	c, l := lie(t)
	for i := range uint32(2000) {
		l.say(agent.Frame{Kind: agent.Kind(i), ID: i, Body: make([]byte, i)})
		l.say(agent.Frame{Kind: agent.KindEvent, Body: agent.Encode(agent.Event{Kind: 4, Text: "x"})})
		l.say(agent.Frame{Kind: agent.KindCredit, Body: []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}})
	}
	if _, err := l.conn.Write(make([]byte, 200_000)); err != nil {
		t.Fatal(err)
	}
	l.script(func() {
		f := l.hear()
		l.say(agent.Frame{Kind: agent.KindDone, ID: f.ID})
	})
	if err := c.Ping(t.Context()); err != nil {
		t.Errorf("after the flood: %v", err)
	}
}

func TestAnswersThatDoNotFit(t *testing.T) {
	hello := agent.Encode(agent.Hello{Version: agent.Version})
	for name, answer := range map[string]agent.Frame{
		"another kind":     {Kind: agent.KindHello, Body: hello},
		"no body":          {Kind: agent.KindOutput},
		"an unknown kind":  {Kind: 200, Body: []byte("x")},
		"data, not output": {Kind: agent.KindData, Body: []byte("x")},
	} {
		c, l := lie(t)
		l.say(agent.Frame{Kind: agent.KindHello, Body: hello})
		l.script(func() {
			f := l.hear()
			answer.ID = f.ID
			l.say(answer)
			l.say(agent.Frame{Kind: agent.KindDone, ID: f.ID})
		})
		if r, err := c.Exec(t.Context(), agent.Exec{Args: []string{"x"}}); err == nil {
			t.Errorf("%s: taken for the result %+v", name, r)
		}
	}
}

// What a guest sends beyond what was asked for is not kept.
func TestOutputIsBounded(t *testing.T) {
	c, l := lie(t)
	l.script(func() {
		f := l.hear()
		for range 100 {
			l.say(agent.Frame{Kind: agent.KindOutput, ID: f.ID, Body: append([]byte{1}, make([]byte, 60_000)...)})
		}
		f2 := l.hear()
		for range 3 {
			l.say(agent.Frame{Kind: agent.KindData, ID: f2.ID, Body: make([]byte, 60_000)})
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := c.Exec(ctx, agent.Exec{Args: []string{"x"}, Limit: 100_000}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
	c2, l2 := lie(t)
	l2.script(func() {
		f := l2.hear()
		l2.say(agent.Frame{Kind: agent.KindData, ID: f.ID, Body: make([]byte, 60_000)})
	})
	if _, _, err := c2.Get(t.Context(), "/x", 50_000); err == nil {
		t.Error("took more than it asked for")
	}
}

func TestTheLineEnds(t *testing.T) {
	c, l := lie(t)
	result := make(chan error, 2)
	go func() { _, err := c.Hello(t.Context()); result <- err }()
	go func() { result <- c.Ping(t.Context()) }()
	l.hear()
	l.conn.Close()
	for range 2 {
		if err := <-result; err == nil {
			t.Error("a call succeeded on a line that ended")
		}
	}
	<-c.Done()
	if _, open := <-c.Events(); open {
		t.Error("there was an event")
	}
	if err := c.Ping(t.Context()); err == nil {
		t.Error("a call succeeded after the end")
	}

	c, _ = lie(t)
	go func() { result <- c.Ping(t.Context()) }() // the writer blocks: nobody reads
	time.Sleep(10 * time.Millisecond)
	_ = c.Close()
	if err := <-result; !errors.Is(err, agent.ErrClosed) {
		t.Errorf("Close ends a call with %v", err)
	}
}

func TestOtherVersion(t *testing.T) {
	c, l := lie(t)
	l.say(agent.Frame{Kind: agent.KindHello, Body: agent.Encode(agent.Hello{Version: 99})})
	if _, err := c.Hello(t.Context()); err == nil {
		t.Error("took a guestd of another version")
	}
}

func TestFailureBeforeHello(t *testing.T) {
	c, l := lie(t)
	l.say(agent.Frame{Kind: agent.KindFailed, Body: []byte("no modules")})
	_, err := c.Hello(t.Context())
	var failed *agent.FailedError
	if !errors.As(err, &failed) || failed.Reason != "no modules" {
		t.Errorf("the error is %v", err)
	}
	if _, err := c.Configure(t.Context(), agent.Machine{}); !errors.As(err, &failed) {
		t.Errorf("configuring a failed guest: %v", err)
	}
}

// A guest's terminal breaks for good when it is filled.
func TestTheLineIsPaced(t *testing.T) {
	c, l := lie(t)
	result := make(chan error, 1)
	go func() { result <- c.Put(t.Context(), "/x", 0o600, make([]byte, 50_000)) }()
	var unread, total uint64
	buf := make([]byte, 100_000)
	for total < 50_000 {
		// Take all that comes without a word of credit.
		for {
			_ = l.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			n, err := l.conn.Read(buf)
			unread += uint64(n)
			if err != nil {
				break
			}
		}
		if unread > agent.LineWindow {
			t.Fatalf("%d bytes came unasked, more than %d", unread, agent.LineWindow)
		}
		if unread == 0 {
			t.Fatalf("nothing came after %d bytes", total)
		}
		total += unread
		unread = 0
		l.say(agent.Frame{Kind: agent.KindCredit, Body: []byte{0, 0, 0, 0, 0, byte(total >> 16), byte(total >> 8), byte(total)}})
	}
	l.conn.Close()
	if err := <-result; err == nil {
		t.Error("a Put that nobody confirmed succeeded")
	}
}

// When someone in the guest read bytes off the line, both ends find together
// again by themselves.
func TestStolenBytes(t *testing.T) {
	host, thief := net.Pipe()
	stolen, guest := net.Pipe()
	m := &machine{}
	server := agent.NewServer(guest, m)
	c := agent.NewClient(host, nil)
	done := make(chan struct{}, 3)
	go func() { _ = server.Serve(); done <- struct{}{} }()
	go func() { // guest to host, untouched
		_, _ = io.Copy(thief, stolen)
		done <- struct{}{}
	}()
	go func() { // host to guest, but for the first 3000 bytes
		if _, err := io.CopyN(io.Discard, thief, 3000); err == nil {
			_, _ = io.Copy(stolen, thief)
		}
		done <- struct{}{}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	go func() { // lost, whole or in part
		_ = c.Put(ctx, "/nowhere/x", 0o600, make([]byte, 2900))
	}()
	for {
		attempt, end := context.WithTimeout(ctx, 100*time.Millisecond)
		err := c.Ping(attempt)
		end()
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatal("the ends do not find together")
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	thief.Close()
	stolen.Close()
	guest.Close()
	for range 3 {
		<-done
	}
}
