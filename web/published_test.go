package web_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/web"
)

// publishing is a site whose first lab publishes port 80 of pc1, where guest
// answers.
func publishing(t *testing.T, guest http.Handler, change ...func(*web.Config)) *site {
	t.Helper()
	inside := httptest.NewServer(guest)
	s := newSite(t, append([]func(*web.Config){func(c *web.Config) {
		c.Labs[0].Topology.Nodes[0].Publish = []uint16{80}
		c.Recheck = 20 * time.Millisecond
	}}, change...)...)
	s.racks.guest = func(ctx context.Context, _, node string, port int) (net.Conn, error) {
		if node != "pc1" || port != 80 {
			return nil, &rack.Refusal{Status: 404, Problem: rack.Problem{Error: "not published"}}
		}
		return new(net.Dialer).DialContext(ctx, "tcp", inside.Listener.Addr().String())
	}
	t.Cleanup(inside.Close) // before the site, whose Close waits for what is under way
	return s
}

// surfer is a browser that finds every host at the site, and follows links.
func (s *site) surfer(login string) *browser {
	s.t.Helper()
	b := s.as(login)
	b.client.Transport = s.everywhere()
	return b
}

func (s *site) everywhere() *http.Transport {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(s.url, "http://"))
	}}
	s.t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// at asks for a whole address.
func (b *browser) at(method, address string, body io.Reader) (answer, *http.Request) {
	b.s.t.Helper()
	req, err := http.NewRequest(method, address, body)
	b.s.must(err)
	for k, v := range b.header {
		req.Header[k] = v
	}
	resp, err := b.client.Do(req)
	b.s.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	b.s.must(err)
	return answer{resp.StatusCode, resp.Header, string(text)}, resp.Request
}

// enter follows the way to pc1's port 80 and returns its origin.
func (b *browser) enter(id string) string {
	b.s.t.Helper()
	first := b.get("/racks/" + id + "/published/pc1/80?path=/first")
	first.wants(b.s.t, http.StatusSeeOther)
	second, _ := b.at("GET", first.header.Get("Location"), nil)
	second.wants(b.s.t, http.StatusSeeOther)
	u, err := url.Parse(first.header.Get("Location"))
	b.s.must(err)
	origin := u.Scheme + "://" + u.Host
	third, _ := b.at("GET", origin+second.header.Get("Location"), nil)
	third.wants(b.s.t, http.StatusSeeOther)
	if third.header.Get("Location") != "/first" {
		b.s.t.Errorf("the way leads to %q", third.header.Get("Location"))
	}
	return origin
}

func TestPublished(t *testing.T) {
	var seen http.Header
	var host string
	s := publishing(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen, host = r.Header.Clone(), r.Host
		h := w.Header()
		h.Add("Set-Cookie", "mine=1; Path=/; Domain=localhost; HttpOnly")
		h.Add("Set-Cookie", "patchbay-visit=stolen")
		h.Add("Set-Cookie", "patchbay=stolen")
		h.Set("Clear-Site-Data", `"cookies"`)
		h.Set("Strict-Transport-Security", "max-age=1; includeSubDomains")
		h.Set("X-Guest", "yes")
		fmt.Fprintf(w, "hello from %s", r.URL)
	}))
	id := s.startLab()
	ada := s.surfer("ada")
	origin := ada.enter(id)
	port := s.url[strings.LastIndexByte(s.url, ':'):]
	if want := "http://80-pc1-" + id + ".localhost" + port; origin != want {
		t.Errorf("the origin is %q; want %q", origin, want)
	}
	a, _ := ada.at("GET", origin+"/a/b?c=d", nil)
	a.wants(t, http.StatusOK, "hello from /a/b?c=d")
	for name, want := range map[string]string{"X-Guest": "yes", "Set-Cookie": "mine=1; Path=/; HttpOnly", "Content-Security-Policy": "",
		"X-Frame-Options": "", "Clear-Site-Data": "", "Strict-Transport-Security": "", "Cross-Origin-Opener-Policy": ""} {
		if got := strings.Join(a.header.Values(name), " | "); got != want {
			t.Errorf("the guest's answer has %s: %q; want %q", name, got, want)
		}
	}
	ada.header = http.Header{"X-Forwarded-For": {"192.0.2.1"}, "Cookie": {"patchbay=x; b=2;c=3"}}
	a, _ = ada.at("GET", origin+"/", nil)
	a.wants(t, http.StatusOK)
	if c := strings.Join(seen.Values("Cookie"), "; "); strings.Contains(c, "patchbay") || !strings.Contains(c, "mine=1") || !strings.Contains(c, "b=2; c=3") {
		t.Errorf("the guest is sent the cookies %q", c)
	}
	if seen.Get("X-Forwarded-For") != "" || host != strings.TrimPrefix(origin, "http://") {
		t.Errorf("the guest is told the host %q and %v", host, seen)
	}
}

// The cookie of a published page is for its host alone, and Patchbay's own is
// never sent there.
func TestVisitCookie(t *testing.T) {
	s := publishing(t, http.NotFoundHandler())
	id := s.startLab()
	ada := s.surfer("ada")
	first := ada.get("/racks/" + id + "/published/pc1/80")
	second, req := ada.at("GET", first.header.Get("Location"), nil)
	c := second.header.Get("Set-Cookie")
	if !strings.HasPrefix(c, "patchbay-visit=") || !strings.Contains(c, "; HttpOnly") || !strings.Contains(c, "; SameSite=Lax") ||
		!strings.Contains(c, "; Path=/") || strings.Contains(strings.ToLower(c), "domain") {
		t.Errorf("the cookie is %q", c)
	}
	if got := req.Header.Get("Cookie"); got != "" {
		t.Errorf("the other origin is sent %q", got)
	}
	if len(c) < len("patchbay-visit=")+26 || second.header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("too short a secret, or one that is passed on: %v", second.header)
	}
	// The token is good once, and on its own host alone.
	again, _ := ada.at("GET", first.header.Get("Location"), nil)
	again.wants(t, http.StatusNotFound, "used, or it is too old")
	other := ada.get("/racks/" + id + "/published/pc1/80")
	wrong, _ := ada.at("GET", strings.Replace(other.header.Get("Location"), "80-pc1-", "81-pc1-", 1), nil)
	wrong.wants(t, http.StatusNotFound, "used, or it is too old")
	// A browser without cookies is told so.
	u, err := url.Parse(first.header.Get("Location"))
	s.must(err)
	s.browserWithout().plain(u.Scheme+"://"+u.Host+"/.patchbay/enter?next=/").wants(t, http.StatusForbidden, "does not keep this page")
}

// browserWithout keeps no cookies.
func (s *site) browserWithout() *browser {
	b := s.browser()
	b.client.Jar = nil
	b.client.Transport = s.everywhere()
	return b
}

func (b *browser) plain(address string) answer {
	a, _ := b.at("GET", address, nil)
	return a
}

// Nobody gets where they may not, whatever they bring.
func TestPublishedAcrossTenants(t *testing.T) {
	reached := 0
	s := publishing(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { reached++; _, _ = io.WriteString(w, "ada's page") }))
	id := s.startLab()
	ada := s.surfer("ada")
	origin := ada.enter(id)
	ada.plain(origin+"/").wants(t, http.StatusOK, "ada's page")
	reached = 0
	for _, login := range []string{"bob", "iris"} {
		b := s.surfer(login)
		yes, no := b.get("/racks/"+id+"/published/pc1/80"), b.get("/racks/aaaaaaaaaaaa/published/pc1/80")
		if yes.status != http.StatusNotFound || yes.body != no.body {
			t.Errorf("%s: a rack that is another's answers %d, one that is not there %d", login, yes.status, no.status)
		}
		b.plain(origin+"/").wants(t, http.StatusUnauthorized, "Open this page from its lab")
	}
	s.browserWithout().plain(origin+"/").wants(t, http.StatusUnauthorized)
	// A token that ada leaves unused is of no use on another's origin; nor is a cookie.
	u, err := url.Parse(origin)
	s.must(err)
	cookies := ada.client.Jar.Cookies(u)
	thief := s.browserWithout()
	thief.header.Set("Cookie", cookies[0].String())
	thief.plain(strings.Replace(origin, "pc1", "pc2", 1)+"/").wants(t, http.StatusUnauthorized)
	thief.header.Set("Cookie", "patchbay-visit=; patchbay-visit=x; patchbay-visit="+strings.Repeat("A", 52))
	thief.plain(origin+"/").wants(t, http.StatusUnauthorized)
	// Ports that are not published, and names that mean nothing.
	ada.get("/racks/"+id+"/published/pc1/81").wants(t, http.StatusNotFound)
	ada.get("/racks/"+id+"/published/pc2/80").wants(t, http.StatusNotFound)
	ada.get("/racks/"+id+"/published/pc1/x").wants(t, http.StatusNotFound)
	ada.plain("http://nothing.localhost/").wants(t, http.StatusUnauthorized)
	ada.plain("http://a.80-pc1-"+id+".localhost/").wants(t, http.StatusUnauthorized)
	// Patchbay itself is not to be found on such a host.
	ada.plain("http://nothing.localhost/login").wants(t, http.StatusUnauthorized)
	if reached != 0 {
		t.Errorf("the guest was reached %d times", reached)
	}
	// Staff may look, and the admin.
	for _, login := range []string{"ivan", "root"} {
		b := s.surfer(login)
		b.plain(b.enter(id)+"/").wants(t, http.StatusOK, "ada's page")
	}
}

// What ends a person's access ends it here, too.
func TestPublishedEnds(t *testing.T) {
	s := publishing(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "page")
		if r.URL.Path == "/long" {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	}))
	id := s.startLab()
	end := func(login string, how func(b *browser)) {
		t.Helper()
		b := s.surfer(login)
		origin := b.enter(id)
		b.plain(origin+"/").wants(t, http.StatusOK, "page")
		resp, err := b.client.Get(origin + "/long")
		s.must(err)
		how(b)
		if text, _ := io.ReadAll(resp.Body); string(text) != "page" { // it ends
			t.Errorf("%s: the long answer was %q", login, text)
		}
		resp.Body.Close()
		if a := b.plain(origin + "/"); a.status == http.StatusOK {
			t.Errorf("%s: still sees the page", login)
		}
	}
	end("ada", func(b *browser) { b.post("/logout", nil).wants(t, http.StatusSeeOther) })
	end("ivan", func(*browser) {
		courses, err := s.db.Courses(context.Background())
		s.must(err)
		for _, c := range courses {
			if c.Title == "Networks" {
				s.must(s.db.Enrol(context.Background(), c.ID, s.find("ivan").ID, false)) // staff no more
			}
		}
	})
	end("ada", func(*browser) {
		u := s.find("ada")
		u.Disabled = true
		s.must(s.db.UpdateUser(context.Background(), &u))
	})
}

func TestPublishedWebsocket(t *testing.T) {
	s := publishing(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var u websocket.Upgrader
		c, err := u.Upgrade(w, r, nil) // checks the Origin against the Host
		if err != nil {
			return
		}
		defer c.Close()
		for {
			kind, msg, err := c.ReadMessage()
			if err != nil {
				return
			}
			if c.WriteMessage(kind, msg) != nil {
				return
			}
		}
	}))
	id := s.startLab()
	ada := s.surfer("ada")
	origin := ada.enter(id)
	d := websocket.Dialer{Jar: ada.client.Jar, NetDialContext: s.everywhere().DialContext}
	c, _, err := d.Dial("ws"+strings.TrimPrefix(origin, "http")+"/ws", http.Header{"Origin": {origin}})
	s.must(err)
	defer c.Close()
	s.must(c.WriteMessage(websocket.TextMessage, []byte("hello")))
	if _, msg, err := c.ReadMessage(); err != nil || string(msg) != "hello" {
		t.Errorf("read %q, %v", msg, err)
	}
	ada.post("/logout", nil).wants(t, http.StatusSeeOther)
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, _, err := c.ReadMessage(); err == nil {
		t.Error("the websocket outlives the session")
	} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Error("the websocket was left open")
	}
}

// Pages of other labs are in the same site, so browsers send the cookie along.
func TestPublishedFromElsewhere(t *testing.T) {
	s := publishing(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "done") }))
	id := s.startLab()
	ada := s.surfer("ada")
	origin := ada.enter(id)
	other := strings.Replace(origin, id, "r0therlab", 1)
	sibling := strings.Replace(origin, "80-pc1", "8080-pc2", 1)
	for _, tt := range []struct {
		name, method             string
		site, mode, from, refers string
		want                     int
	}{
		{"its own form", "POST", "same-origin", "navigate", origin, "", 200},
		{"its own form that hides where it is", "POST", "same-origin", "navigate", "null", "", 200},
		{"its own script, told by Origin alone", "POST", "", "", origin, "", 200},
		{"typed in", "GET", "none", "navigate", "", "", 200},
		{"a link", "GET", "cross-site", "navigate", "", s.url + "/", 200},
		{"a script of the rack's other node", "POST", "same-site", "cors", sibling, "", 200},
		{"a picture on the rack's other node's page", "GET", "same-site", "no-cors", "", sibling + "/", 200},
		{"no browser", "POST", "", "", "", "", 200},
		{"another lab's form", "POST", "same-site", "navigate", other, "", 403},
		{"another lab's script", "GET", "same-site", "cors", other, "", 403},
		{"another lab's picture", "GET", "same-site", "no-cors", "", other + "/", 403},
		{"one that hides", "POST", "same-site", "navigate", "null", "", 403},
		{"told by Origin alone", "POST", "", "", other, "", 403},
		{"Patchbay itself", "POST", "same-site", "cors", s.url, "", 403},
		{"another site", "POST", "cross-site", "cors", "https://www.example.com", "", 403},
	} {
		ada.header = http.Header{}
		for name, v := range map[string]string{"Sec-Fetch-Site": tt.site, "Sec-Fetch-Mode": tt.mode, "Origin": tt.from, "Referer": tt.refers} {
			if v != "" {
				ada.header.Set(name, v)
			}
		}
		if a, _ := ada.at(tt.method, origin+"/act", nil); a.status != tt.want {
			t.Errorf("%s: %d; want %d", tt.name, a.status, tt.want)
		}
	}
}

// What a guest says before its answer goes nowhere, with whatever headers.
func TestPublishedHints(t *testing.T) {
	s := publishing(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "patchbay-visit=stolen; Domain=localhost")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Set-Cookie")
		_, _ = io.WriteString(w, "done")
	}))
	id := s.startLab()
	ada := s.surfer("ada")
	origin := ada.enter(id)
	req, err := http.NewRequest("GET", origin+"/", nil)
	s.must(err)
	hints := 0
	req = req.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error {
		hints++
		return nil
	}}))
	resp, err := ada.client.Do(req)
	s.must(err)
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "done" || hints != 0 {
		t.Errorf("%d hints, then %q, %v", hints, text, err)
	}
}

// A page whose requests never end takes its own lab's share, and neither other
// pages' nor the lab pages'.
func TestPublishedHangs(t *testing.T) {
	s := publishing(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	id := s.startLab()
	ada := s.surfer("ada")
	origin := ada.enter(id)
	ctx, cancel := context.WithCancel(t.Context())
	refused := make(chan struct{}, 10)
	var wg sync.WaitGroup
	for range web.MaxVisitingRack + cap(refused) {
		wg.Go(func() {
			req, err := http.NewRequestWithContext(ctx, "GET", origin+"/", nil)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := ada.client.Do(req)
			if err != nil {
				return // some wait for a connection into the guest
			}
			defer resp.Body.Close()
			if resp.StatusCode == http.StatusServiceUnavailable {
				refused <- struct{}{}
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body) // until the end
		})
	}
	defer wg.Wait()
	defer cancel()
	for range cap(refused) {
		select {
		case <-refused:
		case <-time.After(15 * time.Second):
			t.Fatal("a page may have as many requests as it likes")
		}
	}
	page, rack, _ := s.script("ada").mustOpen(id)
	s.must(rack.WriteMessage(websocket.TextMessage, []byte("hello")))
	if _, data, err := page.ReadMessage(); err != nil || string(data) != "hello" {
		t.Errorf("the lab's page reads %q, %v", data, err)
	}
}

func TestPublishedErrors(t *testing.T) {
	s := publishing(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b, err := io.ReadAll(r.Body); err == nil {
			_, _ = w.Write(b)
		}
	}))
	id := s.startLab()
	ada := s.surfer("ada")
	origin := ada.enter(id)
	guest := s.racks.guest
	fails := func(err error) {
		s.racks.guest = func(context.Context, string, string, int) (net.Conn, error) { return nil, err }
	}
	refusal := func(status int, text string) error {
		return &rack.Refusal{Status: status, Problem: rack.Problem{Error: text}}
	}
	page := func(status int, words ...string) {
		t.Helper()
		a := ada.plain(origin + "/")
		a.wants(t, status, append(words, "<h1>")...)
		if strings.Contains(a.body, "<script") || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("the page is %v %s", a.header, a.body)
		}
	}
	fails(refusal(409, "nothing listens on port 80."))
	page(http.StatusBadGateway, "Nothing listens on port 80 of pc1.", "Try again")
	fails(refusal(409, "pc1 is off: the node does not run"))
	page(http.StatusBadGateway, "pc1: pc1 is off")
	fails(refusal(404, "not here"))
	page(http.StatusNotFound, "publishes no such port")
	fails(fmt.Errorf("a <script> of an error"))
	page(http.StatusBadGateway, "does not answer as a web server does")
	s.racks.guest = func(context.Context, string, string, int) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			_, _ = theirs.Read(make([]byte, 4096))
			_, _ = io.WriteString(theirs, "SSH-2.0-OpenSSH_9.2\r\n")
			theirs.Close()
		}()
		return ours, nil
	}
	page(http.StatusBadGateway, "does not answer as a web server does")
	s.racks.guest = guest
	a, _ := ada.at("POST", origin+"/", bytes.NewReader(make([]byte, 1<<20)))
	if a.status != http.StatusOK || len(a.body) != 1<<20 {
		t.Errorf("a form of a megabyte: %d, %d bytes", a.status, len(a.body))
	}
	// Beyond the limit the server hangs up, with an answer or without.
	resp, err := ada.client.Post(origin+"/", "text/plain", io.LimitReader(zeros{}, 65<<20))
	if err == nil {
		if n, err := io.Copy(io.Discard, resp.Body); err == nil && n > 64<<20 {
			t.Errorf("there is no limit: %d bytes came back", n)
		}
		resp.Body.Close()
	}
	s.must(s.racks.Do(context.Background(), id, rack.Op{Do: "end"}))
	page(http.StatusConflict, "This lab is not running.", "Back to Patchbay")
	ada.get("/racks/"+id+"/published/pc1/80").wants(t, http.StatusConflict, "not running")
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestPublishDomain(t *testing.T) {
	public, err := url.Parse("https://patchbay.example.org")
	if err != nil {
		t.Fatal(err)
	}
	s := publishing(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Host+" "+r.Header.Get("X-Forwarded-Proto"))
	}), func(c *web.Config) {
		c.PublicURL, c.Secure, c.PublishDomain = public, true, "labs.example.org"
	})
	id := s.startLab()
	ada := s.as("ada")
	// Its cookies are for HTTPS alone; the test is the proxy that has taken that off.
	ada.header.Set("Cookie", s.secureCookie("ada"))
	first := ada.get("/racks/" + id + "/published/pc1/80?path=//evil.example/")
	location := first.header.Get("Location")
	if !strings.HasPrefix(location, "https://80-pc1-"+id+".labs.example.org/.patchbay/enter?next=%2F&token=") {
		t.Fatalf("the way leads to %q", location)
	}
	b := s.browserWithout()
	second := b.plain(strings.Replace(location, "https:", "http:", 1))
	c := second.header.Get("Set-Cookie")
	if !strings.HasPrefix(c, "__Host-patchbay-visit=") || !strings.Contains(c, "; Secure") {
		t.Errorf("the cookie is %q", c)
	}
	b.header.Set("Cookie", strings.Split(c, ";")[0])
	host := "80-pc1-" + id + ".labs.example.org"
	b.plain("http://"+host+"/").wants(t, http.StatusOK, host+" https")
	// Who comes without a cookie is sent over Patchbay, and back.
	b.header.Del("Cookie")
	b.header.Set("Sec-Fetch-Mode", "navigate")
	a := b.plain("http://" + host + "/x?y=z")
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "https://patchbay.example.org/racks/"+id+"/published/pc1/80?path=%2Fx%3Fy%3Dz" {
		t.Errorf("%d to %q", a.status, a.header.Get("Location"))
	}
	b.header.Set("Sec-Fetch-Mode", "cors")
	b.plain("http://"+host+"/").wants(t, http.StatusUnauthorized)
}

// secureCookie logs in and gives the session's cookie, which a browser would
// keep from plain HTTP.
func (s *site) secureCookie(login string) string {
	s.t.Helper()
	b := s.browser()
	a := b.post("/login", url.Values{"login": {login}, "password": {password}})
	a.wants(s.t, http.StatusSeeOther)
	return strings.Split(a.header.Get("Set-Cookie"), ";")[0]
}

// Without a domain, pages open where the browser runs, or not at all.
func TestPublishWithoutDomain(t *testing.T) {
	s := publishing(t, http.NotFoundHandler())
	id := s.startLab()
	b := s.surfer("ada")
	jar, err := cookiejar.New(nil)
	s.must(err)
	b.client.Jar = jar
	b.header.Set("Cookie", s.secureCookie("ada"))
	a, _ := b.at("GET", "http://labs.example.org/racks/"+id+"/published/pc1/80", nil)
	a.wants(t, http.StatusConflict, "--publish-domain")
	a, _ = b.at("GET", "http://localhost:1234/racks/"+id+"/published/pc1/80", nil)
	if !strings.HasPrefix(a.header.Get("Location"), "http://80-pc1-"+id+".localhost:1234/") {
		t.Errorf("%d to %q", a.status, a.header.Get("Location"))
	}
}

func TestPublishDomainErrors(t *testing.T) {
	for _, tt := range []struct {
		public, domain string
		secure         bool
		want           string // empty: fine
	}{
		{"https://patchbay.example.org", "labs.example.org", true, ""},
		{"https://labs.example.org", "labs.example.org", true, ""},
		{"https://labs.example.org", "example.org", true, "has Patchbay's own host"},
		{"http://patchbay.example.org", "labs.example.org", false, "could set Patchbay's cookies"},
		{"http://patchbay.example.org", "labs.example.net", false, ""},
		{"http://192.0.2.1", "labs.example.net", false, ""},
		{"https://patchbay.example.org", "Labs.example.org", true, "a domain in lower case"},
		{"https://patchbay.example.org", "https://labs.example.org", true, "a domain in lower case"},
		{"https://patchbay.example.org", "*.labs.example.org", true, "a domain in lower case"},
		{"", "labs.example.org", false, ""},
	} {
		var failed error
		func() {
			cfg := web.Config{PublishDomain: tt.domain, Secure: tt.secure}
			if tt.public != "" {
				u, err := url.Parse(tt.public)
				if err != nil {
					t.Fatal(err)
				}
				cfg.PublicURL = u
			}
			failed = web.CheckPublishDomain(cfg)
		}()
		if tt.want == "" && failed != nil || tt.want != "" && (failed == nil || !strings.Contains(failed.Error(), tt.want)) {
			t.Errorf("%s and %s: %v; want %q", tt.public, tt.domain, failed, tt.want)
		}
	}
}

func TestPublishedLabel(t *testing.T) {
	const id = "abcdefghijkl"
	for _, tt := range []struct {
		node string
		port int
		want string
	}{
		{"web", 80, "80-web-" + id},
		{"a-b", 8080, "8080-a-b-" + id},
		{"Web", 80, "80-n-"},
		{"web_1", 80, "80-n-"},
		{"a.b", 80, "80-n-"},
		{strings.Repeat("a", 60), 80, "80-n-"},
	} {
		got := web.PublishedLabel(id, tt.node, tt.port)
		if !strings.HasPrefix(got, tt.want) || !strings.HasSuffix(got, "-"+id) || len(got) > 63 || got != strings.ToLower(got) || strings.ContainsAny(got, "._") {
			t.Errorf("%s, port %d: %q; want %q", tt.node, tt.port, got, tt.want)
		}
		rackID, node, port, ok := web.LabelParts(got)
		if !ok || rackID != id || port != tt.port || got == tt.want && node != tt.node {
			t.Errorf("%q is taken apart as %q %q %d %v", got, rackID, node, port, ok)
		}
	}
	if web.PublishedLabel(id, "Web", 80) == web.PublishedLabel(id, "wEb", 80) {
		t.Error("two nodes have one origin")
	}
	for _, label := range []string{"", "80", "80-web", "x-web-id", "0-web-id", "70000-web-id", "80--id"} {
		if _, node, _, ok := web.LabelParts(label); ok && node != "" {
			t.Errorf("%q is taken for a label", label)
		}
	}
}

// FuzzGuestCookie: no Set-Cookie of a guest reaches beyond its host or replaces
// a cookie of ours.
func FuzzGuestCookie(f *testing.F) {
	for _, c := range []string{"a=b; Domain=x", "a=b;domain = .x;HttpOnly", "patchbay=1", " patchbay-visit =1", "a", ";;domain", "a=b; DoMaIn"} {
		f.Add(c)
	}
	var s *web.Server // whose site ends with the first run: the question needs no database
	f.Fuzz(func(t *testing.T, line string) {
		if s == nil {
			s = newSite(t).web
		}
		kept, ok := s.GuestCookie(line)
		if !ok {
			return
		}
		resp := http.Response{Header: http.Header{"Set-Cookie": {kept}}}
		for _, c := range resp.Cookies() {
			if c.Domain != "" || c.Name == "patchbay" || c.Name == "patchbay-visit" {
				t.Errorf("%q becomes %q", line, kept)
			}
		}
	})
}
