package labs

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// Section is a part of a course: a tutorial group, a laboratory's evening.
type Section struct {
	ID        int64
	CourseID  int64
	Name      string
	JoinCode  string // who has it can enrol, into this section; empty when closed
	CreatedAt time.Time
}

// Counts says which of a student's attempts makes the grade.
type Counts string

// Which attempt counts.
const (
	Best Counts = "best"
	Last Counts = "last"
)

// Assignment is a lab that a course's students are to hand in. Zero times are
// no limits.
type Assignment struct {
	ID        int64
	CourseID  int64
	Title     string
	LabSlug   string
	LabDigest string    // the version it stays with; empty: the newest
	OpensAt   time.Time // before it, nobody can begin
	DueAt     time.Time // after it, work is late
	ClosesAt  time.Time // after it, nothing is taken
	Late      LateRule
	Attempts  int // how many; 0: as many as one likes
	Counts    Counts
	TeamSize  int  // how many may share a rack and a grade; 1: everybody works alone
	SelfJoin  bool // students make and join teams; otherwise staff do
	Points    float64
	Held      bool      // grades are shown once ReleasedAt is set; otherwise as soon as there are any
	Released  time.Time // when grades were shown
	CreatedAt time.Time
}

// Teams says whether students work together.
func (a *Assignment) Teams() bool { return a.TeamSize > 1 }

// ShowsGrades says whether students see their grades.
func (a *Assignment) ShowsGrades() bool { return !a.Held || !a.Released.IsZero() }

// ShowsAfter says whether a student sees checks that are visible “after”:
// their work is due, and grades are shown.
func (a *Assignment) ShowsAfter(w Window, now time.Time) bool {
	if w.Due.IsZero() {
		return a.Held && a.ShowsGrades()
	}
	return a.ShowsGrades() && now.After(w.Due)
}

// Limits of assignments.
const (
	MaxAttempts   = 1000
	MaxTeamSize   = 20
	MaxPoints     = 1e6
	MaxCommentLen = 1000 // characters
)

// FieldError is an Invalid error about one field of a form; Field is its name.
type FieldError struct {
	Field  string
	Reason *Error
}

func (e *FieldError) Error() string { return e.Reason.Error() }
func (e *FieldError) Unwrap() error { return e.Reason }

func fieldErrorf(field, format string, args ...any) error {
	return &FieldError{field, Errorf(Invalid, format, args...)}
}

// CleanAssignment trims and checks an assignment's settings, in place. Errors
// are *FieldError with code Invalid. Whether the lab is there is for the caller.
func CleanAssignment(a *Assignment) error {
	title, err := CleanCourseTitle(a.Title)
	if err != nil {
		return fieldErrorf("title", "An assignment needs a title of at most %d printable characters.", MaxTitleLen)
	}
	a.Title = title
	if a.Counts == "" {
		a.Counts = Best
	}
	if a.TeamSize == 0 {
		a.TeamSize = 1
	}
	if a.TeamSize == 1 {
		a.SelfJoin = false
	}
	switch {
	case a.LabSlug == "":
		return fieldErrorf("lab", "Choose the lab that is to be handed in.")
	case !a.OpensAt.IsZero() && !a.DueAt.IsZero() && !a.OpensAt.Before(a.DueAt):
		return fieldErrorf("due", "It must be due after it opens.")
	case !a.DueAt.IsZero() && !a.ClosesAt.IsZero() && a.ClosesAt.Before(a.DueAt):
		return fieldErrorf("closes", "It must not close before it is due.")
	case !a.OpensAt.IsZero() && !a.ClosesAt.IsZero() && !a.OpensAt.Before(a.ClosesAt):
		return fieldErrorf("closes", "It must close after it opens.")
	case !upTo(a.Late.Percent, 100):
		return fieldErrorf("late_percent", "What a late day costs is from 0 to 100 percent.")
	case !upTo(a.Late.Floor, 100):
		return fieldErrorf("late_floor", "What late work keeps is from 0 to 100 percent.")
	case a.Attempts < 0 || a.Attempts > MaxAttempts:
		return fieldErrorf("attempts", "Attempts are from 1 to %d, or 0 for as many as one likes.", MaxAttempts)
	case a.Counts != Best && a.Counts != Last:
		return fieldErrorf("counts", "%q is not known: either the best attempt counts or the last.", a.Counts)
	case a.TeamSize < 1 || a.TeamSize > MaxTeamSize:
		return fieldErrorf("team_size", "A team has from 1 to %d students.", MaxTeamSize)
	case !upTo(a.Points, MaxPoints):
		return fieldErrorf("points", "Points are from 0 to %.0f; 0 shows the lab's own.", float64(MaxPoints))
	}
	return nil
}

func upTo(f, limit float64) bool { return f >= 0 && f <= limit && !math.IsNaN(f) }

// CleanSectionName trims and checks the name of a section or a team.
func CleanSectionName(name string) (string, error) {
	name = strings.Join(strings.Fields(name), " ")
	if name == "" || !printable(name) || utf8.RuneCountInString(name) > MaxNameLen {
		return "", fieldErrorf("name", "A name is 1 to %d printable characters.", MaxNameLen)
	}
	return name, nil
}

// Extension gives one student more time or more attempts.
type Extension struct {
	AssignmentID int64
	UserID       int64
	DueAt        time.Time // zero: as for everybody
	ClosesAt     time.Time // zero: as for everybody, but not before DueAt
	Attempts     int       // more than everybody has
	Comment      string
	ByID         int64
	CreatedAt    time.Time
}

// CleanExtension checks an extension of an assignment, in place.
func CleanExtension(a *Assignment, e *Extension) error {
	e.Comment = strings.TrimSpace(e.Comment)
	switch {
	case e.DueAt.IsZero() && e.ClosesAt.IsZero() && e.Attempts == 0:
		return fieldErrorf("attempts", "Say what they get: a later time, or more attempts.")
	case !e.DueAt.IsZero() && !e.ClosesAt.IsZero() && e.ClosesAt.Before(e.DueAt):
		return fieldErrorf("closes", "It must not close before it is due.")
	case !e.DueAt.IsZero() && a.DueAt.IsZero():
		return fieldErrorf("due", "This assignment is never due, so there is nothing to put off.")
	case e.Attempts < 0 || e.Attempts > MaxAttempts:
		return fieldErrorf("attempts", "More attempts are from 0 to %d.", MaxAttempts)
	case utf8.RuneCountInString(e.Comment) > MaxCommentLen:
		return fieldErrorf("comment", "A comment has at most %d characters.", MaxCommentLen)
	}
	return nil
}

// Team is students who share a rack and a grade for one assignment.
type Team struct {
	ID           int64
	AssignmentID int64
	Name         string
	Members      []User // by name
	CreatedAt    time.Time
}

// Has says whether a user is in the team.
func (t *Team) Has(userID int64) bool {
	for i := range t.Members {
		if t.Members[i].ID == userID {
			return true
		}
	}
	return false
}

// StudentKey names whoever a lab's parameters are drawn for: a team when there
// is one, a user otherwise. It stays when they are renamed.
func StudentKey(userID, teamID int64) string {
	if teamID != 0 {
		return fmt.Sprintf("team %d", teamID)
	}
	return fmt.Sprintf("user %d", userID)
}
