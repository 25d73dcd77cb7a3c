package probe

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// Ping is how Host.Ping asks.
type Ping struct {
	Count    int           // requests; 0 means 1
	Interval time.Duration // between them; 0 means 1 s
	Size     int           // bytes of data; 0 means 56. As with Linux, what fits the MTU must not be cut on the way, what does not goes in fragments
	TTL      uint8         // or hop limit; 0 means 64
	Timeout  time.Duration // for answers, from the last request on; 0 means 2 s
}

// Reply is one answer to one request.
type Reply struct {
	Seq  int              // of the request, from 1
	From netip.Addr       // who answered
	MAC  net.HardwareAddr // the neighbour that the answer came by
	RTT  time.Duration
	TTL  uint8 // that the answer arrived with
	Size int   // bytes of data that came back; of an echo alone

	// ICMP is the error that came instead of an echo; nil for an echo. A
	// redirect is advice: an echo may still follow it.
	ICMP *ICMP

	Duplicate bool // an echo of this request had come before: two answered, or a loop copied it
	Altered   bool // the data that came back is not what was sent
}

// Pinged is what came of a Ping.
type Pinged struct {
	Target   netip.Addr
	Sent     int
	Received int     // requests that were echoed by whomever
	Replies  []Reply // echoes and errors, as they came
}

const pingData = 56

// Ping sends echo requests and waits until each is answered or given up, or
// the context ends. Of a group, or all of a network, it waits for everybody who
// answers, until o.Timeout: of IPv4 no machine does, as Linux is set up. It
// returns an Error when no echo came at all, with what was seen instead; what
// was counted until then comes with it.
func (h *Host) Ping(ctx context.Context, to netip.Addr, o Ping) (Pinged, error) {
	a := asked{"ping", to.String()}
	to = to.WithZone("")
	done := Pinged{Target: to}
	if !to.IsValid() || to.Is4In6() {
		return done, a.fault(nil, "that is no address")
	}
	ctx, end, err := h.begin(ctx, a)
	if err != nil {
		return done, err
	}
	defer end()
	o.Count, o.Size = cmp.Or(max(o.Count, 0), 1), cmp.Or(o.Size, pingData)
	o.Interval, o.Timeout = cmp.Or(o.Interval, time.Second), cmp.Or(o.Timeout, 2*time.Second)
	if most := 65535 - header.IPv4MinimumSize - 8; o.Size < 0 || o.Size > most {
		return done, a.fault(nil, "%d bytes of data; 1 to %d are possible", o.Size, most)
	}
	if o.Count > 65535 {
		return done, a.fault(nil, "%d requests; 65535 are possible", o.Count)
	}
	hop, err := h.nextHop(a, to)
	if err != nil {
		return done, err
	}
	// The first request waits for its neighbour, as the kernel keeps it.
	if err := h.meet(ctx, a, to); err != nil {
		return done, err
	}
	p := pinging{h: h, many: !hop.IsValid(), a: a, o: o, done: &done, sent: map[int]time.Time{}, echoed: map[int]bool{}, failed: map[int]bool{}}
	return done, p.run(ctx)
}

// pinging is a Ping under way.
type pinging struct {
	h     *Host
	a     asked
	o     Ping
	done  *Pinged
	ident uint16
	data  []byte // of the last request
	many  bool   // may answer one request

	sent           map[int]time.Time
	echoed, failed map[int]bool
	arrived        []sighting // echoes that were seen to come and are not yet read
	last           *ICMP      // the last error that came
}

// sighting is an answer as it passed the interface.
type sighting struct {
	seq  int
	from netip.Addr
	mac  net.HardwareAddr
	at   time.Time
	ttl  uint8
	icmp *ICMP // nil for an echo
}

func (p *pinging) run(ctx context.Context) error {
	to := p.done.Target
	proto, ttl := icmp.ProtocolNumber4, tcpip.IPv4TTLOption
	if to.Is6() {
		proto, ttl = icmp.ProtocolNumber6, tcpip.IPv6HopLimitOption
	}
	var wq waiter.Queue
	ep, terr := p.h.stack.NewEndpoint(proto, network(to), &wq)
	if terr != nil {
		return p.a.fault(stackError(terr), "opening a socket")
	}
	defer ep.Close()
	ep.SocketOptions().SetBroadcast(true)
	if p.o.TTL != 0 {
		if terr := ep.SetSockOptInt(ttl, int(p.o.TTL)); terr != nil {
			return p.a.fault(stackError(terr), "setting the TTL")
		}
	}
	if to.Is4() && header.IPv4MinimumSize+8+p.o.Size > p.h.o.MTU {
		// Otherwise gVisor gives all its fragments the identification 0.
		if terr := ep.SetSockOptInt(tcpip.MTUDiscoverOption, int(tcpip.PMTUDiscoveryDont)); terr != nil {
			return p.a.fault(stackError(terr), "allowing fragments")
		}
	}
	if terr := ep.Bind(tcpip.FullAddress{}); terr != nil {
		return p.a.fault(stackError(terr), "binding a socket")
	}
	local, terr := ep.GetLocalAddress()
	if terr != nil {
		return p.a.fault(stackError(terr), "binding a socket")
	}
	p.ident = local.Port
	entry, readable := waiter.NewChannelEntry(waiter.ReadableEvents)
	wq.EventRegister(&entry)
	defer wq.EventUnregister(&entry)
	seen, stop := watch(p.h, p.sight)
	defer stop()

	begun := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if p.done.Sent == p.o.Count {
				return p.verdict(ctx, begun)
			}
			if err := p.send(ep); err != nil {
				return err
			}
			wait := p.o.Interval
			if p.done.Sent == p.o.Count {
				wait = p.o.Timeout
			}
			timer.Reset(wait)
		case s := <-seen:
			p.saw(s)
		case <-readable:
			// What the stack hands over passed the interface before.
			for drained := false; !drained; {
				select {
				case s := <-seen:
					p.saw(s)
				default:
					drained = true
				}
			}
			p.read(ep)
		case <-p.h.port.Done():
			return p.verdict(ctx, begun)
		case <-ctx.Done():
			return p.verdict(ctx, begun)
		}
		if !p.many && p.done.Sent == p.o.Count && p.answered() == p.o.Count {
			return p.verdict(ctx, begun)
		}
	}
}

// answered counts the requests that need not be waited for any more.
func (p *pinging) answered() int {
	n := len(p.echoed)
	for seq := range p.failed {
		if !p.echoed[seq] {
			n++
		}
	}
	return n
}

func (p *pinging) send(ep tcpip.Endpoint) error {
	seq := p.done.Sent + 1
	now := time.Now()
	b := make([]byte, 8+p.o.Size)
	b[0] = byte(header.ICMPv4Echo)
	if p.done.Target.Is6() {
		b[0] = byte(header.ICMPv6EchoRequest)
	}
	binary.BigEndian.PutUint16(b[6:], uint16(seq))
	// The data are those of ping from iputils: the time, then counting bytes.
	p.data = b[8:]
	for i := range p.data {
		p.data[i] = byte(i)
	}
	if len(p.data) >= 16 {
		binary.LittleEndian.PutUint64(p.data, uint64(now.Unix()))
		binary.LittleEndian.PutUint64(p.data[8:], uint64(now.Nanosecond()/1000))
	}
	dst := fullAddress(netip.AddrPortFrom(p.done.Target, 0))
	p.sent[seq] = now
	if _, err := ep.Write(bytes.NewReader(b), tcpip.WriteOptions{To: &dst}); err != nil {
		if _, unreachable := err.(*tcpip.ErrHostUnreachable); unreachable {
			p.failed[seq] = true // a neighbour that went away meanwhile
			p.done.Sent++
			return nil
		}
		return p.a.fault(stackError(err), "sending request %d", seq)
	}
	p.done.Sent++
	return nil
}

// sight looks for answers among all that comes.
func (p *pinging) sight(k *packet) (s sighting, ok bool) {
	if ident, seq, ok := k.echo(true); ok && ident == p.ident {
		return sighting{seq: int(seq), from: k.from, mac: bytes.Clone(k.src), at: k.at, ttl: k.ttl}, true
	}
	m, quoted, ok := k.icmp()
	if !ok || quoted.to != p.done.Target {
		return s, false
	}
	ident, seq, ok := quoted.echo(false)
	if !ok || ident != p.ident {
		return s, false
	}
	return sighting{seq: int(seq), from: k.from, mac: bytes.Clone(k.src), at: k.at, ttl: k.ttl, icmp: &m}, true
}

func (p *pinging) saw(s sighting) {
	sent, ours := p.sent[s.seq]
	switch {
	case !ours: // the answer to nothing
	case s.icmp == nil:
		if len(p.arrived) < watched {
			p.arrived = append(p.arrived, s)
		}
	case len(p.done.Replies) < watched+p.o.Count:
		p.last = s.icmp
		if !s.icmp.redirect() {
			p.failed[s.seq] = true
		}
		p.done.Replies = append(p.done.Replies, Reply{Seq: s.seq, From: s.from, MAC: s.mac, RTT: s.at.Sub(sent), TTL: s.ttl, ICMP: s.icmp})
	}
}

// read takes the echoes that the stack has checked and put together.
func (p *pinging) read(ep tcpip.Endpoint) {
	for {
		var b bytes.Buffer
		r, err := ep.Read(&b, tcpip.ReadOptions{NeedRemoteAddr: true})
		if err != nil {
			return
		}
		echo := b.Bytes()
		if len(echo) < 8 {
			continue
		}
		seq := int(binary.BigEndian.Uint16(echo[6:]))
		sent, ours := p.sent[seq]
		from, _ := netip.AddrFromSlice(r.RemoteAddr.Addr.AsSlice())
		if !ours || len(p.done.Replies) >= watched+p.o.Count {
			continue
		}
		re := Reply{Seq: seq, From: from, RTT: time.Since(sent), Size: len(echo) - 8, Duplicate: p.echoed[seq]}
		for i, s := range p.arrived {
			if s.seq == seq && s.from == from {
				re.MAC, re.RTT, re.TTL = s.mac, s.at.Sub(sent), s.ttl
				p.arrived = append(p.arrived[:i], p.arrived[i+1:]...)
				break
			}
		}
		// The first 16 bytes differ between requests.
		re.Altered = len(echo)-8 != len(p.data) || len(p.data) > 16 && !bytes.Equal(echo[24:], p.data[16:])
		if !p.echoed[seq] {
			p.echoed[seq] = true
			p.done.Received++
		}
		p.done.Replies = append(p.done.Replies, re)
	}
}

func (p *pinging) verdict(ctx context.Context, begun time.Time) error {
	if err := p.h.broken(); err != nil {
		return p.a.fault(err, "the probe's port has ended")
	}
	switch {
	case p.done.Received > 0:
		return nil
	case p.last != nil && !p.last.redirect():
		return p.a.told(*p.last, p.done.Target)
	case ctx.Err() != nil:
		return p.h.over(ctx, p.a, begun, "no answer to %d requests", p.done.Sent)
	}
	return p.a.found(Silence, netip.Addr{}, "no answer to %d requests within %v", p.done.Sent, time.Since(begun).Round(time.Millisecond))
}
