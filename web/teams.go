package web

import (
	"context"
	"net/http"
	"slices"

	"github.com/patchbay/patchbay/labs"
)

// A student's own team, where students make them.

func (s *Server) changeTeam(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	a := actorOf(ctx)
	as, staff, err := s.thisAssignment(r)
	if err != nil {
		return err
	}
	f, err := readFields(w, r)
	if err != nil {
		return err
	}
	if !as.SelfJoin || staff {
		return labs.Errorf(labs.Forbidden, "The teams of this assignment are made by its teachers.")
	}
	switch f.Get("do") {
	case "make":
		_, err = s.store.CreateTeamWith(ctx, as.ID, f.Get("name"), a.ID)
	case "join":
		err = s.joinTeam(r, as, int64(f.int("team")), a.ID)
	case "leave":
		err = s.store.LeaveTeam(ctx, as.ID, a.ID, a.ID)
	default:
		err = labs.Errorf(labs.Invalid, "The form did not say what to do.")
	}
	if code := labs.CodeOf(err); code == labs.Invalid || code == labs.Conflict {
		return s.renderAssignment(w, r, statusOf(err), as, staff, labs.MessageOf(err), f.Get("name"))
	}
	if err != nil {
		return err
	}
	if err := s.endMoved(ctx, as.ID, a.ID); err != nil {
		return err
	}
	s.flash(ctx, "Your team is changed.")
	return redirect(w, r, assignmentPath(as.ID))
}

// joinTeam puts a user into a team of this very assignment.
func (s *Server) joinTeam(r *http.Request, as labs.Assignment, team, user int64) error {
	t, err := s.store.Team(r.Context(), team)
	if err == nil && t.AssignmentID != as.ID {
		err = labs.Errorf(labs.NotFound, "There is no such team.")
	}
	if err != nil {
		return err
	}
	return s.store.JoinTeam(r.Context(), team, user, actorOf(r.Context()).ID)
}

// endMoved ends the streams of whoever changed teams to the assignment's racks:
// they may no longer be theirs.
func (s *Server) endMoved(ctx context.Context, assignment, user int64) error {
	racks, err := s.store.RacksOfAssignment(ctx, assignment)
	if err != nil {
		return err
	}
	s.live.endIf(func(k *socket) bool {
		return k.who.ID == user && slices.ContainsFunc(racks, func(rec labs.RackRecord) bool { return rec.ID == k.rack })
	}, closeDenied, "You have changed teams. Please open the lab again.")
	return nil
}

// Teams, as staff make them.

type teamsData struct {
	labs.Assignment
	List   []labs.Team
	Single []labs.Member // students in no team
	Name   string
}

func (s *Server) teamsPage(w http.ResponseWriter, r *http.Request) error {
	as, err := s.taughtAssignment(r)
	if err != nil {
		return err
	}
	return s.renderTeams(w, r, http.StatusOK, as, "", "")
}

func (s *Server) renderTeams(w http.ResponseWriter, r *http.Request, status int, as labs.Assignment, message, typed string) error {
	ctx := r.Context()
	d := teamsData{Assignment: as, Name: typed}
	var err error
	if d.List, err = s.store.Teams(ctx, as.ID); err != nil {
		return err
	}
	members, err := s.store.Members(ctx, as.CourseID)
	if err != nil {
		return err
	}
	in := map[int64]bool{}
	for _, t := range d.List {
		for _, u := range t.Members {
			in[u.ID] = true
		}
	}
	for _, m := range members {
		if !m.Staff && !in[m.ID] {
			d.Single = append(d.Single, m)
		}
	}
	return s.render(w, r, status, view{Page: "teams", Title: "Teams of " + as.Title, Error: message, Data: &d})
}

func (s *Server) changeTeams(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	as, err := s.taughtAssignment(r)
	if err != nil {
		return err
	}
	f, err := readFields(w, r)
	if err != nil {
		return err
	}
	user := int64(f.int("user"))
	switch f.Get("do") {
	case "make":
		if !as.Teams() {
			return labs.Errorf(labs.Conflict, "This assignment has no teams.")
		}
		_, err = s.store.CreateTeam(ctx, as.ID, f.Get("name"))
	case "join":
		err = s.assignTeam(r, as, int64(f.int("team")), user)
	case "leave":
		if err = s.store.LeaveTeam(ctx, as.ID, user, actorOf(ctx).ID); err == nil {
			err = s.endMoved(ctx, as.ID, user)
		}
	default:
		err = labs.Errorf(labs.Invalid, "The form did not say what to do.")
	}
	if code := labs.CodeOf(err); code == labs.Invalid || code == labs.Conflict {
		return s.renderTeams(w, r, statusOf(err), as, labs.MessageOf(err), f.Get("name"))
	}
	if err != nil {
		return err
	}
	s.flash(ctx, "The teams are changed.")
	return redirect(w, r, assignmentPath(as.ID)+"/teams")
}

// assignTeam is joinTeam by staff, of a student of the course.
func (s *Server) assignTeam(r *http.Request, as labs.Assignment, team, user int64) error {
	if err := s.studentOf(r, as.CourseID, user); err != nil {
		return err
	}
	if err := s.joinTeam(r, as, team, user); err != nil {
		return err
	}
	return s.endMoved(r.Context(), as.ID, user)
}

// studentOf is NotFound unless a user is in a course and does not teach it.
func (s *Server) studentOf(r *http.Request, course, user int64) error {
	e, err := s.store.Enrolment(r.Context(), course, user)
	if labs.CodeOf(err) == labs.NotFound || err == nil && e.Staff {
		return labs.Errorf(labs.NotFound, "There is no such student in this course.")
	}
	return err
}
