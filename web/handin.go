package web

import (
	"context"
	"fmt"
	"net/http"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/handin"
	"github.com/patchbay/patchbay/labs/rack"
)

var errNoGrading = labs.Errorf(labs.Conflict, "This server does not check labs.")

// openDesk makes the desk where work is handed in. It runs until Close.
func (s *Server) openDesk() error {
	if s.cfg.Grading == nil || s.cfg.Submissions == "" {
		return nil
	}
	var err error
	s.desk, err = handin.New(handin.Config{
		Store: s.store, Racks: s.cfg.Grading, Lab: s.studentLab,
		Dir: s.cfg.Submissions, Workers: s.cfg.Graders, Keep: s.cfg.KeepSubmissions, Log: s.log,
	})
	if err != nil {
		return err
	}
	s.background.Go(func() {
		if err := s.desk.Run(s.ending); err != nil && s.ending.Err() == nil {
			s.log.Error("grading has stopped; what is handed in waits for the server's next start", "err", err)
		}
	})
	return nil
}

// handIn hands a's work for an assignment in.
func (s *Server) handIn(r *http.Request) (labs.Submission, error) {
	ctx := r.Context()
	as, _, f, err := s.assignmentLab(r)
	if err != nil {
		return labs.Submission{}, err
	}
	if s.desk == nil {
		return labs.Submission{}, errNoGrading
	}
	rec, err := s.store.RackOf(ctx, f)
	if labs.CodeOf(err) == labs.NotFound {
		return labs.Submission{}, labs.Errorf(labs.Conflict, "You have not opened this lab yet, so there is nothing to hand in.")
	}
	if err != nil {
		return labs.Submission{}, err
	}
	return s.desk.HandIn(ctx, &as, rec, actorOf(ctx).ID)
}

func submissionPath(id int64) string { return fmt.Sprintf("/submissions/%d", id) }

// apiHandIn takes an attempt.
func (s *Server) apiHandIn(w http.ResponseWriter, r *http.Request) error {
	sub, err := s.handIn(r)
	if err != nil {
		return err
	}
	w.Header().Set("Location", fmt.Sprintf("/api/v1/submissions/%d", sub.ID))
	return s.answerSubmission(w, r, sub, nil, true, http.StatusAccepted)
}

// postHandIn is the button of the assignment's page.
func (s *Server) postHandIn(w http.ResponseWriter, r *http.Request) error {
	sub, err := s.handIn(r)
	if labs.CodeOf(err) == labs.Conflict {
		as, _, ferr := s.thisAssignment(r)
		if ferr != nil {
			return ferr
		}
		s.flash(r.Context(), labs.MessageOf(err))
		return redirect(w, r, assignmentPath(as.ID))
	}
	if err != nil {
		return err
	}
	return redirect(w, r, submissionPath(sub.ID))
}

// regrade queues an assignment's submissions once more.
func (s *Server) regrade(ctx context.Context, as *labs.Assignment) (int, error) {
	if s.desk == nil {
		return 0, errNoGrading
	}
	n, err := s.store.Regrade(ctx, as.ID)
	if err == nil {
		s.desk.Poke()
	}
	return n, err
}

func (s *Server) apiRegrade(w http.ResponseWriter, r *http.Request) error {
	as, err := s.taughtAssignment(r)
	if err != nil {
		return err
	}
	n, err := s.regrade(r.Context(), &as)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusAccepted, map[string]int{"queued": n})
}

func (s *Server) postRegrade(w http.ResponseWriter, r *http.Request) error {
	as, err := s.taughtAssignment(r)
	if err != nil {
		return err
	}
	n, err := s.regrade(r.Context(), &as)
	if err != nil {
		return err
	}
	switch n {
	case 0:
		s.flash(r.Context(), "There is nothing to grade again: it is all waiting already.")
	case 1:
		s.flash(r.Context(), "One submission is graded again.")
	default:
		s.flash(r.Context(), fmt.Sprintf("%d submissions are graded again, one after the other. You can go on meanwhile.", n))
	}
	return redirect(w, r, assignmentPath(as.ID))
}

// reopen starts what was handed in as a rack of a's own.
func (s *Server) reopen(ctx context.Context, a actor, sub *labs.Submission, as *labs.Assignment) (labs.RackRecord, error) {
	if s.desk == nil {
		return labs.RackRecord{}, errNoGrading
	}
	if sub.State == labs.Taking {
		return labs.RackRecord{}, labs.Errorf(labs.Conflict, "It is still being taken. Wait until its disks are copied.")
	}
	rec, _, err := s.store.EnsureRack(ctx, labs.RackFor{UserID: a.ID, LabSlug: as.LabSlug, SubmissionID: sub.ID}, sub.LabDigest)
	if err != nil {
		return rec, err
	}
	return rec, s.startOnce(ctx, rec.ID, func(ctx context.Context) error {
		runs, err := s.racks.Runs(ctx, rec.ID)
		if err != nil || runs {
			return err
		}
		if err := s.mayStart(a); err != nil {
			return err
		}
		return s.desk.Reopen(ctx, sub, rec.ID, a.Login)
	})
}

func (s *Server) apiReopen(w http.ResponseWriter, r *http.Request) error {
	sub, as, err := s.taughtSubmission(r)
	if err != nil {
		return err
	}
	rec, err := s.reopen(r.Context(), actorOf(r.Context()), &sub, &as)
	if err != nil {
		return err
	}
	return s.answerRack(w, r, rec, rack.Owner)
}

// regradeOne queues a submission once more.
func (s *Server) regradeOne(ctx context.Context, sub *labs.Submission) error {
	if s.desk == nil {
		return errNoGrading
	}
	if sub.State != labs.Graded && sub.State != labs.Failed {
		return labs.Errorf(labs.Conflict, "It is not graded yet, so it cannot be graded again.")
	}
	if err := s.store.RegradeOne(ctx, sub.ID); err != nil {
		return err
	}
	s.desk.Poke()
	return nil
}

func (s *Server) apiRegradeOne(w http.ResponseWriter, r *http.Request) error {
	sub, _, err := s.taughtSubmission(r)
	if err != nil {
		return err
	}
	if err := s.regradeOne(r.Context(), &sub); err != nil {
		return err
	}
	if sub, err = s.store.Submission(r.Context(), sub.ID); err != nil {
		return err
	}
	return s.answerSubmission(w, r, sub, nil, true, http.StatusAccepted)
}
