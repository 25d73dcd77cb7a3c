package web

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/sqlite"
)

type rosterData struct {
	Course   labs.Course
	Text     string // the list, to be sent again
	Problems labs.Problems
	Rows     []sqlite.RosterRow
	New      int // of Rows
	Old      int // in the course already, and unchanged
	Bad      int
	Done     bool
	Invites  []invitation
}

func (s *Server) rosterPage(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	return s.renderRoster(w, r, http.StatusOK, rosterData{Course: c}, "")
}

func (s *Server) renderRoster(w http.ResponseWriter, r *http.Request, status int, d rosterData, message string) error {
	for _, row := range d.Rows {
		switch {
		case row.Problem != "":
			d.Bad++
		case row.New:
			d.New++
		case row.Member && !row.Moves:
			d.Old++
		}
	}
	return s.render(w, r, status, view{Page: "roster", Title: "Students of " + d.Course.Title, Error: message, Data: d})
}

// rosterText reads the list: a file, or what was typed.
func rosterText(w http.ResponseWriter, r *http.Request) (name, text string, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, 2*labs.MaxRoster)
	if err := r.ParseMultipartForm(2 * labs.MaxRoster); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return "", "", err
		}
		return "", "", labs.Errorf(labs.Invalid, "The form could not be read. Please go back and send it again.")
	}
	file, header, err := r.FormFile("file")
	if err == nil {
		defer file.Close()
		data, err := io.ReadAll(file)
		if err != nil {
			return "", "", labs.Errorf(labs.Invalid, "The file could not be read. Please send it again.")
		}
		if len(data) > 0 {
			return header.Filename, string(data), nil
		}
	}
	return "list", r.PostForm.Get("list"), nil
}

// takeRoster shows what a list would do, and does it when it was looked at.
func (s *Server) takeRoster(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	name, text, err := rosterText(w, r)
	if err != nil {
		return err
	}
	d := rosterData{Course: c, Text: text}
	entries, err := labs.ReadRoster(name, []byte(text))
	if p, ok := errors.AsType[labs.Problems](err); ok {
		d.Problems = p
		return s.renderRoster(w, r, statusOf(err), d, "The list cannot be read. Nothing was changed.")
	}
	if err != nil {
		return err
	}
	d.Text = strings.ToValidUTF8(text, "") // a hidden field cannot hold the marks of UTF-16
	if r.PostForm.Get("do") != "import" {
		if d.Rows, err = s.store.PlanRoster(ctx, c.ID, entries); err != nil {
			return err
		}
		d.Text = rosterCSV(entries)
		return s.renderRoster(w, r, http.StatusOK, d, "")
	}
	if d.Rows, err = s.store.ImportRoster(ctx, c.ID, entries); err != nil {
		if labs.CodeOf(err) == labs.Invalid {
			return s.renderRoster(w, r, statusOf(err), d, labs.MessageOf(err))
		}
		return err
	}
	for _, row := range d.Rows {
		if !row.New {
			continue
		}
		inv, err := s.invite(r, row.User)
		if err != nil {
			return err
		}
		d.Invites = append(d.Invites, inv)
	}
	d.Done = true
	return s.renderRoster(w, r, http.StatusCreated, d, "")
}
