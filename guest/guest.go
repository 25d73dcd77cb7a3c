package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/guest/agent"
)

// consoleBuffer is how many bytes the guest's end of a console may have in
// flight, as the host's kernel counts them (it doubles the figure and charges
// its own overhead). It is what a Ctrl-C has to wait behind, so it is small.
const consoleBuffer = 16 << 10

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

	asked  atomic.Bool // Stop or Kill was called
	paused atomic.Bool
	exit   Exit
	life   context.Context // ends with the guest, when exit is set
	end    context.CancelCauseFunc
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

	keep := len(d.files)

	jail, v, err := furnish(c, who, d)
	if err != nil {
		return fail(err)
	}
	v.lines, v.agent = lines, serial
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

// watch owns the guest's process: it hears its last words, waits for its end
// and tells everybody.
func (g *Guest) watch(stdout *os.File) {
	var early tail
	var panicText string
	var helpers sync.WaitGroup
	helpers.Go(func() { g.listenLog(stdout, &early) })
	helpers.Go(func() { panicText = g.listen() })

	state, err := g.jail.wait()
	if err != nil {
		g.log.Error("waiting for the guest's process", "err", err)
	}
	if g.cfg.Jail.Disabled {
		// Without a PID namespace the kernel's helpers outlive it. They are in
		// its session and process group, as long as they choose to be.
		_ = syscall.Kill(-g.PID(), syscall.SIGKILL)
		os.RemoveAll(filepath.Join(g.cfg.Dir, "run"))
	}
	// The processes are gone, so that both ends are near: the pipe's is its
	// own, the socket has none.
	_ = stdout.SetReadDeadline(time.Now().Add(time.Second))
	_ = g.jail.notify.SetReadDeadline(time.Now())
	helpers.Wait()

	var console []byte
	if len(g.consoles) > 0 {
		console = g.consoles[0].recent()
	}
	g.exit = exitOf(state, panicText, g.asked.Load(), console, early.bytes())
	g.log.Info("guest ended", "reason", g.exit.Reason, "code", g.exit.Code, "signal", g.exit.Signal)
	// guestd's last words, such as that somebody asked for a reboot, are read to
	// the end before its line is closed.
	select {
	case <-g.agent.Done():
	case <-time.After(time.Second):
	}
	g.agent.Close()
	g.mconsole.mu.Lock()
	g.jail.close()
	g.mconsole.mu.Unlock()
	g.end(ErrEnded)
}

// panicMark is how every kernel begins its last words.
const panicMark = "Kernel panic - not syncing: "

// listenLog remembers the last of what the kernel's process printed: all that
// it has to say before its console is up. It takes at most 4 KiB a
// millisecond, so that a guest that prints without end costs little.
func (g *Guest) listenLog(r *os.File, t *tail) {
	defer r.Close()
	buf := make([]byte, 4096)
	dying := false
	for {
		n, err := r.Read(buf)
		t.write(buf[:n])
		if err != nil {
			return
		}
		if !dying && bytes.Contains(t.bytes(), []byte(panicMark)) {
			// It panicked before it could notify. See listen; the pause lets it
			// finish its sentence.
			dying = true
			time.Sleep(20 * time.Millisecond)
			_ = g.jail.process.Kill()
		}
		if n == len(buf) {
			time.Sleep(time.Millisecond)
		}
	}
}

// maxNotifications is how many messages of its own a guest's kernel is heard
// for. A healthy one sends one at boot; what is beyond is not worth waking for.
const maxNotifications = 64

// listen hears the kernel's own messages and returns the text of its panic.
//
// A panicking kernel ends by sending SIGABRT to itself, which the first process
// of a PID namespace never gets, and would try so forever. So it is killed.
func (g *Guest) listen() (panicText string) {
	buf := make([]byte, 16+mconsoleText)
	for range maxNotifications {
		n, err := g.jail.notify.Read(buf)
		if err != nil {
			return ""
		}
		m, err := parseNotification(buf[:n])
		if err != nil {
			g.log.Warn("reading the kernel's notification", "err", err)
			continue
		}
		switch m.kind {
		case notifySocket:
			g.log.Debug("kernel is up", "after", time.Since(g.began))
		case notifyPanic:
			text := strings.TrimSpace(string(m.text))
			if text == "" {
				text = "it did not say why"
			}
			_ = g.jail.process.Kill()
			return text
		}
	}
	return ""
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
func (g *Guest) Pause(ctx context.Context) error {
	_, err := g.Mconsole(ctx, "stop")
	if err == nil {
		g.paused.Store(true)
	}
	return err
}

// Resume undoes Pause.
func (g *Guest) Resume(ctx context.Context) error {
	_, err := g.Mconsole(ctx, "go")
	if err == nil {
		g.paused.Store(false)
	}
	return err
}

var _ io.ReadWriteCloser = (*Console)(nil)
