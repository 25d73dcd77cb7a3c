package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// conn is an open connection of a Host, or a listener's place in its list.
type conn struct {
	net.Conn // nil for a listener
	h        *Host
	a        asked
	peer     netip.Addr
	ep       tcpip.Endpoint // nil for UDP
	shut     func() error
	once     sync.Once
	closed   atomic.Bool
	err      error

	// gonet's reader of UDP does not wake up for an ICMP error, so a deadline
	// that has passed wakes it, and the user's is put back.
	told     atomic.Pointer[ICMP]
	mu       sync.Mutex
	deadline time.Time // guarded by mu; the user's, of reading
}

// track notes what must be closed with the Host. It forgets those that have
// come to their end.
func (h *Host) track(c *conn) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return errClosed
	}
	for old := range h.open {
		if old.ended() {
			delete(h.open, old)
		}
	}
	h.open[c] = struct{}{}
	return nil
}

// ended says that nothing of a connection is still to be sent.
func (c *conn) ended() bool {
	if c.ep == nil {
		return false // until it is closed, which takes it off the list
	}
	switch tcp.EndpointState(c.ep.State()) {
	case tcp.StateTimeWait, tcp.StateClose, tcp.StateError:
		return true
	}
	return false
}

// hangUp closes what is open and gives the closing time to be carried out.
func (h *Host) hangUp(most time.Duration) {
	h.mu.Lock()
	var open []*conn
	for c := range h.open {
		open = append(open, c)
	}
	h.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
	if h.port.Err() != nil {
		return
	}
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(time.Millisecond) {
		left := false
		for _, c := range open {
			left = left || c.ep != nil && !c.ended()
		}
		if !left {
			return
		}
	}
}

// Close closes the connection. It may be called again.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.closed.Store(true)
		c.err = c.shut()
		if c.ep == nil {
			c.h.mu.Lock()
			delete(c.h.open, c)
			c.h.mu.Unlock()
		}
	})
	return c.err
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	return n, c.explain("reading from", err)
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	return n, c.explain("writing to", err)
}

// hear wakes a reader of UDP for an ICMP error.
func (c *conn) hear(m ICMP) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told.Store(&m)
	c.Conn.SetReadDeadline(time.Unix(1, 0))
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	if c.told.Load() != nil {
		return nil // is told first
	}
	return c.Conn.SetReadDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.Conn.SetWriteDeadline(t))
}

// CloseWrite ends what this side says, for a TCP connection.
func (c *conn) CloseWrite() error {
	t, ok := c.Conn.(*gonet.TCPConn)
	if !ok {
		return c.a.fault(nil, "only TCP ends in one direction")
	}
	return t.CloseWrite()
}

// explain makes an Error of what gVisor says of a connection.
func (c *conn) explain(op string, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	a := asked{op, c.a.target}
	if broken := c.h.broken(); broken != nil {
		return a.fault(broken, "the probe has ended")
	}
	if c.closed.Load() {
		return a.fault(net.ErrClosed, "the connection was closed here")
	}
	if m := c.told.Swap(nil); m != nil {
		c.mu.Lock()
		c.Conn.SetReadDeadline(c.deadline)
		c.mu.Unlock()
		return a.told(*m, c.peer)
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		e := a.found(Silence, netip.Addr{}, "nothing came until the deadline")
		e.Err = os.ErrDeadlineExceeded
		return e
	}
	text := err.Error()
	says := func(e tcpip.Error) bool { return strings.HasSuffix(text, e.String()) }
	switch {
	case says(&tcpip.ErrConnectionReset{}), says(&tcpip.ErrConnectionAborted{}):
		return a.found(Refused, c.peer, "%s reset the connection", c.peer)
	case says(&tcpip.ErrConnectionRefused{}):
		return a.found(Refused, c.peer, "%s answered: port unreachable", c.peer)
	case says(&tcpip.ErrTimeout{}):
		return a.found(Silence, netip.Addr{}, "what was sent was not acknowledged")
	case says(&tcpip.ErrClosedForSend{}), says(&tcpip.ErrClosedForReceive{}), says(&tcpip.ErrNotConnected{}):
		return a.found(Refused, c.peer, "%s has ended the connection", c.peer)
	case says(&tcpip.ErrHostUnreachable{}), says(&tcpip.ErrNetworkUnreachable{}):
		return a.found(Unreachable, netip.Addr{}, "the way there has been lost")
	}
	return a.fault(err, "the connection cannot be used")
}

// Dial connects as net.Dialer does: to "tcp", "udp", and each with 4 or 6, at
// "address:port" or "name:port", the name to be asked for from Options.DNS. A
// TCP connection that does not come about is an Error: Refused for a reset,
// Unreachable for an ICMP error, Silence or NoNeighbour for nothing. UDP
// finds the neighbour and says nothing more; that a port is closed shows when
// reading.
func (h *Host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	a := asked{"connect to", address + " by " + network}
	ctx, end, err := h.begin(ctx, a)
	if err != nil {
		return nil, err
	}
	defer end()
	targets, err := h.targets(ctx, a, network, address)
	if err != nil {
		return nil, err
	}
	for _, to := range targets {
		a := asked{"connect to", to.String() + " by " + network}
		var c net.Conn
		if strings.HasPrefix(network, "tcp") {
			c, err = h.dialTCP(ctx, a, to)
		} else {
			c, err = h.dialUDP(ctx, a, to)
		}
		if err == nil || ctx.Err() != nil {
			return c, err
		}
	}
	return nil, err
}

// dialTCP connects to one address.
func (h *Host) dialTCP(ctx context.Context, a asked, to netip.AddrPort) (net.Conn, error) {
	if err := h.meet(ctx, a, to.Addr()); err != nil {
		return nil, err
	}
	wq := new(waiter.Queue)
	ep, terr := h.stack.NewEndpoint(tcp.ProtocolNumber, network(to.Addr()), wq)
	if terr != nil {
		return nil, a.fault(stackError(terr), "opening a socket")
	}
	entry, ready := waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventErr | waiter.EventHUp)
	wq.EventRegister(&entry)
	defer wq.EventUnregister(&entry)
	errs, stop := watch(h, func(p *packet) (ICMP, bool) {
		m, from, ok := complaint(p, protoTCP, to)
		at, terr := ep.GetLocalAddress()
		return m, ok && terr == nil && at.Port == from
	})
	defer stop()

	begun := time.Now()
	terr = ep.Connect(fullAddress(to))
	if _, started := terr.(*tcpip.ErrConnectStarted); started {
		var m ICMP
		told := false
		select {
		case <-ready:
			terr = ep.LastError()
		case m = <-errs:
			told = true
		case <-h.port.Done():
			ep.Close()
			return nil, a.fault(h.broken(), "the probe's port has ended")
		case <-ctx.Done():
			// A last SYN's answer is not to be reset by a stack that has
			// forgotten what it asked; but so does Linux.
			ep.Close()
			return nil, h.over(ctx, a, begun, "no answer to its SYNs")
		}
		if !told && terr != nil { // perhaps the message made the stack give up
			select {
			case m = <-errs:
				told = true
			default:
			}
		}
		if told {
			ep.Close()
			return nil, a.told(m, to.Addr())
		}
	}
	if terr == nil {
		tc := gonet.NewTCPConn(wq, ep)
		c := &conn{Conn: tc, h: h, a: a, peer: to.Addr(), ep: ep, shut: tc.Close}
		if err := h.track(c); err != nil {
			tc.Close()
			return nil, a.fault(err, "")
		}
		return c, nil
	}
	ep.Close()
	switch terr.(type) {
	case *tcpip.ErrConnectionRefused, *tcpip.ErrConnectionReset:
		return nil, a.found(Refused, to.Addr(), "%s answered with a reset: the port is closed", to.Addr())
	case *tcpip.ErrTimeout:
		return nil, a.found(Silence, netip.Addr{}, "no answer to its SYNs within %v", time.Since(begun).Round(time.Millisecond))
	}
	if err := h.broken(); err != nil {
		return nil, a.fault(err, "the probe's port has ended")
	}
	return nil, a.fault(stackError(terr), "the stack refuses")
}

// complaint returns the ICMP error that a packet is, when what it quotes was
// sent to a port and its sender need not hope any more, and the port that it
// was sent from.
func complaint(p *packet, proto uint8, to netip.AddrPort) (m ICMP, from uint16, ok bool) {
	m, quoted, ok := p.icmp()
	if !ok || quoted.proto != proto || quoted.to != to.Addr().WithZone("") || m.redirect() || m.tooBig() || !m.V6 && m.Type == 4 {
		return m, 0, false
	}
	from, port, ok := quoted.ports()
	return m, from, ok && port == to.Port()
}

func (h *Host) dialUDP(ctx context.Context, a asked, to netip.AddrPort) (net.Conn, error) {
	if err := h.meet(ctx, a, to.Addr()); err != nil {
		return nil, err
	}
	remote := fullAddress(to)
	uc, err := gonet.DialUDP(h.stack, nil, &remote, network(to.Addr()))
	if err != nil {
		return nil, a.fault(err, "opening a socket")
	}
	local := uint16(0)
	if u, ok := uc.LocalAddr().(*net.UDPAddr); ok {
		local = uint16(u.Port)
	}
	c := &conn{Conn: uc, h: h, a: a, peer: to.Addr()}
	stop := h.tap(func(p *packet) {
		if m, from, ok := complaint(p, protoUDP, to); ok && from == local {
			c.hear(m)
		}
	})
	c.shut = func() error {
		stop()
		return uc.Close()
	}
	if err := h.track(c); err != nil {
		c.shut()
		return nil, a.fault(err, "")
	}
	return c, nil
}
