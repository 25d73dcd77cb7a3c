// Command inmate stands in for a guest's kernel that has been taken over: it
// runs in the jail of one and writes to its first console, as JSON, what it
// finds there and what it can do.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Report is what the inmate tells. The test has the same type.
type Report struct {
	PID, UID, GID int
	Groups        []int
	Host          string
	Args, Env     []string
	Files         []string          // every name below the root
	FDs           []int             // open at birth
	Caps          [3]uint32         // effective, permitted, inheritable
	Bounding      int               // capabilities in the bounding set
	NoNewPrivs    bool              // cannot gain any
	CPUs          int               // may run on
	Interfaces    []string          // of the network namespace
	Limits        map[string]uint64 // hard
	Tried         map[string]string // what was tried → error, "" for success
}

func main() {
	r := Report{
		PID: os.Getpid(), UID: os.Getuid(), GID: os.Getgid(),
		Args: os.Args, Env: os.Environ(),
		Limits: map[string]uint64{}, Tried: map[string]string{},
	}
	// Go's runtime opens an epoll and an eventfd of its own when it first needs
	// them, so this comes before anything does.
	for fd := range 4096 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			r.FDs = append(r.FDs, fd)
		}
	}
	console := 3
	r.Groups, _ = os.Getgroups()
	r.Host, _ = os.Hostname()
	_ = filepath.WalkDir("/", func(p string, d os.DirEntry, err error) error {
		r.Files = append(r.Files, p)
		return nil
	})
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	_ = unix.Capget(&hdr, &caps[0])
	for _, c := range caps {
		r.Caps[0] |= c.Effective
		r.Caps[1] |= c.Permitted
		r.Caps[2] |= c.Inheritable
	}
	for c := range 64 {
		if n, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0); err == nil {
			r.Bounding += n
		}
	}
	n, _ := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	r.NoNewPrivs = n == 1
	var set unix.CPUSet
	_ = unix.SchedGetaffinity(0, &set)
	r.CPUs = set.Count()
	for name, what := range map[string]int{"core": unix.RLIMIT_CORE, "nofile": unix.RLIMIT_NOFILE, "fsize": unix.RLIMIT_FSIZE} {
		var l unix.Rlimit
		_ = unix.Getrlimit(what, &l)
		r.Limits[name] = l.Max
	}

	try := func(name string, f func() error) {
		r.Tried[name] = ""
		if err := f(); err != nil {
			r.Tried[name] = err.Error()
		}
	}
	for _, p := range []string{"/initrd", "/image", "/disk"} {
		try("write "+p, func() error {
			f, err := os.OpenFile(p, os.O_WRONLY, 0)
			if err == nil {
				f.Close()
			}
			return err
		})
	}
	try("change /linux", func() error { return os.Chmod("/linux", 0o777) })
	try("make a file in the root", func() error { return os.WriteFile("/x", nil, 0o600) })
	try("grow the disk", func() error { return growDisk() })
	try("fill the scratch folder", fill)
	try("mount", func() error { return unix.Mount("none", "/run", "proc", 0, "") })
	try("make a user namespace", func() error {
		p, err := os.StartProcess("/linux", []string{"x"}, &os.ProcAttr{Sys: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}})
		if err == nil {
			_ = p.Kill()
		}
		return err
	})
	try("make a mount namespace", func() error { return unix.Unshare(unix.CLONE_NEWNS) })
	try("leave the root", func() error { return unix.Chroot("/run") })
	try("become another user", func() error { return syscall.Setuid(1) })
	try("signal everybody", func() error { return unix.Kill(-1, unix.SIGTERM) })
	try("set the host name", func() error { return unix.Sethostname([]byte("x")) })
	try("reach the network", func() error {
		c, err := net.Dial("udp", "192.0.2.1:53")
		if err == nil {
			c.Close()
		}
		return err
	})
	try("a raw socket", func() error {
		_, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
		return err
	})
	ifs, _ := net.Interfaces()
	for _, i := range ifs {
		r.Interfaces = append(r.Interfaces, fmt.Sprintf("%s %s", i.Name, strings.SplitN(i.Flags.String(), "|", 2)[0]))
	}

	text, err := json.Marshal(r)
	if err != nil {
		os.Exit(1)
	}
	_, _ = unix.Write(console, append(text, '\n'))
	for { // until killed; a program that only waits for nothing is ended by Go as a deadlock
		time.Sleep(time.Hour)
	}
}

// growDisk writes beyond the disk's end. The signal that this sends is ignored
// by the first process of a PID namespace, the error stays.
func growDisk() error {
	f, err := os.OpenFile("/disk", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt([]byte("x"), 1<<40)
	return err
}

// fill writes to the scratch folder until it is full, at most 1 GiB, and
// leaves nothing.
func fill() error {
	f, err := os.Create("/run/fill")
	if err != nil {
		return err
	}
	defer os.Remove("/run/fill")
	defer f.Close()
	chunk := make([]byte, 1<<20)
	for range 1024 {
		if _, err := f.Write(chunk); err != nil {
			return err
		}
	}
	return nil
}
