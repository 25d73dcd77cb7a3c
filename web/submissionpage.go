package web

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/handin"
)

// submissionData is a submission as one person sees it: staff everything, its
// students what the assignment shows them.
type submissionData struct {
	labs.Submission
	Assignment labs.Assignment
	Course     labs.Course
	Student    labs.User // who handed in
	Team       string    // its name, when it is a team's
	Staff      bool
	Grades     bool // points are shown
	LateBy     time.Duration
	Grade      labs.Grade
	Progress   *handin.Progress
	Results    []resultRow
	Total      *grade.Report // what the grade is made of, as far as it is seen; nil when it was not graded yet
	Lost       []string      // titles of what passed and did not survive a fresh boot
	Warnings   []string
	Older      bool // the running lab was checked by an older version of the lab
}

// Waits says that the page is to be looked at again.
func (d submissionData) Waits() bool {
	return d.State == labs.Taking || d.State == labs.Queued || d.State == labs.Grading
}

// Counts says that the grade is made of this one.
func (d submissionData) Counts() bool { return d.Submission.ID == d.Grade.Submission }

// Errors is how many checks could not be judged.
func (d submissionData) Errors() int {
	if d.Total == nil {
		return 0
	}
	return d.Total.Errors
}

// resultRow is a check in all that was found of it; nil is not asked, or not yet.
type resultRow struct {
	ID                  int64 // of the submission
	Live, Fresh, Counts *grade.Result
	Evidence            []evidenceRow
	Points              bool // they are shown
}

// Best is what says most of the check: what counts, or else what there is.
func (r resultRow) Best() *grade.Result {
	for _, x := range []*grade.Result{r.Counts, r.Fresh, r.Live} {
		if x != nil {
			return x
		}
	}
	return &grade.Result{}
}

// Open says that a reader wants to know why.
func (r resultRow) Open() bool { return r.Best().Outcome != grade.Pass }

// evidenceRow is a piece of evidence in the page.
type evidenceRow struct {
	Boot grade.Boot
	N    int // among the result's
	Name string
	Cut  bool   // as it was kept
	Text string // empty for what is no text
	More bool   // the text goes on in the file
}

// maxShown is how much of a piece of evidence stands in the page, in bytes.
const maxShown = 4 << 10

func evidenceRows(boot grade.Boot, r *grade.Result) []evidenceRow {
	if r == nil {
		return nil
	}
	rows := make([]evidenceRow, len(r.Evidence))
	for i, e := range r.Evidence {
		rows[i] = evidenceRow{Boot: boot, N: i, Name: e.Name, Cut: e.Cut}
		if isText(e.Type) {
			text := e.Data
			var lines bytes.Buffer
			if e.Type == "application/json" && json.Indent(&lines, text, "", "  ") == nil {
				text = lines.Bytes()
			}
			if rows[i].More = len(text) > maxShown; rows[i].More {
				text = text[:maxShown]
			}
			rows[i].Text = strings.ToValidUTF8(string(text), "\uFFFD")
		}
	}
	return rows
}

func isText(kind string) bool { return strings.HasPrefix(kind, "text/") || kind == "application/json" }

func (s *Server) submissionPage(w http.ResponseWriter, r *http.Request) error {
	sub, as, staff, err := s.findSubmission(r)
	if err != nil {
		return s.notTakenPage(w, r, err)
	}
	d, err := s.submissionData(r.Context(), actorOf(r.Context()), sub, as, staff)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, view{Page: "submission", Title: "Attempt for " + as.Title, Data: d})
}

// notTaken is why a submission that was begun is not there, for who handed in
// and their team.
func (s *Server) notTaken(r *http.Request) (p handin.Progress, ok bool) {
	id, err := pathID(r, "submission")
	if err != nil || s.desk == nil {
		return p, false
	}
	p, ok = s.desk.Progress(id)
	me := actorOf(r.Context()).ID
	if !ok || p.Failed == "" || p.By == me || p.Team == 0 {
		return p, ok && p.Failed != "" && p.By == me
	}
	st, err := s.store.Standing(r.Context(), p.Assignment, me)
	return p, err == nil && st.TeamID == p.Team
}

// notTakenPage says that something was not handed in, and offers to do so again.
func (s *Server) notTakenPage(w http.ResponseWriter, r *http.Request, err error) error {
	p, ok := s.notTaken(r)
	if labs.CodeOf(err) != labs.NotFound || !ok {
		return err
	}
	return s.render(w, r, http.StatusNotFound, view{Page: "nottaken", Title: "Not handed in", Data: p})
}

func (s *Server) submissionData(ctx context.Context, a actor, sub labs.Submission, as labs.Assignment, staff bool) (submissionData, error) {
	d := submissionData{Submission: sub, Assignment: as, Staff: staff, Grades: staff || as.ShowsGrades()}
	var err error
	if d.Course, err = s.store.Course(ctx, as.CourseID); err != nil {
		return d, err
	}
	if d.Student, err = s.store.User(ctx, sub.UserID); err != nil {
		return d, err
	}
	if sub.TeamID != 0 {
		t, err := s.store.Team(ctx, sub.TeamID)
		if err != nil {
			return d, err
		}
		d.Team = t.Name
	}
	// A student's own standing; for staff, that of who handed in.
	whose := a.ID
	if staff {
		whose = sub.UserID
	}
	st, err := s.store.Standing(ctx, as.ID, whose)
	if err != nil {
		return d, err
	}
	d.LateBy, d.Grade = st.Window.LateBy(sub.CreatedAt), st.Grade
	if s.desk != nil && sub.State == labs.Taking {
		if p, ok := s.desk.Progress(sub.ID); ok {
			d.Progress = &p
		}
	}
	return d, s.readReports(ctx, &d, as.ShowsAfter(st.Window, time.Now()))
}

// readReports puts what the checks found into the page, as far as it may be seen.
func (s *Server) readReports(ctx context.Context, d *submissionData, due bool) error {
	live, fresh, err := s.store.Reports(ctx, d.ID)
	if err != nil {
		return err
	}
	counts, err := s.store.CountingReport(ctx, d.ID)
	if err != nil {
		return err
	}
	if live != nil && counts != nil {
		d.Older = live.Digest != counts.Digest
	}
	seen := func(r *grade.Report) *grade.Report {
		if r == nil || d.Staff {
			return r
		}
		return r.Seen(due)
	}
	live, fresh, counts = seen(live), seen(fresh), seen(counts)
	d.Total = counts
	if counts != nil && d.Staff {
		d.Warnings = counts.Warnings
	}
	d.Results = resultRows(d, live, fresh, counts)
	if live != nil && fresh != nil {
		lost := (grade.Pair{Live: live, Fresh: fresh}).Lost()
		for _, row := range d.Results {
			for _, name := range lost {
				if row.Best().Check == name {
					d.Lost = append(d.Lost, row.Best().Title)
				}
			}
		}
	}
	return nil
}

// resultRows brings three reports together, in the order of what counts.
func resultRows(d *submissionData, live, fresh, counts *grade.Report) []resultRow {
	var rows []resultRow
	at := map[string]int{}
	each := func(r *grade.Report, put func(*resultRow, *grade.Result)) {
		if r == nil {
			return
		}
		for i := range r.Results {
			res := &r.Results[i]
			n, ok := at[res.Check]
			if !ok {
				n = len(rows)
				at[res.Check] = n
				rows = append(rows, resultRow{ID: d.ID, Points: d.Grades})
			}
			put(&rows[n], res)
		}
	}
	each(counts, func(r *resultRow, x *grade.Result) { r.Counts = x })
	each(live, func(r *resultRow, x *grade.Result) { r.Live = x })
	each(fresh, func(r *resultRow, x *grade.Result) { r.Fresh = x })
	if d.Staff {
		for i := range rows {
			rows[i].Evidence = append(evidenceRows(grade.Live, rows[i].Live), evidenceRows(grade.Fresh, rows[i].Fresh)...)
		}
	}
	return rows
}

// staffDoes carries out what a button of the submission's page asks, and says
// on that page what is in its way.
func (s *Server) staffDoes(w http.ResponseWriter, r *http.Request, do func(*labs.Submission, *labs.Assignment) (to string, err error)) error {
	sub, as, err := s.taughtSubmission(r)
	if err != nil {
		return err
	}
	to, err := do(&sub, &as)
	if labs.CodeOf(err) == labs.Conflict {
		s.flash(r.Context(), labs.MessageOf(err))
		return redirect(w, r, submissionPath(sub.ID))
	}
	if err != nil {
		return err
	}
	return redirect(w, r, to)
}

func (s *Server) postReopen(w http.ResponseWriter, r *http.Request) error {
	return s.staffDoes(w, r, func(sub *labs.Submission, as *labs.Assignment) (string, error) {
		rec, err := s.reopen(r.Context(), actorOf(r.Context()), sub, as)
		return "/racks/" + rec.ID, err
	})
}

func (s *Server) postRegradeOne(w http.ResponseWriter, r *http.Request) error {
	return s.staffDoes(w, r, func(sub *labs.Submission, _ *labs.Assignment) (string, error) {
		return submissionPath(sub.ID), s.regradeOne(r.Context(), sub)
	})
}
