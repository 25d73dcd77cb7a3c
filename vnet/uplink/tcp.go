package uplink

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/patchbay/patchbay/vnet/outside"
)

const (
	maxConnecting    = 64 // TCP connections that are being made
	connectingWithin = 10 * time.Second
	halfClosed       = 2 * time.Minute // for the other direction to end too
	copyBuffer       = 32 << 10
)

// where is the destination of a packet, which has this id in the stack.
func (r *Router) where(proto outside.Protocol, id stack.TransportEndpointID) outside.Destination {
	d := outside.Destination{Proto: proto, Addr: addrOf(id.LocalAddress), Port: id.LocalPort}
	d.Names = r.answers.names(d.Addr, time.Now())
	return d
}

// permit says whether a packet may go on, and tells its sender when not.
func (r *Router) permit(d outside.Destination, pkt *stack.PacketBuffer) bool {
	if r.policy.Load().Allows(d) {
		return true
	}
	r.deny(d.String())
	r.unreachable(pkt)
	return false
}

// still is permit for what is about to be dialled: the host may have another
// address by now, or be on another network. The limits have let the flow through, so
// that looking at the host costs it no more than the dialling does.
func (r *Router) still(d outside.Destination) bool {
	near, err := r.o.Near()
	if err != nil {
		r.log.Debug("nothing is let out", "err", err)
		return false
	}
	if now := r.policy.Load(); !slices.Equal(now.Near, near) {
		r.policy.Store(&outside.Policy{Rules: now.Rules, Near: near})
	}
	if r.policy.Load().Allows(d) {
		return true
	}
	r.deny(d.String())
	return false
}

// unreachable tells a packet's sender that its destination is prohibited.
func (r *Router) unreachable(pkt *stack.PacketBuffer) {
	ip := header.IPv4(pkt.NetworkHeader().Slice())
	packet := append(append([]byte(nil), ip...), pkt.TransportHeader().Slice()...)
	r.sendUnreachable(addrOf(ip.SourceAddress()), packet)
}

// judgeTCP is given the segments that belong to no connection.
func (r *Router) judgeTCP(id stack.TransportEndpointID, pkt *stack.PacketBuffer, f *tcp.Forwarder) bool {
	if addrOf(id.LocalAddress) == r.gateway {
		return false // the stack says that nothing listens
	}
	flags := header.TCP(pkt.TransportHeader().Slice()).Flags()
	if flags.Contains(header.TCPFlagSyn) && !flags.Contains(header.TCPFlagAck) && !r.permit(r.where(outside.TCP, id), pkt) {
		return true
	}
	return f.HandlePacket(id, pkt)
}

// takeTCP carries one connection. The stack gives it a goroutine.
func (r *Router) takeTCP(q *tcp.ForwarderRequest) {
	if !r.enter() {
		q.Complete(true)
		return
	}
	defer r.wg.Done()
	if !r.meter.begin() {
		q.Complete(true)
		return
	}
	defer r.meter.end()
	d := r.where(outside.TCP, q.ID())
	if !r.still(d) {
		q.Complete(true)
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, connectingWithin)
	far, err := r.o.Dial(ctx, "tcp", d.Address())
	cancel()
	if err != nil {
		r.log.Debug("connecting to the outside", "to", d.String(), "err", err)
		q.Complete(true)
		return
	}
	defer far.Close()
	var wq waiter.Queue
	ep, problem := q.CreateEndpoint(&wq)
	q.Complete(false)
	if problem != nil {
		return
	}
	inside := gonet.NewTCPConn(&wq, ep)
	defer inside.Close()
	defer context.AfterFunc(r.ctx, func() {
		ep.Abort()
		far.Close()
	})()
	r.join(inside, far)
}

// join carries bytes both ways until both directions have ended, one of them
// broke, or nothing moved for a while.
func (r *Router) join(inside, far net.Conn) {
	var active atomic.Int64 // Unix ns
	active.Store(time.Now().UnixNano())
	patience := atomic.Int64{}
	patience.Store(int64(r.o.Limits.Idle))
	var wg sync.WaitGroup
	one := func(to, from net.Conn) {
		err := r.carry(to, from, &active, &patience)
		if err == nil {
			patience.Store(min(int64(halfClosed), int64(r.o.Limits.Idle)))
			if c, ok := to.(interface{ CloseWrite() error }); ok && c.CloseWrite() == nil {
				return
			}
		}
		inside.Close()
		far.Close()
	}
	wg.Go(func() { one(far, inside) })
	wg.Go(func() { one(inside, far) })
	wg.Wait()
}

// carry copies until from ends, which is no error. A read that waited for the
// other direction's sake goes on.
func (r *Router) carry(to, from net.Conn, active, patience *atomic.Int64) error {
	buf := make([]byte, copyBuffer)
	for {
		idle := time.Duration(patience.Load())
		until := time.Unix(0, active.Load()).Add(idle)
		if err := from.SetReadDeadline(until); err != nil {
			return err
		}
		n, err := from.Read(buf)
		if n > 0 {
			active.Store(time.Now().UnixNano())
			if err := r.meter.pass(r.ctx, n); err != nil {
				return err
			}
			if err := to.SetWriteDeadline(time.Now().Add(idle)); err != nil {
				return err
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
			active.Store(time.Now().UnixNano())
		}
		switch {
		case err == nil:
		case err == io.EOF:
			return nil
		case timedOut(err) && time.Since(time.Unix(0, active.Load())) < time.Duration(patience.Load()):
		default:
			return err
		}
	}
}

func timedOut(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}
