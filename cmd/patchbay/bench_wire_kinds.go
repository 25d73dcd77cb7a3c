package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/guest"
	"github.com/patchbay/patchbay/guest/kernel"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/vnet/filter"
	"github.com/patchbay/patchbay/vnet/record"
)

// wireMeter holds the figures of one benchmark of the wire.
type wireMeter struct {
	opts    *benchWireCmd
	spec    *rack.Spec
	offload bool // the kernel has it

	tcp, ping, loopback    *figure
	recorded               *figure
	direct, directPing     *figure
	plain                  *figure
	vde, umlSwitch, bridge *figure
	kpps, vdeKpps, flood   *figure
}

func newWireMeter(b *benchWireCmd, spec *rack.Spec) *wireMeter {
	mbps := func(name, note string) *figure {
		return &figure{name: "wire." + name + "_tcp_mbps", unit: "Mbit/s", note: note}
	}
	k, err := kernel.Find(spec.Cache, b.Kernel) // without one every boot fails, and says so
	return &wireMeter{
		opts: b, spec: spec, offload: err == nil && k.Offload,
		tcp:        &figure{name: "wire.tcp_mbps", unit: "Mbit/s", note: "guest to guest through the switch, iperf3, nothing recorded"},
		ping:       &figure{name: "wire.ping_us", unit: "µs", note: "round trip through the switch, median of a run's pings"},
		loopback:   mbps("loopback", "a guest's own loopback: the most that it can do"),
		recorded:   mbps("recorded", "through the switch with recording, as in a rack"),
		direct:     mbps("direct", "guest to guest on a socket pair, no switch, same offloads"),
		directPing: &figure{name: "wire.direct_ping_us", unit: "µs", note: "round trip on a socket pair"},
		plain:      &figure{name: "wire.plain_tcp_mbps", unit: "Mbit/s", note: "through the switch with offloads off"},
		vde:        mbps("stock_vde", "Debian's packaged kernel on vde_switch"),
		umlSwitch:  mbps("stock_umlswitch", "Debian's packaged kernel on uml_switch"),
		bridge:     mbps("bridge", "two network namespaces on a Linux bridge, no guests"),
		kpps:       &figure{name: "wire.switch_kpps", unit: "kpps", note: "64-byte frames that come out, two ports, no guests"},
		vdeKpps:    &figure{name: "wire.vde_kpps", unit: "kpps", note: "the same through vde_switch"},
		flood:      &figure{name: "wire.switch_ports_kpps", unit: "kpps", note: "the same, all of 32 ports flooding: frames that come out of all"},
	}
}

// kinds in the order in which they are measured, what is compared side by side.
func (m *wireMeter) kinds() []*wireKind {
	nothing := func() string { return "" }
	packages := map[string]string{"vde_switch": "vde2", "uml_switch": "uml-utilities"}
	stock := func(program string) func() string {
		return func() string {
			if s := missingPrograms(packages, program); s != "" {
				return s
			}
			if _, err := kernel.Find(m.spec.Cache, kernel.Stock); err != nil {
				return err.Error()
			}
			return ""
		}
	}
	return []*wireKind{
		{"switch", nothing, m.onSwitch, []*figure{m.tcp, m.loopback, m.ping}},
		{"recorded", nothing, m.onRecorder, []*figure{m.recorded}},
		{"direct", nothing, m.onPair, []*figure{m.direct, m.directPing}},
		{"plain", m.lacksOffload, m.onPlainSwitch, []*figure{m.plain}},
		{"vde", stock("vde_switch"), m.onVDE, []*figure{m.vde}},
		{"uml-switch", stock("uml_switch"), m.onUMLSwitch, []*figure{m.umlSwitch}},
		{"bridge", lacksBridge, m.onBridge, []*figure{m.bridge}},
		{"kpps", nothing, m.frames, []*figure{m.kpps}},
		{"vde-kpps", func() string { return missingPrograms(packages, "vde_switch") }, m.vdeFrames, []*figure{m.vdeKpps}},
		{"ports-kpps", nothing, m.floods, []*figure{m.flood}},
	}
}

// goals compare figures with each other.
func (m *wireMeter) goals() []*goal {
	ratio := func(name, note string, a, b *figure, least float64) *goal {
		return &goal{
			figure: &figure{name: "wire." + name + "_ratio", unit: "times", note: fmt.Sprintf("%s; at least %g is the goal", note, least)},
			a:      a, b: b, of: quotient, least: least,
		}
	}
	return []*goal{
		ratio("direct", "through the switch by direct", m.tcp, m.direct, 0.95),
		ratio("loopback", "through the switch by loopback", m.tcp, m.loopback, 0.9),
		ratio("vde", "through the switch by stock on vde_switch", m.tcp, m.vde, 6),
		ratio("umlswitch", "through the switch by stock on uml_switch", m.tcp, m.umlSwitch, 8),
		ratio("plain", "through the switch by offloads off", m.tcp, m.plain, 2.5),
		ratio("record", "with recording by without", m.recorded, m.tcp, 0.9),
		ratio("vde_kpps", "frames through the switch by vde_switch", m.kpps, m.vdeKpps, 5),
		{
			figure: &figure{name: "wire.added_us", unit: "µs", note: "what the switch adds to a round trip, passed twice; at most 15 is the goal"},
			a:      m.ping, b: m.directPing, of: difference, most: 15,
		},
	}
}

// lacksOffload says so when there are no offloads to be without.
func (m *wireMeter) lacksOffload() string {
	if !m.offload {
		return "the kernel has no offloads that could be off"
	}
	return ""
}

func (m *wireMeter) onSwitch(ctx context.Context, dir string) error {
	return m.throughSwitch(ctx, dir, m.offload, nil, func(s *benchSwitch, p *guestPair) error {
		if err := m.transferInto(ctx, m.tcp, p.transfer(m.opts.Seconds, s.carried)); err != nil {
			return err
		}
		within := &transfer{client: p.hosts[0], server: p.hosts[0], address: "127.0.0.1", device: "lo", seconds: m.opts.Seconds}
		if err := m.transferInto(ctx, m.loopback, within); err != nil {
			return err
		}
		return m.pingInto(ctx, m.ping, p)
	})
}

func (m *wireMeter) onPlainSwitch(ctx context.Context, dir string) error {
	return m.throughSwitch(ctx, dir, false, nil, func(s *benchSwitch, p *guestPair) error {
		return m.transferInto(ctx, m.plain, p.transfer(m.opts.Seconds, s.carried))
	})
}

func (m *wireMeter) onRecorder(ctx context.Context, dir string) error {
	ring, err := record.New(record.Options{})
	if err != nil {
		return err
	}
	defer ring.Close()
	return m.throughSwitch(ctx, dir, m.offload, ring, func(s *benchSwitch, p *guestPair) error {
		t := p.transfer(m.opts.Seconds, s.carried)
		began := time.Now()
		mbps, err := t.run(ctx)
		if err == nil {
			err = proveRecording(ctx, ring, began)
		}
		if err != nil {
			return fmt.Errorf("transferring for %s: %w", m.recorded.name, err)
		}
		m.recorded.add(mbps)
		return nil
	})
}

// proveRecording fails unless the ring has frames of TCP data since then.
func proveRecording(ctx context.Context, ring *record.Ring, since time.Time) error {
	data, err := filter.Compile("tcp and greater 1000")
	if err != nil {
		return err
	}
	if _, err := ring.Reader(record.Query{Filter: data, From: since}).Batch(ctx); err != nil {
		return fmt.Errorf("looking for what was recorded: %w", err)
	}
	return nil
}

// throughSwitch boots two guests on a switch as a rack would and calls f.
func (m *wireMeter) throughSwitch(ctx context.Context, dir string, offload bool, ring *record.Ring, f func(*benchSwitch, *guestPair) error) error {
	s, err := newBenchSwitch(dir, offload, ring)
	if err != nil {
		return err
	}
	defer s.Close()
	p, err := m.bootPair(ctx, dir, pairPlan{kernel: m.opts.Kernel, offload: offload, sockets: s.sockets})
	if err != nil {
		return err
	}
	defer p.Close()
	return f(s, p)
}

// onPair measures two guests with nothing between them: what the switch would
// give if it cost nothing.
func (m *wireMeter) onPair(ctx context.Context, dir string) error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("making a socket pair: %w", err)
	}
	var ends [2]*os.File
	for i, fd := range fds {
		ends[i] = os.NewFile(uintptr(fd), "pair")
		defer ends[i].Close()
	}
	p, err := m.bootPair(ctx, dir, pairPlan{kernel: m.opts.Kernel, offload: m.offload, change: func(i int, c *guest.Config) error {
		c.NICs = []guest.NIC{{MAC: pairMAC(i), Pair: ends[i]}}
		return nil
	}})
	if err != nil {
		return err
	}
	defer p.Close()
	if err := m.transferInto(ctx, m.direct, p.transfer(m.opts.Seconds, nil)); err != nil {
		return err
	}
	return m.pingInto(ctx, m.directPing, p)
}

func (m *wireMeter) onVDE(ctx context.Context, dir string) error {
	h, sockets, err := startVDE(ctx, dir)
	if err != nil {
		return err
	}
	defer h.Close()
	return m.onStock(ctx, dir, m.vde, func(i int) string { return fmt.Sprintf("eth0=vde,%s,%s", sockets, pairMAC(i)) })
}

func (m *wireMeter) onUMLSwitch(ctx context.Context, dir string) error {
	h, path, err := startUMLSwitch(ctx, dir)
	if err != nil {
		return err
	}
	defer h.Close()
	return m.onStock(ctx, dir, m.umlSwitch, func(i int) string { return fmt.Sprintf("eth0=daemon,%s,unix,%s", pairMAC(i), path) })
}

// onStock measures two guests of the packaged kernel with interfaces of its
// legacy drivers. These leave sockets in the host's folders and in its abstract
// name space, so the guests run outside of a jail.
func (m *wireMeter) onStock(ctx context.Context, dir string, into *figure, device func(i int) string) error {
	p, err := m.bootPair(ctx, dir, pairPlan{kernel: kernel.Stock, bare: true, change: func(i int, c *guest.Config) error {
		c.Jail.Disabled = true
		c.Kernel.Args = append(c.Kernel.Args, device(i))
		return nil
	}})
	if err != nil {
		return err
	}
	defer p.Close()
	return m.transferInto(ctx, into, p.transfer(m.opts.Seconds, nil))
}

func (m *wireMeter) onBridge(ctx context.Context, _ string) error {
	b, err := newBridge(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	return m.transferInto(ctx, m.bridge, &transfer{
		client: b.hosts[0], server: b.hosts[1], address: pairAddress(1), device: "eth0", seconds: m.opts.Seconds,
	})
}

func (m *wireMeter) transferInto(ctx context.Context, f *figure, t *transfer) error {
	mbps, err := t.run(ctx)
	if err != nil {
		return fmt.Errorf("transferring for %s: %w", f.name, err)
	}
	f.add(mbps)
	return nil
}

func (m *wireMeter) pingInto(ctx context.Context, f *figure, p *guestPair) error {
	us, err := ping(ctx, p.hosts[0], pairAddress(1), m.opts.Pings)
	if err != nil {
		return fmt.Errorf("pinging for %s: %w", f.name, err)
	}
	f.add(us)
	return nil
}

// pumpTime is how long frames are pumped for one sample.
const pumpTime = time.Second
