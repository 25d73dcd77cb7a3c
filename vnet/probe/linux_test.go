package probe_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/probe"
	"github.com/patchbay/patchbay/vnet/stackport"
)

// mirror sees every frame of a segment.
type mirror struct {
	mu     sync.Mutex
	frames [][]byte // guarded by mu
}

func newMirror(t testing.TB, sw *vnet.Switch, segment string) *mirror {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "mirror"), os.NewFile(uintptr(fds[1]), "switch")
	defer theirs.Close()
	if err := sw.AddPort(vnet.PortConfig{Name: "mirror", Segment: segment, Conn: theirs, Mirror: true}); err != nil {
		t.Fatal(err)
	}
	m := &mirror{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b := make([]byte, 1<<16)
		for {
			n, err := ours.Read(b)
			if err != nil || n == 0 {
				return
			}
			m.mu.Lock()
			m.frames = append(m.frames, slices.Clone(b[:n]))
			m.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		ours.Close()
		<-ended
	})
	return m
}

// looks are the different looks of the frames that an address sent, beside
// those that a Linux machine sends of itself.
func (m *mirror) looks(from net.HardwareAddr) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []string
	for _, f := range m.frames {
		if string(f[6:12]) != string(from) {
			continue
		}
		if l := look(f); l != "" && !slices.Contains(all, l) {
			all = append(all, l)
		}
	}
	slices.Sort(all)
	return all
}

func (m *mirror) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.frames = nil
}

// look describes a frame without what differs between any two machines or
// connections: addresses, ports, numbers that count.
func look(f []byte) string {
	b := f[14:]
	switch binary.BigEndian.Uint16(f[12:]) {
	case 0x0806:
		return fmt.Sprintf("ARP op %d, %d bytes, to all %v, for %x", b[7], len(f), f[0] == 0xff, zeroOr(b[18:24]))
	case 0x0800:
		return fmt.Sprintf("IPv4 header %x tos %x flags %x id %s ttl %d, ", b[0], b[1], b[6]>>5, zeroOr(b[4:6]), b[8]) + transport(b[9], b[20:])
	case 0x86dd:
		label := []byte{b[1] & 15, b[2], b[3]}
		if b[6] == 58 && (b[40] == 133 || b[40] == 135 && zeroOr(b[8:24]) == "zero") || b[6] == 0 {
			return "" // asking for routers and duplicates, telling of groups
		}
		return fmt.Sprintf("IPv6 %x label %s hops %d, ", b[0], zeroOr(label), b[7]) + transport(b[6], b[40:])
	}
	return fmt.Sprintf("EtherType %x", f[12:14])
}

func zeroOr(b []byte) string {
	if strings.Trim(string(b), "\x00") == "" {
		return "zero"
	}
	return "some"
}

func transport(proto byte, b []byte) string {
	switch proto {
	case 1:
		return fmt.Sprintf("ICMP %d.%d, %d bytes", b[0], b[1], len(b))
	case 17:
		return fmt.Sprintf("UDP, %d bytes", len(b))
	case 58:
		s := fmt.Sprintf("ICMPv6 %d.%d, %d bytes", b[0], b[1], len(b))
		if b[0] == 135 || b[0] == 136 {
			s += fmt.Sprintf(", flags %x, option %x", b[4], b[24:26])
		}
		return s
	}
	n, flags := int(b[12]>>4)*4, b[13]
	s := fmt.Sprintf("TCP flags %x, %d bytes", flags, len(b)-n)
	for o := b[20:n]; len(o) > 0; {
		size := 1
		if o[0] > 1 {
			size = int(o[1])
		}
		s += fmt.Sprintf(", option %d", o[0])
		if o[0] == 2 || o[0] == 3 { // MSS, window scale
			s += fmt.Sprintf(" %x", o[2:size])
		}
		o = o[size:]
	}
	if flags&2 != 0 {
		s += fmt.Sprintf(", window %d", binary.BigEndian.Uint16(b[14:]))
	}
	return s
}

const pyServer = `import socket
s = socket.socket(socket.AF_INET6)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("::", 80))
s.listen(5)
while True:
  c, _ = s.accept()
  c.recv(10)
  c.send(b"hi")
  c.close()
`

const pyClient = `import socket, sys
a = sys.argv[1]
c = socket.create_connection((a, 80))
c.send(b"x")
while c.recv(10): pass
c.close()
u = socket.socket(socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_DGRAM)
u.connect((a, 9))
u.send(b"hello")
try: u.recv(10)
except ConnectionRefusedError: pass
try: socket.create_connection((a, 81))
except ConnectionRefusedError: pass
`

// A probe's frames look like those of a Linux machine that does the same, as
// the one who asks and as the one who answers.
func TestLooksLikeLinux(t *testing.T) {
	sw := newSwitch(t, "lan")
	m := newMirror(t, sw, "lan")
	a, b := boot(t, sw, "pc1", "lan"), boot(t, sw, "pc2", "lan")
	// Packets of a guest's start must not be taken for answers.
	a.sh(t, "ip addr add 10.0.0.1/24 dev eth0; ip addr add fd00::1/64 dev eth0 nodad")
	b.sh(t, "ip addr add 10.0.0.2/24 dev eth0; ip addr add fd00::2/64 dev eth0 nodad")
	for _, g := range []machine{a, b} {
		if err := g.Agent().Put(within(t), "/root/server.py", 0o644, []byte(pyServer)); err != nil {
			t.Fatal(err)
		}
		if err := g.Agent().Put(within(t), "/root/client.py", 0o644, []byte(pyClient)); err != nil {
			t.Fatal(err)
		}
	}
	a.sh(t, "(nohup python3 /root/server.py >/dev/null 2>&1 &); until ss -ltn | grep -q :80; do sleep 0.05; done")
	h := attachWith(t, sw, "lan", probe.Options{Seed: "pc3"}, "10.0.0.3/24", "fd00::3/64")
	for _, at := range []string{"0.0.0.0:80", "[::]:80"} {
		go serveHi(listen(t, h, at))
	}

	// Linux asks Linux.
	m.forget()
	for _, to := range []string{"10.0.0.1", "fd00::1"} {
		b.sh(t, "ping -c 1 "+to+" && python3 /root/client.py "+to)
	}
	asks, answers := m.looks(stackport.MAC("pc2/eth0")), m.looks(stackport.MAC("pc1/eth0"))

	// Linux asks the probe.
	m.forget()
	for _, to := range []string{"10.0.0.3", "fd00::3"} {
		b.sh(t, "ping -c 1 "+to+" && python3 /root/client.py "+to)
	}
	compare(t, "answers", answers, m.looks(h.MAC()))

	// The probe asks Linux. It forgets who that is first, as another probe.
	h.Close()
	h = attachWith(t, sw, "lan", probe.Options{Seed: "pc4"}, "10.0.0.4/24", "fd00::4/64")
	m.forget()
	for _, to := range []string{"10.0.0.1", "fd00::1"} {
		ask(t, h, to)
	}
	compare(t, "questions", asks, m.looks(h.MAC()))
}

func compare(t *testing.T, what string, linux, ours []string) {
	t.Helper()
	if len(linux) < 10 {
		t.Errorf("Linux's %s were not seen: %q", what, linux)
	}
	for _, l := range linux {
		if !slices.Contains(ours, l) {
			t.Errorf("%s: Linux alone sends\n%s", what, l)
		}
	}
	for _, l := range ours {
		if !slices.Contains(linux, l) {
			t.Errorf("%s: the probe alone sends\n%s", what, l)
		}
	}
}

func serveHi(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.Read(make([]byte, 10))
		c.Write([]byte("hi"))
		c.Close()
	}
}

// ask does with a probe what ping and pyClient do.
func ask(t *testing.T, h *probe.Host, to string) {
	t.Helper()
	if _, err := h.Ping(within(t), ip(to), probe.Ping{}); err != nil {
		t.Fatal(err)
	}
	at := func(port uint16) string { return netip.AddrPortFrom(ip(to), port).String() }
	c, err := h.Dial(within(t), "tcp", at(80))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || string(got) != "hi" {
		t.Errorf("read %q, %v; want hi", got, err)
	}
	c.Close()
	u, err := h.Dial(within(t), "udp", at(9))
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	if _, err := u.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	u.SetReadDeadline(time.Now().Add(patience))
	_, err = u.Read(make([]byte, 10))
	fails(t, err, probe.Refused, "port unreachable")
	_, err = h.Dial(within(t), "tcp", at(81))
	fails(t, err, probe.Refused, "the port is closed")
}
