package uplink

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/patchbay/patchbay/vnet/outside"
)

// udpIdle is how long a flow of datagrams is kept without one: as long as most
// routers do.
const udpIdle = time.Minute

// judgeUDP is given the datagrams that belong to no flow.
func (r *Router) judgeUDP(id stack.TransportEndpointID, pkt *stack.PacketBuffer, f *udp.Forwarder) bool {
	if addrOf(id.LocalAddress) == r.gateway {
		return false // the stack says that nothing listens
	}
	return !r.permit(r.where(outside.UDP, id), pkt) || f.HandlePacket(id, pkt)
}

// takeUDP begins a flow. It is called by the port's reader, which makes the
// flow's endpoint, so that the datagram behind this one finds it.
func (r *Router) takeUDP(q *udp.ForwarderRequest) bool {
	d := r.where(outside.UDP, q.ID())
	if !r.enter() {
		return true
	}
	if !r.meter.begin() {
		r.wg.Done()
		return true
	}
	var wq waiter.Queue
	ep, problem := q.CreateEndpoint(&wq)
	if problem != nil {
		r.meter.end()
		r.wg.Done()
		return true
	}
	go func() { // counted by enter
		defer r.wg.Done()
		defer r.meter.end()
		r.carryUDP(d, gonet.NewUDPConn(&wq, ep), ep)
	}()
	return true
}

func (r *Router) carryUDP(d outside.Destination, inside *gonet.UDPConn, ep tcpip.Endpoint) {
	defer inside.Close()
	if !r.still(d) {
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, connectingWithin)
	far, err := r.o.Dial(ctx, "udp", d.Address())
	cancel()
	if err != nil {
		r.log.Debug("sending to the outside", "to", d.String(), "err", err)
		return
	}
	defer far.Close()
	defer context.AfterFunc(r.ctx, func() {
		ep.Abort()
		inside.Close()
		far.Close()
	})()
	var active, patience atomic.Int64
	active.Store(time.Now().UnixNano())
	patience.Store(int64(min(udpIdle, r.o.Limits.Idle)))
	done := make(chan struct{})
	one := func(to, from net.Conn) {
		_ = r.carry(to, from, &active, &patience) // a flow ends by falling silent
		inside.Close()
		far.Close()
	}
	go func() {
		defer close(done)
		one(far, inside)
	}()
	one(inside, far)
	<-done
}
