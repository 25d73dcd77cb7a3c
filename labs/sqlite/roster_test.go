package sqlite_test

import (
	"context"
	"testing"

	"github.com/patchbay/patchbay/labs"
)

func TestSections(t *testing.T) {
	ctx := context.Background()
	k := newClass(t)
	s, err := k.db.CreateSection(ctx, k.course.ID, " Tuesday  evening ")
	if err != nil || s.Name != "Tuesday evening" || len(s.JoinCode) != 9 {
		t.Fatalf("CreateSection = %+v, %v", s, err)
	}
	_, err = k.db.CreateSection(ctx, k.course.ID, "Tuesday evening")
	wantCode(t, err, labs.Conflict)
	_, err = k.db.CreateSection(ctx, 99, "x")
	wantCode(t, err, labs.NotFound)
	other, err := k.db.CreateCourse(ctx, "Other", k.ivan.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, k.db.RenameSection(ctx, other.ID, s.ID, "Mine"), labs.NotFound) // another course's
	wantCode(t, k.db.DeleteSection(ctx, other.ID, s.ID), labs.NotFound)
	wantCode(t, k.db.SetSection(ctx, other.ID, k.ivan.ID, s.ID), labs.NotFound)
	wantCode(t, k.db.RenameSection(ctx, k.course.ID, s.ID, "Tuesday"), "")

	// Its code leads into it, whoever is new or in none; staff stay out.
	dora := mustUser(t, k.db, "dora", labs.Student)
	for _, u := range []labs.User{dora, k.ada, k.ivan} {
		if c, err := k.db.Join(ctx, u.ID, s.JoinCode); err != nil || c.ID != k.course.ID {
			t.Errorf("%s joins %+v, %v", u.Login, c, err)
		}
	}
	in := func(u labs.User, want int64) {
		t.Helper()
		if e, err := k.db.Enrolment(ctx, k.course.ID, u.ID); err != nil || e.SectionID != want {
			t.Errorf("%s is in section %d, %v; want %d", u.Login, e.SectionID, err, want)
		}
	}
	in(dora, s.ID)
	in(k.ada, s.ID)
	in(k.ivan, 0)
	second, err := k.db.CreateSection(ctx, k.course.ID, "Friday")
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.db.Join(ctx, k.ada.ID, second.JoinCode) // who is in one stays
	wantCode(t, err, "")
	in(k.ada, s.ID)
	_, err = k.db.Join(ctx, k.ada.ID, k.course.JoinCode)
	wantCode(t, err, "")
	in(k.ada, s.ID)
	eve := labs.User{Login: "eve"}
	if _, err := k.db.Register(ctx, &eve, "hash", second.JoinCode); err != nil {
		t.Fatal(err)
	}
	in(eve, second.ID)

	code, err := k.db.RenewSectionCode(ctx, k.course.ID, s.ID, false)
	if err != nil || code != "" {
		t.Errorf("closing: %q, %v", code, err)
	}
	_, err = k.db.Join(ctx, k.bob.ID, s.JoinCode)
	wantCode(t, err, labs.NotFound)
	wantCode(t, k.db.SetSection(ctx, k.course.ID, k.ada.ID, second.ID), "")
	in(k.ada, second.ID)
	wantCode(t, k.db.SetSection(ctx, k.course.ID, k.ada.ID, 0), "")
	in(k.ada, 0)
	wantCode(t, k.db.DeleteSection(ctx, k.course.ID, s.ID), "")
	in(dora, 0) // in the course all the same
}

func TestRoster(t *testing.T) {
	ctx := context.Background()
	k := newClass(t)
	frank := labs.User{Login: "frank", Email: "Frank@example.org", Role: labs.Student}
	wantCode(t, k.db.CreateUser(ctx, &frank, "hash"), "")
	iris := mustUser(t, k.db, "iris", labs.Instructor)
	users, err := k.db.CountUsers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	list := "login,name,email,section\n" +
		"ada,Ada,,Tuesday\n" + // is in the course
		",,frank@example.org,Tuesday\n" + // has an account, found by its address
		"greta,Greta G.,greta@example.org,Friday\n" + // is new
		",Hugo,hugo@example.org,\n" // new, its login made of the address
	entries, err := labs.ReadRoster("list", []byte(list))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := k.db.PlanRoster(ctx, k.course.ID, entries)
	if err != nil || len(plan) != 4 {
		t.Fatalf("PlanRoster = %+v, %v", plan, err)
	}
	for i, want := range []struct {
		login              string
		isNew, member, mov bool
	}{{"ada", false, true, true}, {"frank", false, false, true}, {"greta", true, false, true}, {"hugo", true, false, false}} {
		r := plan[i]
		if r.User.Login != want.login || r.New != want.isNew || r.Member != want.member || r.Moves != want.mov || r.Problem != "" || r.New && r.User.ID != 0 {
			t.Errorf("line %d: %+v; want %+v", r.Line, r, want)
		}
	}
	if n, _ := k.db.CountUsers(ctx); n != users {
		t.Errorf("planning made %d users", n-users)
	}
	if s, _ := k.db.Sections(ctx, k.course.ID); len(s) != 0 {
		t.Errorf("planning made sections: %+v", s)
	}

	done, err := k.db.ImportRoster(ctx, k.course.ID, entries)
	if err != nil || done[2].User.ID == 0 {
		t.Fatalf("ImportRoster = %+v, %v", done, err)
	}
	sections, err := k.db.Sections(ctx, k.course.ID)
	if err != nil || len(sections) != 2 {
		t.Fatalf("Sections = %+v, %v", sections, err)
	}
	e, err := k.db.Enrolment(ctx, k.course.ID, done[1].User.ID)
	if err != nil || e.Staff || e.SectionID != sections[1].ID || done[1].User.ID != frank.ID {
		t.Errorf("frank's enrolment %+v, %v", e, err)
	}
	if _, hash, err := k.db.UserByLogin(ctx, "greta"); err != nil || hash != "" {
		t.Errorf("greta has the password %q, %v", hash, err)
	}
	// Once more changes nothing.
	again, err := k.db.ImportRoster(ctx, k.course.ID, entries)
	for _, r := range again {
		if err != nil || r.New || !r.Member || r.Moves {
			t.Errorf("again: %+v, %v", r, err)
		}
	}

	// One bad line and nothing happens.
	bad := []labs.RosterEntry{
		{Line: 2, Login: "newcomer"},
		{Line: 3, Login: iris.Login},                                     // an instructor is not made a student
		{Line: 4, Login: "someone", Email: "greta@example.org"},          // another login's address
		{Line: 5, Email: "ada@elsewhere.example.org"},                    // the login "ada" is taken
		{Line: 6, Email: "frank@example.org"}, {Line: 7, Login: "frank"}, // one person
	}
	rows, err := k.db.ImportRoster(ctx, k.course.ID, bad)
	wantCode(t, err, labs.Invalid)
	for i, want := range []bool{false, true, true, true, false, true} {
		if len(rows) != 6 || (rows[i].Problem != "") != want {
			t.Fatalf("line %d: %+v; want a problem: %v", i+2, rows[i], want)
		}
	}
	_, _, err = k.db.UserByLogin(ctx, "newcomer")
	wantCode(t, err, labs.NotFound)
	_, err = k.db.Enrolment(ctx, k.course.ID, iris.ID)
	wantCode(t, err, labs.NotFound)
}
