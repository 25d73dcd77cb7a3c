package web

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/param"
	"github.com/patchbay/patchbay/labs/rack/leak"
)

// drawn keeps what was drawn for students, since drawing reads a lab anew. Its
// zero value is ready; it is safe for use by several goroutines.
type drawn struct {
	mu     sync.Mutex
	labs   map[drawnFor]*labs.Lab                 // guarded by mu
	values map[*labs.Lab]map[string][]param.Value // guarded by mu: by student
	told   map[string]int                         // guarded by mu: of how many students a rack was told
}

type drawnFor struct {
	lab        *labs.Lab
	user, team int64
}

// Bounds of what is kept; beyond them it is drawn anew.
const (
	maxDrawnLabs   = 500
	maxDrawnValues = 32 // labs
)

// student is whom a rack's parameters are drawn for.
func (s *Server) student(ctx context.Context, f labs.RackFor) (userID, teamID int64, err error) {
	if f.SubmissionID == 0 {
		return f.UserID, f.TeamID, nil
	}
	sub, err := s.store.Submission(ctx, f.SubmissionID)
	return sub.UserID, sub.TeamID, err
}

// personal is a lab as whoever a rack is for gets it, with their parameters.
func (s *Server) personal(ctx context.Context, l *labs.Lab, f labs.RackFor) (*labs.Lab, error) {
	if len(l.Parameters) == 0 {
		return l, nil
	}
	user, team, err := s.student(ctx, f)
	if err != nil {
		return nil, err
	}
	key := drawnFor{l, user, team}
	s.drawn.mu.Lock()
	own, ok := s.drawn.labs[key]
	s.drawn.mu.Unlock()
	if ok {
		return own, nil
	}
	if own, err = s.store.LabFor(ctx, l, user, team); err != nil {
		return nil, err
	}
	s.drawn.mu.Lock()
	defer s.drawn.mu.Unlock()
	if s.drawn.labs == nil || len(s.drawn.labs) >= maxDrawnLabs {
		s.drawn.labs = map[drawnFor]*labs.Lab{}
	}
	s.drawn.labs[key] = own
	return own, nil
}

// othersOf is what belongs to others who take a lab, to be looked for in one
// rack. That it cannot be found out holds no lab up.
func (s *Server) othersOf(ctx context.Context, l *labs.Lab, f labs.RackFor) []leak.Watched {
	all, _, err := s.others(ctx, l, f)
	if err != nil {
		s.log.Error("drawing what belongs to others", "lab", l.Slug, "err", err)
	}
	return all
}

// others also says how many students the lab has now.
func (s *Server) others(ctx context.Context, l *labs.Lab, f labs.RackFor) (all []leak.Watched, students int, err error) {
	if !slices.ContainsFunc(l.Parameters, func(d param.Decl) bool { return d.Watched() }) {
		return nil, 0, nil
	}
	user, team, err := s.student(ctx, f)
	if err != nil {
		return nil, 0, err
	}
	values, err := s.valuesOf(ctx, l)
	if err != nil {
		return nil, 0, err
	}
	mine := map[string]bool{labs.StudentKey(user, 0): true, labs.StudentKey(user, team): true}
	own := map[string]bool{}
	for key := range mine {
		for _, v := range values[key] {
			own[v.Text] = true
		}
	}
	for key, vs := range values {
		if mine[key] {
			continue
		}
		for _, v := range vs {
			if v.Watch && !own[v.Text] {
				all = append(all, leak.Watched{Tag: key + " " + v.Param, Kind: leak.Kind(v.Kind), Text: v.Text})
			}
		}
	}
	return all, len(values), nil
}

// valuesOf draws a lab's parameters for all who take it. The map is not
// changed by anybody.
func (s *Server) valuesOf(ctx context.Context, l *labs.Lab) (map[string][]param.Value, error) {
	students, err := s.store.LabStudents(ctx, l.Slug)
	if err != nil {
		return nil, err
	}
	s.drawn.mu.Lock()
	before := s.drawn.values[l]
	s.drawn.mu.Unlock()
	if len(before) == len(students) {
		return before, nil
	}
	values, err := s.store.LabValues(ctx, l, students)
	if err != nil {
		return nil, err
	}
	s.drawn.mu.Lock()
	defer s.drawn.mu.Unlock()
	if s.drawn.values == nil || len(s.drawn.values) >= maxDrawnValues {
		s.drawn.values = map[*labs.Lab]map[string][]param.Value{}
	}
	s.drawn.values[l] = values
	return values, nil
}

// lookOutEvery is how often racks that run are told of students who came later.
const lookOutEvery = time.Minute

// lookOut tells racks that run what belongs to students who came after them.
func (s *Server) lookOut(ctx context.Context) {
	tick := time.NewTicker(lookOutEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.tellRacks(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("telling racks what to look for", "err", err)
			}
		}
	}
}

func (s *Server) tellRacks(ctx context.Context) error {
	running, err := s.racks.Running(ctx)
	if err != nil {
		return err
	}
	told := make(map[string]int, len(running))
	for _, id := range running {
		rec, err := s.store.Rack(ctx, id)
		if labs.CodeOf(err) == labs.NotFound {
			continue // started on the command line
		}
		if err != nil {
			return err
		}
		l, err := s.labOfRack(rec)
		if err != nil {
			continue // its lab is gone
		}
		all, n, err := s.others(ctx, l, rec.RackFor)
		if err != nil {
			return err
		}
		s.drawn.mu.Lock()
		same := s.drawn.told[id] == n
		s.drawn.mu.Unlock()
		if !same && len(all) > 0 {
			if err := s.racks.Watch(ctx, id, all); err != nil {
				s.log.Warn("telling a rack what to look for", "rack", id, "err", err)
				continue
			}
		}
		told[id] = n
	}
	s.drawn.mu.Lock()
	defer s.drawn.mu.Unlock()
	s.drawn.told = told
	return nil
}
