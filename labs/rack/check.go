package rack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/grade/engine"
)

// CheckRequest has checks carried out on the rack as it runs.
type CheckRequest struct {
	Lab    string        `json:"lab"`
	Digest string        `json:"digest,omitempty"` // the version of the lab that the checks are of
	Boot   grade.Boot    `json:"boot,omitempty"`   // empty: live
	Checks []grade.Check `json:"checks"`
}

// CheckLine is one line of the answer: exactly one of them is set. The last has
// the report, or why there is none.
type CheckLine struct {
	Result *grade.Result `json:"result,omitempty"`
	Report *grade.Report `json:"report,omitempty"`
	Error  string        `json:"error,omitempty"`
}

const (
	maxWaiting    = 4                // for their turn, beside the one whose turn it is
	settleTimeout = 90 * time.Second // for nodes to come up and their startup commands to end
	checkTimeout  = 15 * time.Minute // of one run; what is not judged by then is so
)

// turns lets one at a time, and bounds how many wait.
type turns struct {
	taken chan struct{}
	in    *atomic.Int32
}

func newTurns() turns { return turns{make(chan struct{}, 1), new(atomic.Int32)} }

// take waits for the turn, which ends with done.
func (t turns) take(ctx context.Context) (done func(), err error) {
	if t.in.Add(1) > 1+maxWaiting {
		t.in.Add(-1)
		return nil, errBusy
	}
	select {
	case t.taken <- struct{}{}:
		return func() { <-t.taken; t.in.Add(-1) }, nil
	case <-ctx.Done():
		t.in.Add(-1)
		return nil, ctx.Err()
	}
}

// handleCheck carries checks out. A frozen rack is checked as any other.
func (r *Rack) handleCheck(w http.ResponseWriter, q *http.Request) error {
	var c CheckRequest
	if err := decode(w, q, &c); err != nil {
		return err
	}
	if c.Boot != "" && c.Boot != grade.Live && c.Boot != grade.Fresh {
		return badQuery("boot is live or fresh, not %q", clip(string(c.Boot)))
	}
	ctx, cancel := context.WithCancel(q.Context())
	defer cancel()
	defer context.AfterFunc(r.ending, cancel)()
	done, err := r.checks.take(ctx)
	if errors.Is(err, errBusy) {
		return &Explained{Sentence: "This lab is being checked already, and others wait for it. Try again in a moment.", Err: err}
	}
	if err != nil {
		return fmt.Errorf("waiting for another check to end: %w", err)
	}
	defer done()

	w.Header().Set("Content-Type", "application/jsonl")
	w.WriteHeader(http.StatusOK)
	var mu sync.Mutex
	enc := json.NewEncoder(w)
	say := func(l CheckLine) {
		mu.Lock()
		defer mu.Unlock()
		if enc.Encode(l) != nil || http.NewResponseController(w).Flush() != nil {
			cancel() // nobody listens
		}
	}
	report, err := r.check(ctx, &c, func(res grade.Result) { say(CheckLine{Result: &res}) })
	if err != nil {
		say(CheckLine{Error: sentence(err)})
		return nil
	}
	say(CheckLine{Report: report})
	return nil
}

// check waits until the rack has come up and carries checks out.
func (r *Rack) check(ctx context.Context, c *CheckRequest, progress func(grade.Result)) (*grade.Report, error) {
	slow := r.settled(ctx)
	bounded, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	report, err := engine.Run(bounded, target{r}, c.Checks, engine.Options{
		Lab: c.Lab, Digest: c.Digest, Boot: c.Boot, Progress: progress,
	})
	if err != nil {
		return nil, err
	}
	for _, name := range slow {
		report.Warnings = append(report.Warnings, fmt.Sprintf("%s was still starting after %v: its startup commands or services do not end.", name, settleTimeout))
	}
	return report, nil
}

// settled waits until every node that is being started has come up and its
// startup commands and services have run, and names those that have not in time.
func (r *Rack) settled(ctx context.Context) (slow []string) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		slow = nil
		for _, n := range r.nodes {
			if n.unsettled() {
				slow = append(slow, n.spec.Name)
			}
		}
		r.mu.Lock()
		starting := r.status == Starting
		r.mu.Unlock()
		if len(slow) == 0 && !starting {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return slow
		}
	}
}

// unsettled says that the node is being started, or what it does at its start
// has not ended.
func (n *node) unsettled() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch n.status {
	case Starting, Booting:
		return true
	case Running:
		select {
		case <-n.machine.Started():
		default:
			return true
		}
	}
	return false
}

// Settle waits until every node that is being started has come up, and what
// nodes do at their start is done. It says, in sentences, whose is not in time.
func (c *Client) Settle(ctx context.Context) ([]string, error) {
	r, err := c.Check(ctx, &CheckRequest{}, nil) // which waits for that
	if err != nil {
		return nil, err
	}
	return r.Warnings, nil
}

// Check has checks carried out and calls progress, if it is not nil, with each
// result as it is there. Others who check the rack have their turn before.
func (c *Client) Check(ctx context.Context, q *CheckRequest, progress func(grade.Result)) (*grade.Report, error) {
	resp, err := c.ask(ctx, http.MethodPost, "/v1/check", q)
	if err != nil {
		return nil, fmt.Errorf("having the rack checked: %w", err)
	}
	defer resp.Body.Close()
	d := json.NewDecoder(resp.Body)
	for {
		var l CheckLine
		if err := d.Decode(&l); err != nil {
			return nil, fmt.Errorf("reading the rack's results: %w", err)
		}
		switch {
		case l.Error != "":
			return nil, fmt.Errorf("having the rack checked: %s", l.Error)
		case l.Report != nil:
			return l.Report, nil
		case l.Result != nil && progress != nil:
			progress(*l.Result)
		}
	}
}
