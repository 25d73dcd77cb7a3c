package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/record"
)

// benchSwitch is a switch with one segment.
type benchSwitch struct {
	*vnet.Switch
	sockets [2]string // of the ports for a pair of guests
}

// newBenchSwitch makes one with two ports for guests.
func newBenchSwitch(dir string, offload bool, ring *record.Ring) (*benchSwitch, error) {
	s, err := emptyBenchSwitch(ring)
	if err != nil {
		return nil, err
	}
	for i := range s.sockets {
		s.sockets[i] = filepath.Join(dir, fmt.Sprintf("port%d", i))
		if err := s.AddPort(vnet.PortConfig{Name: portName(i), Segment: "lan", Path: s.sockets[i], Offload: offload, CPU: i % runtime.NumCPU(), Pinned: true}); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// emptyBenchSwitch makes one without ports. It records into ring, if any.
func emptyBenchSwitch(ring *record.Ring) (*benchSwitch, error) {
	s, err := vnet.New(vnet.Options{Record: ring})
	if err != nil {
		return nil, err
	}
	// The flood is meant.
	if err := s.AddSegment(vnet.SegmentConfig{Name: "lan", Kind: vnet.SwitchKind, Storm: -1}); err != nil {
		s.Close()
		return nil, err
	}
	return &benchSwitch{Switch: s}, nil
}

func portName(i int) string { return fmt.Sprintf("pc%d/eth0", i+1) }

// carried is how many bytes the second guest has been given.
func (s *benchSwitch) carried() uint64 { return s.Ports()[1].RxBytes }

// plug adds a port and returns the other end of its line, non-blocking.
func (s *benchSwitch) plug(i int) (fd int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("making a socket pair: %w", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), portName(i))
	defer theirs.Close()
	if err := s.AddPort(vnet.PortConfig{Name: portName(i), Segment: "lan", Conn: theirs}); err != nil {
		unix.Close(fds[0])
		return -1, err
	}
	return fds[0], nil
}

// lines are the outer ends of a switch's ports.
type lines struct {
	s   *benchSwitch
	fds []int
}

// plugAll adds ports to the switch and makes their addresses known to it.
func (s *benchSwitch) plugAll(ports int) (l *lines, err error) {
	l = &lines{s: s}
	for i := range ports {
		fd, err := s.plug(i)
		if err != nil {
			l.Close()
			return nil, err
		}
		l.fds = append(l.fds, fd)
	}
	for i, fd := range l.fds {
		if err := unix.Sendto(fd, testFrame(i, i), unix.MSG_NOSIGNAL, nil); err != nil {
			l.Close()
			return nil, fmt.Errorf("introducing port %d: %w", i, err)
		}
	}
	s.Segments() // returns when the switch has seen to what was there before
	var b [2 * pumpFrame]byte
	for _, fd := range l.fds {
		for err := error(nil); err == nil; {
			_, _, err = unix.Recvfrom(fd, b[:], unix.MSG_DONTWAIT)
		}
	}
	return l, nil
}

func (l *lines) Close() {
	for _, fd := range l.fds {
		unix.Close(fd)
	}
}

// pump pumps frames into the first senders of the lines and checks the counts
// against the switch's. The frames of port i go to port to(i), -1 for all.
func (l *lines) pump(ctx context.Context, d time.Duration, senders int, to func(i int) int) (perSecond float64, err error) {
	before := l.s.sums()
	p := &pump{sinks: l.fds}
	for i := range senders {
		p.sources = append(p.sources, pumpSource{l.fds[i], testFrame(i, to(i))})
	}
	p.agrees = func(sent, got uint64) error {
		after := l.s.sums()
		in, out := after.in-before.in, after.out-before.out
		if in != sent || out != got {
			return fmt.Errorf("%d frames went in and %d came out, but the switch counted %d and %d", sent, got, in, out)
		}
		return nil
	}
	return p.run(ctx, d)
}

// switchSums are the counts of all ports together.
type switchSums struct{ in, out uint64 }

func (s *benchSwitch) sums() (n switchSums) {
	for _, p := range s.Ports() {
		n.in += p.TxFrames
		n.out += p.RxFrames
	}
	return n
}

// frames measures one port sending to another.
func (m *wireMeter) frames(ctx context.Context, _ string) error {
	return m.framesInto(ctx, m.kpps, 2, 1, func(int) int { return 1 })
}

// floods measures 32 ports that each send to all others.
func (m *wireMeter) floods(ctx context.Context, _ string) error {
	return m.framesInto(ctx, m.flood, 32, 32, func(int) int { return -1 })
}

func (m *wireMeter) framesInto(ctx context.Context, f *figure, ports, senders int, to func(int) int) error {
	s, err := emptyBenchSwitch(nil)
	if err != nil {
		return err
	}
	defer s.Close()
	l, err := s.plugAll(ports)
	if err != nil {
		return err
	}
	defer l.Close()
	perSecond, err := l.pump(ctx, pumpTime, senders, to)
	if err != nil {
		return fmt.Errorf("pumping frames for %s: %w", f.name, err)
	}
	f.add(perSecond / 1000)
	return nil
}

// vdeFrames measures one port of a vde_switch sending to another.
func (m *wireMeter) vdeFrames(ctx context.Context, dir string) error {
	h, sockets, err := startVDE(ctx, dir)
	if err != nil {
		return err
	}
	defer h.Close()
	var ports [2]*vdePort
	for i := range ports {
		if ports[i], err = dialVDE(sockets, fmt.Sprintf("bench%d", i)); err != nil {
			return err
		}
		defer ports[i].Close()
		// It learns where this address is; the frame itself goes nowhere.
		if err := unix.Sendto(ports[i].data, testFrame(i, i), unix.MSG_NOSIGNAL, nil); err != nil {
			return fmt.Errorf("introducing a port to vde_switch: %w", err)
		}
	}
	p := &pump{sources: []pumpSource{{ports[0].data, testFrame(0, 1)}}, sinks: []int{ports[1].data}}
	perSecond, err := p.run(ctx, pumpTime)
	if err != nil {
		return fmt.Errorf("pumping frames for %s: %w", m.vdeKpps.name, err)
	}
	m.vdeKpps.add(perSecond / 1000)
	return nil
}
