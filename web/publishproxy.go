package web

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"time"

	"github.com/patchbay/patchbay/labs"
)

// unreachable is the code of what a guest's program does not answer.
const unreachable labs.Code = "unreachable"

// newPublishProxy passes requests on to guests. Connections to one port of one
// node are used again, since the name that the transport dials says which it is.
func (s *Server) newPublishProxy() *httputil.ReverseProxy {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			rackID, node, port, err := guestOf(address)
			if err != nil {
				return nil, err
			}
			return s.racks.Connect(ctx, rackID, node, port)
		},
		// What a student's server calls itself is nobody's business here: the
		// way to it lies within this machine.
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: true},
		TLSHandshakeTimeout:    10 * time.Second,
		DisableCompression:     true, // as the browser and the guest agree
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    4,
		MaxConnsPerHost:        48, // a guest takes 64
		IdleConnTimeout:        30 * time.Second,
		ResponseHeaderTimeout:  time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
	}
	s.closeIdle = transport.CloseIdleConnections
	return &httputil.ReverseProxy{
		Rewrite:        s.toGuest,
		ModifyResponse: s.fromGuest,
		Transport:      transport,
		FlushInterval:  -1, // a page that trickles is shown as it comes
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			v := visitOf(r.Context())
			s.log.Debug("published page", "rack", v.rack, "node", v.node, "port", v.port, "err", err)
			s.failPublished(w, r, v, guestError(v, err))
		},
	}
}

// guestAddress names a port of a node for the transport; guestOf reads it.
func guestAddress(v visit) string {
	return hex.EncodeToString([]byte(v.node)) + "." + v.rack + ":" + strconv.Itoa(v.port)
}

func guestOf(address string) (rackID, node string, port int, err error) {
	host, p, err := net.SplitHostPort(address)
	if err != nil {
		return "", "", 0, fmt.Errorf("dialling a guest: %w", err)
	}
	name, rackID, _ := strings.Cut(host, ".")
	n, err := hex.DecodeString(name)
	if err != nil {
		return "", "", 0, fmt.Errorf("dialling a guest: %w", err)
	}
	if port, err = strconv.Atoi(p); err != nil {
		return "", "", 0, fmt.Errorf("dialling a guest: %w", err)
	}
	return rackID, string(n), port, nil
}

// toGuest makes the guest's request of a browser's. The Host stays the browser's:
// it is the page's origin, by which programs make links and know their own
// scripts.
func (s *Server) toGuest(p *httputil.ProxyRequest) {
	v := visitOf(p.In.Context())
	p.Out.URL.Scheme = "http"
	if v.port == 443 {
		p.Out.URL.Scheme = "https"
	}
	p.Out.URL.Host = guestAddress(v)
	p.Out.Host = p.In.Host
	if up := p.Out.Header.Get("Upgrade"); up != "" && !strings.EqualFold(up, "websocket") {
		p.Out.Header.Del("Upgrade") // such as HTTP/2, whose requests would go unseen
		p.Out.Header.Del("Connection")
	}
	scheme := "http"
	if s.cfg.Secure || s.cfg.PublicURL != nil && s.cfg.PublicURL.Scheme == "https" {
		scheme = "https"
	}
	p.Out.Header.Set("X-Forwarded-Proto", scheme)
	p.Out.Header.Del("X-Real-Ip") // a reverse proxy's before us; where somebody sits is not the guest's to know
	p.Out.Header.Del("True-Client-Ip")
	s.dropOurCookies(p.Out.Header)
}

// dropOurCookies takes what is ours out of a request's cookies and leaves the
// others as they are.
func (s *Server) dropOurCookies(h http.Header) {
	lines := h["Cookie"]
	h.Del("Cookie")
	for _, line := range lines {
		var kept []string
		for pair := range strings.SplitSeq(line, ";") {
			name, _, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if !s.ourCookie(name) {
				kept = append(kept, strings.TrimSpace(pair))
			}
		}
		if len(kept) > 0 {
			h.Add("Cookie", strings.Join(kept, "; "))
		}
	}
}

func (s *Server) ourCookie(name string) bool {
	name = strings.TrimSpace(name)
	return name == s.visitCookie() || name == s.sessions.Cookie.Name
}

// notForGuests are headers by which an answer would reach beyond its own page:
// to other origins of the domain, or to later visits.
var notForGuests = [...]string{
	"Clear-Site-Data", // would log people out of every origin of the domain
	"Strict-Transport-Security", "Public-Key-Pins", "Alt-Svc", "Nel", "Report-To", "Reporting-Endpoints", "Expect-Ct",
}

// fromGuest keeps an answer to its origin.
func (s *Server) fromGuest(resp *http.Response) error {
	h := resp.Header
	for _, name := range notForGuests {
		h.Del(name)
	}
	cookies := h["Set-Cookie"]
	h.Del("Set-Cookie")
	for _, c := range cookies {
		if c, ok := s.guestCookie(c); ok {
			h.Add("Set-Cookie", c)
		}
	}
	h.Add("Vary", "Cookie")             // for caches on the way: whose page this is
	h.Set("Origin-Agent-Cluster", "?1") // document.domain joins it with no other origin
	return nil
}

// guestCookie is a Set-Cookie of a guest without the attribute that would give
// it to other origins. It says false for one that would be ours.
func (s *Server) guestCookie(line string) (string, bool) {
	parts := strings.Split(line, ";")
	name, _, _ := strings.Cut(parts[0], "=")
	if s.ourCookie(name) {
		return "", false
	}
	kept := parts[:1]
	for _, attribute := range parts[1:] {
		key, _, _ := strings.Cut(attribute, "=")
		if !strings.EqualFold(strings.TrimSpace(key), "domain") {
			kept = append(kept, attribute)
		}
	}
	return strings.Join(kept, ";"), true
}

// guestError says in a sentence what is wrong with a guest's page.
func guestError(v visit, err error) error {
	say := func(code labs.Code, format string, args ...any) error {
		return &labs.Error{Code: code, Message: fmt.Sprintf(format, args...), Cause: err}
	}
	var tooBig *http.MaxBytesError
	refused, isRefusal := asRefusal(err)
	switch {
	case errors.As(err, &tooBig):
		return err
	case isRefusal && refused.Status == http.StatusNotFound:
		return errNotPublished
	case isRefusal && strings.HasPrefix(refused.Problem.Error, "nothing listens"):
		return say(unreachable, "Nothing listens on port %d of %s. Start its server there, on all addresses or on 127.0.0.1, and try again.", v.port, v.node)
	case isRefusal && refused.Status < http.StatusInternalServerError:
		return say(unreachable, "%s: %s", v.node, sentence(refused.Problem.Error))
	case labs.CodeOf(err) == labs.NotFound:
		return say(labs.Conflict, "This lab is not running. Start it in Patchbay, and try again.")
	case errors.Is(err, context.Canceled):
		return err
	}
	return say(unreachable, "What listens on port %d of %s does not answer as a web server does, or not in time.", v.port, v.node)
}
