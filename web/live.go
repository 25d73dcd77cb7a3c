package web

import (
	"sync"

	"github.com/gorilla/websocket"
)

// Close codes of the stream that are our own; a rack's and the protocol's own
// pass through. 4000 and up are free for applications (RFC 6455, 7.4.2).
const (
	closeLoggedOut = 4401 // the session or token has ended: log in again
	closeDenied    = 4403 // this person may no longer see the rack
	closeStopped   = 4409 // the rack does not run: start the lab
)

// maxSockets is how many streams one person may have open: some 90 KiB each.
const maxSockets = 100

// live holds what outlasts a request, the sockets that are open above all. Its
// zero value is ready; it is safe for use by several goroutines.
type live struct {
	mu      sync.Mutex
	sockets map[*socket]struct{} // guarded by mu
	closed  bool                 // guarded by mu
	wg      sync.WaitGroup
}

// socket is one browser's stream, or a capture. end tells the browser why
// it ends, as far as there is a way to, and may take a second.
type socket struct {
	who     actor
	rack    string
	capture bool
	end     func(code int, reason string)
}

// enter holds up closeAll until leave is called, or says false when the server
// is going away.
func (l *live) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.wg.Add(1)
	return true
}

func (l *live) leave() { l.wg.Done() }

// add registers a socket. When it may not be, it says with what code and reason
// to close it; the code is zero otherwise. What was added must be removed.
func (l *live) add(s *socket) (code int, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return websocket.CloseServiceRestart, restarts
	}
	theirs := 0
	for other := range l.sockets {
		if other.who.ID == s.who.ID && other.capture == s.capture {
			theirs++
		}
	}
	if s.capture && theirs >= maxCaptures {
		return websocket.CloseTryAgainLater, "You have too many captures open. Please end some."
	}
	if !s.capture && theirs >= maxSockets {
		return websocket.CloseTryAgainLater, "You have this open too many times. Please close some windows."
	}
	if l.sockets == nil {
		l.sockets = make(map[*socket]struct{})
	}
	l.sockets[s] = struct{}{}
	l.wg.Add(1)
	return 0, ""
}

func (l *live) remove(s *socket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.sockets[s]; ok {
		delete(l.sockets, s)
		l.wg.Done()
	}
}

// endIf ends the sockets that match.
func (l *live) endIf(match func(*socket) bool, code int, reason string) {
	l.mu.Lock()
	var ending []*socket
	for s := range l.sockets {
		if match(s) {
			ending = append(ending, s)
		}
	}
	l.mu.Unlock()
	// Each may wait a second for a browser that does not read.
	var wg sync.WaitGroup
	for _, s := range ending {
		wg.Go(func() { s.end(code, reason) })
	}
	wg.Wait()
}

const (
	loggedOut = "You have been logged out. Please log in again."
	restarts  = "The server restarts. Your machines run on."
)

// endUser ends a user's sockets.
func (l *live) endUser(id int64) {
	l.endIf(func(s *socket) bool { return s.who.ID == id }, closeLoggedOut, loggedOut)
}

// endSession ends the sockets of one session or API token.
func (l *live) endSession(token string) {
	l.endIf(func(s *socket) bool { return s.who.token == token }, closeLoggedOut, loggedOut)
}

// closeAll ends all sockets, lets no more in, and waits.
func (l *live) closeAll() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.endIf(func(*socket) bool { return true }, websocket.CloseServiceRestart, restarts)
	l.wg.Wait()
}
