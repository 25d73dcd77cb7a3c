package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/grade/engine"
	"github.com/patchbay/patchbay/vnet/probe"
	"github.com/patchbay/patchbay/vnet/record"
)

// place is a Target that counts who is on its segments, and fails at once when
// two machines have one address.
type place struct {
	mu       sync.Mutex
	on       map[string]int // by segment and address
	joined   int
	disks    int
	closed   int
	clash    error
	failures int // of the next Disks
}

func (p *place) Topology() *labs.Topology              { return &labs.Topology{} }
func (p *place) Node(name string) (engine.Node, error) { return nil, &engine.NotRunning{Node: name} }
func (p *place) Ring() *record.Ring                    { return nil }
func (p *place) MAC(node, iface string) string         { return "" }
func (p *place) Port(node, iface string) string        { return node + "/" + iface }
func (p *place) count(at grade.At, n int) (worst int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range at.Address {
		p.on[at.Segment+" "+a] += n
		worst = max(worst, p.on[at.Segment+" "+a])
	}
	return worst
}

func (p *place) Attach(_ context.Context, at grade.At) (*probe.Host, func(), error) {
	if p.count(at, 1) > 1 {
		p.clash = fmt.Errorf("two machines have %v on %s", at.Address, at.Segment)
	}
	p.mu.Lock()
	p.joined++
	p.mu.Unlock()
	return &probe.Host{}, func() { p.count(at, -1) }, nil
}

func (p *place) Disk(context.Context, string) (engine.Disk, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failures > 0 {
		p.failures--
		return nil, errors.New("no memory")
	}
	p.disks++
	return &paper{p}, nil
}

type paper struct{ p *place }

func (*paper) Look(context.Context, string, int) (engine.Entry, error) { return engine.Entry{}, nil }
func (d *paper) Close() error {
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	d.p.closed++
	return nil
}

func TestShared(t *testing.T) {
	p := &place{on: map[string]int{}, failures: 1}
	ats := []grade.At{
		{Segment: "lan", Address: []string{"10.0.0.9/24"}},
		{Segment: "lan", Address: []string{"10.0.0.9/24"}, Gateway: "10.0.0.1"},
		{Segment: "lan", Address: []string{"10.0.0.8/24"}},
		{Segment: "dmz", Address: []string{"10.0.0.9/24"}},
	}
	var checks []grade.Check
	which := map[string]grade.At{}
	for i := range 24 {
		c := check(fmt.Sprintf("c%d", i))
		checks = append(checks, c)
		which[c.Name] = ats[i%len(ats)]
	}
	r, err := engine.RunWith(t.Context(), p, checks, engine.Options{}, func(ctx context.Context, t engine.Target, c *grade.Check) (engine.Verdict, error) {
		_, done, err := t.Attach(ctx, which[c.Name])
		if err != nil {
			return engine.Verdict{}, err
		}
		defer done()
		d, err := t.Disk(ctx, "pc1")
		if err != nil {
			return engine.Verdict{}, err
		}
		defer d.Close()
		time.Sleep(2 * time.Millisecond)
		return engine.Verdict{OK: true}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Passed() {
		t.Errorf("the results are %+v", r.Results)
	}
	if p.clash != nil {
		t.Error(p.clash)
	}
	if p.joined >= len(checks) {
		t.Errorf("%d hosts joined for %d checks", p.joined, len(checks))
	}
	for where, n := range p.on {
		if n != 0 {
			t.Errorf("%d stayed at %s", n, where)
		}
	}
	if p.disks != 1 || p.closed != 1 {
		t.Errorf("the disk was opened %d times and closed %d times", p.disks, p.closed)
	}
}

// TestSharedBreaks: a Target that panics leaves nobody waiting.
func TestSharedBreaks(t *testing.T) {
	checks := []grade.Check{check("a"), check("b"), check("c")}
	r, err := engine.RunWith(t.Context(), &broken{}, checks, engine.Options{}, func(ctx context.Context, t engine.Target, c *grade.Check) (engine.Verdict, error) {
		if c.Name == "c" {
			_, err := t.Disk(ctx, "pc1")
			return engine.Verdict{}, err
		}
		_, _, err := t.Attach(ctx, grade.At{Segment: "lan", Address: []string{"10.0.0.9/24"}})
		return engine.Verdict{}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Results {
		if c.Outcome != grade.Error || !strings.Contains(c.Seen, "broke") && !strings.Contains(c.Seen, "broken") {
			t.Errorf("%s: %s %q", c.Check, c.Outcome, c.Seen)
		}
	}
}

type broken struct{ place }

func (*broken) Attach(context.Context, grade.At) (*probe.Host, func(), error) { panic("broken") }
func (*broken) Disk(context.Context, string) (engine.Disk, error)             { panic("broken") }
