package handin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/rack"
)

// What lies in a submission's folder: rack.json, as the lab was started, and
const disksName = "disks" // a snapshot

const frozenReason = "It is being handed in: nothing can be changed until the disks are copied."

var errClosed = labs.Errorf(labs.Conflict, "The server takes nothing at the moment: it is being started or stopped. Hand in again in a minute; this cost no attempt.")

// HandIn takes the work in a running rack as an attempt of an assignment, and
// returns once it is noted; checking and copying go on behind it, see Progress.
// by is who hands in. The error has code Conflict when nothing is taken now.
func (d *Desk) HandIn(ctx context.Context, a *labs.Assignment, r labs.RackRecord, by int64) (labs.Submission, error) {
	runs, err := d.Racks.Runs(ctx, r.ID)
	if err != nil {
		return labs.Submission{}, fmt.Errorf("handing in: %w", err)
	}
	if !runs {
		return labs.Submission{}, labs.Errorf(labs.Conflict, "Start the lab first: what is handed in is the running lab.")
	}
	select { // a server that has just come up clears up first
	case <-d.ready:
	case <-ctx.Done():
	case <-time.After(readyTimeout):
	}
	d.mu.Lock()
	life, open := d.ctx, d.open
	if open {
		d.taking.Add(1)
	}
	d.mu.Unlock()
	if !open {
		return labs.Submission{}, errClosed
	}
	s, err := d.Store.BeginSubmission(ctx, a.ID, by, r.LabDigest)
	if err != nil {
		d.taking.Done()
		return labs.Submission{}, err
	}
	d.setProgress(s.ID, Progress{Step: "The lab is frozen.", By: by})
	go func() {
		defer d.taking.Done()
		d.take(life, &s, r)
	}()
	return s, nil
}

// take freezes, checks and copies, and puts the submission into the queue, or
// forgets it.
func (d *Desk) take(ctx context.Context, s *labs.Submission, r labs.RackRecord) {
	work, cancel := context.WithTimeout(ctx, takeTimeout)
	err := d.copyWork(work, s, r)
	cancel()
	// What follows is done whatever ended the work.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearTimeout)
	defer cancel()
	if err == nil {
		err = d.Store.SubmissionTaken(after, s.ID)
	}
	if thawErr := d.Racks.Thaw(after, r.ID); thawErr != nil && labs.CodeOf(thawErr) != labs.NotFound {
		d.Log.Error("thawing a rack that was handed in", "rack", r.ID, "err", thawErr)
	}
	if err == nil {
		d.forget(s.ID)
		d.Poke()
		return
	}
	d.Log.Error("taking a submission", "submission", s.ID, "rack", r.ID, "err", err)
	if err := errors.Join(os.RemoveAll(d.folder(s)), d.Store.DropSubmission(after, s.ID)); err != nil {
		d.Log.Error("dropping a submission", "submission", s.ID, "err", err)
	}
	d.notTaken(s, sentence(err))
}

// notTaken keeps for the student why a submission is not there.
func (d *Desk) notTaken(s *labs.Submission, why string) {
	d.setProgress(s.ID, Progress{Failed: why + " Nothing was handed in, and it cost no attempt.",
		By: s.UserID, Assignment: s.AssignmentID, Team: s.TeamID})
}

func (d *Desk) copyWork(ctx context.Context, s *labs.Submission, r labs.RackRecord) error {
	spec, err := d.Racks.Spec(ctx, r.ID)
	if err != nil {
		return fmt.Errorf("reading what the lab was started with: %w", err)
	}
	// Written before the lab is frozen: whoever clears up finds in it what to thaw.
	dir := d.folder(s)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the submission's folder: %w", err)
	}
	if err := rack.WriteSpec(dir, spec); err != nil {
		return err
	}
	if err := d.Racks.Freeze(ctx, r.ID, frozenReason); err != nil {
		return fmt.Errorf("freezing the lab: %w", err)
	}
	lab, err := d.Lab(ctx, r.LabSlug, r.LabDigest, s.UserID, s.TeamID)
	if err != nil {
		return fmt.Errorf("finding the lab: %w", err)
	}
	p := Progress{Step: "The running lab is checked.", Total: len(lab.Checks), By: s.UserID}
	d.setProgress(s.ID, p)
	report, err := d.Racks.Check(ctx, r.ID, rack.CheckRequest{
		Lab: lab.Slug, Digest: lab.Digest, Boot: grade.Live, Checks: lab.Checks,
	}, func(grade.Result) {
		p.Done++
		d.setProgress(s.ID, p)
	})
	if err != nil {
		return fmt.Errorf("checking the running lab: %w", err)
	}
	if err := d.Store.SetReport(ctx, s.ID, report); err != nil {
		return err
	}
	d.setProgress(s.ID, Progress{Step: "The disks are copied.", By: s.UserID})
	if err := d.Racks.Snapshot(ctx, r.ID, filepath.Join(dir, disksName)); err != nil {
		return fmt.Errorf("copying the disks: %w", err)
	}
	return nil
}

func (d *Desk) folder(s *labs.Submission) string { return filepath.Join(d.Dir, s.Folder) }

// sentence is what a student is told of an error.
func sentence(err error) string {
	var ex *rack.Explained
	var known *labs.Error
	switch {
	case errors.As(err, &known):
		return known.Error()
	case errors.As(err, &ex):
		return ex.Sentence
	case errors.Is(err, context.DeadlineExceeded):
		return "It took too long."
	case errors.Is(err, context.Canceled):
		return "The server was stopped meanwhile."
	}
	if r, ok := errors.AsType[*rack.Refusal](err); ok && r.Status == http.StatusConflict { // in words for who works there
		return strings.TrimSuffix(r.Error(), ".") + "."
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return "The server's disk is full."
	}
	if short := rack.Shortage(err, "the work"); short != "" {
		return short
	}
	return "Something went wrong on the server, which its administrator finds in the log."
}

// recover clears up what an earlier run of the server left: submissions whose
// disks were not copied to the end, racks that graded.
func (d *Desk) recover(ctx context.Context) error {
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return err
	}
	ids, err := d.Racks.IDs(ctx, GradingPrefix)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := d.Racks.Remove(ctx, id); err != nil {
			d.Log.Error("removing a rack that graded", "rack", id, "err", err)
		}
	}
	dropped, err := d.Store.RecoverSubmissions(ctx)
	if err != nil {
		return err
	}
	for i := range dropped {
		s := &dropped[i]
		d.notTaken(s, "The server was stopped while this was being handed in.")
		// The rack that it was taken from may still be frozen.
		if spec, err := rack.ReadSpec(d.folder(s)); err == nil {
			if err := d.Racks.Thaw(ctx, spec.ID); err != nil && labs.CodeOf(err) != labs.NotFound {
				d.Log.Error("thawing a rack", "rack", spec.ID, "err", err)
			}
		}
		if err := os.RemoveAll(d.folder(s)); err != nil {
			d.Log.Error("removing what was not handed in to the end", "err", err)
		}
	}
	return d.removeParts()
}

// removeParts removes snapshots that were not finished.
func (d *Desk) removeParts() error {
	parts, err := filepath.Glob(filepath.Join(d.Dir, "*", disksName+".part-*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range parts {
		errs = append(errs, os.RemoveAll(p))
	}
	return errors.Join(errs...)
}

// gradingID is the name of the rack that grades a submission.
func gradingID(s *labs.Submission) string {
	id := GradingPrefix + strings.ToLower(s.Folder)
	return id[:min(len(id), 32)]
}
