package web_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/patchbay/patchbay/web"
)

const session = "0123456789abcdef"

// open opens a stream as a page of the site would.
func (b *browser) open(id string, header http.Header) (*websocket.Conn, *http.Response, error) {
	b.s.t.Helper()
	h := http.Header{"Origin": {b.s.url}}
	if b.header.Get("Authorization") != "" {
		h = http.Header{"Authorization": b.header["Authorization"]}
	}
	for k, v := range header {
		h[k] = v
	}
	d := websocket.Dialer{Jar: b.client.Jar, HandshakeTimeout: 10 * time.Second}
	c, resp, err := d.Dial("ws"+strings.TrimPrefix(b.s.url, "http")+"/api/v1/racks/"+id+"/stream?session="+session, withoutNone(h))
	if c != nil {
		b.s.t.Cleanup(func() { c.Close() })
		b.s.must(c.SetReadDeadline(time.Now().Add(20 * time.Second)))
	}
	return c, resp, err
}

// withoutNone lets a test leave the Origin out.
func withoutNone(h http.Header) http.Header {
	if h.Get("Origin") == "none" {
		h.Del("Origin")
	}
	return h
}

// mustOpen gives both ends of a stream: the browser's and the rack's.
func (b *browser) mustOpen(id string) (page, rack *websocket.Conn, role string) {
	b.s.t.Helper()
	page, _, err := b.open(id, nil)
	b.s.must(err)
	rack, role = <-b.s.racks.dialed, <-b.s.racks.roles
	b.s.t.Cleanup(func() { rack.Close() })
	b.s.must(rack.SetReadDeadline(time.Now().Add(20 * time.Second)))
	return page, rack, role
}

func TestStreamPassesMessages(t *testing.T) {
	s := newSite(t)
	page, rack, role := s.as("ada").mustOpen(s.startLab())
	if role != "owner" {
		t.Errorf("ada's role is %q; want owner", role)
	}
	for _, c := range []struct {
		name     string
		from, to *websocket.Conn
		kind     int
		data     []byte
	}{
		{"text to rack", page, rack, websocket.TextMessage, []byte(`{"t":"attach"}`)},
		{"bytes to rack", page, rack, websocket.BinaryMessage, []byte{2, 0, 1, 0, 0xff}},
		{"nothing to rack", page, rack, websocket.BinaryMessage, []byte{}},
		{"text to page", rack, page, websocket.TextMessage, []byte(`{"t":"state"}`)},
		{"bytes to page", rack, page, websocket.BinaryMessage, bytes.Repeat([]byte{1, 0}, 64<<10)},
	} {
		s.must(c.from.WriteMessage(c.kind, c.data))
		kind, data, err := c.to.ReadMessage()
		if err != nil || kind != c.kind || !bytes.Equal(data, c.data) {
			t.Errorf("%s: got kind %d, %d bytes, %v; want kind %d, %d bytes", c.name, kind, len(data), err, c.kind, len(c.data))
		}
	}
}

func TestStreamViewer(t *testing.T) {
	s := newSite(t)
	id := s.startLab()
	for _, login := range []string{"ivan", "root"} {
		if _, _, role := s.as(login).mustOpen(id); role != "viewer" {
			t.Errorf("%s's role is %q; want viewer", login, role)
		}
	}
}

func TestStreamRefused(t *testing.T) {
	s := newSite(t)
	id := s.startLab()
	for _, c := range []struct {
		name   string
		who    *browser
		id     string
		header http.Header
		want   int
	}{
		{"nobody", s.as(""), id, nil, 401},
		{"another student", s.as("bob"), id, nil, 404},
		{"another instructor", s.as("iris"), id, nil, 404},
		{"no rack", s.as("ada"), "aaaaaaaaaaaa", nil, 404},
		{"another origin", s.as("ada"), id, http.Header{"Origin": {"https://evil.example"}}, 403},
		{"another port", s.as("ada"), id, http.Header{"Origin": {"http://127.0.0.1:1"}}, 403},
		{"null origin", s.as("ada"), id, http.Header{"Origin": {"null"}}, 403},
		{"no origin", s.as("ada"), id, http.Header{"Origin": {"none"}}, 403},
		{"a token from another origin", s.script("ada"), id, http.Header{"Origin": {"https://evil.example"}}, 403},
	} {
		_, resp, err := c.who.open(c.id, c.header)
		if err == nil || resp == nil || resp.StatusCode != c.want {
			t.Errorf("%s: %v %v; want %d", c.name, resp, err, c.want)
		}
	}
	if c, _, err := s.script("ada").open(id, nil); err != nil {
		t.Errorf("a token without an origin: %v", err)
	} else {
		c.Close()
	}
}

// closeCode reads until the stream is closed.
func closeCode(t *testing.T, c *websocket.Conn) (int, string) {
	t.Helper()
	for {
		_, _, err := c.ReadMessage()
		if ce, ok := errors.AsType[*websocket.CloseError](err); ok {
			return ce.Code, ce.Text
		}
		if err != nil {
			t.Fatalf("the stream ended without a close code: %v", err)
		}
	}
}

func TestStreamCloses(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(s *site, b *browser, page, rack *websocket.Conn)
		code int
		says string
	}{
		{"rack closes", func(s *site, _ *browser, _, rack *websocket.Conn) {
			s.must(rack.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1008, "bad frame"), time.Now().Add(time.Second)))
		}, 1008, "bad frame"},
		{"rack closes with a long word", func(s *site, _ *browser, _, rack *websocket.Conn) {
			s.must(rack.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1008, "x"+strings.Repeat("ä", 61)), time.Now().Add(time.Second)))
		}, 1008, "äää"},
		{"rack dies", func(_ *site, _ *browser, _, rack *websocket.Conn) { rack.NetConn().Close() }, websocket.CloseTryAgainLater, "lost"},
		{"logged out", func(s *site, b *browser, _, _ *websocket.Conn) { b.post("/logout", nil) }, 4401, "log in"},
		{"disabled", func(s *site, _ *browser, _, _ *websocket.Conn) {
			s.as("root").post("/admin/users/"+itoa(s.find("ada").ID), url.Values{"do": {"disable"}})
		}, 4401, "log in"},
		{"disabled by another process", func(s *site, _ *browser, _, _ *websocket.Conn) {
			u := s.find("ada")
			u.Disabled = true
			s.must(s.db.UpdateUser(context.Background(), &u))
		}, 4401, "log in"},
		{"server ends", func(s *site, _ *browser, _, _ *websocket.Conn) { s.web.Close() }, websocket.CloseServiceRestart, "restarts"},
		{"page floods", func(s *site, _ *browser, page, _ *websocket.Conn) {
			s.must(page.WriteMessage(websocket.BinaryMessage, make([]byte, 1<<20)))
		}, websocket.CloseMessageTooBig, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, func(cfg *web.Config) { cfg.Recheck = 50 * time.Millisecond })
			b := s.as("ada")
			page, rack, _ := b.mustOpen(s.startLab())
			c.do(s, b, page, rack)
			code, text := closeCode(t, page)
			if code != c.code || !strings.Contains(text, c.says) {
				t.Errorf("closed with %d %q; want %d %q", code, text, c.code, c.says)
			}
		})
	}
	t.Run("page closes", func(t *testing.T) {
		s := newSite(t)
		page, rack, _ := s.as("ada").mustOpen(s.startLab())
		s.must(page.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1001, "bye"), time.Now().Add(time.Second)))
		if code, text := closeCode(t, rack); code != 1001 || text != "bye" {
			t.Errorf("the rack's side is closed with %d %q; want 1001 bye", code, text)
		}
	})
	t.Run("token revoked", func(t *testing.T) {
		s := newSite(t)
		b := s.script("ada")
		page, _, _ := b.mustOpen(s.startLab())
		tokens, err := s.db.Tokens(context.Background(), s.find("ada").ID)
		s.must(err)
		for _, tok := range tokens {
			s.as("ada").post("/account/tokens/"+itoa(tok.ID)+"/revoke", nil)
		}
		if code, _ := closeCode(t, page); code != 4401 {
			t.Errorf("closed with %d; want 4401", code)
		}
	})
	t.Run("taken out of the course", func(t *testing.T) {
		s := newSite(t, func(cfg *web.Config) { cfg.Recheck = 50 * time.Millisecond })
		id := s.startLab()
		page, _, _ := s.as("ivan").mustOpen(id)
		rec, err := s.db.Rack(context.Background(), id)
		s.must(err)
		courses, err := s.db.CoursesOf(context.Background(), rec.UserID)
		s.must(err)
		s.must(s.db.Leave(context.Background(), courses[0].ID, rec.UserID))
		if code, _ := closeCode(t, page); code != 4403 {
			t.Errorf("closed with %d; want 4403", code)
		}
	})
}

// Why the rack ended a stream reaches a page that types on and reads late.
func TestStreamSaysWhyItEnded(t *testing.T) {
	s := newSite(t)
	page, rack, _ := s.as("ada").mustOpen(s.startLab())
	chunk := make([]byte, 128<<10)
	s.must(rack.SetWriteDeadline(time.Now().Add(20 * time.Second)))
	for range 4 { // behind this the reason waits
		s.must(rack.WriteMessage(websocket.BinaryMessage, chunk))
	}
	s.must(rack.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseTryAgainLater, "flood"), time.Now().Add(time.Second)))
	s.must(rack.Close())
	for range 50 { // what is written first resets the connection, what is written then fails
		_ = page.WriteMessage(websocket.TextMessage, []byte("key"))
	}
	if code, text := closeCode(t, page); code != websocket.CloseTryAgainLater || text != "flood" {
		t.Errorf("closed with %d %q; want %d flood", code, text, websocket.CloseTryAgainLater)
	}
}

func TestStreamsAreLimited(t *testing.T) {
	s := newSite(t)
	id := s.startLab()
	ada := s.script("ada")
	for range web.MaxSockets {
		page, rack, _ := ada.mustOpen(id)
		s.must(rack.WriteMessage(websocket.TextMessage, []byte("counted")))
		if _, _, err := page.ReadMessage(); err != nil { // what comes through has been counted in
			t.Fatal(err)
		}
	}
	page, _, _ := ada.mustOpen(id)
	if code, text := closeCode(t, page); code != websocket.CloseTryAgainLater || !strings.Contains(text, "too many") {
		t.Errorf("one too many is closed with %d %q", code, text)
	}
	page, rack, _ := s.script("ivan").mustOpen(id)
	s.must(rack.WriteMessage(websocket.TextMessage, []byte("hello")))
	if _, data, err := page.ReadMessage(); err != nil || string(data) != "hello" {
		t.Errorf("another person reads %q, %v", data, err)
	}
}

func TestStreamOfStoppedRack(t *testing.T) {
	s := newSite(t)
	id := s.startLab()
	ada := s.as("ada")
	ada.post("/labs/static-routing/stop", nil).wants(t, http.StatusSeeOther)
	page, _, err := ada.open(id, nil)
	s.must(err)
	if code, text := closeCode(t, page); code != 4409 || !strings.Contains(text, "not running") {
		t.Errorf("closed with %d %q; want 4409", code, text)
	}
}

// TestStreamHoldsBack: a page that does not read stops its rack from writing
// instead of filling the server's memory, and what it types still arrives.
func TestStreamHoldsBack(t *testing.T) {
	s := newSite(t)
	page, rack, _ := s.as("ada").mustOpen(s.startLab())
	const most = 64 << 20
	chunk := make([]byte, 128<<10)
	sent := 0
	s.must(rack.SetWriteDeadline(time.Now().Add(2 * time.Second)))
	for sent < most {
		if err := rack.WriteMessage(websocket.BinaryMessage, chunk); err != nil {
			break
		}
		sent += len(chunk)
	}
	if sent >= most {
		t.Fatalf("%d MiB went to a page that reads nothing", sent>>20)
	}
	s.must(page.WriteMessage(websocket.TextMessage, []byte("^C")))
	if _, data, err := rack.ReadMessage(); err != nil || string(data) != "^C" {
		t.Errorf("what the page sent: %q, %v; want ^C", data, err)
	}
}
