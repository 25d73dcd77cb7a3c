package guest

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/patchbay/patchbay/guest/agent"
)

// BootError says why a guest did not become ready.
type BootError struct {
	Reason  string // one sentence for a student
	Console string // the last lines on console 0, as plain text
	Err     error  // what went wrong; never nil
}

func (e *BootError) Error() string {
	s := e.Reason
	if why := e.Err.Error(); why != s && !strings.HasSuffix(why, ": "+s) {
		s += " (" + why + ")"
	}
	if e.Console != "" {
		s += "\nThe console's last lines:\n" + e.Console
	}
	return s
}

// Unwrap returns Err.
func (e *BootError) Unwrap() error { return e.Err }

// Boot waits for guestd, tells it what its machine is to be and waits until it
// is. It fails with a *BootError, at once when the guest ends meanwhile. A
// guest that did not boot goes on running: kill it.
func (g *Guest) Boot(ctx context.Context) (agent.Ready, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(g.life, func() { cancel(ErrEnded) })
	defer stop()
	if _, err := g.agent.Hello(ctx); err != nil {
		return agent.Ready{}, g.bootError(ctx, err)
	}
	g.log.Debug("guestd is up", "after", time.Since(g.began))
	ready, err := g.agent.Configure(ctx, g.machine())
	if err != nil {
		return agent.Ready{}, g.bootError(ctx, err)
	}
	g.log.Debug("guest is ready", "after", time.Since(g.began))
	return ready, nil
}

// machine is the Config's Machine with what only the guest package knows.
func (g *Guest) machine() agent.Machine {
	m := g.cfg.Machine
	m.Root = agent.Device{Path: rootDevice, Type: g.cfg.Image.Type}
	if g.cfg.Disk.Path != "" {
		m.Disk = agent.Device{Path: diskDevice, Type: g.cfg.Disk.Type}
	}
	if g.cfg.Kernel.Modules.Path != "" {
		m.Modules = agent.Device{Path: modulesDevice, Type: g.cfg.Kernel.Modules.Type}
	}
	m.Interfaces = append([]agent.Interface(nil), m.Interfaces...)
	for i := range m.Interfaces {
		m.Interfaces[i].Vec = i
	}
	m.Consoles = g.cfg.Lines
	return m
}

func (g *Guest) bootError(ctx context.Context, err error) *BootError {
	e := &BootError{Err: err}
	var failed *agent.FailedError
	if errors.As(err, &failed) {
		e.Reason = failed.Reason
		e.Console = plainLines(g.Console(0).recent(), consoleLines)
		return e
	}
	// The line to guestd breaks a moment before the process is known to be dead.
	select {
	case <-g.life.Done():
	case <-ctx.Done():
		if context.Cause(ctx) != ErrEnded {
			e.Reason = "The machine did not start in time."
			e.Console = plainLines(g.Console(0).recent(), consoleLines)
			return e
		}
	case <-time.After(time.Second):
		e.Reason = "The machine does not speak to its host any more."
		e.Console = plainLines(g.Console(0).recent(), consoleLines)
		return e
	}
	<-g.life.Done()
	e.Reason, e.Console = g.exit.Reason, g.exit.Console
	return e
}
