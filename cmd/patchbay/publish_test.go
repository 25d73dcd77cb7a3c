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
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	patchbay, cache := programs(t)
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
		hash, err := labs.NewPasswords(1).Hash(ctx, "correct horse")
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
		get(t, c, "POST", server.URL+"/login", url.Values{"login": {login}, "password": {"correct horse"}})
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
	get(t, ada, "POST", server.URL+"/logout", nil)
	if status, _ := get(t, ada, "GET", page, nil); status != http.StatusUnauthorized {
		t.Errorf("after logging out: %d", status)
	}
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
