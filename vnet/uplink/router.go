package uplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
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
)

// DefaultPrefix is the network of a segment whose Router is told no other: the
// kind that providers put between themselves and their customers, which labs
// do not use for their own.
var DefaultPrefix = netip.MustParsePrefix("100.64.0.0/24")

// Options of a Router.
type Options struct {
	Segment string           // of the switch
	Port    string           // the port's name; empty means the segment's name with ":uplink" behind it, which no interface of a node is called
	MAC     net.HardwareAddr // nil means one drawn from the port's name
	MTU     int              // bytes; 0 means 1500

	// Prefix is the segment's network, /16 to /29; zero means DefaultPrefix.
	// The router has its first address; DHCP gives out the upper half, and the
	// lower is for addresses that a lab sets by itself.
	Prefix netip.Prefix

	Allow  []outside.Rule // see outside.Effective; none lets nothing out
	Limits Limits
	Log    *slog.Logger // nil discards

	// Near is asked before each flow, since a machine's addresses change; nil
	// means outside.Near.
	Near func() ([]netip.Prefix, error)

	// Dial connects to the outside; address is an IPv4 address and a port,
	// network tcp or udp. nil means a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Resolve finds a name's IPv4 addresses; nil means this machine's resolver.
	Resolve func(ctx context.Context, name string) ([]netip.Addr, error)
	// Ping sends an echo request with data and waits for its answer. nil means
	// an unprivileged ping socket; its error is ErrNoPing where the host gives
	// none.
	Ping func(ctx context.Context, to netip.Addr, data []byte) error
}

// Limits of a Router, over all guests of its segment. Zero means the default.
type Limits struct {
	Flows          int   // connections at a time, TCP, UDP and pings together; 256
	FlowsPerSecond int   // new ones, with twice as many at once; questions of DNS the same again; 64
	BytesPerSecond int   // both directions together; 12 500 000, which is 100 Mbit/s
	Bytes          int64 // in all, both directions, for as long as the Router lives; 16 GiB
	Idle           time.Duration
}

func (l *Limits) fill() {
	set := func(p *int, def int) {
		if *p <= 0 {
			*p = def
		}
	}
	set(&l.Flows, 256)
	set(&l.FlowsPerSecond, 64)
	set(&l.BytesPerSecond, 12_500_000)
	if l.Bytes <= 0 {
		l.Bytes = 16 << 30
	}
	if l.Idle <= 0 {
		l.Idle = 10 * time.Minute
	}
}

// Router is the way out of one segment. Safe for concurrent use; Close it.
type Router struct {
	o       Options
	log     *slog.Logger
	prefix  netip.Prefix
	gateway netip.Addr
	policy  atomic.Pointer[outside.Policy]
	answers *answers
	leases  *leases
	meter   *meter
	port    *stackport.Port
	stack   *stack.Stack
	ctx     context.Context // done when Close was called
	cancel  context.CancelFunc

	mu     sync.Mutex
	hosts  map[netip.Addr]tcpip.LinkAddress // guarded by mu; who has which address, within prefix alone
	denied denials                          // guarded by mu
	noPing bool                             // guarded by mu
	closed bool                             // guarded by mu
	wg     sync.WaitGroup
}

const nic = tcpip.NICID(1)

// New puts a router on a segment of sw. It works until Close, or until the
// switch is closed.
func New(sw stackport.Switch, o Options) (_ *Router, err error) {
	if !o.Prefix.IsValid() {
		o.Prefix = DefaultPrefix
	}
	if p := o.Prefix; !p.Addr().Is4() || p != p.Masked() || p.Bits() < 16 || p.Bits() > 29 || outside.Never(p).IsValid() {
		return nil, fmt.Errorf("making an uplink on %s: %s is no network for it; write one from /16 to /29, such as %s", o.Segment, p, DefaultPrefix)
	}
	if o.Port == "" {
		o.Port = o.Segment + ":uplink"
	}
	if o.MAC == nil {
		o.MAC = stackport.MAC(o.Port)
	}
	if o.Near == nil {
		o.Near = outside.Near
	}
	near, err := o.Near()
	if err != nil {
		return nil, fmt.Errorf("making an uplink on %s: %w", o.Segment, err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.Resolve == nil {
		o.Resolve = resolve
	}
	if o.Ping == nil {
		o.Ping = ping
	}
	o.Limits.fill()
	r := &Router{
		o: o, log: o.Log.With("uplink", o.Segment),
		prefix: o.Prefix, gateway: o.Prefix.Addr().Next(),
		answers: newAnswers(),
		meter:   newMeter(o.Limits),
		hosts:   map[netip.Addr]tcpip.LinkAddress{},
	}
	r.policy.Store(&outside.Policy{Rules: o.Allow, Near: near})
	r.leases = newLeases(o.Prefix)
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.port, err = stackport.Join(sw, vnet.PortConfig{Name: o.Port, Segment: o.Segment}, stackport.Options{MAC: o.MAC, MTU: o.MTU, Offload: true})
	if err != nil {
		r.cancel()
		return nil, fmt.Errorf("making an uplink: %w", err)
	}
	if err := r.start(); err != nil {
		r.Close()
		return nil, fmt.Errorf("making an uplink on %s: %w", o.Segment, err)
	}
	return r, nil
}

// start makes the stack and begins to serve.
func (r *Router) start() error {
	r.stack = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{arp.NewProtocol, ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4},
	})
	// A connection may have as much under way as a fast link to the outside
	// holds, and no more: 256 of them are 256 MiB at the worst.
	sizes := tcpip.TCPReceiveBufferSizeRangeOption{Min: 4 << 10, Default: 256 << 10, Max: 512 << 10}
	if err := r.stack.SetTransportProtocolOption(tcp.ProtocolNumber, &sizes); err != nil {
		return errors.New(err.String())
	}
	sending := tcpip.TCPSendBufferSizeRangeOption{Min: 4 << 10, Default: 256 << 10, Max: 512 << 10}
	if err := r.stack.SetTransportProtocolOption(tcp.ProtocolNumber, &sending); err != nil {
		return errors.New(err.String())
	}
	sack := tcpip.TCPSACKEnabled(true)
	if err := r.stack.SetTransportProtocolOption(tcp.ProtocolNumber, &sack); err != nil {
		return errors.New(err.String())
	}
	// Before the NIC is there, so that no packet meets the stack's own ways.
	forward := tcp.NewForwarder(r.stack, 0, maxConnecting, r.takeTCP)
	r.stack.SetTransportProtocolHandler(tcp.ProtocolNumber, func(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
		return r.judgeTCP(id, pkt, forward)
	})
	datagrams := udp.NewForwarder(r.stack, r.takeUDP)
	r.stack.SetTransportProtocolHandler(udp.ProtocolNumber, func(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
		return r.judgeUDP(id, pkt, datagrams)
	})
	r.stack.SetTransportProtocolHandler(icmp.ProtocolNumber4, r.takeEcho)
	if err := r.stack.CreateNIC(nic, &gate{Port: r.port, router: r}); err != nil {
		return errors.New(err.String())
	}
	// The stack answers for every address; the gate lets through to it what is
	// for the router, and what is for the outside.
	if err := r.stack.SetPromiscuousMode(nic, true); err != nil {
		return errors.New(err.String())
	}
	if err := r.stack.SetSpoofing(nic, true); err != nil {
		return errors.New(err.String())
	}
	own := tcpip.ProtocolAddress{
		Protocol:          ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(r.gateway.As4()), PrefixLen: r.prefix.Bits()},
	}
	if err := r.stack.AddProtocolAddress(nic, own, stack.AddressProperties{}); err != nil {
		return errors.New(err.String())
	}
	r.stack.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nic}})
	return r.serveDNS()
}

// Close cuts every connection, takes the router off its segment and waits
// until nothing of it runs.
func (r *Router) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.port.Close()
	if r.stack != nil {
		r.stack.Destroy()
	}
	r.wg.Wait()
}

// enter counts a goroutine in that Close waits for, unless it is too late.
func (r *Router) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.wg.Add(1)
	return true
}

// Gateway is the router's own address, for guests without DHCP.
func (r *Router) Gateway() netip.Addr { return r.gateway }

// Err says why the router no longer works; nil while it does.
func (r *Router) Err() error { return r.port.Err() }

// Denial is a destination that guests wanted and no rule allows.
type Denial struct {
	Destination string    `json:"destination"` // 198.51.100.7:443/tcp (www.example.org), or a name that was not looked up
	Last        time.Time `json:"last"`
	Count       uint64    `json:"count"`
}

// Stats of a Router.
type Stats struct {
	Flows   int      `json:"flows"`   // now
	Carried uint64   `json:"carried"` // flows since the start
	Bytes   int64    `json:"bytes"`   // both directions
	Refused uint64   `json:"refused"` // flows that a rule allows and a limit does not
	Spent   bool     `json:"spent"`   // Limits.Bytes have been carried: nothing more is
	NoPing  bool     `json:"no_ping"` // the host lets nobody without privilege ping
	Denied  []Denial `json:"denied"`  // the latest 32, last first
}

// Stats says what the router has done so far.
func (r *Router) Stats() Stats {
	s := r.meter.stats()
	r.mu.Lock()
	defer r.mu.Unlock()
	s.NoPing, s.Denied = r.noPing, r.denied.list()
	return s
}

// deny notes a destination that no rule allows.
func (r *Router) deny(destination string) {
	r.mu.Lock()
	first := r.denied.add(destination, time.Now())
	r.mu.Unlock()
	if first { // a guest must not be able to fill the log
		r.log.Info("an uplink's rules do not allow this", "destination", destination)
	}
}
