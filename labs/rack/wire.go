package rack

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/patchbay/patchbay/guest/kernel"
	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/impair"
)

// wires is what the rack has asked of the switch's ports, to ask it again when
// a port is made anew. Its zero value is ready.
type wires struct {
	mu    sync.Mutex
	ports map[string]*wire // guarded by mu, as what it points to
}

// wire is one port and the cable in it.
type wire struct {
	config    vnet.PortConfig
	unplugged bool
	out, in   impair.Config
}

// wire makes the segments, and the nodes with a port for each interface.
func (r *Rack) wire() error {
	r.wires.ports = map[string]*wire{}
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
	name := portName(n.Name, f.Name)
	w := &wire{config: vnet.PortConfig{
		Name: name, Segment: f.Segment, Path: filepath.Join(net, f.Name),
		VLAN: vnet.VLANConfig{Access: f.VLAN, Trunk: f.Trunk, Native: f.Native},
		CPU:  plan.CPU, Pinned: plan.CPU >= 0,
	}}
	nic := PlanNIC{MAC: r.spec.mac(n.Name, f), Socket: w.config.Path}
	if g := segmentOf(&r.spec.Topology, f.Segment); g != nil {
		w.config.Mirror = g.Mirror == name
		nic.MTU = g.MTU
		// A frame meets what its segment does once, where it enters it.
		w.out = firstOf(f.Out, g.Impair)
		w.in = firstOf(f.In)
	}
	if k, err := kernel.Find(r.spec.Cache, n.Kernel); err == nil { // else the node's start says so
		w.config.Offload, w.config.Carrier = k.Offload, k.Carrier
	}
	r.wires.mu.Lock()
	defer r.wires.mu.Unlock()
	r.wires.ports[name] = w
	return nic, r.makePort(w)
}

// makePort makes the switch's port as w says. r.wires.mu is held.
func (r *Rack) makePort(w *wire) error {
	if err := r.sw.AddPort(w.config); err != nil {
		return fmt.Errorf("making the port of %s: %w", w.config.Name, err)
	}
	var errs []error
	if w.unplugged {
		errs = append(errs, r.sw.SetPlugged(w.config.Name, false))
	}
	for d, c := range map[vnet.Direction]impair.Config{vnet.FromGuest: w.out, vnet.ToGuest: w.in} {
		if !c.Perfect() {
			errs = append(errs, r.sw.Impair(w.config.Name, d, c))
		}
	}
	return errors.Join(errs...)
}

// fitPorts makes a node's ports anew when the kernel that it is about to be
// started on speaks otherwise than the one that they were made for: a kernel
// was built or thrown away since. The node is off.
func (r *Rack) fitPorts(n *labs.Node, k kernel.Kernel) error {
	r.wires.mu.Lock()
	defer r.wires.mu.Unlock()
	for _, f := range n.Interfaces {
		w := r.wires.ports[portName(n.Name, f.Name)]
		if w.config.Offload == k.Offload && w.config.Carrier == k.Carrier {
			continue
		}
		w.config.Offload, w.config.Carrier = k.Offload, k.Carrier
		if err := r.sw.RemovePort(w.config.Name); err != nil {
			return fmt.Errorf("removing the port of %s: %w", w.config.Name, err)
		}
		if err := r.makePort(w); err != nil {
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
	return r.rewire(ports, "plugging "+place, func(w *wire) error {
		w.unplugged = !in
		return r.sw.SetPlugged(w.config.Name, in)
	})
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
	return r.rewire(ports, "impairing "+place, func(w *wire) error {
		var errs []error
		if out != nil {
			w.out = out.Clone()
			errs = append(errs, r.sw.Impair(w.config.Name, vnet.FromGuest, *out))
		}
		if in != nil {
			w.in = in.Clone()
			errs = append(errs, r.sw.Impair(w.config.Name, vnet.ToGuest, *in))
		}
		return errors.Join(errs...)
	})
}

// rewire changes some ports and shows it.
func (r *Rack) rewire(ports []string, what string, change func(*wire) error) error {
	defer r.touch()
	r.wires.mu.Lock()
	defer r.wires.mu.Unlock()
	var errs []error
	for _, name := range ports {
		errs = append(errs, change(r.wires.ports[name]))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// impairments is what a port's cable does now, each nil when it does nothing.
// The lab's events may have changed it since the rack last did.
func (r *Rack) impairments(port string) (out, in *impair.Config) {
	ask := func(d vnet.Direction) *impair.Config {
		c, err := r.sw.Impairment(port, d)
		if err != nil || c.Perfect() { // the port is being made anew
			return nil
		}
		return &c
	}
	return ask(vnet.FromGuest), ask(vnet.ToGuest)
}

// script is the lab's events in the switch's words.
func (s *Spec) script() []vnet.Event {
	var out []vnet.Event
	for _, e := range s.Topology.Events {
		v := vnet.Event{At: e.At, Frame: e.Frame, Nth: e.Nth, Every: e.Every, Do: vnet.Action(e.Do), Delay: e.Delay, Impair: e.Wire}
		if e.Frame != "" {
			v.Dir = vnet.FromGuest
			if e.In {
				v.Dir = vnet.ToGuest
			}
		}
		if segmentOf(&s.Topology, e.On) != nil {
			v.Segment = e.On
			out = append(out, v)
			continue
		}
		for _, port := range portsAt(&s.Topology, e.On) {
			v.Port = port
			out = append(out, v)
		}
	}
	return out
}
