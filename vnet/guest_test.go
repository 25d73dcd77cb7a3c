package vnet_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet"
	"golang.org/x/sys/unix"
)

// bench is a switch under test, and the guests on it by port name.
type bench struct {
	*vnet.Switch
	t      *testing.T
	dir    string
	guests map[string]*guest
}

func newBench(t *testing.T, o vnet.Options) *bench {
	t.Helper()
	s, err := vnet.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &bench{Switch: s, t: t, dir: t.TempDir(), guests: map[string]*guest{}}
}

// settle returns when the switch has done all that the test's system calls
// until now asked for, as long as no port has more than a batch of frames
// waiting: a command takes its turn after every event that came before it.
func (b *bench) settle() {
	b.Segments()
}

func (b *bench) path(port string) string { return filepath.Join(b.dir, port) }

func (b *bench) segment(name string, kind vnet.Kind) {
	b.t.Helper()
	if err := b.AddSegment(vnet.SegmentConfig{Name: name, Kind: kind, Storm: -1}); err != nil {
		b.t.Fatal(err)
	}
}

// add adds ports to a segment, each with a guest whose interface is up.
func (b *bench) add(segment string, ports ...string) {
	b.t.Helper()
	for _, p := range ports {
		if err := b.AddPort(vnet.PortConfig{Name: p, Segment: segment, Path: b.path(p)}); err != nil {
			b.t.Fatal(err)
		}
		b.up(p)
	}
}

// up sets the interface of a port's guest up.
func (b *bench) up(port string) *guest {
	b.t.Helper()
	g := dial(b.t, b.path(port))
	b.guests[port] = g
	b.settle()
	return g
}

// down sets the interface of a port's guest down.
func (b *bench) down(port string) {
	b.guests[port].close()
	delete(b.guests, port)
	b.settle()
}

func (b *bench) stats(port string) vnet.PortStats {
	b.t.Helper()
	for _, p := range b.Ports() {
		if p.Name == port {
			return p
		}
	}
	b.t.Fatalf("there is no port %s", port)
	return vnet.PortStats{}
}

// pass has a guest send a frame and returns the ports it came out of, in
// alphabetical order with spaces between.
func (b *bench) pass(from string, frame []byte) string {
	b.t.Helper()
	b.guests[from].send(frame)
	b.settle()
	var to []string
	for name, g := range b.guests {
		for {
			got, ok := g.recv()
			if !ok {
				break
			}
			if !bytes.Equal(got, frame) {
				b.t.Errorf("%s sent %x, %s got %x", from, frame, name, got)
			}
			to = append(to, name)
		}
	}
	slices.Sort(to)
	return strings.Join(to, " ")
}

// guest is the guest's end of a port.
type guest struct {
	t    *testing.T
	fd   int
	once sync.Once
}

func dial(t *testing.T, path string) *guest {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	g := &guest{t: t, fd: fd}
	t.Cleanup(g.close)
	if len(path) > 107 {
		dir, err := os.Open(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		path = fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatalf("connecting to %s: %v", path, err)
	}
	return g
}

// pair is a connection with the guest at one end and, as a file for AddPort,
// the switch at the other.
func pair(t testing.TB) (guestEnd int, switchEnd *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[1]), "switch end")
	t.Cleanup(func() { f.Close() })
	return fds[0], f
}

func (g *guest) close() { g.once.Do(func() { unix.Close(g.fd) }) }

func (g *guest) send(frame []byte) {
	g.t.Helper()
	if err := unix.Sendto(g.fd, frame, unix.MSG_NOSIGNAL, nil); err != nil {
		g.t.Fatalf("sending %d bytes: %v", len(frame), err)
	}
}

// recv returns a frame that has come, if one has.
func (g *guest) recv() ([]byte, bool) {
	b := make([]byte, 1<<16)
	n, _, err := unix.Recvfrom(g.fd, b, unix.MSG_DONTWAIT)
	if err != nil || n == 0 {
		return nil, false
	}
	return b[:n], true
}

// connected says whether the switch has kept its end open.
func (g *guest) connected() bool {
	p := []unix.PollFd{{Fd: int32(g.fd), Events: unix.POLLRDHUP}}
	if _, err := unix.Poll(p, 0); err != nil {
		g.t.Fatal(err)
	}
	return p[0].Revents == 0
}

// frame makes one of 64 bytes, from and to addresses that end in a byte.
// Addresses 0xf0 and up are groups, 0 is the zero address, 0xff is broadcast.
func frame(dst, src byte) []byte {
	f := make([]byte, 64)
	copy(f, addr(dst))
	copy(f[6:], addr(src))
	binary.BigEndian.PutUint16(f[12:], 0x88b5) // for local experiments
	for i := range f[14:] {
		f[14+i] = byte(i)
	}
	return f
}

func addr(last byte) []byte {
	switch {
	case last == 0:
		return make([]byte, 6)
	case last == 0xff:
		return bytes.Repeat([]byte{0xff}, 6)
	case last >= 0xf0:
		return []byte{0x01, 0x80, 0xc2, 0, 0, last & 0xf}
	}
	return []byte{2, 0, 0, 0, 0, last}
}

// eventually waits for something that another process or goroutine does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// clock is one that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1e9, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// links collects what OnLink is told.
type links struct {
	mu   sync.Mutex
	told []string
}

func (l *links) OnLink(port string, up bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, fmt.Sprint(port, " ", up))
}

func (l *links) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.told, ", ")
}
