package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/patchbay/patchbay/guest"
	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
)

// pairPlan says which two guests to boot and what wires them.
type pairPlan struct {
	kernel  string
	offload bool
	sockets [2]string // where vec0 of each connects to; empty for other wires

	// change has the last word on guest i; nil changes nothing.
	change func(i int, c *guest.Config) error

	// bare leaves eth0 to be set up by hand: guestd knows the names of the
	// vector driver's interfaces alone.
	bare bool
}

// guestPair is two running guests that hear each other by eth0. Close ends it.
type guestPair struct {
	hosts [2]guestHost
}

// pairAddress is the address of guest i of a pair.
func pairAddress(i int) string { return fmt.Sprintf("10.0.0.%d", i+1) }

func pairMAC(i int) string { return fmt.Sprintf("02:00:00:00:00:%02x", i+1) }

// bootPair boots two guests at once, each on a CPU of its own as a rack would
// have them.
func (m *wireMeter) bootPair(ctx context.Context, dir string, plan pairPlan) (_ *guestPair, err error) {
	p := &guestPair{}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	var wg sync.WaitGroup
	errs := make([]error, len(p.hosts))
	for i := range p.hosts {
		if p.hosts[i].Guest, err = m.startGuest(ctx, dir, i, &plan); err != nil {
			wg.Wait()
			return nil, err
		}
		wg.Go(func() {
			_, errs[i] = p.hosts[i].Boot(ctx)
			if errs[i] == nil && plan.bare {
				errs[i] = p.hosts[i].setUp(ctx, pairAddress(i))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return p, nil
}

func (m *wireMeter) startGuest(ctx context.Context, dir string, i int, plan *pairPlan) (*guest.Guest, error) {
	n := &labs.Node{Name: fmt.Sprintf("pc%d", i+1), Kernel: plan.kernel, Image: m.opts.Image, Mode: "ptrace"}
	rp := &rack.Plan{Rack: m.spec, Node: n, Dir: filepath.Join(dir, n.Name), CPU: i % runtime.NumCPU(), Lines: consoleLines, Offload: plan.offload}
	if err := os.Mkdir(rp.Dir, 0o711); err != nil {
		return nil, err
	}
	if !plan.bare {
		n.Interfaces = []labs.Interface{{Name: "eth0", Segment: "lan", Addresses: []string{pairAddress(i) + "/24"}}}
	}
	if plan.sockets[i] != "" {
		rp.NICs = []rack.PlanNIC{{MAC: pairMAC(i), Socket: plan.sockets[i]}}
	}
	c, _, err := rack.GuestConfig(rp)
	if err != nil {
		return nil, err
	}
	if plan.change != nil {
		if err := plan.change(i, c); err != nil {
			return nil, err
		}
	}
	g, err := guest.Start(ctx, *c)
	if err != nil {
		return nil, err
	}
	drain(g, 0)
	return g, nil
}

// Close ends the guests and waits until they have.
func (p *guestPair) Close() {
	for _, h := range p.hosts {
		if h.Guest != nil {
			h.Kill()
		}
	}
}

// transfer is one from the first guest to the second.
func (p *guestPair) transfer(seconds int, carried func() uint64) *transfer {
	return &transfer{client: p.hosts[0], server: p.hosts[1], address: pairAddress(1), device: "eth0", seconds: seconds, carried: carried}
}

// guestHost runs programs by way of guestd.
type guestHost struct{ *guest.Guest }

// Run implements host.
func (h guestHost) Run(ctx context.Context, args ...string) ([]byte, error) {
	res, err := h.Agent().Exec(ctx, agent.Exec{Args: args})
	switch {
	case err != nil:
		return nil, err
	case res.Code != 0:
		return res.Stdout, failedProgram(args, res.Code, res.Stderr)
	}
	return res.Stdout, nil
}

// failedProgram says what a program said of its failure.
func failedProgram(args []string, code int, stderr []byte) error {
	err := fmt.Errorf("%s: exit code %d", strings.Join(args, " "), code)
	if s := strings.TrimSpace(string(stderr)); s != "" {
		err = fmt.Errorf("%w: %s", err, s)
	}
	return err
}

func (h guestHost) setUp(ctx context.Context, address string) error {
	_, err := h.Run(ctx, "ip", "address", "add", address+"/24", "dev", "eth0")
	if err == nil {
		_, err = h.Run(ctx, "ip", "link", "set", "eth0", "up")
	}
	return err
}
