package stackport

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/offload"
)

// Switch is what a Port needs of a vnet.Switch.
type Switch interface {
	AddPort(vnet.PortConfig) error
	RemovePort(name string) error
}

// Options of a Port.
type Options struct {
	MAC net.HardwareAddr // six bytes, one interface's
	MTU int              // bytes of an IP packet; 0 means 1500; 68…9000

	// VLAN is the tag (1…4094) put on every frame sent and asked of every frame
	// received, which the stack sees without it: the port is a tagged member
	// of that VLAN and of no other. 0 sends and takes untagged frames alone.
	VLAN uint16

	// Offload has the switch put a struct virtio_net_hdr before every frame, as
	// a guest with offloads does: TCP goes and comes in super-frames of up
	// to 64 KiB. It is for bulk, and shows in what Observe and Finish see:
	// super-frames, and in Finish TCP checksums that are still to be completed.
	Offload bool

	// Observe sees every frame that the stack is about to get, without its
	// tag. It is called from the one goroutine that reads, and must neither
	// keep the frame nor change it, nor wait. nil observes nothing.
	Observe func(frame []byte)

	// Finish sees every frame of the stack, without its tag, before it is
	// sent and may change it in place. It is called from whichever goroutine
	// sends and must not wait. nil changes nothing.
	Finish func(frame []byte)
}

// ErrClosed is returned by Send when the Port has been closed.
var ErrClosed = errors.New("the port is closed")

// ErrHungUp is the end of a Port whose switch closed the connection.
var ErrHungUp = errors.New("the switch closed the port's connection")

// Port is one port of a switch, seen from a network stack. It implements
// stack.LinkEndpoint.
type Port struct {
	sw      Switch
	name    string
	conn    *net.UnixConn
	tag     uint16
	observe func([]byte)
	finish  func([]byte)
	offload bool

	mtu atomic.Uint32
	mac atomic.Pointer[tcpip.LinkAddress]

	mu         sync.Mutex
	dispatcher stack.NetworkDispatcher // guarded by mu
	err        error                   // guarded by mu; why nothing more is read or written

	closing sync.Once
	closed  atomic.Bool
	reader  chan struct{} // closed when the reader has ended
}

var _ stack.LinkEndpoint = (*Port)(nil)

// Join adds a port to sw as c says, without Path, Conn, Offload and Carrier,
// and returns its other end. Frames that come before the Port is given to a stack are dropped.
// Whoever called Join must call Close.
func Join(sw Switch, c vnet.PortConfig, o Options) (*Port, error) {
	if o.MTU == 0 {
		o.MTU = 1500
	}
	switch {
	case len(o.MAC) != header.EthernetAddressSize || o.MAC[0]&1 != 0 || bytes.Equal(o.MAC, make([]byte, 6)):
		return nil, fmt.Errorf("joining %s: %q is not the address of one Ethernet interface", c.Segment, o.MAC)
	case o.MTU < 68 || o.MTU > 9000:
		return nil, fmt.Errorf("joining %s: an MTU of %d; 68 to 9000 are possible", c.Segment, o.MTU)
	case o.VLAN > 4094:
		return nil, fmt.Errorf("joining %s: VLAN %d; 1 to 4094 are possible", c.Segment, o.VLAN)
	}
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, fmt.Errorf("joining %s: %w", c.Segment, err)
	}
	defer theirs.Close()
	c.Path, c.Conn = "", theirs
	c.Offload, c.Carrier = o.Offload, false
	if err := sw.AddPort(c); err != nil {
		ours.Close()
		return nil, fmt.Errorf("joining %s: %w", c.Segment, err)
	}
	p := &Port{sw: sw, name: c.Name, conn: ours, tag: o.VLAN, observe: o.Observe, finish: o.Finish, offload: o.Offload, reader: make(chan struct{})}
	p.mtu.Store(uint32(o.MTU))
	p.SetLinkAddress(tcpip.LinkAddress(o.MAC))
	go p.read()
	return p, nil
}

func socketpair() (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making a socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "port"), os.NewFile(uintptr(fds[1]), "switch")
	defer ours.Close() // FileConn duplicates it
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("making a socket pair: %w", err)
	}
	return conn.(*net.UnixConn), theirs, nil
}

// MAC returns the address of a locally administered interface, drawn from the
// names so that it stays the same and others differ.
func MAC(names ...string) net.HardwareAddr {
	sum := sha256.Sum256([]byte(strings.Join(names, "\x00")))
	hw := net.HardwareAddr(sum[:6])
	hw[0] = 0x02
	return hw
}

// Name is the name of the switch's port.
func (p *Port) Name() string { return p.name }

// Send sends a frame, complete from the destination's address on and without a
// VLAN tag, beside those of the stack. It waits while the socket is full.
func (p *Port) Send(frame []byte) error {
	if len(frame) < header.EthernetMinimumSize {
		return fmt.Errorf("sending a frame of %d bytes: an Ethernet header alone has %d", len(frame), header.EthernetMinimumSize)
	}
	r := p.record(len(frame))
	return p.write(append(r, frame...), offload.Header{})
}

// record is the beginning of a record for a frame: room for what goes before
// it, and for a tag.
func (p *Port) record(size int) []byte {
	if p.offload {
		return make([]byte, offload.Size, offload.Size+size+tagSize)
	}
	return make([]byte, 0, size+tagSize)
}

// write sends what record began and a frame was appended to.
func (p *Port) write(record []byte, h offload.Header) error {
	at := 0
	if p.offload {
		at = offload.Size
	}
	if p.tag != 0 {
		record = record[:at+len(tagged(record[at:], p.tag))]
		h = h.Shift(tagSize)
	}
	if p.offload {
		h.Put(record)
	}
	if _, err := p.conn.Write(record); err != nil {
		if p.closed.Load() {
			return ErrClosed
		}
		if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
			err = ErrHungUp
		}
		err = fmt.Errorf("sending a frame: %w", err)
		p.fail(err)
		return err
	}
	return nil
}

// read gives the stack what the switch sends, until the connection ends.
func (p *Port) read() {
	defer close(p.reader)
	size := vnet.MaxFrame
	if p.offload {
		size = offload.Size + maxSuper
	}
	buf := make([]byte, size)
	for {
		n, _, flags, _, err := p.conn.ReadMsgUnix(buf, nil)
		switch {
		case err == nil && n > 0:
		case p.closed.Load():
			return
		case n == 0 && err == nil, errors.Is(err, io.EOF), errors.Is(err, unix.ECONNRESET):
			p.fail(ErrHungUp)
			return
		default:
			p.fail(fmt.Errorf("receiving frames: %w", err))
			return
		}
		if flags&unix.MSG_TRUNC != 0 {
			continue
		}
		p.take(buf[:n])
	}
}

func (p *Port) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

// Err says why the Port neither sends nor receives any more: ErrClosed,
// ErrHungUp, or something that the host's system said. nil while it works.
func (p *Port) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Done is closed when nothing more will be received; Err says why.
func (p *Port) Done() <-chan struct{} { return p.reader }

// Close takes the port away from the switch and returns when nothing of the
// Port runs. What it sent before has been passed on, as long as that is less
// than the switch takes in one round (64 frames). It may be called again; what
// a stack calls while it removes the Port is the same.
func (p *Port) Close() {
	p.closing.Do(func() {
		p.closed.Store(true)
		p.fail(ErrClosed)
		// First from the switch, so that nobody is told of a link that went
		// down; it goes on reading the connection until that ends. A name that
		// is gone already was removed by the switch's owner.
		p.sw.RemovePort(p.name)
		p.conn.Close()
	})
	<-p.reader
}
