package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/patchbay/patchbay/guest"
	"github.com/patchbay/patchbay/guest/kernel"
	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/catalog"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/spawn"
)

// consoleLines is how many consoles a measured guest has: as many as a rack's.
const consoleLines = 4

// benchBootCmd times the way from exec to a shell that answers.
type benchBootCmd struct {
	Runs   int    `help:"Runs of each kind, alternating." default:"11"`
	Kernel string `help:"Kernel to boot (default: Patchbay's newest)."`
	Image  string `help:"Image to boot (default: the default image)."`
	Stock  bool   `help:"Boot the packaged kernel too, for comparison." default:"true" negatable:""`
	Lab    bool   `help:"Start the four nodes of static-routing too." default:"true" negatable:""`
}

// Run alternates the kinds of boot, so that a machine whose speed drifts
// drifts for all of them.
func (b *benchBootCmd) Run(ctx context.Context, f *Folders) error {
	if b.Runs < 1 {
		return errors.New("measuring takes at least one run")
	}
	guestd := &figure{name: "boot.guestd_ms", unit: "ms", note: "exec to guestd's hello, ptrace mode"}
	guestdSeccomp := &figure{name: "boot.guestd_seccomp_ms", unit: "ms", note: "the same, seccomp mode"}
	jail := &figure{name: "boot.jail_ms", unit: "ms", note: "of these: until the kernel is executed in its jail"}
	shell := &figure{name: "boot.shell_ms", unit: "ms", note: "exec to bash's prompt, ptrace mode"}
	shellSeccomp := &figure{name: "boot.shell_seccomp_ms", unit: "ms", note: "the same, seccomp mode"}
	stock := &figure{name: "boot.stock_shell_ms", unit: "ms", note: "the same, Debian's packaged kernel"}
	lab4 := &figure{name: "boot.lab4_shell_ms", unit: "ms", note: "static-routing: its rack's start to four prompts"}
	lab4Seccomp := &figure{name: "boot.lab4_shell_seccomp_ms", unit: "ms", note: "the same, seccomp mode"}

	spec := rack.Spec{ID: "bench", Cache: f.Cache}
	single := func(ctx context.Context, kern, mode string, hello, prompt *figure) error {
		n := &labs.Node{Name: "pc1", Kernel: kern, Image: b.Image, Mode: mode}
		t, err := bootOnce(ctx, &spec, n)
		if err != nil {
			return fmt.Errorf("booting %s %s: %w", kern, mode, err)
		}
		if hello != nil {
			hello.add(millis(t.hello))
			jail.add(millis(t.jail))
		}
		prompt.add(millis(t.prompt))
		return nil
	}
	for i := range b.Runs {
		progressf("run %d of %d", i+1, b.Runs)
		steps := []func(context.Context) error{
			func(ctx context.Context) error { return single(ctx, b.Kernel, "ptrace", guestd, shell) },
			func(ctx context.Context) error { return single(ctx, b.Kernel, "seccomp", guestdSeccomp, shellSeccomp) },
		}
		if b.Lab {
			steps = append(steps,
				func(ctx context.Context) error { return b.labOnce(ctx, f, "", lab4) },
				func(ctx context.Context) error { return b.labOnce(ctx, f, "seccomp", lab4Seccomp) })
		}
		if b.Stock {
			steps = append(steps, func(ctx context.Context) error { return single(ctx, kernel.Stock, "ptrace", nil, stock) })
		}
		for _, step := range steps {
			if err := within(ctx, time.Minute, step); err != nil {
				return err
			}
		}
	}
	figures := []*figure{guestd, guestdSeccomp, jail, shell, shellSeccomp}
	if b.Lab {
		figures = append(figures, lab4, lab4Seccomp)
	}
	if b.Stock {
		ratio := &figure{name: "boot.stock_ratio", unit: "times", note: "packaged kernel's prompt by ours, ptrace mode"}
		ratio.add(stock.median() / shell.median())
		figures = append(figures, stock, ratio)
	}
	return report(figures)
}

// bootTimes of one guest, each since just before it was started.
type bootTimes struct{ jail, hello, prompt time.Duration }

// bootOnce boots one guest on a new disk, with nothing warm but the host's page
// cache, and proves that its shell is one by having it add two numbers.
func bootOnce(ctx context.Context, spec *rack.Spec, n *labs.Node) (t bootTimes, err error) {
	dir, err := os.MkdirTemp("", "patchbay-bench-")
	if err != nil {
		return t, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		return t, err
	}
	cfg, _, err := rack.GuestConfig(&rack.Plan{Rack: spec, Node: n, Dir: dir, CPU: 1, Lines: consoleLines})
	if err != nil {
		return t, err
	}
	began := time.Now()
	g, err := guest.Start(ctx, *cfg)
	if err != nil {
		return t, err
	}
	defer g.Kill()
	screen := watchScreen(g.Console(0), n.Name)
	drain(g, 1)
	hello := make(chan error, 1)
	go func() {
		_, err := g.Agent().Hello(ctx)
		t.hello = time.Since(began)
		hello <- err
	}()
	_, bootErr := g.Boot(ctx)
	if err := errors.Join(<-hello, bootErr); err != nil {
		return t, err
	}
	at, err := screen.prompt(ctx)
	if err != nil {
		return t, err
	}
	t.jail, t.prompt = g.JailTime(), at.Sub(began)
	return t, screen.prove(ctx, g.Console(0))
}

// drain reads and forgets the consoles from the given one on. It ends with the
// guest.
func drain(g *guest.Guest, from int) {
	for i := from; i < consoleLines; i++ {
		go io.Copy(io.Discard, g.Console(i))
	}
}

// labOnce starts the four nodes of static-routing as a student's click does: a
// rack's process, new disks, a switch, four kernels.
func (b *benchBootCmd) labOnce(ctx context.Context, f *Folders, mode string, fig *figure) error {
	all, err := catalog.Labs()
	if err != nil {
		return err
	}
	var topology *labs.Topology
	for _, l := range all {
		if l.Slug == "static-routing" {
			topology = &l.Topology
		}
	}
	if topology == nil {
		return errors.New("the catalog has no lab static-routing")
	}
	for i := range topology.Nodes {
		if mode != "" {
			topology.Nodes[i].Mode = mode
		}
	}
	state, err := os.MkdirTemp("", "patchbay-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	if err := os.Chmod(state, 0o711); err != nil {
		return err
	}
	local := spawn.Local{State: state, Cache: f.Cache}
	began := time.Now()
	info, err := local.Start(ctx, rack.Spec{ID: "bench", Owner: "local", LabSlug: "static-routing", Title: "bench", Topology: *topology})
	if err != nil {
		return err
	}
	defer local.Remove(context.WithoutCancel(ctx), "bench")
	stream, err := rack.OpenStream(ctx, info.Dir, "patchbay-bench-session", rack.Owner)
	if err != nil {
		return err
	}
	defer stream.Close()
	type seat struct {
		screen *screen
		term   *rack.Terminal
	}
	var seats []seat
	for _, n := range topology.Nodes {
		term, err := stream.Attach(ctx, rack.AttachOptions{Node: n.Name, Cols: 80, Rows: 24})
		if err != nil {
			return err
		}
		seats = append(seats, seat{watchScreen(term, n.Name), term})
	}
	var last time.Time
	for _, s := range seats {
		at, err := s.screen.prompt(ctx)
		if err != nil {
			return err
		}
		if at.After(last) {
			last = at
		}
	}
	for _, s := range seats {
		if err := s.screen.prove(ctx, s.term); err != nil {
			return err
		}
	}
	fig.add(millis(last.Sub(began)))
	return nil
}
