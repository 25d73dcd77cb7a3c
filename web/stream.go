package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/gorilla/websocket"

	"github.com/patchbay/patchbay/labs"
)

// Limits of the stream. A rack sends no more than its window of 128 KiB in one
// message, its state apart, and takes no more than 64 KiB.
const (
	maxFromBrowser = 64 << 10
	maxFromRack    = 4 << 20
	pingEvery      = 20 * time.Second
	pongWithin     = 50 * time.Second
	writeWithin    = 20 * time.Second
)

var streamSession = regexp.MustCompile(`^[A-Za-z0-9_-]{16,64}$`)

var upgrader = websocket.Upgrader{
	HandshakeTimeout: 10 * time.Second,
	ReadBufferSize:   4 << 10,
	WriteBufferSize:  32 << 10,
	// stream has looked at the Origin before it upgrades.
	CheckOrigin: func(*http.Request) bool { return true },
}

// stream joins a browser's websocket to its rack's and passes messages both
// ways until either side ends, the person may no longer see the rack, or the
// server goes away.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) error {
	a := actorOf(r.Context())
	if !websocket.IsWebSocketUpgrade(r) {
		return labs.Errorf(labs.Invalid, "This address speaks websocket only.")
	}
	// A browser always says where a script came from, and sends our cookie
	// along with a websocket of any page: this line is all there is against that.
	if (r.Header.Get("Origin") != "" || !a.script) && !s.sameOrigin(r) {
		return labs.Errorf(labs.Forbidden, "This page may not open a stream here.")
	}
	rec, role, err := s.findRack(r.Context(), a, chi.URLParam(r, "rack"))
	if err != nil {
		return err
	}
	session := r.URL.Query().Get("session")
	if !streamSession.MatchString(session) {
		return labs.Errorf(labs.Invalid, "?session= must be 16 to 64 letters, digits, “-” or “_”.")
	}
	// Two people's sessions must not meet, whatever they call them.
	session = s.privateSession(a, session)

	dialing, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	up, err := s.racks.Dial(dialing, rec.ID, session, role)
	stopped := labs.CodeOf(err) == labs.NotFound
	if err != nil && dialing.Err() != nil {
		err = &labs.Error{Code: unavailable, Message: hangs, Cause: err}
	}
	if err != nil && !stopped {
		return err
	}
	if up != nil {
		defer up.Close()
	}
	down, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil // the upgrader has answered
	}
	defer down.Close()
	if stopped {
		// A browser's script cannot read the status of an answer that is no
		// upgrade, but it can read a close code.
		closeWith(down, closeStopped, "This lab is not running.")
		return nil
	}

	p := &pump{down: down, up: up, done: make(chan struct{})}
	sock := &socket{who: a, rack: rec.ID, end: p.end}
	if code, reason := s.live.add(sock); code != 0 {
		closeWith(down, code, reason)
		return nil
	}
	defer s.live.remove(sock)
	p.run(s.cfg.Recheck, func(ctx context.Context) error { return s.mayStill(ctx, a, rec.ID, role) })
	return nil
}

// pump passes messages between two websockets. Each direction has one
// goroutine, which reads from one side and writes to the other and holds one
// message: a side that does not read holds the other back and nothing piles up.
type pump struct {
	down, up *websocket.Conn // browser, rack
	done     chan struct{}

	mu    sync.Mutex
	ended bool // guarded by mu; done is closed
	lost  bool // guarded by mu; the rack takes no more
}

// end tells the browser why, closes the rack's side and gives the browser a
// second to answer. Only the first call counts.
func (p *pump) end(code int, reason string) {
	p.mu.Lock()
	first := !p.ended
	p.ended = true
	p.mu.Unlock()
	if !first {
		return
	}
	close(p.done)
	closeWith(p.down, code, reason)
	closeWith(p.up, websocket.CloseGoingAway, "")
	_ = p.up.Close()
	// Who waits to write to a browser that does not read is let go. Closing
	// its side at once, with input of it unread, would make the kernel reset
	// the connection and the browser lose the reason: drain reads on for a second.
	_ = p.down.NetConn().SetWriteDeadline(time.Now())
	_ = p.down.SetReadDeadline(time.Now().Add(time.Second))
}

// alive gives src another while to say something.
func (p *pump) alive(src *websocket.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended && !(p.lost && src == p.up) {
		_ = src.SetReadDeadline(time.Now().Add(pongWithin))
	}
}

// lose notes that the rack takes no more, and gives it a second to say why: that
// is what the browser is to hear.
func (p *pump) lose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = true
	if !p.ended {
		_ = p.up.SetReadDeadline(time.Now().Add(time.Second))
	}
}

// run pumps until end is called or a side ends. Every recheck it asks allowed
// whether to go on.
func (p *pump) run(recheck time.Duration, allowed func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		err := p.copy(p.up, p.down, maxFromBrowser)
		if errors.Is(err, errWriting) {
			p.lose()
			<-p.done
		} else {
			code, reason := closeOf(err)
			closeWith(p.up, code, reason)
			p.end(code, reason)
		}
		p.drain()
	})
	wg.Go(func() {
		err := p.copy(p.down, p.up, maxFromRack)
		code, reason := closeOf(err)
		if code == websocket.CloseAbnormalClosure {
			code, reason = websocket.CloseTryAgainLater, "The connection to the lab was lost."
		}
		p.end(code, reason)
	})
	wg.Go(func() { p.watch(ctx, recheck, allowed) })
	<-p.done
	cancel()
	wg.Wait()
}

var errWriting = errors.New("passing a message on")

// copy passes messages on, whole and with their types, until a side ends. The
// error is never nil, and an errWriting when it was dst that ended.
func (p *pump) copy(dst, src *websocket.Conn, limit int64) error {
	src.SetReadLimit(limit)
	src.SetPongHandler(func(string) error { p.alive(src); return nil })
	p.alive(src)
	var buf bytes.Buffer
	for {
		kind, msg, err := src.NextReader()
		if err != nil {
			return err
		}
		buf.Reset()
		if _, err := buf.ReadFrom(msg); err != nil {
			return err
		}
		p.alive(src)
		_ = dst.SetWriteDeadline(time.Now().Add(writeWithin))
		if err := dst.WriteMessage(kind, buf.Bytes()); err != nil {
			return fmt.Errorf("%w: %w", errWriting, err)
		}
		if buf.Cap() > 512<<10 {
			buf = bytes.Buffer{} // one large state must not be held for hours
		}
	}
}

// drain reads what the browser still sends, at most until the deadline that
// end has set.
func (p *pump) drain() {
	for {
		_, _, err := p.down.NextReader()
		if errors.Is(err, websocket.ErrReadLimit) {
			_, _ = io.Copy(io.Discard, p.down.NetConn())
		}
		if err != nil {
			return
		}
	}
}

// watch pings both sides and asks now and then whether the person may go on.
func (p *pump) watch(ctx context.Context, recheck time.Duration, allowed func(context.Context) error) {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	check := time.NewTicker(recheck)
	defer check.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-ping.C:
			for _, c := range []*websocket.Conn{p.down, p.up} {
				// A ping that cannot be sent is noticed by the read deadline.
				_ = c.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second))
			}
		case <-check.C:
			err := allowed(ctx)
			switch labs.CodeOf(err) {
			case "", labs.Internal: // a database that is busy ends nobody's lab
			case labs.Unauthenticated:
				p.end(closeLoggedOut, loggedOut)
			default:
				p.end(closeDenied, "You may no longer see this lab.")
			}
		}
	}
}

// closeOf is the close code in err, or 1006 when the connection just ended.
func closeOf(err error) (int, string) {
	if c, ok := errors.AsType[*websocket.CloseError](err); ok {
		return c.Code, c.Text
	}
	if errors.Is(err, websocket.ErrReadLimit) {
		return websocket.CloseMessageTooBig, "That message was too large."
	}
	return websocket.CloseAbnormalClosure, ""
}

// closeWith sends a close frame. 1005 and 1006 stand for “no code” and “no
// frame” and may not be sent.
func closeWith(c *websocket.Conn, code int, reason string) {
	switch code {
	case websocket.CloseNoStatusReceived:
		code, reason = websocket.CloseNormalClosure, ""
	case websocket.CloseAbnormalClosure:
		code, reason = websocket.CloseGoingAway, ""
	}
	// A control frame holds 125 bytes, all of them UTF-8, even where it was cut.
	reason = strings.ToValidUTF8(reason[:min(len(reason), 120)], "")
	_ = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second))
}
