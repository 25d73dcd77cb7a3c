package web

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/handin"
	"github.com/patchbay/patchbay/labs/sqlite"
)

type gradesJSON struct {
	Assignments []int64         `json:"assignments"`
	Students    []studentGrades `json:"students"`
}

type studentGrades struct {
	ID      int64        `json:"id"`
	Login   string       `json:"login"`
	Name    string       `json:"name"`
	Section string       `json:"section,omitempty"`
	Grades  []*gradeJSON `json:"grades"` // in the order of assignments; null: none
}

// apiGrades is a course's gradebook.
func (s *Server) apiGrades(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	g, err := s.gradebook(r.Context(), c)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, gradesJSON{
		Assignments: each(g.Assignments, func(a labs.Assignment) int64 { return a.ID }),
		Students: each(g.Rows, func(r gradeRow) studentGrades {
			return studentGrades{r.ID, r.Login, r.Name, r.Section,
				each(r.Cells, func(st sqlite.Standing) *gradeJSON { return toGradeJSON(st.Grade) })}
		}),
	})
}

type studentGradeJSON struct {
	Grade       *gradeJSON       `json:"grade,omitempty"`
	Extension   *extensionJSON   `json:"extension,omitempty"`
	Submissions []submissionJSON `json:"submissions"`
	History     []changeJSON     `json:"history"`
}

type extensionJSON struct {
	Due      *time.Time `json:"due,omitempty"`
	Closes   *time.Time `json:"closes,omitempty"`
	Attempts int        `json:"attempts"`
	Comment  string     `json:"comment"`
}

type changeJSON struct {
	At      time.Time `json:"at"`
	By      string    `json:"by,omitempty"` // a name; absent: the server
	Why     string    `json:"why"`
	Comment string    `json:"comment,omitempty"`
	Old     *float64  `json:"old"`
	New     *float64  `json:"new"`
}

type submissionJSON struct {
	ID         int64                `json:"id"`
	Assignment int64                `json:"assignment"`
	User       int64                `json:"user"`
	Team       int64                `json:"team,omitempty"`
	Attempt    int                  `json:"attempt"`
	Created    time.Time            `json:"created"`
	State      labs.SubmissionState `json:"state"`
	Digest     string               `json:"digest"`
	Score      *float64             `json:"score,omitempty"` // once it is graded, and shown
	Worth      *float64             `json:"worth,omitempty"`
	Error      string               `json:"error,omitempty"`
	Progress   *handin.Progress     `json:"progress,omitempty"` // while it is being taken
	Report     *grade.Report        `json:"report,omitempty"`   // of one submission: as far as who asks may see it, without evidence
}

func toSubmissionJSON(sub labs.Submission, shows bool) submissionJSON {
	j := submissionJSON{ID: sub.ID, Assignment: sub.AssignmentID, User: sub.UserID, Team: sub.TeamID, Attempt: sub.Attempt,
		Created: sub.CreatedAt, State: sub.State, Digest: sub.LabDigest, Error: sub.Error}
	if shows && !sub.GradedAt.IsZero() {
		j.Score, j.Worth = &sub.Score, &sub.Worth
	}
	return j
}

// apiGrade is a student's grade with all that made it.
func (s *Server) apiGrade(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	as, user, err := s.thisGrade(r)
	if err != nil {
		return err
	}
	st, err := s.store.Standing(ctx, as.ID, user)
	if err != nil {
		return err
	}
	j := studentGradeJSON{Grade: toGradeJSON(st.Grade)}
	extensions, err := s.store.Extensions(ctx, as.ID)
	if err != nil {
		return err
	}
	for _, e := range extensions {
		if e.UserID == user {
			j.Extension = &extensionJSON{optional(e.DueAt), optional(e.ClosesAt), e.Attempts, e.Comment}
		}
	}
	all, err := s.store.SubmissionsOf(ctx, as.ID, user)
	if err != nil {
		return err
	}
	j.Submissions = each(all, func(sub labs.Submission) submissionJSON { return toSubmissionJSON(sub, true) })
	history, err := s.store.GradeHistory(ctx, as.ID, user)
	if err != nil {
		return err
	}
	j.History = each(history, func(c labs.GradeChange) changeJSON { return changeJSON{c.At, c.By, c.Why, c.Comment, c.Old, c.New} })
	return writeJSON(w, http.StatusOK, j)
}

func (s *Server) apiAdjust(w http.ResponseWriter, r *http.Request) error {
	as, user, err := s.thisGrade(r)
	if err != nil {
		return err
	}
	var req adjustmentJSON
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	err = s.store.Adjust(r.Context(), labs.Adjustment{AssignmentID: as.ID, UserID: user, Kind: req.Kind, Value: req.Value,
		Comment: req.Comment, ByID: actorOf(r.Context()).ID})
	if err != nil {
		return err
	}
	return s.apiGrade(w, r)
}

func (s *Server) apiUnadjust(w http.ResponseWriter, r *http.Request) error {
	as, user, err := s.thisGrade(r)
	if err != nil {
		return err
	}
	if err := s.store.Unadjust(r.Context(), as.ID, user, actorOf(r.Context()).ID); err != nil {
		return err
	}
	return s.apiGrade(w, r)
}

func (s *Server) apiExtend(w http.ResponseWriter, r *http.Request) error {
	as, user, err := s.thisGrade(r)
	if err != nil {
		return err
	}
	var req extensionJSON
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	e := labs.Extension{AssignmentID: as.ID, UserID: user, Attempts: req.Attempts, Comment: req.Comment, ByID: actorOf(r.Context()).ID}
	if req.Due != nil {
		e.DueAt = *req.Due
	}
	if req.Closes != nil {
		e.ClosesAt = *req.Closes
	}
	if err := s.store.Extend(r.Context(), e); err != nil {
		return err
	}
	return s.apiGrade(w, r)
}

func (s *Server) apiUnextend(w http.ResponseWriter, r *http.Request) error {
	as, user, err := s.thisGrade(r)
	if err != nil {
		return err
	}
	if err := s.store.Unextend(r.Context(), as.ID, user, actorOf(r.Context()).ID); err != nil {
		return err
	}
	return s.apiGrade(w, r)
}

// apiSubmissions lists what was handed in: for staff everybody's, otherwise yours.
func (s *Server) apiSubmissions(w http.ResponseWriter, r *http.Request) error {
	as, staff, err := s.thisAssignment(r)
	if err != nil {
		return err
	}
	var all []labs.Submission
	if staff {
		all, err = s.store.Submissions(r.Context(), as.ID)
	} else {
		all, err = s.store.SubmissionsOf(r.Context(), as.ID, actorOf(r.Context()).ID)
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, each(all, func(sub labs.Submission) submissionJSON {
		return toSubmissionJSON(sub, staff || as.ShowsGrades())
	}))
}

var errNoSubmission = labs.Errorf(labs.NotFound, "There is no such submission, or it is not yours.")

// findSubmission finds a submission of a's, of their team's, or of one whom
// they teach. The answer is the same for none and one that is not for a.
func (s *Server) findSubmission(r *http.Request) (sub labs.Submission, as labs.Assignment, staff bool, err error) {
	ctx := r.Context()
	a := actorOf(ctx)
	id, err := pathID(r, "submission")
	if err != nil {
		return sub, as, false, errNoSubmission
	}
	sub, err = s.store.Submission(ctx, id)
	if err == nil {
		as, staff, err = s.findAssignment(ctx, a, sub.AssignmentID)
	}
	if labs.CodeOf(err) == labs.NotFound {
		err = errNoSubmission
	}
	if err != nil || staff {
		return sub, as, staff, err
	}
	st, err := s.store.Standing(ctx, as.ID, a.ID)
	if err == nil && (sub.TeamID != st.TeamID || sub.TeamID == 0 && sub.UserID != a.ID) {
		err = errNoSubmission
	}
	return sub, as, false, err
}

func (s *Server) apiSubmission(w http.ResponseWriter, r *http.Request) error {
	sub, as, staff, err := s.findSubmission(r)
	if err != nil {
		return s.droppedSubmission(r, err)
	}
	shows := staff || as.ShowsGrades()
	var report *grade.Report
	if shows && !sub.GradedAt.IsZero() {
		if report, err = s.seenReport(r.Context(), &sub, &as, staff); err != nil {
			return err
		}
	}
	return s.answerSubmission(w, r, sub, report, shows, http.StatusOK)
}

// seenReport is the report that counts, as whoever asks may see it.
func (s *Server) seenReport(ctx context.Context, sub *labs.Submission, as *labs.Assignment, staff bool) (*grade.Report, error) {
	report, err := s.store.CountingReport(ctx, sub.ID)
	if err != nil || report == nil {
		return nil, err
	}
	if report, err = s.seenBy(ctx, report, as, staff); err != nil {
		return nil, err
	}
	for i := range report.Results {
		report.Results[i].Evidence = nil
	}
	return report, nil
}

// seenBy is a report as far as whoever asks may see it.
func (s *Server) seenBy(ctx context.Context, report *grade.Report, as *labs.Assignment, staff bool) (*grade.Report, error) {
	if staff {
		return report, nil
	}
	st, err := s.store.Standing(ctx, as.ID, actorOf(ctx).ID)
	if err != nil {
		return nil, err
	}
	see := sight{due: as.ShowsAfter(st.Window, time.Now())}
	report = report.Seen(see.due)
	report.Warnings = nil // for staff, as on the page
	for i := range report.Results {
		report.Results[i] = shown(report.Results[i], see)
	}
	return report, nil
}

// droppedSubmission says why a submission that was begun is not there, if that
// is known.
func (s *Server) droppedSubmission(r *http.Request, err error) error {
	if p, ok := s.notTaken(r); ok && labs.CodeOf(err) == labs.NotFound {
		return labs.Errorf(labs.NotFound, "%s", p.Failed)
	}
	return err
}

// answerSubmission writes a submission as it is now.
func (s *Server) answerSubmission(w http.ResponseWriter, r *http.Request, sub labs.Submission, report *grade.Report, shows bool, status int) error {
	j := toSubmissionJSON(sub, shows)
	j.Report = report
	if s.desk != nil && sub.State == labs.Taking {
		if p, ok := s.desk.Progress(sub.ID); ok {
			j.Progress = &p
		}
	}
	return writeJSON(w, status, j)
}

// taughtSubmission is findSubmission for staff alone.
func (s *Server) taughtSubmission(r *http.Request) (labs.Submission, labs.Assignment, error) {
	sub, as, staff, err := s.findSubmission(r)
	if err == nil && !staff {
		err = errNoSubmission
	}
	return sub, as, err
}

var errReportHeld = labs.Errorf(labs.Conflict, "The report is shown once your instructor releases the grades.")

// apiReport is what a submission's checks found: whole for staff, for its
// students as far as the assignment shows it, and without evidence.
func (s *Server) apiReport(w http.ResponseWriter, r *http.Request) error {
	sub, as, staff, err := s.findSubmission(r)
	if err == nil && !staff && !as.ShowsGrades() {
		err = errReportHeld
	}
	if err != nil {
		return err
	}
	live, fresh, err := s.store.Reports(r.Context(), sub.ID)
	if err != nil {
		return err
	}
	var report *grade.Report
	switch grade.Boot(r.URL.Query().Get("boot")) {
	case grade.Live:
		report = live
	case grade.Fresh:
		report = fresh
	case "", grade.Counts: // what the grade is made of
		if report, err = s.store.CountingReport(r.Context(), sub.ID); err != nil {
			return err
		}
	}
	if report == nil {
		return labs.Errorf(labs.NotFound, "There is no such report of this submission (yet).")
	}
	if report, err = s.seenBy(r.Context(), report, &as, staff); err != nil {
		return err
	}
	name := fmt.Sprintf("submission-%d", sub.ID)
	switch r.URL.Query().Get("format") {
	case "", "json":
		download(w, "application/json", name+".json")
		return report.WriteJSON(w)
	case "junit":
		download(w, "application/xml", name+".xml")
		return report.WriteJUnit(w)
	case "gradescope":
		download(w, "application/json", "results.json")
		return report.WriteGradescope(w)
	}
	return labs.Errorf(labs.Invalid, "format is json, junit or gradescope.")
}
