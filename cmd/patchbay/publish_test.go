package main_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	main "github.com/patchbay/patchbay/cmd/patchbay"
	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/spawn"
	"github.com/patchbay/patchbay/labs/sqlite"
	"github.com/patchbay/patchbay/static"
	"github.com/patchbay/patchbay/web"
)

// TestPublishedPage opens what a real guest serves in the way a browser does:
// through Patchbay's login, over the page's own origin, into the guest.
func TestPublishedPage(t *testing.T) {
	_, noChromium := exec.LookPath(chromium)
	patchbay, cache := programs(t, noChromium)
	ctx := t.Context()
	db, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	racks := main.LocalRacks(&spawn.Local{State: t.TempDir(), Cache: cache, Executable: patchbay})
	site, err := web.New(web.Config{
		Store: db, Racks: racks, Cache: cache, Static: static.FS(), StaticHash: static.Hash(),
		Labs: []*labs.Lab{{Slug: "pages", Title: "Pages", Digest: "1", Topology: labs.Topology{
			Nodes: []labs.Node{{Name: "web", Publish: []uint16{80}}},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(site)
	defer site.Close()
	defer server.Close()
	user := func(login string) *http.Client {
		hash, err := labs.NewPasswords(1).Hash(ctx, e2ePassword)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.CreateUser(ctx, &labs.User{Login: login, Name: login, Role: labs.Instructor}, hash); err != nil {
			t.Fatal(err)
		}
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		// Names below localhost are this machine's for browsers, not for Go.
		tr := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		}}
		t.Cleanup(tr.CloseIdleConnections)
		c := &http.Client{Jar: jar, Transport: tr}
		get(t, c, "POST", server.URL+"/login", url.Values{"login": {login}, "password": {e2ePassword}})
		return c
	}
	ada, bob := user("ada"), user("bob")

	var r struct{ ID string }
	_, body := get(t, ada, "POST", server.URL+"/api/v1/labs/pages/rack", nil)
	if err := json.Unmarshal([]byte(body), &r); err != nil || r.ID == "" {
		t.Fatalf("starting the lab: %v\n%s", err, body)
	}
	defer func() {
		if err := racks.Do(context.WithoutCancel(ctx), r.ID, rack.Op{Do: "end"}); err != nil {
			t.Error(err)
		}
	}()
	until := time.Now().Add(time.Minute)
	for st, err := racks.State(ctx, r.ID); err != nil || st.Nodes[0].Status != rack.Running; st, err = racks.State(ctx, r.ID) {
		if time.Now().After(until) {
			t.Fatalf("the node does not run: %+v, %v", st, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	opening := server.URL + "/racks/" + r.ID + "/published/web/80?path=/hello.txt"
	status, body := get(t, ada, "GET", opening, nil)
	if status != http.StatusBadGateway || !strings.Contains(body, "Nothing listens on port 80 of web") {
		t.Fatalf("before there is a server: %d\n%s", status, body)
	}
	_, err = racks.Exec(ctx, r.ID, "web", rack.ExecRequest{Args: []string{"sh", "-c",
		"cd /root; echo hello from inside > hello.txt; setsid python3 -m http.server 80 >/dev/null 2>&1 </dev/null &"}})
	if err != nil {
		t.Fatal(err)
	}
	for status != http.StatusOK {
		if status, body = get(t, ada, "GET", opening, nil); time.Now().After(until) {
			t.Fatalf("the guest's page: %d\n%s", status, body)
		}
	}
	if body != "hello from inside\n" {
		t.Errorf("the page is %q", body)
	}
	if status, body := get(t, bob, "GET", opening, nil); status != http.StatusNotFound {
		t.Errorf("another's rack: %d\n%s", status, body)
	}
	port := server.URL[strings.LastIndexByte(server.URL, ':'):]
	page := "http://80-web-" + r.ID + ".localhost" + port + "/"
	if status, _ := get(t, bob, "GET", page, nil); status != http.StatusUnauthorized {
		t.Errorf("another's page without a way there: %d", status)
	}
	if status, body := get(t, ada, "GET", page, nil); status != http.StatusOK || !strings.Contains(body, "hello.txt") {
		t.Errorf("the folder's page: %d\n%s", status, body)
	}
	_, err = racks.Exec(ctx, r.ID, "web", rack.ExecRequest{Stdin: []byte(hostilePage(server.URL, r.ID)),
		Args: []string{"sh", "-c", "cat > /root/hostile.html"}})
	if err != nil {
		t.Fatal(err)
	}
	meetHostilePage(t, server.URL, strings.Replace(opening, "hello.txt", "hostile.html", 1))

	get(t, ada, "POST", server.URL+"/logout", nil)
	if status, _ := get(t, ada, "GET", page, nil); status != http.StatusUnauthorized {
		t.Errorf("after logging out: %d", status)
	}
}

// hostilePage is what a student may put where a teacher will look: it tries to
// be Patchbay.
func hostilePage(patchbay, rackID string) string {
	return strings.NewReplacer("PATCHBAY", patchbay, "STREAM", strings.Replace(patchbay, "http", "ws", 1)+"/api/v1/racks/"+rackID+"/stream?session=0123456789abcdef").
		Replace(`<!doctype html><title>hostile</title><script>
document.cookie = "patchbay=stolen; domain=localhost; path=/";
document.cookie = "patchbay-visit=stolen; path=/";
const found = window.found = { cookie: document.cookie, opener: window.opener !== null };
const tries = [
  fetch("PATCHBAY/api/v1/me", { credentials: "include" }).then(r => r.text()).then(text => { found.read = text }, () => { found.read = "kept out" }),
  fetch("PATCHBAY/account/sessions/end", { method: "POST", mode: "no-cors", credentials: "include" }),
  new Promise(done => {
    const ws = new WebSocket("STREAM");
    ws.onopen = () => { found.stream = "open"; done() };
    ws.onerror = () => { found.stream = "kept out"; done() };
  }),
];
const frame = document.createElement("iframe");
frame.src = "PATCHBAY/account";
tries.push(new Promise(done => { frame.onload = done }));
document.documentElement.append(frame);
Promise.allSettled(tries).then(() => {
  try { found.frame = frame.contentDocument ? "readable" : "kept out" } catch { found.frame = "kept out" }
  found.done = true;
});
</script>`)
}

// meetHostilePage opens it in a real browser that is logged in to Patchbay.
func meetHostilePage(t *testing.T, patchbay, opening string) {
	t.Helper()
	p := (&site{t: t, url: patchbay}).browse()
	p.logIn("ada")
	p.do(chromedp.Navigate(opening))
	p.wait("the guest's page", `window.found && found.done`)
	if at := eval[string](p, `location.href`); !strings.HasPrefix(at, "http://80-web-") || !strings.HasSuffix(at, "/hostile.html") {
		t.Errorf("the page is at %s", at)
	}
	for what, want := range map[string]string{"read": "kept out", "stream": "kept out", "frame": "kept out"} {
		if got := eval[string](p, "String(found."+what+")"); got != want {
			t.Errorf("%s: the page got %q", what, got)
		}
	}
	if cookie := eval[string](p, `found.cookie`); strings.Contains(cookie, "patchbay") && cookie != "patchbay-visit=stolen" || eval[bool](p, `found.opener`) {
		t.Errorf("the page sees the cookies %q, or who opened it", cookie)
	}
	// All that it tried has changed nothing: the person is still logged in.
	p.do(chromedp.Navigate(patchbay+"/account"), chromedp.WaitVisible(chromedp.CSS(`form[action="/logout"]`)))
	p.forgive(`Failed to load resource|blocked by CORS|WebSocket connection|frame|Refused to display|ERR_BLOCKED|Refused to apply style`) // Chromium's words for being kept out, and for a bundle that is not built
}

// get makes a request and follows where it leads.
func get(t *testing.T, c *http.Client, method, address string, form url.Values) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
