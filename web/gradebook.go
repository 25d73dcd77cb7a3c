package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/sqlite"
)

// gradebook is all grades of a course: a row for each student, a cell for each
// assignment.
type gradebook struct {
	Course      labs.Course
	Assignments []labs.Assignment
	Sections    []labs.Section
	Rows        []gradeRow
	Section     int64  // shown alone; 0: all
	Sort        string // name, login, section, total, or an assignment's number
	Down        bool
	full        []float64 // what the labs' own checks are worth, in the order of Assignments
}

type gradeRow struct {
	labs.Member
	Section      string
	Cells        []sqlite.Standing // in the order of Assignments
	Total, OutOf float64
}

// outOf is what full marks of an assignment are: what it says, what grades are
// out of, or what its lab's checks are worth. 0 is not known.
func (g *gradebook) outOf(i int) float64 {
	if p := g.Assignments[i].Points; p != 0 {
		return p
	}
	most := 0.0
	for _, r := range g.Rows {
		most = max(most, r.Cells[i].Grade.OutOf)
	}
	if most == 0 {
		return g.full[i]
	}
	return most
}

// OutOf is outOf for the page.
func (g *gradebook) OutOf(i int) string {
	if n := g.outOf(i); n != 0 {
		return number(n)
	}
	return "–"
}

// Order is the address that sorts by a column; again by the same turns it round.
func (g *gradebook) Order(column string) string {
	q := fmt.Sprintf("?sort=%s", column)
	if g.Sort == column && !g.Down {
		q += "&down=1"
	}
	if g.Section != 0 {
		q += fmt.Sprintf("&section=%d", g.Section)
	}
	return q
}

// Sorted is the aria-sort of a column.
func (g *gradebook) Sorted(column string) string {
	switch {
	case g.Sort != column:
		return "none"
	case g.Down:
		return "descending"
	}
	return "ascending"
}

func (s *Server) gradebook(ctx context.Context, c labs.Course) (*gradebook, error) {
	g := &gradebook{Course: c}
	var err error
	if g.Assignments, err = s.store.Assignments(ctx, c.ID); err != nil {
		return nil, err
	}
	if g.Sections, err = s.store.Sections(ctx, c.ID); err != nil {
		return nil, err
	}
	members, err := s.store.Members(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	names := sectionNames(g.Sections)
	var ids []int64
	for _, m := range members {
		if !m.Staff {
			g.Rows = append(g.Rows, gradeRow{Member: m, Section: names[m.SectionID]})
			ids = append(ids, m.ID)
		}
	}
	for _, a := range g.Assignments {
		worth := 0.0
		if l, err := s.labOf(&a); err == nil { // one that is gone is worth what it was
			for i := range l.Checks {
				worth += l.Checks[i].Points
			}
		}
		g.full = append(g.full, worth)
		all, err := s.store.Standings(ctx, a.ID, ids...)
		if err != nil {
			return nil, err
		}
		for i := range g.Rows {
			st := all[g.Rows[i].ID]
			g.Rows[i].Cells = append(g.Rows[i].Cells, st)
			if st.Grade.Has {
				g.Rows[i].Total += st.Grade.Points
				g.Rows[i].OutOf += st.Grade.OutOf
			}
		}
	}
	g.sort()
	return g, nil
}

// sort puts the rows into the order of g.Sort. Who has no grade comes last
// either way.
func (g *gradebook) sort() {
	column := slices.IndexFunc(g.Assignments, func(a labs.Assignment) bool { return strconv.FormatInt(a.ID, 10) == g.Sort })
	turn := 1
	if g.Down {
		turn = -1
	}
	fold := func(a, b string) int { return cmp.Compare(strings.ToLower(a), strings.ToLower(b)) }
	slices.SortStableFunc(g.Rows, func(a, b gradeRow) int {
		order := 0
		switch {
		case g.Sort == "login":
			order = turn * cmp.Compare(a.Login, b.Login)
		case g.Sort == "section":
			order = turn * fold(a.Section, b.Section)
		case g.Sort == "total":
			order = turn * cmp.Compare(a.Total, b.Total)
		case column >= 0:
			x, y := a.Cells[column].Grade, b.Cells[column].Grade
			switch {
			case x.Has != y.Has && x.Has:
				return -1
			case x.Has != y.Has:
				return 1
			}
			order = turn * cmp.Compare(x.Points, y.Points)
		default:
			order = turn * fold(a.Name, b.Name)
		}
		return cmp.Or(order, fold(a.Name, b.Name), cmp.Compare(a.Login, b.Login))
	})
}

func (s *Server) gradebookPage(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	g, err := s.gradebook(r.Context(), c)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	g.Sort, g.Down = cmp.Or(q.Get("sort"), "name"), q.Get("down") != ""
	g.Section, _ = strconv.ParseInt(q.Get("section"), 10, 64) // nonsense shows all
	if g.Section != 0 {
		g.Rows = slices.DeleteFunc(g.Rows, func(r gradeRow) bool { return r.SectionID != g.Section })
	}
	g.sort()
	return s.render(w, r, http.StatusOK, view{Page: "gradebook", Title: "Gradebook of " + c.Title, Data: g})
}

func (s *Server) gradebookFile(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	g, err := s.gradebook(r.Context(), c)
	if err != nil {
		return err
	}
	download(w, "text/csv; charset=utf-8", fmt.Sprintf("grades-%d.csv", c.ID))
	_, _ = w.Write([]byte(gradebookCSV(g))) // the only error left is a client that has gone
	return nil
}

func download(w http.ResponseWriter, kind, name string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
}

func (s *Server) releaseGrades(w http.ResponseWriter, r *http.Request) error {
	as, err := s.taughtAssignment(r)
	if err != nil {
		return err
	}
	f, err := readFields(w, r)
	if err != nil {
		return err
	}
	show := f.Get("show") == "true"
	if err := s.store.ReleaseGrades(r.Context(), as.ID, show); err != nil {
		return err
	}
	if show {
		s.flash(r.Context(), "Students see their grades of “"+as.Title+"” now.")
	} else {
		s.flash(r.Context(), "The grades of “"+as.Title+"” are hidden from students.")
	}
	return redirect(w, r, coursePath(as.CourseID)+"/gradebook")
}
