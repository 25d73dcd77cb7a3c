package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/web"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// TestRoles asks for every kind of page and resource as everybody.
func TestRoles(t *testing.T) {
	s := newSite(t)
	ctx := context.Background()
	courses, err := s.db.Courses(ctx)
	s.must(err)
	var course string
	for _, c := range courses {
		if c.Title == "Networks" {
			course = itoa(c.ID)
		}
	}
	rackID := s.startLab()
	ada := itoa(s.find("ada").ID)
	who := []string{"", "bob", "ada", "iris", "ivan", "root"}
	people := map[string]*browser{}
	for _, login := range who {
		people[login] = s.as(login)
	}
	for _, c := range []struct {
		path string
		want [6]int // nobody, another student, the student, another instructor, the teacher, the admin
	}{
		{"/healthz", [6]int{204, 204, 204, 204, 204, 204}},
		{"/login", [6]int{200, 303, 303, 303, 303, 303}},
		{"/join", [6]int{200, 200, 200, 200, 200, 200}},
		{"/api/openapi.yaml", [6]int{200, 200, 200, 200, 200, 200}},
		{"/api/docs", [6]int{200, 200, 200, 200, 200, 200}},
		{"/docs", [6]int{200, 200, 200, 200, 200, 200}},
		{"/docs/checks", [6]int{200, 200, 200, 200, 200, 200}},
		{"/docs/index", [6]int{404, 404, 404, 404, 404, 404}},
		{"/docs/nothing", [6]int{404, 404, 404, 404, 404, 404}},
		{"/lab.schema.json", [6]int{200, 200, 200, 200, 200, 200}},
		{"/", [6]int{303, 200, 200, 200, 200, 200}},
		{"/account", [6]int{303, 200, 200, 200, 200, 200}},
		{"/labs", [6]int{303, 403, 403, 200, 200, 200}},
		{"/labs/static-routing", [6]int{303, 404, 200, 200, 200, 200}},
		{"/labs/hidden", [6]int{303, 404, 404, 200, 200, 200}},
		{"/labs/nothing", [6]int{303, 404, 404, 404, 404, 404}},
		{"/racks/" + rackID, [6]int{303, 404, 303, 404, 200, 200}},
		{"/racks/" + rackID + "/published/pc1/80", [6]int{303, 404, 404, 404, 404, 404}}, // it publishes none
		{"/racks/nothing/published/pc1/80", [6]int{303, 404, 404, 404, 404, 404}},
		{"/racks/nothing", [6]int{303, 404, 404, 404, 404, 404}},
		{"/courses", [6]int{303, 403, 403, 200, 200, 200}},
		{"/courses/" + course, [6]int{303, 404, 404, 404, 200, 200}},
		{"/courses/999", [6]int{303, 404, 404, 404, 404, 404}},
		{"/courses/x", [6]int{303, 404, 404, 404, 404, 404}},
		{"/admin/users", [6]int{303, 403, 403, 403, 403, 200}},
		{"/admin/racks", [6]int{303, 403, 403, 403, 403, 200}},
		{"/nothing", [6]int{404, 404, 404, 404, 404, 404}},
		{"/api/v1/me", [6]int{401, 200, 200, 200, 200, 200}},
		{"/api/v1/tokens", [6]int{401, 200, 200, 200, 200, 200}},
		{"/api/v1/labs", [6]int{401, 200, 200, 200, 200, 200}},
		{"/api/v1/labs/static-routing", [6]int{401, 404, 200, 200, 200, 200}},
		{"/api/v1/labs/static-routing/rack", [6]int{401, 404, 200, 404, 404, 404}},
		{"/api/v1/racks", [6]int{401, 200, 200, 200, 200, 200}},
		{"/api/v1/racks/" + rackID, [6]int{401, 404, 200, 404, 200, 200}},
		{"/api/v1/racks/" + rackID + "/stream", [6]int{401, 422, 422, 422, 422, 422}}, // no websocket
		{"/api/v1/racks/" + rackID + "/capture?filter=nonsense+9", [6]int{401, 404, 400, 404, 400, 400}},
		{"/api/v1/racks/" + rackID + "/frames?filter=nonsense+9", [6]int{401, 404, 400, 404, 400, 400}},
		{"/api/v1/courses", [6]int{401, 200, 200, 200, 200, 200}},
		{"/api/v1/courses/" + course, [6]int{401, 404, 404, 404, 200, 200}},
		{"/api/v1/courses/" + course + "/members", [6]int{401, 404, 404, 404, 200, 200}},
		{"/api/v1/users", [6]int{401, 403, 403, 403, 403, 200}},
		{"/api/v1/users/" + ada, [6]int{401, 403, 403, 403, 403, 200}},
	} {
		for i, login := range who {
			if a := people[login].get(c.path); a.status != c.want[i] {
				t.Errorf("GET %s as %q: %d; want %d", c.path, login, a.status, c.want[i])
			}
		}
	}
	// What changes things, by who must not; nobody that may is asked.
	for _, c := range []struct {
		method, path string
		want         [6]int // 0: not asked
	}{
		{"POST", "/labs/static-routing/stop", [6]int{401, 404, 0, 404, 404, 404}},
		{"POST", "/courses", [6]int{401, 403, 403, 0, 0, 0}},
		{"POST", "/courses/" + course + "/title", [6]int{401, 404, 404, 404, 0, 0}},
		{"POST", "/courses/" + course + "/labs", [6]int{401, 404, 404, 404, 0, 0}},
		{"POST", "/courses/" + course + "/code", [6]int{401, 404, 404, 404, 0, 0}},
		{"POST", "/courses/" + course + "/members/" + ada, [6]int{401, 404, 404, 404, 0, 0}},
		{"POST", "/admin/users", [6]int{401, 403, 403, 403, 403, 0}},
		{"POST", "/admin/users/" + ada, [6]int{401, 403, 403, 403, 403, 0}},
		{"POST", "/admin/racks/" + rackID + "/stop", [6]int{401, 403, 403, 403, 403, 0}},
		{"POST", "/account/password", [6]int{401, 0, 0, 0, 0, 0}},
		{"POST", "/account/tokens", [6]int{401, 0, 0, 0, 0, 0}},
		{"POST", "/api/v1/labs/static-routing/rack", [6]int{401, 404, 0, 0, 0, 0}},
		{"DELETE", "/api/v1/racks/" + rackID, [6]int{401, 404, 0, 404, 403, 0}},
		{"POST", "/api/v1/racks/" + rackID + "/do", [6]int{401, 404, 0, 404, 403, 403}},
		{"POST", "/api/v1/racks/" + rackID + "/nodes/pc1/exec", [6]int{401, 404, 0, 404, 403, 403}},
		{"POST", "/api/v1/courses", [6]int{401, 403, 403, 0, 0, 0}},
		{"PATCH", "/api/v1/courses/" + course, [6]int{401, 404, 404, 404, 0, 0}},
		{"PUT", "/api/v1/courses/" + course + "/labs", [6]int{401, 404, 404, 404, 0, 0}},
		{"POST", "/api/v1/courses/" + course + "/code", [6]int{401, 404, 404, 404, 0, 0}},
		{"PUT", "/api/v1/courses/" + course + "/members/" + ada, [6]int{401, 404, 404, 404, 0, 0}},
		{"DELETE", "/api/v1/courses/" + course + "/members/" + ada, [6]int{401, 404, 404, 404, 0, 0}},
		{"POST", "/api/v1/users", [6]int{401, 403, 403, 403, 403, 0}},
		{"PATCH", "/api/v1/users/" + ada, [6]int{401, 403, 403, 403, 403, 0}},
		{"POST", "/api/v1/users/" + ada + "/link", [6]int{401, 403, 403, 403, 403, 0}},
		{"POST", "/api/v1/join", [6]int{401, 0, 0, 0, 0, 0}},
		{"POST", "/api/v1/tokens", [6]int{401, 0, 0, 0, 0, 0}},
		{"DELETE", "/api/v1/tokens/1", [6]int{401, 404, 0, 404, 404, 404}},
		{"DELETE", "/", [6]int{405, 405, 405, 405, 405, 405}},
	} {
		for i, login := range who {
			if c.want[i] == 0 {
				continue
			}
			if a := people[login].do(c.method, c.path, "", nil); a.status != c.want[i] {
				t.Errorf("%s %s as %q: %d; want %d", c.method, c.path, login, a.status, c.want[i])
			}
		}
	}
	if runs, _ := s.racks.Runs(ctx, rackID); !runs {
		t.Error("somebody stopped ada's rack")
	}
}

// TestSameAnswer: what is not yours reads like what does not exist.
func TestSameAnswer(t *testing.T) {
	s := newSite(t)
	id := s.startLab()
	bob := s.as("bob")
	for _, c := range [][2]string{
		{"/api/v1/racks/" + id, "/api/v1/racks/aaaaaaaaaaaa"},
		{"/racks/" + id, "/racks/aaaaaaaaaaaa"},
		{"/racks/" + id + "/published/pc1/80", "/racks/aaaaaaaaaaaa/published/pc1/80"},
		{"/labs/hidden", "/labs/nothing"},
		{"/courses/1", "/courses/999"},
	} {
		yes, no := bob.get(c[0]), bob.get(c[1])
		if yes.status != no.status || yes.body != no.body {
			t.Errorf("%s and %s answer differently: %d %d", c[0], c[1], yes.status, no.status)
		}
	}
}

func TestHeaders(t *testing.T) {
	s := newSite(t, func(c *web.Config) { c.Secure = true })
	b := s.browser()
	for _, path := range []string{"/login", "/nothing", "/api/v1/me", "/static/0123456789abcdef/site.css", "/static/ffff/site.css"} {
		h := b.get(path).header
		for name, want := range map[string]string{
			"X-Content-Type-Options":     "nosniff",
			"Referrer-Policy":            "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin",
			"X-Frame-Options":            "DENY",
			"Strict-Transport-Security":  "max-age=31536000",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q; want %q", path, name, got, want)
			}
		}
		csp := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: policy %q lacks %q", path, csp, want)
			}
		}
	}
	a := b.post("/login", url.Values{"login": {"ada"}, "password": {password}})
	if c := a.header.Get("Set-Cookie"); !strings.HasPrefix(c, "__Host-patchbay=") || !strings.Contains(c, "; Secure") {
		t.Errorf("cookie over HTTPS is %q", c)
	}
}

func TestStatic(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	a := b.get("/static/0123456789abcdef/site.css")
	a.wants(t, http.StatusOK, "color: red")
	if got := a.header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("Cache-Control %q; want immutable", got)
	}
	b.client.Transport = &http.Transport{DisableCompression: true}
	b.header.Set("Accept-Encoding", "gzip")
	packed := b.get("/static/0123456789abcdef/site.css")
	if packed.header.Get("Content-Encoding") != "gzip" || len(packed.body) >= len(a.body) {
		t.Errorf("gzip was asked for: got %q, %d bytes of %d", packed.header.Get("Content-Encoding"), len(packed.body), len(a.body))
	}
	if js := b.get("/static/0123456789abcdef/lab.js"); js.header.Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("a script is %q", js.header.Get("Content-Type"))
	}
	for _, path := range []string{"/static/ffffffffffffffff/site.css", "/static/0123456789abcdef/nothing", "/static/0123456789abcdef/",
		"/static/0123456789abcdef/.gitkeep", "/static/0123456789abcdef/a", "/static/0123456789abcdef/%2e%2e/routes.go"} {
		b.get(path).wants(t, http.StatusNotFound)
	}
}

func TestCrossOrigin(t *testing.T) {
	s := newSite(t)
	b := s.as("ada")
	for name, header := range map[string]http.Header{
		"another origin": {"Origin": {"https://evil.example"}},
		"cross-site":     {"Sec-Fetch-Site": {"cross-site"}},
		"same site":      {"Sec-Fetch-Site": {"same-site"}, "Origin": {"http://other.127.0.0.1"}},
		"null":           {"Origin": {"null"}},
	} {
		for _, path := range []string{"/account/sessions/end", "/login", "/logout", "/api/v1/labs/static-routing/rack"} {
			b.header = header
			if a := b.post(path, nil); a.status != http.StatusForbidden {
				t.Errorf("POST %s, %s: %d; want 403", path, name, a.status)
			}
		}
	}
	b.header = http.Header{"Origin": {s.url}, "Sec-Fetch-Site": {"same-origin"}}
	b.post("/account/sessions/end", nil).wants(t, http.StatusSeeOther)
}

// TestInternalError: what is ours is logged and not shown.
func TestInternalError(t *testing.T) {
	s := newSite(t)
	s.startLab()
	s.racks.mu.Lock()
	s.racks.refuse = fmt.Errorf("opening /secret/path: no such file")
	s.racks.mu.Unlock()
	ada := s.as("ada")
	a := ada.post("/labs/static-routing/stop", nil)
	a.wants(t, http.StatusInternalServerError, "Something went wrong")
	if strings.Contains(a.body, "secret") {
		t.Errorf("the page shows the error:\n%s", a.body)
	}
	if log := s.log.String(); !strings.Contains(log, "/secret/path") {
		t.Errorf("the log does not have the error:\n%s", log)
	}
	_, after, _ := strings.Cut(a.body, `number: <span class="mono">`)
	id, _, ok := strings.Cut(after, "<")
	if !ok || !strings.Contains(s.log.String(), "request="+id) {
		t.Errorf("the page's number %q is not in the log", id)
	}
}
