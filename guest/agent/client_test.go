package agent_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/patchbay/patchbay/guest/agent"
)

// machine is an agent.System on the test's own machine: programs and files are
// real, consoles are notes of what was asked.
type machine struct {
	configure func(agent.Machine) (agent.Ready, error)
	wg        sync.WaitGroup

	mu    sync.Mutex
	asked []string
}

func (m *machine) note(s string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, s)
}

func (m *machine) notes() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked
}

func (m *machine) Configure(c agent.Machine) (agent.Ready, error) {
	if m.configure == nil {
		return agent.Ready{StartupDone: true}, nil
	}
	return m.configure(c)
}

func (m *machine) Mend() string { return "" }

func (m *machine) SpawnPristine(e agent.Exec, files []uintptr) (agent.Process, error) {
	path, err := agent.LookPath(e.Args[0], m.Environ())
	if err != nil {
		return agent.Process{}, err
	}
	p, err := m.Spawn(path, e.Args, &syscall.ProcAttr{Dir: "/", Env: m.Environ(), Files: files, Sys: &syscall.SysProcAttr{Setsid: true}})
	p.Doubt = func() string { return "a test's machine" }
	return p, err
}

func (m *machine) Spawn(path string, argv []string, attr *syscall.ProcAttr) (agent.Process, error) {
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return agent.Process{}, err
	}
	exit := make(chan syscall.WaitStatus, 1)
	m.wg.Go(func() {
		var status syscall.WaitStatus
		for {
			if _, err := syscall.Wait4(pid, &status, 0, nil); err != syscall.EINTR {
				break
			}
		}
		exit <- status
	})
	return agent.Process{PID: pid, Exit: exit}, nil
}

func (m *machine) Environ() []string { return []string{"PATH=/usr/bin:/bin", "HOME=/", "X=base"} }

func (m *machine) OpenConsole(n int) error {
	if n > 3 {
		return errors.New("no such console")
	}
	m.note("open")
	return nil
}

func (m *machine) Resize(n int, cols, rows uint16) error {
	if cols == 132 && rows == 43 && n == 2 {
		m.note("resize")
	}
	return nil
}

func (m *machine) Shutdown(reboot bool) {
	if reboot {
		m.note("reboot")
	}
}

// connect joins a Client with a Server on a machine, over a pipe, and
// ends both with the test.
func connect(t *testing.T, m *machine) (*agent.Client, *agent.Server) {
	t.Helper()
	host, guest := net.Pipe()
	server := agent.NewServer(guest, m)
	c := agent.NewClient(host, nil)
	served := make(chan error, 1)
	go func() {
		if err := server.Hello("7.3.4"); err != nil {
			served <- err
			return
		}
		served <- server.Serve()
	}()
	t.Cleanup(func() {
		_ = c.Close()
		if err := <-served; err != nil && !errors.Is(err, os.ErrClosed) {
			// A pipe that is closed under a write says so; that is no failure.
			t.Logf("the server ended with %v", err)
		}
		guest.Close()
		m.wg.Wait()
	})
	return c, server
}

// ready is connect, and on to where requests are answered.
func ready(t *testing.T, m *machine) (*agent.Client, *agent.Server) {
	t.Helper()
	c, s := connect(t, m)
	if _, err := c.Hello(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Configure(t.Context(), agent.Machine{}); err != nil {
		t.Fatal(err)
	}
	return c, s
}

func TestHelloAndConfigure(t *testing.T) {
	// Larger than a frame, so that it is cut, and than the line's window.
	want := agent.Machine{Hostname: "pc1", Files: []agent.File{{Path: "/x", Data: bytes.Repeat([]byte("data"), 50_000)}}}
	var got agent.Machine
	m := &machine{configure: func(c agent.Machine) (agent.Ready, error) {
		got = c
		return agent.Ready{Times: agent.Times{Shell: 55 * time.Millisecond}, Warnings: []string{"a\x1b[31m"}}, nil
	}}
	c, _ := connect(t, m)
	hello, err := c.Hello(t.Context())
	if err != nil || hello != (agent.Hello{Version: agent.Version, Kernel: "7.3.4"}) {
		t.Fatalf("hello is %+v, %v", hello, err)
	}
	if _, err := c.Exec(t.Context(), agent.Exec{Args: []string{"true"}}); err == nil {
		t.Error("a guest that is nothing yet ran a program")
	}
	r, err := c.Configure(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("the guest was told something else")
	}
	if r.Times.Shell != 55*time.Millisecond || r.Warnings[0] != "a�[31m" {
		t.Errorf("ready is %+v", r)
	}
	if _, err := c.Configure(t.Context(), want); err == nil {
		t.Error("a guest let itself be configured twice")
	}
}

func TestConfigureThatFails(t *testing.T) {
	c, _ := connect(t, &machine{configure: func(agent.Machine) (agent.Ready, error) {
		return agent.Ready{}, errors.New("the disk is full")
	}})
	_, err := c.Configure(t.Context(), agent.Machine{})
	var failed *agent.FailedError
	if !errors.As(err, &failed) || failed.Reason != "the disk is full" {
		t.Errorf("the error is %v", err)
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Errorf("guestd does not answer afterwards: %v", err)
	}
}

// However much went wrong in the guest, saying so fits on the line.
func TestManyWarnings(t *testing.T) {
	long := strings.Repeat("x", agent.MaxBody)
	c, s := connect(t, &machine{configure: func(agent.Machine) (agent.Ready, error) {
		return agent.Ready{Warnings: slices.Repeat([]string{long, "short"}, 1000)}, nil
	}})
	r, err := c.Configure(t.Context(), agent.Machine{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.Warnings); n < 10 || n > 20 || r.Warnings[1] != "short" || r.Warnings[n-1] != "and "+strconv.Itoa(2000-n+1)+" more like these" {
		t.Errorf("%d warnings came, the last is %.60q", n, r.Warnings[n-1])
	}
	if err := s.Event(agent.Event{Kind: agent.EventWarning, Text: long}); err != nil {
		t.Error(err)
	}
	if e := <-c.Events(); len(e.Text) == 0 || len(e.Text) >= len(long) {
		t.Errorf("the event's text has %d bytes", len(e.Text))
	}
}

func TestExec(t *testing.T) {
	c, _ := ready(t, &machine{})
	big := bytes.Repeat([]byte("0123456789abcdef"), 20_000) // 320 kB
	for _, tt := range []struct {
		name string
		exec agent.Exec
		want agent.ExecResult
	}{
		{"success", agent.Exec{Args: []string{"true"}}, agent.ExecResult{}},
		{"both streams and a code", agent.Exec{Args: []string{"sh", "-c", "echo out; echo err >&2; exit 7"}},
			agent.ExecResult{Code: 7, Stdout: []byte("out\n"), Stderr: []byte("err\n")}},
		{"a signal", agent.Exec{Args: []string{"sh", "-c", "kill -9 $$"}}, agent.ExecResult{Code: 137}},
		{"environment", agent.Exec{Args: []string{"sh", "-c", "echo $X$Y$HOME"}, Env: []string{"X=over", "Y=new"}},
			agent.ExecResult{Stdout: []byte("overnew/\n")}},
		{"folder", agent.Exec{Args: []string{"pwd"}, Dir: "/usr"}, agent.ExecResult{Stdout: []byte("/usr\n")}},
		{"input", agent.Exec{Args: []string{"cat"}, Stdin: big}, agent.ExecResult{Stdout: big}},
		{"no input", agent.Exec{Args: []string{"cat"}}, agent.ExecResult{}},
		{"input that nobody reads", agent.Exec{Args: []string{"true"}, Stdin: big}, agent.ExecResult{}},
		{"output beyond the limit", agent.Exec{Args: []string{"head", "-c", "1000000", "/dev/zero"}, Limit: 5},
			agent.ExecResult{Stdout: make([]byte, 5), Cut: true}},
		{"a daemon that keeps the pipes", agent.Exec{Args: []string{"sh", "-c", "sleep 2 & echo left; echo $! >&3"}},
			agent.ExecResult{Code: 2, Stdout: []byte("left\n"), Stderr: []byte("sh: 1: 3: Bad file descriptor\n")}},
		{"its own timeout", agent.Exec{Args: []string{"sleep", "1000"}, Timeout: 50 * time.Millisecond}, agent.ExecResult{Code: 137}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.exec.Dir == "" {
				tt.exec.Dir = "/"
			}
			got, err := c.Exec(t.Context(), tt.exec)
			if err != nil {
				t.Fatal(err)
			}
			if got.Code != tt.want.Code || got.Cut != tt.want.Cut || !bytes.Equal(got.Stdout, tt.want.Stdout) {
				t.Errorf("got %d %v %.60q, want %d %v %.60q", got.Code, got.Cut, got.Stdout, tt.want.Code, tt.want.Cut, tt.want.Stdout)
			}
			if tt.name != "a daemon that keeps the pipes" && !bytes.Equal(got.Stderr, tt.want.Stderr) {
				t.Errorf("standard error is %q, want %q", got.Stderr, tt.want.Stderr)
			}
		})
	}
	for name, e := range map[string]agent.Exec{
		"nothing":        {},
		"no such file":   {Args: []string{"/no/such/program"}, Dir: "/"},
		"not in PATH":    {Args: []string{"no-such-program"}, Dir: "/"},
		"no such dir":    {Args: []string{"true"}, Dir: "/no/such/dir"},
		"long words":     {Args: []string{"true", strings.Repeat("x", 60_000)}},
		"too much input": {Args: []string{"cat"}, Stdin: make([]byte, agent.MaxStdin+1)},
	} {
		if got, err := c.Exec(t.Context(), e); err == nil {
			t.Errorf("%s: ran, with %+v", name, got)
		}
	}
}

// TestVerify: what speaks against a pristine program's answer comes with it.
func TestVerify(t *testing.T) {
	c, _ := ready(t, &machine{})
	for _, tt := range []struct {
		name, command string
		timeout       time.Duration
		code          int
		doubt         string
	}{
		{"its own end", "exit 3", 0, 3, "a test's machine"},
		{"killed", "kill -9 $$", 0, 137, "something in the guest ended it with signal 9; a test's machine"},
		{"too long", "exec sleep 1000", 50 * time.Millisecond, 137, "it had not ended after 50ms and was ended; a test's machine"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := c.Verify(t.Context(), agent.Exec{Args: []string{"sh", "-c", tt.command}, Timeout: tt.timeout})
			if err != nil || got.Code != tt.code || got.Doubt != tt.doubt {
				t.Errorf("code %d, doubt %q (%v); want %d, %q", got.Code, got.Doubt, err, tt.code, tt.doubt)
			}
		})
	}
}

// A program that a caller gave up must not live on in the guest.
func TestExecEndsWithItsContext(t *testing.T) {
	c, _ := ready(t, &machine{})
	pidFile := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			if b, err := os.ReadFile(pidFile); err == nil && len(b) > 0 {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	_, err := c.Exec(ctx, agent.Exec{Args: []string{"sh", "-c", "echo $$ >" + pidFile + "; exec sleep 1000"}, Dir: "/"})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("the error is %v", err)
	}
	b, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat("/proc/" + strings.TrimSpace(string(b))); os.IsNotExist(err) {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("the program lives on")
		}
		time.Sleep(time.Millisecond)
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestFiles(t *testing.T) {
	c, _ := ready(t, &machine{})
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b", "file")
	for _, size := range []int{0, 1, 100_000, 1 << 20} {
		data := bytes.Repeat([]byte{'x', 0, 0xB7}, size/3+1)[:size]
		if err := c.Put(t.Context(), path, 0o640, data); err != nil {
			t.Fatal(err)
		}
		got, mode, err := c.Get(t.Context(), path, 0)
		if err != nil || mode != 0o640 || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes: got %d, mode %o, %v", size, len(got), mode, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "a", "b", "*")); err != nil || len(left) != 1 {
		t.Errorf("beside the file lies %v, %v", left, err)
	}
	if got, _, err := c.Get(t.Context(), "/proc/self/status", 0); err != nil || !bytes.Contains(got, []byte("VmRSS")) {
		t.Errorf("a file that claims no length: %d bytes, %v", len(got), err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, get := range map[string]func() error{
		"longer than asked": func() error { _, _, err := c.Get(t.Context(), path, 100); return err },
		"a folder":          func() error { _, _, err := c.Get(t.Context(), dir, 0); return err },
		"a pipe":            func() error { _, _, err := c.Get(t.Context(), fifo, 0); return err },
		"missing":           func() error { _, _, err := c.Get(t.Context(), dir+"/none", 0); return err },
		"endless":           func() error { _, _, err := c.Get(t.Context(), "/dev/zero", 100); return err },
		"onto a folder":     func() error { return c.Put(t.Context(), dir+"/a", 0o600, []byte("x")) },
		"a relative path":   func() error { return c.Put(t.Context(), "x", 0o600, []byte("x")) },
		"a folder's path":   func() error { return c.Put(t.Context(), dir+"/", 0o600, nil) },
		"below a file":      func() error { return c.Put(t.Context(), path+"/x", 0o600, make([]byte, 100_000)) },
	} {
		var refused *agent.RequestError
		if err := get(); !errors.As(err, &refused) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) != 0 {
		t.Errorf("a failed Put left %v, %v", left, err)
	}
}

func TestConsolesAndEnd(t *testing.T) {
	m := &machine{}
	c, s := ready(t, m)
	if err := c.OpenConsole(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if err := c.OpenConsole(t.Context(), 9); err == nil {
		t.Error("opened a console that is not there")
	}
	if err := c.Resize(t.Context(), 2, 132, 43); err != nil {
		t.Error(err)
	}
	if err := s.Event(agent.Event{Kind: agent.EventStarted, Text: "x\ny"}); err != nil {
		t.Error(err)
	}
	if e := <-c.Events(); e != (agent.Event{Kind: agent.EventStarted, Text: "x y"}) {
		t.Errorf("the event is %+v", e)
	}
	if err := c.Shutdown(t.Context(), true); err != nil {
		t.Error(err)
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if got := strings.Join(m.notes(), " "); got != "open resize reboot" {
		t.Errorf("the machine was asked to %q", got)
	}
}

func TestManyAtOnce(t *testing.T) {
	c, _ := ready(t, &machine{})
	path := filepath.Join(t.TempDir(), "file")
	if err := c.Put(t.Context(), path, 0o600, make([]byte, 200_000)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			r, err := c.Exec(t.Context(), agent.Exec{Args: []string{"sh", "-c", "sleep 0.05; yes | head -c 100000; exit 3"}, Dir: "/"})
			if err != nil || r.Code != 3 || len(r.Stdout) != 100_000 {
				t.Errorf("exec %d: code %d, %d bytes, %v", i, r.Code, len(r.Stdout), err)
			}
		})
		wg.Go(func() {
			if b, _, err := c.Get(t.Context(), path, 0); err != nil || len(b) != 200_000 {
				t.Errorf("get %d: %d bytes, %v", i, len(b), err)
			}
		})
		wg.Go(func() {
			for range 20 {
				if err := c.Ping(t.Context()); err != nil {
					t.Errorf("ping %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
}

// More than the guest lets run at once is refused, not queued, and no harm to
// the rest.
func TestTooManyAtOnce(t *testing.T) {
	c, _ := ready(t, &machine{})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	refused := make(chan error, 40)
	for range 40 {
		wg.Go(func() {
			_, err := c.Exec(ctx, agent.Exec{Args: []string{"sleep", "1000"}, Dir: "/"})
			refused <- err
		})
	}
	for range 8 {
		var why *agent.RequestError
		if err := <-refused; !errors.As(err, &why) {
			t.Errorf("the error is %v", err)
		}
	}
	cancel()
	wg.Wait()
}
