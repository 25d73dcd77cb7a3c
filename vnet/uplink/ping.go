package uplink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	netICMP "golang.org/x/net/icmp"
	netIPv4 "golang.org/x/net/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/patchbay/patchbay/vnet/outside"
)

// ErrNoPing says that this machine lets nobody without privilege ping. The
// setting net.ipv4.ping_group_range of its kernel would.
var ErrNoPing = errors.New("this machine lets nobody without privilege ping (net.ipv4.ping_group_range)")

const pingWithin = 5 * time.Second

// takeEcho carries an echo request to the outside, and its answer back. The
// stack answers those for the router itself.
func (r *Router) takeEcho(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
	ip := header.IPv4(pkt.NetworkHeader().Slice())
	from, to := addrOf(ip.SourceAddress()), addrOf(ip.DestinationAddress())
	if to == r.gateway {
		return false
	}
	ask := header.ICMPv4(pkt.TransportHeader().Slice())
	if len(ask) < header.ICMPv4MinimumSize || ask.Type() != header.ICMPv4Echo {
		return true // other words of ICMP concern no flow of ours
	}
	d := outside.Destination{Proto: outside.Echo, Addr: to, Names: r.answers.names(to, time.Now())}
	if !r.permit(d, pkt) || !r.enter() {
		return true
	}
	if !r.meter.begin() {
		r.wg.Done()
		return true
	}
	request := append(append([]byte(nil), ask[:header.ICMPv4MinimumSize]...), pkt.Data().AsRange().ToSlice()...)
	quoted := append(append([]byte(nil), ip...), request[:header.ICMPv4MinimumSize]...)
	go func() { // counted by enter
		defer r.wg.Done()
		defer r.meter.end()
		r.echo(d, from, request, quoted)
	}()
	return true
}

func (r *Router) echo(d outside.Destination, from netip.Addr, request, quoted []byte) {
	ctx, cancel := context.WithTimeout(r.ctx, pingWithin)
	defer cancel()
	if !r.still(d) {
		r.sendUnreachable(from, quoted)
		return
	}
	if r.meter.pass(ctx, 2*len(request)) != nil {
		return
	}
	err := r.o.Ping(ctx, d.Addr, request[header.ICMPv4MinimumSize:])
	if errors.Is(err, ErrNoPing) {
		r.mu.Lock()
		first := !r.noPing
		r.noPing = true
		r.mu.Unlock()
		if first {
			r.log.Warn("pings to the outside are not carried", "err", err)
		}
		r.sendUnreachable(from, quoted)
		return
	}
	mac, ok := r.hostMAC(from)
	if err != nil || !ok {
		return // silence is what the guest is to see of it
	}
	m := header.ICMPv4(request)
	m.SetType(header.ICMPv4EchoReply)
	m.SetChecksum(0)
	m.SetChecksum(^checksum.Checksum(m, 0))
	r.sendIPv4(mac, d.Addr, from, header.ICMPv4ProtocolNumber, m)
}

// ping sends an echo request by an unprivileged ping socket and waits for the
// answer. The kernel gives each socket an identifier of its own.
func ping(ctx context.Context, to netip.Addr, data []byte) error {
	c, err := netICMP.ListenPacket("udp4", "0.0.0.0")
	if errors.Is(err, os.ErrPermission) {
		return ErrNoPing
	}
	if err != nil {
		return fmt.Errorf("pinging %s: %w", to, err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })()
	ask := netICMP.Message{Type: netIPv4.ICMPTypeEcho, Body: &netICMP.Echo{Seq: 1, Data: data}}
	b, err := ask.Marshal(nil)
	if err != nil {
		return fmt.Errorf("pinging %s: %w", to, err)
	}
	if _, err := c.WriteTo(b, &net.UDPAddr{IP: to.AsSlice()}); err != nil {
		return fmt.Errorf("pinging %s: %w", to, err)
	}
	buf := make([]byte, 64<<10)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return fmt.Errorf("waiting for the answer of %s: %w", to, err)
		}
		answer, err := netICMP.ParseMessage(1, buf[:n])
		if err != nil || answer.Type != netIPv4.ICMPTypeEchoReply {
			continue
		}
		u, ok := from.(*net.UDPAddr)
		echo, isEcho := answer.Body.(*netICMP.Echo)
		if ok && isEcho && u.IP.Equal(to.AsSlice()) && bytes.Equal(echo.Data, data) {
			return nil
		}
	}
}
