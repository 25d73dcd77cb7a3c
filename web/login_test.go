package web_test

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/web"
)

func TestLogin(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	a := b.get("/labs/static-routing?x=1")
	a.wants(t, http.StatusSeeOther)
	if got, want := a.header.Get("Location"), "/login?next=%2Flabs%2Fstatic-routing%3Fx%3D1"; got != want {
		t.Fatalf("redirected to %q; want %q", got, want)
	}
	b.get(a.header.Get("Location")).wants(t, http.StatusOK, `name="next" value="/labs/static-routing?x=1"`)
	a = b.post("/login", url.Values{"login": {"Ada"}, "password": {password}, "next": {"/labs/static-routing"}})
	a.wants(t, http.StatusSeeOther)
	if got := a.header.Get("Location"); got != "/labs/static-routing" {
		t.Errorf("after logging in: at %q", got)
	}
	cookie := a.header.Get("Set-Cookie")
	for _, word := range []string{"HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(cookie, word) {
			t.Errorf("cookie %q lacks %s", cookie, word)
		}
	}
	if strings.Contains(cookie, "Secure") {
		t.Errorf("cookie %q is Secure on plain HTTP", cookie)
	}
	b.get("/").wants(t, http.StatusOK, "Static routing", "Networks", "Ada")
	b.post("/logout", nil).wants(t, http.StatusSeeOther)
	b.get("/").wants(t, http.StatusSeeOther)
}

func TestLoginRotatesTheSession(t *testing.T) {
	s := newSite(t)
	b := s.as("ada")
	u, err := url.Parse(s.url)
	s.must(err)
	before := b.client.Jar.Cookies(u)[0].Value
	if a := b.post("/login", url.Values{"login": {"bob"}, "password": {password}}); a.status != http.StatusSeeOther {
		t.Fatalf("status %d", a.status)
	}
	if after := b.client.Jar.Cookies(u)[0].Value; after == before {
		t.Error("the session kept its token when somebody else logged in")
	}
	old := s.browser()
	old.header.Set("Cookie", "patchbay="+before)
	old.get("/").wants(t, http.StatusSeeOther)
}

func TestLoginRefused(t *testing.T) {
	s := newSite(t)
	ctx := context.Background()
	off := s.user("off", labs.Student)
	off.Disabled = true
	s.must(s.db.UpdateUser(ctx, &off))
	fresh := labs.User{Login: "fresh", Role: labs.Student}
	s.must(s.db.CreateUser(ctx, &fresh, ""))
	var texts []string
	for _, c := range []struct{ login, password string }{
		{"ada", "wrong password"}, {"nobody", password}, {"off", password}, {"fresh", ""}, {"fresh", password}, {"", ""},
	} {
		a := s.browser().post("/login", url.Values{"login": {c.login}, "password": {c.password}})
		a.wants(t, http.StatusUnauthorized, "Login or password is wrong.")
		texts = append(texts, strings.ReplaceAll(strings.ReplaceAll(a.body, `value="`+c.login+`"`, `value=""`), " autofocus", ""))
		if texts[0] != texts[len(texts)-1] {
			t.Errorf("%q with %q reads differently from a wrong password", c.login, c.password)
		}
	}
}

func TestLoginRateLimit(t *testing.T) {
	s := newSite(t)
	wrong := url.Values{"login": {"ada"}, "password": {"wrong password"}}
	var last answer
	for range 11 {
		last = s.browser().post("/login", wrong)
	}
	last.wants(t, http.StatusTooManyRequests, "too many attempts")
	if last.header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	// The right password does not help while ada is limited; bob is not.
	s.browser().post("/login", url.Values{"login": {"ada"}, "password": {password}}).wants(t, http.StatusTooManyRequests)
	s.as("bob")
}

// TestProxy: behind a proxy that is named, whom it names counts; nobody else's
// word does.
func TestProxy(t *testing.T) {
	wrong := url.Values{"login": {"ada"}, "password": {"wrong password"}}
	for _, c := range []struct {
		proxies string
		want    int // for another address after the first one's tries are used up
	}{
		{"127.0.0.0/8", http.StatusUnauthorized},
		{"192.0.2.0/24", http.StatusTooManyRequests},
	} {
		s := newSite(t, func(cfg *web.Config) { cfg.Proxies = []netip.Prefix{netip.MustParsePrefix(c.proxies)} })
		b := s.browser()
		b.header.Set("X-Forwarded-For", "198.51.100.1")
		for range 11 {
			b.post("/login", wrong)
		}
		b.header.Set("X-Forwarded-For", "198.51.100.2")
		if a := b.post("/login", wrong); a.status != c.want {
			t.Errorf("proxies %s: %d for a second address; want %d", c.proxies, a.status, c.want)
		}
	}
}

func TestNextStaysHere(t *testing.T) {
	s := newSite(t)
	for _, next := range []string{"//evil.example/", "https://evil.example/", `/\evil.example`, "javascript:alert(1)", "/\t/evil.example", ""} {
		a := s.browser().post("/login", url.Values{"login": {"ada"}, "password": {password}, "next": {next}})
		if got := a.header.Get("Location"); got != "/" {
			t.Errorf("next=%q leads to %q; want /", next, got)
		}
	}
}

func TestOneTimeLink(t *testing.T) {
	s := newSite(t)
	ctx := context.Background()
	ada := s.find("ada")
	_, secret, err := s.db.CreateLink(ctx, ada.ID, time.Hour)
	s.must(err)
	path := "/link/" + secret
	b := s.browser()
	for range 2 { // looking uses nothing up
		b.get(path).wants(t, http.StatusOK, "ada", "Choose a password")
	}
	b.post(path, url.Values{"password": {"short"}, "again": {"short"}}).wants(t, http.StatusUnprocessableEntity, "at least 8")
	b.post(path, url.Values{"password": {"long enough"}, "again": {"long enougH"}}).wants(t, http.StatusUnprocessableEntity, "not the same")
	elsewhere := s.as("ada")
	b.post(path, url.Values{"password": {"long enough"}, "again": {"long enough"}}).wants(t, http.StatusSeeOther)
	b.get("/").wants(t, http.StatusOK, "Your password is set. Welcome, Ada.")
	if strings.Contains(b.get("/").body, "Your password is set") {
		t.Error("the flash is shown twice")
	}
	elsewhere.get("/").wants(t, http.StatusSeeOther) // logged out by the new password

	s.browser().get(path).wants(t, http.StatusNotFound, "used")
	s.browser().post(path, url.Values{"password": {"another one"}, "again": {"another one"}}).wants(t, http.StatusNotFound, "used")
	s.browser().post("/login", url.Values{"login": {"ada"}, "password": {"long enough"}}).wants(t, http.StatusSeeOther)

	_, late, err := s.db.CreateLink(ctx, ada.ID, time.Millisecond)
	s.must(err)
	time.Sleep(10 * time.Millisecond)
	s.browser().get("/link/"+late).wants(t, http.StatusNotFound, "too old")
	if strings.Contains(s.log.String(), secret) {
		t.Error("the link's secret is in the log")
	}
}

func TestJoin(t *testing.T) {
	s := newSite(t)
	ctx := context.Background()
	courses, err := s.db.Courses(ctx)
	s.must(err)
	code := courses[0].JoinCode
	b := s.browser()
	form := url.Values{"code": {strings.ToLower(code)}, "login": {"eve"}, "name": {"Eve"}, "password": {"long enough"}, "again": {"long enough"}}
	for _, c := range []struct{ field, value, says string }{
		{"code", "XXXX-XXXX", "No course has that code"},
		{"code", "<script>", "No course has that code"},
		{"login", "Not A Login!", "A login is"},
		{"login", "ada", "taken"},
		{"password", "short", "not the same"},
	} {
		broken := url.Values{}
		for k, v := range form {
			broken[k] = v
		}
		broken.Set(c.field, c.value)
		if a := b.post("/join", broken); a.status < 400 || !strings.Contains(a.body, c.says) || strings.Contains(a.body, "<script>") {
			t.Errorf("%s=%q: status %d; want an error that says %q\n%s", c.field, c.value, a.status, c.says, a.body)
		}
	}
	b.post("/join", form).wants(t, http.StatusSeeOther)
	b.get("/").wants(t, http.StatusOK, "Static routing", "Eve")
	if u := s.find("eve"); u.Role != labs.Student {
		t.Errorf("who joined is %s", u.Role)
	}
	bob := s.as("bob")
	bob.get("/").wants(t, http.StatusOK, "Enter a join code")
	bob.post("/join", url.Values{"code": {code}}).wants(t, http.StatusSeeOther)
	bob.get("/").wants(t, http.StatusOK, "Static routing")
}

func TestSessionsEnd(t *testing.T) {
	t.Run("disabled", func(t *testing.T) {
		s := newSite(t)
		b := s.as("ada")
		id := s.find("ada").ID
		s.as("root").post("/admin/users/"+itoa(id), url.Values{"do": {"disable"}}).wants(t, http.StatusSeeOther)
		b.get("/").wants(t, http.StatusSeeOther)
		s.browser().post("/login", url.Values{"login": {"ada"}, "password": {password}}).wants(t, http.StatusUnauthorized)
	})
	t.Run("everywhere else", func(t *testing.T) {
		s := newSite(t)
		here, there := s.as("ada"), s.as("ada")
		here.post("/account/sessions/end", nil).wants(t, http.StatusSeeOther)
		here.get("/").wants(t, http.StatusOK)
		there.get("/").wants(t, http.StatusSeeOther)
	})
	t.Run("password", func(t *testing.T) {
		s := newSite(t)
		here, there := s.as("ada"), s.as("ada")
		here.post("/account/password", url.Values{"current": {"wrong"}, "password": {"new password"}, "again": {"new password"}}).
			wants(t, http.StatusUnprocessableEntity, "current password")
		here.post("/account/password", url.Values{"current": {password}, "password": {"new password"}, "again": {"new password"}}).
			wants(t, http.StatusSeeOther)
		here.get("/account").wants(t, http.StatusOK)
		there.get("/").wants(t, http.StatusSeeOther)
	})
	t.Run("idle", func(t *testing.T) {
		s := newSite(t, func(c *web.Config) { c.IdleTimeout = time.Nanosecond })
		b := s.as("ada")
		// What was last seen is kept in whole seconds.
		deadline := time.Now().Add(5 * time.Second)
		for b.get("/").status != http.StatusSeeOther {
			if time.Now().After(deadline) {
				t.Fatal("an idle session goes on")
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
	t.Run("lifetime", func(t *testing.T) {
		s := newSite(t, func(c *web.Config) { c.Lifetime = time.Second })
		b := s.as("ada")
		u, err := url.Parse(s.url)
		s.must(err)
		b.header.Set("Cookie", "patchbay="+b.client.Jar.Cookies(u)[0].Value) // whatever the browser thinks of its age
		b.client.Jar = nil
		deadline := time.Now().Add(10 * time.Second)
		for b.get("/").status != http.StatusSeeOther {
			if time.Now().After(deadline) {
				t.Fatal("a session outlives its lifetime")
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
}
