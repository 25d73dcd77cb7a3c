package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/patchbay/patchbay/labs"
)

// maxPublishedBody bounds the body of a request to a guest's page.
const maxPublishedBody = 64 << 20

// publishedRoutes answers on the origins of published pages. None of Patchbay's
// own headers is set there: the answers are a guest's.
func (s *Server) publishedRoutes() http.Handler {
	root := chi.NewRouter()
	if len(s.cfg.Proxies) > 0 {
		root.Use(middleware.ClientIPFromXFF(each(s.cfg.Proxies, netip.Prefix.String)...))
	}
	root.Use(s.logged)
	root.Get(enterPath, s.enterPublished)
	root.HandleFunc("/*", s.servePublished)
	return root
}

// visitCookie is the name of the cookie of an origin of published pages.
func (s *Server) visitCookie() string {
	if s.cfg.Secure {
		return "__Host-patchbay-visit"
	}
	return "patchbay-visit"
}

// enterPublished changes a token into a cookie, and says so to whoever's
// browser does not keep it, instead of going round in circles.
func (s *Server) enterPublished(w http.ResponseWriter, r *http.Request) {
	label, _ := s.publishedHost(r.Host)
	h := w.Header()
	h.Set("Referrer-Policy", "no-referrer") // the address has a secret in it
	h.Set("Cache-Control", "no-store")
	q := r.URL.Query()
	next := localPath(q.Get("next"))
	if token := q.Get("token"); token != "" {
		cookie, err := s.visits.enter(token, label, time.Now())
		if err != nil {
			s.failPublished(w, r, visit{home: s.openingURL(label, next)}, err)
			return
		}
		http.SetCookie(w, &http.Cookie{
			Name: s.visitCookie(), Value: cookie, Path: "/",
			HttpOnly: true, Secure: s.cfg.Secure, SameSite: http.SameSiteLaxMode,
		})
		http.Redirect(w, r, enterPath+"?next="+queryEscape(next), http.StatusSeeOther)
		return
	}
	if _, _, ok := s.visitOf(r, label); !ok {
		s.failPublished(w, r, visit{}, labs.Errorf(labs.Forbidden, "Your browser does not keep this page's cookie, without which the page cannot know you. Allow cookies for %s.", hostOnly(r.Host)))
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// visitOf finds the visit of a request. A page of a neighbouring origin may have
// set cookies of the same name; the right one is among them.
func (s *Server) visitOf(r *http.Request, label string) (v visit, cookie string, ok bool) {
	for i, c := range r.CookiesNamed(s.visitCookie()) {
		if i == 8 {
			break
		}
		if v, ok := s.visits.find(c.Value, label, time.Now()); ok {
			return v, c.Value, true
		}
	}
	return visit{}, "", false
}

// openingURL is where in Patchbay a label's page is opened; empty where that
// cannot be said.
func (s *Server) openingURL(label, path string) string {
	rackID, node, port, ok := labelParts(label)
	base := ""
	if p := s.cfg.PublicURL; p != nil {
		base = p.Scheme + "://" + p.Host
	}
	if !ok || base == "" {
		return ""
	}
	return fmt.Sprintf("%s/racks/%s/published/%s/%d?path=%s", base, rackID, url.PathEscape(node), port, queryEscape(path))
}

// servePublished passes a request on to the guest, for whoever may see it.
func (s *Server) servePublished(w http.ResponseWriter, r *http.Request) {
	label, _ := s.publishedHost(r.Host)
	v, cookie, ok := s.visitOf(r, label)
	var err error
	if ok {
		if err = s.mayVisit(r.Context(), v); labs.CodeOf(err) == labs.Unauthenticated {
			s.visits.leave(cookie)
		}
	} else {
		err = labs.Errorf(labs.Unauthenticated, "Open this page from its lab in Patchbay, where you are logged in.")
	}
	if labs.CodeOf(err) == labs.Unauthenticated {
		if v.home == "" {
			v.home = s.openingURL(label, "/")
		}
		opening := s.openingURL(label, r.URL.RequestURI())
		if opening != "" && (r.Method == http.MethodGet || r.Method == http.MethodHead) && navigates(r) {
			http.Redirect(w, r, opening, http.StatusSeeOther)
			return
		}
	}
	if err == nil && s.fromElsewhere(r, v) {
		err = labs.Errorf(labs.Forbidden, "A page of somewhere else asked for this. Open the page from its lab in Patchbay.")
	}
	if err != nil {
		s.failPublished(w, r, v, err)
		return
	}
	s.passOn(w, r, v)
}

// navigates says whether a browser asks for a page to show, not for a part of
// one or by a script.
func navigates(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return mode == "navigate" || mode == "" && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// fromElsewhere says whether a page that is not of this rack has a browser ask for
// more than to be shown this one. All labs' pages may be in one site, within which
// browsers send cookies along: one student's page could act on another's by the
// browser of whoever looks at both. What is no browser says nothing of this.
func (s *Server) fromElsewhere(r *http.Request, v visit) bool {
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	switch {
	case site == "same-origin" || site == "none":
		return false
	case site == "" && origin == "":
		return false
	case safe && r.Header.Get("Sec-Fetch-Mode") == "navigate":
		return false
	case origin == "":
		origin = r.Referer()
	}
	u, err := url.Parse(origin)
	if err != nil {
		return true
	}
	if u.Host == r.Host && u.Host != "" {
		return false
	}
	label, ok := s.publishedHost(u.Host)
	from, _, _, isLabel := labelParts(label)
	return !ok || !isLabel || from != v.rack
}

// mayVisit says whether a visit's person is logged in as they were, and may
// still see the rack. It does not keep their session from going idle: that is
// not for a guest's page to do.
func (s *Server) mayVisit(ctx context.Context, v visit) error {
	ctx, err := s.sessions.Load(ctx, v.who.token)
	if err != nil {
		return err
	}
	a, err := s.bySession(ctx)
	if err != nil {
		return err
	}
	if a.ID != v.who.ID {
		return labs.Errorf(labs.Unauthenticated, "You have been logged out. Log in to Patchbay, and open this page from its lab.")
	}
	_, _, err = s.findRack(ctx, a, v.rack)
	return err
}

// passOn has the proxy answer a request, for as long as the person may see it.
func (s *Server) passOn(w http.ResponseWriter, r *http.Request, v visit) {
	if r.Method == http.MethodConnect {
		s.failPublished(w, r, v, labs.Errorf(methodNotAllowed, "CONNECT does not work at this address."))
		return
	}
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), visitKey{}, v))
	sock := &socket{who: v.who, rack: v.rack, kind: aVisit, end: func(int, string) { cancel() }}
	if code, reason := s.live.add(sock); code != 0 {
		cancel()
		s.failPublished(w, r, v, labs.Errorf(unavailable, "%s", reason))
		return
	}
	defer s.live.remove(sock)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { s.watchVisit(ctx, cancel, v) })
	// An answer may take as long as it likes, as long as it moves.
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Time{}) // neither is there in every test
	_ = rc.SetWriteDeadline(time.Time{})
	r.Body = http.MaxBytesReader(w, r.Body, maxPublishedBody)
	s.proxy.ServeHTTP(&movingWriter{ResponseWriter: w, rc: rc}, r.WithContext(ctx))
}

type visitKey struct{}

func visitOf(ctx context.Context) visit {
	v, _ := ctx.Value(visitKey{}).(visit)
	return v
}

// watchVisit asks now and then whether a request under way may go on.
func (s *Server) watchVisit(ctx context.Context, cancel func(), v visit) {
	tick := time.NewTicker(s.cfg.Recheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			err := s.mayVisit(ctx, v)
			if code := labs.CodeOf(err); code != "" && code != labs.Internal { // a database that is busy ends nothing
				cancel()
				return
			}
		}
	}
}

// movingWriter gives every write its own time.
type movingWriter struct {
	http.ResponseWriter
	rc *http.ResponseController
}

func (m *movingWriter) Write(b []byte) (int, error) {
	_ = m.rc.SetWriteDeadline(time.Now().Add(writeWithin))
	return m.ResponseWriter.Write(b)
}

// WriteHeader keeps a guest's informational answers, such as hints at what to
// load, to itself: fromGuest does not see them.
func (m *movingWriter) WriteHeader(status int) {
	if status < 100 || status >= 200 {
		m.ResponseWriter.WriteHeader(status)
	}
}

// Unwrap is for http.ResponseController.
func (m *movingWriter) Unwrap() http.ResponseWriter { return m.ResponseWriter }

// publishedPage is what a page of ours on a guest's origin shows.
type publishedPage struct {
	Heading, Message, Home string
	Again                  bool
}

func parsePublishedPage() (*template.Template, error) {
	t, err := template.ParseFS(templates, "templates/published/page.html")
	if err != nil {
		return nil, fmt.Errorf("parsing templates: %w", err)
	}
	return t, nil
}

// failPublished answers with a page of ours. It has nothing of Patchbay's origin
// in it but a link.
func (s *Server) failPublished(w http.ResponseWriter, r *http.Request, v visit, err error) {
	status := statusOf(err)
	p := publishedPage{Heading: "This page is not open", Message: labs.MessageOf(err), Home: v.home}
	switch {
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		return // nobody is there to read it, or nobody who may
	case status == http.StatusInternalServerError:
		s.log.ErrorContext(r.Context(), "published page failed", "request", requestID(r.Context()), "rack", v.rack, "err", err)
		p.Heading, p.Message = "Something went wrong", "Something went wrong on our side. Please try again in a moment."
	case status == http.StatusBadGateway:
		p.Heading = fmt.Sprintf("%s, port %d", v.node, v.port)
	case status == http.StatusRequestEntityTooLarge:
		p.Message = "That is more than a page in a lab may be sent."
	}
	p.Again = status >= 500 || status == http.StatusConflict
	var b bytes.Buffer
	if err := s.publishedPage.Execute(&b, p); err != nil {
		s.log.Error("rendering a published page's error", "err", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	retryAfter(w, status)
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the only error left is a client that has gone
}
