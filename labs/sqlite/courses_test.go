package sqlite_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/sqlite"
)

var (
	_ scs.CtxStore         = (*sqlite.Sessions)(nil)
	_ scs.IterableCtxStore = (*sqlite.Sessions)(nil)
)

func TestCourses(t *testing.T) {
	ctx := context.Background()
	db := openNew(t)
	teacher, anna, bob := mustUser(t, db, "teacher", labs.Instructor), mustUser(t, db, "anna", labs.Student), mustUser(t, db, "bob", labs.Student)

	_, err := db.CreateCourse(ctx, " \n ", teacher.ID)
	wantCode(t, err, labs.Invalid)
	_, err = db.CreateCourse(ctx, "Orphan", 99)
	wantCode(t, err, labs.NotFound)
	c, err := db.CreateCourse(ctx, " Computer  networks ", teacher.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := db.Course(ctx, c.ID); err != nil || got != c || c.Title != "Computer networks" || len(c.JoinCode) != 9 {
		t.Errorf("Course = %+v, %v; want %+v", got, err, c)
	}
	if all, err := db.Courses(ctx); err != nil || !slices.Equal(all, []labs.Course{c}) {
		t.Errorf("Courses = %+v, %v; the one without an owner must not be there", all, err)
	}

	// However the code is typed.
	typed := " " + strings.ToLower(strings.ReplaceAll(c.JoinCode, "-", " ")) + "\n"
	if got, err := db.Join(ctx, anna.ID, typed); err != nil || got != c {
		t.Errorf("Join = %+v, %v", got, err)
	}
	_, err = db.Join(ctx, anna.ID, c.JoinCode) // twice does no harm
	wantCode(t, err, "")
	for _, code := range []string{"", "BCDF-GHJK", "BCDF", "x' OR 1=1"} {
		_, err = db.Join(ctx, bob.ID, code)
		wantCode(t, err, labs.NotFound)
	}
	// Staff who use the code stay staff.
	_, err = db.Join(ctx, teacher.ID, c.JoinCode)
	wantCode(t, err, "")

	carl := labs.User{Login: "carl", Role: labs.Admin} // registering makes a student of anybody
	if _, err := db.Register(ctx, &carl, "hash", c.JoinCode); err != nil || carl.Role != labs.Student {
		t.Errorf("Register: %+v, %v", carl, err)
	}
	dora := labs.User{Login: "dora"}
	_, err = db.Register(ctx, &dora, "hash", "BCDF-GHJK")
	wantCode(t, err, labs.NotFound)
	_, _, err = db.UserByLogin(ctx, "dora") // both or neither
	wantCode(t, err, labs.NotFound)
	taken := labs.User{Login: "carl"}
	_, err = db.Register(ctx, &taken, "hash", "BCDF-GHJK") // no code, no word about the login
	wantCode(t, err, labs.NotFound)
	_, err = db.Register(ctx, &taken, "hash", c.JoinCode)
	wantCode(t, err, labs.Conflict)

	members, err := db.Members(ctx, c.ID)
	if err != nil || !slices.Equal(members, []labs.Member{{User: teacher, Staff: true}, {User: anna}, {User: carl}}) {
		t.Errorf("Members = %+v, %v", members, err)
	}
	if mine, err := db.CoursesOf(ctx, teacher.ID); err != nil || !slices.Equal(mine, []labs.MyCourse{{Course: c, Staff: true}}) {
		t.Errorf("CoursesOf = %+v, %v", mine, err)
	}
	if e, err := db.Enrolment(ctx, c.ID, anna.ID); err != nil || e.Staff {
		t.Errorf("Enrolment = %+v, %v", e, err)
	}
	wantCode(t, db.Enrol(ctx, c.ID, anna.ID, true), "")
	if e, err := db.Enrolment(ctx, c.ID, anna.ID); err != nil || !e.Staff {
		t.Errorf("Enrolment as staff = %+v, %v", e, err)
	}
	wantCode(t, db.Enrol(ctx, 99, anna.ID, true), labs.NotFound)
	wantCode(t, db.Leave(ctx, c.ID, anna.ID), "")
	wantCode(t, db.Leave(ctx, c.ID, anna.ID), labs.NotFound)
	_, err = db.Enrolment(ctx, c.ID, anna.ID)
	wantCode(t, err, labs.NotFound)

	closed, err := db.RenewJoinCode(ctx, c.ID, false)
	if err != nil || closed != "" {
		t.Errorf("closing: %q, %v", closed, err)
	}
	for _, code := range []string{c.JoinCode, ""} {
		_, err = db.Join(ctx, bob.ID, code)
		wantCode(t, err, labs.NotFound)
	}
	code, err := db.RenewJoinCode(ctx, c.ID, true)
	if err != nil || code == c.JoinCode {
		t.Errorf("RenewJoinCode = %q, %v", code, err)
	}
	_, err = db.Join(ctx, bob.ID, code)
	wantCode(t, err, "")
	_, err = db.RenewJoinCode(ctx, 99, true)
	wantCode(t, err, labs.NotFound)
	wantCode(t, db.RenameCourse(ctx, c.ID, "Networks II"), "")
	wantCode(t, db.RenameCourse(ctx, 99, "Networks II"), labs.NotFound)
	if got, err := db.Course(ctx, c.ID); err != nil || got.Title != "Networks II" {
		t.Errorf("after renaming: %+v, %v", got, err)
	}
}

func TestCourseLabs(t *testing.T) {
	ctx := context.Background()
	db := openNew(t)
	teacher, anna, eve := mustUser(t, db, "teacher", labs.Instructor), mustUser(t, db, "anna", labs.Student), mustUser(t, db, "eve", labs.Instructor)
	c, err := db.CreateCourse(ctx, "Networks", teacher.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, db.Enrol(ctx, c.ID, anna.ID, false), "")
	if _, err := db.CreateCourse(ctx, "Elsewhere", eve.ID); err != nil {
		t.Fatal(err)
	}

	slugs := func() (got []string) {
		list, err := db.CourseLabs(ctx, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range list {
			got = append(got, l.Slug)
		}
		return got
	}
	for _, step := range []struct{ set, want []string }{
		{[]string{"b", "a", "b", "c"}, []string{"b", "a", "c"}},
		{[]string{"c", "b"}, []string{"c", "b"}},
		{nil, nil},
		{[]string{"a"}, []string{"a"}},
	} {
		wantCode(t, db.SetCourseLabs(ctx, c.ID, step.set), "")
		if got := slugs(); !slices.Equal(got, step.want) {
			t.Errorf("after SetCourseLabs(%q): %q; want %q", step.set, got, step.want)
		}
	}
	wantCode(t, db.SetCourseLabs(ctx, 99, []string{"a"}), labs.NotFound)

	for _, q := range []struct {
		user int64
		slug string
		want bool
	}{{anna.ID, "a", true}, {teacher.ID, "a", true}, {anna.ID, "b", false}, {eve.ID, "a", false}} {
		if got, err := db.HasLab(ctx, q.user, q.slug); err != nil || got != q.want {
			t.Errorf("HasLab(%d, %s) = %v, %v", q.user, q.slug, got, err)
		}
	}
	for _, q := range []struct {
		staff, user int64
		want        bool
	}{{teacher.ID, anna.ID, true}, {anna.ID, teacher.ID, false}, {eve.ID, anna.ID, false}} {
		if got, err := db.Teaches(ctx, q.staff, q.user); err != nil || got != q.want {
			t.Errorf("Teaches(%d, %d) = %v, %v", q.staff, q.user, got, err)
		}
	}
}

func TestRacks(t *testing.T) {
	ctx := context.Background()
	db := openNew(t)
	anna, bob := mustUser(t, db, "anna", labs.Student), mustUser(t, db, "bob", labs.Student)

	// Two clicks at once make one rack.
	var wg sync.WaitGroup
	type result struct {
		r    labs.RackRecord
		made bool
	}
	results := make(chan result, 10)
	for range cap(results) {
		wg.Go(func() {
			r, made, err := db.EnsureRack(ctx, labs.RackFor{UserID: anna.ID, LabSlug: "two-hosts"}, "v1")
			if err != nil {
				t.Error(err)
			}
			results <- result{r, made}
		})
	}
	wg.Wait()
	close(results)
	rack, err := db.RackOf(ctx, labs.RackFor{UserID: anna.ID, LabSlug: "two-hosts"})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for r := range results {
		if r.r != rack {
			t.Errorf("EnsureRack = %+v; want %+v", r.r, rack)
		}
		if r.made {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d of the calls made it", n)
	}

	second, _, err := db.EnsureRack(ctx, labs.RackFor{UserID: bob.ID, LabSlug: "two-hosts"}, "v2")
	if err != nil || second.ID == rack.ID {
		t.Errorf("bob's rack = %+v, %v", second, err)
	}
	if got, err := db.RacksOf(ctx, anna.ID); err != nil || !slices.Equal(got, []labs.RackRecord{rack}) {
		t.Errorf("RacksOf = %+v, %v", got, err)
	}
	if got, err := db.Racks(ctx); err != nil || len(got) != 2 {
		t.Errorf("Racks = %+v, %v", got, err)
	}
	wantCode(t, db.SetRackDigest(ctx, rack.ID, "v2"), "")
	if got, err := db.Rack(ctx, rack.ID); err != nil || got.LabDigest != "v2" {
		t.Errorf("Rack = %+v, %v", got, err)
	}
	wantCode(t, db.DeleteRack(ctx, rack.ID), "")
	wantCode(t, db.DeleteRack(ctx, rack.ID), labs.NotFound)
	_, err = db.Rack(ctx, rack.ID)
	wantCode(t, err, labs.NotFound)
	_, _, err = db.EnsureRack(ctx, labs.RackFor{UserID: 99, LabSlug: "two-hosts"}, "v1")
	wantCode(t, err, labs.NotFound)
}

func TestSessions(t *testing.T) {
	ctx := context.Background()
	db := openNew(t)
	m := scs.New()
	m.Store = db.Sessions()
	m.HashTokenInStore = true
	h := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/in":
			m.Put(r.Context(), "user", int64(7))
		case "/out":
			if err := m.Destroy(r.Context()); err != nil {
				t.Error(err)
			}
		default:
			if got := m.GetInt64(r.Context(), "user"); got != 7 {
				http.Error(w, "", http.StatusUnauthorized)
			}
		}
	}))
	var cookie *http.Cookie
	get := func(path string) int {
		r := httptest.NewRequest("GET", path, nil)
		if cookie != nil {
			r.AddCookie(cookie)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		for _, c := range w.Result().Cookies() {
			cookie = c
		}
		return w.Code
	}
	get("/in")
	if code := get("/"); code != http.StatusOK {
		t.Errorf("with a session: %d", code)
	}
	all, err := db.Sessions().AllCtx(ctx)
	if err != nil || len(all) != 1 {
		t.Fatalf("AllCtx = %v, %v", all, err)
	}
	if _, plain := all[cookie.Value]; plain {
		t.Error("the session's token is stored as it is")
	}
	stale := cookie
	get("/out")
	cookie = stale
	if code := get("/"); code != http.StatusUnauthorized {
		t.Errorf("with a session that has ended: %d", code)
	}

	s := db.Sessions()
	wantCode(t, s.CommitCtx(ctx, "old", []byte("x"), time.Now().Add(-time.Second)), "")
	wantCode(t, s.CommitCtx(ctx, "new", []byte("x"), time.Now().Add(time.Hour)), "")
	wantCode(t, s.CommitCtx(ctx, "new", []byte("y"), time.Now().Add(time.Hour)), "")
	for range 2 {
		if _, ok, err := s.FindCtx(ctx, "old"); ok || err != nil {
			t.Errorf("an expired session is found: %v", err)
		}
		if data, ok, err := s.FindCtx(ctx, "new"); !ok || err != nil || string(data) != "y" {
			t.Errorf("FindCtx = %q, %v, %v", data, ok, err)
		}
		wantCode(t, db.Sweep(ctx), "")
	}
}

func TestSecret(t *testing.T) {
	ctx := context.Background()
	db := openNew(t)
	var first []byte
	for i := range 3 {
		s, err := db.Secret(ctx, "csrf")
		if err != nil || len(s) != 32 {
			t.Fatalf("Secret = %x, %v", s, err)
		}
		if i == 0 {
			first = s
		} else if !slices.Equal(s, first) {
			t.Error("the secret has changed")
		}
	}
	if other, err := db.Secret(ctx, "other"); err != nil || slices.Equal(other, first) {
		t.Errorf("two names, one secret: %v", err)
	}
}
