package web

import (
	"context"

	"github.com/patchbay/patchbay/labs"
)

// studentLab finds a version of a lab, the newest when digest is empty, as one
// student gets it.
func (s *Server) studentLab(ctx context.Context, slug, digest string, user, team int64) (*labs.Lab, error) {
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
	return s.store.LabFor(ctx, l, user, team)
}

// rackLab finds the lab that a rack was started with, as its student has it.
func (s *Server) rackLab(ctx context.Context, rec labs.RackRecord) (*labs.Lab, error) {
	l, err := s.labOfRack(rec)
	if err != nil {
		return nil, err
	}
	return s.personal(ctx, l, rec.RackFor)
}
