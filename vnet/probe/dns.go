package probe

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Query is a question to a DNS server.
type Query struct {
	Server  netip.AddrPort // port 0 means 53; without an address Options.DNS is asked
	Name    string         // with or without its last dot; an address is asked for in its reverse tree
	Type    string         // A, AAAA, PTR, MX, NS, CNAME, TXT, SOA, SRV; "" means A, or PTR for an address
	Timeout time.Duration  // for one attempt; 0 means 2 s
	Tries   int            // by UDP; 0 means 2
	TCP     bool           // ask by TCP at once
	NoRD    bool           // do not ask the server to ask others
}

// Answer is what a DNS server said. That a name does not exist is an answer
// too: look at Code.
type Answer struct {
	Server        netip.AddrPort
	Code          string // NOERROR, NXDOMAIN, SERVFAIL, REFUSED, …
	Authoritative bool
	Recursive     bool // the server would ask others
	TCP           bool // the answer came by TCP: asked for, or too long for UDP
	RTT           time.Duration
	Strays        int // datagrams from the server's address that did not answer the question

	Records    []Record // the answer section, in the server's order
	Authority  []Record
	Additional []Record
}

// Record is one resource record.
type Record struct {
	Name string // with its last dot
	Type string
	TTL  uint32     // seconds
	Data string     // as a zone file has it
	Addr netip.Addr // of an A or AAAA record
}

// Data returns the data of the records of a type in the answer section.
func (a Answer) Data(kind string) []string {
	var data []string
	for _, r := range a.Records {
		if r.Type == kind {
			data = append(data, r.Data)
		}
	}
	return data
}

var queryTypes = map[string]dnsmessage.Type{
	"A": dnsmessage.TypeA, "AAAA": dnsmessage.TypeAAAA, "PTR": dnsmessage.TypePTR, "MX": dnsmessage.TypeMX,
	"NS": dnsmessage.TypeNS, "CNAME": dnsmessage.TypeCNAME, "TXT": dnsmessage.TypeTXT, "SOA": dnsmessage.TypeSOA,
	"SRV": dnsmessage.TypeSRV,
}

// Resolve asks a DNS server. It is an Error when no answer comes that belongs
// to the question.
func (h *Host) Resolve(ctx context.Context, q Query) (Answer, error) {
	a := asked{op: "resolve"}
	ctx, end, err := h.begin(ctx, a)
	if err != nil {
		return Answer{}, err
	}
	defer end()
	return h.resolve(ctx, q)
}

func (h *Host) resolve(ctx context.Context, q Query) (Answer, error) {
	kind := strings.ToUpper(q.Type)
	name := q.Name
	if addr, err := netip.ParseAddr(name); err == nil && (kind == "" || kind == "PTR") {
		name, kind = reverse(addr), "PTR"
	}
	kind = cmp.Or(kind, "A")
	server := q.Server
	if !server.Addr().IsValid() {
		server = netip.AddrPortFrom(h.server(), server.Port())
	}
	if server.Port() == 0 {
		server = netip.AddrPortFrom(server.Addr(), 53)
	}
	a := asked{"resolve", fmt.Sprintf("%s %s at %s", name, kind, server.Addr())}
	if !server.Addr().IsValid() {
		return Answer{}, asked{"resolve", name + " " + kind}.fault(nil, "no DNS server was named")
	}
	typ, known := queryTypes[kind]
	if !known {
		return Answer{}, a.fault(nil, "the type %s cannot be asked for", kind)
	}
	if !strings.HasSuffix(name, ".") {
		name += "."
	}
	dname, err := dnsmessage.NewName(name)
	if err != nil {
		return Answer{}, a.fault(err, "that is no name")
	}
	id := uint16(rand.Uint32())
	question := dnsmessage.Question{Name: dname, Type: typ, Class: dnsmessage.ClassINET}
	msg := dnsmessage.Message{Header: dnsmessage.Header{ID: id, RecursionDesired: !q.NoRD}, Questions: []dnsmessage.Question{question}}
	packed, err := msg.Pack()
	if err != nil {
		return Answer{}, a.fault(err, "that is no name")
	}
	x := exchange{h: h, a: a, server: server, question: question, id: id, packed: packed,
		timeout: cmp.Or(q.Timeout, 2*time.Second), tries: cmp.Or(max(q.Tries, 0), 2)}
	if !q.TCP {
		ans, truncated, err := x.udp(ctx)
		if err != nil || !truncated {
			return ans, err
		}
	}
	return x.tcp(ctx)
}

// exchange is one question under way.
type exchange struct {
	h        *Host
	a        asked
	server   netip.AddrPort
	question dnsmessage.Question
	id       uint16
	packed   []byte
	timeout  time.Duration
	tries    int
	strays   int
}

func (x *exchange) udp(ctx context.Context) (ans Answer, truncated bool, err error) {
	begun := time.Now()
	c, err := x.h.dialUDP(ctx, x.a, x.server)
	if err != nil {
		return ans, false, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, 1<<16)
	for range x.tries {
		sent := time.Now()
		// The deadline of a context that has just ended stays.
		if ctx.Err() == nil {
			c.SetReadDeadline(sent.Add(x.timeout))
		}
		if ctx.Err() != nil {
			break
		}
		if _, err := c.Write(x.packed); err != nil {
			return ans, false, x.rename(err)
		}
		for {
			n, err := c.Read(buf)
			if CauseOf(err) == Silence {
				break
			}
			if err != nil {
				return ans, false, x.rename(err)
			}
			ans, truncated, ok := x.accept(buf[:n])
			if ok {
				ans.RTT = time.Since(sent)
				return ans, truncated, nil
			}
			x.strays++
		}
		if ctx.Err() != nil {
			break
		}
	}
	switch {
	case ctx.Err() != nil || x.h.broken() != nil:
		return ans, false, x.h.over(ctx, x.a, begun, "no answer by UDP")
	case x.strays > 0:
		return ans, false, x.a.found(Broken, x.server.Addr(), "%d datagrams came, none of which answers the question", x.strays)
	}
	return ans, false, x.a.found(Silence, netip.Addr{}, "no answer to %d queries by UDP within %v", x.tries, time.Since(begun).Round(time.Millisecond))
}

func (x *exchange) tcp(ctx context.Context) (ans Answer, err error) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, x.timeout*time.Duration(x.tries))
	defer cancel()
	c, err := x.h.dialTCP(ctx, x.a, x.server)
	if err != nil {
		return ans, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	sent := time.Now()
	if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(x.packed))), x.packed...)); err != nil {
		return ans, x.rename(err)
	}
	var size [2]byte
	buf := []byte(nil)
	if _, err = io.ReadFull(c, size[:]); err == nil {
		buf = make([]byte, binary.BigEndian.Uint16(size[:]))
		_, err = io.ReadFull(c, buf)
	}
	switch {
	case ctx.Err() != nil:
		return ans, x.h.over(ctx, x.a, begun, "no answer by TCP")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ans, x.a.found(Broken, x.server.Addr(), "%s ended the connection in the midst of its answer", x.server.Addr())
	case err != nil:
		return ans, x.rename(err)
	}
	ans, _, ok := x.accept(buf)
	if !ok {
		return ans, x.a.found(Broken, x.server.Addr(), "what came by TCP does not answer the question")
	}
	ans.TCP, ans.RTT = true, time.Since(sent)
	return ans, nil
}

// rename gives an error of the connection the name of the question.
func (x *exchange) rename(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		named := *e
		named.Op, named.Target = x.a.op, x.a.target
		return &named
	}
	return x.a.fault(err, "asking the server")
}

// accept reads an answer, if it is one to the question.
func (x *exchange) accept(b []byte) (ans Answer, truncated, ok bool) {
	var p dnsmessage.Parser
	head, err := p.Start(b)
	if err != nil || !head.Response || head.ID != x.id {
		return ans, false, false
	}
	qs, err := p.AllQuestions()
	if err != nil {
		return ans, false, false
	}
	// A server that refuses may leave the question out.
	if len(qs) > 1 || len(qs) == 1 && !(qs[0].Type == x.question.Type && qs[0].Class == x.question.Class &&
		strings.EqualFold(qs[0].Name.String(), x.question.Name.String())) {
		return ans, false, false
	}
	ans = Answer{Server: x.server, Code: rcode(head.RCode), Authoritative: head.Authoritative,
		Recursive: head.RecursionAvailable, Strays: x.strays}
	if head.Truncated {
		return ans, true, true
	}
	for _, section := range []struct {
		to   *[]Record
		next func() (dnsmessage.Resource, error)
	}{
		{&ans.Records, p.Answer}, {&ans.Authority, p.Authority}, {&ans.Additional, p.Additional},
	} {
		for {
			r, err := section.next()
			if errors.Is(err, dnsmessage.ErrSectionDone) {
				break
			}
			if err != nil {
				return ans, false, false
			}
			if r.Header.Type != dnsmessage.TypeOPT {
				*section.to = append(*section.to, record(r))
			}
		}
	}
	return ans, false, true
}

func rcode(c dnsmessage.RCode) string {
	names := [...]string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"}
	if int(c) < len(names) {
		return names[c]
	}
	return "RCODE" + strconv.Itoa(int(c))
}

func record(r dnsmessage.Resource) Record {
	rec := Record{Name: r.Header.Name.String(), TTL: r.Header.TTL, Type: strings.TrimPrefix(r.Header.Type.String(), "Type")}
	switch d := r.Body.(type) {
	case *dnsmessage.AResource:
		rec.Addr = netip.AddrFrom4(d.A)
		rec.Data = rec.Addr.String()
	case *dnsmessage.AAAAResource:
		rec.Addr = netip.AddrFrom16(d.AAAA)
		rec.Data = rec.Addr.String()
	case *dnsmessage.PTRResource:
		rec.Data = d.PTR.String()
	case *dnsmessage.NSResource:
		rec.Data = d.NS.String()
	case *dnsmessage.CNAMEResource:
		rec.Data = d.CNAME.String()
	case *dnsmessage.MXResource:
		rec.Data = fmt.Sprintf("%d %s", d.Pref, d.MX)
	case *dnsmessage.SRVResource:
		rec.Data = fmt.Sprintf("%d %d %d %s", d.Priority, d.Weight, d.Port, d.Target)
	case *dnsmessage.SOAResource:
		rec.Data = fmt.Sprintf("%s %s %d %d %d %d %d", d.NS, d.MBox, d.Serial, d.Refresh, d.Retry, d.Expire, d.MinTTL)
	case *dnsmessage.TXTResource:
		var quoted []string
		for _, s := range d.TXT {
			quoted = append(quoted, strconv.QuoteToASCII(s))
		}
		rec.Data = strings.Join(quoted, " ")
	case *dnsmessage.UnknownResource:
		rec.Type = "TYPE" + strconv.Itoa(int(r.Header.Type))
		rec.Data = fmt.Sprintf(`\# %d %x`, len(d.Data), d.Data)
	}
	return rec
}

// reverse is the name under which the tree of addresses holds one.
func reverse(addr netip.Addr) string {
	b := addr.Unmap().AsSlice()
	var s strings.Builder
	for i := len(b) - 1; i >= 0; i-- {
		if len(b) == 4 {
			fmt.Fprintf(&s, "%d.", b[i])
		} else {
			fmt.Fprintf(&s, "%x.%x.", b[i]&0xf, b[i]>>4)
		}
	}
	if len(b) == 4 {
		return s.String() + "in-addr.arpa."
	}
	return s.String() + "ip6.arpa."
}

// targets are the addresses that an address or name with a port stands for.
func (h *Host) targets(ctx context.Context, a asked, network, address string) ([]netip.AddrPort, error) {
	switch network {
	case "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6":
	default:
		return nil, a.fault(nil, "the network %q is not known", network)
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, a.fault(err, "reading the address")
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil || port == 0 {
		return nil, a.fault(nil, "%q is no port number", service)
	}
	want4, want6 := !strings.HasSuffix(network, "6"), !strings.HasSuffix(network, "4")
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.Unmap().WithZone("")
		if addr.Is4() && !want4 || addr.Is6() && !want6 {
			return nil, a.fault(nil, "%s is not of the network %s", addr, network)
		}
		return []netip.AddrPort{netip.AddrPortFrom(addr, uint16(port))}, nil
	}
	var found []netip.AddrPort
	for _, t := range []struct {
		kind string
		want bool
	}{{"A", want4}, {"AAAA", want6}} {
		if !t.want || !h.speaks(t.kind == "A") {
			continue
		}
		ans, err := h.resolve(ctx, Query{Name: host, Type: t.kind})
		if err != nil {
			return nil, err
		}
		if ans.Code != "NOERROR" && ans.Code != "NXDOMAIN" {
			return nil, asked{"resolve", host}.found(Refused, ans.Server.Addr(), "the DNS server %s answered %s", ans.Server.Addr(), ans.Code)
		}
		for _, r := range ans.Records {
			if r.Addr.IsValid() {
				found = append(found, netip.AddrPortFrom(r.Addr, uint16(port)))
			}
		}
	}
	if len(found) == 0 {
		return nil, asked{"resolve", host}.found(Refused, h.server(), "the DNS server %s knows no address of that name", h.server())
	}
	return found, nil
}

// speaks says that the Host has an address of a version of IP.
func (h *Host) speaks(v4 bool) bool {
	for _, p := range h.Addresses() {
		if p.Addr().Is4() == v4 {
			return true
		}
	}
	return false
}
