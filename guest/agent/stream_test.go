package agent_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/patchbay/patchbay/guest/agent"
)

// program listens on a port of the test's machine, which plays the guest, and
// does the same with each connection. It ends with the test.
func program(t *testing.T, address string, do func(*net.TCPConn)) (port int) {
	t.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				do(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return ln.Addr().(*net.TCPAddr).Port
}

// echo says back what it hears.
func echo(c *net.TCPConn) { _, _ = io.Copy(c, c) }

// noise is n bytes that do not repeat.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func dialGuest(t *testing.T, c *agent.Client, port int) *agent.Stream {
	t.Helper()
	s, err := c.Connect(t.Context(), port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Several streams carry much in both directions, at the same time and
// unharmed, and their ends with them.
func TestStreams(t *testing.T) {
	c, _ := ready(t, &machine{})
	port := program(t, "127.0.0.1:0", echo)
	data := noise(1 << 20)
	want := sha256.Sum256(data)
	var wg sync.WaitGroup
	for range 6 {
		s := dialGuest(t, c, port)
		wg.Go(func() {
			if _, err := s.Write(data); err != nil {
				t.Error(err)
			}
			if err := s.CloseWrite(); err != nil {
				t.Error(err)
			}
			if _, err := s.Write(data); err == nil {
				t.Error("wrote after the end")
			}
		})
		wg.Go(func() {
			h := sha256.New()
			n, err := io.Copy(h, s)
			if err != nil || [32]byte(h.Sum(nil)) != want {
				t.Errorf("%d bytes came back, %v; want the same %d", n, err, len(data))
			}
		})
	}
	wg.Wait()
}

func TestStreamToIPv6(t *testing.T) {
	c, _ := ready(t, &machine{})
	s := dialGuest(t, c, program(t, "[::1]:0", func(c *net.TCPConn) { _, _ = io.WriteString(c, "six") }))
	if got, err := io.ReadAll(s); err != nil || string(got) != "six" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestNobodyListens(t *testing.T) {
	c, _ := ready(t, &machine{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	_, err = c.Connect(t.Context(), port)
	refused, ok := errors.AsType[*agent.RequestError](err)
	if !ok || !strings.HasPrefix(refused.Text, "nothing listens on port ") {
		t.Errorf("the error is %v", err)
	}
	for _, port := range []int{0, -1, 65536} {
		if _, err := c.Connect(t.Context(), port); err == nil {
			t.Errorf("connected to port %d", port)
		}
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// A program that takes nothing, and one whose answer nobody takes, hold up
// themselves alone.
func TestStreamsHoldUpNothingElse(t *testing.T) {
	c, _ := ready(t, &machine{})
	stop := make(chan struct{})
	deaf := program(t, "127.0.0.1:0", func(c *net.TCPConn) {
		_ = c.SetReadBuffer(4096)
		<-stop
	})
	loud := program(t, "127.0.0.1:0", func(c *net.TCPConn) {
		data := noise(64 << 10)
		for {
			if _, err := c.Write(data); err != nil {
				return
			}
		}
	})
	defer close(stop)
	toDeaf, fromLoud := dialGuest(t, c, deaf), dialGuest(t, c, loud)
	blocked := make(chan error, 1)
	go func() {
		_, err := toDeaf.Write(make([]byte, 64<<20)) // more than any socket takes
		blocked <- err
	}()
	echoes := dialGuest(t, c, program(t, "127.0.0.1:0", echo))
	for range 50 {
		if err := c.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		var b [5]byte
		if _, err := echoes.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(echoes, b[:]); err != nil || string(b[:]) != "hello" {
			t.Fatalf("read %q, %v", b, err)
		}
	}
	// What was held back is there when somebody wants it.
	if n, err := io.CopyN(io.Discard, fromLoud, 4*agent.WindowToHost); err != nil {
		t.Errorf("after %d bytes: %v", n, err)
	}
	toDeaf.Close()
	if err := <-blocked; !errors.Is(err, agent.ErrClosed) {
		t.Errorf("Close ends a write with %v", err)
	}
}

// Whichever side lets go, the other hears of it.
func TestStreamEnds(t *testing.T) {
	c, _ := ready(t, &machine{})
	heard := make(chan error, 1)
	listener := program(t, "127.0.0.1:0", func(c *net.TCPConn) {
		_, err := io.Copy(io.Discard, c)
		heard <- err
	})
	s := dialGuest(t, c, listener)
	s.Close()
	<-heard
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, agent.ErrClosed) {
		t.Errorf("reading after Close: %v", err)
	}

	reset := dialGuest(t, c, program(t, "127.0.0.1:0", func(c *net.TCPConn) {
		_, _ = io.ReadFull(c, make([]byte, 3))
		_ = c.SetLinger(0)
	}))
	if _, err := reset.Write([]byte("now")); err != nil {
		t.Fatal(err)
	}
	if n, err := reset.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("a reset reads as %d bytes, %v", n, err)
	}

	open := dialGuest(t, c, listener)
	_ = c.Close()
	if _, err := open.Read(make([]byte, 1)); !errors.Is(err, agent.ErrClosed) {
		t.Errorf("when the line ends, reading says %v", err)
	}
	if _, err := open.Write([]byte("x")); !errors.Is(err, agent.ErrClosed) {
		t.Errorf("when the line ends, writing says %v", err)
	}
	<-heard // the guest's side has been let go of, too
}

func TestStreamsAreBounded(t *testing.T) {
	c, _ := ready(t, &machine{})
	port := program(t, "127.0.0.1:0", echo)
	var all []*agent.Stream
	for range agent.MaxStreams {
		all = append(all, dialGuest(t, c, port))
	}
	if _, err := c.Connect(t.Context(), port); err == nil {
		t.Error("there is no limit")
	}
	for _, s := range all {
		s.Close()
	}
	for range 2 * agent.MaxStreams { // the places are free again, once guestd has heard
		s, err := c.Connect(t.Context(), port)
		if refused, ok := errors.AsType[*agent.RequestError](err); ok && strings.Contains(refused.Text, "too many") {
			time.Sleep(time.Millisecond)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
}

func TestConnectEndsWithItsContext(t *testing.T) {
	c, l := lie(t)
	ctx, cancel := context.WithCancel(t.Context())
	l.script(func() {
		f := l.hear()
		cancel()
		if k := l.hear(); k.Kind != agent.KindKill || k.ID != f.ID {
			t.Errorf("the guest is told %+v", k)
		}
		l.say(agent.Frame{Kind: agent.KindOpened, ID: f.ID}) // too late, and of no use
	})
	if _, err := c.Connect(ctx, 80); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	l.wg.Wait()
}

// bytesFrame is a piece of a stream.
func bytesFrame(id uint32, at uint32, b []byte, more bool) agent.Frame {
	body := []byte{byte(at >> 24), byte(at >> 16), byte(at >> 8), byte(at)}
	return agent.Frame{Kind: agent.KindBytes, ID: id, More: more, Body: append(body, b...)}
}

// What a guest must not say ends the stream with an error, and the line lives.
func TestStreamAgainstAHostileGuest(t *testing.T) {
	opened := agent.Frame{Kind: agent.KindOpened}
	for name, say := range map[string][]agent.Frame{
		"bytes out of place":      {opened, bytesFrame(0, 0, []byte("ab"), true), bytesFrame(0, 5, []byte("c"), true)},
		"bytes twice":             {opened, bytesFrame(0, 0, []byte("ab"), true), bytesFrame(0, 0, []byte("ab"), true)},
		"more than the window":    {opened, bytesFrame(0, 0, make([]byte, 60_000), true), bytesFrame(0, 60_000, make([]byte, 60_000), true), bytesFrame(0, 120_000, make([]byte, 60_000), true)},
		"no place":                {opened, {Kind: agent.KindBytes, More: true, Body: []byte{0, 0, 0}}},
		"opened twice":            {opened, opened},
		"bytes after the last":    {opened, bytesFrame(0, 0, nil, false), bytesFrame(0, 0, []byte("x"), true)},
		"an end before the last":  {opened, {Kind: agent.KindDone}},
		"another kind":            {opened, {Kind: agent.KindOutput, Body: []byte("x")}},
		"a malformed word":        {opened, {Kind: agent.KindTaken, Body: []byte("x")}},
		"a refusal in the middle": {opened, {Kind: agent.KindError, Body: []byte("gone")}},
	} {
		t.Run(name, func(t *testing.T) {
			c, l := lie(t)
			l.script(func() {
				f := l.hear()
				for _, s := range say {
					s.ID = f.ID
					l.say(s)
				}
				for {
					f, err := l.in.Next()
					if err != nil {
						return
					}
					if f.Kind == agent.KindPing {
						l.say(agent.Frame{Kind: agent.KindDone, ID: f.ID})
					}
				}
			})
			s, err := c.Connect(t.Context(), 80)
			if err == nil {
				_, err = io.Copy(io.Discard, slow{s})
				s.Close()
				if name == "bytes after the last" && err == nil {
					_, err = s.Write([]byte("x"))
				}
			}
			if err == nil {
				t.Error("nothing was noticed")
			}
			if err := c.Ping(t.Context()); err != nil {
				t.Errorf("the line is harmed: %v", err)
			}
		})
	}
	// Before it is opened, nothing else is expected.
	c, l := lie(t)
	l.script(func() { l.say(bytesFrame(l.hear().ID, 0, []byte("x"), true)) })
	if _, err := c.Connect(t.Context(), 80); err == nil {
		t.Error("took bytes for a connection")
	}
}

// slow takes a while before it reads, so that a flood piles up.
type slow struct{ r io.Reader }

func (s slow) Read(b []byte) (int, error) {
	time.Sleep(5 * time.Millisecond)
	return s.r.Read(b)
}

// A guest that says it took more than it was sent gets no more than a window.
func TestStreamAgainstALiar(t *testing.T) {
	c, l := lie(t)
	l.script(func() {
		id := l.hear().ID
		l.say(agent.Frame{Kind: agent.KindOpened, ID: id})
		l.say(agent.Frame{Kind: agent.KindTaken, ID: id, Body: bytes.Repeat([]byte{0xff}, 8)})
		var read uint64
		for {
			f, err := l.in.Next()
			if err != nil {
				return
			}
			read += uint64(agent.HeaderSize + len(f.Body))
			l.say(agent.Frame{Kind: agent.KindCredit, Body: []byte{0, 0, 0, 0, byte(read >> 24), byte(read >> 16), byte(read >> 8), byte(read)}})
		}
	})
	s, err := c.Connect(t.Context(), 80)
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		_, err := s.Write(make([]byte, 10*agent.WindowToGuest))
		result <- err
	}()
	select {
	case err := <-result:
		t.Errorf("wrote all of it without a word that was true: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	s.Close()
	if err := <-result; !errors.Is(err, agent.ErrClosed) {
		t.Errorf("the write ended with %v", err)
	}
}

func TestServerAgainstBytesThatDoNotFit(t *testing.T) {
	port := program(t, "127.0.0.1:0", func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) })
	for name, say := range map[string][]agent.Frame{
		"out of place":         {bytesFrame(7, 9, []byte("x"), true)},
		"after the last":       {bytesFrame(7, 0, []byte("x"), false), bytesFrame(7, 1, []byte("y"), true)},
		"more than the window": {bytesFrame(7, 0, make([]byte, agent.WindowToGuest+1), true)},
		"no place":             {{Kind: agent.KindBytes, ID: 7, More: true, Body: []byte("abc")}},
		"a malformed word":     {{Kind: agent.KindTaken, ID: 7, Body: []byte("abc")}},
		"connected twice":      {{Kind: agent.KindConnect, ID: 7, Body: []byte{byte(port >> 8), byte(port)}}},
		"no port":              {{Kind: agent.KindConnect, ID: 8, Body: []byte{0, 0}}},
		"a malformed port":     {{Kind: agent.KindConnect, ID: 8, Body: []byte{1}}},
	} {
		t.Run(name, func(t *testing.T) {
			host, guest := net.Pipe()
			server := agent.NewServer(guest, &machine{})
			served := make(chan error, 1)
			go func() { served <- server.Serve() }()
			t.Cleanup(func() {
				host.Close()
				<-served
				guest.Close()
			})
			in := agent.NewFrameReader(host)
			frames := make(chan agent.Frame, 64)
			go func() {
				defer close(frames)
				for {
					f, err := in.Next()
					if err != nil {
						return
					}
					if f.Kind != agent.KindCredit {
						frames <- f
					}
				}
			}()
			tell := func(f agent.Frame) { _, _ = host.Write(agent.AppendFrame(nil, f)) }
			tell(agent.Frame{Kind: agent.KindMachine, ID: 1, Body: agent.Encode(agent.Machine{})})
			<-frames
			tell(agent.Frame{Kind: agent.KindConnect, ID: 7, Body: []byte{byte(port >> 8), byte(port)}})
			if f := <-frames; f.Kind != agent.KindOpened {
				t.Fatalf("connecting is answered with %+v", f)
			}
			for _, f := range say {
				tell(f)
			}
			for f := range frames {
				if f.Kind == agent.KindError {
					break
				}
			}
			tell(agent.Frame{Kind: agent.KindPing, ID: 99})
			for f := range frames {
				if f.Kind == agent.KindDone && f.ID == 99 {
					return
				}
			}
			t.Error("the server has ended")
		})
	}
}

// FuzzStream: whatever a guest says on a stream, no more comes out than it said,
// and whoever reads or writes comes to an end.
func FuzzStream(f *testing.F) {
	f.Add([]byte{byte(agent.KindOpened), 0, 0, byte(agent.KindBytes), 1, 5, 0, 0, 0, 0, 'x', byte(agent.KindBytes), 0, 4, 0, 0, 0, 1, byte(agent.KindDone), 0, 0})
	f.Add([]byte{byte(agent.KindOpened), 0, 0, byte(agent.KindTaken), 1, 8, 0, 0, 0, 0, 0, 0, 0, 9})
	f.Add([]byte{byte(agent.KindError), 0, 2, 'n', 'o'})
	f.Fuzz(func(t *testing.T, script []byte) {
		host, guest := net.Pipe()
		c := agent.NewClient(host, nil)
		size := int64(len(script))
		var wg sync.WaitGroup
		wg.Go(func() {
			in := agent.NewFrameReader(guest)
			first, err := in.Next()
			if err != nil {
				return
			}
			wg.Go(func() { _, _ = io.Copy(io.Discard, guest) })
			for len(script) >= 3 {
				n := min(int(script[2]), len(script)-3)
				fr := agent.Frame{Kind: agent.Kind(script[0]), More: script[1]&1 != 0, ID: first.ID, Body: script[3 : 3+n]}
				script = script[3+n:]
				if _, err := guest.Write(agent.AppendFrame(nil, fr)); err != nil {
					return
				}
			}
			guest.Close()
		})
		if s, err := c.Connect(context.Background(), 80); err == nil {
			wg.Go(func() { _, _ = s.Write([]byte("hello")) })
			if n, _ := io.Copy(io.Discard, s); n > size {
				t.Errorf("%d bytes came out", n)
			}
			s.Close()
		}
		_ = c.Close()
		guest.Close()
		wg.Wait()
	})
}
