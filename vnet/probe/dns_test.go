package probe_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/patchbay/patchbay/vnet/probe"
)

// zone answers questions as the name asked for says.
func zone(q []byte) (answers [][]byte) {
	var p dnsmessage.Parser
	head, err := p.Start(q)
	if err != nil {
		return nil
	}
	question, err := p.Question()
	if err != nil {
		return nil
	}
	name := question.Name.String()
	head.Response, head.Authoritative, head.RecursionAvailable = true, true, false
	m := dnsmessage.Message{Header: head, Questions: []dnsmessage.Question{question}}
	add := func(to *[]dnsmessage.Resource, owner string, body dnsmessage.ResourceBody) {
		*to = append(*to, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(owner), Class: dnsmessage.ClassINET, TTL: 60}, Body: body})
	}
	pack := func() []byte {
		b, err := m.Pack()
		if err != nil {
			panic(err)
		}
		return b
	}
	switch first, _, _ := strings.Cut(name, "."); first {
	case "silent":
		return nil
	case "refused":
		m.RCode, m.Questions = dnsmessage.RCodeRefused, nil
	case "gone":
		m.RCode = dnsmessage.RCodeNameError
		add(&m.Authorities, "example.", &dnsmessage.SOAResource{NS: dnsmessage.MustNewName("ns.example."), MBox: dnsmessage.MustNewName("root.example."), Serial: 7, Refresh: 1, Retry: 2, Expire: 3, MinTTL: 4})
	case "long":
		m.Truncated = true
	case "garbage":
		return [][]byte{[]byte("no DNS at all"), {}, q}
	case "cut":
		add(&m.Answers, name, &dnsmessage.AResource{A: [4]byte{10, 0, 0, 5}})
		b := pack()
		return [][]byte{b[:len(b)-2]}
	case "spoofed": // guesses of the identifier, another question, and the answer
		add(&m.Answers, name, &dnsmessage.AResource{A: [4]byte{6, 6, 6, 6}})
		m.ID++
		answers = append(answers, pack())
		m.ID--
		m.Questions[0].Name = dnsmessage.MustNewName("other.example.")
		answers = append(answers, pack())
		m.Questions[0].Name, m.Answers = question.Name, nil
	}
	if m.RCode == 0 && !m.Truncated {
		switch question.Type {
		case dnsmessage.TypeA:
			add(&m.Answers, name, &dnsmessage.AResource{A: [4]byte{10, 0, 0, 2}})
		case dnsmessage.TypeAAAA:
			add(&m.Answers, name, &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr("fd00::2").As16()})
		case dnsmessage.TypeMX:
			add(&m.Answers, name, &dnsmessage.MXResource{Pref: 10, MX: dnsmessage.MustNewName("mail.example.")})
			add(&m.Additionals, "mail.example.", &dnsmessage.AResource{A: [4]byte{10, 0, 0, 3}})
		case dnsmessage.TypeNS:
			add(&m.Answers, name, &dnsmessage.NSResource{NS: dnsmessage.MustNewName("ns.example.")})
		case dnsmessage.TypeCNAME:
			add(&m.Answers, name, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("pc2.example.")})
		case dnsmessage.TypeTXT:
			add(&m.Answers, name, &dnsmessage.TXTResource{TXT: []string{"a b", `"`}})
		case dnsmessage.TypeSOA:
			add(&m.Answers, name, &dnsmessage.SOAResource{NS: dnsmessage.MustNewName("ns.example."), MBox: dnsmessage.MustNewName("root.example."), Serial: 7, Refresh: 1, Retry: 2, Expire: 3, MinTTL: 4})
		case dnsmessage.TypePTR:
			add(&m.Answers, name, &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("pc2.example.")})
		case dnsmessage.TypeSRV:
			add(&m.Answers, name, &dnsmessage.SRVResource{Priority: 1, Weight: 2, Port: 80, Target: dnsmessage.MustNewName("pc2.example.")})
		}
	}
	return append(answers, pack())
}

// serveDNS answers at port 53 of a probe. What is too long for UDP comes by TCP.
func serveDNS(t testing.TB, h *probe.Host) {
	pc, err := h.ListenPacket(netip.MustParseAddrPort("0.0.0.0:53"))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			for _, a := range zone(b[:n]) {
				pc.WriteTo(a, from)
			}
		}
	}()
	l := listen(t, h, "0.0.0.0:53")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serveDNSByTCP(c)
		}
	}()
}

func serveDNSByTCP(c net.Conn) {
	defer c.Close()
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return
	}
	q := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, q); err != nil || bytes.Contains(q, []byte("hangup")) {
		return
	}
	for _, a := range zone(bytes.ReplaceAll(q, []byte("long"), []byte("full"))) {
		a = bytes.ReplaceAll(a, []byte("full"), []byte("long"))
		c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a))), a...))
	}
}

func TestResolve(t *testing.T) {
	sw := newSwitch(t, "lan")
	h := attachWith(t, sw, "lan", probe.Options{DNS: ip("10.0.0.2")}, "10.0.0.1/24")
	s := attach(t, sw, "lan", "10.0.0.2/24")
	serveDNS(t, s)
	for _, tt := range []struct {
		name, kind, code string
		tcp              bool
		data             string
	}{
		{"pc2.example", "", "NOERROR", false, "A 10.0.0.2"},
		{"PC2.example.", "a", "NOERROR", false, "A 10.0.0.2"},
		{"pc2.example", "A", "NOERROR", true, "A 10.0.0.2"},
		{"pc2.example", "AAAA", "NOERROR", false, "AAAA fd00::2"},
		{"example", "MX", "NOERROR", false, "MX 10 mail.example."},
		{"example", "NS", "NOERROR", false, "NS ns.example."},
		{"www.example", "CNAME", "NOERROR", false, "CNAME pc2.example."},
		{"example", "TXT", "NOERROR", false, `TXT "a b" "\""`},
		{"example", "SOA", "NOERROR", false, "SOA ns.example. root.example. 7 1 2 3 4"},
		{"_http._tcp.example", "SRV", "NOERROR", false, "SRV 1 2 80 pc2.example."},
		{"10.0.0.2", "", "NOERROR", false, "PTR pc2.example."},
		{"fd00::2", "PTR", "NOERROR", true, "PTR pc2.example."},
		{"gone.example", "A", "NXDOMAIN", false, ""},
		{"refused.example", "A", "REFUSED", false, ""},
		{"long.example", "A", "NOERROR", true, "A 10.0.0.2"},
	} {
		t.Run(tt.name+" "+tt.kind, func(t *testing.T) {
			got, err := h.Resolve(within(t), probe.Query{Name: tt.name, Type: tt.kind, TCP: tt.tcp && tt.name != "long.example"})
			if err != nil {
				t.Fatal(err)
			}
			if got.Code != tt.code || got.TCP != tt.tcp || !got.Authoritative || got.Recursive || got.Server.String() != "10.0.0.2:53" || got.RTT <= 0 || got.Strays != 0 {
				t.Errorf("got %+v", got)
			}
			data := ""
			if len(got.Records) == 1 {
				data = got.Records[0].Type + " " + got.Records[0].Data
				if !slices.Equal(got.Data(got.Records[0].Type), []string{got.Records[0].Data}) {
					t.Errorf("Data of %+v", got)
				}
			}
			if data != tt.data || len(got.Records) > 1 {
				t.Errorf("got %+v; want %q", got.Records, tt.data)
			}
			if tt.kind == "MX" != (len(got.Additional) == 1) || (tt.code == "NXDOMAIN") != (len(got.Authority) == 1) {
				t.Errorf("authority %+v, additional %+v", got.Authority, got.Additional)
			}
		})
	}

	spoofed, err := h.Resolve(within(t), probe.Query{Name: "spoofed.example"})
	if err != nil || spoofed.Strays != 2 || len(spoofed.Records) != 1 || spoofed.Records[0].Addr != ip("10.0.0.2") {
		t.Errorf("between forged answers: %+v, %v; want the true one and 2 strays", spoofed, err)
	}

	brief := probe.Query{Timeout: 50 * time.Millisecond}
	for name, want := range map[string]struct {
		cause probe.Cause
		says  string
	}{
		"silent.example":  {probe.Silence, "resolve silent.example A at 10.0.0.2: no answer to 2 queries by UDP within"},
		"garbage.example": {probe.Broken, "none of which answers the question"},
		"cut.example":     {probe.Broken, "none of which answers the question"},
		strings.Repeat("x.", 99) + strings.Repeat("y", 99): {probe.Fault, "no name"},
	} {
		q := brief
		q.Name = name
		_, err := h.Resolve(within(t), q)
		fails(t, err, want.cause, want.says)
	}
	q := brief
	q.Name, q.TCP = "hangup.example", true
	_, err = h.Resolve(within(t), q)
	fails(t, err, probe.Broken, "ended the connection")
	_, err = h.Resolve(within(t), probe.Query{Name: "a.example", Type: "WKS"})
	fails(t, err, probe.Fault, "WKS")
	_, err = h.Resolve(within(t), probe.Query{Name: "a.example", Server: netip.MustParseAddrPort("10.0.0.2:54")})
	fails(t, err, probe.Refused, "10.0.0.2 answered: port unreachable")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = h.Resolve(ctx, probe.Query{Name: "silent.example"})
	fails(t, err, probe.Silence, "no answer by UDP within")
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err = h.Resolve(ctx, probe.Query{Name: "silent.example"})
	fails(t, err, probe.Cancelled)

	// Names that Dial finds.
	go echo(listen(t, s, "0.0.0.0:7"))
	c, err := h.Dial(within(t), "tcp", "pc2.example:7")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	_, err = h.Dial(within(t), "tcp", "gone.example:7")
	fails(t, err, probe.Refused, "resolve gone.example: the DNS server 10.0.0.2 knows no address")
	_, err = h.Client().Get("http://refused.example/")
	fails(t, err, probe.Refused, "answered REFUSED")
	if e, ok := errors.AsType[*probe.Error](err); !ok || e.From != ip("10.0.0.2") {
		t.Errorf("%v does not say who", err)
	}
}
