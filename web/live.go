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

// maxVisiting is how many requests to published pages one person may have under
// way, and maxVisitingRack how many of these to the pages of one rack: as many as
// a browser sends at once by HTTP/2. They are no streams, or a student's page could
// lock whoever looks at it out of the labs.
const (
	maxVisiting     = 256
	maxVisitingRack = 100
)

// live holds what outlasts a request, the sockets that are open above all. Its
// zero value is ready; it is safe for use by several goroutines.
type live struct {
	mu      sync.Mutex
	sockets map[*socket]struct{} // guarded by mu
	closed  bool                 // guarded by mu
	wg      sync.WaitGroup
}

// socket is one browser's stream, or something else of that kind. end tells the
// browser why it ends, as far as there is a way to, and may take a second.
type socket struct {
	who  actor
	rack string
	kind socketKind
	end  func(code int, reason string)
}

// socketKind is what a socket carries; each kind has a limit of its own.
type socketKind int

const (
	aStream  socketKind = iota // a lab page's
	aCapture                   // frames
	aVisit                     // one request to a published page
)

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
	theirs, inRack := 0, 0
	for other := range l.sockets {
		if other.who.ID == s.who.ID && other.kind == s.kind {
			theirs++
			if other.rack == s.rack {
				inRack++
			}
		}
	}
	switch {
	case s.kind == aCapture && theirs >= maxCaptures:
		return websocket.CloseTryAgainLater, "You have too many captures open. Please end some."
	case s.kind == aStream && theirs >= maxSockets:
		return websocket.CloseTryAgainLater, "You have this open too many times. Please close some windows."
	case s.kind == aVisit && (theirs >= maxVisiting || inRack >= maxVisitingRack):
		return websocket.CloseTryAgainLater, "Too much of this page is still loading. Please close some of its windows, or wait a moment."
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
