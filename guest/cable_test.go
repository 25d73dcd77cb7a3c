package guest_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/patchbay/patchbay/guest"
	"github.com/patchbay/patchbay/guest/agent"
)

// vnetHeader is what comes before each frame of a kernel with offload, a struct
// virtio_net_hdr.
const vnetHeader = 10

// Values of its second byte.
const (
	gsoNone  = 0
	gsoTCPv4 = 1
	gsoTCPv6 = 4
	gsoECN   = 0x80
)

// headerBytes is how much comes before each frame of k's interfaces.
func headerBytes(k guest.Kernel) int {
	if k.Offload {
		return vnetHeader
	}
	return 0
}

// cable joins the eth0 of two guests and looks at what it carries.
type cable struct {
	offload bool
	ends    [2]*net.UnixListener
	wg      sync.WaitGroup

	mu      sync.Mutex
	conns   []net.Conn
	kinds   map[byte]int // datagrams by type of segmentation
	largest int          // frame, without its header
	bad     error        // the first datagram that cannot be true
}

// newCable gives each config an eth0 on one end of a new cable. It works until
// the test ends.
func newCable(t testing.TB, configs ...*guest.Config) *cable {
	t.Helper()
	l := &cable{offload: configs[0].Kernel.Offload, kinds: map[byte]int{}}
	for i, c := range configs {
		l.ends[i] = plug(t, c, 0)
		c.Machine.Interfaces[0].Addresses = []string{fmt.Sprintf("10.0.0.%d/24", i+1), fmt.Sprintf("fd00::%d/64", i+1)}
	}
	l.start(t)
	return l
}

// start joins the ends.
func (l *cable) start(t testing.TB) {
	l.wg.Go(l.run)
	t.Cleanup(func() {
		for _, end := range l.ends {
			end.Close()
		}
		l.mu.Lock()
		for _, c := range l.conns {
			c.Close()
		}
		l.mu.Unlock()
		l.wg.Wait()
	})
}

// plug gives c an interface ethN on a socket of its own.
func plug(t testing.TB, c *guest.Config, n int) *net.UnixListener {
	t.Helper()
	path := filepath.Join(c.Dir, fmt.Sprintf("net%d", n))
	end := listenSeqpacket(t, path)
	t.Cleanup(func() { end.Close() })
	if err := end.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	// The folders of one test differ in their last digit.
	mac := fmt.Sprintf("02:00:00:00:%02x:%02x", c.Dir[len(c.Dir)-1], n+1)
	c.NICs = append(c.NICs, guest.NIC{MAC: mac, Socket: path})
	c.Machine.Interfaces = append(c.Machine.Interfaces, agent.Interface{Vec: n, Name: fmt.Sprintf("eth%d", n)})
	return end
}

func (l *cable) run() {
	var both [2]net.Conn
	for i, end := range l.ends {
		c, err := end.Accept()
		if err != nil {
			return // the test is over
		}
		both[i] = c
		l.mu.Lock()
		l.conns = append(l.conns, c)
		l.mu.Unlock()
	}
	l.wg.Go(func() { l.carry(both[0], both[1]) })
	l.carry(both[1], both[0])
}

func (l *cable) carry(from, to net.Conn) {
	p := make([]byte, 1<<17)
	for {
		n, err := from.Read(p)
		if n == 0 || err != nil {
			return
		}
		l.note(p[:n])
		if _, err := to.Write(p[:n]); err != nil {
			return
		}
	}
}

func (l *cable) note(d []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	frame := d
	if l.offload {
		if err := checkHeader(d); err != nil && l.bad == nil {
			l.bad = fmt.Errorf("%w: %x", err, d[:min(len(d), 80)])
		}
		l.kinds[d[1]&^gsoECN]++
		frame = d[vnetHeader:]
	}
	l.largest = max(l.largest, len(frame))
}

// checkHeader says what is wrong with the header that a guest put before a
// frame.
func checkHeader(d []byte) error {
	if len(d) < vnetHeader+14 {
		return errors.New("no whole frame")
	}
	field := func(i int) int { return int(binary.LittleEndian.Uint16(d[i:])) }
	flags, kind, size, start, offset := d[0], d[1]&^gsoECN, field(4), field(6), field(8)
	frame := len(d) - vnetHeader
	switch {
	case flags > 1:
		return errors.New("unknown flags")
	case kind != gsoNone && kind != gsoTCPv4 && kind != gsoTCPv6:
		return errors.New("a type that was not agreed on")
	case flags == 1 && start+offset+2 > frame:
		return errors.New("a checksum outside the frame")
	case kind != gsoNone && (flags != 1 || size == 0 || frame <= start+size):
		return errors.New("a segment that need not be cut")
	case kind == gsoNone && frame > 9014:
		return errors.New("a long frame that is not to be cut")
	}
	return nil
}

// seen returns what has passed so far.
func (l *cable) seen() (kinds map[byte]int, largest int, bad error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.kinds), l.largest, l.bad
}

// kernels runs a test with each kernel there is and each way of using it.
func kernels(t *testing.T, f func(t *testing.T, config func() *guest.Config)) {
	p := need(t)
	run := func(name string, change func(c *guest.Config)) {
		t.Run(name, func(t *testing.T) {
			f(t, func() *guest.Config {
				c := realConfig(t)
				change(&c)
				return &c
			})
		})
	}
	if p.kernel.Offload {
		run("offload", func(*guest.Config) {})
	}
	run("plain", func(c *guest.Config) { c.Kernel.Offload = false })
	if p.stock.Path != "" {
		run("stock", func(c *guest.Config) { c.Kernel, c.Initrd, c.Memory = p.stock, p.stockInitrd, 128<<20 })
	}
}
