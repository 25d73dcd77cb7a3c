package main

import (
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/guest/agent"
)

// guest is the machine that this process looks after. It is agent.System.
type guest struct {
	line   *line
	server *agent.Server
	procs  processes
	times  agent.Times

	machine  agent.Machine
	oldRoot  int      // the initial RAM disk's root, to step back into at the end
	seen     seen     // of a machine that inspects a disk
	warnings []string // until Ready is sent

	listening chan struct{} // closed when events may be sent

	imageDevice uint64                    // the number of the image's block device
	limits      [len(limited)]unix.Rlimit // guestd's own, before a student was there

	knownMu sync.Mutex
	known   map[fileID]string // files found to be the image's, see sameFile

	mu       sync.Mutex
	consoles []*console
	halting  bool
}

// environ is what shells, commands and services start with. LC_CTYPE without
// LANG: an editor needs UTF-8, and the eleven other categories would cost as
// many files at each program's start.
var environ = []string{
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/bash",
	"TERM=xterm-256color", "LC_CTYPE=C.UTF-8",
}

// Environ is part of agent.System.
func (g *guest) Environ() []string { return environ }

// Spawn is part of agent.System.
func (g *guest) Spawn(path string, argv []string, attr *syscall.ProcAttr) (agent.Process, error) {
	return g.procs.spawn(path, argv, attr)
}

// Configure turns the guest into the machine m. What the first prompt does not
// need comes after it.
func (g *guest) Configure(m agent.Machine) (agent.Ready, error) {
	g.times.Told = uptime()
	g.machine = m
	if m.Inspect {
		return g.inspect()
	}
	g.keepLimits()
	if m.TimeNanos != 0 {
		ts := unix.NsecToTimespec(m.TimeNanos)
		g.warn("setting the clock", unix.ClockSettime(unix.CLOCK_REALTIME, &ts))
	}
	old, err := g.mountRoot()
	if err != nil {
		g.complain(err.Error())
		return agent.Ready{}, err
	}
	g.oldRoot = old
	g.times.Mounted = uptime()

	g.warn("setting the host name", syscall.Sethostname([]byte(m.Hostname)))
	if m.Modules.Path != "" {
		g.warn("preparing the kernel's modules", mountModules(m.Modules))
	}
	g.network()
	g.times.Network = uptime()

	if m.Fresh || m.Disk.Path == "" {
		g.writeFiles()
	}
	g.openConsoles()
	services := enabledServices()
	idle := len(m.Startup)+len(services) == 0
	if !idle {
		g.prepare()
		g.startup(services)
	}
	g.warn("starting a shell", g.OpenConsole(0))
	g.times.Shell = uptime()

	// There is one CPU, and the shell is to have it until it waits for a key:
	// what follows takes some 5 ms, which the prompt would come later by.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 19)
	defer syscall.Setpriority(syscall.PRIO_PROCESS, 0, 0)
	if idle {
		g.prepare()
	}
	g.finish()
	ready := agent.Ready{Warnings: g.warnings, StartupDone: idle}
	g.times.Ready = uptime()
	ready.Times = g.times
	return ready, nil
}

// prepare makes what commands and services find on a Debian machine. A shell
// needs none of it for its prompt.
func (g *guest) prepare() {
	g.warn("preparing /run", mountRun())
	g.warn("preparing /dev", devLinks())
	if g.machine.Fresh || g.machine.Disk.Path == "" {
		g.writeNames()
	}
	for _, err := range mountRest() {
		g.warnings = append(g.warnings, err.Error())
	}
	g.warn("completing /proc/cpuinfo", endCPUInfo())
}

// finish makes the machine listen.
func (g *guest) finish() {
	g.warn("listening", g.line.poll())
	close(g.listening)
	ignoreSignals()
	g.warn("preparing for reboot and poweroff", g.listenPower())
	// Out of the way of a curious student; we keep it open.
	g.warn("hiding the host's line", syscall.Unlink("/dev/ttyS0"))
}

// warn notes what went wrong without being a reason to give the machine up.
func (g *guest) warn(doing string, err error) {
	if err != nil {
		g.warnings = append(g.warnings, doing+": "+err.Error())
	}
}

// complain says on the first console why there will be no shell on it.
func (g *guest) complain(text string) {
	fd, err := syscall.Open("/dev/tty0", syscall.O_WRONLY|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err != nil {
		fd = 2 // the kernel gave us its console
	} else {
		defer syscall.Close(fd)
	}
	_, _ = syscall.Write(fd, []byte("\n"+text+"\n"))
}

// uptime is the time since the kernel began to keep it.
func uptime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return &taskError{doing, err}
}

// taskError is what fmt.Errorf("%s: %w") would make.
type taskError struct {
	doing string
	err   error
}

func (e *taskError) Error() string { return e.doing + ": " + e.err.Error() }
func (e *taskError) Unwrap() error { return e.err }

func itoa(n int) string { return strconv.Itoa(n) }
