package labs_test

import (
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
)

var noon = time.Date(2030, 3, 1, 12, 0, 0, 0, time.UTC)

func TestLateRule(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name string
		rule labs.LateRule
		late time.Duration
		want float64
	}{
		{"in time", labs.LateRule{Percent: 10}, 0, 1},
		{"early", labs.LateRule{Percent: 10}, -time.Hour, 1},
		{"no rule", labs.LateRule{}, 30 * day, 1},
		{"a moment is a day begun", labs.LateRule{Percent: 10}, time.Nanosecond, 0.9},
		{"a whole day", labs.LateRule{Percent: 10}, day, 0.9},
		{"a day and a moment", labs.LateRule{Percent: 10}, day + 1, 0.8},
		{"down to nothing", labs.LateRule{Percent: 30}, 10 * day, 0},
		{"down to the floor", labs.LateRule{Percent: 30, Floor: 50}, 10 * day, 0.5},
		{"everything at once", labs.LateRule{Percent: 100}, time.Minute, 0},
		{"a floor of everything", labs.LateRule{Percent: 100, Floor: 100}, day, 1},
		{"years", labs.LateRule{Percent: 0.1, Floor: 1}, 100 * 365 * day, 0.01},
	} {
		if got := c.rule.Keeps(c.late); got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("%s: %+v keeps %v of what is %v late; want %v", c.name, c.rule, got, c.late, c.want)
		}
	}
}

func TestWindow(t *testing.T) {
	h := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Hour) }
	var never time.Time
	whole := labs.Assignment{OpensAt: h(0), DueAt: h(10), ClosesAt: h(20), Attempts: 3}
	for _, c := range []struct {
		name string
		a    labs.Assignment
		ext  []labs.Extension
		want labs.Window
	}{
		{"as for everybody", whole, nil, labs.Window{Opens: h(0), Due: h(10), Closes: h(20), Attempts: 3}},
		{"due later", whole, []labs.Extension{{DueAt: h(15)}}, labs.Window{Opens: h(0), Due: h(15), Closes: h(20), Attempts: 3}},
		{"due after it closes", whole, []labs.Extension{{DueAt: h(25)}}, labs.Window{Opens: h(0), Due: h(25), Closes: h(25), Attempts: 3}},
		{"closes later", whole, []labs.Extension{{ClosesAt: h(30)}}, labs.Window{Opens: h(0), Due: h(10), Closes: h(30), Attempts: 3}},
		{"never earlier", whole, []labs.Extension{{DueAt: h(5), ClosesAt: h(6)}}, labs.Window{Opens: h(0), Due: h(10), Closes: h(20), Attempts: 3}},
		{"more attempts", whole, []labs.Extension{{Attempts: 2}}, labs.Window{Opens: h(0), Due: h(10), Closes: h(20), Attempts: 5}},
		{"a team's latest", whole, []labs.Extension{{DueAt: h(12), Attempts: 1}, {DueAt: h(14)}, {Attempts: 2}},
			labs.Window{Opens: h(0), Due: h(14), Closes: h(20), Attempts: 5}},
		{"no limit stays none", labs.Assignment{}, []labs.Extension{{DueAt: h(1), ClosesAt: h(2), Attempts: 3}}, labs.Window{}},
	} {
		if got := c.a.WindowFor(c.ext...); got != c.want {
			t.Errorf("%s: %+v; want %+v", c.name, got, c.want)
		}
	}

	w := whole.WindowFor()
	for _, c := range []struct {
		w    labs.Window
		at   time.Time
		used int
		want labs.Phase
		ok   bool
		late time.Duration
	}{
		{w, h(-1), 0, labs.Upcoming, false, 0},
		{w, h(0), 0, labs.Open, true, 0},
		{w, h(10), 0, labs.Open, true, 0}, // in the very instant
		{w, h(10).Add(1), 2, labs.Late, true, 1},
		{w, h(20), 2, labs.Late, true, 10 * time.Hour},
		{w, h(20).Add(1), 0, labs.Closed, false, 10*time.Hour + 1},
		{w, h(5), 3, labs.Open, false, 0},
		{w, h(5), 4, labs.Open, false, 0}, // an extension was taken back
		{labs.Window{}, h(9999), 9999, labs.Open, true, 0},
		{labs.Window{Closes: h(1)}, h(2), 0, labs.Closed, false, 0},
		{labs.Window{Due: h(1)}, h(9999), 0, labs.Late, true, 9998 * time.Hour},
		{labs.Window{Opens: never, Due: never, Closes: never, Attempts: 1}, h(0), 1, labs.Open, false, 0},
	} {
		if got := c.w.Phase(c.at); got != c.want {
			t.Errorf("%+v at %v is %s; want %s", c.w, c.at, got, c.want)
		}
		if err := c.w.MayHandIn(c.used, c.at); (err == nil) != c.ok || !c.ok && labs.CodeOf(err) != labs.Conflict {
			t.Errorf("%+v at %v after %d attempts: %v; want ok %v", c.w, c.at, c.used, err, c.ok)
		}
		if got := c.w.LateBy(c.at); got != c.late {
			t.Errorf("%+v: work of %v is %v late; want %v", c.w, c.at, got, c.late)
		}
	}
}

func TestShowsAfter(t *testing.T) {
	due := labs.Window{Due: noon}
	for _, c := range []struct {
		a     labs.Assignment
		w     labs.Window
		at    time.Time
		shows bool
	}{
		{labs.Assignment{}, due, noon, false},
		{labs.Assignment{}, due, noon.Add(1), true},
		{labs.Assignment{}, labs.Window{}, noon, false}, // never due
		{labs.Assignment{Held: true}, due, noon.Add(1), false},
		{labs.Assignment{Held: true, Released: noon}, due, noon.Add(1), true},
		{labs.Assignment{Held: true, Released: noon}, due, noon.Add(-1), false}, // this one has an extension
		{labs.Assignment{Held: true, Released: noon}, labs.Window{}, noon, true},
	} {
		if got := c.a.ShowsAfter(c.w, c.at); got != c.shows {
			t.Errorf("%+v, %+v at %v: %v", c.a, c.w, c.at, got)
		}
	}
}

func TestGradeOf(t *testing.T) {
	h := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Hour) }
	graded := func(attempt, at int, score float64) labs.Submission {
		return labs.Submission{ID: int64(attempt), Attempt: attempt, CreatedAt: h(at), State: labs.Graded, Score: score, Worth: 10, GradedAt: h(at)}
	}
	in := func(s labs.Submission, state labs.SubmissionState) labs.Submission {
		s.State = state
		return s
	}
	raw := func(attempt int, state labs.SubmissionState) labs.Submission {
		return labs.Submission{ID: int64(attempt), Attempt: attempt, CreatedAt: h(0), State: state}
	}
	add := func(v float64) *labs.Adjustment { return &labs.Adjustment{Kind: labs.AdjustAdd, Value: v} }
	set := func(v float64) *labs.Adjustment { return &labs.Adjustment{Kind: labs.AdjustSet, Value: v} }
	late := labs.LateRule{Percent: 20}
	due := labs.Window{Due: h(0)}
	for _, c := range []struct {
		name   string
		a      labs.Assignment
		w      labs.Window
		all    []labs.Submission
		adj    *labs.Adjustment
		has    bool
		points float64
		outOf  float64
		counts int64
	}{
		{"nothing", labs.Assignment{Points: 20}, due, nil, nil, false, 0, 20, 0},
		{"one", labs.Assignment{}, due, []labs.Submission{graded(1, -1, 7)}, nil, true, 7, 10, 1},
		{"in points of its own", labs.Assignment{Points: 20}, due, []labs.Submission{graded(1, -1, 7)}, nil, true, 14, 20, 1},
		{"thirds", labs.Assignment{Points: 1}, due, []labs.Submission{graded(1, -1, 10.0/3)}, nil, true, 0.33, 1, 1},
		{"the best", labs.Assignment{Counts: labs.Best}, due, []labs.Submission{graded(1, -3, 7), graded(2, -2, 9), graded(3, -1, 5)}, nil, true, 9, 10, 2},
		{"the last", labs.Assignment{Counts: labs.Last}, due, []labs.Submission{graded(3, -1, 5), graded(2, -2, 9), graded(1, -3, 7)}, nil, true, 5, 10, 3},
		{"best of equals is the first", labs.Assignment{}, due, []labs.Submission{graded(2, -1, 7), graded(1, -2, 7)}, nil, true, 7, 10, 1},
		{"best after lateness", labs.Assignment{Late: late}, due, []labs.Submission{graded(1, -1, 8), graded(2, 1, 9)}, nil, true, 8, 10, 1},
		{"late and better all the same", labs.Assignment{Late: late}, due, []labs.Submission{graded(1, -1, 3), graded(2, 1, 9)}, nil, true, 7.2, 10, 2},
		{"the last, late", labs.Assignment{Late: late, Counts: labs.Last}, due, []labs.Submission{graded(1, -1, 8), graded(2, 25, 10)}, nil, true, 6, 10, 2},
		{"the last waits", labs.Assignment{Counts: labs.Last}, due, []labs.Submission{graded(1, -2, 8), raw(2, labs.Queued)}, nil, true, 8, 10, 1},
		{"the last failed", labs.Assignment{Counts: labs.Last}, due, []labs.Submission{graded(1, -2, 8), raw(2, labs.Failed)}, nil, true, 8, 10, 1},
		{"a regrade under way", labs.Assignment{}, due, []labs.Submission{in(graded(1, -1, 7), labs.Grading)}, nil, true, 7, 10, 1},
		{"a regrade that failed", labs.Assignment{}, due, []labs.Submission{in(graded(1, -1, 7), labs.Failed)}, nil, true, 7, 10, 1},
		{"only waiting", labs.Assignment{}, due, []labs.Submission{raw(1, labs.Queued)}, nil, false, 0, 0, 0},
		{"worth nothing", labs.Assignment{Points: 5}, due, []labs.Submission{{ID: 1, Attempt: 1, State: labs.Graded, GradedAt: h(0)}}, nil, true, 0, 5, 1},
		{"added", labs.Assignment{}, due, []labs.Submission{graded(1, -1, 7)}, add(2.5), true, 9.5, 10, 1},
		{"more than full marks", labs.Assignment{}, due, []labs.Submission{graded(1, -1, 9)}, add(3), true, 12, 10, 1},
		{"not below nothing", labs.Assignment{}, due, []labs.Submission{graded(1, -1, 2)}, add(-5), true, 0, 10, 1},
		{"added after lateness", labs.Assignment{Late: late}, due, []labs.Submission{graded(1, 1, 10)}, add(1), true, 9, 10, 1},
		{"set", labs.Assignment{Late: late}, due, []labs.Submission{graded(1, 1, 10)}, set(4), true, 4, 10, 1},
		{"set without work", labs.Assignment{Points: 10}, due, nil, set(6), true, 6, 10, 0},
		{"added without work", labs.Assignment{Points: 10}, due, nil, add(6), true, 6, 10, 0},
		{"an extension", labs.Assignment{Late: late}, labs.Window{Due: h(48)}, []labs.Submission{graded(1, 25, 10)}, nil, true, 10, 10, 1},
	} {
		g := c.a.GradeOf(c.w, c.all, c.adj)
		if g.Has != c.has || g.Points != c.points || g.OutOf != c.outOf || g.Submission != c.counts {
			t.Errorf("%s: %+v; want has %v, %v of %v by %d", c.name, g, c.has, c.points, c.outOf, c.counts)
		}
	}

	g := (&labs.Assignment{}).GradeOf(due, []labs.Submission{graded(1, -1, 1), raw(2, labs.Queued), raw(3, labs.Failed), raw(4, labs.Taking), in(graded(5, -1, 1), labs.Failed)}, nil)
	if g.Attempts != 3 || g.Pending != 2 || g.Failed != 2 {
		t.Errorf("%+v; want 3 attempts, 2 pending, 2 failed", g)
	}
}

func TestCleanAssignment(t *testing.T) {
	good := labs.Assignment{Title: " Routes  by hand ", LabSlug: "static-routing", TeamSize: 1, SelfJoin: true}
	a := good
	if err := labs.CleanAssignment(&a); err != nil || a.Title != "Routes by hand" || a.Counts != labs.Best || a.SelfJoin {
		t.Errorf("%+v, %v", a, err)
	}
	for field, change := range map[string]func(*labs.Assignment){
		"title":        func(a *labs.Assignment) { a.Title = " " },
		"lab":          func(a *labs.Assignment) { a.LabSlug = "" },
		"due":          func(a *labs.Assignment) { a.OpensAt, a.DueAt = noon, noon },
		"closes":       func(a *labs.Assignment) { a.DueAt, a.ClosesAt = noon, noon.Add(-1) },
		"late_percent": func(a *labs.Assignment) { a.Late.Percent = 101 },
		"late_floor":   func(a *labs.Assignment) { a.Late.Floor = -1 },
		"attempts":     func(a *labs.Assignment) { a.Attempts = -1 },
		"counts":       func(a *labs.Assignment) { a.Counts = "worst" },
		"team_size":    func(a *labs.Assignment) { a.TeamSize = 21 },
		"points":       func(a *labs.Assignment) { a.Points = -1 },
	} {
		a := good
		change(&a)
		err := labs.CleanAssignment(&a)
		e, ok := err.(*labs.FieldError)
		if !ok || e.Field != field || labs.CodeOf(err) != labs.Invalid {
			t.Errorf("%s: %v", field, err)
		}
	}
}
