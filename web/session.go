package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/patchbay/patchbay/labs"
)

// What a session holds.
const (
	sessionUser  = "user"  // int64: labs.User.ID
	sessionEpoch = "epoch" // int64: labs.User.Epoch at log-in
	sessionSeen  = "seen"  // int64: when it was last used, Unix seconds, exact to seenGrain
	sessionFlash = "flash" // string: a sentence for the next page
)

// seenGrain is how often a session in use is written back: with scs's own idle
// timeout every single request would be a write to the database.
const seenGrain = time.Minute

// newSessions makes the manager of browser sessions: 256 random bits in the
// cookie, their hash in the database.
func newSessions(cfg Config, fail func(http.ResponseWriter, *http.Request, error)) *scs.SessionManager {
	m := scs.New()
	m.Store = cfg.Store.Sessions()
	m.HashTokenInStore = true
	m.Lifetime = cfg.Lifetime
	m.ErrorFunc = fail
	m.Cookie.Name = "patchbay"
	if cfg.Secure {
		m.Cookie.Name = "__Host-patchbay"
	}
	m.Cookie.HttpOnly = true
	m.Cookie.Secure = cfg.Secure
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.Cookie.Path = "/"
	m.Cookie.Persist = true
	return m
}

// readSession loads a request's session and never writes it back. It is for
// streams: their handlers run for hours, after which writing the session back
// would bring a log-out undone.
func (s *Server) readSession(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var token string
		if c, err := r.Cookie(s.sessions.Cookie.Name); err == nil {
			token = c.Value
		}
		ctx, err := s.sessions.Load(r.Context(), token)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// actor is who makes a request. Nobody's ID is 0.
type actor struct {
	labs.User
	script bool   // came with an API token instead of a session
	token  string // of the session or the API: to look it up again while a socket lives
}

func (a actor) known() bool { return a.ID != 0 }

// teaches says whether a may make courses.
func (a actor) teaches() bool { return a.Role == labs.Instructor || a.Role == labs.Admin }

func (a actor) admin() bool { return a.Role == labs.Admin }

type actorKey struct{}

func actorOf(ctx context.Context) actor {
	a, _ := ctx.Value(actorKey{}).(actor)
	return a
}

// tokenPrefix marks an API token, so that one that leaks is found by a search.
const tokenPrefix = "pb_"

// identify finds out who makes a request, by API token or session, and goes on
// with nobody when there is neither. It runs behind the session middleware.
func (s *Server) identify(next http.Handler) http.Handler {
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		ctx := r.Context()
		if auth := r.Header.Get("Authorization"); auth != "" {
			scheme, token, _ := strings.Cut(auth, " ")
			if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(r.URL.Path, "/api/") {
				return labs.Errorf(labs.Unauthenticated, "Send an API token as “Authorization: Bearer pb_…”, to the API alone.")
			}
			a, err := s.byToken(ctx, strings.TrimSpace(token))
			if err != nil {
				return err
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, actorKey{}, a)))
			return nil
		}
		a, err := s.bySession(ctx)
		if err != nil {
			return err
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, actorKey{}, a)))
		return nil
	})
}

func (s *Server) byToken(ctx context.Context, token string) (actor, error) {
	secret, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok {
		return actor{}, labs.Errorf(labs.Unauthenticated, "That is not an API token: they begin with %s.", tokenPrefix)
	}
	u, err := s.store.UserByToken(ctx, secret)
	if err != nil {
		return actor{}, err
	}
	return actor{User: u, script: true, token: token}, nil
}

// bySession gives nobody, without an error, for a session that is over.
func (s *Server) bySession(ctx context.Context) (actor, error) {
	id := s.sessions.GetInt64(ctx, sessionUser)
	if id == 0 {
		return actor{}, nil
	}
	now := time.Now()
	seen := time.Unix(s.sessions.GetInt64(ctx, sessionSeen), 0)
	u, err := s.store.User(ctx, id)
	if err != nil && labs.CodeOf(err) != labs.NotFound {
		return actor{}, err
	}
	if err != nil || u.Disabled || u.Epoch != s.sessions.GetInt64(ctx, sessionEpoch) || now.Sub(seen) > s.cfg.IdleTimeout {
		return actor{}, s.sessions.Destroy(ctx)
	}
	if now.Sub(seen) > seenGrain {
		s.sessions.Put(ctx, sessionSeen, now.Unix())
	}
	return actor{User: u, token: s.sessions.Token(ctx)}, nil
}

// again looks an actor up anew, as a live socket does now and then. A socket
// in use keeps its session from going idle.
func (s *Server) again(ctx context.Context, a actor) (actor, error) {
	if a.script {
		return s.byToken(ctx, a.token)
	}
	ctx, err := s.sessions.Load(ctx, a.token)
	if err != nil {
		return actor{}, err
	}
	before := s.sessions.GetInt64(ctx, sessionSeen)
	b, err := s.bySession(ctx)
	if err != nil {
		return actor{}, err
	}
	if !b.known() {
		return actor{}, labs.Errorf(labs.Unauthenticated, "You have been logged out. Please log in again.")
	}
	if s.sessions.GetInt64(ctx, sessionSeen) != before {
		if _, _, err := s.sessions.Commit(ctx); err != nil {
			return actor{}, err
		}
	}
	return b, nil
}

// logIn makes u the user of a fresh session.
func (s *Server) logIn(ctx context.Context, u labs.User) error {
	if err := s.sessions.Clear(ctx); err != nil {
		return err
	}
	if err := s.sessions.RenewToken(ctx); err != nil {
		return err
	}
	s.sessions.Put(ctx, sessionUser, u.ID)
	s.sessions.Put(ctx, sessionEpoch, u.Epoch)
	s.sessions.Put(ctx, sessionSeen, time.Now().Unix())
	return nil
}

// flash shows a sentence on the next page.
func (s *Server) flash(ctx context.Context, sentence string) {
	s.sessions.Put(ctx, sessionFlash, sentence)
}

// Middlewares that let only some people through.

var (
	errLogIn    = labs.Errorf(labs.Unauthenticated, "Please log in first.")
	errNotYours = labs.Errorf(labs.Forbidden, "This page is not for your role. If you think it should be, ask an administrator.")
	errBrowser  = labs.Errorf(labs.Forbidden, "An API token cannot do this. Log in with a browser.")
)

func (s *Server) onlyIf(may func(actor) error) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return s.handle(func(w http.ResponseWriter, r *http.Request) error {
			a := actorOf(r.Context())
			if !a.known() {
				return errLogIn
			}
			if err := may(a); err != nil {
				return err
			}
			next.ServeHTTP(w, r)
			return nil
		})
	}
}

func anybody(actor) error { return nil }

func teachers(a actor) error {
	if !a.teaches() {
		return errNotYours
	}
	return nil
}

func admins(a actor) error {
	if !a.admin() {
		return errNotYours
	}
	return nil
}

func people(a actor) error {
	if a.script {
		return errBrowser
	}
	return nil
}
