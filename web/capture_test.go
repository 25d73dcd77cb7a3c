package web_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/web"
)

// recordOf has the racks' next recording be r.
func (f *fakeRacks) recordOf(r io.ReadCloser) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.record = r
}

func TestCaptureDownload(t *testing.T) {
	s := newSite(t)
	id := s.startLab()
	for _, c := range []struct{ login, query, name string }{
		{"ada", "link=pc1/eth0&filter=icmp", `static-routing-pc1-eth0-\d{8}T\d{6}Z\.pcapng`},
		{"ivan", "segment=lan&from=30s", `static-routing-lan-\d{8}T\d{6}Z\.pcapng`},
		{"root", "", `static-routing-all-\d{8}T\d{6}Z\.pcapng`},
		{"ada", "link=a/b&link=" + url.QueryEscape(`"\r\n../x`), `static-routing-2-cables-\d{8}T\d{6}Z\.pcapng`},
		{"ada", "link=" + url.QueryEscape("\"\r\n../x"), `static-routing-x-\d{8}T\d{6}Z\.pcapng`},
	} {
		s.racks.recordOf(io.NopCloser(strings.NewReader("frames")))
		a := s.as(c.login).get("/api/v1/racks/" + id + "/capture?" + c.query)
		a.wants(t, http.StatusOK, "frames")
		if got := a.header.Get("Content-Type"); got != "application/x-pcapng" {
			t.Errorf("%s: Content-Type %q", c.query, got)
		}
		if got := a.header.Get("Content-Disposition"); !regexp.MustCompile(`^attachment; filename="` + c.name + `"$`).MatchString(got) {
			t.Errorf("%s: Content-Disposition %q; want a file %s", c.query, got, c.name)
		}
	}
	if q := s.racks.queries[0]; len(q.Links) != 1 || q.Links[0] != "pc1/eth0" || q.Filter != "icmp" {
		t.Errorf("the rack was asked for %+v", q)
	}
}

func TestFrames(t *testing.T) {
	s := newSite(t)
	id := s.startLab()
	for query, kind := range map[string]string{"": "application/json", "?follow=1": "application/x-ndjson"} {
		s.racks.recordOf(io.NopCloser(strings.NewReader("[]")))
		a := s.as("ada").get("/api/v1/racks/" + id + "/frames" + query)
		a.wants(t, http.StatusOK, "[]")
		if got := a.header.Get("Content-Type"); got != kind {
			t.Errorf("%q: Content-Type %q; want %q", query, got, kind)
		}
		if got := a.header.Get("Content-Disposition"); got != "" {
			t.Errorf("%q: Content-Disposition %q; want none", query, got)
		}
	}
}

func TestCaptureRefused(t *testing.T) {
	s := newSite(t)
	id := s.startLab()
	ada := s.as("ada")
	for _, c := range []struct {
		query  string
		status int
		says   string
	}{
		{"filter=tcp+prot+80", http.StatusBadRequest, "prot"},
		{"from=yesterday", http.StatusBadRequest, "how long ago"},
		{"link=pc9/eth0", http.StatusBadRequest, "there is no cable"}, // the rack says so
	} {
		ada.get("/api/v1/racks/"+id+"/capture?"+c.query).wants(t, c.status, c.says, `"bad_request"`)
	}
	ada.post("/labs/static-routing/stop", nil)
	ada.get("/api/v1/racks/"+id+"/capture").wants(t, http.StatusConflict, "not running")
}

// live is a capture that goes on, as its two ends see it.
type liveCapture struct {
	rack *io.PipeWriter
	page *http.Response
}

func (b *browser) follow(id string) (liveCapture, error) {
	b.s.t.Helper()
	r, w := io.Pipe()
	b.s.racks.recordOf(r)
	req, err := http.NewRequest(http.MethodGet, b.s.url+"/api/v1/racks/"+id+"/capture?follow=1", nil)
	b.s.must(err)
	for k, v := range b.header {
		req.Header[k] = v
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.s.t.Cleanup(cancel)
	client := *b.client
	client.Timeout = 0
	resp, err := client.Do(req.WithContext(ctx))
	if err != nil {
		return liveCapture{}, err
	}
	b.s.t.Cleanup(func() { w.Close(); resp.Body.Close() })
	return liveCapture{w, resp}, nil
}

// ends waits until the page's side ends, and gives what it ended with.
func (l liveCapture) ends(t *testing.T) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, l.page.Body)
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the capture goes on")
		return nil
	}
}

func TestCaptureFollows(t *testing.T) {
	s := newSite(t)
	l, err := s.as("ada").follow(s.startLab())
	s.must(err)
	page := bufio.NewReader(l.page.Body)
	for _, line := range []string{"one\n", "two\n"} { // each at once, not when a buffer is full
		_, err := io.WriteString(l.rack, line)
		s.must(err)
		if got, err := page.ReadString('\n'); got != line {
			t.Fatalf("the page gets %q, %v; want %q", got, err, line)
		}
	}
	s.must(l.rack.Close())
	if err := l.ends(t); err != nil {
		t.Errorf("a rack that ends leaves the page with %v; want a whole file", err)
	}
}

func TestCaptureEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(s *site, b *browser)
	}{
		{"logged out", func(_ *site, b *browser) { b.post("/logout", nil) }},
		{"disabled", func(s *site, _ *browser) {
			s.as("root").post("/admin/users/"+itoa(s.find("ada").ID), url.Values{"do": {"disable"}})
		}},
		{"disabled by another process", func(s *site, _ *browser) {
			u := s.find("ada")
			u.Disabled = true
			s.must(s.db.UpdateUser(context.Background(), &u))
		}},
		{"server ends", func(s *site, _ *browser) { s.web.Close() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, func(cfg *web.Config) { cfg.Recheck = 50 * time.Millisecond })
			b := s.as("ada")
			l, err := b.follow(s.startLab())
			s.must(err)
			c.do(s, b)
			if err := l.ends(t); err == nil {
				t.Error("a capture that was cut off looks whole")
			}
			if _, err := l.rack.Write(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("the rack's side: %v; want it closed", err)
			}
		})
	}
}

func TestCapturesAreLimited(t *testing.T) {
	s := newSite(t)
	id := s.startLab()
	ada := s.script("ada")
	for range web.MaxCaptures {
		l, err := ada.follow(id)
		s.must(err)
		if l.page.StatusCode != http.StatusOK {
			t.Fatalf("status %d; want 200", l.page.StatusCode)
		}
	}
	ada.get("/api/v1/racks/"+id+"/frames").wants(t, http.StatusTooManyRequests, "too many captures")
	if _, _, err := s.as("ada").open(id, nil); err != nil {
		t.Errorf("captures keep a page from opening: %v", err)
	}
}

// TestImpair: the owner acts, viewers look.
func TestImpair(t *testing.T) {
	s := newSite(t)
	id := s.startLab()
	op := map[string]any{"do": "impair", "segment": "lan", "direction": "out", "impair": map[string]any{"delay": "20ms", "loss": "1%", "rate": "10M"}}
	s.as("ada").api(http.MethodPost, "/api/v1/racks/"+id+"/do", op, nil).wants(t, http.StatusNoContent)
	got := s.racks.ops[len(s.racks.ops)-1]
	if got.Segment != "lan" || got.Direction != rack.Out || got.Impair == nil || got.Impair.Delay != 20*time.Millisecond || got.Impair.Loss != 0.01 || got.Impair.Rate != 10_000_000 {
		t.Errorf("the rack was told %+v", got)
	}
	s.as("ivan").api(http.MethodPost, "/api/v1/racks/"+id+"/do", op, nil).wants(t, http.StatusForbidden)
	op["impair"] = map[string]any{"delay": "soon"}
	s.as("ada").api(http.MethodPost, "/api/v1/racks/"+id+"/do", op, nil).wants(t, http.StatusUnprocessableEntity, "soon")
}
