package web

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/patchbay/patchbay/labs"
)

// useLab takes a lab into a course that one teaches: to practise, or as an
// assignment, whose settings are asked for before students see it.
func (s *Server) useLab(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if err := readForm(w, r); err != nil {
		return err
	}
	l, ok := s.lab(chi.URLParam(r, "lab"))
	if !ok {
		return errNoLab
	}
	id, err := strconv.ParseInt(r.PostForm.Get("course"), 10, 64)
	if err != nil {
		return labs.Errorf(labs.Invalid, "Choose the course first.")
	}
	c, err := s.taughtCourse(ctx, actorOf(ctx), id)
	if err != nil {
		return err
	}
	switch r.PostForm.Get("as") {
	case "assignment":
		return redirect(w, r, coursePath(c.ID)+"/assignments/new?lab="+queryEscape(l.Slug))
	case "practice":
		added, err := s.addCourseLab(ctx, c.ID, l.Slug)
		if err != nil {
			return err
		}
		if added {
			s.flash(ctx, "“"+l.Title+"” is now one of the labs of “"+c.Title+"”. Its students see it under “My labs”.")
		} else {
			s.flash(ctx, "“"+c.Title+"” has the lab “"+l.Title+"” already.")
		}
		return redirect(w, r, coursePath(c.ID))
	}
	return labs.Errorf(labs.Invalid, "The form did not say what to do.")
}

// addCourseLab adds one lab to a course's, if its teacher may choose it.
func (s *Server) addCourseLab(ctx context.Context, course int64, slug string) (added bool, err error) {
	if err := s.knownLabs([]string{slug}); err != nil {
		return false, err
	}
	if err := s.mayChoose(ctx, actorOf(ctx), course, slug); err != nil {
		return false, err
	}
	return s.store.AddCourseLab(ctx, course, slug)
}

// duplicateLab makes a lab of one's own of another.
func (s *Server) duplicateLab(ctx context.Context, slug, name string) (*labs.Lab, error) {
	if s.cfg.Library == nil {
		return nil, errNoLibrary
	}
	a := actorOf(ctx)
	if !s.starts.allow("lab " + a.Login) {
		return nil, errTooMany("You have made many labs in a short time. Please wait a few seconds.")
	}
	return s.cfg.Library.Copy(ctx, slug, name, by(a))
}

// copyLab is the form of a lab's page.
func (s *Server) copyLab(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	name := strings.TrimSpace(r.PostForm.Get("name"))
	l, err := s.duplicateLab(r.Context(), chi.URLParam(r, "lab"), name)
	if code := labs.CodeOf(err); (code == labs.Conflict || code == labs.Invalid) && s.cfg.Library != nil {
		return s.showCatalogLab(w, r, statusOf(err), name, labs.MessageOf(err))
	}
	if err != nil {
		return err
	}
	s.flash(r.Context(), "The copy is yours: "+l.Slug+". Download it, change it, and send the new version.")
	return redirect(w, r, catalogPath(l.Slug))
}

func (s *Server) apiCopyLab(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Name string `json:"name"`
	}
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	l, err := s.duplicateLab(r.Context(), chi.URLParam(r, "lab"), req.Name)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, toLabJSON(l))
}

func (s *Server) apiAddCourseLab(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	if _, err := s.addCourseLab(r.Context(), c.ID, chi.URLParam(r, "lab")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// catalogJSON is a lab of the catalog.
type catalogJSON struct {
	labJSON
	State string   `json:"state,omitempty"` // done, started, next, closed
	Leads []string `json:"leads_to"`
}

func (s *Server) apiCatalog(w http.ResponseWriter, r *http.Request) error {
	c, err := s.catalogOf(r.Context(), actorOf(r.Context()))
	if err != nil {
		return err
	}
	q := catalogQuery(r)
	answer := []catalogJSON{}
	for _, l := range c.Labs() {
		if q.Finds(l) {
			state, _ := c.state(l)
			answer = append(answer, catalogJSON{toLabJSON(l), string(state), each(c.After(l.Slug), func(l *labs.Lab) string { return l.Slug })})
		}
	}
	return writeJSON(w, http.StatusOK, answer)
}
