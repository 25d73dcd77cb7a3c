package guest_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/guest"
	"github.com/patchbay/patchbay/guest/agent"
)

// A guest boots, has a shell on each console, runs what guestd is asked to, and
// shuts down in order.
func TestBoot(t *testing.T) {
	modes(t, func(t *testing.T, c guest.Config) {
		m := boot(t, c)
		if got := m.sh(t, "echo hi from $(uname -n)"); got != "hi from pc1\n" {
			t.Errorf("the guest said %q", got)
		}
		con := m.screens[0]
		at := con.expect(t, 0, prompt)
		con.typed(t, "echo h''i\r")
		at = con.expect(t, at, "hi\r\n") // what was typed is echoed with its quotes
		at = con.expect(t, at, prompt)
		con.typed(t, "sh -c 'echo under w''ay; exec sleep 1000'; echo not reached\r")
		at = con.expect(t, at, "not reached\r\n") // the echo of what was typed
		at = con.expect(t, at, "under way")
		con.typed(t, "\x03")
		at = con.expect(t, at, "^C")
		con.expect(t, at, prompt)
		if s := con.text(); strings.Contains(s[at:], "not reached") {
			t.Errorf("Ctrl-C did not end the line: %q", s[at:])
		}

		v, err := m.Mconsole(within(t), "version")
		if err != nil || !strings.HasPrefix(v, "Linux ") {
			t.Errorf("mconsole says %q, %v", v, err)
		}
		if _, err := m.Mconsole(within(t), "nonsense"); err == nil || !strings.Contains(err.Error(), "Unknown command") {
			t.Errorf("mconsole takes nonsense: %v", err)
		}
		if err := m.Stop(within(t)); err != nil {
			t.Error(err)
		}
		e := m.Exit()
		if e.Code != 0 || e.Signal != 0 || e.Panic || !e.Asked || e.Reason != "The machine was stopped." {
			t.Errorf("it ended with %+v", e)
		}
		if _, err := m.Mconsole(within(t), "version"); !errors.Is(err, guest.ErrEnded) {
			t.Errorf("a stopped guest's mconsole: %v", err)
		}
		m.Kill() // once more does nothing
	})
}

// Bulk output arrives whole, and a Ctrl-C does not wait behind much of it.
func TestBulkOutput(t *testing.T) {
	modes(t, func(t *testing.T, c guest.Config) {
		m := boot(t, c)
		con := m.screens[0]
		at := con.expect(t, 0, prompt)
		con.typed(t, "stty -echo; dd if=/dev/zero bs=4096 count=1000 2>/dev/null | tr '\\0' a; echo END\r")
		end := con.expect(t, at, "aEND")
		if n := strings.Count(con.text()[at:end], "aaaa") * 4; n != 4096*1000 {
			t.Errorf("%d bytes of %d arrived", n, 4096*1000)
		}
		con.expect(t, end, prompt)
	})
}

// On a console that its owner reads slowly, what comes after a Ctrl-C is what
// was under way: a bounded amount.
func TestInterruptUnderFlood(t *testing.T) {
	c := realConfig(t)
	g, err := guest.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Kill()
	other := newScreen(g.Console(1))
	defer func() { g.Kill(); <-other.ended }()
	if _, err := g.Boot(within(t)); err != nil {
		t.Fatal(err)
	}
	con := g.Console(0)
	read := func(until string, limit int) int {
		var got strings.Builder
		p := make([]byte, 4096)
		for !strings.Contains(got.String(), until) && got.Len() < limit {
			if err := con.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			n, err := con.Read(p)
			if err != nil {
				t.Fatalf("%v, after %q", err, tailOf(got.String()))
			}
			got.Write(p[:n])
		}
		return got.Len()
	}
	read(prompt, 1<<20)
	if _, err := con.Write([]byte("tr '\\0' a < /dev/zero\r")); err != nil {
		t.Fatal(err)
	}
	read("aaaa", 1<<20)
	time.Sleep(200 * time.Millisecond) // fill all buffers
	if _, err := con.Write([]byte("\x03")); err != nil {
		t.Fatal(err)
	}
	n := read(prompt, 1<<20)
	t.Logf("%d bytes after Ctrl-C", n)
	if n > 64<<10 {
		t.Errorf("%d bytes came after Ctrl-C", n)
	}
}

// kill -9 of the kernel's process leaves no process, no socket, no memory file
// and no descriptor behind.
func TestKillLeavesNothing(t *testing.T) {
	modes(t, func(t *testing.T, c guest.Config) {
		before, fds := processes(t), openFiles(t)
		m := boot(t, c)
		m.sh(t, "for i in 1 2 3 4 5; do sleep 1000 </dev/null >/dev/null 2>&1 & done")
		inside := descendants(t, m.PID())
		if len(inside) == 0 {
			t.Error("the guest has no processes on the host; the test would prove nothing")
		}
		if err := syscall.Kill(m.PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		e := waitDone(t, m.Guest)
		if e.Signal != 9 || e.Asked || !strings.Contains(e.Reason, "killed by the host") {
			t.Errorf("it ended with %+v", e)
		}
		for _, pid := range inside {
			if alive(pid) {
				t.Errorf("process %d is left", pid)
			}
		}
		if after := processes(t); len(after) > len(before) {
			t.Errorf("processes are left: %v, before %v", after, before)
		}
		for _, s := range m.screens {
			<-s.ended
		}
		if after := openFiles(t); len(after) > len(fds) {
			t.Errorf("descriptors are left: %v, before %v", after, fds)
		}
		left, err := os.ReadDir(c.Dir)
		if err != nil || len(left) != 1 || left[0].Name() != "disk" {
			t.Errorf("the guest's folder holds %v, %v", left, err)
		}
	})
}

// The guest dies with the process that started it, and nothing is left.
func TestParentDies(t *testing.T) {
	c := realConfig(t)
	parent, guestPID := startHolder(t, c)
	if !alive(guestPID) {
		t.Fatal("the guest is not there; the test would prove nothing")
	}
	inside := append(descendants(t, guestPID), guestPID)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	waitGone(t, inside)
}

func waitGone(t *testing.T, pids []int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for _, pid := range pids {
		for alive(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d is left", pid)
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// A panic ends the guest at once and is told, though the kernel's own way of
// ending does nothing to the first process of a PID namespace.
func TestPanic(t *testing.T) {
	modes(t, func(t *testing.T, c guest.Config) {
		m := boot(t, c)
		m.screens[0].expect(t, 0, prompt)
		m.screens[0].typed(t, "echo c > /proc/sysrq-trigger\r")
		e := waitDone(t, m.Guest)
		if !e.Panic || e.Reason != "The machine's kernel panicked: sysrq triggered crash." ||
			!strings.Contains(e.Console, "Kernel panic - not syncing: sysrq triggered crash") {
			t.Errorf("it ended with %+v", e)
		}
	})
}

// What a guest can fail to start for, each with a sentence for a student.
func TestBootFailures(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, c *guest.Config)
		want   string // in the reason
	}{
		{"a corrupt image", func(t *testing.T, c *guest.Config) {
			junk := make([]byte, 1<<20)
			_, _ = rand.Read(junk)
			c.Image.Path = filepath.Join(c.Dir, "image")
			if err := os.WriteFile(c.Image.Path, junk, 0o644); err != nil {
				t.Fatal(err)
			}
		}, "cannot be mounted"},
		{"a corrupt disk", func(t *testing.T, c *guest.Config) {
			junk := make([]byte, 1<<20)
			_, _ = rand.Read(junk)
			if err := os.WriteFile(c.Disk.Path, junk, 0o644); err != nil {
				t.Fatal(err)
			}
		}, "cannot be mounted"},
		{"a corrupt initrd", func(t *testing.T, c *guest.Config) {
			c.Initrd = filepath.Join(c.Dir, "initrd")
			if err := os.WriteFile(c.Initrd, make([]byte, 4096), 0o644); err != nil {
				t.Fatal(err)
			}
		}, "initrd is broken"},
		{"8 MiB of memory", func(_ *testing.T, c *guest.Config) { c.Memory = 8 << 20 }, "too little memory"},
		{"a little more than the kernel's own size", func(_ *testing.T, c *guest.Config) { c.Memory = 18 << 20 }, "too little memory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := realConfig(t)
			tt.change(t, &c)
			m := start(t, c)
			_, err := m.Boot(within(t))
			var b *guest.BootError
			if !errors.As(err, &b) {
				t.Fatalf("no BootError but %v", err)
			}
			t.Logf("%v", err)
			if !strings.Contains(b.Reason, tt.want) {
				t.Errorf("the reason %q does not say %q", b.Reason, tt.want)
			}
		})
	}
}

// A guest that is not heard of in time is said to be so.
func TestBootGivesUp(t *testing.T) {
	m := start(t, realConfig(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := m.Boot(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "did not start in time") {
		t.Errorf("got %v", err)
	}
}

func TestStartCancelled(t *testing.T) {
	c := realConfig(t)
	before := processes(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if g, err := guest.Start(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v", g, err)
	}
	if after := processes(t); len(after) > len(before) {
		t.Errorf("processes are left: %v", after)
	}
}

// A paused guest uses no processor time, and goes on where it was.
func TestPauseResume(t *testing.T) {
	modes(t, func(t *testing.T, c guest.Config) {
		m := boot(t, c)
		m.sh(t, "(while :; do :; done) </dev/null >/dev/null 2>&1 &")
		if err := m.Pause(within(t)); err != nil {
			t.Fatal(err)
		}
		used := cpuTicks(t, m.PID())
		time.Sleep(300 * time.Millisecond)
		if now := cpuTicks(t, m.PID()); now > used+1 {
			t.Errorf("paused, it used %d ticks", now-used)
		}
		if err := m.Resume(within(t)); err != nil {
			t.Fatal(err)
		}
		if got := m.sh(t, "echo back"); got != "back\n" {
			t.Errorf("resumed, it says %q", got)
		}
		if err := m.Pause(within(t)); err != nil {
			t.Fatal(err)
		}
		if err := m.Stop(within(t)); err != nil {
			t.Errorf("stopping a paused guest: %v", err)
		}
	})
}

// A pause that was given up at any moment does not leave the guest standing
// after it was told to go on.
func TestPauseGivenUp(t *testing.T) {
	modes(t, func(t *testing.T, c guest.Config) {
		m := boot(t, c)
		for i := range 100 {
			ctx, cancel := context.WithCancel(within(t))
			wait := time.Duration(i%20) * 20 * time.Microsecond
			var wg sync.WaitGroup
			wg.Go(func() {
				time.Sleep(wait)
				cancel()
			})
			_ = m.Pause(ctx)
			wg.Wait()
			if err := m.Resume(within(t)); err != nil {
				t.Fatalf("given up after %v: %v", wait, err)
			}
		}
		if got := m.sh(t, "echo back"); got != "back\n" {
			t.Errorf("resumed, it says %q", got)
		}
	})
}

// An interface connects to its socket whenever it comes up and lets go when it
// goes down, and each has its own.
func TestInterfaces(t *testing.T) {
	modes(t, func(t *testing.T, c guest.Config) {
		var ports []*net.UnixListener
		for i := range 2 {
			path := filepath.Join(c.Dir, fmt.Sprintf("net%d", i))
			l := listenSeqpacket(t, path)
			defer l.Close()
			if err := l.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			ports = append(ports, l)
			c.NICs = append(c.NICs, guest.NIC{MAC: fmt.Sprintf("02:00:00:00:00:%02x", i+1), Socket: path})
			c.Machine.Interfaces = append(c.Machine.Interfaces, agent.Interface{Name: fmt.Sprintf("eth%d", i), Down: true})
		}
		m := boot(t, c)
		for i, l := range ports {
			for round := range 2 {
				m.sh(t, fmt.Sprintf("ip link set eth%d up", i))
				conn, err := l.Accept()
				if err != nil {
					t.Fatalf("eth%d up, round %d: %v", i, round, err)
				}
				frame := make([]byte, 2048)
				_ = conn.SetDeadline(time.Now().Add(patience))
				n, err := conn.Read(frame) // IPv6 solicits by itself
				if source := headerBytes(c.Kernel) + 11; err != nil || n <= source || frame[source] != byte(i+1) {
					t.Errorf("eth%d sent %x, %v", i, frame[:n], err)
				}
				m.sh(t, fmt.Sprintf("ip link set eth%d down", i))
				for err == nil {
					n, err = conn.Read(frame)
				}
				if n != 0 {
					t.Errorf("eth%d down, and its socket says %v", i, err)
				}
				conn.Close()
			}
		}
	})
}

// A guest whose kernel was taken over may put anything in the place of its
// mconsole. None of it makes the host speak to another program.
func TestMconsoleIsNotFollowed(t *testing.T) {
	c := realConfig(t)
	m := boot(t, c)
	victim := filepath.Join(t.TempDir(), "victim")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: victim, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := m.Scratch()
	tests := []struct {
		name string
		put  func() error
		want string
	}{
		{"a link to another socket", func() error { return unix.Symlinkat(victim, dir, "uml/mconsole") }, "symbolic links"},
		{"a file", func() error { return unix.Mknodat(dir, "uml/mconsole", unix.S_IFREG|0o600, 0) }, "not a socket"},
		{"nothing", func() error { return nil }, "no such file"},
		{"a folder that is a link", func() error {
			if err := unix.Renameat(dir, "uml", dir, "elsewhere"); err != nil {
				return err
			}
			return unix.Symlinkat("elsewhere", dir, "uml")
		}, "symbolic links"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asGuest(t, func() {
				_ = unix.Unlinkat(dir, "uml/mconsole", 0)
				if err := tt.put(); err != nil {
					t.Fatal(err)
				}
			})
			if text, err := m.Mconsole(within(t), "version"); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, %v", text, err)
			}
		})
	}
	if err := l.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, _, err := l.ReadFromUnix(make([]byte, 1024)); err == nil {
		t.Errorf("the other program was sent %d bytes", n)
	}
}

// A question that a guest does not answer ends with the guest.
func TestMconsoleUnanswered(t *testing.T) {
	m := boot(t, realConfig(t))
	if err := syscall.Kill(m.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx := within(t)
	answer := make(chan error)
	go func() {
		_, err := m.Mconsole(ctx, "version")
		answer <- err
	}()
	time.Sleep(50 * time.Millisecond) // let it be asked; the other order passes too
	m.Kill()
	if err := <-answer; err == nil || ctx.Err() != nil {
		t.Errorf("the question ended with %v, its context with %v", err, ctx.Err())
	}
}

// asGuest does f as the user that guests run as.
func asGuest(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const nobody = 65534
	if err := errors.Join(unix.Setfsgid(nobody), unix.Setfsuid(nobody)); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = errors.Join(unix.Setfsuid(0), unix.Setfsgid(0)) }()
	f()
}

// Someone in the guest switches it off.
func TestPowerOff(t *testing.T) {
	m := boot(t, realConfig(t))
	m.screens[0].expect(t, 0, prompt)
	m.screens[0].typed(t, "echo o > /proc/sysrq-trigger\r")
	e := waitDone(t, m.Guest)
	if e.Code != 0 || e.Asked || e.Reason != "The machine was switched off from inside." {
		t.Errorf("it ended with %+v", e)
	}
}

// Debian's own kernel, a dynamic executable with modules, boots by the same
// road.
func TestStockKernel(t *testing.T) {
	p := need(t)
	if p.stock.Path == "" {
		lacking(t, "Debian's packaged kernel is not in the cache")
	}
	c := realConfig(t)
	c.Kernel, c.Initrd, c.Memory = p.stock, p.stockInitrd, 128<<20
	m := boot(t, c)
	if got := m.sh(t, "uname -r"); !strings.HasPrefix(got, "6.1") {
		t.Errorf("it runs %q", got)
	}
	m.screens[0].expect(t, 0, prompt)
	m.screens[0].typed(t, "echo c > /proc/sysrq-trigger\r")
	if e := waitDone(t, m.Guest); !e.Panic {
		t.Errorf("it ended with %+v", e)
	}
}

func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(b), ") Z ")
}

// cpuTicks is the processor time of a process and its descendants.
func cpuTicks(t *testing.T, pid int) int {
	t.Helper()
	sum := 0
	for _, p := range append(descendants(t, pid), pid) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
		if err != nil {
			continue
		}
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		for _, i := range []int{11, 12} {
			n, _ := strconv.Atoi(f[i])
			sum += n
		}
	}
	return sum
}

// openFiles are this process's sockets, pipes and files, without what Go's
// runtime keeps for itself.
func openFiles(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		name, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && !strings.HasPrefix(name, "anon_inode:[event") && !strings.HasPrefix(name, "/proc/") {
			list = append(list, name)
		}
	}
	return list
}

// Without its namespaces a guest still boots and stops; that is for debugging.
func TestJailDisabled(t *testing.T) {
	c := realConfig(t)
	dir, err := os.MkdirTemp("", "patchbay-open-") // its uid must be able to walk here
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := errors.Join(os.Chmod(dir, 0o755), os.Rename(c.Disk.Path, filepath.Join(dir, "disk"))); err != nil {
		t.Fatal(err)
	}
	c.Dir, c.Disk.Path, c.Jail.Disabled = dir, filepath.Join(dir, "disk"), true
	m := boot(t, c)
	if got := m.sh(t, "echo hi"); got != "hi\n" {
		t.Errorf("the guest said %q", got)
	}
	if v, err := m.Mconsole(within(t), "version"); err != nil || !strings.HasPrefix(v, "Linux ") {
		t.Errorf("mconsole says %q, %v", v, err)
	}
	inside := append(descendants(t, m.PID()), m.PID())
	m.Kill()
	waitGone(t, inside) // nobody waits for them here as a namespace's end does
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("its folder holds %v, %v", left, err)
	}
}
