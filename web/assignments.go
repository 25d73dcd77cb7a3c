package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/sqlite"
)

var errNoAssignment = labs.Errorf(labs.NotFound, "There is no such assignment in your courses.")

// findAssignment finds an assignment of a course that a is in, and whether a
// teaches it. The answer is the same for none and one that is not for a.
func (s *Server) findAssignment(ctx context.Context, a actor, id int64) (as labs.Assignment, staff bool, err error) {
	as, err = s.store.Assignment(ctx, id)
	if labs.CodeOf(err) == labs.NotFound {
		err = errNoAssignment
	}
	if err != nil || a.admin() {
		return as, a.admin(), err
	}
	e, err := s.store.Enrolment(ctx, as.CourseID, a.ID)
	if labs.CodeOf(err) == labs.NotFound {
		err = errNoAssignment
	}
	return as, e.Staff, err
}

// thisAssignment is findAssignment by the {assignment} of the path.
func (s *Server) thisAssignment(r *http.Request) (labs.Assignment, bool, error) {
	id, err := pathID(r, "assignment")
	if err != nil {
		return labs.Assignment{}, false, errNoAssignment
	}
	return s.findAssignment(r.Context(), actorOf(r.Context()), id)
}

// taughtAssignment is thisAssignment for its course's teachers alone.
func (s *Server) taughtAssignment(r *http.Request) (labs.Assignment, error) {
	as, staff, err := s.thisAssignment(r)
	if err == nil && !staff {
		err = errNoAssignment
	}
	return as, err
}

func assignmentPath(id int64) string { return fmt.Sprintf("/assignments/%d", id) }

// assignmentRow is an assignment as one person sees it.
type assignmentRow struct {
	labs.Assignment
	sqlite.Standing
	Phase labs.Phase
	Lab   *labs.Lab // nil when the server does not have it
	Staff bool
}

// Done says that something is handed in and nothing failed.
func (a assignmentRow) Done() bool { return a.Grade.Attempts > 0 }

// LateRule is a sentence, or empty.
func (a assignmentRow) LateRule() string { return lateRule(&a.Assignment, a.Window) }

func lateRule(a *labs.Assignment, w labs.Window) string {
	switch {
	case w.Due.IsZero():
		return ""
	case !w.Closes.IsZero() && !w.Closes.After(w.Due):
		return "Nothing is taken after that."
	case a.Late.Percent == 0 || a.Late.Floor >= 100:
		return "Late work loses nothing."
	case a.Late.Floor == 0:
		return fmt.Sprintf("Late work loses %s %% for each day begun.", number(a.Late.Percent))
	}
	return fmt.Sprintf("Late work loses %s %% for each day begun; it keeps %s %% at least.", number(a.Late.Percent), number(a.Late.Floor))
}

// AttemptsLeft is a few words.
func (a assignmentRow) AttemptsLeft() string {
	if a.Window.Attempts == 0 {
		return fmt.Sprintf("%d used, as many as you like", a.Grade.Attempts)
	}
	return fmt.Sprintf("%d of %d used", min(a.Grade.Attempts, a.Window.Attempts), a.Window.Attempts)
}

func (s *Server) assignmentRow(ctx context.Context, a actor, as labs.Assignment, staff bool) (assignmentRow, error) {
	st, err := s.store.Standing(ctx, as.ID, a.ID)
	if err != nil {
		return assignmentRow{}, err
	}
	row := assignmentRow{Assignment: as, Standing: st, Phase: st.Window.Phase(time.Now()), Staff: staff}
	if row.Lab, err = s.labOf(&as); labs.CodeOf(err) == labs.NotFound {
		err = nil // the page says so
	}
	return row, err
}

func (s *Server) assignmentRows(ctx context.Context, a actor, course int64) ([]assignmentRow, error) {
	all, err := s.store.Assignments(ctx, course)
	if err != nil {
		return nil, err
	}
	rows := make([]assignmentRow, len(all))
	for i, as := range all {
		if rows[i], err = s.assignmentRow(ctx, a, as, false); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// submissionRow is a submission in a list.
type submissionRow struct {
	labs.Submission
	By     string // a name
	Team   string // the team's, in lists of everybody
	LateBy time.Duration
	Counts bool
}

type assignmentData struct {
	assignmentRow
	Course      labs.Course
	Racks       []memberRack // its rack, when it runs
	Team        *labs.Team
	Joinable    []labs.Team // with room
	Submissions []submissionRow
	TeamName    string                       // typed
	States      map[labs.SubmissionState]int // how many of everybody's; for staff
	Everybody   []submissionRow              // the newest of everybody's; for staff
	All         bool                         // not the newest alone
	HandsIn     bool                         // this server takes work
}

// maxListed is how many submissions the page lists when it is not asked for all.
const maxListed = 100

// Total is how many submissions there are, and Settled how many need no more of
// the server.
func (d assignmentData) Total() (n int) {
	for _, count := range d.States {
		n += count
	}
	return n
}

func (d assignmentData) Settled() int { return d.States[labs.Graded] + d.States[labs.Failed] }

// NotNow says why nothing can be handed in; empty when it can.
func (d assignmentData) NotNow() string {
	if err := d.Window.MayHandIn(d.Grade.Attempts, time.Now()); err != nil {
		return labs.MessageOf(err)
	}
	if len(d.Racks) == 0 {
		return "What is handed in is the running lab: open it first."
	}
	return ""
}

// Terms is what one should know before handing in.
func (d assignmentData) Terms() string {
	words := fmt.Sprintf("This is attempt %d", d.Grade.Attempts+1)
	if n := d.Window.Attempts; n > 0 {
		words += fmt.Sprintf(" of %d", n)
	}
	words += "."
	if !d.Window.Due.IsZero() && d.Phase == labs.Late {
		words += " It is late. " + d.LateRule()
	}
	return words + " Your machines stand still for a moment, are checked, and their disks are copied. The copy is booted afresh later and checked once more."
}

// Exports says whether reports can be downloaded: not by students.
func (d assignmentData) Exports() bool { return false }

// Sees says whether the scores of submissions are shown.
func (d assignmentData) Sees() bool { return d.Staff || d.ShowsGrades() }

// MayBegin says whether the lab can be opened.
func (d assignmentData) MayBegin() bool {
	return d.Lab != nil && (d.Staff || d.Phase != labs.Upcoming && (d.Team != nil || !d.Teams()))
}

func (s *Server) assignmentPage(w http.ResponseWriter, r *http.Request) error {
	as, staff, err := s.thisAssignment(r)
	if err != nil {
		return err
	}
	return s.renderAssignment(w, r, http.StatusOK, as, staff, "", "")
}

func (s *Server) renderAssignment(w http.ResponseWriter, r *http.Request, status int, as labs.Assignment, staff bool, message, typed string) error {
	ctx := r.Context()
	a := actorOf(ctx)
	row, err := s.assignmentRow(ctx, a, as, staff)
	if err != nil {
		return err
	}
	d := assignmentData{assignmentRow: row, TeamName: typed, HandsIn: s.desk != nil}
	if d.Course, err = s.store.Course(ctx, as.CourseID); err != nil {
		return err
	}
	if as.Teams() {
		teams, err := s.store.Teams(ctx, as.ID)
		if err != nil {
			return err
		}
		for i := range teams {
			if teams[i].ID == row.TeamID {
				d.Team = &teams[i]
			} else if as.SelfJoin && len(teams[i].Members) < as.TeamSize {
				d.Joinable = append(d.Joinable, teams[i])
			}
		}
	}
	if d.Submissions, err = s.submissionRows(ctx, &as, a.ID, row.Standing); err != nil {
		return err
	}
	if staff {
		if d.States, err = s.store.CountSubmissions(ctx, as.ID); err != nil {
			return err
		}
		d.All = r.URL.Query().Get("all") != ""
		if d.Everybody, err = s.everybodysRows(ctx, &as, d.All); err != nil {
			return err
		}
	}
	rec, err := s.store.RackOf(ctx, rackFor(a, &as, row.TeamID))
	if err == nil {
		runs, err := s.racks.Runs(ctx, rec.ID)
		if err != nil {
			return err
		}
		if runs {
			d.Racks = []memberRack{{ID: rec.ID}}
		}
	} else if labs.CodeOf(err) != labs.NotFound {
		return err
	}
	return s.render(w, r, status, view{Page: "assignment", Title: as.Title, Error: message, Data: &d})
}

// submissionRows lists what a user, or their team, handed in.
func (s *Server) submissionRows(ctx context.Context, as *labs.Assignment, user int64, st sqlite.Standing) ([]submissionRow, error) {
	all, err := s.store.SubmissionsOf(ctx, as.ID, user)
	if err != nil {
		return nil, err
	}
	rows := make([]submissionRow, len(all))
	for i, sub := range all {
		u, err := s.store.User(ctx, sub.UserID)
		if err != nil {
			return nil, err
		}
		rows[i] = submissionRow{Submission: sub, By: u.Name, LateBy: st.Window.LateBy(sub.CreatedAt), Counts: sub.ID == st.Grade.Submission}
	}
	return rows, nil
}

// everybodysRows lists what was handed in, the newest first.
func (s *Server) everybodysRows(ctx context.Context, as *labs.Assignment, all bool) ([]submissionRow, error) {
	subs, err := s.store.Submissions(ctx, as.ID)
	if err != nil {
		return nil, err
	}
	if !all {
		subs = subs[:min(len(subs), maxListed)]
	}
	members, err := s.store.Members(ctx, as.CourseID)
	if err != nil {
		return nil, err
	}
	names := map[int64]string{}
	for _, m := range members {
		names[m.ID] = m.Name
	}
	teams, err := s.store.Teams(ctx, as.ID)
	if err != nil {
		return nil, err
	}
	teamNames := map[int64]string{}
	for i := range teams {
		teamNames[teams[i].ID] = teams[i].Name
	}
	ids := make([]int64, len(subs))
	for i, sub := range subs {
		ids[i] = sub.UserID
	}
	standings, err := s.store.Standings(ctx, as.ID, ids...)
	if err != nil {
		return nil, err
	}
	rows := make([]submissionRow, len(subs))
	for i, sub := range subs {
		if names[sub.UserID] == "" { // who has left the course
			u, err := s.store.User(ctx, sub.UserID)
			if err != nil {
				return nil, err
			}
			names[sub.UserID] = u.Name
		}
		st := standings[sub.UserID]
		rows[i] = submissionRow{Submission: sub, By: names[sub.UserID], Team: teamNames[sub.TeamID],
			LateBy: st.Window.LateBy(sub.CreatedAt), Counts: sub.ID == st.Grade.Submission}
	}
	return rows, nil
}

// Its lab.

func rackFor(a actor, as *labs.Assignment, team int64) labs.RackFor {
	return labs.RackFor{UserID: a.ID, LabSlug: as.LabSlug, AssignmentID: as.ID, TeamID: team}
}

// assignmentLab finds the lab of an assignment that a may work on now, and
// whose rack it is: a's own, or that of their team.
func (s *Server) assignmentLab(r *http.Request) (labs.Assignment, *labs.Lab, labs.RackFor, error) {
	a := actorOf(r.Context())
	as, staff, err := s.thisAssignment(r)
	if err != nil {
		return as, nil, labs.RackFor{}, err
	}
	st, err := s.store.Standing(r.Context(), as.ID, a.ID)
	if err != nil {
		return as, nil, labs.RackFor{}, err
	}
	l, err := s.labOf(&as)
	switch {
	case err != nil:
	case !staff && st.Window.Phase(time.Now()) == labs.Upcoming:
		err = labs.Errorf(labs.Forbidden, "This assignment is not open yet.")
	case !staff && as.Teams() && st.TeamID == 0:
		err = labs.Errorf(labs.Conflict, "You are in no team for this assignment yet. Its page says how you come into one.")
	}
	return as, l, rackFor(a, &as, st.TeamID), err
}

func (s *Server) assignmentLabPage(w http.ResponseWriter, r *http.Request) error {
	as, l, f, err := s.assignmentLab(r)
	if err != nil {
		return err
	}
	if l, err = s.runningVersion(r.Context(), f, l); err != nil {
		return err
	}
	if l, err = s.personal(r.Context(), l, f); err != nil {
		return err
	}
	seen := labSeen{title: as.Title, rack: fmt.Sprintf("/api/v1/assignments/%d/rack", as.ID), role: rack.Owner, rec: labs.RackRecord{RackFor: f}}
	if s.desk != nil {
		st, err := s.store.Standing(r.Context(), as.ID, actorOf(r.Context()).ID)
		if err != nil {
			return err
		}
		seen.more = []string{"assignment", strconv.FormatInt(as.ID, 10), "late", lateRule(&as, st.Window)}
	}
	return s.renderLab(w, r, l, seen)
}

func (s *Server) stopAssignment(w http.ResponseWriter, r *http.Request) error {
	as, _, f, err := s.assignmentLab(r)
	if err != nil {
		return err
	}
	rec, err := s.store.RackOf(r.Context(), f)
	if err != nil {
		return err
	}
	if err := s.stopRack(r.Context(), rec.ID); err != nil {
		return err
	}
	s.flash(r.Context(), "The lab is stopped. Your work is kept for the next time.")
	return redirect(w, r, assignmentPath(as.ID))
}
