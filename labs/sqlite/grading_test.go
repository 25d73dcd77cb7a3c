package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
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

// TestAttempts: of many calls at once exactly as many succeed as there are
// attempts, and none outside of the times.
func TestAttempts(t *testing.T) {
	ctx := context.Background()
	k := newClass(t, func(a *labs.Assignment) { a.Attempts = 2; a.DueAt = time.Now().Add(time.Hour) })
	var wg sync.WaitGroup
	got := make(chan labs.Submission, 20)
	for range cap(got) {
		wg.Go(func() {
			s, err := k.db.BeginSubmission(ctx, k.a.ID, k.ada.ID, "d1")
			if err != nil {
				wantCode(t, err, labs.Conflict)
				return
			}
			got <- s
		})
	}
	wg.Wait()
	close(got)
	if len(got) != 1 {
		t.Fatalf("%d submissions are being taken at once; want 1", len(got))
	}
	first := <-got
	if first.Attempt != 1 || first.State != labs.Taking || len(first.Folder) != 12 || first.LabDigest != "d1" {
		t.Errorf("the first is %+v", first)
	}
	// What could not be taken costs nothing.
	wantCode(t, k.db.DropSubmission(ctx, first.ID), "")
	k.handIn(t, k.ada.ID, 1, 10)
	second := k.handIn(t, k.ada.ID, 5, 10)
	if second.Attempt != 2 || second.Folder == first.Folder {
		t.Errorf("the second is %+v", second)
	}
	_, err := k.db.BeginSubmission(ctx, k.a.ID, k.ada.ID, "d1")
	wantCode(t, err, labs.Conflict)
	wantCode(t, k.db.Extend(ctx, labs.Extension{AssignmentID: k.a.ID, UserID: k.ada.ID, Attempts: 1, ByID: k.ivan.ID}), "")
	third := k.handIn(t, k.ada.ID, 3, 10)
	_, err = k.db.BeginSubmission(ctx, k.a.ID, k.ada.ID, "d1")
	wantCode(t, err, labs.Conflict)
	if g := k.grade(t, k.ada.ID); g.Points != 10 || g.Submission != second.ID || third.Attempt != 3 {
		t.Errorf("the grade is %+v; want that of the second, 10", g)
	}

	// Others have attempts of their own; too early and too late there are none.
	k.handIn(t, k.bob.ID, 1, 10)
	for _, times := range [][2]time.Duration{{time.Hour, 3 * time.Hour}, {-3 * time.Hour, -time.Hour}} {
		a := k.a
		a.Attempts = 0
		a.OpensAt, a.DueAt, a.ClosesAt = time.Now().Add(times[0]), time.Now().Add(times[1]), time.Now().Add(times[1])
		wantCode(t, k.db.UpdateAssignment(ctx, &a, k.ivan.ID), "")
		_, err := k.db.BeginSubmission(ctx, a.ID, k.carl.ID, "d1")
		wantCode(t, err, labs.Conflict)
	}
	wantCode(t, k.db.Extend(ctx, labs.Extension{AssignmentID: k.a.ID, UserID: k.carl.ID, DueAt: time.Now().Add(time.Hour), ByID: k.ivan.ID}), "")
	k.handIn(t, k.carl.ID, 10, 10)
	_, err = k.db.BeginSubmission(ctx, 99, k.ada.ID, "d1")
	wantCode(t, err, labs.NotFound)
}

func TestQueue(t *testing.T) {
	ctx := context.Background()
	k := newClass(t)
	if _, ok, err := k.db.ClaimSubmission(ctx); ok || err != nil {
		t.Fatalf("an empty queue gives %v, %v", ok, err)
	}
	// Each is claimed once, however many ask.
	want := map[int64]bool{}
	for range 4 {
		for _, u := range []labs.User{k.ada, k.bob, k.carl} {
			s, err := k.db.BeginSubmission(ctx, k.a.ID, u.ID, "d1")
			if err != nil {
				t.Fatal(err)
			}
			wantCode(t, k.db.SubmissionTaken(ctx, s.ID), "")
			wantCode(t, k.db.SubmissionTaken(ctx, s.ID), labs.NotFound)
			wantCode(t, k.db.DropSubmission(ctx, s.ID), labs.NotFound)
			want[s.ID] = true
		}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				s, ok, err := k.db.ClaimSubmission(ctx)
				if err != nil || !ok {
					if err != nil {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				if !want[s.ID] {
					t.Errorf("%d was claimed twice", s.ID)
				}
				delete(want, s.ID)
				mu.Unlock()
				wantCode(t, k.db.FinishSubmission(ctx, s.ID, "d1", 5, 10), "")
			}
		})
	}
	wg.Wait()
	if len(want) != 0 {
		t.Errorf("never claimed: %v", want)
	}

	// A new submission goes before the regrades.
	if n, err := k.db.Regrade(ctx, k.a.ID); n != 12 || err != nil {
		t.Errorf("Regrade = %d, %v", n, err)
	}
	fresh, err := k.db.BeginSubmission(ctx, k.a.ID, k.ada.ID, "d2")
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, k.db.SubmissionTaken(ctx, fresh.ID), "")
	s, _, err := k.db.ClaimSubmission(ctx)
	if err != nil || s.ID != fresh.ID || s.Regrade {
		t.Errorf("first came %+v, %v; want %d", s, err, fresh.ID)
	}
	wantCode(t, k.db.FailSubmission(ctx, s.ID, "The image is gone."), "")
	wantCode(t, k.db.FailSubmission(ctx, s.ID, "again"), labs.NotFound)
	s, _, err = k.db.ClaimSubmission(ctx)
	if err != nil || !s.Regrade || s.Score != 5 {
		t.Errorf("then came %+v, %v; want a regrade that still has its score", s, err)
	}
	wantCode(t, k.db.ReleaseSubmission(ctx, s.ID), "")
	counts, err := k.db.CountSubmissions(ctx, k.a.ID)
	if err != nil || counts[labs.Queued] != 12 || counts[labs.Failed] != 1 {
		t.Errorf("counts %v, %v", counts, err)
	}
	wantCode(t, k.db.RegradeOne(ctx, fresh.ID), "")
	wantCode(t, k.db.RegradeOne(ctx, fresh.ID), labs.NotFound) // it is queued already
}

// TestRecover: after a crash what was graded is queued again, three times at
// most, and what was being taken is gone.
func TestRecover(t *testing.T) {
	ctx := context.Background()
	k := newClass(t)
	half, err := k.db.BeginSubmission(ctx, k.a.ID, k.bob.ID, "d1")
	if err != nil {
		t.Fatal(err)
	}
	s, err := k.db.BeginSubmission(ctx, k.a.ID, k.ada.ID, "d1")
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, k.db.SubmissionTaken(ctx, s.ID), "")
	for try := 1; try <= 3; try++ {
		c, ok, err := k.db.ClaimSubmission(ctx)
		if err != nil || !ok || c.Tries != try {
			t.Fatalf("try %d: %+v, %v, %v", try, c, ok, err)
		}
		dropped, err := k.db.RecoverSubmissions(ctx)
		if err != nil || (try == 1) != (len(dropped) == 1) || try == 1 && dropped[0] != half {
			t.Errorf("try %d: dropped %+v, %v", try, dropped, err)
		}
	}
	got, err := k.db.Submission(ctx, s.ID)
	if err != nil || got.State != labs.Failed || got.Error == "" {
		t.Errorf("after three crashes: %+v, %v", got, err)
	}
	if g := k.grade(t, k.ada.ID); g.Attempts != 0 || g.Failed != 1 {
		t.Errorf("a failure of ours costs an attempt: %+v", g)
	}
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

func TestTeams(t *testing.T) {
	ctx := context.Background()
	k := newClass(t, func(a *labs.Assignment) { a.TeamSize, a.SelfJoin = 2, true })
	_, err := k.db.BeginSubmission(ctx, k.a.ID, k.ada.ID, "d1")
	wantCode(t, err, labs.Conflict) // no team yet
	red, err := k.db.CreateTeamWith(ctx, k.a.ID, " Red ", k.ada.ID)
	if err != nil || red.Name != "Red" {
		t.Fatalf("CreateTeamWith = %+v, %v", red, err)
	}
	_, err = k.db.CreateTeamWith(ctx, k.a.ID, "Red", k.bob.ID)
	wantCode(t, err, labs.Conflict)
	_, err = k.db.CreateTeam(ctx, k.a.ID, "\n")
	wantCode(t, err, labs.Invalid)
	wantCode(t, k.db.JoinTeam(ctx, red.ID, k.bob.ID, k.bob.ID), "")
	wantCode(t, k.db.JoinTeam(ctx, red.ID, k.bob.ID, k.bob.ID), "") // is in it
	wantCode(t, k.db.JoinTeam(ctx, red.ID, k.carl.ID, k.carl.ID), labs.Conflict)
	wantCode(t, k.db.JoinTeam(ctx, 99, k.carl.ID, k.carl.ID), labs.NotFound)

	// They share a rack, which follows the team.
	f := labs.RackFor{UserID: k.ada.ID, LabSlug: "static-routing", AssignmentID: k.a.ID, TeamID: red.ID}
	rack, _, err := k.db.EnsureRack(ctx, f, "d1")
	if err != nil {
		t.Fatal(err)
	}
	f.UserID = k.bob.ID
	if same, made, err := k.db.EnsureRack(ctx, f, "d1"); err != nil || made || same != rack {
		t.Errorf("the other member's rack is %+v, %v, %v; want %+v", same, made, err, rack)
	}
	practice, _, err := k.db.EnsureRack(ctx, labs.RackFor{UserID: k.ada.ID, LabSlug: "static-routing"}, "d1")
	if err != nil || practice.ID == rack.ID {
		t.Errorf("the rack for practice is %+v, %v", practice, err)
	}
	owns := func(u labs.User, want bool) {
		t.Helper()
		if got, err := k.db.OwnsRack(ctx, u.ID, rack); err != nil || got != want {
			t.Errorf("%s owns the team's rack: %v, %v", u.Login, got, err)
		}
	}
	owns(k.ada, true)
	owns(k.bob, true)
	owns(k.carl, false)
	if all, err := k.db.RacksOf(ctx, k.bob.ID); err != nil || !slices.Equal(all, []labs.RackRecord{rack}) {
		t.Errorf("bob's racks are %+v, %v", all, err)
	}

	// One grade for both; one attempt of either counts.
	s := k.handIn(t, k.bob.ID, 5, 10)
	if s.TeamID != red.ID {
		t.Errorf("the submission is %+v", s)
	}
	for _, u := range []labs.User{k.ada, k.bob} {
		if g := k.grade(t, u.ID); g.Points != 10 || g.Attempts != 1 {
			t.Errorf("%s has %+v; want 10", u.Login, g)
		}
		if got := k.history(t, u.ID); !slices.Equal(got, []string{": graded – → 10"}) {
			t.Errorf("history of %s: %q", u.Login, got)
		}
	}
	if all, err := k.db.SubmissionsOf(ctx, k.a.ID, k.ada.ID); err != nil || len(all) != 1 {
		t.Errorf("SubmissionsOf = %+v, %v", all, err)
	}
	if all, err := k.db.SubmissionsOf(ctx, k.a.ID, k.carl.ID); err != nil || len(all) != 0 {
		t.Errorf("carl's SubmissionsOf = %+v, %v", all, err)
	}

	// Once it handed in, only staff move people.
	blue, err := k.db.CreateTeamWith(ctx, k.a.ID, "Blue", k.carl.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, k.db.JoinTeam(ctx, blue.ID, k.bob.ID, k.bob.ID), labs.Conflict)
	wantCode(t, k.db.LeaveTeam(ctx, k.a.ID, k.bob.ID, k.bob.ID), labs.Conflict)
	wantCode(t, k.db.JoinTeam(ctx, blue.ID, k.ada.ID, k.ivan.ID), "")
	owns(k.ada, false) // though she began it
	if g := k.grade(t, k.ada.ID); g.Has {
		t.Errorf("ada took the grade along: %+v", g)
	}
	if got := k.history(t, k.ada.ID); len(got) != 2 || got[1] != "ivan: team changed 10 → –" {
		t.Errorf("history of ada: %q", got)
	}
	// An extension of one holds for the team.
	late := time.Now().Add(-time.Hour)
	a := k.a
	a.DueAt, a.ClosesAt = late, late
	wantCode(t, k.db.UpdateAssignment(ctx, &a, k.ivan.ID), "")
	wantCode(t, k.db.Extend(ctx, labs.Extension{AssignmentID: k.a.ID, UserID: k.carl.ID, DueAt: late.Add(2 * time.Hour), ByID: k.ivan.ID}), "")
	k.handIn(t, k.ada.ID, 10, 10)
	_, err = k.db.BeginSubmission(ctx, k.a.ID, k.bob.ID, "d1")
	wantCode(t, err, labs.Conflict)

	// An empty team without work goes, one with work stays.
	wantCode(t, k.db.LeaveTeam(ctx, k.a.ID, k.bob.ID, k.ivan.ID), "")
	wantCode(t, k.db.LeaveTeam(ctx, k.a.ID, k.bob.ID, k.ivan.ID), labs.NotFound)
	empty, err := k.db.CreateTeamWith(ctx, k.a.ID, "Green", k.bob.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, k.db.LeaveTeam(ctx, k.a.ID, k.bob.ID, k.bob.ID), "")
	_, err = k.db.Team(ctx, empty.ID)
	wantCode(t, err, labs.NotFound)
	teams, err := k.db.Teams(ctx, k.a.ID)
	if err != nil || len(teams) != 2 || !teams[0].Has(k.carl.ID) || len(teams[1].Members) != 0 {
		t.Errorf("Teams = %+v, %v", teams, err)
	}
}

func TestOrdinals(t *testing.T) {
	ctx := context.Background()
	db := openNew(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	numbers := map[int][]string{}
	for i := range 40 {
		student := labs.StudentKey(int64(1+i%20), 0) // each twice
		wg.Go(func() {
			n, err := db.Ordinal(ctx, "vlan", student)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			numbers[n] = append(numbers[n], student)
		})
	}
	wg.Wait()
	for n := range 20 {
		if s := numbers[n]; len(s) != 2 || s[0] != s[1] {
			t.Errorf("number %d has %v; want one student, twice", n, s)
		}
	}
	if n, err := db.Ordinal(ctx, "ospf", labs.StudentKey(5, 7)); n != 0 || err != nil {
		t.Errorf("the first of another lab is %d, %v", n, err)
	}
}
