package probe

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// Trace is how Host.Trace goes about.
type Trace struct {
	ICMP    bool          // send echo requests; otherwise UDP datagrams to ports from 33434 on
	Hops    int           // the farthest that is asked; 0 means 30, at most 64
	Probes  int           // for each hop; 0 means 3, at most 10
	Timeout time.Duration // for the answers of one hop; 0 means 1 s
}

// Hop is what one distance answered.
type Hop struct {
	TTL    int
	Probes []HopReply // as many as were sent
}

// HopReply is the answer to one probe; From is invalid when none came.
type HopReply struct {
	From netip.Addr
	MAC  net.HardwareAddr // the neighbour that the answer came by
	RTT  time.Duration
	ICMP *ICMP // nil for an echo
}

// Traced is the way to a target as far as it showed.
type Traced struct {
	Target  netip.Addr
	Hops    []Hop
	Reached bool // the target itself answered
}

// Routers are the first to answer at each hop, invalid where nobody did.
func (t Traced) Routers() []netip.Addr {
	var r []netip.Addr
	for _, h := range t.Hops {
		var from netip.Addr
		for _, p := range h.Probes {
			if from = p.From; from.IsValid() {
				break
			}
		}
		r = append(r, from)
	}
	return r
}

// Loop returns the routers that packets circle among, in order; none if they
// do not. A router seen again after another has its packets back.
func (t Traced) Loop() []netip.Addr {
	seen := map[netip.Addr]int{}
	routers := t.Routers()
	for i, r := range routers {
		if at, again := seen[r]; again && r.IsValid() && i-at > 1 {
			return routers[at:i]
		}
		seen[r] = i
	}
	return nil
}

const (
	tracePort  = 33434
	mostHops   = 64
	mostProbes = 10
)

// Trace sends packets that die one hop farther each time and reports who told
// of it. It is an Error when the target did not answer in the end. Linux routers
// send one machine about one ICMP error a second (beyond a first few), so that
// a hop or two without answers, or traces in haste, need not mean anything.
func (h *Host) Trace(ctx context.Context, to netip.Addr, o Trace) (Traced, error) {
	a := asked{"trace", to.String()}
	to = to.WithZone("")
	t := Traced{Target: to}
	if !to.IsValid() || to.Is4In6() || to.IsMulticast() {
		return t, a.fault(nil, "that is not the address of one machine")
	}
	ctx, end, err := h.begin(ctx, a)
	if err != nil {
		return t, err
	}
	defer end()
	o.Hops, o.Probes = min(cmp.Or(max(o.Hops, 0), 30), mostHops), min(cmp.Or(max(o.Probes, 0), 3), mostProbes)
	o.Timeout = cmp.Or(o.Timeout, time.Second)
	if err := h.meet(ctx, a, to); err != nil {
		return t, err
	}
	r := tracing{h: h, a: a, o: o, t: &t}
	err = r.run(ctx)
	return t, err
}

type tracing struct {
	h    *Host
	a    asked
	o    Trace
	t    *Traced
	ep   tcpip.Endpoint
	port uint16 // of ours, or the echoes' identifier
}

// step is an answer to the probe of a number.
type step struct {
	n int
	HopReply
	at time.Time
}

func (r *tracing) run(ctx context.Context) error {
	to := r.t.Target
	proto := udp.ProtocolNumber
	switch {
	case r.o.ICMP && to.Is4():
		proto = icmp.ProtocolNumber4
	case r.o.ICMP:
		proto = icmp.ProtocolNumber6
	}
	var wq waiter.Queue
	ep, terr := r.h.stack.NewEndpoint(proto, network(to), &wq)
	if terr != nil {
		return r.a.fault(stackError(terr), "opening a socket")
	}
	defer ep.Close()
	if terr := ep.Bind(tcpip.FullAddress{}); terr != nil {
		return r.a.fault(stackError(terr), "binding a socket")
	}
	local, terr := ep.GetLocalAddress()
	if terr != nil {
		return r.a.fault(stackError(terr), "binding a socket")
	}
	r.ep, r.port = ep, local.Port
	steps, stop := watch(r.h, r.sight)
	defer stop()

	begun := time.Now()
	var last *ICMP
	for ttl := 1; ttl <= r.o.Hops; ttl++ {
		hop := Hop{TTL: ttl, Probes: make([]HopReply, r.o.Probes)}
		sent := make([]time.Time, r.o.Probes)
		for i := range r.o.Probes {
			sent[i] = time.Now()
			if err := r.send(ttl, i); err != nil {
				return err
			}
		}
		timer := time.NewTimer(r.o.Timeout)
		for left := r.o.Probes; left > 0; {
			select {
			case s := <-steps:
				i := s.n - (ttl-1)*r.o.Probes
				if i < 0 || i >= r.o.Probes || hop.Probes[i].From.IsValid() {
					continue // too late, or twice
				}
				s.RTT = s.at.Sub(sent[i])
				hop.Probes[i] = s.HopReply
				left--
			case <-timer.C:
				left = 0
			case <-ctx.Done():
				left = 0
			case <-r.h.port.Done():
				left = 0
			}
		}
		timer.Stop()
		r.t.Hops = append(r.t.Hops, hop)
		over := false
		for _, p := range hop.Probes {
			switch {
			case !p.From.IsValid():
			case p.ICMP == nil, p.ICMP.refuses() && p.From == to:
				r.t.Reached = true
			case !p.ICMP.TimeExceeded():
				over, last = true, p.ICMP
			}
		}
		if r.t.Reached {
			return nil
		}
		if over || ctx.Err() != nil || r.h.port.Err() != nil {
			break
		}
	}
	return r.verdict(ctx, begun, last)
}

func (r *tracing) verdict(ctx context.Context, begun time.Time, last *ICMP) error {
	if err := r.h.broken(); err != nil {
		return r.a.fault(err, "the probe's port has ended")
	}
	if last != nil {
		return r.a.told(*last, r.t.Target)
	}
	who := "nobody on the way answered"
	for i, from := range r.t.Routers() {
		if from.IsValid() {
			who = fmt.Sprintf("the last to answer was %s, %d hops away", from, i+1)
		}
	}
	if loop := r.t.Loop(); loop != nil {
		who = fmt.Sprintf("the routers %v send packets round in a circle", loop)
	}
	if ctx.Err() != nil {
		return r.h.over(ctx, r.a, begun, "%d hops asked, %s,", len(r.t.Hops), who)
	}
	return r.a.found(Silence, netip.Addr{}, "not reached in %d hops; %s", len(r.t.Hops), who)
}

// send sends a hop's probe i.
func (r *tracing) send(ttl, i int) error {
	n := (ttl-1)*r.o.Probes + i
	to := netip.AddrPortFrom(r.t.Target, uint16(tracePort+n))
	data := make([]byte, 32)
	for i := range data {
		data[i] = byte('@' + i)
	}
	if r.o.ICMP {
		to = netip.AddrPortFrom(r.t.Target, 0)
		head := make([]byte, 8)
		head[0] = byte(header.ICMPv4Echo)
		if to.Addr().Is6() {
			head[0] = byte(header.ICMPv6EchoRequest)
		}
		binary.BigEndian.PutUint16(head[6:], uint16(n+1))
		data = append(head, data...)
	}
	dst := fullAddress(to)
	o := tcpip.WriteOptions{To: &dst, ControlMessages: tcpip.SendableControlMessages{
		HasTTL: true, TTL: uint8(ttl), HasHopLimit: true, HopLimit: uint8(ttl),
	}}
	var terr tcpip.Error
	for range r.o.Probes + 1 {
		// A refusal that came for an earlier probe is told at the next one.
		if _, terr = r.ep.Write(bytes.NewReader(data), o); terr == nil {
			return nil
		}
		if _, old := terr.(*tcpip.ErrConnectionRefused); !old {
			break
		}
	}
	return r.a.fault(stackError(terr), "sending a probe of hop %d", ttl)
}

func (r *tracing) sight(k *packet) (s step, ok bool) {
	s.HopReply, s.at = HopReply{From: k.from, MAC: bytes.Clone(k.src)}, k.at
	if r.o.ICMP {
		if ident, seq, ok := k.echo(true); ok && ident == r.port && k.from == r.t.Target {
			s.n = int(seq) - 1
			return s, true
		}
	}
	m, quoted, ok := k.icmp()
	if !ok || quoted.to != r.t.Target || m.redirect() {
		return s, false
	}
	s.ICMP = &m
	if r.o.ICMP {
		ident, seq, ok := quoted.echo(false)
		s.n = int(seq) - 1
		return s, ok && ident == r.port
	}
	src, dst, ok := quoted.ports()
	s.n = int(dst) - tracePort
	return s, ok && src == r.port
}
