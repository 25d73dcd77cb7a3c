package labs

import (
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// LateRule says what late work loses: Percent of its score for each day begun,
// and it keeps Floor percent at least. The zero rule takes nothing away.
type LateRule struct{ Percent, Floor float64 }

const day = 24 * time.Hour

// Keeps is the share of its score, 0 to 1, that work keeps which is late by so much.
func (r LateRule) Keeps(late time.Duration) float64 {
	if late <= 0 {
		return 1
	}
	days := math.Ceil(float64(late) / float64(day))
	return min(1, max(r.Floor/100, 1-days*r.Percent/100, 0))
}

// Window is when one student, or team, may hand in. Zero times are no limits.
type Window struct {
	Opens, Due, Closes time.Time
	Attempts           int // 0: no limit
}

// WindowFor is an assignment's times for whoever has these extensions: of a team,
// all its members'. The latest holds for all of them.
func (a *Assignment) WindowFor(extensions ...Extension) Window {
	w := Window{Opens: a.OpensAt, Due: a.DueAt, Closes: a.ClosesAt, Attempts: a.Attempts}
	more := 0
	for _, e := range extensions {
		w.Due = later(w.Due, e.DueAt)
		w.Closes = later(w.Closes, e.ClosesAt)
		more = max(more, e.Attempts)
	}
	w.Closes = later(w.Closes, w.Due)
	if w.Attempts > 0 {
		w.Attempts += more
	}
	return w
}

// later moves a limit; where there is none, there stays none.
func later(limit, by time.Time) time.Time {
	if !limit.IsZero() && by.After(limit) {
		return by
	}
	return limit
}

// Phase is where a Window stands at a time.
type Phase string

// The phases.
const (
	Upcoming Phase = "upcoming" // not open yet
	Open     Phase = "open"
	Late     Phase = "late" // due, and work is still taken
	Closed   Phase = "closed"
)

// Phase is where the window stands. What comes in the very instant that is
// named is in time.
func (w Window) Phase(now time.Time) Phase {
	switch {
	case !w.Opens.IsZero() && now.Before(w.Opens):
		return Upcoming
	case !w.Closes.IsZero() && now.After(w.Closes):
		return Closed
	case !w.Due.IsZero() && now.After(w.Due):
		return Late
	}
	return Open
}

// LateBy is by how much work of that time is late; 0 when it is not.
func (w Window) LateBy(at time.Time) time.Duration {
	if w.Due.IsZero() {
		return 0
	}
	return max(0, at.Sub(w.Due))
}

// MayHandIn says why work cannot be handed in now, by whoever has used so many
// attempts. The error has code Conflict.
func (w Window) MayHandIn(used int, now time.Time) error {
	switch w.Phase(now) {
	case Upcoming:
		return Errorf(Conflict, "This assignment is not open yet.")
	case Closed:
		return Errorf(Conflict, "This assignment is closed: nothing is taken any more.")
	}
	if w.Attempts > 0 && used >= w.Attempts {
		return Errorf(Conflict, "All attempts (%d) are used up.", w.Attempts)
	}
	return nil
}

// SubmissionState is how far a submission has come.
type SubmissionState string

// The states, in their order.
const (
	Taking  SubmissionState = "taking"  // its disks are being copied
	Queued  SubmissionState = "queued"  // waits to be graded
	Grading SubmissionState = "grading" // is being graded
	Graded  SubmissionState = "graded"
	Failed  SubmissionState = "failed" // could not be graded, which is ours to mend: it costs no attempt
)

// Submission is one attempt that was handed in.
type Submission struct {
	ID           int64
	AssignmentID int64
	UserID       int64 // who handed in
	TeamID       int64 // 0: nobody else's
	Attempt      int   // from 1
	Folder       string
	LabDigest    string // the version of the lab whose checks it is graded by
	CreatedAt    time.Time
	State        SubmissionState
	Regrade      bool      // it was graded before
	Tries        int       // how often grading it was begun, since it was queued
	Score, Worth float64   // of the last grading, before lateness and adjustment
	GradedAt     time.Time // zero: never yet; a regrade under way keeps what was
	Error        string    // a sentence, of Failed
}

// Used counts the attempts that are used up: what we failed to grade is none.
func Used(all []Submission) int {
	n := 0
	for i := range all {
		if all[i].State != Failed {
			n++
		}
	}
	return n
}

// AdjustmentKind says what an adjustment does.
type AdjustmentKind string

// The kinds.
const (
	AdjustAdd AdjustmentKind = "add" // points more, or fewer
	AdjustSet AdjustmentKind = "set" // these points, whatever was graded
)

// Adjustment changes a grade by hand. A student has at most one an assignment.
type Adjustment struct {
	AssignmentID int64
	UserID       int64
	Kind         AdjustmentKind
	Value        float64
	Comment      string // why; the student sees it
	ByID         int64
	CreatedAt    time.Time
}

// CleanAdjustment checks an adjustment, in place. Errors are *FieldError.
func CleanAdjustment(adj *Adjustment) error {
	adj.Comment = strings.TrimSpace(adj.Comment)
	switch {
	case adj.Kind != AdjustAdd && adj.Kind != AdjustSet:
		return fieldErrorf("kind", "Either add points or set them.")
	case math.IsNaN(adj.Value) || math.Abs(adj.Value) > MaxPoints:
		return fieldErrorf("value", "Points are a number of at most %.0f.", float64(MaxPoints))
	case adj.Kind == AdjustSet && adj.Value < 0:
		return fieldErrorf("value", "A grade is not below 0.")
	case adj.Comment == "" || utf8.RuneCountInString(adj.Comment) > MaxCommentLen:
		return fieldErrorf("comment", "Say why, in at most %d characters: the student reads it.", MaxCommentLen)
	}
	return nil
}

// Grade is what a student has for an assignment.
type Grade struct {
	Has        bool    // there is one
	Points     float64 // the grade, to a hundredth
	OutOf      float64 // full marks; 0 when nothing was graded yet and the assignment does not say
	Submission int64   // the one that counts; 0 when there is none
	Earned     float64 // of that one, in points of the grade, before lateness and adjustment
	LateBy     time.Duration
	Keeps      float64 // share that lateness left
	Adjustment *Adjustment
	Attempts   int // used
	Pending    int // submissions that are not graded yet
	Failed     int // submissions that could not be graded
}

// GradeOf makes a student's grade of what they, or their team, handed in, in
// whatever order. adj may be nil.
func (a *Assignment) GradeOf(w Window, all []Submission, adj *Adjustment) Grade {
	g := Grade{OutOf: a.Points, Keeps: 1, Attempts: Used(all), Adjustment: adj}
	counting := -1
	for i := range all {
		switch all[i].State {
		case Taking, Queued, Grading:
			g.Pending++
		case Failed:
			g.Failed++
		}
		if !all[i].GradedAt.IsZero() && (counting < 0 || a.before(w, &all[counting], &all[i])) {
			counting = i
		}
	}
	if counting >= 0 {
		s := &all[counting]
		g.Has, g.Submission = true, s.ID
		if a.Points == 0 {
			g.OutOf = s.Worth
		}
		g.LateBy = w.LateBy(s.CreatedAt)
		g.Keeps = a.Late.Keeps(g.LateBy)
		g.Earned = share(s) * g.OutOf
		g.Points = g.Earned * g.Keeps
	}
	if adj != nil {
		g.Has = true
		if adj.Kind == AdjustSet {
			g.Points = adj.Value
		} else {
			g.Points += adj.Value
		}
	}
	g.Points, g.Earned = hundredth(max(0, g.Points)), hundredth(g.Earned)
	return g
}

// before says whether t counts rather than s.
func (a *Assignment) before(w Window, s, t *Submission) bool {
	if a.Counts != Last {
		x := share(s) * a.Late.Keeps(w.LateBy(s.CreatedAt))
		y := share(t) * a.Late.Keeps(w.LateBy(t.CreatedAt))
		if x != y {
			return x < y
		}
		return t.Attempt < s.Attempt // of equals the first: it is the least late
	}
	return s.Attempt < t.Attempt
}

func share(s *Submission) float64 {
	if s.Worth <= 0 {
		return 0
	}
	return s.Score / s.Worth
}

func hundredth(f float64) float64 { return math.Round(f*100) / 100 }

// GradeChange is a line of a grade's history. Nil is no grade.
type GradeChange struct {
	ID           int64
	AssignmentID int64
	UserID       int64
	ByID         int64 // 0: the server
	By           string
	At           time.Time
	Why          string // a few words: "graded", "adjusted"
	Comment      string
	Old, New     *float64
}
