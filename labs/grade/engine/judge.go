package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/vnet/record"
)

const (
	firstPause = 50 * time.Millisecond // between tries, doubled each time
	lastPause  = time.Second
	holdPause  = 250 * time.Millisecond // between looks at what must stay away
	tryTimeout = 30 * time.Second       // of one try, what it watches for aside: a bound on us, evaluators have their own
)

// judge comes to the results of one run.
type judge struct {
	target   Target
	evaluate evaluator
	slots    chan struct{} // full when as many try as may
}

// panicked is an evaluator's panic.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("the check's program broke off: %v", p.value) }

// blank is what is known of a check's result before it is tried.
func blank(c *grade.Check) (r grade.Result) {
	kind, trust, k := c.Kind()
	r = grade.Result{
		Check: c.Name, Title: tidy(c.Title), Step: c.Step, Kind: kind, Trust: trust,
		Worth: c.Points, Visible: c.Visible, Hint: tidy(c.Hint), Look: tidy(c.Look),
	}
	if k == nil {
		return r
	}
	defer func() { _ = recover() }() // a sentence that cannot be made is no reason to judge nothing
	r.Expected = k.Expect()
	if c.Not {
		r.Expected = "It is not so: " + r.Expected
	}
	r.Expected = tidy(r.Expected)
	if r.Look == "" {
		r.Look = look(&c.Kinds)
	}
	return r
}

// check tries a check until it passes or its time is over.
func (j *judge) check(ctx context.Context, c *grade.Check) grade.Result {
	res := blank(c)
	begun := time.Now()
	end := begun.Add(within(c))
	var last finding
	var away time.Time // since when what must not be has not been
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		f, ok := j.try(ctx, c)
		if ok || last.none() { // one that was broken off by the end says nothing new
			last = f
		}
		if !ok {
			break
		}
		if res.Tries++; res.Tries == 1 {
			end = f.begun.Add(within(c)) // what waited for its turn lost nothing
		}
		wait := pause
		switch {
		case !f.good:
			away = time.Time{}
			if f.final || time.Now().After(end) {
				ok = false
			}
		case !c.Not || once(c):
			ok = false
		default:
			if away.IsZero() {
				away = f.begun
			}
			left := watchFor(c) - time.Since(away)
			ok = left > 0
			wait = min(holdPause, left)
		}
		if !ok || !sleep(ctx, wait) {
			break
		}
	}
	// What must stay away had no time to show that it does.
	if c.Not && last.good && !once(c) && time.Since(away) < watchFor(c) {
		last = finding{err: context.DeadlineExceeded}
	}
	last.tell(&res)
	res.Took = time.Since(begun)
	return res
}

// once says that another try would find the same: a disk is read from a copy.
func once(c *grade.Check) bool {
	return trustOf(c) == grade.Disk
}

func trustOf(c *grade.Check) grade.Trust {
	_, trust, _ := c.Kind()
	return trust
}

// finding is what one try came to.
type finding struct {
	verdict
	good  bool  // as the check wants it
	err   error // ours
	final bool  // no other try will come to something else
	begun time.Time
}

// none says that nothing was tried.
func (f *finding) none() bool { return f.begun.IsZero() }

// tell writes a finding into a result.
func (f *finding) tell(r *grade.Result) {
	r.Doubt = tidy(f.doubt)
	r.Evidence = bound(f.evidence)
	switch {
	case f.err != nil:
		r.Outcome = grade.Error
		r.Seen = tidy(f.err.Error())
		if errors.Is(f.err, context.DeadlineExceeded) {
			r.Seen = "There was not enough time to find out"
		}
		if p, ok := errors.AsType[*panicked](f.err); ok {
			r.Evidence = bound([]grade.Evidence{{Name: "stack", Type: "text/plain", Data: p.stack}})
		}
	case f.good:
		r.Outcome, r.Points, r.Seen = grade.Pass, r.Worth, tidy(f.seen)
	default:
		r.Outcome, r.Seen = grade.Fail, tidy(f.seen)
	}
}

// try tries a check once, when it is its turn. ok is false when ctx ended
// before it came to something.
func (j *judge) try(ctx context.Context, c *grade.Check) (f finding, ok bool) {
	if c.Frames == nil { // to watch costs nothing
		select {
		case j.slots <- struct{}{}:
			defer func() { <-j.slots }()
		case <-ctx.Done():
			return finding{err: ctx.Err()}, false
		}
	}
	if ctx.Err() != nil {
		return finding{err: ctx.Err()}, false
	}
	f.begun = time.Now()
	bounded, cancel := context.WithTimeout(ctx, tryTimeout+watchFor(c))
	defer cancel()
	f.verdict, f.err = j.guarded(bounded, c)
	if gone, is := errors.AsType[*NotRunning](f.err); is {
		// Whatever was asked of it, a node that is off has nothing right.
		f.verdict, f.err = verdict{seen: gone.Error(), evidence: f.evidence}, nil
		return f, true
	}
	if bad, is := errors.AsType[*Unreadable](f.err); is {
		f.verdict, f.err, f.final = verdict{seen: bad.Error(), evidence: f.evidence}, nil, true
		return f, true
	}
	if claimed, is := errors.AsType[*claimedError](f.err); is {
		f.verdict, f.err = verdict{seen: claimed.Error(), evidence: f.evidence}, nil
		return f, true
	}
	if late := errors.Is(f.err, context.DeadlineExceeded) && ctx.Err() == nil; late && trustOf(c) == grade.Guest {
		// Answers in good time, and so many of them, are the machine's to give.
		f.verdict, f.err = verdict{seen: "the machine answered too slowly", evidence: f.evidence}, nil
		return f, true
	}
	if errors.Is(f.err, record.ErrMissed) {
		// Who floods a segment must not be better off than who was seen there.
		f.verdict, f.err = verdict{seen: "so many frames went by that they could not all be looked at", evidence: f.evidence}, nil
		return f, true
	}
	if f.err != nil {
		_, broke := errors.AsType[*panicked](f.err)
		f.final = broke || errors.Is(f.err, errNoKind)
		return f, ctx.Err() == nil
	}
	f.good = f.ok != c.Not && !f.contested
	f.final = once(c)
	return f, true
}

// guarded makes an error of an evaluator's panic.
func (j *judge) guarded(ctx context.Context, c *grade.Check) (v verdict, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{p, debug.Stack()}
		}
	}()
	return j.evaluate(ctx, j.target, c)
}

// sleep waits, and says whether ctx left it the time to.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
