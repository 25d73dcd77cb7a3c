package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/stackport"
)

// Attacher is what a Host needs of a vnet.Switch.
type Attacher = stackport.Switch

// Route leads to a destination that is not on the segment.
type Route struct {
	To  netip.Prefix
	Via netip.Addr // a neighbour
}

// Options of a Host.
type Options struct {
	Name string // of the switch's port; "" makes one of the MAC

	// MAC is the interface's address; nil draws one from Seed as the lab's
	// own are drawn, or by chance if Seed is empty too.
	MAC  net.HardwareAddr
	Seed string

	// Addresses the host has, each with the length of its network's prefix.
	// With an IPv6 address it has a link-local one too, made from the MAC.
	// None is fine for what needs none: asking by ARP, or DHCP.
	Addresses []netip.Prefix
	Gateway   netip.Addr // the default router, of either version; invalid for none
	Routes    []Route    // more, such as the other version's default
	DNS       netip.Addr // the server that Dial and HTTP ask for names; invalid for none

	MTU int // bytes of an IP packet; 0 means 1500

	// VLAN is how the switch treats the port: a machine that knows nothing of
	// VLANs has its port in one by Access.
	VLAN vnet.VLANConfig
	// Tag is the VLAN tag that the host itself puts on its frames and takes
	// frames with, as a machine on a trunk does; 0 for none.
	Tag uint16
}

// Host is a machine on a segment. Its methods may be called from any goroutine.
type Host struct {
	port  *stackport.Port
	stack *stack.Stack
	o     Options
	mac   net.HardwareAddr
	taps  taps
	dress *dress
	name  string

	ctx    context.Context // ends with the Host
	cancel context.CancelCauseFunc
	detach func() bool // takes the Host off the context it was attached with

	mu     sync.Mutex
	nets   []netip.Prefix // guarded by mu; the addresses it has now
	routes []Route        // guarded by mu
	dns    netip.Addr     // guarded by mu
	open   map[*conn]struct{}
	closed bool // guarded by mu

	running sync.WaitGroup // operations under way
	closing sync.Once
	done    chan struct{} // closed when Close has done its work
}

// errClosed is why operations of a Host that has been closed end.
var errClosed = errors.New("the probe has been closed")

// Attach joins a segment of a switch. The Host says nothing until it is asked
// to; it ends with ctx or when it is closed, whichever comes first. Whoever
// called Attach must call Close, which waits.
func Attach(ctx context.Context, sw Attacher, segment string, o Options) (*Host, error) {
	a := asked{"attach to", segment}
	if err := ctx.Err(); err != nil {
		return nil, &Error{Op: a.op, Target: a.target, Cause: Cancelled, Err: context.Cause(ctx)}
	}
	if o.MTU == 0 {
		o.MTU = 1500
	}
	mac := o.MAC
	switch {
	case mac != nil:
	case o.Seed != "":
		mac = stackport.MAC(o.Seed)
	default:
		mac = stackport.MAC(rand.Text())
	}
	h := &Host{o: o, mac: mac, dns: o.DNS, dress: newDress(), open: map[*conn]struct{}{}, done: make(chan struct{})}
	if err := h.checkAddresses(a); err != nil {
		return nil, err
	}
	c := vnet.PortConfig{Name: o.Name, Segment: segment, VLAN: o.VLAN}
	if c.Name == "" {
		c.Name = "probe-" + fmt.Sprintf("%x", []byte(mac))
	}
	h.name = c.Name
	var err error
	h.port, err = stackport.Join(sw, c, stackport.Options{
		MAC: mac, MTU: o.MTU, VLAN: o.Tag, Observe: h.observe, Finish: h.dress.finish,
	})
	if err != nil {
		return nil, a.fault(err, "the switch does not take the probe")
	}
	if err := h.start(a); err != nil {
		h.port.Close()
		h.stack.Destroy()
		return nil, err
	}
	h.ctx, h.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	h.detach = context.AfterFunc(ctx, h.end)
	return h, nil
}

// MAC is the address of the Host's interface.
func (h *Host) MAC() net.HardwareAddr { return append(net.HardwareAddr(nil), h.mac...) }

// Port is the name of the switch's port that the Host is on.
func (h *Host) Port() string { return h.name }

// Addresses are those the Host has now.
func (h *Host) Addresses() []netip.Prefix {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]netip.Prefix(nil), h.nets...)
}

// server is the DNS server to ask.
func (h *Host) server() netip.Addr {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dns
}

// observe is called for every frame that comes.
func (h *Host) observe(frame []byte) {
	if h.taps.idle() {
		return
	}
	if p, ok := dissect(frame, time.Now()); ok {
		h.taps.tell(&p)
	}
}

// broken says why the Host cannot work, nil while it can.
func (h *Host) broken() error {
	if err := context.Cause(h.ctx); err != nil {
		return err
	}
	return h.port.Err()
}

// begin starts an operation: its context ends with the Host's too, and Close
// waits until end is called.
func (h *Host) begin(ctx context.Context, a asked) (_ context.Context, end func(), err error) {
	if ctx.Err() != nil {
		return nil, nil, &Error{Op: a.op, Target: a.target, Cause: Cancelled, Err: context.Cause(ctx), Seen: "not begun"}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, nil, a.fault(errClosed, "not begun")
	}
	if err := h.port.Err(); err != nil {
		return nil, nil, a.fault(err, "the probe's port has ended")
	}
	h.running.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(h.ctx, func() { cancel(errClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
		h.running.Done()
	}, nil
}

// farewell is how long Close waits for its connections to end in good order.
const farewell = 250 * time.Millisecond

// Close takes the Host away: operations under way end with an error, open
// connections are closed as when a program ends, which may take 250 ms where
// the other end is slow, and the port leaves the switch. When Close returns
// nothing of the Host runs. It may be called again.
func (h *Host) Close() error {
	h.detach()
	h.end()
	<-h.done
	return nil
}

func (h *Host) end() {
	h.closing.Do(func() {
		defer close(h.done)
		h.mu.Lock()
		h.closed = true
		h.mu.Unlock()
		h.cancel(errClosed)
		h.running.Wait()
		h.hangUp(farewell)
		h.port.Close()
		h.stack.Destroy()
	})
}
