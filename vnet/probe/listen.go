package probe

import (
	"net"
	"net/netip"
	"strconv"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// listener closes with its Host, and what it accepts does too.
type listener struct {
	*conn
	wq    *waiter.Queue
	entry waiter.Entry
	ready chan struct{} // something may have come
	gone  chan struct{} // closed with the listener
}

// backlog is how many connections wait to be accepted.
const backlog = 128

// Listen accepts TCP connections at a port of one of the Host's addresses, or
// of all of one version of IP when at holds 0.0.0.0 or ::.
func (h *Host) Listen(at netip.AddrPort) (net.Listener, error) {
	a := asked{"listen at", at.String() + " by tcp"}
	full, proto, err := h.place(a, at)
	if err != nil {
		return nil, err
	}
	l := &listener{wq: new(waiter.Queue), gone: make(chan struct{})}
	ep, terr := h.stack.NewEndpoint(tcp.ProtocolNumber, proto, l.wq)
	if terr != nil {
		return nil, a.fault(stackError(terr), "opening a socket")
	}
	ep.SocketOptions().SetV6Only(true)
	if terr = ep.Bind(full); terr == nil {
		terr = ep.Listen(backlog)
	}
	if terr != nil {
		ep.Close()
		return nil, a.fault(stackError(terr), "opening a socket")
	}
	l.entry, l.ready = waiter.NewChannelEntry(waiter.ReadableEvents)
	l.wq.EventRegister(&l.entry)
	l.conn = &conn{h: h, a: a, ep: ep, shut: func() error {
		l.wq.EventUnregister(&l.entry)
		close(l.gone)
		ep.Close()
		return nil
	}}
	if err := h.track(l.conn); err != nil {
		l.Close()
		return nil, a.fault(err, "")
	}
	return l, nil
}

// Accept waits for a connection. After the listener or the Host is closed it
// returns an error that is net.ErrClosed.
func (l *listener) Accept() (net.Conn, error) {
	for {
		ep, wq, terr := l.ep.Accept(nil)
		if terr == nil {
			return l.serve(ep, wq)
		}
		if _, none := terr.(*tcpip.ErrWouldBlock); !none {
			select {
			case <-l.gone:
			default:
				return nil, l.a.fault(stackError(terr), "accepting a connection")
			}
		}
		select {
		case <-l.ready:
		case <-l.gone:
			return nil, l.a.fault(net.ErrClosed, "accepting a connection")
		}
	}
}

func (l *listener) serve(ep tcpip.Endpoint, wq *waiter.Queue) (net.Conn, error) {
	tc := gonet.NewTCPConn(wq, ep)
	from, ok := tc.RemoteAddr().(*net.TCPAddr)
	if !ok { // it has gone again
		from = &net.TCPAddr{}
	}
	peer := from.AddrPort()
	c := &conn{Conn: tc, h: l.h, a: asked{"serve", peer.String()}, peer: peer.Addr(), ep: ep, shut: tc.Close}
	if err := l.h.track(c); err != nil {
		tc.Close()
		return nil, l.a.fault(net.ErrClosed, "accepting a connection")
	}
	return c, nil
}

// Addr is where the listener listens.
func (l *listener) Addr() net.Addr {
	at, _ := l.ep.GetLocalAddress()
	return &net.TCPAddr{IP: at.Addr.AsSlice(), Port: int(at.Port)}
}

// Close ends Accept. Connections stay.
func (l *listener) Close() error { return l.conn.Close() }

// packetConn closes with its Host.
type packetConn struct {
	*gonet.UDPConn
	c *conn
}

// ListenPacket receives UDP datagrams at a port, as Listen does connections.
func (h *Host) ListenPacket(at netip.AddrPort) (net.PacketConn, error) {
	a := asked{"listen at", at.String() + " by udp"}
	full, proto, err := h.place(a, at)
	if err != nil {
		return nil, err
	}
	wq := new(waiter.Queue)
	ep, terr := h.stack.NewEndpoint(udp.ProtocolNumber, proto, wq)
	if terr != nil {
		return nil, a.fault(stackError(terr), "opening a socket")
	}
	ep.SocketOptions().SetV6Only(true)
	ep.SocketOptions().SetBroadcast(true)
	if terr := ep.Bind(full); terr != nil {
		ep.Close()
		return nil, a.fault(stackError(terr), "opening a socket")
	}
	u := gonet.NewUDPConn(wq, ep)
	c := &conn{h: h, a: a, shut: u.Close}
	if err := h.track(c); err != nil {
		u.Close()
		return nil, a.fault(err, "")
	}
	return &packetConn{u, c}, nil
}

// Close closes the socket.
func (p *packetConn) Close() error { return p.c.Close() }

func (h *Host) place(a asked, at netip.AddrPort) (tcpip.FullAddress, tcpip.NetworkProtocolNumber, error) {
	addr := at.Addr()
	if !addr.IsValid() || addr.Is4In6() {
		return tcpip.FullAddress{}, 0, a.fault(nil, "%s is no address", strconv.Quote(at.String()))
	}
	full := tcpip.FullAddress{NIC: nic, Port: at.Port()}
	if !addr.IsUnspecified() {
		full.Addr = tcpipAddress(addr)
	}
	if addr.Is4() {
		return full, ipv4.ProtocolNumber, nil
	}
	return full, ipv6.ProtocolNumber, nil
}
