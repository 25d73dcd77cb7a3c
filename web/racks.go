package web

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
)

var errRestarts = labs.Errorf(unavailable, "The server restarts. Please try again in a moment.")

var errNoRack = labs.Errorf(labs.NotFound, "There is no such rack, or it is not yours.")

// findRack finds a rack and what a may do with it. The answer is the same for
// a rack that is not there and one that is not for a.
func (s *Server) findRack(ctx context.Context, a actor, id string) (labs.RackRecord, rack.Role, error) {
	rec, err := s.store.Rack(ctx, id)
	if labs.CodeOf(err) == labs.NotFound {
		return labs.RackRecord{}, "", errNoRack
	}
	if err != nil {
		return labs.RackRecord{}, "", err
	}
	owns, err := s.store.OwnsRack(ctx, a.ID, rec)
	switch {
	case err != nil:
		return labs.RackRecord{}, "", err
	case owns && rec.SubmissionID == 0:
		return rec, rack.Owner, nil
	case a.admin() && !owns:
		return rec, rack.Viewer, nil
	}
	// What a student handed in is for who teaches them now, whoever opened it.
	teaches, err := s.teachesRack(ctx, a, rec)
	if err != nil {
		return labs.RackRecord{}, "", err
	}
	switch {
	case !teaches:
		return labs.RackRecord{}, "", errNoRack
	case owns:
		return rec, rack.Owner, nil
	}
	return rec, rack.Viewer, nil
}

// findOwnRack is findRack for what only the owner may do.
func (s *Server) findOwnRack(ctx context.Context, a actor, id string) (labs.RackRecord, error) {
	rec, role, err := s.findRack(ctx, a, id)
	if err == nil && role != rack.Owner {
		err = labs.Errorf(labs.Forbidden, "You may look at this lab, but only its owner may do that.")
	}
	return rec, err
}

// teachesRack says whether a rack is one that a may look at: of an assignment,
// whoever teaches its course may.
func (s *Server) teachesRack(ctx context.Context, a actor, rec labs.RackRecord) (bool, error) {
	id := rec.AssignmentID
	if rec.SubmissionID != 0 {
		sub, err := s.store.Submission(ctx, rec.SubmissionID)
		if err != nil {
			return false, err
		}
		id = sub.AssignmentID
	}
	if id == 0 {
		return s.teachesPractice(ctx, a, rec)
	}
	_, staff, err := s.findAssignment(ctx, a, id)
	if labs.CodeOf(err) == labs.NotFound {
		return false, nil
	}
	return staff, err
}

// teachesPractice says whether a is staff of a course that a practice rack is of.
func (s *Server) teachesPractice(ctx context.Context, a actor, rec labs.RackRecord) (bool, error) {
	courses, err := s.store.CoursesOf(ctx, a.ID)
	if err != nil {
		return false, err
	}
	for _, c := range courses {
		if !c.Staff {
			continue
		}
		has, err := s.courseHasLab(ctx, c.ID, rec.LabSlug)
		if err != nil {
			return false, err
		}
		if !has {
			continue
		}
		if ours, err := s.practisedIn(ctx, c.ID, rec); ours || err != nil {
			return ours, err
		}
	}
	return false, nil
}

// practisedIn says whether a practice rack is of a course, which has its lab:
// its student is in the course, and came before the rack or has the lab by no
// other course. To put a stranger's login on a roster must not be enough to
// look into what they had begun elsewhere.
func (s *Server) practisedIn(ctx context.Context, course int64, rec labs.RackRecord) (bool, error) {
	e, err := s.store.Enrolment(ctx, course, rec.UserID)
	if labs.CodeOf(err) == labs.NotFound {
		return false, nil
	}
	if err != nil || !rec.CreatedAt.Before(e.CreatedAt) {
		return err == nil, err
	}
	all, err := s.store.CoursesOf(ctx, rec.UserID)
	if err != nil {
		return false, err
	}
	for _, c := range all {
		if c.ID == course {
			continue
		}
		if has, err := s.courseHasLab(ctx, c.ID, rec.LabSlug); has || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (s *Server) courseHasLab(ctx context.Context, course int64, slug string) (bool, error) {
	have, err := s.store.CourseLabs(ctx, course)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(have, func(l labs.CourseLab) bool { return l.Slug == slug }), nil
}

// findLab finds a lab that a may take: teachers all of them, others those of
// their courses. The answer is the same for no lab and one that is not for a.
func (s *Server) findLab(ctx context.Context, a actor, slug string) (*labs.Lab, error) {
	l, ok := s.lab(slug)
	if !ok {
		return s.removedLab(ctx, a, slug)
	}
	if !a.teaches() {
		has, err := s.store.HasLab(ctx, a.ID, slug)
		if err != nil {
			return nil, err
		}
		if !has {
			return nil, errNoLab
		}
	}
	return l, nil
}

var errNoLab = labs.Errorf(labs.NotFound, "There is no such lab in your courses.")

// startWithin bounds the start of a rack's process; its guests boot after that.
const startWithin = 60 * time.Second

// startRack brings up a's rack for practising a lab.
func (s *Server) startRack(ctx context.Context, a actor, l *labs.Lab) (labs.RackRecord, error) {
	return s.startRackFor(ctx, a, l, labs.RackFor{UserID: a.ID, LabSlug: l.Slug})
}

// startRackFor brings a rack of a's up, or finds that it runs. Who asks
// twice at the same time gets one rack, and who goes away meanwhile does not
// stop it half-way; Close does, and waits for it.
func (s *Server) startRackFor(ctx context.Context, a actor, l *labs.Lab, f labs.RackFor) (labs.RackRecord, error) {
	rec, _, err := s.store.EnsureRack(ctx, f, l.Digest)
	if err != nil {
		return labs.RackRecord{}, err
	}
	return rec, s.startOnce(ctx, rec.ID, func(ctx context.Context) error { return s.bringUp(ctx, a, l, rec) })
}

// startOnce starts a rack, once for all who ask for it at the same time. Who
// goes away meanwhile does not stop it half-way; Close does, and waits for it.
func (s *Server) startOnce(ctx context.Context, id string, start func(context.Context) error) error {
	started := s.starting.DoChan(id, func() (any, error) {
		if !s.live.enter() {
			return nil, errRestarts
		}
		defer s.live.leave()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startWithin)
		defer cancel()
		defer context.AfterFunc(s.ending, cancel)()
		return nil, start(ctx)
	})
	select {
	case <-ctx.Done():
		return fmt.Errorf("starting rack %s: %w", id, ctx.Err())
	case res := <-started:
		if res.Err != nil && s.ending.Err() != nil {
			return errRestarts
		}
		return res.Err
	}
}

// mayStart takes one of the starts that a has.
func (s *Server) mayStart(a actor) error {
	if s.starts.allow(strconv.FormatInt(a.ID, 10)) {
		return nil
	}
	return errTooMany("You have started many labs in a short time. Please wait a few seconds.")
}

func (s *Server) bringUp(ctx context.Context, a actor, l *labs.Lab, rec labs.RackRecord) error {
	running, err := s.racks.Runs(ctx, rec.ID)
	if err != nil || running {
		return err
	}
	if err := s.mayStart(a); err != nil {
		return err
	}
	own, err := s.personal(ctx, l, rec.RackFor)
	if err != nil {
		return err
	}
	err = s.racks.Start(ctx, rack.Spec{
		ID:       rec.ID,
		Owner:    a.Login,
		LabSlug:  own.Slug,
		Title:    own.Title,
		Topology: own.Topology,
		Cache:    s.cfg.Cache,
		Uplink:   s.cfg.Uplink,
		Created:  rec.CreatedAt,
		Watch:    s.othersOf(ctx, l, rec.RackFor),
	})
	if err != nil {
		return fmt.Errorf("starting rack %s: %w", rec.ID, err)
	}
	if rec.LabDigest != l.Digest {
		return s.store.SetRackDigest(ctx, rec.ID, l.Digest)
	}
	return nil
}

// rackError turns a rack's refusal into an error of ours: its sentence is for
// the person who asked.
func rackError(err error) error {
	r, ok := asRefusal(err)
	if !ok || r.Status >= 500 && r.Status != http.StatusGatewayTimeout {
		return err
	}
	code := labs.Invalid
	switch r.Status {
	case http.StatusNotFound:
		code = labs.NotFound
	case http.StatusConflict:
		code = labs.Conflict
	case http.StatusForbidden:
		code = labs.Forbidden
	case http.StatusGatewayTimeout:
		code = tooLate
	}
	return &labs.Error{Code: code, Message: sentence(r.Problem.Error), Cause: err}
}

func asRefusal(err error) (*rack.Refusal, bool) { return errors.AsType[*rack.Refusal](err) }

// sentence ends with a full stop. It may begin with a node's name, so its first
// letter stays as it is.
func sentence(s string) string {
	if s != "" && !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// stopRack ends a rack for its owner, unless it is being handed in.
func (s *Server) stopRack(ctx context.Context, id string) error {
	if err := s.refuseFrozen(ctx, id); err != nil {
		return err
	}
	return s.endRack(ctx, id)
}

// endRack ends a rack's process; its disks stay. A rack that does not run is
// as it should be.
func (s *Server) endRack(ctx context.Context, id string) error {
	err := s.racks.Do(ctx, id, rack.Op{Do: "end"})
	if labs.CodeOf(err) == labs.NotFound {
		return nil
	}
	return rackError(err)
}

// privateSession is the name by which a rack knows a page's session: nobody
// can take up another person's, whatever names they choose.
func (s *Server) privateSession(a actor, session string) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%d %s", a.ID, session))
	return base64.RawURLEncoding.EncodeToString(h[:])
}
