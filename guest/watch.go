package guest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

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
	_ = g.jail.client.SetDeadline(time.Now()) // ends a question that nobody will answer
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
