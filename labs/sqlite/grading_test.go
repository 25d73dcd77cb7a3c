package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/sqlite"
	"github.com/patchbay/patchbay/migrations"
)

// TestMigrateFromOne: a database of version 1, with people and racks in it,
// keeps them all.
func TestMigrateFromOne(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "old.db")
	old := raw(t, path)
	p, err := goose.NewProvider(goose.DialectSQLite3, old, migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Exec(`
		INSERT INTO users (id, login, name, role, created_at) VALUES (1, 'ivan', 'Ivan', 'instructor', 1000), (2, 'ada', 'Ada', 'student', 2000);
		INSERT INTO courses (id, title, join_code, created_at) VALUES (5, 'Networks', 'BCDF-GHJK', 3000);
		INSERT INTO enrolments (course_id, user_id, staff, created_at) VALUES (5, 1, 1, 3000), (5, 2, 0, 4000);
		INSERT INTO course_labs (course_id, position, slug) VALUES (5, 0, 'two-hosts');
		INSERT INTO racks (id, user_id, lab_slug, lab_digest, created_at) VALUES
			('aaaaaaaaaaaa', 2, 'two-hosts', 'd1', 5000), ('bbbbbbbbbbbb', 2, 'static-routing', 'd2', 6000), ('cccccccccccc', 1, 'two-hosts', 'd1', 7000);`); err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}

	db := open(t, path)
	all, err := db.Racks(ctx)
	if err != nil || len(all) != 3 {
		t.Fatalf("Racks = %+v, %v; want 3", all, err)
	}
	want := labs.RackRecord{ID: "aaaaaaaaaaaa", RackFor: labs.RackFor{UserID: 2, LabSlug: "two-hosts"}, LabDigest: "d1", CreatedAt: time.UnixMilli(5000).UTC()}
	if got, made, err := db.EnsureRack(ctx, labs.RackFor{UserID: 2, LabSlug: "two-hosts"}, "d9"); err != nil || made || got != want {
		t.Errorf("EnsureRack = %+v, made %v, %v; want %+v as it was", got, made, err, want)
	}
	members, err := db.Members(ctx, 5)
	if err != nil || len(members) != 2 || !members[0].Staff || members[1].SectionID != 0 {
		t.Errorf("Members = %+v, %v", members, err)
	}
	if c, err := db.Join(ctx, 2, "bcdfghjk"); err != nil || c.ID != 5 {
		t.Errorf("Join = %+v, %v", c, err)
	}
	r := raw(t, path)
	if got := ask(t, r, "PRAGMA integrity_check"); got != "ok" {
		t.Errorf("integrity_check: %s", got)
	}
	if got := ask(t, r, "SELECT count(*) FROM pragma_foreign_key_check"); got != "0" {
		t.Errorf("%s rows refer to nothing", got)
	}
}

// class is a course with a teacher, three students and an assignment.
type class struct {
	db             *sqlite.DB
	ivan           labs.User
	ada, bob, carl labs.User
	course         labs.Course
	a              labs.Assignment
}

func newClass(t *testing.T, change ...func(*labs.Assignment)) *class {
	t.Helper()
	ctx := context.Background()
	k := &class{db: openNew(t)}
	k.ivan = mustUser(t, k.db, "ivan", labs.Instructor)
	k.ada, k.bob, k.carl = mustUser(t, k.db, "ada", labs.Student), mustUser(t, k.db, "bob", labs.Student), mustUser(t, k.db, "carl", labs.Student)
	var err error
	if k.course, err = k.db.CreateCourse(ctx, "Networks", k.ivan.ID); err != nil {
		t.Fatal(err)
	}
	for _, u := range []labs.User{k.ada, k.bob, k.carl} {
		wantCode(t, k.db.Enrol(ctx, k.course.ID, u.ID, false), "")
	}
	k.a = labs.Assignment{CourseID: k.course.ID, Title: "Routes", LabSlug: "static-routing", Points: 20}
	for _, f := range change {
		f(&k.a)
	}
	if err := k.db.CreateAssignment(ctx, &k.a); err != nil {
		t.Fatal(err)
	}
	return k
}

// handIn takes a submission through to its grade.
func (k *class) handIn(t *testing.T, user int64, score, worth float64) labs.Submission {
	t.Helper()
	ctx := context.Background()
	s, err := k.db.BeginSubmission(ctx, k.a.ID, user, "d1")
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, k.db.SubmissionTaken(ctx, s.ID), "")
	c, ok, err := k.db.ClaimSubmission(ctx)
	if err != nil || !ok || c.ID != s.ID {
		t.Fatalf("ClaimSubmission = %+v, %v, %v; want %d", c, ok, err, s.ID)
	}
	wantCode(t, k.db.FinishSubmission(ctx, s.ID, "d1", score, worth), "")
	return s
}

func (k *class) grade(t *testing.T, user int64) labs.Grade {
	t.Helper()
	st, err := k.db.Standing(context.Background(), k.a.ID, user)
	if err != nil {
		t.Fatal(err)
	}
	return st.Grade
}

func (k *class) history(t *testing.T, user int64) []string {
	t.Helper()
	all, err := k.db.GradeHistory(context.Background(), k.a.ID, user)
	if err != nil {
		t.Fatal(err)
	}
	show := func(p *float64) string {
		if p == nil {
			return "–"
		}
		return fmt.Sprint(*p)
	}
	var lines []string
	for _, c := range all {
		lines = append(lines, fmt.Sprintf("%s: %s %s → %s", c.By, c.Why, show(c.Old), show(c.New)))
	}
	slices.Reverse(lines)
	return lines
}

func TestAssignments(t *testing.T) {
	ctx := context.Background()
	due := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	k := newClass(t, func(a *labs.Assignment) {
		a.OpensAt, a.DueAt, a.ClosesAt = due.Add(-2*time.Hour), due, due.Add(time.Hour)
		a.Late = labs.LateRule{Percent: 10, Floor: 50}
		a.Attempts, a.Counts, a.Held, a.LabDigest = 3, labs.Last, true, "pinned"
	})
	if got, err := k.db.Assignment(ctx, k.a.ID); err != nil || got != k.a {
		t.Errorf("Assignment = %+v, %v; want %+v", got, err, k.a)
	}
	never := labs.Assignment{CourseID: k.course.ID, Title: "Free", LabSlug: "two-hosts"}
	wantCode(t, k.db.CreateAssignment(ctx, &never), "")
	if all, err := k.db.Assignments(ctx, k.course.ID); err != nil || !slices.Equal(all, []labs.Assignment{k.a, never}) {
		t.Errorf("Assignments = %+v, %v", all, err)
	}
	wantCode(t, k.db.CreateAssignment(ctx, &labs.Assignment{CourseID: 99, Title: "x", LabSlug: "y"}), labs.NotFound)
	wantCode(t, k.db.CreateAssignment(ctx, &labs.Assignment{CourseID: k.course.ID}), labs.Invalid)

	wantCode(t, k.db.ReleaseGrades(ctx, k.a.ID, true), "")
	if got, _ := k.db.Assignment(ctx, k.a.ID); !got.ShowsGrades() || got.Released.IsZero() {
		t.Errorf("after the release: %+v", got)
	}
	wantCode(t, k.db.ReleaseGrades(ctx, never.ID, false), "")
	if got, _ := k.db.Assignment(ctx, never.ID); got.ShowsGrades() {
		t.Errorf("hidden: %+v", got)
	}

	// Until somebody begins, everything can change, and be deleted.
	never.LabSlug = "vlan"
	wantCode(t, k.db.UpdateAssignment(ctx, &never, k.ivan.ID), "")
	if _, _, err := k.db.EnsureRack(ctx, labs.RackFor{UserID: k.ada.ID, LabSlug: "vlan", AssignmentID: never.ID}, "d"); err != nil {
		t.Fatal(err)
	}
	never.Title = "Free as well"
	wantCode(t, k.db.UpdateAssignment(ctx, &never, k.ivan.ID), "")
	for _, change := range []func(*labs.Assignment){func(a *labs.Assignment) { a.LabSlug = "other" }, func(a *labs.Assignment) { a.TeamSize = 2 }} {
		b := never
		change(&b)
		wantCode(t, k.db.UpdateAssignment(ctx, &b, k.ivan.ID), labs.Conflict)
	}
	wantCode(t, k.db.DeleteAssignment(ctx, never.ID), labs.Conflict)
	wantCode(t, k.db.DeleteAssignment(ctx, k.a.ID), "")
	wantCode(t, k.db.DeleteAssignment(ctx, k.a.ID), labs.NotFound)
}

func TestReports(t *testing.T) {
	ctx := context.Background()
	k := newClass(t)
	s := k.handIn(t, k.ada.ID, 1, 2)
	live := &grade.Report{Lab: "x", Boot: grade.Live, Points: 1, Results: []grade.Result{{Check: "a", Outcome: grade.Pass,
		Evidence: []grade.Evidence{{Name: "n", Type: "text/plain", Data: []byte("\x00\xff")}}}}}
	fresh := &grade.Report{Lab: "x", Boot: grade.Fresh, Points: 2}
	for _, r := range []*grade.Report{live, {Boot: grade.Fresh, Points: 9}, fresh} {
		wantCode(t, k.db.SetReport(ctx, s.ID, r), "")
	}
	l, f, err := k.db.Reports(ctx, s.ID)
	if err != nil || l == nil || f == nil || l.Points != 1 || f.Points != 2 || string(l.Results[0].Evidence[0].Data) != "\x00\xff" {
		t.Errorf("Reports = %+v, %+v, %v", l, f, err)
	}
	if l, f, err := k.db.Reports(ctx, 99); l != nil || f != nil || err != nil {
		t.Errorf("of nothing: %v %v %v", l, f, err)
	}
	wantCode(t, k.db.SetReport(ctx, 99, live), labs.NotFound)
}

// TestHistory: each change of a grade, whatever made it, is a line.
func TestHistory(t *testing.T) {
	ctx := context.Background()
	k := newClass(t, func(a *labs.Assignment) {
		a.DueAt = time.Now().Add(-time.Hour)
		a.Late = labs.LateRule{Percent: 50}
	})
	k.handIn(t, k.ada.ID, 8, 10)
	k.handIn(t, k.bob.ID, 10, 10)
	adj := labs.Adjustment{AssignmentID: k.a.ID, UserID: k.ada.ID, Kind: labs.AdjustAdd, Value: 1, Comment: "well explained", ByID: k.ivan.ID}
	wantCode(t, k.db.Adjust(ctx, adj), "")
	adj.Value, adj.Comment = 0, " "
	wantCode(t, k.db.Adjust(ctx, adj), labs.Invalid)
	wantCode(t, k.db.Extend(ctx, labs.Extension{AssignmentID: k.a.ID, UserID: k.ada.ID, DueAt: time.Now().Add(time.Hour), ByID: k.ivan.ID, Comment: "ill"}), "")
	a := k.a
	a.Points = 10
	wantCode(t, k.db.UpdateAssignment(ctx, &a, k.ivan.ID), "")
	wantCode(t, k.db.Unextend(ctx, k.a.ID, k.ada.ID, k.ivan.ID), "")
	wantCode(t, k.db.Unextend(ctx, k.a.ID, k.ada.ID, k.ivan.ID), labs.NotFound)
	if _, err := k.db.Regrade(ctx, k.a.ID); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s, _, err := k.db.ClaimSubmission(ctx)
		if err != nil {
			t.Fatal(err)
		}
		wantCode(t, k.db.FinishSubmission(ctx, s.ID, "d2", 10, 10), "")
	}
	wantCode(t, k.db.Unadjust(ctx, k.a.ID, k.ada.ID, k.ivan.ID), "")
	for _, c := range []struct {
		who  labs.User
		want []string
	}{
		{k.ada, []string{": graded – → 8", "ivan: adjusted 8 → 9", "ivan: extension given 9 → 17", "ivan: assignment changed 17 → 9",
			"ivan: extension taken back 9 → 5", ": regraded 5 → 6", "ivan: adjustment taken back 6 → 5"}},
		{k.bob, []string{": graded – → 10", "ivan: assignment changed 10 → 5"}}, // the regrade changed nothing
		{k.carl, nil},
	} {
		if got := k.history(t, c.who.ID); !slices.Equal(got, c.want) {
			t.Errorf("history of %s:\n%q\nwant\n%q", c.who.Login, got, c.want)
		}
	}
}
