package web_test

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/rack"
)

// fakeGrading checks the fake racks: all but the lab's "forwards" pass, and
// "stays" does not survive a fresh boot.
type fakeGrading struct {
	*fakeRacks
	gate chan struct{} // checks of fresh boots wait for it, unless nil
}

func (f *fakeGrading) IDs(_ context.Context, prefix string) (ids []string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id := range f.running {
		if strings.HasPrefix(id, prefix) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (f *fakeGrading) Spec(_ context.Context, id string) (*rack.Spec, error) {
	spec, err := f.spec(id)
	return &spec, err
}

func (f *fakeGrading) Freeze(context.Context, string, string) error { return nil }
func (f *fakeGrading) Thaw(context.Context, string) error           { return nil }
func (f *fakeGrading) Snapshot(_ context.Context, _, dir string) error {
	return os.Mkdir(dir, 0o700)
}

func (f *fakeGrading) Remove(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.running, id)
	return nil
}

func (f *fakeGrading) Check(ctx context.Context, id string, q rack.CheckRequest, progress func(grade.Result)) (*grade.Report, error) {
	if _, err := f.spec(id); err != nil {
		return nil, err
	}
	if q.Boot == grade.Fresh && f.gate != nil {
		select {
		case <-f.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	rep := &grade.Report{Lab: q.Lab, Digest: q.Digest, Boot: q.Boot, Started: time.Now().UTC()}
	for _, c := range q.Checks {
		kind, trust, k := c.Kind()
		r := grade.Result{Check: c.Name, Title: c.Title, Kind: kind, Trust: trust, Outcome: grade.Pass, Points: c.Points, Worth: c.Points,
			Visible: c.Visible, Expected: k.Expect(), Seen: "as it should be", Hint: c.Hint, Evidence: []grade.Evidence{
				{Name: "pc1: <b>ip", Type: "text/plain", Data: []byte("<script>alert(1)</script>\xff")},
				{Name: "frames.pcapng", Type: "application/x-pcapng", Data: []byte{10, 13, 13, 10}}}}
		if c.Name == "forwards" || c.Name == "stays" && q.Boot == grade.Fresh {
			r.Outcome, r.Points, r.Seen = grade.Fail, 0, "0 <i>instead"
		}
		rep.Results = append(rep.Results, r)
		if progress != nil {
			progress(r)
		}
	}
	rep.Sum()
	return rep, nil
}
