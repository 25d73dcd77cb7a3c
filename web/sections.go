package web

import (
	"net/http"

	"github.com/patchbay/patchbay/labs"
)

func sectionNames(all []labs.Section) map[int64]string {
	names := make(map[int64]string, len(all))
	for _, s := range all {
		names[s.ID] = s.Name
	}
	return names
}

func (s *Server) createSection(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	if _, err := s.store.CreateSection(r.Context(), c.ID, r.PostForm.Get("name")); err != nil {
		return err
	}
	s.flash(r.Context(), "The section is made. Its join code leads into it.")
	return redirect(w, r, coursePath(c.ID)+"#sections")
}

func (s *Server) changeSection(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	id, err := pathID(r, "section")
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	ctx := r.Context()
	switch r.PostForm.Get("do") {
	case "rename":
		err = s.store.RenameSection(ctx, c.ID, id, r.PostForm.Get("name"))
	case "open", "close":
		_, err = s.store.RenewSectionCode(ctx, c.ID, id, r.PostForm.Get("do") == "open")
	case "delete":
		err = s.store.DeleteSection(ctx, c.ID, id)
	default:
		err = labs.Errorf(labs.Invalid, "The form did not say what to do.")
	}
	if err != nil {
		return err
	}
	s.flash(ctx, "The sections are changed.")
	return redirect(w, r, coursePath(c.ID)+"#sections")
}
