package handin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/rack"
)

// grade grades a submission that was claimed.
func (d *Desk) grade(ctx context.Context, s *labs.Submission) {
	work, cancel := context.WithTimeout(ctx, gradeTimeout)
	final, err := d.judge(work, s)
	cancel()
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearTimeout)
	defer cancel()
	log := d.Log.With("submission", s.ID)
	if err != nil && ctx.Err() != nil { // the server ends: somebody else goes on
		if err := d.Store.ReleaseSubmission(after, s.ID); err != nil {
			log.Error("putting a submission back", "err", err)
		}
		return
	}
	if errors.Is(err, errDisksGone) && s.Regrade { // it keeps what it has
		log.Info("not graded again: the disks of a superseded attempt are deleted")
		if err := d.Store.FinishSubmission(after, s.ID, s.LabDigest, s.Score, s.Worth); err != nil {
			log.Error("leaving a submission as it is", "err", err)
		}
		return
	}
	if err == nil {
		score, worth, ok := final.Score()
		if !ok {
			err = labs.Errorf(labs.Conflict, "None of the checks could be judged.")
		} else if err = d.Store.FinishSubmission(after, s.ID, final.Digest, score, worth); err == nil {
			log.Info("graded", "score", score, "worth", worth, "errors", final.Errors, "took", final.Took)
			return
		}
	}
	log.Error("grading", "err", err)
	if err := d.Store.FailSubmission(after, s.ID, sentence(err)); err != nil {
		log.Error("noting that grading failed", "err", err)
	}
}

// judge boots what was handed in, checks it, and gives the report that counts.
func (d *Desk) judge(ctx context.Context, s *labs.Submission) (*grade.Report, error) {
	a, err := d.Store.Assignment(ctx, s.AssignmentID)
	if err != nil {
		return nil, err
	}
	live, _, err := d.Store.Reports(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	if live == nil {
		return nil, errors.New("the report of the running lab is gone")
	}
	// New work is graded by the version that it is of, old work by what is asked
	// for now.
	digest := s.LabDigest
	if s.Regrade {
		digest = a.LabDigest
	}
	lab, err := d.Lab(ctx, a.LabSlug, digest, s.UserID, s.TeamID)
	if err != nil {
		return nil, fmt.Errorf("finding the lab: %w", err)
	}
	was := lab
	if live.Digest != lab.Digest {
		if was, err = d.Lab(ctx, a.LabSlug, live.Digest, s.UserID, s.TeamID); err != nil {
			return nil, fmt.Errorf("finding the version that was handed in: %w", err)
		}
	}
	var ask []grade.Check
	for _, c := range lab.Checks {
		if c.Reboot == nil || *c.Reboot {
			ask = append(ask, c)
		}
	}
	fresh := &grade.Report{Lab: lab.Slug, Digest: lab.Digest, Boot: grade.Fresh, Started: time.Now().UTC()}
	if len(ask) > 0 {
		fresh, err = d.checkFresh(ctx, s, rack.CheckRequest{Lab: lab.Slug, Digest: lab.Digest, Boot: grade.Fresh, Checks: ask}, live)
		if err != nil {
			return nil, err
		}
	}
	if err := d.Store.SetReport(ctx, s.ID, fresh); err != nil {
		return nil, err
	}
	final := grade.Pair{Live: carry(live, was.Checks, lab, fresh), Fresh: fresh}.Final()
	final.Boot = grade.Counts
	if err := d.Store.SetReport(ctx, s.ID, final); err != nil {
		return nil, err
	}
	return final, nil
}

// checkFresh checks a fresh boot of what was handed in. What passed on the
// running lab and fails now is tried once more: the rack that grades runs
// behind everything else, and a network that had no time is not the student's.
func (d *Desk) checkFresh(ctx context.Context, s *labs.Submission, q rack.CheckRequest, live *grade.Report) (*grade.Report, error) {
	id := gradingID(s)
	spec, err := d.spec(s, id)
	if err != nil {
		return nil, err
	}
	spec.Background = true
	defer func() {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearTimeout)
		defer cancel()
		if err := d.Racks.Remove(after, id); err != nil {
			d.Log.Error("removing the rack that graded", "rack", id, "err", err)
		}
	}()
	if err := d.Racks.Start(ctx, *spec); err != nil {
		return nil, fmt.Errorf("booting what was handed in: %w", err)
	}
	report, err := d.Racks.Check(ctx, id, q, nil)
	if err != nil {
		return nil, fmt.Errorf("checking a fresh boot: %w", err)
	}
	if len((grade.Pair{Live: live, Fresh: report}).Lost()) == 0 {
		return report, nil
	}
	again, err := d.Racks.Check(ctx, id, q, nil)
	if err != nil {
		return nil, fmt.Errorf("checking a fresh boot once more: %w", err)
	}
	return better(report, again), nil
}

// better takes of each check the outcome that is better for the student.
func better(a, b *grade.Report) *grade.Report {
	out := *a
	out.Results = nil
	second := map[string]grade.Result{}
	for _, r := range b.Results {
		second[r.Check] = r
	}
	for _, r := range a.Results {
		if n, ok := second[r.Check]; ok && r.Outcome != grade.Pass && n.Outcome == grade.Pass {
			n.Took, n.Tries = n.Took+r.Took, n.Tries+r.Tries
			r = n
		}
		out.Results = append(out.Results, r)
	}
	out.Took += b.Took
	out.Sum()
	return &out
}

// carry makes the report that the running lab would have had by the checks of
// lab: what did not change in them is as it was. What is new rests on the fresh
// boot alone, and what cannot be asked there cannot be judged any more.
func carry(live *grade.Report, was []grade.Check, lab *labs.Lab, fresh *grade.Report) *grade.Report {
	if live.Digest == lab.Digest {
		return live
	}
	asked, seen, again := map[string]string{}, map[string]grade.Result{}, map[string]grade.Result{}
	for i := range was {
		asked[was[i].Name] = meaning(was[i])
	}
	for _, r := range live.Results {
		seen[r.Check] = r
	}
	for _, r := range fresh.Results {
		again[r.Check] = r
	}
	out := *live
	out.Digest, out.Results = lab.Digest, nil
	for _, c := range lab.Checks {
		r, ok := seen[c.Name]
		if !ok || asked[c.Name] != meaning(c) {
			if r, ok = again[c.Name]; !ok {
				name, trust, _ := c.Kind()
				r = grade.Result{Check: c.Name, Kind: name, Trust: trust, Outcome: grade.Error,
					Seen: "This check is newer than the work, and the running lab is gone"}
			}
		}
		r.Title, r.Step, r.Hint, r.Look, r.Visible = c.Title, c.Step, c.Hint, c.Look, c.Visible
		r.Worth, r.Points = c.Points, 0
		if r.Outcome == grade.Pass {
			r.Points = c.Points
		}
		out.Results = append(out.Results, r)
	}
	out.Sum()
	return &out
}

// meaning is what a check asks, without what it says and is worth.
func meaning(c grade.Check) string {
	c.Title, c.Hint, c.Look, c.Step, c.Points, c.Visible = "", "", "", "", 0, ""
	text, err := json.Marshal(c)
	if err != nil { // never: it came as JSON, or could go so
		return err.Error()
	}
	return string(text)
}

// spec is what a rack needs that boots what was handed in.
func (d *Desk) spec(s *labs.Submission, id string) (*rack.Spec, error) {
	dir := d.folder(s)
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil, errDisksGone
	}
	spec, err := rack.ReadSpec(dir)
	if err != nil {
		return nil, fmt.Errorf("reading what was handed in: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, disksName)); err != nil {
		return nil, fmt.Errorf("finding the disks that were handed in: %w", err)
	}
	spec.ID, spec.Disks, spec.Created = id, filepath.Join(dir, disksName), time.Time{}
	return spec, nil
}

// Reopen starts what was handed in as the rack named id, which belongs to owner.
func (d *Desk) Reopen(ctx context.Context, s *labs.Submission, id, owner string) error {
	spec, err := d.spec(s, id)
	if err != nil {
		return err
	}
	spec.Owner = owner
	if err := d.Racks.Start(ctx, *spec); err != nil {
		return fmt.Errorf("opening a submission: %w", err)
	}
	return nil
}

// Discard deletes what was handed in; its reports stay in the store.
func (d *Desk) Discard(s *labs.Submission) error {
	if s.Folder == "" {
		return errors.New("discarding a submission without a folder")
	}
	return os.RemoveAll(d.folder(s))
}
