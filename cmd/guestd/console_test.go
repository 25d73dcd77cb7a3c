package main

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// innerConsole keeps shells on a pseudo-terminal and types at them. It prints
// what a test is to look at.
func innerConsole() {
	// The shell's home, whoever we are, and no place for its history.
	if err := syscall.Mount("home", "/root", "tmpfs", 0, ""); err != nil {
		fmt.Println("mounting /root:", err)
		os.Exit(1)
	}
	master, path, err := openTerminal()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	g := &guest{}
	g.procs.start()
	c := &console{g: g, path: path, fd: -1}
	if err := c.reopen(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	g.consoles = []*console{c}
	fmt.Println("resize:", g.Resize(0, 100, 30), g.Resize(1, 100, 30))
	fmt.Println("open:", g.OpenConsole(0), g.OpenConsole(0), g.OpenConsole(1))

	var seen []byte
	buf := make([]byte, 4096)
	until := func(what string) {
		for !bytes.Contains(seen, []byte(what)) {
			n, err := master.Read(buf)
			if err != nil {
				fmt.Printf("waiting for %q: %v after %q\n", what, err, seen)
				os.Exit(1)
			}
			seen = append(seen, buf[:n]...)
		}
		fmt.Printf("%s\n", seen)
		seen = nil
	}
	// The quotes in what is typed tell its echo from what it prints.
	keys := func(s string) { _, _ = master.WriteString(s) }

	keys("stty size; echo terminal $TERM in $PWD, home $HOME; echo r''eady\n")
	until("ready")
	keys("sleep 100\n")
	for { // until it is in the foreground, where keys reach it
		group, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPGRP)
		name, _ := os.ReadFile("/proc/" + itoa(group) + "/comm")
		if err != nil || string(name) == "sleep\n" {
			break
		}
		time.Sleep(time.Millisecond)
	}
	keys("\x03echo i''nterrupted with $?\n")
	until("interrupted with")
	keys("stty raw -echo; sleep 1; exit\n") // longer than briefly, and leaving a mess
	until("here is a new one")
	keys("stty size; echo a''gain\n")
	until("again")

	fmt.Println("not yet all reaped:", !g.procs.empty(10*time.Millisecond))

	g.stop() // no new shell from here on
	keys("(sleep 0.2 &); exit\n")
	fmt.Println("all reaped:", g.procs.empty(10*time.Second))
}

func openTerminal() (master *os.File, slave string, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return nil, "", err
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return nil, "", err
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	return master, "/dev/pts/" + itoa(n), err
}

func TestConsole(t *testing.T) {
	got := runInner(t, "console")
	wantLines(t, got,
		"resize: <nil> the machine has no console 1\n",
		"open: <nil> <nil> the machine has no console 1\n",
		"30 100\r\n",
		"terminal xterm-256color in /root, home /root\r\n",
		"^C", "interrupted with 130",
		"[The shell has ended; here is a new one.]",
		"not yet all reaped: true\n",
		"\nall reaped: true\n",
	)
	if n := bytes.Count([]byte(got), []byte("30 100\r\n")); n != 2 {
		t.Errorf("the window's size was right %d times, want twice:\n%s", n, got)
	}
	if bytes.Contains([]byte(got), []byte("no job control")) {
		t.Errorf("the shell has no job control:\n%s", got)
	}
}

func TestPause(t *testing.T) {
	for failures, want := range map[int]time.Duration{
		1: 0, 2: time.Second, 3: 2 * time.Second, 6: 16 * time.Second, 7: 30 * time.Second, 1000: 30 * time.Second,
	} {
		if got := pause(failures); got != want {
			t.Errorf("after %d failures: %v, want %v", failures, got, want)
		}
	}
}
