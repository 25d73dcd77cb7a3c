package agent

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// intake is an Exec whose standard input is still coming.
type intake struct {
	exec  Exec
	stdin []byte
}

// execution is a program that runs.
type execution struct {
	mu     sync.Mutex
	pid    int // its process group too; 0 once it has been waited for
	killed bool
	late   bool // by its time limit
}

// expire is kill for a program whose time is over.
func (e *execution) expire() {
	e.mu.Lock()
	e.late = e.pid > 0
	e.mu.Unlock()
	e.kill()
}

// kill ends the whole process group.
func (e *execution) kill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.killed = true
	if e.pid > 0 {
		_ = syscall.Kill(-e.pid, syscall.SIGKILL) // it may have gone already
	}
}

func (s *Server) exec(f frame) error {
	e, err := decodeExec(f.body)
	if err != nil {
		return err
	}
	if s.puts[f.id] != nil || s.execs[f.id] != nil {
		return errMalformed
	}
	if err := s.admit(); err != nil {
		return err
	}
	if !f.more {
		return s.run(f.id, e)
	}
	if s.execs == nil {
		s.execs = make(map[uint32]*intake)
	}
	s.execs[f.id] = &intake{exec: e}
	return nil
}

func (s *Server) execData(f frame, in *intake) error {
	if len(in.stdin)+len(f.body) > MaxStdin {
		delete(s.execs, f.id)
		return errors.New("the program's input is too long")
	}
	in.stdin = append(in.stdin, f.body...)
	if f.more {
		return nil
	}
	delete(s.execs, f.id)
	in.exec.Stdin = in.stdin
	return s.run(f.id, in.exec)
}

// run starts e and returns; goroutines carry its bytes and its end.
func (s *Server) run(id uint32, e Exec) error {
	s.mu.Lock()
	taken := s.running[id] != nil
	s.mu.Unlock()
	if taken {
		return errMalformed
	}

	var err error
	var mended string
	if e.Pristine {
		mended = s.sys.Mend()
	}
	var pipes [3]pipe
	defer func() {
		for i := range pipes {
			pipes[i].child.Close() // nil for the parent's part of what never came to be
			if err != nil {
				pipes[i].parent.Close()
			}
		}
	}()
	for i := range pipes {
		if pipes[i], err = newPipe(i == 0); err != nil {
			return err
		}
	}
	files := []uintptr{pipes[0].child.Fd(), pipes[1].child.Fd(), pipes[2].child.Fd()}
	var proc Process
	if e.Pristine {
		proc, err = s.sys.SpawnPristine(e, files)
	} else {
		proc, err = s.spawn(e, files)
	}
	if err != nil {
		return err
	}

	if found := proc.Doubt; mended != "" && found != nil {
		proc.Doubt = func() string { return strings.TrimSuffix(mended+"; "+found(), "; ") }
	}

	x := &execution{pid: proc.PID}
	s.mu.Lock()
	if s.running == nil {
		s.running = make(map[uint32]*execution)
	}
	s.running[id] = x
	s.mu.Unlock()
	stdin, stdout, stderr := pipes[0].parent, pipes[1].parent, pipes[2].parent
	s.wg.Go(func() { s.attend(id, e, x, proc, stdin, stdout, stderr) })
	return nil
}

// spawn starts a program in the guest as its user has it.
func (s *Server) spawn(e Exec, files []uintptr) (Process, error) {
	env := MergeEnv(s.sys.Environ(), e.Env)
	path, err := LookPath(e.Args[0], env)
	if err != nil {
		return Process{}, err
	}
	dir := e.Dir
	if dir == "" {
		if dir = "/root"; syscall.Access(dir, 1) != nil { // X_OK: nothing starts in a folder that is gone
			dir = "/"
		}
	}
	proc, err := s.sys.Spawn(path, e.Args, &syscall.ProcAttr{
		Dir: dir, Env: env, Files: files, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	return proc, wrap(path, err)
}

// attend carries a program's input and output and reports its end.
func (s *Server) attend(id uint32, e Exec, x *execution, proc Process, stdin, stdout, stderr *os.File) {
	var wg sync.WaitGroup
	if len(e.Stdin) > 0 {
		// Ends with the last byte, with EPIPE, or by the Close below.
		wg.Go(func() {
			_, _ = stdin.Write(e.Stdin)
			stdin.Close()
		})
	} else {
		stdin.Close()
	}
	var cut [2]bool
	for i, file := range [...]*os.File{stdout, stderr} {
		wg.Go(func() { cut[i] = s.carry(id, byte(i+1), file, e.Limit) })
	}
	if e.Timeout > 0 {
		timer := time.AfterFunc(e.Timeout, x.expire)
		defer timer.Stop()
	}

	status := <-proc.Exit
	x.mu.Lock()
	x.pid = 0
	killed, late := x.killed, x.late
	x.mu.Unlock()
	stdin.Close()
	// A daemon that the program left behind may hold the pipes for ever. What
	// the program itself wrote lies in them by now, and carry takes that yet.
	now := time.Now()
	_ = stdout.SetReadDeadline(now)
	_ = stderr.SetReadDeadline(now)
	wg.Wait()
	stdout.Close()
	stderr.Close()

	s.mu.Lock()
	delete(s.running, id)
	s.mu.Unlock()
	code := status.ExitStatus()
	if status.Signaled() {
		code = 128 + int(status.Signal())
	}
	// An error means that the line is gone, which Serve finds out by itself.
	_ = s.send(kindExit, id, false, exit{
		code: uint32(code & 0xff), cut: cut[0] || cut[1],
		doubt: doubt(proc, status, killed, late, e.Timeout),
	}.append(nil))
}

// doubt says what speaks against the answer of a Pristine program.
func doubt(proc Process, status syscall.WaitStatus, killed, late bool, limit time.Duration) string {
	if proc.Doubt == nil {
		return ""
	}
	var list []string
	switch {
	case late:
		list = append(list, "it had not ended after "+limit.Round(time.Millisecond).String()+" and was ended")
	case status.Signaled() && !killed:
		list = append(list, "something in the guest ended it with signal "+strconv.Itoa(int(status.Signal())))
	}
	if text := proc.Doubt(); text != "" {
		list = append(list, text)
	}
	return cut(strings.Join(list, "; "))
}

// carry sends what comes out of a pipe, up to limit bytes, and reads on without
// sending beyond it, so that the program can finish. It says whether anything
// was left out.
func (s *Server) carry(id uint32, stream byte, file *os.File, limit int) (cut bool) {
	buf := make([]byte, 1+chunk)
	buf[0] = stream
	pass := func(n int) {
		if n > limit {
			n = limit
			cut = true
		}
		if n > 0 {
			limit -= n
			_ = s.send(kindOutput, id, true, buf[:1+n])
		}
	}
	for {
		n, err := file.Read(buf[1:])
		pass(n)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return cut
		}
	}
	// A pipe holds 64 KiB; whoever still writes to it does not hold us here.
	raw, err := file.SyscallConn()
	if err != nil {
		return cut
	}
	_ = raw.Control(func(fd uintptr) {
		for left := 64 << 10; left > 0; {
			n, err := syscall.Read(int(fd), buf[1:])
			if err == syscall.EINTR {
				continue
			}
			if n <= 0 {
				return
			}
			pass(n)
			left -= n
		}
	})
	return cut
}

func (s *Server) kill(id uint32) {
	delete(s.execs, id)
	if u := s.puts[id]; u != nil {
		delete(s.puts, id)
		u.abandon()
	}
	s.mu.Lock()
	x, l := s.running[id], s.links[id]
	s.mu.Unlock()
	if x != nil {
		x.kill()
	}
	if l != nil {
		l.cut()
	}
}

// killAll is for the end of the line.
func (s *Server) killAll() {
	for id, u := range s.puts {
		delete(s.puts, id)
		u.abandon()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.running {
		x.kill()
	}
	for _, l := range s.links {
		l.cut()
	}
}

// pipe joins us with a child. The parent's end goes through the poller.
type pipe struct {
	child, parent *os.File
}

func newPipe(input bool) (pipe, error) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return pipe{}, err
	}
	child, parent := fds[1], fds[0]
	if input {
		child, parent = fds[0], fds[1]
	}
	if err := syscall.SetNonblock(parent, true); err != nil {
		syscall.Close(child)
		syscall.Close(parent)
		return pipe{}, err
	}
	return pipe{os.NewFile(uintptr(child), "pipe"), os.NewFile(uintptr(parent), "pipe")}, nil
}

// MergeEnv lets over's variables replace base's.
func MergeEnv(base, over []string) []string {
	env := make([]string, 0, len(base)+len(over))
next:
	for _, kv := range base {
		key, _, _ := strings.Cut(kv, "=")
		for _, o := range over {
			if k, _, _ := strings.Cut(o, "="); k == key {
				continue next
			}
		}
		env = append(env, kv)
	}
	return append(env, over...)
}

// LookPath finds an executable as a shell would, by the PATH in env. It does
// not use the process's own environment, which in guestd is the kernel's.
func LookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, kv := range env {
		list, ok := strings.CutPrefix(kv, "PATH=")
		if !ok {
			continue
		}
		for dir := range strings.SplitSeq(list, ":") {
			path := dir + "/" + name
			info, err := os.Stat(path)
			if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return path, nil
			}
		}
	}
	return "", errors.New(name + ": command not found")
}
