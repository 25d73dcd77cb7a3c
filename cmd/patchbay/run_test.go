package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// program is the real patchbay, and folders of its own.
type program struct {
	path string
	env  []string
}

// newProgram gives the program folders of its own.
func newProgram(t *testing.T) *program {
	t.Helper()
	exe, cache := programs(t)
	p := &program{path: exe}
	p.env = append(os.Environ(), "PATCHBAY_STATE="+t.TempDir(), "PATCHBAY_CACHE="+cache, "TERM=xterm-256color")
	t.Cleanup(func() { // for a test that failed half-way
		cmd := exec.Command(p.path, "stop", "--remove", "two-hosts")
		cmd.Env = p.env
		_ = cmd.Run() // it is gone already, if the test did not fail
	})
	return p
}

// run runs a subcommand without a terminal.
func (p *program) run(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command(p.path, args...)
	cmd.Env, cmd.Stdin = p.env, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("patchbay %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// person sits at a terminal.
type person struct {
	t   *testing.T
	pty *os.File
	cmd *exec.Cmd

	mu   sync.Mutex
	seen bytes.Buffer
	news chan struct{}
}

// sit runs a subcommand on a new terminal of 90 by 25.
func (p *program) sit(t *testing.T, args ...string) *person {
	t.Helper()
	pty, tty := openPTY(t)
	defer tty.Close()
	me := &person{t: t, pty: pty, cmd: exec.Command(p.path, args...), news: make(chan struct{}, 1)}
	me.resize(90, 25)
	me.cmd.Env = p.env
	me.cmd.Stdin, me.cmd.Stdout, me.cmd.Stderr = tty, tty, tty
	me.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := me.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var reader sync.WaitGroup
	reader.Go(me.read)
	t.Cleanup(func() {
		_ = me.cmd.Process.Kill() // it has ended, unless the test failed
		_ = me.cmd.Wait()
		pty.Close()
		reader.Wait()
	})
	return me
}

func openPTY(t *testing.T) (pty, tty *os.File) {
	t.Helper()
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := pty.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	var ioErr error
	err = raw.Control(func(fd uintptr) {
		if ioErr = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); ioErr == nil {
			n, ioErr = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err := errors.Join(err, ioErr); err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return pty, tty
}

func (me *person) read() {
	buf := make([]byte, 4096)
	for {
		n, err := me.pty.Read(buf)
		me.mu.Lock()
		me.seen.Write(buf[:n])
		me.mu.Unlock()
		select {
		case me.news <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (me *person) resize(cols, rows uint16) {
	me.t.Helper()
	raw, err := me.pty.SyscallConn()
	if err != nil {
		me.t.Fatal(err)
	}
	var ioErr error
	err = raw.Control(func(fd uintptr) {
		ioErr = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Col: cols, Row: rows})
	})
	if err := errors.Join(err, ioErr); err != nil {
		me.t.Fatal(err)
	}
}

func (me *person) types(keys string) {
	me.t.Helper()
	if _, err := me.pty.WriteString(keys); err != nil {
		me.t.Fatal(err)
	}
}

// sees waits until text is on the terminal, and forgets what came before.
func (me *person) sees(text string) {
	me.t.Helper()
	limit := time.After(60 * time.Second)
	for {
		me.mu.Lock()
		i := bytes.Index(me.seen.Bytes(), []byte(text))
		if i >= 0 {
			me.seen.Next(i + len(text))
		}
		me.mu.Unlock()
		if i >= 0 {
			return
		}
		select {
		case <-me.news:
		case <-limit:
			me.mu.Lock()
			defer me.mu.Unlock()
			me.t.Fatalf("%q does not appear; on the terminal is %q", text, me.seen.String())
		}
	}
}

// leaves waits until the program has ended well.
func (me *person) leaves() {
	me.t.Helper()
	if err := me.cmd.Wait(); err != nil {
		me.t.Errorf("the program ended with %v", err)
	}
}

func TestRunAttachStop(t *testing.T) {
	p := newProgram(t)
	const menu, esc = "\x1d", "\x1b"
	me := p.sit(t, "run", "two-hosts")
	me.sees("pc1              running")
	me.sees("root@pc1")
	me.types("stty size\r")
	me.sees("25 90")
	me.resize(100, 40)
	// The size travels through two processes and the guest.
	for limit := time.Now().Add(20 * time.Second); ; {
		me.types("stty size; echo do''ne\r")
		me.sees("done")
		me.mu.Lock()
		done := strings.Contains(me.seen.String(), "40 100")
		me.mu.Unlock()
		if done || time.Now().After(limit) {
			break
		}
	}
	me.types("clear; stty size\r")
	me.sees("40 100")

	me.types(menu)
	me.sees("Two hosts")
	me.sees("Esc  back")
	me.types(esc)
	me.types("echo ba''ck\r")
	me.sees("back")
	me.types(menu)
	me.sees("Esc  back")
	me.types("2")
	me.sees("root@pc2")
	me.types("hostname\r")
	me.sees("\rpc2")
	me.types(menu)
	me.sees("Esc  back")
	me.types("c")
	me.sees("root@pc2")
	me.types("tty\r")
	me.sees("/dev/tty1")
	me.types("echo mi''ne > work; echo wr''itten\r")
	me.sees("written")
	me.types(menu)
	me.sees("Esc  back")
	me.types("d")
	me.sees("two-hosts runs on")
	me.leaves()

	if out := p.run(t, "", "ps"); !strings.Contains(out, "two-hosts  two-hosts  local  2 of 2") {
		t.Errorf("patchbay ps: %s", out)
	}
	if out := p.run(t, "echo $((40+2))\r", "attach", "two-hosts", "pc2"); !strings.Contains(out, "\r42\r\n") {
		t.Errorf("attach without a terminal: %s", out)
	}
	me = p.sit(t, "attach", "two-hosts", "pc2")
	me.types("cat work\r")
	me.sees("\rmine")
	me.types(menu)
	me.sees("Esc  back")
	me.types("r")
	me.sees("Throw away all work on")
	me.types("y")
	me.sees("root@pc2")
	me.types("cat work\r")
	me.sees("No such file")
	me.types(menu)
	me.sees("Esc  back")
	me.types("s")
	me.sees("two-hosts has stopped")
	me.leaves()

	if out := p.run(t, "", "ps"); !strings.Contains(out, "0 of 2         stopped") {
		t.Errorf("patchbay ps: %s", out)
	}
	if out := p.run(t, "", "run", "--no-attach", "two-hosts"); !strings.Contains(out, "two-hosts runs") {
		t.Errorf("patchbay run --no-attach: %s", out)
	}
	if out := p.run(t, "", "stop", "two-hosts"); !strings.Contains(out, "its disks are kept") {
		t.Errorf("patchbay stop: %s", out)
	}
	if out := p.run(t, "", "stop", "--remove", "two-hosts"); !strings.Contains(out, "two-hosts is gone") {
		t.Errorf("patchbay stop --remove: %s", out)
	}
	if out := p.run(t, "", "ps"); !strings.Contains(out, "No racks") {
		t.Errorf("patchbay ps: %s", out)
	}
}
