package engine

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/vnet/filter"
	"github.com/patchbay/patchbay/vnet/probe"
	"github.com/patchbay/patchbay/vnet/record"
)

// Who is root on any machine on the way can answer in another's place: by a
// translation, by the address on an interface of their own, by a proxy. What
// they cannot do is to send a frame from another machine's port. So what came
// to a probe has to have left the port of who was to answer before. It is known
// again there by what no translation of addresses changes.

// answerer is who has to answer.
type answerer struct {
	name  string
	ports map[string]string // as portsOf has them
	said  bool              // by the check itself
}

// answererOf is who has to answer for an address; nil when anybody may.
func answererOf(t Target, by string, a netip.Addr) *answerer {
	if by == grade.Anybody {
		return nil
	}
	if by != "" {
		return &answerer{by, portsOf(t, by), true}
	}
	owners := ownersOf(t, a)
	if len(owners) == 0 {
		return nil
	}
	w := &answerer{name: strings.Join(owners, " or "), ports: map[string]string{}}
	for _, o := range owners {
		for port, mac := range portsOf(t, o) {
			w.ports[port] = mac
		}
	}
	return w
}

// ownersOf are the nodes that the lab gives an address to. They answer for it
// at whichever interface a request comes.
func ownersOf(t Target, a netip.Addr) (names []string) {
	for _, n := range t.Topology().Nodes {
	node:
		for _, f := range n.Interfaces {
			for _, s := range f.Addresses {
				if p, err := netip.ParsePrefix(s); err == nil && p.Addr() == a {
					names = append(names, n.Name)
					break node
				}
			}
		}
	}
	return names
}

// impostor is the verdict of an answer that came from elsewhere. It is right
// neither way: that somebody else answered does not show that nobody else would.
func impostor(a netip.Addr, who *answerer, what string) verdict {
	v := failed("%s came from %s, but it did not leave %s", what, a, who.name)
	v.contested = true
	return v
}

const maxOrigin = 4 << 20 // bytes of one conversation that are compared

// recordLag is what the switch may take from handing a frame over to having
// noted it in the recording, with room for a thread that had to wait for its CPU.
const recordLag = 25 * time.Millisecond

// toProbe reads what came to a probe from an address, in its order. It gives the
// recording time to have it: what came a moment ago may not be noted yet.
func toProbe(ctx context.Context, t Target, h *probe.Host, a netip.Addr, from time.Time, f func(*packet)) error {
	expr := "ether dst " + h.MAC().String()
	if a.IsValid() {
		expr += " and src host " + a.String()
	}
	select {
	case <-time.After(recordLag):
	case <-ctx.Done():
		return ctx.Err()
	}
	return eachPacket(ctx, t, record.Query{Dir: record.ToGuest}, expr, from, func(_ string, p *packet) { f(p) })
}

// fromPorts reads what who is to answer has sent.
func fromPorts(ctx context.Context, t Target, who *answerer, from time.Time, f func(port string, p *packet)) error {
	return eachPacket(ctx, t, record.Query{Ports: keys(who.ports), Dir: record.FromGuest}, "ip or ip6", from, f)
}

// eachPacket reads packets of the recording; they are valid until f returns.
func eachPacket(ctx context.Context, t Target, q record.Query, expr string, from time.Time, f func(port string, p *packet)) error {
	var err error
	if q.Filter, err = filter.Compile(expr); err != nil {
		return fmt.Errorf("looking for who answered: %w", err)
	}
	q.Delivered, q.From, q.To = true, from, time.Now()
	for fr, err := range t.Ring().Read(ctx, q) {
		if err != nil {
			return fmt.Errorf("looking for who answered: %w", err)
		}
		if p, ok := parsePacket(fr.Data); ok {
			f(fr.Port, &p)
		}
	}
	return nil
}

// stream is one direction of a TCP conversation.
type stream struct {
	start uint32 // the number of its first byte
	data  []byte
	have  []bool
}

// put takes a segment's bytes.
func (s *stream) put(g *segment) {
	at := g.seq - s.start
	if end := uint64(at) + uint64(len(g.data)); end > maxOrigin {
		return
	} else if grow := int(end) - len(s.data); grow > 0 {
		s.data, s.have = append(s.data, make([]byte, grow)...), append(s.have, make([]bool, grow)...)
	}
	copy(s.data[at:], g.data)
	for i := range g.data {
		s.have[int(at)+i] = true
	}
}

// within says whether every byte of s is in o as well.
func (s *stream) within(o *stream) bool {
	if len(s.data) > len(o.data) {
		return false
	}
	for i, have := range s.have {
		if have && (!o.have[i] || s.data[i] != o.data[i]) {
			return false
		}
	}
	return true
}

// opening is what a TCP conversation is known by, whatever its addresses are
// translated to: the numbers that both sides drew.
type opening struct{ server, client uint32 }

// tcpOrigin says whether what came to the probe in the conversations with a
// server that began since a time has left who is to answer. A refusal is a
// conversation too.
func tcpOrigin(ctx context.Context, t Target, h *probe.Host, server netip.AddrPort, who *answerer, from time.Time) (bool, error) {
	type pair struct{ a, b netip.AddrPort }
	mine := map[uint16]opening{} // by the probe's port
	got := map[opening]*stream{}
	refused := map[uint32]bool{} // by the number that a reset acknowledges
	err := toProbe(ctx, t, h, server.Addr(), from, func(p *packet) {
		src, dst, ok := p.ports()
		s, isTCP := p.segment()
		if !ok || !isTCP || src != server.Port() {
			return
		}
		switch o, known := mine[dst]; {
		case s.flags&flagSYN != 0:
			o = opening{s.seq, s.ack}
			mine[dst] = o
			if got[o] == nil {
				got[o] = &stream{start: s.seq + 1}
			}
		case known:
			got[o].put(&s)
		case s.flags&flagRST != 0 && s.flags&flagACK != 0:
			refused[s.ack] = true
		}
	})
	if err != nil || len(got)+len(refused) == 0 {
		return false, err
	}
	conversations := map[pair]*stream{}
	sent := map[opening]*stream{}
	err = fromPorts(ctx, t, who, from, func(_ string, p *packet) {
		src, dst, ok := p.ports()
		s, isTCP := p.segment()
		if !ok || !isTCP {
			return
		}
		key := pair{netip.AddrPortFrom(p.src, src), netip.AddrPortFrom(p.dst, dst)}
		switch c := conversations[key]; {
		case s.flags&flagSYN != 0:
			o := opening{s.seq, s.ack}
			if got[o] != nil && sent[o] == nil {
				sent[o] = &stream{start: s.seq + 1}
			}
			if sent[o] != nil { // at each port of one that passes its own answers on
				conversations[key] = sent[o]
			}
		case c != nil:
			c.put(&s)
		case s.flags&flagRST != 0:
			delete(refused, s.ack)
		}
	})
	if err != nil || len(refused) > 0 {
		return false, err
	}
	for o, s := range got {
		if sent[o] == nil || !s.within(sent[o]) {
			return false, nil
		}
	}
	return true, nil
}

// udpOrigin is tcpOrigin for datagrams.
func udpOrigin(ctx context.Context, t Target, h *probe.Host, server netip.AddrPort, who *answerer, from time.Time) (bool, error) {
	got := map[string]bool{}
	err := toProbe(ctx, t, h, server.Addr(), from, func(p *packet) {
		if src, _, ok := p.ports(); ok && p.proto == protoUDP && src == server.Port() {
			got[string(p.data[8:])] = true
		}
	})
	if err != nil || len(got) == 0 {
		return false, err
	}
	err = fromPorts(ctx, t, who, from, func(_ string, p *packet) {
		if _, _, ok := p.ports(); ok && p.proto == protoUDP {
			delete(got, string(p.data[8:]))
		}
	})
	return len(got) == 0, err
}

// echoOrigin counts the answers to the probe's echo requests that left who is to
// answer, and those of them that had another Ethernet address than the lab gave.
func echoOrigin(ctx context.Context, t Target, h *probe.Host, a netip.Addr, who *answerer, from time.Time) (good, odd int, err error) {
	got := map[string]bool{}
	err = toProbe(ctx, t, h, a, from, func(p *packet) {
		if p.answersEcho() {
			got[echoKey(p)] = true
		}
	})
	if err != nil {
		return 0, 0, err
	}
	err = fromPorts(ctx, t, who, from, func(port string, p *packet) {
		if !p.answersEcho() || !got[echoKey(p)] {
			return
		}
		if p.srcMAC.String() != who.ports[port] {
			odd++
			return
		}
		delete(got, echoKey(p))
		good++
	})
	return good, odd, err
}

// echoKey is what an answer is known by: identifier, number and data.
func echoKey(p *packet) string { return string(p.data[4:min(len(p.data), 80)]) }

// hopKey is what a hop's answer tells of, as it is on both sides of a
// translation: ports and length of a datagram, identifier and number of an echo.
func hopKey(p *packet) (string, bool) {
	if p.answersEcho() {
		return "echo" + string(p.data[4:8]), true
	}
	q, ok := p.quoted()
	if !ok {
		return "", false
	}
	return probeKey(&q)
}

// probeKey is what a trace's own packet is known by.
func probeKey(q *packet) (string, bool) {
	switch {
	case len(q.data) < 8:
		return "", false
	case q.proto == protoUDP:
		return "datagram" + string(q.data[:6]), true
	case q.proto == protoICMP && q.data[0] == 8, q.proto == protoICMP6 && q.data[0] == 128:
		return "request" + string(q.data[4:8]), true
	}
	return "", false
}

// traceOrigin returns those routers whose answers did not leave the node that
// the lab gives their address to, and those of avoid that passed the trace on
// without saying so.
//
// way are the routers that answered. Of one whose answer is not in the recording
// nobody can say where it came from, and so it counts as forged.
func traceOrigin(ctx context.Context, t Target, h *probe.Host, k *grade.Trace, way []netip.Addr, from time.Time) (forged, silent []netip.Addr, err error) {
	got := map[netip.Addr]map[string]bool{}
	sent := map[string]bool{}
	err = toProbe(ctx, t, h, netip.Addr{}, from, func(p *packet) {
		if key, ok := hopKey(p); ok {
			if got[p.src] == nil {
				got[p.src] = map[string]bool{}
			}
			got[p.src][key] = true
		}
	})
	if err != nil {
		return nil, nil, err
	}
	err = eachPacket(ctx, t, record.Query{Dir: record.FromGuest}, "ether src "+h.MAC().String(), from, func(_ string, p *packet) {
		if key, ok := probeKey(p); ok && p.dst == k.To {
			sent[key] = true
		}
	})
	if err != nil {
		return nil, nil, err
	}
	for _, a := range way {
		if a.IsValid() && len(got[a]) == 0 && answererOf(t, "", a) != nil {
			forged = append(forged, a)
		}
	}
	for a, answers := range got {
		who := answererOf(t, "", a)
		if who == nil {
			continue
		}
		err := fromPorts(ctx, t, who, from, func(_ string, p *packet) {
			if key, ok := hopKey(p); ok && p.src == a {
				delete(answers, key)
			}
		})
		if err != nil {
			return nil, nil, err
		}
		if len(answers) > 0 {
			forged = append(forged, a)
		}
	}
	spoke := map[string]bool{} // ports of nodes that are on the way and say so, by whichever of their addresses
	for a := range got {
		if who := answererOf(t, "", a); who != nil {
			for port := range who.ports {
				spoke[port] = true
			}
		}
	}
	for _, a := range k.Avoid {
		who := answererOf(t, "", a)
		if who == nil || slices.ContainsFunc(keys(who.ports), func(port string) bool { return spoke[port] }) {
			continue
		}
		passed := false
		q := record.Query{Ports: keys(who.ports), Dir: record.ToGuest}
		err := eachPacket(ctx, t, q, "ip or ip6", from, func(port string, p *packet) {
			key, ok := probeKey(p)
			passed = passed || ok && sent[key] && p.dstMAC.String() == who.ports[port]
		})
		if err != nil {
			return nil, nil, err
		}
		if passed {
			silent = append(silent, a)
		}
	}
	return forged, silent, nil
}
