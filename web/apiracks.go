package web

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"golang.org/x/sync/errgroup"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
)

// maxAsking is how many racks are asked at a time: one that hangs is not to
// keep a list waiting for itself times all the others.
const maxAsking = 32

// toRackJSON asks the rack how it is.
func (s *Server) toRackJSON(ctx context.Context, rec labs.RackRecord, role rack.Role) (rackJSON, error) {
	j := rackJSON{ID: rec.ID, Lab: rec.LabSlug, Assignment: rec.AssignmentID, Role: role, Status: rack.Off, Stream: "/api/v1/racks/" + rec.ID + "/stream"}
	u, err := s.store.User(ctx, rec.UserID)
	if err != nil {
		return rackJSON{}, err
	}
	j.Owner = u.Login
	asking, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	st, err := s.racks.State(asking, rec.ID)
	switch {
	case labs.CodeOf(err) == labs.NotFound:
		return j, nil
	case err != nil && ctx.Err() == nil: // it hangs, and that is its own trouble
		s.log.Warn("asking a rack for its state", "rack", rec.ID, "err", err)
		j.Status, j.Reason = rack.Failed, hangs
		return j, nil
	case err != nil:
		return rackJSON{}, err
	}
	j.State, j.Status = st, st.Status
	return j, nil
}

const hangs = "This lab does not answer. Stop it and start it again; your work is kept."

func (s *Server) answerRack(w http.ResponseWriter, r *http.Request, rec labs.RackRecord, role rack.Role) error {
	j, err := s.toRackJSON(r.Context(), rec, role)
	if err != nil {
		return err
	}
	if j.Reason != "" {
		return labs.Errorf(unavailable, "%s", j.Reason)
	}
	return writeJSON(w, http.StatusOK, j)
}

// apiLabRack is your rack for a lab; it is off when you never started it.
func (s *Server) apiLabRack(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	a := actorOf(ctx)
	l, err := s.findLab(ctx, a, chi.URLParam(r, "lab"))
	if err != nil {
		return err
	}
	rec, err := s.store.RackOf(ctx, labs.RackFor{UserID: a.ID, LabSlug: l.Slug})
	if labs.CodeOf(err) == labs.NotFound {
		return labs.Errorf(labs.NotFound, "You have not started this lab yet.")
	}
	if err != nil {
		return err
	}
	return s.answerRack(w, r, rec, rack.Owner)
}

func (s *Server) apiStartRack(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	a := actorOf(ctx)
	l, err := s.findLab(ctx, a, chi.URLParam(r, "lab"))
	if err != nil {
		return err
	}
	rec, err := s.startRack(ctx, a, l)
	if err != nil {
		return err
	}
	return s.answerRack(w, r, rec, rack.Owner)
}

// apiRacks lists your racks; for an admin, everybody's.
func (s *Server) apiRacks(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	a := actorOf(ctx)
	var records []labs.RackRecord
	var err error
	if a.admin() {
		records, err = s.store.Racks(ctx)
	} else {
		records, err = s.store.RacksOf(ctx, a.ID)
	}
	if err != nil {
		return err
	}
	answer := make([]rackJSON, len(records))
	asking, ctx := errgroup.WithContext(ctx)
	asking.SetLimit(maxAsking)
	for i, rec := range records {
		asking.Go(func() (err error) {
			owns, err := s.store.OwnsRack(ctx, a.ID, rec)
			if err != nil {
				return err
			}
			role := rack.Viewer
			if owns {
				role = rack.Owner
			}
			answer[i], err = s.toRackJSON(ctx, rec, role)
			answer[i].State = nil // of one rack only
			return err
		})
	}
	if err := asking.Wait(); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, answer)
}

func (s *Server) apiRack(w http.ResponseWriter, r *http.Request) error {
	rec, role, err := s.findRack(r.Context(), actorOf(r.Context()), chi.URLParam(r, "rack"))
	if err != nil {
		return err
	}
	return s.answerRack(w, r, rec, role)
}

// apiStopRack ends a rack, for its owner and for admins.
func (s *Server) apiStopRack(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	a := actorOf(ctx)
	id := chi.URLParam(r, "rack")
	rec, _, err := s.findRack(ctx, a, id)
	if err == nil && !a.admin() {
		rec, err = s.findOwnRack(ctx, a, id)
	}
	if err != nil {
		return err
	}
	stop := s.stopRack
	if a.admin() {
		stop = s.endRack
	}
	if err := stop(ctx, rec.ID); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) apiDo(w http.ResponseWriter, r *http.Request) error {
	rec, err := s.findOwnRack(r.Context(), actorOf(r.Context()), chi.URLParam(r, "rack"))
	if err != nil {
		return err
	}
	var op rack.Op
	if err := readJSON(w, r, &op); err != nil {
		return err
	}
	if op.Do == "end" { // the rack itself leaves that to who froze it
		if err := s.refuseFrozen(r.Context(), rec.ID); err != nil {
			return err
		}
	}
	if err := s.racks.Do(r.Context(), rec.ID, op); err != nil {
		return notRunning(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// maxExec bounds how long a script may wait for a program in a guest.
const maxExec = 5 * time.Minute

func (s *Server) apiExec(w http.ResponseWriter, r *http.Request) error {
	rec, err := s.findOwnRack(r.Context(), actorOf(r.Context()), chi.URLParam(r, "rack"))
	if err != nil {
		return err
	}
	var req rack.ExecRequest
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	if len(req.Args) == 0 || req.Timeout < 0 || req.Timeout > maxExec {
		return labs.Errorf(labs.Invalid, "args must name a program, and timeout, in nanoseconds, be at most %s.", maxExec)
	}
	// The server's own write timeout is shorter than a program may take.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(maxExec + time.Minute))
	res, err := s.racks.Exec(r.Context(), rec.ID, chi.URLParam(r, "node"), req)
	if err != nil {
		return notRunning(err)
	}
	return writeJSON(w, http.StatusOK, res)
}

// notRunning says that a rack we know of does not run; a refusal of its own passes.
func notRunning(err error) error {
	if _, ok := asRefusal(err); ok {
		return rackError(err)
	}
	if labs.CodeOf(err) == labs.NotFound {
		return labs.Errorf(labs.Conflict, "This lab is not running. Start it first.")
	}
	return err
}
