package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/grade/engine"
)

// script says what a check's tries come to: y passes, n does not, e is an error
// of ours, o a node that is off, p a panic. The last goes on for ever.
type script map[string]string

func (s script) evaluate(tries *sync.Map) func(context.Context, engine.Target, *grade.Check) (engine.Verdict, error) {
	return func(_ context.Context, _ engine.Target, c *grade.Check) (engine.Verdict, error) {
		n, _ := tries.LoadOrStore(c.Name, new(atomic.Int32))
		says := s[c.Name]
		i := min(int(n.(*atomic.Int32).Add(1))-1, len(says)-1)
		switch says[i] {
		case 'y':
			return engine.Verdict{OK: true, Seen: "a route"}, nil
		case 'e':
			return engine.Verdict{}, errors.New("the probe's port is gone")
		case 'o':
			return engine.Verdict{}, fmt.Errorf("asking: %w", &engine.NotRunning{Node: "r1", Reason: "it was powered off"})
		case 'p':
			panic("out of range")
		}
		return engine.Verdict{Seen: "no route"}, nil
	}
}

func check(name string, change ...func(*grade.Check)) grade.Check {
	c := grade.Check{Name: name, Title: "check " + name, Points: 1, Within: 300 * time.Millisecond, For: 200 * time.Millisecond,
		Kinds: grade.Kinds{Route: &grade.Route{Node: "r1"}}}
	for _, f := range change {
		f(&c)
	}
	return c
}

func needs(names ...string) func(*grade.Check) { return func(c *grade.Check) { c.Needs = names } }
func not(c *grade.Check)                       { c.Not = true }
func onDisk(c *grade.Check)                    { c.Kinds = grade.Kinds{File: &grade.File{Node: "r1"}} }
func volatile(c *grade.Check)                  { no := false; c.Reboot = &no }

func TestOutcomes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		says   script
		checks []grade.Check
		want   string // outcomes in the lab's order
		seen   string // of the last check
	}{
		{"at once", script{"a": "y"}, []grade.Check{check("a")}, "pass", "a route"},
		{"after some tries", script{"a": "nnny"}, []grade.Check{check("a")}, "pass", "a route"},
		{"never", script{"a": "n"}, []grade.Check{check("a")}, "fail", "no route"},
		{"ours", script{"a": "e"}, []grade.Check{check("a")}, "error", "the probe's port is gone"},
		{"ours for a while", script{"a": "eey"}, []grade.Check{check("a")}, "pass", "a route"},
		{"a panic is ours", script{"a": "p"}, []grade.Check{check("a")}, "error", "the check's program broke off: out of range"},
		{"a node that is off", script{"a": "o"}, []grade.Check{check("a")}, "fail", "r1 does not run: it was powered off"},
		{"a node that is off has nothing negated either", script{"a": "o"}, []grade.Check{check("a", not)}, "fail", "r1 does not run: it was powered off"},
		{"negated", script{"a": "n"}, []grade.Check{check("a", not)}, "pass", "no route"},
		{"negated, at last", script{"a": "yyn"}, []grade.Check{check("a", not)}, "pass", "no route"},
		{"negated, there", script{"a": "y"}, []grade.Check{check("a", not)}, "fail", "a route"},
		{"negated, and it comes back", script{"a": "ny"}, []grade.Check{check("a", not, func(c *grade.Check) { c.For = time.Second })}, "fail", "a route"},
		{"a disk is asked once", script{"a": "ny"}, []grade.Check{check("a", onDisk)}, "fail", "no route"},
		{"a disk negated", script{"a": "ny"}, []grade.Check{check("a", onDisk, not)}, "pass", "no route"},
		{"order", script{"a": "nnny", "b": "y", "c": "n"}, []grade.Check{check("a"), check("b"), check("c")}, "pass pass fail", "no route"},
		{"needs", script{"a": "y", "b": "y"}, []grade.Check{check("b", needs("a")), check("a")}, "pass pass", "a route"},
		{"needs what fails", script{"a": "n", "b": "y", "c": "y"}, []grade.Check{check("a"), check("b", needs("a")), check("c", needs("b"))},
			"fail skipped skipped", "Not tried, since this did not pass: “check b”"},
		{"needs what cannot be judged", script{"a": "p", "b": "y"}, []grade.Check{check("a"), check("b", needs("a"))},
			"error error", "Not tried, since this could not be judged: “check a”"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var told sync.Map
			r, err := engine.RunWith(t.Context(), nil, tt.checks, engine.Options{Progress: func(r grade.Result) { told.Store(r.Check, r.Outcome) }},
				tt.says.evaluate(new(sync.Map)))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, res := range r.Results {
				got = append(got, string(res.Outcome))
				if res.Check != tt.checks[i].Name {
					t.Errorf("result %d is that of %s, not %s", i, res.Check, tt.checks[i].Name)
				}
				if o, _ := told.Load(res.Check); o != res.Outcome {
					t.Errorf("progress said %v of %s, the report %v", o, res.Check, res.Outcome)
				}
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("outcomes %s, want %s", s, tt.want)
			}
			if s := r.Results[len(r.Results)-1].Seen; s != tt.seen {
				t.Errorf("seen %q, want %q", s, tt.seen)
			}
		})
	}
}

// TestHolds: what must stay away is looked at for its whole time.
func TestHolds(t *testing.T) {
	r, err := engine.RunWith(t.Context(), nil, []grade.Check{check("a", not)}, engine.Options{}, script{"a": "n"}.evaluate(new(sync.Map)))
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Results[0]; c.Took < 200*time.Millisecond || c.Tries < 2 {
		t.Errorf("it was looked at %d times in %v", c.Tries, c.Took)
	}
}

func TestFreshAsksForWhatStays(t *testing.T) {
	checks := []grade.Check{check("a", volatile), check("b", needs("a"))}
	r, err := engine.RunWith(t.Context(), nil, checks, engine.Options{Boot: grade.Fresh}, script{"b": "y"}.evaluate(new(sync.Map)))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != 1 || r.Results[0].Check != "b" || r.Results[0].Outcome != grade.Pass || r.Boot != grade.Fresh {
		t.Errorf("the report is %+v", r)
	}
}

func TestUnsound(t *testing.T) {
	for _, tt := range []struct {
		name   string
		checks []grade.Check
		want   string
	}{
		{"a circle", []grade.Check{check("a", needs("b")), check("b", needs("c")), check("c", needs("b"))}, "in a circle: b needs c needs b"},
		{"itself", []grade.Check{check("a", needs("a"))}, "in a circle: a needs a"},
		{"unknown", []grade.Check{check("a", needs("b"))}, `"a" needs "b", which is not there`},
		{"twice", []grade.Check{check("a"), check("a")}, `"a" is there twice`},
		{"too many", make([]grade.Check, grade.MaxChecks+1), "too many"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := engine.Run(t.Context(), nil, tt.checks, engine.Options{}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

// hang is an evaluator that waits for its end.
func hang(began chan<- struct{}) func(context.Context, engine.Target, *grade.Check) (engine.Verdict, error) {
	return func(ctx context.Context, _ engine.Target, c *grade.Check) (engine.Verdict, error) {
		if c.Name == "fails" {
			return engine.Verdict{Seen: "no route"}, nil
		}
		began <- struct{}{}
		<-ctx.Done()
		return engine.Verdict{}, ctx.Err()
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	began := make(chan struct{}, 1)
	go func() {
		<-began
		cancel()
	}()
	r, err := engine.RunWith(ctx, nil, []grade.Check{check("a"), check("b", needs("a"))}, engine.Options{}, hang(began))
	if r != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("a run that was cancelled gives %v, %v", r, err)
	}
}

func TestDeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	long := func(c *grade.Check) { c.Within = time.Minute }
	r, err := engine.RunWith(ctx, nil, []grade.Check{check("hangs", long), check("fails", long), check("waits", needs("hangs"))},
		engine.Options{}, hang(make(chan struct{}, 1)))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []grade.Outcome{grade.Error, grade.Fail, grade.Error} {
		if got := r.Results[i]; got.Outcome != want {
			t.Errorf("%s: %s (%s), want %s", got.Check, got.Outcome, got.Seen, want)
		}
	}
}

// TestParallel: as many as may are tried at once, no more, and those that wait
// for their next try are in nobody's way.
func TestParallel(t *testing.T) {
	var now, most atomic.Int32
	var checks []grade.Check
	for i := range 12 {
		checks = append(checks, check(fmt.Sprintf("c%d", i)))
	}
	r, err := engine.RunWith(t.Context(), nil, checks, engine.Options{Parallel: 3},
		func(context.Context, engine.Target, *grade.Check) (engine.Verdict, error) {
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(5 * time.Millisecond)
			return engine.Verdict{}, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	if most.Load() != 3 {
		t.Errorf("%d were tried at once, want 3", most.Load())
	}
	for _, res := range r.Results {
		if res.Tries < 2 {
			t.Errorf("%s was tried %d times", res.Check, res.Tries)
		}
	}
}

// TestBounds: however much a guest says, a result stays small and plain.
func TestBounds(t *testing.T) {
	big := make([]byte, 1<<20)
	r, err := engine.RunWith(t.Context(), nil, []grade.Check{check("a")}, engine.Options{},
		func(context.Context, engine.Target, *grade.Check) (engine.Verdict, error) {
			v := engine.Verdict{OK: true, Seen: "\x1b[2J\x1b]0;root\x07two\nlines \xff" + strings.Repeat("ä", 9999)}
			for range 9 {
				v.Evidence = append(v.Evidence, grade.Evidence{Name: "out\x1b[1m", Type: "text/plain", Data: big})
			}
			return v, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	c := r.Results[0]
	if len(c.Seen) > 4<<10 || strings.ContainsAny(c.Seen, "\x1b\x07\n") || !strings.Contains(c.Seen, "two lines") {
		t.Errorf("seen is %d bytes: %.60q", len(c.Seen), c.Seen)
	}
	if len(c.Evidence) != 4 {
		t.Errorf("%d pieces of evidence", len(c.Evidence))
	}
	for _, e := range c.Evidence {
		if len(e.Data) != 64<<10 || !e.Cut || strings.Contains(e.Name, "\x1b") {
			t.Errorf("evidence %q of %d bytes, cut: %v", e.Name, len(e.Data), e.Cut)
		}
	}
}
