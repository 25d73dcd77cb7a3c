package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/rack"
)

// benchGradeCmd times checks, and what grading does to a student at work.
type benchGradeCmd struct {
	Lab         string `help:"Lab whose solution is checked: a built-in one or a folder." default:"static-routing"`
	Checks      int    `help:"Checks in one go; the lab's own are asked several times to make as many." default:"20"`
	Runs        int    `help:"Runs of them." default:"11"`
	Submissions int    `help:"Submissions that are graded again while a student types; 0 leaves that out." default:"20"`
	Graders     int    `help:"How many of them at once." default:"1"`
}

func (b *benchGradeCmd) Run(ctx context.Context, f *Folders) (err error) {
	if b.Checks < 1 || b.Runs < 1 || b.Submissions < 0 || b.Graders < 1 {
		return errors.New("measuring takes at least one check, one run and one grader")
	}
	if err := warnOfWork(ctx); err != nil {
		return err
	}
	lab, err := findLab(b.Lab)
	if err != nil {
		return err
	}
	if len(lab.Checks) == 0 || len(lab.Solution) == 0 {
		return fmt.Errorf("%s has no checks or no solution: there is nothing to measure", lab.Slug)
	}
	// Racks and database of its own: it must not meet those of people.
	own := *f
	if own.State, err = os.MkdirTemp("", "patchbay-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(own.State)) }()
	if err := os.Chmod(own.State, 0o711); err != nil { // guests are other users
		return err
	}
	t, err := startTemp(ctx, &own, rack.Spec{LabSlug: lab.Slug, Title: lab.Title, Topology: lab.Topology})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.remove()) }()
	if err := awaitStart(ctx, t.dir, lab); err != nil {
		return err
	}
	if err := applyScripts(ctx, t.dir, lab.Solution); err != nil {
		return err
	}
	figures, err := b.checks(ctx, t.dir, lab)
	if err != nil {
		return err
	}
	if b.Submissions > 0 {
		more, err := b.regrades(ctx, &own, t, lab)
		if err != nil {
			return err
		}
		figures = append(figures, more...)
	}
	return report(figures)
}

// asMany asks a lab's checks again, under other names, until there are n.
func asMany(all []grade.Check, n int) []grade.Check {
	out := slices.Clone(all[:min(n, len(all))])
	for i := 0; len(out) < n; i++ {
		c := all[i%len(all)]
		c.Name = fmt.Sprintf("%s-%d", c.Name, i/len(all)+2)
		out = append(out, c)
	}
	return out
}

// checks measures a network that has converged: the first run, which waits for
// that, does not count.
func (b *benchGradeCmd) checks(ctx context.Context, dir string, lab *labs.Lab) ([]*figure, error) {
	client, err := rack.Dial(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	q := rack.CheckRequest{Lab: lab.Slug, Digest: lab.Digest, Boot: grade.Live, Checks: asMany(lab.Checks, b.Checks)}
	total := &figure{name: fmt.Sprintf("grade.checks%d_ms", b.Checks), unit: "ms",
		note: fmt.Sprintf("%d checks of %s, solved and converged", b.Checks, lab.Slug)}
	kinds := map[string]*figure{}
	for i := range b.Runs + 1 {
		progressf("checks, run %d of %d", i, b.Runs)
		began := time.Now()
		r, err := client.Check(ctx, &q, nil)
		took := time.Since(began)
		if err != nil {
			return nil, err
		}
		if !r.Passed() || len(r.Results) != b.Checks {
			return nil, errors.New("the solution's checks did not all pass, so their time is none")
		}
		if i == 0 {
			continue
		}
		total.add(millis(took))
		for _, c := range r.Results {
			k := kinds[c.Kind]
			if k == nil {
				k = &figure{name: "grade.kind_" + c.Kind + "_ms", unit: "ms", note: "one of them, beside the others"}
				kinds[c.Kind] = k
			}
			k.add(millis(c.Took))
		}
	}
	figures := []*figure{total}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		figures = append(figures, kinds[name])
	}
	return figures, nil
}

// regrades measures a student's echo before and while submissions are graded
// again.
func (b *benchGradeCmd) regrades(ctx context.Context, f *Folders, t *tempRack, lab *labs.Lab) (figures []*figure, err error) {
	class, err := newBenchClass(ctx, f, t, lab, b.Graders)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, class.close()) }()
	take := &figure{name: "grade.take_ms", unit: "ms", note: "handing in: frozen, checked, copied"}
	for i := range b.Submissions {
		progressf("handing in, %d of %d", i+1, b.Submissions)
		took, err := class.handIn(ctx)
		if err != nil {
			return nil, err
		}
		take.add(millis(took))
	}
	if err := class.allGraded(ctx, b.Submissions); err != nil {
		return nil, err
	}
	student, err := newTypist(ctx, t.dir, lab.Topology.Nodes[0].Name)
	if err != nil {
		return nil, err
	}
	defer student.close()
	rest, p99rest := &figure{name: "grade.echo_p50_ms", unit: "ms", note: "a key and its echo, nothing else going on"}, &figure{name: "grade.echo_p99_ms", unit: "ms"}
	busy, p99busy := &figure{name: "grade.echo_regrading_p50_ms", unit: "ms", note: "the same while submissions are graded"}, &figure{name: "grade.echo_regrading_p99_ms", unit: "ms"}
	ratio := &figure{name: "grade.echo_p99_ratio", unit: "times", note: "regrading by not; the goal is 2"}
	rate := &figure{name: "grade.regrades_per_minute", unit: "/min", note: fmt.Sprintf("%d at once", b.Graders)}

	progressf("typing, nothing else going on")
	calm, err := student.typeFor(ctx, time.After(20*time.Second))
	if err != nil {
		return nil, err
	}
	progressf("typing while %d submissions are graded again", b.Submissions)
	began := time.Now()
	if err := class.regrade(ctx, b.Submissions); err != nil {
		return nil, err
	}
	over := make(chan time.Time)
	var gradeErr error
	go func() {
		defer close(over)
		gradeErr = class.allGraded(ctx, b.Submissions)
	}()
	loaded, err := student.typeFor(ctx, over)
	for range over { // its end
	}
	took := time.Since(began)
	if err := errors.Join(err, gradeErr); err != nil {
		return nil, err
	}
	rest.add(quantile(calm, 0.5))
	p99rest.add(quantile(calm, 0.99))
	busy.add(quantile(loaded, 0.5))
	p99busy.add(quantile(loaded, 0.99))
	ratio.add(p99busy.median() / p99rest.median())
	rate.add(float64(b.Submissions) / took.Minutes())
	return []*figure{take, rest, p99rest, busy, p99busy, ratio, rate}, nil
}

func quantile(samples []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(samples))
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

func benchSubmissions(f *Folders) string { return filepath.Join(f.State, "submissions") }
