package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/patchbay/patchbay/labs/grade"
)

const defaultParallel = 8

// evaluator tries a check once, see evaluate.
type evaluator func(context.Context, Target, *grade.Check) (verdict, error)

// Run carries the checks out and returns when nothing of them runs any more.
// Checks that do not depend on each other are tried side by side, each again and
// again until it passes or its time is over. The report has their results in
// the order of checks. On a fresh boot only those are carried out that have to
// survive one.
//
// What goes wrong with one check is its Result. Run's error is about the run as
// a whole: checks that depend on each other in a circle, or the end of ctx by
// cancellation. When ctx has a deadline that passes, the report says of each
// check how far it came.
func Run(ctx context.Context, t Target, checks []grade.Check, o Options) (*grade.Report, error) {
	return run(ctx, t, checks, o, evaluate)
}

func run(ctx context.Context, t Target, checks []grade.Check, o Options, eval evaluator) (*grade.Report, error) {
	if o.Boot == "" {
		o.Boot = grade.Live
	}
	if o.Boot == grade.Fresh {
		checks = surviving(checks)
	}
	if err := sound(checks); err != nil {
		return nil, err
	}
	if o.Parallel <= 0 {
		o.Parallel = defaultParallel
	}
	inner, cancel := context.WithCancel(ctx)
	s := share(inner, t)
	j := &judge{target: s, evaluate: eval, slots: make(chan struct{}, o.Parallel)}
	begun := time.Now()
	r := &grade.Report{
		Lab: o.Lab, Digest: o.Digest, Boot: o.Boot,
		Started: begun.UTC(), Results: make([]grade.Result, len(checks)),
	}
	done := make(map[string]chan struct{}, len(checks))
	place := make(map[string]int, len(checks))
	for i := range checks {
		done[checks[i].Name] = make(chan struct{})
		place[checks[i].Name] = i
	}
	var wg sync.WaitGroup
	var telling sync.Mutex
	for i := range checks {
		c := &checks[i]
		wg.Go(func() {
			var needed []*grade.Result
			for _, need := range c.Needs {
				<-done[need] // a check ends with ctx, so this does too
				needed = append(needed, &r.Results[place[need]])
			}
			res, tried := unmet(c, needed)
			if !tried {
				res = j.check(inner, c)
			}
			r.Results[i] = res
			close(done[c.Name])
			if o.Progress != nil {
				telling.Lock()
				defer telling.Unlock()
				o.Progress(res)
			}
		})
	}
	wg.Wait()
	cancel()
	s.close()
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, fmt.Errorf("carrying out the checks: %w", context.Cause(ctx))
	}
	r.Took = time.Since(begun)
	r.Sum()
	return r, nil
}

// unmet is the result of a check that need not be tried, since what it needs
// did not pass.
func unmet(c *grade.Check, needed []*grade.Result) (grade.Result, bool) {
	var failed, unknown []string
	for _, n := range needed {
		switch n.Outcome {
		case grade.Pass:
		case grade.Error:
			unknown = append(unknown, "“"+n.Title+"”")
		default:
			failed = append(failed, "“"+n.Title+"”")
		}
	}
	res := blank(c)
	switch {
	case len(failed) > 0:
		res.Outcome, res.Seen = grade.Skipped, "Not tried, since this did not pass: "+strings.Join(failed, ", ")
	case len(unknown) > 0: // which is not the student's fault, so neither is this
		res.Outcome, res.Seen = grade.Error, "Not tried, since this could not be judged: "+strings.Join(unknown, ", ")
	default:
		return res, false
	}
	return res, true
}

// surviving are the checks that have to pass after a fresh boot too. What they
// need of the others is not asked for there.
func surviving(checks []grade.Check) []grade.Check {
	stays := map[string]bool{}
	known := map[string]bool{}
	for i := range checks {
		known[checks[i].Name] = true
		stays[checks[i].Name] = checks[i].Reboot == nil || *checks[i].Reboot
	}
	var out []grade.Check
	for _, c := range checks {
		if !stays[c.Name] {
			continue
		}
		c.Needs = slices.DeleteFunc(slices.Clone(c.Needs), func(n string) bool { return known[n] && !stays[n] })
		out = append(out, c)
	}
	return out
}

// sound says what keeps checks from being put in an order.
func sound(checks []grade.Check) error {
	if len(checks) > grade.MaxChecks {
		return fmt.Errorf("%d checks are too many: a lab may have %d", len(checks), grade.MaxChecks)
	}
	needs := map[string][]string{}
	for i := range checks {
		c := &checks[i]
		if _, twice := needs[c.Name]; twice {
			return fmt.Errorf("check %q is there twice", c.Name)
		}
		needs[c.Name] = c.Needs
	}
	const (
		looking = 1 + iota
		fine
	)
	state := map[string]int{}
	var visit func(name string, way []string) error
	visit = func(name string, way []string) error {
		switch state[name] {
		case fine:
			return nil
		case looking:
			way = append(way[slices.Index(way, name):], name)
			return fmt.Errorf("checks need each other in a circle: %s", strings.Join(way, " needs "))
		}
		state[name] = looking
		for _, n := range needs[name] {
			if _, known := needs[n]; !known {
				return fmt.Errorf("check %q needs %q, which is not there", name, n)
			}
			if err := visit(n, append(way, name)); err != nil {
				return err
			}
		}
		state[name] = fine
		return nil
	}
	for i := range checks {
		if err := visit(checks[i].Name, nil); err != nil {
			return err
		}
	}
	return nil
}
