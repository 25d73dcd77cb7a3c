package rack

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/vnet"
)

var errEnding = errors.New("the rack is being stopped")

// ErrUnknown says that a rack has no such node or interface.
var ErrUnknown = errors.New("not in this rack")

// ErrBadOp says that an operation makes no sense.
var ErrBadOp = errors.New("not possible")

// Options of a rack.
type Options struct {
	Dir   string // the rack's folder, with rack.json in it
	Log   *slog.Logger
	Start StartFunc // nil means real guests
}

// Rack is one running topology. Safe for concurrent use.
type Rack struct {
	spec    *Spec
	dir     string
	log     *slog.Logger
	sw      *vnet.Switch
	start   StartFunc
	started time.Time
	nodes   []*node
	byName  map[string]*node
	stop    context.CancelFunc // ends the nodes
	ending  context.Context    // done when stop was called

	mu            sync.Mutex
	conns         map[*conn]struct{}
	wg            sync.WaitGroup // connections
	closed        bool           // no more connections
	status        Status
	version       uint64 // of the state; grows with every change
	cached        []byte // the state's message at cachedVersion
	cachedVersion uint64
}

// Serve runs the rack in o.Dir: it starts every node and serves the API until
// ctx ends or somebody asks for "end", then stops every guest. It calls ready
// once the API answers. One process at a time can serve a folder.
func Serve(ctx context.Context, o Options, ready func()) error {
	lock, err := Lock(o.Dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	spec, err := ReadSpec(o.Dir)
	if err != nil {
		return err
	}
	if err := spec.Check(); err != nil {
		return fmt.Errorf("checking %s: %w", filepath.Join(o.Dir, specFile), err)
	}
	ln, err := listen(o.Dir)
	if err != nil {
		return err
	}
	defer os.Remove(filepath.Join(o.Dir, sockFile))
	defer ln.Close()
	r, err := newRack(spec, o)
	if err != nil {
		return err
	}
	defer r.sw.Close()
	return r.serve(ctx, ln, ready)
}

// newRack makes the rack, all its nodes off.
func newRack(spec *Spec, o Options) (*Rack, error) {
	r := &Rack{
		spec:    spec,
		dir:     o.Dir,
		log:     o.Log,
		start:   o.Start,
		started: time.Now(),
		byName:  map[string]*node{},
		conns:   map[*conn]struct{}{},
		status:  Starting,
		version: 1,
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.start == nil {
		r.start = StartGuest
	}
	r.ending, r.stop = context.WithCancel(context.Background())
	var err error
	r.sw, err = vnet.New(vnet.Options{Log: r.log, OnLink: func(string, bool) { r.touch() }})
	if err != nil {
		return nil, fmt.Errorf("making the switch: %w", err)
	}
	if err := r.wire(); err != nil {
		r.sw.Close()
		return nil, err
	}
	return r, nil
}

// wire makes the segments, and the nodes with a port for each interface.
func (r *Rack) wire() error {
	for _, g := range r.spec.Topology.Segments {
		if err := r.sw.AddSegment(vnet.SegmentConfig{Name: g.Name, Kind: vnet.Kind(g.Kind)}); err != nil {
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
		for k := range spec.Interfaces {
			nic, err := r.addPort(net, spec, &spec.Interfaces[k])
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

func (r *Rack) addPort(net string, n *labs.Node, f *labs.Interface) (PlanNIC, error) {
	path := filepath.Join(net, f.Name)
	name := portName(n.Name, f.Name)
	err := r.sw.AddPort(vnet.PortConfig{Name: name, Segment: f.Segment, Path: path})
	if err != nil {
		return PlanNIC{}, fmt.Errorf("making the port of %s: %w", name, err)
	}
	return PlanNIC{MAC: r.spec.mac(n.Name, f), Socket: path}, nil
}

// allowedCPUs lists the CPUs that this process may use.
func allowedCPUs() []int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil
	}
	var cpus []int
	for i := 0; len(cpus) < set.Count(); i++ {
		if set.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	return cpus
}

// node finds a node by name.
func (r *Rack) node(name string) (*node, error) {
	if n := r.byName[name]; n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("node %q: %w", name, ErrUnknown)
}

// Do carries out an operation and waits until it is done.
func (r *Rack) Do(op Op) error {
	switch op.Do {
	case "start", "stop", "restart", "reset":
		if op.Node == "" {
			return r.all(op.Do)
		}
		n, err := r.node(op.Node)
		if err != nil {
			return err
		}
		return n.submit(op.Do)
	case "plug", "unplug":
		return r.plug(op.Node, op.Interface, op.Do == "plug")
	case "end":
		r.end()
		return nil
	}
	return fmt.Errorf("%q: %w; use start, stop, restart, reset, plug, unplug or end", op.Do, ErrBadOp)
}

// all does the same to every node at once.
func (r *Rack) all(do string) error {
	errs := make([]error, len(r.nodes))
	var wg sync.WaitGroup
	for i, n := range r.nodes {
		wg.Go(func() {
			if err := n.submit(do); err != nil {
				errs[i] = fmt.Errorf("%s: %w", n.spec.Name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// plug puts a cable in or takes it out. The guest does not notice but by the
// silence: the switch never closes a live guest's port.
func (r *Rack) plug(node, iface string, in bool) error {
	n, err := r.node(node)
	if err != nil {
		return err
	}
	name := portName(node, iface)
	for _, f := range n.spec.Interfaces {
		if f.Name != iface {
			continue
		}
		if f.Segment == "" {
			return fmt.Errorf("%s %s has no cable in this lab: %w", node, iface, ErrBadOp)
		}
		if err := r.sw.SetPlugged(name, in); err != nil {
			return fmt.Errorf("plugging %s: %w", name, err)
		}
		r.touch()
		return nil
	}
	return fmt.Errorf("interface %q of node %q: %w", iface, node, ErrUnknown)
}

// end begins the rack's end and waits until every guest has stopped.
func (r *Rack) end() {
	r.mu.Lock()
	r.status = Stopping
	r.mu.Unlock()
	r.touch()
	r.stop()
	for _, n := range r.nodes {
		<-n.over
	}
}

// settle notes that every node has been started once.
func (r *Rack) settle() {
	r.mu.Lock()
	if r.status == Starting {
		r.status = Running
	}
	r.mu.Unlock()
	r.touch()
}
