package main

import (
	"bytes"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/guest/agent"
)

// inspectPeer says what is wrong with who listens on a socket of the student's:
// it must be the image's own program, and of what it maps as code everything
// must be the image's. Called in the pristine root. A socket that nobody
// listens on is no ground for doubt: the program that wants it will say so.
func (g *guest) inspectPeer(p agent.Peer) string {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer syscall.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: p.Socket}); err != nil {
		return ""
	}
	pid, err := pidOf(fd)
	if err != nil || pid <= 0 {
		return p.Socket + " is answered by nobody who can be found"
	}
	dir := "/proc/" + itoa(pid)
	who := p.Socket + " is answered by " + process(pid) + ", which "
	if same, err := g.sameFile(dir+"/exe", p.Program); err != nil || !same {
		return who + "is not the image's " + p.Program
	}
	if status, err := os.ReadFile(dir + "/status"); err == nil {
		if tracer := field(string(status), "TracerPid:"); tracer != "" && tracer != "0" {
			return who + "is traced by process " + tracer
		}
	}
	maps, err := os.ReadFile(dir + "/maps")
	if err != nil {
		return who + "ends" // it did, just now
	}
	seen := map[string]bool{p.Program: true}
	for line := range bytes.Lines(maps) {
		span, path, ok := mappedCode(string(line))
		if !ok || seen[path] {
			continue
		}
		seen[path] = true
		// By the mapping itself: a path may lead to another file meanwhile.
		if same, err := g.sameFile(dir+"/map_files/"+span, path); err != nil || !same {
			return who + "runs code that is not the image's (" + path + ")"
		}
	}
	return ""
}

// mappedCode takes a line of /proc/PID/maps apart. ok is false for what is no
// executable mapping of a file. In map_files a span has no leading zeroes.
func mappedCode(line string) (span, path string, ok bool) {
	f := strings.Fields(line)
	if len(f) < 6 || len(f[1]) < 4 || f[1][2] != 'x' || !strings.HasPrefix(f[5], "/") {
		return "", "", false
	}
	from, to, ok := strings.Cut(f[0], "-")
	trim := func(s string) string { return strings.TrimLeft(s, "0") }
	return trim(from) + "-" + trim(to), strings.TrimSuffix(strings.TrimSpace(line[strings.Index(line, f[5]):]), " (deleted)"), ok
}

// fileID tells whether a file is still what it was.
type fileID struct {
	dev, ino     uint64
	size         int64
	mtime, ctime unix.Timespec
}

func identify(fd int) (fileID, error) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	return fileID{st.Dev, st.Ino, st.Size, st.Mtim, st.Ctim}, err
}

// maxKnown bounds what sameFile remembers.
const maxKnown = 256

// sameFile says whether a file has what the image's file has. What was equal
// once is not read again.
func (g *guest) sameFile(theirs, ours string) (bool, error) {
	a, err := os.Open(theirs)
	if err != nil {
		return false, err
	}
	defer a.Close()
	b, err := os.Open(ours)
	if err != nil {
		return false, err
	}
	defer b.Close()
	id, err := identify(int(a.Fd()))
	if err != nil {
		return false, err
	}
	g.knownMu.Lock()
	known := g.known[id] == ours
	g.knownMu.Unlock()
	if known {
		return true, nil
	}
	if same, err := sameBytes(a, b); err != nil || !same {
		return false, err
	}
	g.knownMu.Lock()
	defer g.knownMu.Unlock()
	if g.known == nil || len(g.known) >= maxKnown {
		g.known = make(map[fileID]string)
	}
	g.known[id] = ours
	return true, nil
}

func sameBytes(a, b *os.File) (bool, error) {
	var x, y [64 << 10]byte
	for at := int64(0); ; {
		n, errA := a.ReadAt(x[:], at)
		m, errB := b.ReadAt(y[:], at)
		if n != m || !bytes.Equal(x[:n], y[:m]) {
			return false, nil
		}
		if n < len(x) {
			return errA != nil && errB != nil, nil // the end of both
		}
		at += int64(n)
	}
}
