package web

import (
	"io"
	"net/http"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/sqlite"
)

type sectionJSON struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	JoinCode string `json:"join_code,omitempty"`
}

func toSectionJSON(x labs.Section) sectionJSON { return sectionJSON{x.ID, x.Name, x.JoinCode} }

func (s *Server) apiSections(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	all, err := s.store.Sections(r.Context(), c.ID)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, each(all, toSectionJSON))
}

func (s *Server) apiCreateSection(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	var req struct {
		Name string `json:"name"`
	}
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	x, err := s.store.CreateSection(r.Context(), c.ID, req.Name)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, toSectionJSON(x))
}

// apiChangeSection renames a section, or renews or closes its join code.
func (s *Server) apiChangeSection(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	id, err := pathID(r, "section")
	if err != nil {
		return err
	}
	var req struct {
		Name *string `json:"name"`
		Open *bool   `json:"open"`
	}
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	if req.Name != nil {
		err = s.store.RenameSection(r.Context(), c.ID, id, *req.Name)
	}
	if err == nil && req.Open != nil {
		_, err = s.store.RenewSectionCode(r.Context(), c.ID, id, *req.Open)
	}
	if err != nil {
		return err
	}
	return s.apiSections(w, r)
}

func (s *Server) apiDeleteSection(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	id, err := pathID(r, "section")
	if err != nil {
		return err
	}
	if err := s.store.DeleteSection(r.Context(), c.ID, id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

type rosterRowJSON struct {
	Line    int    `json:"line"`
	Login   string `json:"login"`
	Name    string `json:"name"`
	Section string `json:"section,omitempty"`
	New     bool   `json:"new"`
	Member  bool   `json:"member"` // was in the course before
	Problem string `json:"problem,omitempty"`
	Link    string `json:"link,omitempty"` // of a new account, shown this once
}

// apiRoster imports a list of students, or with dry_run says what would happen.
func (s *Server) apiRoster(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, labs.MaxRoster))
	if err != nil {
		return err
	}
	entries, err := labs.ReadRoster("list", data)
	if err != nil {
		return err
	}
	var rows []sqlite.RosterRow
	dry := r.URL.Query().Get("dry_run") != ""
	if dry {
		rows, err = s.store.PlanRoster(ctx, c.ID, entries)
	} else {
		rows, err = s.store.ImportRoster(ctx, c.ID, entries)
	}
	if labs.CodeOf(err) == labs.Invalid {
		var problems labs.Problems
		for _, row := range rows {
			if row.Problem != "" {
				problems = append(problems, labs.Problem{File: "list", Line: row.Line, Col: 1, Message: row.Problem})
			}
		}
		return problems
	}
	if err != nil {
		return err
	}
	answer := make([]rosterRowJSON, len(rows))
	for i, row := range rows {
		answer[i] = rosterRowJSON{Line: row.Line, Login: row.User.Login, Name: row.User.Name, Section: row.Section,
			New: row.New, Member: row.Member, Problem: row.Problem}
		if row.New && !dry {
			inv, err := s.invite(r, row.User)
			if err != nil {
				return err
			}
			answer[i].Link = inv.URL
		}
	}
	return writeJSON(w, http.StatusOK, answer)
}
