package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/rack"
)

// benchLab is a lab of four machines whose network is up from the start, with
// twenty checks of all three trusts.
//
//go:embed benchlab
var benchLab embed.FS

// benchLabName is its folder's name, and so its own.
const benchLabName = "benchlab"

// benchGradeCmd times checks, and what grading does to a student at work.
type benchGradeCmd struct {
	Runs        int `help:"Runs of the lab's twenty checks." default:"11"`
	Submissions int `help:"Submissions that are graded again while a student types; 0 leaves that out." default:"100"`
	Graders     int `help:"How many of them at once, as of patchbay serve." default:"1"`
	Keys        int `help:"Keys that the student types at least, before, while and after they are graded again." default:"400"`
}

// fewestKeys have a 99th part.
const fewestKeys = 100

func (b *benchGradeCmd) Run(ctx context.Context, f *Folders) (err error) {
	switch {
	case b.Runs < 1 || b.Submissions < 0 || b.Graders < 1:
		return errors.New("measuring takes at least one run and one grader")
	case b.Keys < fewestKeys:
		return fmt.Errorf("of fewer than %d keys no 99th part can be told", fewestKeys)
	}
	if err := warnOfWork(ctx); err != nil {
		return err
	}
	// Racks, labs and database of its own: it must not meet those of people.
	own := *f
	if own.State, err = os.MkdirTemp("", "patchbay-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(own.State)) }()
	if err := os.Chmod(own.State, 0o711); err != nil { // guests are other users
		return err
	}
	lab, err := b.writeLab(benchShelf(&own))
	if err != nil {
		return err
	}
	class, err := newBenchClass(ctx, &own, lab, max(1, b.Submissions))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, class.db.Close()) }()
	t, err := startTemp(ctx, &own, rack.Spec{ID: class.rack.ID, LabSlug: lab.Slug, Title: lab.Title, Topology: lab.Topology})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.remove()) }()
	if err := awaitStart(ctx, t.dir, lab); err != nil {
		return err
	}
	if err := benchWork(ctx, t.dir, 1); err != nil {
		return err
	}
	figures, goals, err := b.checks(ctx, t.dir, lab)
	if err != nil {
		return err
	}
	if b.Submissions > 0 {
		more, ratio, err := b.regrades(ctx, &own, class, t)
		if err != nil {
			return err
		}
		figures, goals = append(figures, more...), append(goals, ratio)
	}
	if err := report(figures); err != nil {
		return err
	}
	for _, g := range goals {
		if missed := g.missed(); missed != "" {
			progressf("%s", missed)
		}
	}
	return nil
}

// benchShelf is the folder of labs.
func benchShelf(f *Folders) string { return filepath.Join(f.State, "labs") }

// writeLab puts the lab where a server finds it, too.
func (b *benchGradeCmd) writeLab(shelf string) (*labs.Lab, error) {
	if err := os.CopyFS(shelf, benchLab); err != nil {
		return nil, fmt.Errorf("writing the benchmark's lab: %w", err)
	}
	return labs.Load(os.DirFS(shelf), benchLabName)
}

// benchWork is what a student does in the lab: the checks of disks ask for it.
func benchWork(ctx context.Context, dir string, student int) error {
	return applyScripts(ctx, dir, []labs.Script{
		{Node: "pc1", Text: fmt.Sprintf("echo student %d > /root/name; grep -q pc2 /etc/hosts || echo 10.0.2.10 pc2 >> /etc/hosts; sync", student)},
		{Node: "r1", Text: "umask 077; head -c 100000 /dev/urandom > /root/notes; sync"},
	})
}

// checks measures a network that has converged: the first run, which waits for
// that, does not count.
func (b *benchGradeCmd) checks(ctx context.Context, dir string, lab *labs.Lab) ([]*figure, []*goal, error) {
	client, err := rack.Dial(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	defer client.Close()
	q := rack.CheckRequest{Lab: lab.Slug, Digest: lab.Digest, Boot: grade.Live, Checks: lab.Checks}
	total := &goal{most: 3000, figure: &figure{name: fmt.Sprintf("grade.checks%d_ms", len(lab.Checks)), unit: "ms",
		note: fmt.Sprintf("all checks of a lab of %d machines, converged; the goal is 3000", len(lab.Topology.Nodes))}}
	figures := []*figure{total.figure}
	trusts := map[grade.Trust]*figure{}
	for i := range b.Runs + 1 {
		progressf("checks, run %d of %d", i, b.Runs)
		began := time.Now()
		r, err := client.Check(ctx, &q, nil)
		took := time.Since(began)
		if err != nil {
			return nil, nil, err
		}
		if !r.Passed() || len(r.Results) != len(lab.Checks) {
			return nil, nil, fmt.Errorf("not all checks passed, so their time is none: %s", unpassed(r))
		}
		if i == 0 {
			continue
		}
		total.add(millis(took))
		for _, c := range r.Results {
			k := trusts[c.Trust]
			if k == nil {
				k = &figure{name: fmt.Sprintf("grade.check_%s_ms", c.Trust), unit: "ms", note: "one of them, beside the others"}
				trusts[c.Trust] = k
				figures = append(figures, k)
			}
			k.add(millis(c.Took))
		}
	}
	return figures, []*goal{total}, nil
}

// unpassed says what the checks of a report found that did not pass.
func unpassed(r *grade.Report) string {
	var all []error
	for _, c := range r.Results {
		if c.Outcome != grade.Pass {
			all = append(all, fmt.Errorf("%s (%s): %s", c.Check, c.Outcome, c.Seen))
		}
	}
	return fmt.Sprint(errors.Join(all...))
}

// regrades measures a student's echo before, while and after submissions are
// graded again by a real server, through which the student works.
func (b *benchGradeCmd) regrades(ctx context.Context, f *Folders, class *benchClass, t *tempRack) (figures []*figure, _ *goal, err error) {
	take := &figure{name: "grade.take_ms", unit: "ms", note: "handing in: frozen, checked, copied"}
	if err := class.fill(ctx, f, t, take); err != nil {
		return nil, nil, err
	}
	server, err := startBenchServer(ctx, f, b.Graders)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, server.close()) }()
	student, err := newTypist(ctx, server, class, "pc1")
	if err != nil {
		return nil, nil, err
	}
	defer student.close()

	progressf("typing, nothing else going on")
	calm, err := student.typeUntil(ctx, b.Keys, nil)
	if err != nil {
		return nil, nil, err
	}
	progressf("typing while %d submissions are graded again", b.Submissions)
	r := &regrading{class: class, server: server, lab: class.lab}
	over := make(chan struct{})
	typed := make(chan struct{}) // closed when there are enough keys
	rounds, cancel := context.WithCancel(ctx)
	var gradeErr error
	go func() {
		defer close(over)
		gradeErr = r.run(rounds, typed)
	}()
	loaded, err := student.typeUntil(ctx, b.Keys, &busyTyping{enough: typed, over: over})
	if err != nil {
		cancel()
	}
	<-over
	cancel()
	if err := errors.Join(err, gradeErr); err != nil {
		return nil, nil, err
	}
	progressf("typing, nothing else going on again")
	after, err := student.typeUntil(ctx, b.Keys, nil)
	if err != nil {
		return nil, nil, err
	}
	calm = append(calm, after...)
	if len(calm) < 2*b.Keys || len(loaded) < b.Keys {
		return nil, nil, fmt.Errorf("%d and %d keys were echoed, too few", len(calm), len(loaded))
	}

	figures = []*figure{take}
	one := func(name, unit, note string, v float64) {
		figures = append(figures, &figure{name: name, unit: unit, note: note, samples: []float64{v}})
	}
	one("grade.echo_p50_ms", "ms", fmt.Sprintf("a key and its echo through the server, %d of them, before and after", len(calm)), quantile(calm, 0.5))
	one("grade.echo_p99_ms", "ms", "", quantile(calm, 0.99))
	one("grade.echo_regrading_p50_ms", "ms", fmt.Sprintf("the same while submissions are graded, %d of them", len(loaded)), quantile(loaded, 0.5))
	one("grade.echo_regrading_p99_ms", "ms", "", quantile(loaded, 0.99))
	ratio := &goal{most: 2, figure: &figure{name: "grade.echo_p99_ratio", unit: "times", note: "regrading by not; the goal is 2",
		samples: []float64{quantile(loaded, 0.99) / quantile(calm, 0.99)}}}
	figures = append(figures, ratio.figure)
	one("grade.regrades_per_minute", "/min", fmt.Sprintf("%d at once, a fresh boot of four machines each", b.Graders), float64(r.graded())/r.took.Minutes())
	one("grade.regraded_passed", "count", "all checks passed on the fresh boot", float64(r.passed))
	one("grade.regraded_failed", "count", "a check failed there", float64(r.failed))
	one("grade.regraded_errors", "count", "a check could not be carried out there", float64(r.errors))
	return figures, ratio, nil
}

func quantile(samples []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(samples))
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

func benchSubmissions(f *Folders) string { return filepath.Join(f.State, "submissions") }
