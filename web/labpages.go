package web

import (
	"context"
	"html/template"
	"net/http"
	"slices"

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
	guide, err := s.guides.of(l)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, view{Page: "lab", Title: l.Title,
		Body: data("lab", l.Slug, "rack", "/api/v1/labs/"+l.Slug+"/rack", "role", string(rack.Owner)),
		Data: labData{Lab: l, Guide: guide},
	})
}

// watchPage is the lab page for who may look on.
func (s *Server) watchPage(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	rec, role, err := s.findRack(ctx, actorOf(ctx), chi.URLParam(r, "rack"))
	if err != nil {
		return err
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
	if l, err = s.personal(ctx, l, rec.RackFor); err != nil {
		return err
	}
	guide, err := s.guides.of(l)
	if err != nil {
		return err
	}
	u, err := s.store.User(ctx, rec.UserID)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, view{Page: "lab", Title: l.Title + " of " + u.Name,
		Body: data("lab", l.Slug, "rack", "/api/v1/racks/"+rec.ID, "role", string(rack.Viewer)),
		Data: labData{Lab: l, Guide: guide, Viewer: true, Owner: u.Name},
	})
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
