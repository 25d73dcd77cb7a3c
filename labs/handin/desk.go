// Package handin takes students' work and grades it. A lab that is handed in
// is frozen, checked as it runs, and its disks are copied; the copy is booted
// in a rack of its own, in the background, and checked once more. Both reports
// make the grade. What was handed in can be opened again, and graded again by
// the checks of a newer version of its lab.
package handin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/rack"
)

// Racks is where racks run.
type Racks interface {
	// Start returns when the rack's API answers.
	Start(ctx context.Context, spec rack.Spec) error
	Runs(ctx context.Context, id string) (bool, error)
	// IDs lists all racks whose names begin so, running or not.
	IDs(ctx context.Context, prefix string) ([]string, error)
	// Spec is what the rack was started with.
	Spec(ctx context.Context, id string) (*rack.Spec, error)
	Freeze(ctx context.Context, id, reason string) error
	Thaw(ctx context.Context, id string) error
	// Snapshot copies the disks of all nodes into the new folder dir.
	Snapshot(ctx context.Context, id, dir string) error
	// Check carries checks out; progress gets each result as it is there.
	Check(ctx context.Context, id string, q rack.CheckRequest, progress func(grade.Result)) (*grade.Report, error)
	// Remove ends a rack and deletes its folder. One that is not there is no error.
	Remove(ctx context.Context, id string) error
}

// Store keeps submissions. Its methods are those of labs/sqlite.
type Store interface {
	Assignment(ctx context.Context, id int64) (labs.Assignment, error)
	BeginSubmission(ctx context.Context, assignmentID, userID int64, digest string) (labs.Submission, error)
	SubmissionTaken(ctx context.Context, id int64) error
	DropSubmission(ctx context.Context, id int64) error
	ReleaseSubmission(ctx context.Context, id int64) error
	RecoverSubmissions(ctx context.Context) (dropped []labs.Submission, err error)
	ClaimSubmission(ctx context.Context) (s labs.Submission, ok bool, err error)
	SetReport(ctx context.Context, id int64, r *grade.Report) error
	Reports(ctx context.Context, id int64) (live, fresh *grade.Report, err error)
	FinishSubmission(ctx context.Context, id int64, digest string, score, worth float64) error
	FailSubmission(ctx context.Context, id int64, sentence string) error
	SupersededSubmissions(ctx context.Context, before time.Time) ([]labs.Submission, error)
	SubmissionCounts(ctx context.Context, s *labs.Submission) (bool, error)
}

// Config is what a Desk is made of.
type Config struct {
	Store Store
	Racks Racks
	// Lab finds a lab as one student gets it: the version digest, or the newest
	// when that is empty. team is 0 for who works alone.
	Lab func(ctx context.Context, slug, digest string, user, team int64) (*labs.Lab, error)
	Dir string // what was handed in lies here
	// Workers is how many submissions are graded at once; 0 means 1. Each boots
	// a lab's machines, behind everything else that the machine does.
	Workers int
	// Keep is for how long the disks of superseded attempts are kept; 0 is for ever.
	Keep time.Duration
	Log  *slog.Logger
}

// GradingPrefix begins the names of the racks in which submissions are graded.
const GradingPrefix = "grading-"

const (
	takeTimeout  = 10 * time.Minute // of handing in: the checks' own limits are shorter
	gradeTimeout = 30 * time.Minute
	clearTimeout = time.Minute
	readyTimeout = 5 * time.Second  // of a student's patience, for a server that comes up
	idlePoll     = 30 * time.Second // for work of another process; one's own is told by poke
)

// Progress is how far the handing in of a submission has come.
type Progress struct {
	Step   string `json:"step"` // a sentence
	Done   int    `json:"done"`
	Total  int    `json:"total"`
	Failed string `json:"failed,omitempty"` // why it was not taken, a sentence: it cost no attempt
	By     int64  `json:"-"`                // who hands in

	Assignment, Team int64 `json:"-"` // Team is 0 for who works alone
}

// Desk takes work and grades it. Its methods are safe for concurrent use.
type Desk struct {
	Config
	work  chan struct{}
	ready chan struct{} // closed when work is taken

	mu       sync.Mutex
	progress map[int64]Progress // of what is being taken, or was not; guarded by mu
	open     bool               // guarded by mu
	taking   sync.WaitGroup
	ctx      context.Context // ends with Run
}

// New makes a Desk. It takes work while Run runs.
func New(c Config) (*Desk, error) {
	if c.Store == nil || c.Racks == nil || c.Lab == nil || c.Dir == "" {
		return nil, errors.New("making the desk: a store, racks, labs and a folder are needed")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Workers <= 0 {
		c.Workers = 1
	}
	return &Desk{Config: c, work: make(chan struct{}, 1), ready: make(chan struct{}), progress: map[int64]Progress{}}, nil
}

// Run grades what is queued until ctx ends, and then waits for what is under
// way. It first clears up what an earlier run left. It is called once.
func (d *Desk) Run(ctx context.Context) error {
	if err := d.recover(ctx); err != nil {
		return fmt.Errorf("clearing up submissions: %w", err)
	}
	d.mu.Lock()
	d.ctx, d.open = ctx, true
	d.mu.Unlock()
	close(d.ready)
	var wg sync.WaitGroup
	for range d.Workers {
		wg.Go(func() { d.worker(ctx) })
	}
	if d.Keep > 0 {
		wg.Go(func() { d.tidier(ctx) })
	}
	<-ctx.Done()
	d.mu.Lock()
	d.open = false
	d.mu.Unlock()
	d.taking.Wait()
	wg.Wait()
	return nil
}

// Ready is closed once Run takes work.
func (d *Desk) Ready() <-chan struct{} { return d.ready }

// Poke tells the workers that there may be something to do: after a regrade.
func (d *Desk) Poke() {
	select {
	case d.work <- struct{}{}:
	default:
	}
}

// Progress says how the handing in of a submission goes. ok is false when
// nothing is known: it is over. What the server's end cut off is known to the
// next one.
func (d *Desk) Progress(id int64) (p Progress, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, ok = d.progress[id]
	return p, ok
}

func (d *Desk) setProgress(id int64, p Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.progress[id] = p
	if len(d.progress) > 1000 { // of those that failed: nobody asks any more
		for old, was := range d.progress {
			if was.Failed != "" && old != id {
				delete(d.progress, old)
			}
		}
	}
}

func (d *Desk) forget(id int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.progress, id)
}

// worker grades one submission after the other.
func (d *Desk) worker(ctx context.Context) {
	tick := time.NewTicker(idlePoll)
	defer tick.Stop()
	for ctx.Err() == nil {
		s, ok, err := d.Store.ClaimSubmission(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			d.Log.Error("looking for submissions to grade", "err", err)
		case ok:
			d.Poke() // there may be more, for the other workers
			d.grade(ctx, &s)
			continue
		}
		select {
		case <-ctx.Done():
		case <-d.work:
		case <-tick.C:
		}
	}
}
