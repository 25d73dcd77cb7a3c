package main

import (
	"errors"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/guest/agent"
)

// console is one of the guest's terminals, /dev/ttyN, and its shell.
type console struct {
	g      *guest
	path   string
	device uint64 // what path is, once it has been opened

	mu   sync.Mutex
	fd   int
	open bool // has been asked for, so that keep runs
	pid  int  // of the shell; 0 for none
}

// openConsoles opens all the lines, which costs little; shells come when
// someone looks.
func (g *guest) openConsoles() {
	for i := range g.machine.Consoles {
		c := &console{g: g, path: "/dev/tty" + itoa(i), fd: -1}
		if err := c.reopen(); err != nil {
			g.warn("opening a console", err)
			break
		}
		g.consoles = append(g.consoles, c)
	}
}

// reopen opens the terminal, again if need be: when a session's leader ends,
// the kernel hangs its terminal up, and every descriptor of it is dead. c.mu is
// held, or nobody knows c yet.
func (c *console) reopen() error {
	fd, err := c.openTerminal(syscall.O_RDWR)
	if err == syscall.ENOENT && c.device != 0 {
		// A student has been at /dev. On it hangs the way back to a shell.
		_ = mkdir("/dev", 0o755)
		_ = syscall.Mknod(c.path, syscall.S_IFCHR|0o600, int(c.device))
		fd, err = c.openTerminal(syscall.O_RDWR)
	}
	if err != nil {
		return wrap("opening "+c.path, err)
	}
	var st syscall.Stat_t
	if syscall.Fstat(fd, &st) == nil {
		c.device = st.Rdev
	}
	old := c.fd
	c.fd = fd
	if old >= 0 {
		syscall.Close(old) // after the open, or the window's size would be lost
	}
	return nil
}

func (c *console) openTerminal(mode int) (int, error) {
	return syscall.Open(c.path, mode|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
}

func (g *guest) console(n int) (*console, error) {
	if n < 0 || n >= len(g.consoles) {
		return nil, errors.New("the machine has no console " + itoa(n))
	}
	return g.consoles[n], nil
}

// OpenConsole is part of agent.System.
func (g *guest) OpenConsole(n int) error {
	c, err := g.console(n)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open || g.stopping() {
		return nil
	}
	c.open = true
	c.reset()
	shell, err := c.start(shells[0])
	go c.keep(shell, err) // for as long as the guest runs
	return nil
}

// Resize is part of agent.System.
func (g *guest) Resize(n int, cols, rows uint16) error {
	c, err := g.console(n)
	if err != nil {
		return err
	}
	// The kernel keeps the size with the terminal, shell or none, and sends
	// SIGWINCH when it changes.
	c.mu.Lock()
	defer c.mu.Unlock()
	return wrap("setting the window's size", unix.IoctlSetWinsize(c.fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols}))
}

// shells are tried in this order. Not as a login shell: /etc/profile runs id,
// a fork and exec of 5 to 13 ms before the prompt; environ has what it sets.
var shells = []string{"/bin/bash", "/bin/sh"}

// home is where programs start: root's, and the root where that is gone. With a
// folder that is not there, nothing could be started any more.
func home() string {
	if unix.Access("/root", unix.X_OK) == nil {
		return "/root"
	}
	return "/"
}

// start runs a shell as the leader of a session whose terminal this is.
// c.mu is held.
func (c *console) start(path string) (agent.Process, error) {
	fd := uintptr(c.fd)
	p, err := c.g.procs.spawn(path, []string{path[len("/bin/"):]}, &syscall.ProcAttr{
		Dir:   home(),
		Env:   environ,
		Files: []uintptr{fd, fd, fd},
		Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: true},
	})
	c.pid = p.PID
	return p, wrap(path, err)
}

// A shell that lives no longer than this has not been used by anybody.
const briefly = time.Second

// keep waits for the shell and starts the next one. One that keeps dying at
// once is started ever less often, and replaced by a simpler one.
func (c *console) keep(shell agent.Process, err error) {
	which := 0 // of shells
	for failures := 0; ; {
		begun := time.Now()
		why := ""
		if err == nil {
			status := <-shell.Exit
			if c.g.stopping() {
				return
			}
			if time.Since(begun) < briefly {
				why = shells[which] + " ends at once with " + describe(status)
			}
		} else {
			why = err.Error()
		}

		c.mu.Lock()
		c.pid = 0
		if err := c.reopen(); err != nil {
			c.mu.Unlock()
			return // no line, nobody to serve
		}
		c.reset()
		c.mu.Unlock()
		if why == "" {
			failures = 0
			c.say("The shell has ended; here is a new one.")
		} else {
			if failures++; failures >= 3 || err != nil {
				which = (which + 1) % len(shells)
			}
			c.say("No shell: " + why + ".")
			if failures >= 2*len(shells) {
				c.say("Reset this machine to give it a fresh disk.")
			}
			time.Sleep(pause(failures))
		}

		c.mu.Lock()
		if c.g.stopping() {
			c.mu.Unlock()
			return
		}
		shell, err = c.start(shells[which])
		c.mu.Unlock()
	}
}

// pause before the next try: none after the first failure, since that may be a
// student's exit, then 1, 2, 4 … 30 s.
func pause(failures int) time.Duration {
	if failures <= 1 {
		return 0
	}
	return min(time.Second<<min(failures-2, 5), 30*time.Second)
}

func describe(s syscall.WaitStatus) string {
	if s.Signaled() {
		return "signal " + itoa(int(s.Signal()))
	}
	return "exit code " + itoa(s.ExitStatus())
}

// say writes a notice of our own, set off from what programs write.
func (c *console) say(text string) { c.write([]byte("\n\x1b[2m[" + text + "]\x1b[0m\n")) }

// write waits while the host takes nothing, which it does as long as a student
// holds the output. So it holds no lock meanwhile: the guest's end needs that.
func (c *console) write(b []byte) {
	fd, err := c.openTerminal(syscall.O_WRONLY)
	if err != nil {
		return
	}
	defer syscall.Close(fd)
	_, _ = syscall.Write(fd, b) // nobody to tell that it cannot be told
}

// reset makes the terminal usable whatever the last program left it in. c.mu
// is held.
func (c *console) reset() {
	t := unix.Termios{
		Iflag: unix.ICRNL | unix.IXON | unix.IUTF8,
		Oflag: unix.OPOST | unix.ONLCR,
		Cflag: unix.B38400 | unix.CS8 | unix.CREAD | unix.CLOCAL | unix.HUPCL,
		Lflag: unix.ISIG | unix.ICANON | unix.IEXTEN | unix.ECHO | unix.ECHOE | unix.ECHOK | unix.ECHOCTL | unix.ECHOKE,
	}
	for at, key := range map[int]byte{
		unix.VINTR: 3, unix.VQUIT: 28, unix.VERASE: 127, unix.VKILL: 21, unix.VEOF: 4, unix.VSTART: 17,
		unix.VSTOP: 19, unix.VSUSP: 26, unix.VREPRINT: 18, unix.VWERASE: 23, unix.VLNEXT: 22, unix.VDISCARD: 15, unix.VMIN: 1,
	} {
		t.Cc[at] = key
	}
	_ = unix.IoctlSetTermios(c.fd, unix.TCSETS, &t) // the shell sets its own
}
