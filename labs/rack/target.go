package rack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/grade/engine"
	"github.com/patchbay/patchbay/vnet/probe"
	"github.com/patchbay/patchbay/vnet/record"
)

const (
	verifyTimeout = 15 * time.Second // of a program in a guest, for a check
	verifyGrace   = 3 * time.Second  // then the guest itself is not there
)

// target is the rack as checks see it.
type target struct{ r *Rack }

func (t target) Topology() *labs.Topology { return &t.r.spec.Topology }

func (t target) Ring() *record.Ring { return t.r.ring }

func (t target) Port(node, iface string) string { return portName(node, iface) }

func (t target) MAC(node, iface string) string {
	n, err := t.r.node(node)
	if err != nil {
		return ""
	}
	for i := range n.spec.Interfaces {
		if f := &n.spec.Interfaces[i]; f.Name == iface {
			return t.r.spec.mac(node, f)
		}
	}
	return ""
}

func (t target) Attach(ctx context.Context, at grade.At) (*probe.Host, func(), error) {
	o, err := t.r.probeOptions(&ProbeRequest{Segment: at.Segment, VLAN: at.VLAN, Addresses: at.Address, Gateway: at.Gateway, DNS: at.DNS})
	if err != nil {
		return nil, nil, fmt.Errorf("putting a probe on %s: %s", at.Segment, strings.TrimSuffix(sentence(err), "."))
	}
	if at.Seed != "" {
		o.Seed = t.r.seed + at.Seed
	}
	h, err := probe.Attach(ctx, t.r.sw, at.Segment, *o)
	if err != nil {
		return nil, nil, fmt.Errorf("putting a probe on %s: %w", at.Segment, err)
	}
	return h, func() { h.Close() }, nil
}

func (t target) Disk(ctx context.Context, node string) (engine.Disk, error) {
	return t.r.openDisk(ctx, node)
}

func (t target) Node(name string) (engine.Node, error) {
	n, err := t.r.node(name)
	if err != nil {
		return nil, err
	}
	m, err := n.running()
	if err != nil {
		return nil, n.notRunning()
	}
	return verified{n, m}, nil
}

// notRunning says why a node does not run.
func (n *node) notRunning() *engine.NotRunning {
	n.mu.Lock()
	defer n.mu.Unlock()
	why := n.reason
	if why == "" {
		why = "it is " + string(n.status)
	}
	return &engine.NotRunning{Node: n.spec.Name, Reason: strings.TrimSuffix(why, ".")}
}

// verified is a running node, for checks.
type verified struct {
	n *node
	m Machine
}

// Verify is part of engine.Node. Whoever is root in a guest can keep it from
// answering. That must not be worth more than a wrong answer, so it is the
// student's finding, not our error.
func (v verified) Verify(ctx context.Context, e agent.Exec) (agent.ExecResult, error) {
	if e.Timeout <= 0 || e.Timeout > verifyTimeout {
		e.Timeout = verifyTimeout
	}
	bounded, cancel := context.WithTimeout(ctx, e.Timeout+verifyGrace)
	defer cancel()
	res, err := v.m.Verify(bounded, e)
	if err == nil {
		return res, nil
	}
	if ctx.Err() != nil {
		return res, fmt.Errorf("asking %s: %w", v.n.spec.Name, ctx.Err())
	}
	v.n.grumbles.Do(func() { v.n.log.Warn("a check got no answer", "program", e.Args, "err", err) })
	gone := &engine.NotRunning{Node: v.n.spec.Name}
	if refused, is := errors.AsType[*agent.RequestError](err); is {
		if strings.HasSuffix(refused.Text, ": command not found") { // by the image, which no student can change
			return res, fmt.Errorf("asking %s: %w", v.n.spec.Name, err)
		}
		gone.Reason = "it cannot be checked: " + strings.TrimSuffix(refused.Text, ".")
		return res, gone
	}
	select {
	case <-v.m.Done():
		gone.Reason = "it ended while it was being checked"
	default:
		gone.Reason = "it does not answer"
	}
	return res, gone
}
