// Command guestd is the first process of a guest and its agent. The kernel
// starts it from the initial RAM disk as /init; it says hello on its serial
// line, is told what machine to become, mounts image and disk, brings up host
// name and interfaces, keeps a shell on each console, reaps what dies, and
// does for the host what package agent describes.
//
// It makes its own system calls and starts no program to set the guest up:
// in a guest a system call costs 13 to 24 µs, a fork and exec 5 to 13 ms.
// For the same reason it keeps away from fmt, encoding/json and os/signal:
// their start-up work and threads would come before every prompt.
//
// Under the names reboot, poweroff, halt, shutdown, init, telinit and runlevel
// it is the command of that name.
package main

import (
	"os"
	"syscall"

	"github.com/patchbay/patchbay/guest/agent"
)

func main() {
	if syscall.Getpid() != 1 {
		os.Exit(command(os.Args))
	}
	g := &guest{listening: make(chan struct{})}
	g.times.Start = uptime()
	if err := g.run(); err != nil {
		g.complain("guestd: " + err.Error())
	}
	// The line is gone or never was. The consoles live on without the host's
	// agent, and when the first process ends the kernel panics.
	select {}
}

// run opens the line and serves it.
func (g *guest) run() error {
	g.procs.start()
	if err := mountDev(); err != nil {
		return err
	}
	line, err := openLine("/dev/ttyS0")
	if err != nil {
		return err
	}
	g.line = line
	g.server = agent.NewServer(line, g)
	if err := g.server.Hello(kernelRelease()); err != nil {
		return wrap("saying hello", err)
	}
	g.times.Hello = uptime()
	if err := insertModules("/modules"); err != nil {
		_ = g.server.Fail("The kernel's modules cannot be loaded: " + err.Error() + ".")
		return err
	}
	return g.server.Serve()
}
