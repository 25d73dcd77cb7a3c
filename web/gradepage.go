package web

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/sqlite"
)

// gradeData is one student's grade for one assignment, as staff see it.
type gradeData struct {
	labs.Assignment
	sqlite.Standing
	Course      labs.Course
	Student     labs.User
	Team        *labs.Team
	Extension   *labs.Extension
	Submissions []submissionRow
	History     []labs.GradeChange
	Values      url.Values
	Errors      fieldErrors
}

// Get is what a field holds.
func (d gradeData) Get(name string) string { return d.Values.Get(name) }

// Failed is what is wrong with a field; empty when nothing is.
func (d gradeData) Failed(name string) string { return d.Errors[name] }

// Exports says that reports can be downloaded.
func (d gradeData) Exports() bool { return true }

// Sees says that the scores of submissions are shown.
func (d gradeData) Sees() bool { return true }

// LateRule is a sentence, or empty.
func (d gradeData) LateRule() string { return lateRule(&d.Assignment, d.Window) }

// thisGrade finds the assignment and the student of the path, for staff.
func (s *Server) thisGrade(r *http.Request) (labs.Assignment, int64, error) {
	as, err := s.taughtAssignment(r)
	if err != nil {
		return as, 0, err
	}
	user, err := pathID(r, "user")
	if err != nil {
		return as, 0, err
	}
	return as, user, s.studentOf(r, as.CourseID, user)
}

func gradePath(assignment, user int64) string {
	return fmt.Sprintf("/assignments/%d/grades/%d", assignment, user)
}

func (s *Server) gradePage(w http.ResponseWriter, r *http.Request) error {
	as, user, err := s.thisGrade(r)
	if err != nil {
		return err
	}
	return s.renderGrade(w, r, as, user, form{url.Values{}, fieldErrors{}})
}

func (s *Server) renderGrade(w http.ResponseWriter, r *http.Request, as labs.Assignment, user int64, f form) error {
	ctx := r.Context()
	d := gradeData{Assignment: as, Values: f.Values, Errors: f.errors}
	var err error
	if d.Course, err = s.store.Course(ctx, as.CourseID); err != nil {
		return err
	}
	if d.Student, err = s.store.User(ctx, user); err != nil {
		return err
	}
	if d.Standing, err = s.store.Standing(ctx, as.ID, user); err != nil {
		return err
	}
	if d.TeamID != 0 {
		t, err := s.store.Team(ctx, d.TeamID)
		if err != nil {
			return err
		}
		d.Team = &t
	}
	extensions, err := s.store.Extensions(ctx, as.ID)
	if err != nil {
		return err
	}
	for i := range extensions {
		if extensions[i].UserID == user {
			d.Extension = &extensions[i]
		}
	}
	if d.Submissions, err = s.submissionRows(ctx, &as, user, d.Standing); err != nil {
		return err
	}
	if d.History, err = s.store.GradeHistory(ctx, as.ID, user); err != nil {
		return err
	}
	status, message := http.StatusOK, ""
	if len(f.errors) > 0 {
		status, message = http.StatusUnprocessableEntity, "Nothing was changed: a field needs another look."
	} else {
		d.Values = d.current()
	}
	return s.render(w, r, status, view{Page: "grade", Title: as.Title + ": " + d.Student.Name, Error: message, Data: &d})
}

// current is what the forms hold when nothing was typed.
func (d *gradeData) current() url.Values {
	v := url.Values{"kind": {string(labs.AdjustAdd)}}
	if adj := d.Grade.Adjustment; adj != nil {
		v.Set("kind", string(adj.Kind))
		v.Set("value", number(adj.Value))
		v.Set("comment", adj.Comment)
	}
	if e := d.Extension; e != nil {
		v.Set("due", timeField(e.DueAt))
		v.Set("closes", timeField(e.ClosesAt))
		if e.Attempts != 0 {
			v.Set("attempts", number(float64(e.Attempts)))
		}
		v.Set("reason", e.Comment)
	}
	return v
}

func (s *Server) changeGrade(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	as, user, err := s.thisGrade(r)
	if err != nil {
		return err
	}
	f, err := readFields(w, r)
	if err != nil {
		return err
	}
	me := actorOf(ctx).ID
	done := "The grade is changed."
	switch f.Get("do") {
	case "adjust":
		adj := labs.Adjustment{AssignmentID: as.ID, UserID: user, Kind: labs.AdjustmentKind(f.Get("kind")),
			Value: f.number("value"), Comment: f.Get("comment"), ByID: me}
		if f.Get("value") == "" {
			f.errors["value"] = "Say how many points."
		}
		if len(f.errors) == 0 {
			err = f.errors.take(s.store.Adjust(ctx, adj))
		}
	case "unadjust":
		err = s.store.Unadjust(ctx, as.ID, user, me)
	case "extend":
		e := labs.Extension{AssignmentID: as.ID, UserID: user, DueAt: f.time("due"), ClosesAt: f.time("closes"),
			Attempts: f.int("attempts"), Comment: f.Get("reason"), ByID: me}
		if len(f.errors) == 0 {
			err = f.errors.take(s.store.Extend(ctx, e))
		}
		if m := f.errors["comment"]; m != "" {
			f.errors["reason"] = m
			delete(f.errors, "comment")
		}
		done = "The extension is given."
	case "unextend":
		err = s.store.Unextend(ctx, as.ID, user, me)
		done = "The extension is taken back."
	default:
		err = labs.Errorf(labs.Invalid, "The form did not say what to do.")
	}
	if err != nil {
		return err
	}
	if len(f.errors) > 0 {
		return s.renderGrade(w, r, as, user, f)
	}
	s.flash(ctx, done)
	return redirect(w, r, gradePath(as.ID, user))
}
