package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/patchbay/patchbay/guest"
	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/guest/kernel"
	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/vnet"
)

// with measures guests whose k-th interfaces are all on a segment of their own.
func (b *benchMemoryCmd) with(ctx context.Context, spec *rack.Spec, dir string) (use memoryUse, err error) {
	k, err := kernel.Find(spec.Cache, "")
	if err != nil {
		return use, err
	}
	sw, err := vnet.New(vnet.Options{})
	if err != nil {
		return use, err
	}
	defer sw.Close()
	for n := range b.Interfaces {
		if err := sw.AddSegment(vnet.SegmentConfig{Name: segmentOf(n), Kind: vnet.SwitchKind}); err != nil {
			return use, err
		}
	}
	var plans []*rack.Plan
	for i := range b.Guests {
		p := b.plan(spec, filepath.Join(dir, fmt.Sprintf("wired%d", i)))
		p.Kernel, p.Offload, p.Carrier = k.Name, k.Offload, k.Carrier
		if err := b.wire(sw, p, i); err != nil {
			return use, err
		}
		plans = append(plans, p)
	}
	lot, err := b.lot(ctx, func(i int) *rack.Plan { return plans[i] })
	defer lot.kill()
	if err != nil {
		return use, err
	}
	if use.idle, err = lot.files(); err != nil {
		return use, err
	}
	// Every guest sends to the next, so that each has sent and received.
	for i, from := range lot {
		next := (i + 1) % len(lot)
		for n := range b.Interfaces {
			if err := sendTCP(ctx, from, lot[next], addressOf(n, next), b.Traffic); err != nil {
				return use, fmt.Errorf("interface %d of guest %d: %w", n, i, err)
			}
		}
	}
	use.busy, err = lot.files()
	return use, err
}

func segmentOf(n int) string { return fmt.Sprintf("lan%d", n) }

// addressOf is that of interface n of the i-th guest.
func addressOf(n, i int) string { return fmt.Sprintf("10.0.%d.%d", n, i+1) }

// wire gives the i-th guest its ports.
func (b *benchMemoryCmd) wire(sw *vnet.Switch, p *rack.Plan, i int) error {
	net := filepath.Join(p.Dir, "net")
	if err := os.MkdirAll(net, 0o711); err != nil {
		return err
	}
	for n := range b.Interfaces {
		path := filepath.Join(net, segmentOf(n))
		err := sw.AddPort(vnet.PortConfig{
			Name: fmt.Sprintf("%d/%d", i, n), Segment: segmentOf(n), Path: path,
			Offload: p.Offload, Carrier: p.Carrier,
		})
		if err != nil {
			return err
		}
		p.NICs = append(p.NICs, rack.PlanNIC{MAC: fmt.Sprintf("02:00:00:00:%02x:%02x", n, i), Socket: path})
		p.Node.Interfaces = append(p.Node.Interfaces, labs.Interface{
			Name: fmt.Sprintf("eth%d", n), Segment: segmentOf(n), Addresses: []string{addressOf(n, i) + "/24"},
		})
	}
	return nil
}

// sendTCP has mib MiB go from one guest to the other's address.
func sendTCP(ctx context.Context, from, to *guest.Guest, address string, mib int) error {
	run := func(g *guest.Guest, command string) error {
		r, err := g.Agent().Exec(ctx, agent.Exec{Args: []string{"sh", "-c", command}})
		if err != nil {
			return err
		}
		if r.Code != 0 {
			return errors.New(strings.TrimSpace(string(r.Stdout) + string(r.Stderr)))
		}
		return nil
	}
	if err := run(to, "iperf3 --server --one-off --daemon"); err != nil {
		return fmt.Errorf("starting a server: %w", err)
	}
	// It may take a moment until it listens.
	client := fmt.Sprintf("for n in 1 2 3 4 5 6 7 8 9; do iperf3 --client %s --bytes %dM && exit; sleep 0.2; done; exit 1", address, mib)
	if err := run(from, client); err != nil {
		return fmt.Errorf("sending to %s: %w", address, err)
	}
	return nil
}
