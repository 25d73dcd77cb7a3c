package web

import (
	"net/http"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/sqlite"
)

// settingsJSON is what one says of an assignment. Absent times are no limits.
type settingsJSON struct {
	Title       string      `json:"title"`
	Lab         string      `json:"lab"`
	Digest      string      `json:"digest,omitempty"` // the version it stays with; absent: the newest
	Opens       *time.Time  `json:"opens,omitempty"`
	Due         *time.Time  `json:"due,omitempty"`
	Closes      *time.Time  `json:"closes,omitempty"`
	LatePercent float64     `json:"late_percent"`
	LateFloor   float64     `json:"late_floor"`
	Attempts    int         `json:"attempts"`
	Counts      labs.Counts `json:"counts"`
	TeamSize    int         `json:"team_size"`
	SelfJoin    bool        `json:"self_join"`
	Points      float64     `json:"points"`
	Held        bool        `json:"held"`
}

type assignmentJSON struct {
	ID     int64 `json:"id"`
	Course int64 `json:"course"`
	settingsJSON
	Released *time.Time `json:"released,omitempty"`
	Yours    yoursJSON  `json:"yours"`
	Created  time.Time  `json:"created"`
}

// yoursJSON is how one person stands in an assignment.
type yoursJSON struct {
	Phase    labs.Phase `json:"phase"`
	Due      *time.Time `json:"due,omitempty"`
	Closes   *time.Time `json:"closes,omitempty"`
	Attempts int        `json:"attempts"` // 0: no limit
	Used     int        `json:"used"`
	Team     int64      `json:"team,omitempty"`
	Grade    *gradeJSON `json:"grade,omitempty"` // when there is one, and it is shown
}

type gradeJSON struct {
	Points     float64         `json:"points"`
	OutOf      float64         `json:"out_of"`
	Submission int64           `json:"submission,omitempty"`
	Earned     float64         `json:"earned"`
	LateBy     float64         `json:"late_by"` // seconds
	Keeps      float64         `json:"keeps"`
	Adjustment *adjustmentJSON `json:"adjustment,omitempty"`
}

type adjustmentJSON struct {
	Kind    labs.AdjustmentKind `json:"kind"`
	Value   float64             `json:"value"`
	Comment string              `json:"comment"`
}

func toGradeJSON(g labs.Grade) *gradeJSON {
	if !g.Has {
		return nil
	}
	j := &gradeJSON{Points: g.Points, OutOf: g.OutOf, Submission: g.Submission, Earned: g.Earned, LateBy: g.LateBy.Seconds(), Keeps: g.Keeps}
	if a := g.Adjustment; a != nil {
		j.Adjustment = &adjustmentJSON{a.Kind, a.Value, a.Comment}
	}
	return j
}

func toAssignmentJSON(a labs.Assignment, st sqlite.Standing) assignmentJSON {
	j := assignmentJSON{ID: a.ID, Course: a.CourseID, Released: optional(a.Released), Created: a.CreatedAt,
		settingsJSON: settingsJSON{Title: a.Title, Lab: a.LabSlug, Digest: a.LabDigest,
			Opens: optional(a.OpensAt), Due: optional(a.DueAt), Closes: optional(a.ClosesAt),
			LatePercent: a.Late.Percent, LateFloor: a.Late.Floor, Attempts: a.Attempts, Counts: a.Counts,
			TeamSize: a.TeamSize, SelfJoin: a.SelfJoin, Points: a.Points, Held: a.Held},
		Yours: yoursJSON{Phase: st.Window.Phase(time.Now()), Due: optional(st.Window.Due), Closes: optional(st.Window.Closes),
			Attempts: st.Window.Attempts, Used: st.Grade.Attempts, Team: st.TeamID},
	}
	if a.ShowsGrades() {
		j.Yours.Grade = toGradeJSON(st.Grade)
	}
	return j
}

func (s *Server) answerAssignment(w http.ResponseWriter, r *http.Request, status int, id int64) error {
	as, err := s.store.Assignment(r.Context(), id)
	if err != nil {
		return err
	}
	st, err := s.store.Standing(r.Context(), id, actorOf(r.Context()).ID)
	if err != nil {
		return err
	}
	return writeJSON(w, status, toAssignmentJSON(as, st))
}

// readSettings reads settings into an assignment.
func (s *Server) readSettings(w http.ResponseWriter, r *http.Request, a *labs.Assignment) error {
	var j settingsJSON
	if err := readJSON(w, r, &j); err != nil {
		return err
	}
	if _, ok := s.lab(j.Lab); !ok && j.Lab != a.LabSlug {
		return labs.Errorf(labs.Invalid, "There is no lab %q on this server.", j.Lab)
	}
	if j.Lab != a.LabSlug {
		if err := s.mayChoose(r.Context(), actorOf(r.Context()), a.CourseID, j.Lab); err != nil {
			return err
		}
	}
	at := func(t *time.Time) time.Time {
		if t == nil {
			return time.Time{}
		}
		return *t
	}
	a.Title, a.LabSlug, a.LabDigest = j.Title, j.Lab, j.Digest
	a.OpensAt, a.DueAt, a.ClosesAt = at(j.Opens), at(j.Due), at(j.Closes)
	a.Late = labs.LateRule{Percent: j.LatePercent, Floor: j.LateFloor}
	a.Attempts, a.Counts, a.TeamSize, a.SelfJoin = j.Attempts, j.Counts, j.TeamSize, j.SelfJoin
	a.Points, a.Held = j.Points, j.Held
	if j.Digest != "" {
		if _, err := s.labOf(a); err != nil {
			return labs.Errorf(labs.Invalid, "This server does not have the version %q of the lab %q.", j.Digest, j.Lab)
		}
	}
	return nil
}

// apiAssignments lists the assignments of a course that you are in.
func (s *Server) apiAssignments(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	a := actorOf(ctx)
	id, err := pathID(r, "course")
	if err != nil {
		return errNoMember
	}
	if !a.admin() {
		if _, err := s.store.Enrolment(ctx, id, a.ID); labs.CodeOf(err) == labs.NotFound {
			return errNoMember
		} else if err != nil {
			return err
		}
	}
	all, err := s.store.Assignments(ctx, id)
	if err != nil {
		return err
	}
	answer := make([]assignmentJSON, len(all))
	for i, as := range all {
		st, err := s.store.Standing(ctx, as.ID, a.ID)
		if err != nil {
			return err
		}
		answer[i] = toAssignmentJSON(as, st)
	}
	return writeJSON(w, http.StatusOK, answer)
}

var errNoMember = labs.Errorf(labs.NotFound, "There is no such course, or you are not in it.")

func (s *Server) apiCreateAssignment(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	as := labs.Assignment{CourseID: c.ID}
	if err := s.readSettings(w, r, &as); err != nil {
		return err
	}
	if err := s.store.CreateAssignment(r.Context(), &as); err != nil {
		return err
	}
	return s.answerAssignment(w, r, http.StatusCreated, as.ID)
}

func (s *Server) apiAssignment(w http.ResponseWriter, r *http.Request) error {
	as, _, err := s.thisAssignment(r)
	if err != nil {
		return err
	}
	return s.answerAssignment(w, r, http.StatusOK, as.ID)
}

func (s *Server) apiSetAssignment(w http.ResponseWriter, r *http.Request) error {
	as, err := s.taughtAssignment(r)
	if err != nil {
		return err
	}
	if err := s.readSettings(w, r, &as); err != nil {
		return err
	}
	if err := s.store.UpdateAssignment(r.Context(), &as, actorOf(r.Context()).ID); err != nil {
		return err
	}
	return s.answerAssignment(w, r, http.StatusOK, as.ID)
}

func (s *Server) apiDeleteAssignment(w http.ResponseWriter, r *http.Request) error {
	as, err := s.taughtAssignment(r)
	if err != nil {
		return err
	}
	if err := s.store.DeleteAssignment(r.Context(), as.ID); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) apiRelease(w http.ResponseWriter, r *http.Request) error {
	as, err := s.taughtAssignment(r)
	if err != nil {
		return err
	}
	var req struct {
		Show bool `json:"show"`
	}
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	if err := s.store.ReleaseGrades(r.Context(), as.ID, req.Show); err != nil {
		return err
	}
	return s.answerAssignment(w, r, http.StatusOK, as.ID)
}

// apiAssignmentRack is your rack, or your team's, for an assignment.
func (s *Server) apiAssignmentRack(w http.ResponseWriter, r *http.Request) error {
	_, _, f, err := s.assignmentLab(r)
	if err != nil {
		return err
	}
	rec, err := s.store.RackOf(r.Context(), f)
	if labs.CodeOf(err) == labs.NotFound {
		return labs.Errorf(labs.NotFound, "You have not started this lab yet.")
	}
	if err != nil {
		return err
	}
	return s.answerRack(w, r, rec, rack.Owner)
}

func (s *Server) apiStartAssignmentRack(w http.ResponseWriter, r *http.Request) error {
	_, l, f, err := s.assignmentLab(r)
	if err != nil {
		return err
	}
	rec, err := s.startRackFor(r.Context(), actorOf(r.Context()), l, f)
	if err != nil {
		return err
	}
	return s.answerRack(w, r, rec, rack.Owner)
}

type teamJSON struct {
	ID      int64      `json:"id"`
	Name    string     `json:"name"`
	Members []userJSON `json:"members"`
}

func toTeamJSON(t labs.Team) teamJSON { return teamJSON{t.ID, t.Name, each(t.Members, toUserJSON)} }

func (s *Server) apiTeams(w http.ResponseWriter, r *http.Request) error {
	as, err := s.taughtAssignment(r)
	if err != nil {
		return err
	}
	teams, err := s.store.Teams(r.Context(), as.ID)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, each(teams, toTeamJSON))
}

func (s *Server) apiCreateTeam(w http.ResponseWriter, r *http.Request) error {
	as, err := s.taughtAssignment(r)
	if err != nil {
		return err
	}
	var req struct {
		Name string `json:"name"`
	}
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	if !as.Teams() {
		return labs.Errorf(labs.Conflict, "This assignment has no teams.")
	}
	t, err := s.store.CreateTeam(r.Context(), as.ID, req.Name)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, toTeamJSON(t))
}

// apiSetTeam puts a student into a team, or with 0 into none.
func (s *Server) apiSetTeam(w http.ResponseWriter, r *http.Request) error {
	as, user, err := s.thisGrade(r)
	if err != nil {
		return err
	}
	var req struct {
		Team int64 `json:"team"`
	}
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	if req.Team == 0 {
		err = s.store.LeaveTeam(r.Context(), as.ID, user, actorOf(r.Context()).ID)
		if err == nil {
			err = s.endMoved(r.Context(), as.ID, user)
		}
	} else {
		err = s.assignTeam(r, as, req.Team, user)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
