package uplink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"

	"github.com/patchbay/patchbay/vnet/outside"
)

const (
	dnsPort      = 53
	maxAsking    = 32 // questions at a time
	askingWithin = 5 * time.Second
)

// serveDNS answers questions at the router's address until Close.
func (r *Router) serveDNS() error {
	at := tcpip.FullAddress{NIC: nic, Addr: tcpip.AddrFrom4(r.gateway.As4()), Port: dnsPort}
	conn, err := gonet.DialUDP(r.stack, &at, nil, ipv4.ProtocolNumber)
	if err != nil {
		return fmt.Errorf("serving DNS: %w", err)
	}
	r.wg.Go(func() {
		<-r.ctx.Done()
		conn.Close()
	})
	r.wg.Go(func() {
		slots := make(chan struct{}, maxAsking)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if !r.meter.asked.Allow() {
				continue // who asks that often asks again
			}
			select {
			case slots <- struct{}{}:
			default:
				continue
			}
			question := append([]byte(nil), buf[:n]...)
			r.wg.Go(func() {
				defer func() { <-slots }()
				if answer := r.answerDNS(r.ctx, question); answer != nil {
					_, _ = conn.WriteTo(answer, from) // UDP promises nothing
				}
			})
		}
	})
	return nil
}

// answerDNS answers one question; nil is nothing.
func (r *Router) answerDNS(ctx context.Context, question []byte) []byte {
	var p dnsmessage.Parser
	h, err := p.Start(question)
	if err != nil || h.Response {
		return nil
	}
	q, err := p.Question()
	head := dnsmessage.Header{ID: h.ID, Response: true, OpCode: h.OpCode, RecursionDesired: h.RecursionDesired, RecursionAvailable: true}
	if err != nil {
		head.RCode = dnsmessage.RCodeFormatError
		return pack(head, nil, nil)
	}
	if h.OpCode != 0 {
		head.RCode = dnsmessage.RCodeNotImplemented
		return pack(head, &q, nil)
	}
	name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
	if q.Class != dnsmessage.ClassINET || !outside.ValidName(name) || !r.policy.Load().Asks(name) {
		// A name that does not exist is what programs understand; after a
		// refusal they ask again, and say that DNS is broken.
		head.RCode = dnsmessage.RCodeNameError
		if outside.ValidName(name) {
			r.deny(name)
		}
		return pack(head, &q, nil)
	}
	if q.Type != dnsmessage.TypeA {
		// Nothing but addresses: other records would carry more in and out
		// than whoever allowed a name had in mind. And the way out is IPv4.
		return pack(head, &q, nil)
	}
	ctx, cancel := context.WithTimeout(ctx, askingWithin)
	defer cancel()
	found, err := r.o.Resolve(ctx, name)
	if notFound, ok := errors.AsType[*net.DNSError](err); ok && notFound.IsNotFound {
		head.RCode = dnsmessage.RCodeNameError
		return pack(head, &q, nil)
	}
	if err != nil {
		r.log.Debug("looking a name up", "name", name, "err", err)
		head.RCode = dnsmessage.RCodeServerFailure
		return pack(head, &q, nil)
	}
	var addrs []netip.Addr
	policy := r.policy.Load()
	for _, a := range found {
		if a = a.Unmap(); len(addrs) < maxPerName && policy.Answers(name, a) {
			addrs = append(addrs, a)
		}
	}
	if len(found) > 0 && len(addrs) == 0 {
		r.deny(name + " at " + found[0].Unmap().String())
	}
	r.answers.add(name, addrs, time.Now())
	return pack(head, &q, addrs)
}

func pack(h dnsmessage.Header, q *dnsmessage.Question, addrs []netip.Addr) []byte {
	m := dnsmessage.Message{Header: h}
	if q != nil {
		m.Questions = []dnsmessage.Question{*q}
	}
	for _, a := range addrs {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: uint32(answerTTL.Seconds())},
			Body:   &dnsmessage.AResource{A: a.As4()},
		})
	}
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}

// resolve asks the host's resolver, and for the name as it is: the host's own
// search list is not the guests'.
func resolve(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip4", name+".")
}
