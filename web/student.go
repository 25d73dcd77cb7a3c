package web

import (
	"context"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/param"
)

// parameterSecret names the server's secret that parameters are drawn with.
const parameterSecret = "parameters"

// forRack gives a lab as whoever a rack is for gets it. A submission that staff
// opened again is still its student's.
func (s *Server) forRack(ctx context.Context, l *labs.Lab, f labs.RackFor) (*labs.Lab, error) {
	if len(l.Parameters) == 0 {
		return l, nil
	}
	student := labs.StudentKey(f.UserID, f.TeamID)
	if f.SubmissionID != 0 {
		sub, err := s.store.Submission(ctx, f.SubmissionID)
		if err != nil {
			return nil, err
		}
		student = labs.StudentKey(sub.UserID, sub.TeamID)
	}
	return s.forStudent(ctx, l, student)
}

// forStudent gives a lab as a student, or a team, gets it: see labs.StudentKey.
func (s *Server) forStudent(ctx context.Context, l *labs.Lab, student string) (*labs.Lab, error) {
	if len(l.Parameters) == 0 {
		return l, nil
	}
	secret, err := s.store.Secret(ctx, parameterSecret)
	if err != nil {
		return nil, err
	}
	ordinal, err := s.store.Ordinal(ctx, l.Slug, student)
	if err != nil {
		return nil, err
	}
	own, err := l.For(param.Key{Secret: secret, Student: student, Ordinal: ordinal})
	if err != nil {
		// The lab's author has to mend it; students read that it is not theirs.
		s.log.Error("drawing a student's parameters", "lab", l.Slug, "student", student, "ordinal", ordinal, "err", err)
		return nil, &labs.Error{Code: labs.Conflict, Cause: err,
			Message: "This lab has no values left to draw for you. Please tell your instructor: a range of its parameters is too small."}
	}
	return own, nil
}

// studentLab finds a version of a lab, the newest when digest is empty, as one
// student gets it.
func (s *Server) studentLab(ctx context.Context, slug, digest, student string) (*labs.Lab, error) {
	l, ok := s.lab(slug)
	if digest != "" && (!ok || l.Digest != digest) {
		if s.cfg.Library == nil {
			return nil, errVersionGone
		}
		var err error
		if l, err = s.cfg.Library.Version(slug, digest); err != nil {
			return nil, err
		}
		ok = true
	}
	if !ok {
		return nil, errLabGone
	}
	return s.forStudent(ctx, l, student)
}

// rackLab finds the lab that a rack was started with, as its student has it.
func (s *Server) rackLab(ctx context.Context, rec labs.RackRecord) (*labs.Lab, error) {
	l, err := s.labOfRack(rec)
	if err != nil {
		return nil, err
	}
	return s.forRack(ctx, l, rec.RackFor)
}
