package uplink_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/outside"
	"github.com/patchbay/patchbay/vnet/stackport"
	"github.com/patchbay/patchbay/vnet/uplink"
)

// internet is all there is behind the router: names, and services of the test's
// own at addresses that nobody has. Nothing of it leaves this machine.
type internet struct {
	t     *testing.T
	names map[string][]netip.Addr

	mu       sync.Mutex
	services map[string]string // "tcp 198.51.100.7:80" → an address of the loopback
	dialled  []string
	asked    []string
	pinged   []string
	noPing   bool
}

func (o *internet) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	o.mu.Lock()
	o.dialled = append(o.dialled, network+" "+address)
	to, ok := o.services[network+" "+address]
	o.mu.Unlock()
	if !ok {
		return nil, errors.New("connection refused")
	}
	return new(net.Dialer).DialContext(ctx, network, to)
}

func (o *internet) Resolve(_ context.Context, name string) ([]netip.Addr, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, name)
	addrs, ok := o.names[name]
	if !ok {
		return nil, &net.DNSError{Name: name, IsNotFound: true}
	}
	return addrs, nil
}

func (o *internet) Ping(_ context.Context, to netip.Addr, data []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.noPing {
		return uplink.ErrNoPing
	}
	o.pinged = append(o.pinged, to.String())
	return nil
}

func (o *internet) did(list *[]string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(*list)
}

// serveTCP has each connection to an address handled by do.
func (o *internet) serveTCP(address string, do func(*net.TCPConn)) {
	o.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		o.t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				do(c.(*net.TCPConn))
			})
		}
	})
	o.t.Cleanup(func() { ln.Close(); wg.Wait() })
	o.mu.Lock()
	defer o.mu.Unlock()
	o.services["tcp "+address] = ln.Addr().String()
}

func echo(c *net.TCPConn) { _, _ = io.Copy(c, c) }

// serveUDP says datagrams back.
func (o *internet) serveUDP(address string) {
	o.t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		o.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64<<10)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(buf[:n], from)
		}
	}()
	o.t.Cleanup(func() { c.Close(); <-done })
	o.mu.Lock()
	defer o.mu.Unlock()
	o.services["udp "+address] = c.LocalAddr().String()
}

// near is what outside.Near says on a machine at 203.0.113.7/24 and 10.1.2.3/24.
var near = func() (list []netip.Prefix) {
	for _, s := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15",
		"203.0.113.7/32", "203.0.113.0/24", "10.1.2.3/32", "10.1.2.0/24"} {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}()

// rules reads a list.
func rules(t *testing.T, texts ...string) []outside.Rule {
	t.Helper()
	var list []outside.Rule
	for _, s := range texts {
		r, err := outside.ParseRule(s)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// world is a segment with a router on it, and the outside.
type world struct {
	t      *testing.T
	sw     *vnet.Switch
	out    *internet
	router *uplink.Router
}

// newWorld makes one that lets through what the rules say.
func newWorld(t *testing.T, allow []outside.Rule, change ...func(*uplink.Options)) *world {
	t.Helper()
	before := runtime.NumGoroutine()
	sw, err := vnet.New(vnet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := addSegment(sw, "net"); err != nil {
		t.Fatal(err)
	}
	out := &internet{t: t, services: map[string]string{}, names: map[string][]netip.Addr{
		"deb.example":    {netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("198.51.100.8")},
		"rebind.example": {netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("198.51.100.9")},
		"inside.example": {netip.MustParseAddr("192.168.1.1")},
	}}
	o := uplink.Options{Segment: "net", Allow: allow, Near: func() ([]netip.Prefix, error) { return near, nil }, Dial: out.Dial, Resolve: out.Resolve, Ping: out.Ping}
	for _, f := range change {
		f(&o)
	}
	r, err := uplink.New(sw, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		sw.Close()
		// The stack's own timers and goroutines end a moment later.
		for until := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before+2; {
			if time.Now().After(until) {
				buf := make([]byte, 1<<20)
				t.Errorf("%d goroutines at first, %d at the end:\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	return &world{t: t, sw: sw, out: out, router: r}
}

// guest is a machine on the segment.
type guest struct {
	t     *testing.T
	port  *stackport.Port
	stack *stack.Stack
	seen  chan []byte // frames that came
}

func (w *world) guest(name, addr string) *guest {
	w.t.Helper()
	g := &guest{t: w.t, seen: make(chan []byte, 256)}
	var err error
	g.port, err = stackport.Join(w.sw, vnet.PortConfig{Name: name, Segment: "net"}, stackport.Options{
		MAC: stackport.MAC(name),
		Observe: func(f []byte) {
			select {
			case g.seen <- slices.Clone(f):
			default:
			}
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	g.stack = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{arp.NewProtocol, ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4},
	})
	if err := g.stack.CreateNIC(1, g.port); err != nil {
		w.t.Fatal(err)
	}
	if addr != "" {
		a := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: tcpip.AddressWithPrefix{Address: ip4(addr), PrefixLen: 24}}
		if err := g.stack.AddProtocolAddress(1, a, stack.AddressProperties{}); err != nil {
			w.t.Fatal(err)
		}
	}
	g.stack.SetRouteTable([]tcpip.Route{
		{Destination: tcpip.AddressWithPrefix{Address: ip4("100.64.0.0"), PrefixLen: 24}.Subnet(), NIC: 1},
		{Destination: header.IPv4EmptySubnet, Gateway: ip4(w.router.Gateway().String()), NIC: 1},
	})
	w.t.Cleanup(func() {
		g.port.Close()
		g.stack.Destroy()
	})
	return g
}

func ip4(s string) tcpip.Address { return tcpip.AddrFrom4(netip.MustParseAddr(s).As4()) }

func (g *guest) dial(address string) (*gonet.TCPConn, error) {
	g.t.Helper()
	ap := netip.MustParseAddrPort(address)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return gonet.DialContextTCP(ctx, g.stack, tcpip.FullAddress{NIC: 1, Addr: ip4(ap.Addr().String()), Port: ap.Port()}, ipv4.ProtocolNumber)
}

func (g *guest) dialUDP(address string) *gonet.UDPConn {
	g.t.Helper()
	ap := netip.MustParseAddrPort(address)
	c, err := gonet.DialUDP(g.stack, nil, &tcpip.FullAddress{NIC: 1, Addr: ip4(ap.Addr().String()), Port: ap.Port()}, ipv4.ProtocolNumber)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// lookup asks the router for a name, over the wire.
func (g *guest) lookup(name string, kind dnsmessage.Type) dnsmessage.Message {
	g.t.Helper()
	c := g.dialUDP("100.64.0.1:53")
	defer c.Close()
	if _, err := c.Write(question(g.t, name, kind)); err != nil {
		g.t.Fatal(err)
	}
	buf := make([]byte, 1500)
	n, err := c.Read(buf)
	if err != nil {
		g.t.Fatal(err)
	}
	var m dnsmessage.Message
	if err := m.Unpack(buf[:n]); err != nil {
		g.t.Fatal(err)
	}
	return m
}

func question(t testing.TB, name string, kind dnsmessage.Type) []byte {
	t.Helper()
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name + "."), Type: kind, Class: dnsmessage.ClassINET}}}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
