package main

import (
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/patchbay/patchbay/guest/agent"
)

// patience is how long the first prompt waits for the lab's startup commands,
// so that quick ones are done when a student first types. Slow ones go on
// behind it.
const patience = 250 * time.Millisecond

const startupLog = "/var/log/startup.log"

// startupScript runs each command in one shell, so that cd and variables carry
// over and each costs no fork of its own. It ends with how many failed.
const startupScript = `failed=0
for command do
	eval "$command"
	code=$?
	if [ $code -ne 0 ]; then
		failed=$((failed+1))
		printf 'startup: exit code %d: %s\n' $code "$command"
	fi
done
[ $failed -le 125 ] || failed=125
exit $failed`

// enabledServices are the links that update-rc.d makes for what is to run.
func enabledServices() []string {
	const dir = "/etc/rc2.d"
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return nil
	}
	var list []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "S") {
			list = append(list, dir+"/"+e.Name())
		}
	}
	return list
}

// startup runs the lab's commands and then the enabled services. It returns
// when the commands are done, after patience at the latest, and goes on beyond
// that; an Event tells of the end. What they write goes to a file and, when the
// commands are done, from there to the first console: a daemon that keeps its
// output open must not scribble over the student's prompt for ever.
func (g *guest) startup(services []string) {
	log, err := os.OpenFile(startupLog, os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o644)
	if err != nil {
		g.warn("opening "+startupLog, err)
		log, err = os.OpenFile("/dev/null", os.O_RDWR, 0) // a full disk, say
	}
	if err != nil {
		return
	}
	commands := make(chan struct{})
	go func() { // ends with the last service's script
		defer log.Close()
		failed := g.runCommands(log)
		close(commands)
		for _, path := range services {
			if g.stopping() {
				return
			}
			if code, err := g.runLogged(log, path, path, "start"); err != nil || code != 0 {
				failed = append(failed, path)
			}
		}
		<-g.listening
		_ = g.server.Event(agent.Event{Kind: agent.EventStarted, Text: strings.Join(failed, "; ")})
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-commands:
	case <-timer.C:
		if len(g.consoles) > 0 {
			g.consoles[0].say("The lab's startup commands still run; what they write is in " + startupLog + ".")
		}
	}
}

// runCommands runs the lab's startup commands and shows what they wrote.
func (g *guest) runCommands(log *os.File) (failed []string) {
	if len(g.machine.Startup) == 0 {
		return nil
	}
	shell := shells[0]
	if _, err := os.Stat(shell); err != nil {
		shell = shells[1]
	}
	code, err := g.runLogged(log, shell, append([]string{shell, "-c", startupScript, "startup"}, g.machine.Startup...)...)
	switch {
	case err != nil:
		failed = []string{"startup commands: " + err.Error()}
	case code != 0:
		failed = []string{itoa(code) + " of " + itoa(len(g.machine.Startup)) + " startup commands, see " + startupLog}
	}
	if len(g.consoles) > 0 {
		// What a pipe would hold: enough to see, not to drown in.
		text := make([]byte, 64<<10)
		if n, err := log.ReadAt(text, 0); n > 0 && (err == nil || err == io.EOF) {
			g.consoles[0].write(text[:n])
		}
	}
	return failed
}

// runLogged runs a program to its end, with its output in the log.
func (g *guest) runLogged(log *os.File, path string, argv ...string) (int, error) {
	null, err := os.Open("/dev/null")
	if err != nil {
		return 0, err
	}
	defer null.Close()
	p, err := g.procs.spawn(path, argv, &syscall.ProcAttr{
		Dir:   home(),
		Env:   environ,
		Files: []uintptr{null.Fd(), log.Fd(), log.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, err
	}
	status := <-p.Exit
	if status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return status.ExitStatus(), nil
}
