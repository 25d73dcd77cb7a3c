package build

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// tailLines is how much of a failed command's output its error carries: enough
// for a compiler's message with its context.
const tailLines = 25

// Run runs a command in a process group of its own and hands each line that it
// prints, on either output, to line, which may be nil. When ctx ends, the whole
// group gets SIGTERM and, ten seconds later, SIGKILL; should this process be
// killed, the command is told as well. An error carries the last lines printed.
func Run(ctx context.Context, cmd *exec.Cmd, line func(string)) error {
	// The death signal is sent when the thread that started the command ends,
	// not the process: keep that thread until the command is done.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("running %s: %w", cmd.Args[0], err)
	}
	defer r.Close()
	cmd.Stdout, cmd.Stderr = w, w
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	}
	cmd.SysProcAttr.Setpgid = true
	if cmd.Cancel != nil {
		// A command made with a context would lose its leader at once and with
		// it the chance to clean up.
		cmd.Cancel = func() error { return os.ErrProcessDone }
	}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return fmt.Errorf("running %s: %w", cmd.Args[0], err)
	}
	group := -cmd.Process.Pid

	var tail []string
	read := make(chan struct{})
	go func() {
		defer close(read)
		br := bufio.NewReaderSize(r, 64<<10)
		for {
			s, err := br.ReadString('\n')
			if s = strings.TrimRight(s, "\r\n"); s != "" {
				if tail = append(tail, s); len(tail) > tailLines {
					tail = tail[1:]
				}
				if line != nil {
					line(s)
				}
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					tail = append(tail, err.Error())
				}
				return
			}
		}
	}()

	// The group's leader stays unreaped while the killer may still signal the
	// group, so its number cannot have gone to somebody else.
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		select {
		case <-read:
			return
		case <-ctx.Done():
		}
		syscall.Kill(group, syscall.SIGTERM)
		select {
		case <-read:
		case <-time.After(10 * time.Second):
			syscall.Kill(group, syscall.SIGKILL)
		}
	}()
	<-read
	<-killed
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("running %s: %w", cmd.Args[0], ctx.Err())
	case err != nil:
		return fmt.Errorf("running %s: %w; it said:\n%s", strings.Join(short(cmd.Args), " "), err, strings.Join(tail, "\n"))
	}
	return nil
}

// short leaves long command lines readable.
func short(args []string) []string {
	if len(args) > 6 {
		return append(args[:6:6], "…")
	}
	return args
}
