package web

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
)

// labCard is a lab in a list.
type labCard struct {
	*labs.Lab
	Rack    string // its rack's ID, or empty when it was never opened
	Running bool
}

// Nodes is how many machines the lab has.
func (c labCard) Nodes() int { return len(c.Topology.Nodes) }

type courseCards struct {
	labs.MyCourse
	Assignments []assignmentRow
	Labs        []labCard
	Missing     int // labs of the course that this server does not have
}

type homeData struct {
	Courses []courseCards
	Others  []labCard // racks of labs that are in none of the courses
}

// cards finds out which labs a has racks for to practise, and which of those run.
func (s *Server) cards(ctx context.Context, a actor) (func(slug string) (labCard, bool), []labs.RackRecord, error) {
	records, err := s.store.RacksOf(ctx, a.ID)
	if err != nil {
		return nil, nil, err
	}
	runs := make(map[string]bool, len(records))
	racks := make(map[string]string, len(records))
	records = slices.DeleteFunc(records, func(r labs.RackRecord) bool { return r.AssignmentID != 0 || r.SubmissionID != 0 })
	for _, rec := range records {
		racks[rec.LabSlug] = rec.ID
		if runs[rec.ID], err = s.racks.Runs(ctx, rec.ID); err != nil {
			return nil, nil, err
		}
	}
	return func(slug string) (labCard, bool) {
		l, ok := s.lab(slug)
		id := racks[slug]
		return labCard{Lab: l, Rack: id, Running: runs[id]}, ok
	}, records, nil
}

func (s *Server) home(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	a := actorOf(ctx)
	card, records, err := s.cards(ctx, a)
	if err != nil {
		return err
	}
	courses, err := s.store.CoursesOf(ctx, a.ID)
	if err != nil {
		return err
	}
	var home homeData
	shown := map[string]bool{}
	for _, c := range courses {
		have, err := s.store.CourseLabs(ctx, c.ID)
		if err != nil {
			return err
		}
		cc := courseCards{MyCourse: c}
		if cc.Assignments, err = s.assignmentRows(ctx, a, c.ID); err != nil {
			return err
		}
		for _, l := range have {
			lc, ok := card(l.Slug)
			if !ok {
				cc.Missing++
				continue
			}
			shown[l.Slug] = true
			cc.Labs = append(cc.Labs, lc)
		}
		home.Courses = append(home.Courses, cc)
	}
	for _, rec := range records {
		if lc, ok := card(rec.LabSlug); ok && !shown[rec.LabSlug] && (lc.Running || a.teaches()) {
			home.Others = append(home.Others, lc)
		}
	}
	return s.render(w, r, http.StatusOK, view{Page: "home", Title: "My labs", Data: home})
}

type labData struct {
	Lab    *labs.Lab
	Guide  template.HTML
	Viewer bool
	Owner  string
	Note   string // what it is, when it is no lab of one's own
}

func (s *Server) labPage(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	a := actorOf(ctx)
	l, err := s.findLab(ctx, a, chi.URLParam(r, "lab"))
	if err != nil {
		return err
	}
	f := labs.RackFor{UserID: a.ID, LabSlug: l.Slug}
	if l, err = s.runningVersion(ctx, f, l); err != nil {
		return err
	}
	if l, err = s.personal(ctx, l, f); err != nil {
		return err
	}
	return s.renderLab(w, r, l, labSeen{title: l.Title, rack: "/api/v1/labs/" + l.Slug + "/rack", role: rack.Owner,
		rec: labs.RackRecord{RackFor: f}})
}

// labSeen is how somebody has a lab before them.
type labSeen struct {
	title string
	rack  string // the address that gives, and for its owner starts, the rack
	role  rack.Role
	owner string // a name, for who looks on
	rec   labs.RackRecord
	note  string   // a sentence, instead of who is looked at
	more  []string // data attributes
}

// renderLab renders the lab page. lab.ts says what it is told by attributes.
func (s *Server) renderLab(w http.ResponseWriter, r *http.Request, l *labs.Lab, seen labSeen) error {
	guide, err := s.guides.of(l)
	if err != nil {
		return err
	}
	see, err := s.checkSight(r.Context(), actorOf(r.Context()), seen.rec, seen.role)
	if err != nil {
		return err
	}
	attributes := append([]string{"lab", l.Slug, "rack", seen.rack, "role", string(seen.role)}, seen.more...)
	checks := 0
	for i := range l.Checks {
		if see.sees(l.Checks[i].Visible) {
			checks++
		}
	}
	if checks > 0 && s.cfg.Grading != nil {
		attributes = append(attributes, "checks", strconv.Itoa(checks))
	}
	return s.render(w, r, http.StatusOK, view{Page: "lab", Title: seen.title, Body: data(attributes...),
		Data: labData{Lab: l, Guide: guide, Viewer: seen.role == rack.Viewer, Owner: seen.owner, Note: seen.note}})
}

// watchPage is the lab page for who may look on.
func (s *Server) watchPage(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	rec, role, err := s.findRack(ctx, actorOf(ctx), chi.URLParam(r, "rack"))
	if err != nil {
		return err
	}
	if rec.SubmissionID != 0 {
		return s.reopenedPage(w, r, rec, role)
	}
	if role == rack.Owner {
		if rec.AssignmentID != 0 {
			return redirect(w, r, assignmentPath(rec.AssignmentID)+"/lab")
		}
		return redirect(w, r, "/labs/"+rec.LabSlug)
	}
	l, err := s.rackLab(ctx, rec)
	if err != nil {
		return err
	}
	u, err := s.store.User(ctx, rec.UserID)
	if err != nil {
		return err
	}
	return s.renderLab(w, r, l, labSeen{title: l.Title + " of " + u.Name, rack: "/api/v1/racks/" + rec.ID, role: rack.Viewer, owner: u.Name, rec: rec})
}

// reopenedPage is the lab page of a submission that staff opened again.
func (s *Server) reopenedPage(w http.ResponseWriter, r *http.Request, rec labs.RackRecord, role rack.Role) error {
	ctx := r.Context()
	sub, err := s.store.Submission(ctx, rec.SubmissionID)
	if err != nil {
		return err
	}
	l, err := s.rackLab(ctx, rec)
	if err != nil {
		return err
	}
	u, err := s.store.User(ctx, sub.UserID)
	if err != nil {
		return err
	}
	seen := labSeen{title: fmt.Sprintf("%s: attempt %d of %s", l.Title, sub.Attempt, u.Name), role: role, rec: rec,
		rack: fmt.Sprintf("/api/v1/submissions/%d/reopen", sub.ID),
		note: fmt.Sprintf("Your copy of %s’s attempt %d", u.Name, sub.Attempt)}
	if role == rack.Viewer {
		owner, err := s.store.User(ctx, rec.UserID)
		if err != nil {
			return err
		}
		seen.rack, seen.owner, seen.note = "/api/v1/racks/"+rec.ID, owner.Name, ""
	}
	return s.renderLab(w, r, l, seen)
}

// stopLab is the button of lists; the lab page uses the API.
func (s *Server) stopLab(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	rec, err := s.store.RackOf(ctx, labs.RackFor{UserID: actorOf(ctx).ID, LabSlug: chi.URLParam(r, "lab")})
	if err != nil {
		return err
	}
	if err := s.stopRack(ctx, rec.ID); err != nil {
		return err
	}
	s.flash(ctx, "The lab is stopped. Your work is kept for the next time.")
	return redirect(w, r, "/")
}
