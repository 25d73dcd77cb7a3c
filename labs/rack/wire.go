package rack

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"

	"github.com/patchbay/patchbay/guest/kernel"
	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/impair"
)

// wire makes the segments, and the nodes with a port for each interface.
func (r *Rack) wire() error {
	for i := range r.spec.Topology.Segments {
		g := &r.spec.Topology.Segments[i]
		kind := vnet.Kind(g.Kind)
		if g.Kind == labs.Uplink {
			kind = vnet.SwitchKind
		}
		if err := r.sw.AddSegment(vnet.SegmentConfig{Name: g.Name, Kind: kind, MTU: g.MTU, Storm: g.Storm}); err != nil {
			return fmt.Errorf("making segment %s: %w", g.Name, err)
		}
	}
	cpus := allowedCPUs()
	first := fnv.New32a() // racks begin at different CPUs, nodes take turns
	first.Write([]byte(r.spec.ID))
	for i := range r.spec.Topology.Nodes {
		spec := &r.spec.Topology.Nodes[i]
		plan := Plan{Rack: r.spec, Node: spec, Dir: filepath.Join(r.dir, "nodes", spec.Name),
			CPU: -1, Lines: consoleLines}
		if len(cpus) > 0 {
			plan.CPU = cpus[(int(first.Sum32()>>1)+i)%len(cpus)]
		}
		net := filepath.Join(plan.Dir, "net")
		if err := os.MkdirAll(net, 0o700); err != nil {
			return fmt.Errorf("making the folder of %s: %w", spec.Name, err)
		}
		if err := sweep(plan.Dir); err != nil {
			return err
		}
		for k := range spec.Interfaces {
			nic, err := r.addPort(&plan, net, &spec.Interfaces[k])
			if err != nil {
				return err
			}
			plan.NICs = append(plan.NICs, nic)
		}
		n := newNode(r.ending, r, plan)
		r.nodes = append(r.nodes, n)
		r.byName[spec.Name] = n
	}
	return nil
}

// portName names a port of the switch.
func portName(node, iface string) string { return node + "/" + iface }

// addPort makes an interface's port for the kernel that its node would run now.
func (r *Rack) addPort(plan *Plan, net string, f *labs.Interface) (PlanNIC, error) {
	n := plan.Node
	c := vnet.PortConfig{
		Name: portName(n.Name, f.Name), Segment: f.Segment, Path: filepath.Join(net, f.Name),
		VLAN: vnet.VLANConfig{Access: f.VLAN, Trunk: f.Trunk, Native: f.Native},
		CPU:  plan.CPU, Pinned: plan.CPU >= 0,
	}
	nic := PlanNIC{MAC: r.spec.mac(n.Name, f), Socket: c.Path}
	out, in := firstOf(f.Out), firstOf(f.In)
	if g := segmentOf(&r.spec.Topology, f.Segment); g != nil {
		c.Mirror = g.Mirror == c.Name
		nic.MTU = g.MTU
		// A frame meets what its segment does once, where it enters it.
		out = firstOf(f.Out, g.Impair)
	}
	if k, err := kernel.Find(r.spec.Cache, n.Kernel); err == nil { // else the node's start says so
		c.Offload, c.Carrier = k.Offload, k.Carrier
	}
	if err := r.sw.AddPort(c); err != nil {
		return nic, fmt.Errorf("making the port of %s: %w", c.Name, err)
	}
	var errs []error
	for d, c := range map[vnet.Direction]impair.Config{vnet.FromGuest: out, vnet.ToGuest: in} {
		if !c.Perfect() {
			errs = append(errs, r.sw.Impair(portName(n.Name, f.Name), d, c))
		}
	}
	return nic, errors.Join(errs...)
}

// fitPorts has a node's ports speak as the kernel does that it is about to be
// started on: one was built or thrown away since the last time. The node is off.
func (r *Rack) fitPorts(n *labs.Node, k kernel.Kernel) error {
	for _, f := range n.Interfaces {
		if err := r.sw.Refit(portName(n.Name, f.Name), k.Offload, k.Carrier); err != nil {
			return err
		}
	}
	return nil
}

func firstOf(cs ...*impair.Config) impair.Config {
	for _, c := range cs {
		if c != nil {
			return *c
		}
	}
	return impair.Config{}
}

// place finds the ports that an operation is about, and its name.
func (r *Rack) place(op Op) (ports []string, place string, err error) {
	t := &r.spec.Topology
	switch {
	case op.Segment != "" && (op.Node != "" || op.Interface != ""):
		return nil, "", fmt.Errorf("%s: %w: name a segment, or a node, not both", op.Do, ErrBadOp)
	case op.Segment != "":
		if segmentOf(t, op.Segment) == nil {
			return nil, "", fmt.Errorf("segment %q: %w", op.Segment, ErrUnknown)
		}
		place, ports = op.Segment, portsAt(t, op.Segment)
	default:
		n, err := r.node(op.Node)
		if err != nil {
			return nil, "", err
		}
		place = n.spec.Name
		known := op.Interface == ""
		for _, f := range n.spec.Interfaces {
			known = known || f.Name == op.Interface
			if f.Segment != "" && (op.Interface == "" || f.Name == op.Interface) {
				ports = append(ports, portName(n.spec.Name, f.Name))
			}
		}
		if op.Interface != "" {
			place += " " + op.Interface
		}
		if !known {
			return nil, "", fmt.Errorf("interface %q of node %q: %w", op.Interface, op.Node, ErrUnknown)
		}
	}
	if len(ports) == 0 {
		return nil, "", fmt.Errorf("%s has no cable in this lab: %w", place, ErrBadOp)
	}
	return ports, place, nil
}

// plug puts a cable in or takes it out. Guests that know carrier see it, others
// notice by the silence: the switch never closes a live guest's port.
func (r *Rack) plug(node, iface string, in bool) error {
	if iface == "" {
		return fmt.Errorf("interface %q of node %q: %w", iface, node, ErrUnknown)
	}
	return r.plugAll(Op{Do: "plug", Node: node, Interface: iface}, in)
}

// plugAll does so with all cables of a segment or a node.
func (r *Rack) plugAll(op Op, in bool) error {
	ports, place, err := r.place(op)
	if err != nil {
		return err
	}
	return r.rewire(ports, "plugging "+place, func(port string) error { return r.sw.SetPlugged(port, in) })
}

// impair sets what cables do to frames. On a segment a frame is to meet it once:
// without a direction it is set where frames enter.
func (r *Rack) impair(op Op) error {
	ports, place, err := r.place(op)
	if err != nil {
		return err
	}
	var c impair.Config
	if op.Impair != nil {
		c = *op.Impair
	}
	if err := c.Check(); err != nil {
		return &Explained{Sentence: strings.ReplaceAll(err.Error(), "\n", "; "), Err: ErrBadOp}
	}
	out, in := &c, &c
	switch op.Direction {
	case "":
		if op.Segment != "" {
			in = &impair.Config{}
		}
	case Out:
		in = nil
	case In:
		out = nil
	default:
		return fmt.Errorf("direction %q: %w; use out or in, or leave it out for both", op.Direction, ErrBadOp)
	}
	return r.rewire(ports, "impairing "+place, func(port string) error {
		var errs []error
		if out != nil {
			errs = append(errs, r.sw.Impair(port, vnet.FromGuest, *out))
		}
		if in != nil {
			errs = append(errs, r.sw.Impair(port, vnet.ToGuest, *in))
		}
		return errors.Join(errs...)
	})
}

// rewire changes some ports and shows it.
func (r *Rack) rewire(ports []string, what string, change func(port string) error) error {
	defer r.touch()
	var errs []error
	for _, name := range ports {
		errs = append(errs, change(name))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// rough is nil for an impairment that does nothing.
func rough(c impair.Config) *impair.Config {
	if c.Perfect() {
		return nil
	}
	return &c
}
