package uplink_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/patchbay/patchbay/vnet/uplink"
)

// A guest looks a name up, connects to what it is told, and much goes both ways.
func TestByName(t *testing.T) {
	w := newWorld(t, rules(t, "deb.example:80"))
	w.out.serveTCP("198.51.100.7:80", echo)
	w.out.serveTCP("198.51.100.7:443", echo)
	w.out.serveTCP("198.51.100.99:80", echo)
	g := w.guest("pc1", "100.64.0.2")

	if _, err := g.dial("198.51.100.7:80"); err == nil {
		t.Error("reached an address that it was not told")
	}
	m := g.lookup("deb.example", dnsmessage.TypeA)
	if len(m.Answers) != 2 || m.Answers[0].Body.(*dnsmessage.AResource).A != [4]byte{198, 51, 100, 7} || m.Answers[0].Header.TTL != 60 {
		t.Fatalf("the answer is %+v", m)
	}
	c, err := g.dial("198.51.100.7:80")
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := c.Write(data)
		if err := errors.Join(err, c.CloseWrite()); err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(c)
	wg.Wait()
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes came back, %v; want the same %d", len(got), err, len(data))
	}
	c.Close()
	for _, address := range []string{"198.51.100.7:443", "198.51.100.99:80", "10.0.0.1:80", "169.254.169.254:80", "203.0.113.7:80"} {
		if c, err := g.dial(address); err == nil {
			c.Close()
			t.Errorf("reached %s", address)
		}
	}
	if got := w.out.did(&w.out.dialled); !slices.Equal(got, []string{"tcp 198.51.100.7:80"}) {
		t.Errorf("the router dialled %v", got)
	}
	s := w.router.Stats()
	if s.Carried != 1 || s.Bytes < 2<<20 || len(s.Denied) != 6 || s.Denied[0].Destination != "203.0.113.7:80/tcp" {
		t.Errorf("the counts are %+v", s)
	}
}

// What is denied is told at once, and by whom: a student sees why.
func TestDenialIsSaid(t *testing.T) {
	w := newWorld(t, nil)
	g := w.guest("pc1", "100.64.0.2")
	c := g.dialUDP("198.51.100.7:9")
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	until := time.After(10 * time.Second)
	for {
		select {
		case f := <-g.seen:
			if len(f) < 42 || f[12] != 8 || f[13] != 0 || f[23] != 1 {
				continue
			}
			ip, icmp := header.IPv4(f[14:34]), header.ICMPv4(f[34:])
			if icmp.Type() != header.ICMPv4DstUnreachable || icmp.Code() != 13 || ip.SourceAddress() != ip4("100.64.0.1") {
				t.Fatalf("what came back is %x", f)
			}
			return
		case <-until:
			t.Fatal("nothing came back")
		}
	}
}

func TestUDP(t *testing.T) {
	w := newWorld(t, rules(t, "198.51.100.0/24:123/udp"))
	w.out.serveUDP("198.51.100.5:123")
	g := w.guest("pc1", "100.64.0.2")
	c := g.dialUDP("198.51.100.5:123")
	for range 3 {
		if _, err := c.Write([]byte("what time is it?")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		n, err := c.Read(buf)
		if err != nil || string(buf[:n]) != "what time is it?" {
			t.Fatalf("read %q, %v", buf[:n], err)
		}
	}
	if got := w.out.did(&w.out.dialled); !slices.Equal(got, []string{"udp 198.51.100.5:123"}) {
		t.Errorf("three datagrams were %v", got)
	}
}

func TestDNS(t *testing.T) {
	w := newWorld(t, rules(t, "deb.example:80", "*.sub.example", "rebind.example", "inside.example", "198.51.100.0/24"))
	for _, tt := range []struct {
		name  string
		kind  dnsmessage.Type
		code  dnsmessage.RCode
		addrs int
		asked bool
	}{
		{"deb.example", dnsmessage.TypeA, dnsmessage.RCodeSuccess, 2, true},
		{"DEB.Example", dnsmessage.TypeA, dnsmessage.RCodeSuccess, 2, true},
		{"deb.example", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, 0, false},
		{"deb.example", dnsmessage.TypeTXT, dnsmessage.RCodeSuccess, 0, false},
		{"none.sub.example", dnsmessage.TypeA, dnsmessage.RCodeNameError, 0, true},
		{"sub.example", dnsmessage.TypeA, dnsmessage.RCodeNameError, 0, false},
		{"payload.evil.example", dnsmessage.TypeA, dnsmessage.RCodeNameError, 0, false},
		{"payload.evil.example", dnsmessage.TypeTXT, dnsmessage.RCodeNameError, 0, false},
		{"a.deb.example", dnsmessage.TypeA, dnsmessage.RCodeNameError, 0, false},
		{"rebind.example", dnsmessage.TypeA, dnsmessage.RCodeSuccess, 1, true}, // but for the near and the host's own
		{"inside.example", dnsmessage.TypeA, dnsmessage.RCodeSuccess, 0, true},
		{"7.100.51.198.in-addr.arpa", dnsmessage.TypePTR, dnsmessage.RCodeNameError, 0, false},
		{"localhost", dnsmessage.TypeA, dnsmessage.RCodeNameError, 0, false},
	} {
		before := len(w.out.did(&w.out.asked))
		b := w.router.AnswerDNS(t.Context(), question(t, tt.name, tt.kind))
		var m dnsmessage.Message
		if err := m.Unpack(b); err != nil {
			t.Fatalf("%s %v: %v", tt.name, tt.kind, err)
		}
		asked := len(w.out.did(&w.out.asked)) > before
		if m.RCode != tt.code || len(m.Answers) != tt.addrs || asked != tt.asked || m.ID != 7 || !m.Response || len(m.Questions) != 1 {
			t.Errorf("%s %v: %+v, asked outside: %v; want %v with %d addresses, asked: %v", tt.name, tt.kind, m, asked, tt.code, tt.addrs, tt.asked)
		}
	}
}

func TestDNSAgainstRubbish(t *testing.T) {
	w := newWorld(t, rules(t, "*"))
	good := question(t, "deb.example", dnsmessage.TypeA)
	answer := bytes.Clone(good)
	answer[2] |= 0x80
	for name, q := range map[string][]byte{"nothing": nil, "short": good[:5], "an answer": answer} {
		if b := w.router.AnswerDNS(t.Context(), q); b != nil {
			t.Errorf("%s: answered with %x", name, b)
		}
	}
	other := bytes.Clone(good)
	other[2] |= 4 << 3 // notify
	for name, q := range map[string][]byte{"another operation": other, "cut": good[:len(good)-1]} {
		var m dnsmessage.Message
		if err := m.Unpack(w.router.AnswerDNS(t.Context(), q)); err != nil || m.RCode == dnsmessage.RCodeSuccess {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

func FuzzDNS(f *testing.F) {
	f.Add(question(f, "deb.example", dnsmessage.TypeA))
	f.Add(question(f, "a.b.sub.example", dnsmessage.TypeTXT))
	f.Add([]byte{0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1})
	f.Fuzz(func(t *testing.T, q []byte) {
		w := newWorld(t, rules(t, "deb.example:80", "*.sub.example"))
		b := w.router.AnswerDNS(t.Context(), q)
		var m dnsmessage.Message
		if b != nil && m.Unpack(b) != nil {
			t.Errorf("%x is answered with what cannot be read: %x", q, b)
		}
		for _, name := range w.out.did(&w.out.asked) {
			if name != "deb.example" && !strings.HasSuffix(name, ".sub.example") {
				t.Errorf("%x makes the router ask for %q", q, name)
			}
		}
	})
}

// What the router remembers of its answers is bounded, and over one day.
func TestAnswers(t *testing.T) {
	a, now := uplink.NewAnswers(), time.Now()
	one := netip.MustParseAddr("198.51.100.1")
	a.Add("b.example", []netip.Addr{one}, now)
	a.Add("a.example", []netip.Addr{one}, now)
	a.Add("a.example", []netip.Addr{one}, now)
	if got := a.Names(one, now.Add(time.Minute)); !slices.Equal(got, []string{"a.example", "b.example"}) || a.Len() != 2 {
		t.Errorf("the names are %v, %d", got, a.Len())
	}
	if got := a.Names(one, now.Add(time.Hour)); got != nil {
		t.Errorf("an hour later the names are %v", got)
	}
	addr := netip.MustParseAddr("198.51.0.0")
	for range 3 * uplink.MaxAnswers {
		a.Add("c.example", []netip.Addr{addr}, now)
		addr = addr.Next()
	}
	if a.Len() > uplink.MaxAnswers {
		t.Errorf("%d are kept", a.Len())
	}
	if a.Names(addr.Prev(), now) == nil {
		t.Error("the latest is forgotten")
	}
}

func TestPing(t *testing.T) {
	w := newWorld(t, rules(t, "198.51.100.0/24:80"))
	g := w.guest("pc1", "100.64.0.2")
	if answer := g.ping("100.64.0.1"); answer != header.ICMPv4EchoReply {
		t.Errorf("the router answers with %v", answer)
	}
	if answer := g.ping("198.51.100.9"); answer != header.ICMPv4EchoReply {
		t.Errorf("an allowed address answers with %v", answer)
	}
	if answer := g.ping("192.0.2.9"); answer != header.ICMPv4DstUnreachable {
		t.Errorf("another address answers with %v", answer)
	}
	if got := w.out.did(&w.out.pinged); !slices.Equal(got, []string{"198.51.100.9"}) {
		t.Errorf("the router pinged %v", got)
	}
	w.out.mu.Lock()
	w.out.noPing = true
	w.out.mu.Unlock()
	if answer := g.ping("198.51.100.9"); answer != header.ICMPv4DstUnreachable || !w.router.Stats().NoPing {
		t.Errorf("where the host gives no ping sockets: %v, %+v", answer, w.router.Stats())
	}
}

// ping sends an echo request and returns the type of what comes back.
func (g *guest) ping(to string) header.ICMPv4Type {
	g.t.Helper()
	// The card's address of the router, as a machine finds it.
	if _, err := g.dial("100.64.0.1:9"); err == nil {
		g.t.Fatal("something listens on port 9 of the router")
	}
	for {
		select {
		case <-g.seen:
			continue
		default:
		}
		break
	}
	payload := []byte("abcdefgh")
	f := make([]byte, 14+20+8+len(payload))
	header.Ethernet(f).Encode(&header.EthernetFields{SrcAddr: g.port.LinkAddress(), DstAddr: routerMAC(), Type: header.IPv4ProtocolNumber})
	ip := header.IPv4(f[14:])
	ip.Encode(&header.IPv4Fields{TotalLength: uint16(len(f) - 14), TTL: 64, Protocol: 1, SrcAddr: ip4("100.64.0.2"), DstAddr: ip4(to)})
	ip.SetChecksum(^ip.CalculateChecksum())
	m := header.ICMPv4(f[34:])
	m.SetType(header.ICMPv4Echo)
	m.SetIdent(77)
	m.SetSequence(3)
	copy(f[42:], payload)
	m.SetChecksum(header.ICMPv4Checksum(m[:8], sum(payload)))
	if err := g.port.Send(f); err != nil {
		g.t.Fatal(err)
	}
	until := time.After(10 * time.Second)
	for {
		select {
		case f := <-g.seen:
			if len(f) < 42 || f[12] != 8 || f[13] != 0 || f[23] != 1 {
				continue
			}
			m := header.ICMPv4(f[34:])
			if m.Type() == header.ICMPv4EchoReply {
				ip := header.IPv4(f[14:])
				if ip.SourceAddress() != ip4(to) || m.Ident() != 77 || m.Sequence() != 3 || string(f[42:]) != string(payload) || sum(f[34:]) != 0xffff {
					g.t.Errorf("the answer is %x", f)
				}
			}
			return m.Type()
		case <-until:
			g.t.Fatalf("no answer from %s", to)
		}
	}
}

// The router answers ARP for itself, and for no other machine of the segment.
func TestARP(t *testing.T) {
	w := newWorld(t, rules(t, "*"))
	a := w.guest("pc1", "100.64.0.2")
	b := w.guest("pc2", "100.64.0.3")
	if _, err := a.dial("100.64.0.3:9"); err == nil { // refused by pc2 itself
		t.Fatal("something listens on pc2")
	}
	until := time.After(200 * time.Millisecond)
	replies := 0
	for {
		select {
		case f := <-a.seen:
			if f[12] == 8 && f[13] == 6 && f[21] == 2 {
				replies++
				if !bytes.Equal(f[22:28], []byte(b.port.LinkAddress())) {
					t.Errorf("%x answers for pc2", f[22:28])
				}
			}
			continue
		case <-until:
		}
		break
	}
	if replies != 1 {
		t.Errorf("%d machines answered", replies)
	}
}

func TestLimits(t *testing.T) {
	w := newWorld(t, rules(t, "*:80"), func(o *uplink.Options) {
		o.Limits = uplink.Limits{Flows: 2, Bytes: 100_000}
	})
	hold := make(chan struct{})
	w.out.serveTCP("198.51.100.7:80", func(c *net.TCPConn) {
		<-hold
		_, _ = c.Write(make([]byte, 1_000_000))
	})
	g := w.guest("pc1", "100.64.0.2")
	var open []net.Conn
	for range 2 {
		c, err := g.dial("198.51.100.7:80")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open = append(open, c)
	}
	if c, err := g.dial("198.51.100.7:80"); err == nil {
		c.Close()
		t.Error("there may be more than two")
	}
	close(hold)
	n, _ := io.Copy(io.Discard, open[0])
	m, _ := io.Copy(io.Discard, open[1])
	if n+m > 100_000 {
		t.Errorf("%d bytes came", n+m)
	}
	if c, err := g.dial("198.51.100.7:80"); err == nil {
		c.Close()
		t.Error("what is spent may be used on")
	}
	if s := w.router.Stats(); !s.Spent || s.Refused != 2 {
		t.Errorf("the counts are %+v", s)
	}
}

// A connection on which nothing moves is let go of.
func TestIdle(t *testing.T) {
	w := newWorld(t, rules(t, "*:80"), func(o *uplink.Options) { o.Limits.Idle = 50 * time.Millisecond })
	w.out.serveTCP("198.51.100.7:80", func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) })
	g := w.guest("pc1", "100.64.0.2")
	c, err := g.dial("198.51.100.7:80")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil || timedOut(err) {
		t.Errorf("the read ended with %v", err)
	}
}

func timedOut(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// Close ends what is under way, connections in the making with it.
func TestClose(t *testing.T) {
	w := newWorld(t, rules(t, "*"))
	w.out.serveTCP("198.51.100.7:80", echo)
	w.out.serveUDP("198.51.100.7:53")
	g := w.guest("pc1", "100.64.0.2")
	c, err := g.dial("198.51.100.7:80")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := g.dialUDP("198.51.100.7:53").Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	w.router.Close()
	w.router.Close()
	if w.router.Err() == nil {
		t.Error("a closed router says that it works")
	}
}

func TestNewErrors(t *testing.T) {
	w := newWorld(t, nil)
	for _, p := range []string{"10.0.0.1/24", "10.0.0.0/8", "10.0.0.0/30", "127.0.0.0/24", "fd00::/64"} {
		if r, err := uplink.New(w.sw, uplink.Options{Segment: "net", Port: "second", Prefix: netip.MustParsePrefix(p)}); err == nil {
			r.Close()
			t.Errorf("made a router for %s", p)
		}
	}
	if r, err := uplink.New(w.sw, uplink.Options{Segment: "nowhere"}); err == nil {
		r.Close()
		t.Error("made a router on a segment that is not there")
	}
}
