package main

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// doubts are what spoke against a pristine program's answer. Root of a guest
// can forge that answer unseen, by its kernel's memory for one; what is cheap
// to see is looked for, so that it takes more than a line of shell.
type doubts struct {
	mu   sync.Mutex
	list []string
}

// note takes a sentence's part; an empty one is none.
func (d *doubts) note(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if text == "" {
		return
	}
	for _, have := range d.list {
		if have == text {
			return
		}
	}
	d.list = append(d.list, text)
}

func (d *doubts) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.list, "; ")
}

// watch looks at a program from time to time while it runs, by a descriptor of
// its folder in /proc, and passes its end on.
func (d *doubts) watch(fd int, from <-chan syscall.WaitStatus, to chan<- syscall.WaitStatus) {
	if fd >= 0 {
		defer syscall.Close(fd)
	}
	pause := time.Millisecond
	for {
		if fd >= 0 {
			d.note(d.look(fd))
		}
		timer := time.NewTimer(pause)
		select {
		case status := <-from:
			timer.Stop()
			to <- status
			return
		case <-timer.C:
		}
		pause = min(pause*3, 100*time.Millisecond)
	}
}

// look says whether the program is traced or stopped now.
func (d *doubts) look(dir int) string {
	fd, err := syscall.Openat(dir, "status", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer syscall.Close(fd)
	var buf [1024]byte
	n, _ := syscall.Read(fd, buf[:])
	return judge(string(buf[:max(n, 0)]), "the checking program")
}

// judge reads a status file of /proc.
func judge(status, who string) string {
	if pid := field(status, "TracerPid:"); pid != "" && pid != "0" {
		return "process " + pid + " of the guest traced " + who
	}
	if state := field(status, "State:"); strings.HasPrefix(state, "T") || strings.HasPrefix(state, "t") {
		return "something in the guest stopped " + who
	}
	return ""
}

func field(text, key string) string {
	for line := range strings.SplitSeq(text, "\n") {
		if v, ok := strings.CutPrefix(line, key); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// traced says whether any of our own threads is.
func traced(dir string) string {
	threads, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	for _, t := range threads {
		status, err := os.ReadFile(dir + "/" + t.Name() + "/status")
		if err != nil {
			continue // it has ended
		}
		if text := judge(string(status), "guestd"); text != "" {
			return text
		}
	}
	return ""
}

// interpreters says whether programs are given to an interpreter of the
// student's, for kernels that have binfmt_misc.
func interpreters() string {
	const dir = "/.binfmt"
	if known, err := os.ReadFile("/proc/filesystems"); err != nil || !strings.Contains(string(known), "\tbinfmt_misc\n") {
		return ""
	}
	if mkdir(dir, 0o700) != nil || syscall.Mount("binfmt_misc", dir, "binfmt_misc", 0, "") != nil {
		return ""
	}
	defer syscall.Rmdir(dir)
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	for _, e := range entries {
		if n := e.Name(); n != "register" && n != "status" {
			return "the guest gives programs to an interpreter (binfmt_misc " + n + ")"
		}
	}
	return ""
}

// mendGroup takes guestd out of a control group that a student put it into,
// which could starve or freeze what it starts.
func mendGroup() string {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		_, path, ok := strings.Cut(line, "::")
		if !ok || path == "/" || path == "" {
			continue
		}
		const dir = "/.groups"
		if mkdir(dir, 0o700) == nil && syscall.Mount("cgroup2", dir, "cgroup2", 0, "") == nil {
			_ = os.WriteFile(dir+"/cgroup.procs", []byte("1"), 0) // the doubt stays whether it works or not
			_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		}
		_ = syscall.Rmdir(dir)
		return "guestd was in the control group " + path
	}
	return ""
}

// limited are the limits that a student could set of guestd, and so of all it
// starts.
var limited = [...]struct {
	name string
	what int
}{
	{"open files", unix.RLIMIT_NOFILE}, {"memory", unix.RLIMIT_AS}, {"data", unix.RLIMIT_DATA}, {"file sizes", unix.RLIMIT_FSIZE},
	{"CPU time", unix.RLIMIT_CPU}, {"processes", unix.RLIMIT_NPROC}, {"stack", unix.RLIMIT_STACK},
}

// keepLimits notes guestd's own limits, before anybody else is there.
func (g *guest) keepLimits() {
	for i, l := range limited {
		_ = unix.Getrlimit(l.what, &g.limits[i])
	}
}

// Mend is part of agent.System: it sets the limits again where they were changed.
func (g *guest) Mend() string {
	var changed []string
	for i, l := range limited {
		var now unix.Rlimit
		if unix.Getrlimit(l.what, &now) == nil && now.Cur < g.limits[i].Cur {
			_ = unix.Prlimit(0, l.what, &g.limits[i], nil) // the doubt stays whether it works or not
			changed = append(changed, l.name)
		}
	}
	if len(changed) == 0 {
		return ""
	}
	return "guestd's limits were changed (" + strings.Join(changed, ", ") + ")"
}

// pidOf is who listens on a connected socket.
func pidOf(fd int) (int, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, err
	}
	return int(cred.Pid), nil
}

func process(pid int) string { return "process " + strconv.Itoa(pid) }
