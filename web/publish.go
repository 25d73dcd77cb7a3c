package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"golang.org/x/net/publicsuffix"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
)

// What runs on a port of a node that its lab publishes is shown on an origin of
// its own, PORT-NODE-RACK below Config.PublishDomain. Its pages are a student's:
// they must neither act on Patchbay's origin nor be given its cookie, which is
// for Patchbay's own host alone.
//
// Whoever follows a link to /racks/{rack}/published/{node}/{port} and may see
// the rack is sent to that origin with a token in the address. The token is good
// once, for a minute, for one person, node and port. It is changed into a cookie
// for that origin alone, which stands for the person's session here: each request
// looks the session up anew, and where it is over, or the rack no longer theirs,
// the cookie is worth nothing.

// localDomain is where published pages are when nobody chose a domain: browsers
// take every name below it for the machine they run on.
const localDomain = "localhost"

// enterPath is where a token is changed into a cookie. A guest's page cannot
// have this path.
const enterPath = "/.patchbay/enter"

var plainNode = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// maxLabel is the length of a part of a host's name.
const maxLabel = 63

// publishedLabel is the first part of the name of a port's origin. Names of
// nodes that no host may have are replaced by a hash of theirs.
func publishedLabel(rackID, node string, port int) string {
	if label := fmt.Sprintf("%d-%s-%s", port, node, rackID); plainNode.MatchString(node) && len(label) <= maxLabel {
		return label
	}
	h := sha256.Sum256([]byte(node))
	return fmt.Sprintf("%d-n-%s-%s", port, hex.EncodeToString(h[:8]), rackID)
}

// labelParts takes a label apart, as far as it says what it is for.
func labelParts(label string) (rackID, node string, port int, ok bool) {
	p, rest, ok := strings.Cut(label, "-")
	at := strings.LastIndexByte(rest, '-')
	port, err := strconv.Atoi(p)
	if !ok || at <= 0 || err != nil || port < 1 || port > 65535 {
		return "", "", 0, false
	}
	return rest[at+1:], rest[:at], port, true
}

// checkPublishDomain says what is wrong with the domain that was chosen. Pages
// below it are students': they may set cookies for every host of the site that
// the domain is in. Over HTTPS ours are of a kind that no other host can set;
// over HTTP a page could set the session's cookie, so the domain must then be in
// another site than Patchbay's own host.
func checkPublishDomain(cfg Config) error {
	d := cfg.PublishDomain
	if d == "" {
		return nil
	}
	if d != strings.ToLower(d) || len(d) > 253-maxLabel-1 || strings.Contains(d, "..") || !domainName.MatchString(d) {
		return fmt.Errorf("the domain of published pages, %q: write a domain in lower case alone, such as labs.example.org", d)
	}
	if cfg.PublicURL == nil {
		return nil
	}
	own := strings.ToLower(cfg.PublicURL.Hostname())
	if strings.HasSuffix(own, "."+d) {
		return fmt.Errorf("the domain of published pages, %s, has Patchbay's own host %s in it: choose one beside it or below it", d, own)
	}
	if !cfg.Secure && site(own) == site(d) {
		return fmt.Errorf("the domain of published pages, %s, is in the same site as %s: without HTTPS, pages there could set Patchbay's cookies; use HTTPS, or another domain", d, own)
	}
	return nil
}

var domainName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// site is the part of a host's name within which hosts share cookies.
func site(host string) string {
	s, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return host // an address, or a name that shares with none
	}
	return s
}

// publishDomain is the domain of published pages, and whether it was chosen.
func (s *Server) publishDomain() (domain string, chosen bool) {
	if d := s.cfg.PublishDomain; d != "" {
		return d, true
	}
	return localDomain, false
}

// publishedHost says whether a request's host is one of published pages, and
// gives the part of its name below the domain.
func (s *Server) publishedHost(hostport string) (label string, ok bool) {
	host := strings.ToLower(hostOnly(hostport))
	if p := s.cfg.PublicURL; p != nil && host == strings.ToLower(p.Hostname()) {
		return "", false
	}
	domain, _ := s.publishDomain()
	return strings.CutSuffix(host, "."+domain)
}

func hostOnly(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		hostport = host
	}
	return strings.TrimSuffix(hostport, ".")
}

func isLoopback(host string) bool {
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return ip.IsLoopback()
	}
	return host == localDomain
}

// publishedOrigin is where a browser that made request r finds a label.
func (s *Server) publishedOrigin(r *http.Request, label string) (*url.URL, error) {
	u := &url.URL{Scheme: "http"}
	_, port, _ := net.SplitHostPort(r.Host)
	if p := s.cfg.PublicURL; p != nil {
		u.Scheme, port = p.Scheme, p.Port()
	} else if s.cfg.Secure {
		u.Scheme = "https"
	}
	domain, chosen := s.publishDomain()
	if !chosen && !isLoopback(strings.ToLower(hostOnly(r.Host))) {
		// The name would lead to the machine that the browser runs on.
		return nil, labs.Errorf(labs.Conflict, "This server has no domain for pages that run in labs. Its administrator can give it one: patchbay serve --publish-domain=DOMAIN.")
	}
	if u.Host = label + "." + domain; port != "" {
		u.Host = net.JoinHostPort(u.Host, port)
	}
	return u, nil
}

// openPublished sends a browser on to what runs on a port of a node.
func (s *Server) openPublished(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	a := actorOf(ctx)
	rec, _, err := s.findRack(ctx, a, chi.URLParam(r, "rack"))
	if err != nil {
		return err
	}
	node := chi.URLParam(r, "node")
	port, err := strconv.Atoi(chi.URLParam(r, "port"))
	if err != nil || port < 1 || port > 65535 {
		return errNotPublished
	}
	asking, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	st, err := s.racks.State(asking, rec.ID)
	if err != nil {
		return notRunning(err)
	}
	if !slices.ContainsFunc(st.Nodes, func(n rack.NodeState) bool {
		return n.Name == node && slices.Contains(n.Publish, uint16(port))
	}) {
		return errNotPublished
	}
	label := publishedLabel(rec.ID, node, port)
	origin, err := s.publishedOrigin(r, label)
	if err != nil {
		return err
	}
	token, err := s.visits.invite(visit{
		who: a, rack: rec.ID, node: node, port: port, label: label,
		home: s.baseURL(r) + "/racks/" + rec.ID,
	}, time.Now())
	if err != nil {
		return err
	}
	origin.Path = enterPath
	origin.RawQuery = url.Values{"token": {token}, "next": {localPath(r.URL.Query().Get("path"))}}.Encode()
	return redirect(w, r, origin.String())
}

var errNotPublished = labs.Errorf(labs.NotFound, "This lab publishes no such port.")

// baseURL is where a browser that made request r finds Patchbay.
func (s *Server) baseURL(r *http.Request) string {
	if p := s.cfg.PublicURL; p != nil {
		return p.Scheme + "://" + p.Host
	}
	scheme := "http"
	if s.cfg.Secure {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
