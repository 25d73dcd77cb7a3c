package rack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/labs/rack/leak"
	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/record"
	"github.com/patchbay/patchbay/vnet/uplink"
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

	// Uplink may change what an uplink's router is made with, so that a test's
	// guests find an outside of the test's own. nil changes nothing.
	Uplink func(*uplink.Options)
}

// Rack is one running topology. Safe for concurrent use.
type Rack struct {
	spec    *Spec
	dir     string
	log     *slog.Logger
	sw      *vnet.Switch
	ring    *record.Ring
	leaks   *leak.Watcher
	uplinks map[string]*way // by segment; set before the rack serves
	probing chan struct{}   // full when too many probe
	reading chan struct{}   // full when too many read the recording
	checks  turns           // of those who have checks carried out
	seed    string          // of the MACs of checks' probes, so that nobody knows them before
	start   StartFunc
	adapt   func(*uplink.Options) // Options.Uplink
	started time.Time
	nodes   []*node
	byName  map[string]*node
	stop    context.CancelFunc // ends the nodes
	ending  context.Context    // done when stop was called

	snapping sync.Mutex // held while all nodes are held still

	mu            sync.Mutex
	conns         map[*conn]struct{}
	wg            sync.WaitGroup // connections
	closed        bool           // no more connections
	status        Status
	frozen        string    // why the owner is kept out; empty: not
	scripted      time.Time // when the lab's events began; zero: not yet
	version       uint64    // of the state; grows with every change
	cached        []byte    // the state's message at cachedVersion
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
	if spec.Background {
		if err := stepBack(); err != nil && o.Log != nil { // it costs others more, and is no reason to fail
			o.Log.Warn("running behind everything else", "err", err)
		}
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
	defer r.close()
	return r.serve(ctx, ln, ready)
}

// newRack makes the rack, all its nodes off.
func newRack(spec *Spec, o Options) (*Rack, error) {
	r := &Rack{
		spec:    spec,
		dir:     o.Dir,
		log:     o.Log,
		start:   o.Start,
		adapt:   o.Uplink,
		started: time.Now(),
		byName:  map[string]*node{},
		conns:   map[*conn]struct{}{},
		reading: make(chan struct{}, maxReading),
		probing: make(chan struct{}, maxProbes),
		checks:  newTurns(),
		seed:    rand.Text(),
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
	if r.ring, err = record.New(record.Options{}); err != nil {
		return nil, fmt.Errorf("making the recording: %w", err)
	}
	r.leaks, err = leak.New(filepath.Join(o.Dir, leaksFile), spec.networks(), func(err error) { r.log.Error("noting a leak", "err", err) })
	if err != nil {
		r.ring.Close()
		return nil, err
	}
	r.leaks.Set(spec.Watch)
	r.sw, err = vnet.New(vnet.Options{
		Log: r.log, OnLink: func(string, bool) { r.touch() }, Seed: spec.seed(), Record: r.ring,
	})
	if err != nil {
		r.ring.Close()
		return nil, fmt.Errorf("making the switch: %w", err)
	}
	if err := errors.Join(r.wire(), r.openUplinks()); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// close lets go of the switch and the recording; nothing runs any more.
func (r *Rack) close() {
	for _, w := range r.uplinks {
		w.close()
	}
	r.sw.Close()
	r.ring.Close()
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
	if err := r.icy(); err != nil && op.Do != "end" {
		return err
	}
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
	case "cut", "restore":
		return r.plugAll(op, op.Do == "restore")
	case "impair":
		return r.impair(op)
	case "end":
		r.end()
		return nil
	}
	return fmt.Errorf("%q: %w; use start, stop, restart, reset, plug, unplug, cut, restore, impair or end", op.Do, ErrBadOp)
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

// settle notes that every node has been started once. The lab's script begins.
func (r *Rack) settle() {
	r.beginScript()
	r.mu.Lock()
	if r.status == Starting {
		r.status = Running
	}
	r.mu.Unlock()
	r.touch()
}
