package spawn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/patchbay/patchbay/labs/rack"
)

const (
	maxLog    = 1 << 20 // a log that is longer is moved aside at the next start
	errorTail = 2 << 10 // of the log, in the error of a rack that did not start
)

// The rack's process says over a pipe, descriptor 3, how its start went: it
// writes the byte below and closes the pipe when it serves; otherwise a sentence
// for a student, or nothing, and ends. Its log has the full story, unless the
// disk is full.
const servesByte = 1

// Tied is the process's side of Local.Tie: it calls serve with a context that
// ends with ctx or when the pipe does, and in the latter case removes dir
// afterwards, as Local.Remove would.
func Tied(ctx context.Context, pipe *os.File, dir string, serve func(context.Context) error) error {
	syscall.CloseOnExec(int(pipe.Fd())) // no guest is to have it
	if err := pipe.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("watching the pipe that the rack is tied to: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var loose atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := io.Copy(io.Discard, pipe) // until its end, or until it is closed below
		loose.Store(err == nil)
		cancel()
	})
	err := serve(ctx)
	pipe.Close()
	wg.Wait()
	if !loose.Load() {
		return err
	}
	l := &Local{State: filepath.Dir(filepath.Dir(dir))}
	return errors.Join(err, l.Remove(context.WithoutCancel(ctx), filepath.Base(dir)))
}

// Report is the process's side of that: it runs serve, which calls ready once
// the rack's API answers. It closes the pipe.
func Report(pipe *os.File, serve func(ready func()) error) error {
	defer pipe.Close()                  // again, when it was ready
	syscall.CloseOnExec(int(pipe.Fd())) // no guest is to have it
	err := serve(func() {
		_, _ = pipe.Write([]byte{servesByte}) // who started it may have gone; the rack stays
		pipe.Close()
	})
	// A rack that ends later finds the pipe closed, and nobody there.
	_, _ = io.WriteString(pipe, rack.Shortage(err, "the lab"))
	return err
}

// launch executes the rack's process, in a session of its own and without a
// terminal, and waits until it says that it serves.
func (l *Local) launch(ctx context.Context, dir string) error {
	exe := l.Executable
	if exe == "" {
		var err error
		if exe, err = os.Executable(); err != nil {
			return fmt.Errorf("finding the program: %w", err)
		}
	}
	log, start, err := openLog(filepath.Join(dir, rack.LogFile))
	if err != nil {
		return err
	}
	defer log.Close()
	ours, theirs, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("making a pipe: %w", err)
	}
	defer ours.Close()
	cmd := exec.Command(exe, "rack", "--dir", dir, "--ready-fd", "3")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{theirs}
	if l.Tie != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, l.Tie)
		cmd.Args = append(cmd.Args, "--tie-fd", "4")
	}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return fmt.Errorf("executing the rack's process: %w", err)
	}
	// The rack outlives this process if it must; as long as both live, its end
	// is awaited here, lest it stay a zombie.
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()

	stop := context.AfterFunc(ctx, func() { ours.Close() })
	defer stop()
	var said [1]byte
	n, err := ours.Read(said[:])
	if n == 1 && said[0] == servesByte {
		return nil
	}
	sentence := string(said[:n])
	if n == 1 {
		var rest []byte
		rest, err = io.ReadAll(io.LimitReader(ours, errorTail))
		sentence += string(rest)
	}
	if ctx.Err() != nil {
		_ = cmd.Process.Kill() // it may have ended by itself
		<-exited
		return fmt.Errorf("waiting for the rack's process: %w", ctx.Err())
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("waiting for the rack's process: %w", err)
	}
	err = fmt.Errorf("the rack's process ended (%v): %s", <-exited, logTail(log.Name(), start))
	if sentence != "" {
		return &rack.Explained{Sentence: sentence, Err: err}
	}
	return err
}

// openLog opens the rack's log for appending and says how long it is.
func openLog(path string) (*os.File, int64, error) {
	if fi, err := os.Stat(path); err == nil && fi.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, 0, fmt.Errorf("moving the old log aside: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("opening the rack's log: %w", err)
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("opening the rack's log: %w", err)
	}
	return f, fi.Size(), nil
}

// logTail returns the end of what was logged since start.
func logTail(path string, start int64) string {
	f, err := os.Open(path)
	if err != nil {
		return "its log cannot be read: " + err.Error()
	}
	defer f.Close()
	if fi, err := f.Stat(); err == nil {
		start = max(start, fi.Size()-errorTail)
	}
	data, err := io.ReadAll(io.NewSectionReader(f, start, errorTail))
	if err != nil {
		return "its log cannot be read: " + err.Error()
	}
	if data = bytes.TrimSpace(data); len(data) == 0 {
		return "it said nothing"
	}
	return strings.TrimPrefix(string(data), "patchbay: ")
}
