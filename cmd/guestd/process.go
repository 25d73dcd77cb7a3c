package main

import (
	"sync"
	"syscall"
	"unsafe"

	"github.com/patchbay/patchbay/guest/agent"
)

// processes knows who waits for which child and reaps all, orphans included.
// One goroutine sits in wait4 for that: os/signal would need two threads more
// than that one to do the same by SIGCHLD.
type processes struct {
	mu      sync.Mutex
	waiting map[int]chan syscall.WaitStatus
	some    sync.Cond     // idle has become false
	idle    bool          // there is no child at all
	none    chan struct{} // capacity 1: idle has become true, perhaps long ago
}

func (p *processes) start() {
	p.waiting = make(map[int]chan syscall.WaitStatus)
	p.none = make(chan struct{}, 1)
	p.some.L = &p.mu
	go p.reap() // for as long as the guest runs
}

// spawn starts a program; its exit status comes on the channel it returns.
func (p *processes) spawn(path string, argv []string, attr *syscall.ProcAttr) (agent.Process, error) {
	// Held over the fork, so that reap cannot meet a child nobody knows yet.
	p.mu.Lock()
	defer p.mu.Unlock()
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return agent.Process{}, err
	}
	exit := make(chan syscall.WaitStatus, 1)
	p.waiting[pid] = exit
	p.idle = false
	p.some.Signal()
	return agent.Process{PID: pid, Exit: exit}, nil
}

func (p *processes) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		p.mu.Lock()
		switch {
		case err == syscall.ECHILD && len(p.waiting) == 0:
			p.idle = true
			select {
			case p.none <- struct{}{}:
			default:
			}
			for p.idle {
				p.some.Wait()
			}
		case err == nil:
			if exit := p.waiting[pid]; exit != nil {
				delete(p.waiting, pid)
				exit <- status
			}
		}
		p.mu.Unlock()
	}
}

// ignoreSignals makes us as deaf as the kernel lets a first process be: it
// drops every signal whose action is the default one. The Go runtime has
// handlers for all, which end the process, and that would be a kernel panic at
// the first kill -HUP 1. The faults keep their handlers: they tell of our own
// mistakes.
func ignoreSignals() {
	var byDefault [4]uint64 // a kernel_sigaction with SIG_DFL
	for sig := syscall.SIGHUP; sig <= syscall.SIGSYS; sig++ {
		switch sig {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE,
			syscall.SIGILL, syscall.SIGURG: // the last wakes the runtime's own threads
			continue
		}
		_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&byDefault)), 0, 8, 0, 0)
	}
}
