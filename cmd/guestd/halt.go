package main

import (
	"syscall"
	"time"

	"github.com/patchbay/patchbay/guest/agent"
)

// How long programs have to end, before and after SIGKILL.
const (
	graceTerm = 2 * time.Second
	graceKill = time.Second
)

// Shutdown is part of agent.System. A second call changes nothing.
func (g *guest) Shutdown(reboot bool) {
	if g.stop() {
		go g.halt() // ends with the guest
	}
}

// stop says whether it is the first.
func (g *guest) stop() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	first := !g.halting
	g.halting = true
	return first
}

func (g *guest) stopping() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.halting
}

// halt ends all programs, brings the disk into order and ends the guest. It
// powers off in either case: a restart is a new process, which the host makes.
func (g *guest) halt() {
	for _, c := range g.consoles {
		c.mu.Lock()
		if c.pid > 0 {
			// An interactive bash ignores SIGTERM; on this it saves its history.
			_ = syscall.Kill(c.pid, syscall.SIGHUP)
		}
		c.mu.Unlock()
	}
	_ = syscall.Kill(-1, syscall.SIGTERM)
	_ = syscall.Kill(-1, syscall.SIGCONT)
	if !g.procs.empty(graceTerm) {
		_ = syscall.Kill(-1, syscall.SIGKILL)
		g.procs.empty(graceKill)
	}
	syscall.Sync()
	g.leaveDisk()
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}

// leaveDisk steps back into the initial RAM disk and closes the disk's file
// system, so that the next start finds it clean and has no journal to replay.
// Sync has made the data safe; where this fails nothing is lost.
func (g *guest) leaveDisk() {
	if syscall.Fchdir(g.oldRoot) != nil || syscall.Chroot(".") != nil {
		return
	}
	_ = syscall.Mount("", diskDir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
}

// empty waits until no child is left, orphans included.
func (p *processes) empty(patience time.Duration) bool {
	late := time.After(patience)
	for {
		p.mu.Lock()
		idle := p.idle
		p.mu.Unlock()
		if idle {
			return true
		}
		select {
		case <-p.none:
		case <-late:
			return false
		}
	}
}

// told tells the host that someone in the guest asked for its end.
func (g *guest) told(reboot bool) {
	kind := agent.EventPoweredOff
	if reboot {
		kind = agent.EventRebooting
	}
	_ = g.server.Event(agent.Event{Kind: kind})
}
