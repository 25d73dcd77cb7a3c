package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// helper is a program that a benchmark has running beside it. It is gone after
// Close, and when this program dies.
type helper struct {
	cmd   *exec.Cmd
	stdin io.Closer
	said  bytes.Buffer  // for messages; settled when ended is closed
	ended chan struct{} // closed when it has ended
}

// startHelper starts a program with an empty standard input that stays open:
// the switches end with theirs. A parent's death is, to the kernel, that of the
// thread that forked, so the program has one that waits for it.
func startHelper(cmd *exec.Cmd) (*helper, error) {
	h := &helper{cmd: cmd, ended: make(chan struct{})}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	h.stdin = stdin
	cmd.Stdout, cmd.Stderr = &h.said, &h.said
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started := make(chan error, 1)
	go func() {
		defer close(h.ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		stdin.Close()
		return nil, fmt.Errorf("starting %s: %w", cmd.Args[0], err)
	}
	return h, nil
}

// Close ends the program and waits until it has.
func (h *helper) Close() {
	_ = h.cmd.Process.Kill()
	<-h.ended
	h.stdin.Close()
}

// listens waits until a connection to the program's socket succeeds.
func (h *helper) listens(ctx context.Context, path string) error {
	for {
		conn, err := net.Dial("unix", path)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-h.ended:
			return fmt.Errorf("%s ended: %s", h.cmd.Args[0], bytes.TrimSpace(h.said.Bytes()))
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", h.cmd.Args[0], errors.Join(ctx.Err(), err))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// missingPrograms says which of some programs this machine lacks, each named
// with its Debian package; empty when none.
func missingPrograms(packages map[string]string, programs ...string) string {
	var missing, from []string
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, p)
			from = append(from, packages[p])
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return fmt.Sprintf("this machine lacks %s: install %s (deploy/setup bench does)", strings.Join(missing, ", "), strings.Join(slices.Compact(from), ", "))
}
