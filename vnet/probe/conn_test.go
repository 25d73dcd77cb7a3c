package probe_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet/probe"
)

func listen(t testing.TB, h *probe.Host, at string) net.Listener {
	t.Helper()
	l, err := h.Listen(netip.MustParseAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// echo serves connections with what they send, until they end.
func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			io.Copy(c, c)
		}()
	}
}

func TestTCP(t *testing.T) {
	sw := newSwitch(t, "lan")
	a := attach(t, sw, "lan", "10.0.0.1/24", "fd00::1/64")
	b := attach(t, sw, "lan", "10.0.0.2/24", "fd00::2/64")
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<13)
	for at, to := range map[string]string{"0.0.0.0:7": "10.0.0.2:7", "[::]:7": "[fd00::2]:7"} {
		l := listen(t, b, at)
		go echo(l)
		c, err := a.Dial(within(t), "tcp", to)
		if err != nil {
			t.Fatal(err)
		}
		if c.RemoteAddr().String() != to {
			t.Errorf("connected to %v; want %s", c.RemoteAddr(), to)
		}
		go func() {
			c.Write(want)
			c.(interface{ CloseWrite() error }).CloseWrite()
		}()
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes came back (%v); want the %d sent", len(got), err, len(want))
		}
		c.Close()
		l.Close()
		_, err = a.Dial(within(t), "tcp", to)
		fails(t, err, probe.Refused, "connect to "+to+" by tcp", "reset", "the port is closed")
	}
}

func TestUDP(t *testing.T) {
	sw := newSwitch(t, "lan")
	a := attach(t, sw, "lan", "10.0.0.1/24", "fd00::1/64")
	b := attach(t, sw, "lan", "10.0.0.2/24", "fd00::2/64")
	for at, to := range map[string]string{"0.0.0.0:7": "10.0.0.2:7", "[::]:7": "[fd00::2]:7"} {
		pc, err := b.ListenPacket(netip.MustParseAddrPort(at))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			buf := make([]byte, 1<<16)
			for {
				n, from, err := pc.ReadFrom(buf)
				if err != nil {
					return
				}
				pc.WriteTo(buf[:n], from)
			}
		}()
		c, err := a.Dial(within(t), "udp", to)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 1, 1472, 1473, 9000} {
			if _, err := c.Write(make([]byte, n)); err != nil {
				t.Fatal(err)
			}
			got, err := c.Read(make([]byte, 1<<16))
			if err != nil || got != n {
				t.Errorf("%d bytes (%v) came back; want %d", got, err, n)
			}
		}
		pc.Close()
		if _, err := c.Write([]byte("?")); err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(patience))
		_, err = c.Read(make([]byte, 1))
		fails(t, err, probe.Refused, "port unreachable")
		c.Close()
	}
}

func TestDialErrors(t *testing.T) {
	t.Parallel()
	sw := newSwitch(t, "one")
	h := attachWith(t, sw, "one", probe.Options{Gateway: ip("10.0.1.254")}, "10.0.1.1/24")
	newBlackHole(t, sw, "one", "hole", "10.0.1.66")
	brief := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	_, err := h.Dial(brief(), "tcp", "10.0.1.66:80")
	fails(t, err, probe.Silence, "connect to 10.0.1.66:80 by tcp: no answer to its SYNs within")
	if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
		t.Errorf("%v is no timeout", err)
	}
	_, err = h.Dial(brief(), "tcp", "10.0.1.9:80")
	fails(t, err, probe.NoNeighbour, "nobody answered ARP for 10.0.1.9")
	_, err = h.Dial(within(t), "tcp", "[fd00::1]:80")
	fails(t, err, probe.Fault, "version")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err = h.Dial(ctx, "tcp", "10.0.1.66:80")
	fails(t, err, probe.Cancelled)
	for network, address := range map[string]string{
		"unix": "/x", "tcp": "10.0.1.66", "udp": "10.0.1.66:http", "tcp6": "10.0.1.66:80", "tcp4": "[fd00::1]:80", "udp4": "10.0.1.66:0",
	} {
		_, err := h.Dial(within(t), network, address)
		fails(t, err, probe.Fault)
	}
	_, err = h.Dial(within(t), "tcp", "pc1:80")
	fails(t, err, probe.Fault, "no DNS server")
}

// A connection that is open when the probe goes ends in good order.
func TestCloseSaysGoodbye(t *testing.T) {
	sw := newSwitch(t, "lan")
	a := attach(t, sw, "lan", "10.0.0.1/24")
	b := attach(t, sw, "lan", "10.0.0.2/24")
	l := listen(t, b, "10.0.0.2:7")
	got := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			got <- err
			return
		}
		defer c.Close()
		_, err = io.ReadAll(c)
		got <- err
	}()
	c, err := a.Dial(within(t), "tcp", "10.0.0.2:7")
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	if err := <-got; err != nil {
		t.Errorf("the other end of a probe that went read: %v; want an end", err)
	}
	_, err = c.Read(make([]byte, 1))
	if !errors.Is(err, io.EOF) && !probe.Ours(err) {
		t.Errorf("reading by a probe that went: %v", err)
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	sw := newSwitch(t, "lan")
	a := attach(t, sw, "lan", "10.0.0.1/24")
	b := attach(t, sw, "lan", "10.0.0.2/24")
	l := listen(t, b, "10.0.0.2:7")
	go func() {
		if c, err := l.Accept(); err == nil {
			c.Read(make([]byte, 1)) // and leaves the rest unread: the end is a reset
			c.Close()
		}
	}()
	c, err := a.Dial(within(t), "tcp", "10.0.0.2:7")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	for err == nil {
		_, err = c.Write(make([]byte, 1<<16))
	}
	for err == nil {
		_, err = c.Read(make([]byte, 1<<16))
	}
	fails(t, err, probe.Refused, "10.0.0.2 reset the connection")
}

func TestHTTP(t *testing.T) {
	sw := newSwitch(t, "lan")
	a := attach(t, sw, "lan", "10.0.0.1/24")
	b := attach(t, sw, "lan", "10.0.0.2/24")
	plain := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		io.WriteString(w, "hello "+strings.Split(r.RemoteAddr, ":")[0])
	}))
	plain.Listener = listen(t, b, "0.0.0.0:80")
	plain.Start()
	defer plain.Close()
	resp, err := a.Client().Get("http://10.0.0.2/")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || string(body) != "hello 10.0.0.1" {
		t.Errorf("got %q, %v", body, err)
	}
	resp, err = a.Client().Get("http://10.0.0.2/away")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		t.Errorf("status %d; want a redirection, not followed", resp.StatusCode)
	}
	_, err = a.Client().Get("http://10.0.0.2:81/")
	fails(t, err, probe.Refused, "the port is closed")
}

func TestTLS(t *testing.T) {
	sw := newSwitch(t, "lan")
	a := attach(t, sw, "lan", "10.0.0.1/24")
	b := attach(t, sw, "lan", "10.0.0.2/24")
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = nil
	s.Listener = listen(t, b, "0.0.0.0:443")
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	for _, tt := range []struct {
		name string
		o    probe.TLSOptions
		says string // of the verdict; "" for none
	}{
		{"good", probe.TLSOptions{ServerName: "example.com", Roots: roots}, ""},
		{"another name", probe.TLSOptions{ServerName: "example.net", Roots: roots}, "not example.net"},
		{"the address", probe.TLSOptions{Roots: roots}, "10.0.0.2"},
		{"nobody trusted", probe.TLSOptions{ServerName: "example.com"}, "unknown authority"},
		{"too late", probe.TLSOptions{ServerName: "example.com", Roots: roots, Now: time.Unix(1<<33, 0)}, "expired"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.NextProtos = []string{"h2"}
			got, err := a.TLS(within(t), "10.0.0.2:443", tt.o)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Chain) != 1 || !got.Chain[0].Equal(s.Certificate()) || got.State.Version != tls.VersionTLS13 || got.State.NegotiatedProtocol != "h2" {
				t.Errorf("got %d certificates, %+v", len(got.Chain), got.State)
			}
			if tt.says == "" && got.Verdict != nil || tt.says != "" && (got.Verdict == nil || !strings.Contains(got.Verdict.Error(), tt.says)) {
				t.Errorf("verdict %v; want one that says %q", got.Verdict, tt.says)
			}
		})
	}
	_, err := a.TLS(within(t), "10.0.0.2:444", probe.TLSOptions{})
	fails(t, err, probe.Refused)
	go echo(listen(t, b, "0.0.0.0:7"))
	_, err = a.TLS(within(t), "10.0.0.2:7", probe.TLSOptions{})
	fails(t, err, probe.Broken, "shake hands (TLS) with 10.0.0.2:7: the handshake failed")
	l := listen(t, b, "0.0.0.0:8")
	go func() {
		if c, err := l.Accept(); err == nil {
			io.Copy(io.Discard, c)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = a.TLS(ctx, "10.0.0.2:8", probe.TLSOptions{})
	fails(t, err, probe.Silence, "the handshake did not end")
}
