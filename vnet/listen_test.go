package vnet_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/vnet"
	"golang.org/x/sys/unix"
)

func TestLongPath(t *testing.T) {
	b := newBench(t, vnet.Options{})
	b.dir = filepath.Join(b.dir, strings.Repeat("long", 20), strings.Repeat("longer", 20))
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b.segment("lan", vnet.SwitchKind)
	b.add("lan", "a", strings.Repeat("b", 80))
	if got := b.pass("a", frame(0xff, 1)); len(got) != 80 {
		t.Errorf("came out of %q; want the long one", got)
	}
	b.Close()
	if left, _ := os.ReadDir(b.dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestSocketMode(t *testing.T) {
	b := newBench(t, vnet.Options{})
	for _, tt := range []struct {
		give, want os.FileMode
	}{{0, 0o666}, {0o600, 0o600}, {0o660, 0o660}} {
		name := tt.want.String()
		if err := b.AddPort(vnet.PortConfig{Name: name, Path: b.path(name), Mode: tt.give}); err != nil {
			t.Fatal(err)
		}
		fi, err := os.Lstat(b.path(name))
		if err != nil {
			t.Fatal(err)
		}
		if fi.Mode() != tt.want|os.ModeSocket {
			t.Errorf("mode %v makes %v; want %v", tt.give, fi.Mode(), tt.want)
		}
	}
}

// A process that was killed leaves its socket files behind.
func TestStaleSocketIsReplaced(t *testing.T) {
	b := newBench(t, vnet.Options{})
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: b.path("a")}); err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	b.segment("lan", vnet.SwitchKind)
	b.add("lan", "a")
	if !b.stats("a").Up {
		t.Error("the port is down")
	}
}

func TestLiveSocketIsLeftAlone(t *testing.T) {
	first := newBench(t, vnet.Options{})
	first.segment("lan", vnet.SwitchKind)
	first.add("lan", "a", "b")
	second, err := vnet.New(vnet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	err = second.AddPort(vnet.PortConfig{Name: "a", Path: first.path("a")})
	if err == nil || !strings.Contains(err.Error(), "another process listens there") {
		t.Errorf("AddPort = %v; want that another process listens there", err)
	}
	if got := first.pass("b", frame(0xff, 2)); got != "a" {
		t.Errorf("the first switch's frame came out of %q; want a", got)
	}
	if got := first.pass("a", frame(2, 1)); got != "b" {
		t.Errorf("the first switch's frame came out of %q; want b", got)
	}
}

// A socket that somebody else has put in the place of ours is not ours to remove.
func TestForeignSocketIsLeftAlone(t *testing.T) {
	b := newBench(t, vnet.Options{})
	b.add("", "a")
	if err := os.Remove(b.path("a")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.path("a"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.Close()
	if _, err := os.Lstat(b.path("a")); err != nil {
		t.Errorf("the other file was removed: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	b := newBench(t, vnet.Options{})
	b.segment("lan", vnet.SwitchKind)
	b.segment("p2p", vnet.Link)
	b.add("p2p", "l1", "l2")
	if err := os.WriteFile(b.path("file"), []byte("dear"), 0o600); err != nil {
		t.Fatal(err)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fds[0])
	stream := os.NewFile(uintptr(fds[1]), "stream")
	defer stream.Close()
	closed, err := os.Open(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	long := filepath.Join(b.dir, strings.Repeat("x", 120))
	before := openFDs(t)
	port := func(c vnet.PortConfig) error { return b.AddPort(c) }
	for _, tt := range []struct {
		err  error
		want string
	}{
		{b.AddSegment(vnet.SegmentConfig{Name: "", Kind: vnet.Hub}), "adding a segment: it needs a name"},
		{b.AddSegment(vnet.SegmentConfig{Name: "lan", Kind: vnet.Hub}), "adding segment lan: there is one already"},
		{b.AddSegment(vnet.SegmentConfig{Name: "x", Kind: "ring"}), `adding segment x: unknown kind "ring", want switch, hub or link`},
		{b.RemoveSegment("x"), "removing segment x: there is none"},
		{b.RemovePort("x"), "removing port x: there is none"},
		{b.SetPlugged("x", true), "plugging port x: there is none"},
		{port(vnet.PortConfig{Path: b.path("p")}), "it needs a name"},
		{port(vnet.PortConfig{Name: "l1", Path: b.path("p")}), "there is one already"},
		{port(vnet.PortConfig{Name: "p"}), "it needs either a path or a connection"},
		{port(vnet.PortConfig{Name: "p", Path: b.path("p"), Conn: stream}), "it needs either a path or a connection"},
		{port(vnet.PortConfig{Name: "p", Path: "p"}), `"p" is not an absolute path`},
		{port(vnet.PortConfig{Name: "p", Path: "@p"}), `"@p" is not an absolute path`},
		{port(vnet.PortConfig{Name: "p", Path: b.path("p"), Segment: "nowhere"}), `there is no segment "nowhere"`},
		{port(vnet.PortConfig{Name: "p", Path: b.path("p"), Segment: "p2p"}), "link p2p has two ports already"},
		{port(vnet.PortConfig{Name: "p", Path: b.path("no/p")}), "no such file or directory"},
		{port(vnet.PortConfig{Name: "p", Path: long}), "is too long for a socket"},
		{port(vnet.PortConfig{Name: "p", Path: b.path("file")}), "is no socket; move it away"},
		{port(vnet.PortConfig{Name: "p", Conn: stream}), "it is not a SOCK_SEQPACKET socket"},
		{port(vnet.PortConfig{Name: "p", Conn: closed}), "duplicating the connection"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) {
			t.Errorf("error %v; want %q in it", tt.err, tt.want)
		}
	}
	if b, err := os.ReadFile(b.path("file")); string(b) != "dear" {
		t.Errorf("the file in the way was touched: %q, %v", b, err)
	}
	if n := len(b.Ports()); n != 2 {
		t.Errorf("%d ports; want the two of before", n)
	}
	if after := openFDs(t); after != before {
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}
