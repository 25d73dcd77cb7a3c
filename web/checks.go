package web

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/rack"
)

// checkJSON is a check before it was tried.
type checkJSON struct {
	Name   string      `json:"name"`
	Title  string      `json:"title"`
	Points float64     `json:"points"`
	Step   string      `json:"step,omitempty"`
	Kind   string      `json:"kind"`
	Trust  grade.Trust `json:"trust"`
	Hint   string      `json:"hint,omitempty"`
}

// sight is what somebody may see of a rack's checks.
type sight struct {
	staff bool // everything
	due   bool // what is visible after the due date, too
}

// sees says whether a check is shown.
func (v sight) sees(when grade.Visibility) bool {
	switch when {
	case grade.Never:
		return v.staff
	case grade.After:
		return v.staff || v.due
	}
	return true
}

// checkSight says what a may see of the checks of a rack.
func (s *Server) checkSight(ctx context.Context, a actor, rec labs.RackRecord, role rack.Role) (sight, error) {
	if role != rack.Owner || a.teaches() || rec.SubmissionID != 0 { // staff alone have a submission opened again
		return sight{staff: true}, nil
	}
	if rec.AssignmentID == 0 {
		return sight{}, nil
	}
	as, staff, err := s.findAssignment(ctx, a, rec.AssignmentID)
	if err != nil {
		return sight{}, err
	}
	st, err := s.store.Standing(ctx, as.ID, a.ID)
	return sight{staff: staff, due: as.ShowsAfter(st.Window, time.Now())}, err
}

// checkable finds the rack of the path, the lab that it is checked by, and what
// the one who asks may see of that.
func (s *Server) checkable(r *http.Request) (rec labs.RackRecord, l *labs.Lab, see sight, err error) {
	ctx := r.Context()
	a := actorOf(ctx)
	rec, role, err := s.findRack(ctx, a, chi.URLParam(r, "rack"))
	if err != nil {
		return rec, nil, see, err
	}
	if see, err = s.checkSight(ctx, a, rec, role); err != nil {
		return rec, nil, see, err
	}
	l, err = s.rackLab(ctx, rec)
	return rec, l, see, err
}

// apiRackChecks lists what a rack is checked for.
func (s *Server) apiRackChecks(w http.ResponseWriter, r *http.Request) error {
	_, l, see, err := s.checkable(r)
	if err != nil {
		return err
	}
	answer := []checkJSON{}
	for i := range l.Checks {
		c := &l.Checks[i]
		if !see.sees(c.Visible) {
			continue
		}
		kind, trust, _ := c.Kind()
		answer = append(answer, checkJSON{c.Name, c.Title, c.Points, c.Step, kind, trust, c.Hint})
	}
	return writeJSON(w, http.StatusOK, answer)
}

// apiCheck checks a rack as it runs, and tells each result as it is there.
func (s *Server) apiCheck(w http.ResponseWriter, r *http.Request) error {
	rec, l, see, err := s.checkable(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	if len(l.Checks) == 0 {
		return labs.Errorf(labs.Conflict, "This lab has no checks.")
	}
	if s.cfg.Grading == nil {
		return errNoGrading
	}
	if !s.live.enter() {
		return errRestarts
	}
	defer s.live.leave()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ending, cancel)()

	ask := rack.CheckRequest{Lab: l.Slug, Digest: l.Digest, Boot: grade.Live}
	for _, c := range l.Checks {
		if c.Visible != grade.Never || see.staff {
			ask.Checks = append(ask.Checks, c)
		}
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // networks converge when they do; what has no deadline needs none lifted
	begun := false
	var mu sync.Mutex
	enc := json.NewEncoder(w)
	say := func(line rack.CheckLine) {
		mu.Lock()
		defer mu.Unlock()
		if !begun {
			begun = true
			w.Header().Set("Content-Type", "application/x-ndjson")
			w.Header().Set("X-Accel-Buffering", "no") // a proxy must not collect the lines
			w.WriteHeader(http.StatusOK)
		}
		if enc.Encode(line) != nil || http.NewResponseController(w).Flush() != nil {
			cancel() // nobody listens
		}
	}
	report, err := s.cfg.Grading.Check(ctx, rec.ID, ask, func(res grade.Result) {
		if see.sees(res.Visible) {
			res = shown(res, see)
			say(rack.CheckLine{Result: &res})
		}
	})
	mu.Lock()
	started := begun
	mu.Unlock()
	if err != nil {
		err = rackError(err)
		if !started {
			return err
		}
		s.log.Error("checking", "rack", rec.ID, "err", err)
		say(rack.CheckLine{Error: labs.MessageOf(err)})
		return nil
	}
	if !see.staff {
		report = report.Seen(see.due)
	}
	if a := actorOf(ctx); report.Passed() && rec.SubmissionID == 0 {
		s.notePassed(ctx, a, rec)
	}
	for i := range report.Results {
		report.Results[i] = shown(report.Results[i], see)
	}
	say(rack.CheckLine{Report: report})
	return nil
}

// notePassed records that all checks passed, for the course map of whoever owns
// the rack. That it cannot be recorded is no reason to hold the report back.
func (s *Server) notePassed(ctx context.Context, a actor, rec labs.RackRecord) {
	owns, err := s.store.OwnsRack(ctx, a.ID, rec)
	if err == nil && owns {
		err = s.store.SetPassed(ctx, a.ID, rec.LabSlug, rec.LabDigest)
	}
	if err != nil {
		s.log.Error("recording that all checks passed", "rack", rec.ID, "err", err)
	}
}

// shown is a result as it goes to a page: its evidence is for reports.
func shown(r grade.Result, see sight) grade.Result {
	if r.Outcome == grade.Error && !see.staff {
		r.Seen = "It could not be judged; this is not your fault, and costs no points"
	}
	r.Evidence = nil
	return r
}
