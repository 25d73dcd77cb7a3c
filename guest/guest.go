package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/guest/agent"
)

// consoleBuffer is the send buffer of the guest's end of a console, as asked of
// the host's kernel, which doubles it and charges its own overhead. It is what
// a Ctrl-C waits behind. Measured with 16 MB of one long line, and with a flood
// that nobody reads: 16 KiB pass 2.6 MB/s, because the guest's writes of 4 KiB
// wait for each other; 32 KiB pass 26 MB/s and leave 36 kB before the Ctrl-C,
// 64 KiB the same and 100 kB, the default of 208 KiB 38 MB/s and 205 kB.
const consoleBuffer = 32 << 10

// stopGrace is how long a guest has for an orderly end when Stop's context
// sets no earlier one.
const stopGrace = 10 * time.Second

// Guest is one running User-mode Linux. All methods may be called from any
// goroutine. A Guest needs no Close: what it holds is freed when it ends, but
// for its consoles, which free themselves when they have been read to the end.
type Guest struct {
	cfg      Config
	log      *slog.Logger
	jail     *inmate
	mconsole mconsole
	consoles []*Console
	agent    *agent.Client
	began    time.Time
	jailTime time.Duration

	asked            atomic.Bool // Stop or Kill was called
	paused, pauseDue atomic.Bool // it answered to Pause; it was asked to
	exit             Exit
	life             context.Context // ends with the guest, when exit is set
	end              context.CancelCauseFunc
}

// Start starts a guest and returns when its kernel has been executed, which is
// long before it has booted. ctx bounds the start, not the guest's life.
//
// As root, Start gives the disk and the network sockets to Config.UID.
func Start(ctx context.Context, cfg Config) (*Guest, error) {
	g := &Guest{cfg: cfg, log: cfg.Log, began: time.Now()}
	g.life, g.end = context.WithCancelCause(context.WithoutCancel(ctx))
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	g.log = g.log.With("guest", cfg.Name)
	if err := g.start(ctx); err != nil {
		for _, c := range g.consoles {
			c.Close()
		}
		return nil, fmt.Errorf("starting guest %s: %w", cfg.Name, err)
	}
	return g, nil
}

func (g *Guest) start(ctx context.Context) error {
	c := &g.cfg
	who := accountFor(c)
	if err := c.check(who); err != nil {
		return err
	}
	if err := c.giveAway(who); err != nil {
		return err
	}
	d := &donations{}
	defer d.close()

	null, err := os.Open(os.DevNull)
	if err != nil {
		return fmt.Errorf("opening %s: %w", os.DevNull, err)
	}
	d.give(null)
	stdout, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("making a pipe: %w", err)
	}
	d.again(d.give(w))
	fail := func(err error) error { stdout.Close(); return err }

	var lines []int
	for i := range c.Lines {
		ours, theirs, err := socketpair(unix.SOCK_STREAM, fmt.Sprintf("%s con%d", c.Name, i))
		if err != nil {
			return fail(err)
		}
		g.consoles = append(g.consoles, newConsole(ours))
		lines = append(lines, d.give(theirs))
		if err := unix.SetsockoptInt(int(theirs.Fd()), unix.SOL_SOCKET, unix.SO_SNDBUF, consoleBuffer); err != nil {
			return fail(fmt.Errorf("setting a console's buffer: %w", err))
		}
	}
	wire, theirs, err := socketpair(unix.SOCK_STREAM, c.Name+" agent")
	if err != nil {
		return fail(err)
	}
	fail = func(err error) error { stdout.Close(); wire.Close(); return err }
	serial := d.give(theirs)

	pairs, err := c.givePairs(d)
	if err != nil {
		return fail(err)
	}

	keep := len(d.files)

	jail, v, err := furnish(c, who, d)
	if err != nil {
		return fail(err)
	}
	v.lines, v.agent, v.pairs = lines, serial, pairs
	if jail.args, err = commandLine(c, v); err != nil {
		return fail(err)
	}
	if g.jail, err = jail.lock(ctx, d, keep); err != nil {
		return fail(err)
	}
	g.jailTime = time.Since(g.began)
	g.mconsole = mconsole{client: g.jail.client, dir: g.jail.scratch}
	g.agent = agent.NewClient(wire, g.log)
	go g.watch(stdout)
	return nil
}

// PID is the host's process number of the guest's kernel.
func (g *Guest) PID() int { return g.jail.process.Pid }

// Console is the host's end of console i, one for each of Config.Lines. Whoever
// started the guest has to read them all.
func (g *Guest) Console(i int) *Console { return g.consoles[i] }

// Agent speaks to guestd. It works once the guest has booted so far, and is
// closed when the guest ends.
func (g *Guest) Agent() *agent.Client { return g.agent }

// Done is closed when the guest has ended and nothing is left of it.
func (g *Guest) Done() <-chan struct{} { return g.life.Done() }

// Exit says how the guest ended. It waits for that.
func (g *Guest) Exit() Exit {
	<-g.life.Done()
	return g.exit
}

// JailTime is how long it took from Start until the kernel was executed.
func (g *Guest) JailTime() time.Duration { return g.jailTime }

// Kill ends the guest at once, as pulling its plug would, and returns when
// nothing is left of it.
func (g *Guest) Kill() {
	g.asked.Store(true)
	_ = g.jail.process.Kill()
	<-g.life.Done()
}

// Stop asks guestd to shut down, and kills the guest when that has not happened
// by the end of ctx or after ten seconds. The guest has ended when Stop
// returns; the error says that it did not end by itself.
func (g *Guest) Stop(ctx context.Context) error {
	g.asked.Store(true)
	ctx, cancel := context.WithTimeout(ctx, stopGrace)
	defer cancel()
	defer g.Kill()
	if g.paused.Load() {
		if err := g.Resume(ctx); err != nil {
			return fmt.Errorf("stopping guest %s: %w", g.cfg.Name, err)
		}
	}
	err := g.agent.Shutdown(ctx, false)
	if err != nil {
		// A guest that is switched off may be gone before it has answered.
		select {
		case <-g.life.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
		return fmt.Errorf("stopping guest %s: %w", g.cfg.Name, err)
	}
	select {
	case <-g.life.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("guest %s did not shut down in time and was killed: %w", g.cfg.Name, ctx.Err())
	}
}

// Mconsole gives the guest's kernel a command, such as "version" or "sysrq t",
// and returns its answer. The answer is whatever the guest says.
func (g *Guest) Mconsole(ctx context.Context, command string) (string, error) {
	select {
	case <-g.life.Done():
		return "", fmt.Errorf("guest %s: %w", g.cfg.Name, ErrEnded)
	default:
	}
	text, err := g.mconsole.ask(ctx, command)
	if err != nil {
		return "", fmt.Errorf("guest %s: %w", g.cfg.Name, err)
	}
	return text, nil
}

// ErrEnded is what is asked of a guest that is no more.
var ErrEnded = errors.New("the machine is off")

// Pause freezes the guest; it uses no processor time then, and its clock
// stands. Resume goes on.
//
// Once asked, the kernel stops whatever becomes of ctx, so its answer is waited
// for to the end: a question that was given up and a Resume right after it
// overtake each other (the kernel queues the one and does the other at once),
// and the guest would stand for good.
func (g *Guest) Pause(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("pausing guest %s: %w", g.cfg.Name, err)
	}
	g.pauseDue.Store(true)
	answered, cancel := context.WithTimeout(context.WithoutCancel(ctx), pauseTimeout)
	defer cancel()
	_, err := g.Mconsole(answered, "stop")
	if err == nil {
		g.paused.Store(true)
	}
	return err
}

const (
	pauseTimeout = 5 * time.Second
	resumeEvery  = 20 * time.Millisecond
)

// Resume undoes Pause, and does nothing to a guest that was not paused. After a Pause that got no answer the guest may stop at any
// time: then it is asked to go on until it does, or ctx ends.
func (g *Guest) Resume(ctx context.Context) error {
	for g.pauseDue.Load() {
		_, err := g.Mconsole(ctx, "go")
		if err == nil {
			g.paused.Store(false)
			g.pauseDue.Store(false)
			return nil
		}
		if g.paused.Load() {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-g.life.Done():
			return err
		case <-time.After(resumeEvery):
		}
	}
	return nil
}

var _ io.ReadWriteCloser = (*Console)(nil)
