package rack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/patchbay/patchbay/guest/kernel"
	"github.com/patchbay/patchbay/labs"
)

const (
	bootTimeout  = 60 * time.Second // debian-6.1 takes 2 s alone; 30 at once on two cores need more
	stopTimeout  = 8 * time.Second  // then it is killed; services get 5 s inside
	fastLife     = 3 * time.Second  // a guest that reboots sooner than this after its start …
	fastLives    = 5                // … so many times in a row is given up
	agentTimeout = 5 * time.Second  // for opening and sizing a console
	detailBytes  = 2 << 10          // of a failed node's console
)

var errInterrupted = errors.New("something else was asked of the node meanwhile")

// node is one node of a rack over all its starts. One goroutine, run, owns its
// machine and goes through the states one at a time; everyone else reads the
// snapshot under mu, or submits an order.
type node struct {
	rack     *Rack
	plan     Plan
	spec     *labs.Node
	consoles []*console
	log      *slog.Logger
	orders   chan order
	ctx      context.Context // ends with the rack
	over     chan struct{}   // closed when run has returned
	bg       sync.WaitGroup  // tend
	held     chan struct{}   // capacity 1: somebody holds the machine still
	grumbles rate.Sometimes  // what guests and browsers can have logged as often as they like

	mu         sync.Mutex
	status     Status
	reason     string
	detail     string
	bootMillis int64
	machine    Machine            // while booting, running or stopping
	ready      bool               // guestd answers
	kernel     string             // the name of the one that was started last
	shells     [consoleLines]bool // consoles that guestd was asked to open
	due        [consoleLines]bool // consoles that have changed since guestd was told
	tending    [consoleLines]bool // consoles that tend is at work on
	pending    int                // orders that want a start under way to end
	interrupt  context.CancelFunc

	began time.Time // the last start; run's own
	fast  int       // reboots in quick succession; run's own
}

// order is something to do with a node.
type order struct {
	do    string // start, stop, restart, reset
	reply chan error
}

func newNode(ctx context.Context, r *Rack, plan Plan) *node {
	n := &node{
		rack:   r,
		plan:   plan,
		spec:   plan.Node,
		log:    r.log.With("node", plan.Node.Name),
		orders: make(chan order, 16),
		ctx:    ctx,
		over:   make(chan struct{}),
		held:   make(chan struct{}, 1),
		status: Off,
		kernel: plan.Node.Kernel,
	}
	n.grumbles.First, n.grumbles.Interval = 3, time.Minute
	n.plan.Log = n.log
	for i := range consoleLines {
		c := newConsole(func() { n.attend(i) })
		where := fmt.Sprintf("%s console %d", plan.Node.Name, i+1)
		c.shown, c.typed = r.leaks.Stream(where, "shown"), r.leaks.Stream(where, "typed")
		n.consoles = append(n.consoles, c)
	}
	return n
}

// run is the node's life. It returns when the node's context has ended and no
// process of the guest is left.
func (n *node) run() {
	defer close(n.over)
	defer n.bg.Wait()
	for {
		var gone <-chan struct{}
		if m := n.current(); m != nil {
			gone = m.Done()
		}
		select {
		case <-n.ctx.Done():
			n.stop(Stopping)
			return
		case <-gone:
			n.ended()
		case o := <-n.orders:
			if o.do != "start" {
				n.mu.Lock()
				n.pending--
				n.mu.Unlock()
			}
			o.reply <- n.carryOut(o.do)
		}
	}
}

// submit hands the node an order and waits until it is carried out. Whatever
// is not a start interrupts a start that is under way.
func (n *node) submit(do string) error {
	o := order{do: do, reply: make(chan error, 1)}
	if do != "start" {
		n.mu.Lock()
		n.pending++
		if n.interrupt != nil {
			n.interrupt()
		}
		n.mu.Unlock()
	}
	select {
	case n.orders <- o:
	case <-n.ctx.Done():
		return errEnding
	}
	select {
	case err := <-o.reply:
		return err
	case <-n.ctx.Done():
		return errEnding
	}
}

func (n *node) carryOut(do string) error {
	switch do {
	case "start":
		if n.current() != nil {
			return nil
		}
		n.fast = 0
		return n.start()
	case "stop":
		return n.stop(Stopping)
	case "restart":
		n.stop(Stopping)
		n.fast = 0
		return n.start()
	case "reset":
		n.stop(Stopping)
		if err := discardDisk(n.plan.Dir); err != nil {
			n.fail(err)
			return err
		}
		for _, c := range n.consoles {
			c.clear()
		}
		n.fast = 0
		return n.start()
	}
	return fmt.Errorf("a node cannot %q", do)
}

// start brings the node up and waits until it runs. On an error the node has
// failed and says why; interrupted, it is off.
func (n *node) start() error {
	ctx, cancel := context.WithTimeoutCause(n.ctx, bootTimeout,
		fmt.Errorf("the machine did not come up within %v", bootTimeout))
	defer cancel()
	n.mu.Lock()
	if n.pending > 0 {
		n.mu.Unlock()
		return errInterrupted
	}
	n.interrupt = cancel
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		n.interrupt = nil
		n.mu.Unlock()
	}()

	if k, err := kernel.Find(n.plan.Rack.Cache, n.spec.Kernel); err == nil { // else the start says so
		n.mu.Lock()
		n.kernel = k.Name
		n.mu.Unlock()
		if err := n.rack.fitPorts(n.spec, k); err != nil {
			return n.startFailed(ctx, err)
		}
		n.plan.Kernel, n.plan.Offload, n.plan.Carrier = k.Name, k.Offload, k.Carrier
	}
	n.set(Starting, "", "")
	n.began = time.Now()
	m, err := n.rack.start(ctx, &n.plan)
	if err != nil {
		return n.startFailed(ctx, err)
	}
	for i, c := range n.consoles {
		c.connect(m.Console(i))
	}
	n.mu.Lock()
	n.machine = m
	n.mu.Unlock()
	n.set(Booting, "", "")
	err = m.Boot(ctx)
	if err != nil {
		died := false
		select {
		case <-m.Done():
			died = true
		default:
			m.Kill()
		}
		exit := n.release()
		if died && exit.Reason != "" && exit.Kind == Died {
			err = &Explained{Sentence: exit.Reason, Err: err}
		}
		return n.startFailed(ctx, err)
	}
	n.mu.Lock()
	n.ready, n.shells = true, [consoleLines]bool{0: true} // guestd opens the first by itself
	n.bootMillis = time.Since(n.began).Milliseconds()
	n.mu.Unlock()
	n.set(Running, "", "")
	n.log.Info("node runs", "boot", time.Since(n.began))
	for i, c := range n.consoles {
		if c.wanted() {
			n.attend(i)
		}
	}
	return nil
}

// startFailed ends a start that did not work out.
func (n *node) startFailed(ctx context.Context, err error) error {
	if n.ctx.Err() != nil {
		n.set(Off, "", "")
		return errEnding
	}
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {
		n.set(Off, "", "")
		return errInterrupted
	}
	if ctx.Err() != nil {
		err = &Explained{Sentence: context.Cause(ctx).Error(), Err: err}
	}
	n.fail(err)
	return err
}

// fail shows the student why the node does not run.
func (n *node) fail(err error) {
	n.log.Error("node failed", "err", err)
	n.set(Failed, sentence(err), string(n.consoles[0].tail(detailBytes)))
	n.consoles[0].notice(n.spec.Name + " failed: " + sentence(err))
}

// stop brings the node down and waits for it.
func (n *node) stop(as Status) error {
	m := n.current()
	if m == nil {
		n.set(Off, "", "")
		return nil
	}
	n.set(as, "", "")
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := m.Stop(ctx); err != nil {
		n.log.Warn("node did not stop in order", "err", err)
		m.Kill()
	}
	n.release()
	n.set(Off, "", "")
	n.consoles[0].notice(n.spec.Name + " stopped")
	return nil
}

// ended handles a machine that ended by itself.
func (n *node) ended() {
	exit := n.release()
	life := time.Since(n.began)
	n.log.Info("node ended", "exit", exit.Kind, "reason", exit.Reason, "life", life)
	switch exit.Kind {
	case PoweredOff:
		n.set(Off, "It was powered off from inside.", "")
		n.consoles[0].notice(n.spec.Name + " powered off")
	case Rebooted:
		if n.fast++; life >= fastLife {
			n.fast = 0
		}
		if n.fast >= fastLives {
			n.fail(&Explained{
				Sentence: fmt.Sprintf("It rebooted %d times in a row right after its start; reset it, or start it to try again.", n.fast),
				Err:      errors.New("reboot loop"),
			})
			return
		}
		n.consoles[0].notice(n.spec.Name + " reboots")
		_ = n.start() // its error is in the node's state
	default:
		reason := exit.Reason
		if reason == "" {
			reason = "Its process ended unexpectedly."
		}
		n.fail(&Explained{Sentence: reason, Err: errors.New("the guest died")})
	}
}

// release waits until nothing of the machine is left and lets go of it.
func (n *node) release() Exit {
	m := n.current()
	<-m.Done()
	n.mu.Lock()
	n.machine, n.ready = nil, false
	n.mu.Unlock()
	for _, c := range n.consoles {
		c.disconnect()
	}
	m.Close()
	return m.Exit()
}

// current returns the machine, nil while the node is off.
func (n *node) current() Machine {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.machine
}

// running returns the machine when guestd answers in it.
func (n *node) running() (Machine, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.machine == nil || !n.ready {
		return nil, fmt.Errorf("%s is %s: %w", n.spec.Name, n.status, ErrNotRunning)
	}
	return n.machine, nil
}

// ErrNotRunning says that a node has to run for what was asked.
var ErrNotRunning = errors.New("the node does not run")

// set publishes a new state.
func (n *node) set(s Status, reason, detail string) {
	n.mu.Lock()
	n.status, n.reason, n.detail = s, reason, detail
	n.mu.Unlock()
	n.rack.touch()
}

// attend has guestd told of what has changed of a console, without keeping the
// caller. However often it is called, one goroutine per console does the work:
// a browser that sizes its terminal without end costs no more than one that
// does so once, and the size that comes last stays. The node's end waits for
// it.
func (n *node) attend(i int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.ready {
		return // start does it when the guest is up
	}
	n.due[i] = true
	if !n.tending[i] {
		n.tending[i] = true
		n.bg.Go(func() { n.tend(i) })
	}
}

// tend tells guestd of a console until there is no more to tell.
func (n *node) tend(i int) {
	for {
		n.mu.Lock()
		m, open := n.machine, n.shells[i]
		if !n.due[i] || !n.ready {
			n.tending[i] = false
			n.mu.Unlock()
			return
		}
		n.due[i], n.shells[i] = false, true
		n.mu.Unlock()
		if !open {
			n.openConsole(m, i)
		}
		n.sizeConsole(m, i)
	}
}

// openConsole makes guestd start a shell on a console, the first time somebody
// looks at it.
func (n *node) openConsole(m Machine, i int) {
	ctx, cancel := context.WithTimeout(n.ctx, agentTimeout)
	defer cancel()
	if err := m.OpenConsole(ctx, i); err != nil {
		n.grumbles.Do(func() { n.log.Warn("opening a console", "console", i, "err", err) })
	}
}

// sizeConsole tells guestd the console's size.
func (n *node) sizeConsole(m Machine, i int) {
	cols, rows := n.consoles[i].size()
	if cols == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(n.ctx, agentTimeout)
	defer cancel()
	if err := m.Resize(ctx, i, cols, rows); err != nil {
		n.grumbles.Do(func() { n.log.Warn("sizing a console", "console", i, "err", err) })
	}
}
