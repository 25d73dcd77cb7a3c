package web

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

type requestKey struct{}

// requestID names a request in the log and on the error page.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// route is the pattern that a request matched, such as /link/{secret}: what may
// be logged of a path that can hold a secret.
func route(r *http.Request) string {
	if rc := chi.RouteContext(r.Context()); rc != nil {
		if p := rc.RoutePattern(); p != "" {
			return p
		}
	}
	return "none"
}

// logged gives each request an ID and writes one line when it is answered.
func (s *Server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := rand.Text()[:10]
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, id))
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		start := time.Now()
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				s.log.Error("handler panicked", "request", id, "route", route(r), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				if ww.Status() == 0 {
					http.Error(ww, "Something went wrong on our side.", http.StatusInternalServerError)
				}
			}
			level := slog.LevelInfo
			if strings.HasPrefix(r.URL.Path, "/static/") || r.URL.Path == "/healthz" {
				level = slog.LevelDebug
			}
			status := ww.Status()
			if status == 0 && r.Header.Get("Upgrade") != "" {
				status = http.StatusSwitchingProtocols // the connection was taken over
			}
			s.log.Log(r.Context(), level, "request", "request", id, "method", r.Method, "route", route(r),
				"status", status, "bytes", ww.BytesWritten(), "ms", time.Since(start).Milliseconds(), "from", address(r))
		}()
		next.ServeHTTP(ww, r)
	})
}

// The content security policy: nothing but our own, no inline script. xterm.js
// makes style elements as it runs, so styles may be inline.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// headers sets what every answer carries.
func (s *Server) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// Not even to ourselves: the address of a one-time link is a secret.
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		h.Set("Cache-Control", "no-store") // static files say otherwise
		if s.cfg.Secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// sameOrigin says whether a request with an Origin header comes from one of
// our own pages.
func (s *Server) sameOrigin(r *http.Request) bool {
	origin, err := url.Parse(r.Header.Get("Origin"))
	if err != nil || origin.Host == "" {
		return false
	}
	if p := s.cfg.PublicURL; p != nil && origin.Scheme == p.Scheme && strings.EqualFold(origin.Host, p.Host) {
		return true
	}
	return strings.EqualFold(origin.Host, r.Host)
}

// address is the other end's, without the port: what one of Config.Proxies says
// of who asked it, and otherwise who the connection is from.
func address(r *http.Request) string {
	if ip := middleware.GetClientIP(r.Context()); ip != "" {
		return ip
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func queryEscape(s string) string { return url.QueryEscape(s) }

// localPath is where to go after logging in: a path of ours, or "/".
func localPath(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}
