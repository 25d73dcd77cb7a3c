package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/patchbay/patchbay/labs/rack"
)

// benchWireCmd measures the wire: what guests get through the switch, beside
// what there is to compare it with.
type benchWireCmd struct {
	Runs    int      `help:"Runs of each kind, alternating." default:"5"`
	Seconds int      `help:"How long one transfer takes." default:"3"`
	Pings   int      `help:"How many pings make one run." default:"200"`
	Kernel  string   `help:"Kernel to boot (default: Patchbay's newest)."`
	Image   string   `help:"Image to boot (default: the default image)."`
	Only    []string `help:"Measure these kinds alone: ${wire_kinds}."`
}

// wireKind is one way of carrying frames.
type wireKind struct {
	name string

	// lacks says what this machine lacks to measure it and where that comes
	// from; empty when nothing is.
	lacks func() string

	// once measures it one time, in a folder of its own.
	once func(ctx context.Context, dir string) error

	figures []*figure
}

// kindNames are the words of --only, in the order in which kinds are measured.
var kindNames = []string{"switch", "recorded", "direct", "plain", "vde", "uml-switch", "bridge", "kpps", "vde-kpps", "ports-kpps"}

// kindTime bounds one run of one kind: boots, a transfer, pings.
const kindTime = 2 * time.Minute

// Run alternates the kinds, so that a machine whose speed drifts drifts for all
// of them, and a ratio is one of figures that were taken close together.
func (b *benchWireCmd) Run(ctx context.Context, f *Folders) error {
	switch {
	case b.Runs < 1 || b.Seconds < 1 || b.Pings < 1:
		return errors.New("measuring takes at least one run, one second and one ping")
	}
	for _, name := range b.Only {
		if !slices.Contains(kindNames, name) {
			return fmt.Errorf("there is no kind %q to measure: there are %s", name, strings.Join(kindNames, ", "))
		}
	}
	m := newWireMeter(b, &rack.Spec{ID: "bench", Cache: f.Cache})
	kinds := m.kinds()
	if len(b.Only) > 0 {
		kinds = slices.DeleteFunc(kinds, func(k *wireKind) bool { return !slices.Contains(b.Only, k.name) })
	}
	kinds = leaveOut(kinds)
	if err := warnOfWork(ctx); err != nil {
		return err
	}
	failed := b.measure(ctx, kinds)
	if ctx.Err() != nil {
		return failed // interrupted
	}
	var figures []*figure
	for _, k := range kinds {
		figures = append(figures, k.figures...)
	}
	goals := m.goals()
	for _, g := range goals {
		if g.compare() {
			figures = append(figures, g.figure)
		}
	}
	err := report(figures)
	for _, g := range goals {
		if text := g.missed(); text != "" {
			progressf("%s", text)
		}
	}
	return errors.Join(failed, err)
}

// measure runs the kinds in turns. One that fails is left alone from then on:
// the others' figures are of use without it.
func (b *benchWireCmd) measure(ctx context.Context, kinds []*wireKind) error {
	broken := map[*wireKind]error{}
	for i := range b.Runs {
		for _, k := range kinds {
			if broken[k] != nil {
				continue
			}
			progressf("run %d of %d: %s", i+1, b.Runs, k.name)
			err := within(ctx, kindTime, func(ctx context.Context) error { return inFolder(ctx, k.once) })
			if err == nil {
				continue
			}
			broken[k] = fmt.Errorf("measuring the kind %s: %w", k.name, err)
			if ctx.Err() != nil {
				return broken[k]
			}
			progressf("%v", broken[k])
		}
	}
	var errs []error
	for _, k := range kinds {
		errs = append(errs, broken[k])
	}
	return errors.Join(errs...)
}

// leaveOut returns the kinds that this machine can measure, and says of the
// others why it cannot.
func leaveOut(kinds []*wireKind) (able []*wireKind) {
	for _, k := range kinds {
		why := k.lacks()
		if why == "" {
			able = append(able, k)
			continue
		}
		var names []string
		for _, f := range k.figures {
			names = append(names, f.name)
		}
		progressf("%s: left out: %s", strings.Join(names, ", "), why)
	}
	return able
}

// inFolder calls f with a new folder that any uid can walk through, and takes
// it away afterwards.
func inFolder(ctx context.Context, f func(ctx context.Context, dir string) error) error {
	dir, err := os.MkdirTemp("", "patchbay-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		return err
	}
	return f(ctx, dir)
}
