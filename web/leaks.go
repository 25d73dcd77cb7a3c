package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/patchbay/patchbay/labs"
)

// leakRow is what of one student was seen in the lab of another.
type leakRow struct {
	Time      time.Time `json:"time"`
	Lab       string    `json:"lab"`
	Rack      string    `json:"rack"`
	SeenWith  []string  `json:"seen_with"` // logins
	BelongsTo []string  `json:"belongs_to"`
	Parameter string    `json:"parameter"`
	Kind      string    `json:"kind"`
	Where     string    `json:"where"`
	How       string    `json:"how"`
}

// leaks lists what was seen in the racks of a course: those of its labs and
// assignments, of its members. Sightings lie in the racks' folders.
func (s *Server) leaks(ctx context.Context, course int64) ([]leakRow, error) {
	members, err := s.store.Members(ctx, course)
	if err != nil {
		return nil, err
	}
	logins := map[int64]string{}
	for _, m := range members {
		logins[m.ID] = m.Login
	}
	have, err := s.store.CourseLabs(ctx, course)
	if err != nil {
		return nil, err
	}
	assignments, err := s.store.Assignments(ctx, course)
	if err != nil {
		return nil, err
	}
	people := map[string][]int64{} // by labs.StudentKey
	ours := map[int64]bool{}       // assignments
	for i := range assignments {
		ours[assignments[i].ID] = true
		teams, err := s.store.Teams(ctx, assignments[i].ID)
		if err != nil {
			return nil, err
		}
		for _, t := range teams {
			people[labs.StudentKey(0, t.ID)] = each(t.Members, func(u labs.User) int64 { return u.ID })
		}
	}
	for id := range logins {
		people[labs.StudentKey(id, 0)] = []int64{id}
	}
	names := func(ids []int64) []string { return each(ids, func(id int64) string { return logins[id] }) }

	records, err := s.store.Racks(ctx)
	if err != nil {
		return nil, err
	}
	rows := []leakRow{}
	for _, rec := range records {
		practice := rec.AssignmentID == 0 && rec.SubmissionID == 0 &&
			slices.ContainsFunc(have, func(l labs.CourseLab) bool { return l.Slug == rec.LabSlug })
		if practice {
			if practice, err = s.practisedIn(ctx, course, rec); err != nil {
				return nil, err
			}
		}
		owners := people[labs.StudentKey(rec.UserID, rec.TeamID)]
		if len(owners) == 0 || !practice && !ours[rec.AssignmentID] {
			continue
		}
		seen, err := s.racks.Leaks(ctx, rec.ID)
		if err != nil {
			return nil, fmt.Errorf("reading what was seen in rack %s: %w", rec.ID, err)
		}
		for _, g := range seen {
			cut := strings.LastIndexByte(g.Tag, ' ')
			if cut < 0 {
				continue
			}
			theirs := people[g.Tag[:cut]]
			// Of others than the course's members its staff learns nothing; and
			// somebody's own, from another team of theirs, is no leak.
			if len(theirs) == 0 || slices.ContainsFunc(theirs, func(id int64) bool { return slices.Contains(owners, id) }) {
				continue
			}
			rows = append(rows, leakRow{Time: g.Time, Lab: rec.LabSlug, Rack: rec.ID, SeenWith: names(owners), BelongsTo: names(theirs),
				Parameter: g.Tag[cut+1:], Kind: string(g.Kind), Where: g.Where, How: g.How})
		}
	}
	slices.SortStableFunc(rows, func(a, b leakRow) int { return b.Time.Compare(a.Time) })
	return rows, nil
}

type leaksData struct {
	Course labs.Course
	Rows   []leakRow
}

func (s *Server) leaksPage(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	rows, err := s.leaks(r.Context(), c.ID)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, view{Page: "leaks", Title: "Shared values", Data: leaksData{c, rows}})
}

func (s *Server) apiLeaks(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	rows, err := s.leaks(r.Context(), c.ID)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, rows)
}
