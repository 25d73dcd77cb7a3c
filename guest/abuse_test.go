package guest_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/guest"
	"github.com/patchbay/patchbay/guest/agent"
)

// What runs in a guest is asked to end and has time for it, and what it wrote
// meanwhile is there at the next start.
func TestStopIsOrderly(t *testing.T) {
	c := realConfig(t)
	m := boot(t, c)
	m.screens[0].expect(t, 0, prompt)
	m.screens[0].typed(t, "echo a line for the his''tory\r")
	m.screens[0].expect(t, 0, "history\r\n")
	m.sh(t, "setsid sh -c 'trap \"sleep 0.3; echo farewell >/root/words; exit\" TERM; echo >/root/up; while :; do sleep 0.1; done' </dev/null >/dev/null 2>&1 & "+
		"while [ ! -e /root/up ]; do sleep 0.1; done")
	if err := m.Stop(within(t)); err != nil {
		t.Fatal(err)
	}
	c.Machine.Fresh = false
	m = boot(t, c)
	if got := m.sh(t, "cat /root/words"); got != "farewell\n" {
		t.Errorf("it left the words %q", got)
	}
	if got := m.sh(t, "cat /root/.bash_history"); !strings.Contains(got, "a line for the") {
		t.Errorf("the shell's history is %q", got)
	}
}

// A console that nobody reads holds its own shell up and nothing else.
func TestUnreadConsole(t *testing.T) {
	c := realConfig(t)
	g, err := guest.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{Guest: g}
	other := newScreen(g.Console(1))
	defer func() {
		g.Kill()
		_, _ = io.Copy(io.Discard, g.Console(0))
		<-other.ended
	}()
	if _, err := g.Boot(within(t)); err != nil {
		t.Fatal(err)
	}
	m.sh(t, "yes >/dev/tty0 2>/dev/null & sleep 0.5; kill -STOP $!; pkill -9 -t tty0; kill -9 $!; sleep 0.5")
	if err := g.Agent().Resize(within(t), 0, 100, 30); err != nil {
		t.Error(err)
	}
	begun := time.Now()
	if err := g.Stop(within(t)); err != nil {
		t.Errorf("after %v: %v", time.Since(begun), err)
	}
}

// Whatever a student takes away, a shell comes back as long as there is one.
func TestShellComesBack(t *testing.T) {
	const gone = "" // nothing for it to say: the shell did not end by itself
	tests := []struct{ name, do, say, then string }{
		{"its home", "rm -rf /root; sleep 1; exit", "here is a new one", "root@pc1:/#"},
		{"its terminal", "rm /dev/tty*; sleep 1; exit", "here is a new one", prompt},
		{"its input", "sleep 1; exec </dev/null", "here is a new one", prompt},
		{"its own kind", "sleep 1; mv /bin/bash /root; exit", "No shell: /bin/bash", "# "},
		{"all programs", "sleep 1; sh -c 'kill -9 -1'", gone, prompt},
		{"the first process", "sleep 1; for s in HUP INT TERM QUIT PIPE USR1 KILL STOP; do kill -$s 1; done; exit", "here is a new one", prompt},
		{"its file systems", "sleep 1; python3 -c 'import ctypes; c = ctypes.CDLL(None); [c.umount2(p, 2) for p in (b\"/run\", b\"/sys\", b\"/dev/pts\", b\"/proc\", b\"/dev\")]'; exit", "here is a new one", prompt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := boot(t, realConfig(t))
			con := m.screens[0]
			at := con.expect(t, 0, prompt)
			con.typed(t, tt.do+"\r")
			at = con.expect(t, at, tt.say)
			at = con.expect(t, at, tt.then)
			con.typed(t, "echo ba''ck\r")
			con.expect(t, at, "back\r\n")
			if r, err := m.Agent().Exec(within(t), agent.Exec{Args: []string{"sh", "-c", "echo on"}}); err != nil || string(r.Stdout) != "on\n" {
				t.Errorf("guestd says %+v, %v", r, err)
			}
			if err := m.Stop(within(t)); err != nil {
				t.Error(err)
			}
		})
	}
}
