package vnet

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// minSendBuffer lets a super-frame through: the kernel doubles it.
const minSendBuffer = 1 << 16

// ErrClosed is returned by what would change a Switch that has been closed.
var ErrClosed = errors.New("the switch is closed")

// Switch is a running switch. All methods may be called from any goroutine.
// Whoever called New must call Close.
type Switch struct {
	l     *loop
	links *linkTeller // nil when nobody listens
	opts  Options
	wg    sync.WaitGroup // the loop and the link teller

	// mu guards the books below and makes changes come one at a time. The
	// loop never takes it.
	mu       sync.Mutex
	ports    []*port
	segments []*segment

	closeOnce sync.Once
}

// New starts a Switch without segments or ports.
func New(o Options) (*Switch, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MACAge <= 0 {
		o.MACAge = 300 * time.Second
	}
	if o.MACCap <= 0 {
		o.MACCap = 4096
	}
	o.MACCap = min(o.MACCap, 1<<16)
	if o.SendBuffer <= 0 {
		o.SendBuffer = 1 << 20
	}
	o.SendBuffer = max(o.SendBuffer, minSendBuffer)
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Switch{opts: o}
	if o.OnLink != nil {
		s.links = newLinkTeller(o.OnLink)
	}
	l, err := newLoop(o, s.links)
	if err != nil {
		return nil, fmt.Errorf("starting the switch: %w", err)
	}
	s.l = l
	s.wg.Go(l.run)
	if s.links != nil {
		s.wg.Go(s.links.run)
	}
	return s, nil
}

// Close ends the Switch: every connection is closed, every socket file
// removed, every goroutine gone when it returns. It may be called again.
func (s *Switch) Close() error {
	s.closeOnce.Do(func() {
		s.l.quit()
		<-s.l.ended
		if s.links != nil {
			s.links.close()
		}
	})
	s.wg.Wait()
	return nil
}

// AddSegment makes a segment without ports.
func (s *Switch) AddSegment(c SegmentConfig) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Name == "" {
		return errors.New("adding a segment: it needs a name")
	}
	if s.segment(c.Name) != nil {
		return fmt.Errorf("adding segment %s: there is one already", c.Name)
	}
	if s.l.isClosed() {
		return fmt.Errorf("adding segment %s: %w", c.Name, ErrClosed)
	}
	g, err := newSegment(c, s.opts)
	if err != nil {
		return fmt.Errorf("adding segment %s: %w", c.Name, err)
	}
	s.segments = append(s.segments, g) // the loop learns of it with its first port
	return nil
}

// RemoveSegment removes a segment that has no ports.
func (s *Switch) RemoveSegment(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.segments, func(g *segment) bool { return g.Name == name })
	if i < 0 {
		return fmt.Errorf("removing segment %s: there is none", name)
	}
	for _, p := range s.ports {
		if p.segment == s.segments[i] {
			return fmt.Errorf("removing segment %s: port %s is on it", name, p.name)
		}
	}
	if s.l.isClosed() {
		return fmt.Errorf("removing segment %s: %w", name, ErrClosed)
	}
	s.segments = slices.Delete(s.segments, i, i+1)
	return nil
}

// AddPort adds a port, with its cable plugged in. When it returns, a guest can
// connect.
func (s *Switch) AddPort(c PortConfig) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.addPort(c); err != nil {
		return fmt.Errorf("adding port %s: %w", c.Name, err)
	}
	return nil
}

func (s *Switch) addPort(c PortConfig) (err error) {
	var g *segment
	switch {
	case c.Name == "":
		return errors.New("it needs a name")
	case s.port(c.Name) != nil:
		return errors.New("there is one already")
	case (c.Path == "") == (c.Conn == nil):
		return errors.New("it needs either a path or a connection")
	case c.Path != "" && !filepath.IsAbs(c.Path):
		return fmt.Errorf("%q is not an absolute path", c.Path)
	}
	if c.Segment != "" {
		if g = s.segment(c.Segment); g == nil {
			return fmt.Errorf("there is no segment %q", c.Segment)
		}
		if g.Kind == Link && !c.Mirror && s.members(g) >= 2 {
			return fmt.Errorf("link %s has two ports already", g.Name)
		}
	}
	p, err := newPort(c, g)
	switch {
	case err != nil:
		return err
	case c.Mirror && g == nil:
		return errors.New("a mirror needs a segment")
	case !p.vlan.zero() && (c.Mirror || g == nil || g.Kind != SwitchKind):
		return errors.New("only a switch has VLANs, and not on a mirror port")
	}
	if s.opts.Record != nil {
		p.tape = s.opts.Record.Port(c.Name, c.Segment)
	}
	conn := -1
	if c.Path != "" {
		p.listener, err = listen(c.Path, c.Mode)
	} else {
		conn, err = dupConn(c.Conn)
	}
	if err != nil {
		return err
	}
	if doErr := s.l.do(func() { err = s.l.addPort(p, conn) }); doErr != nil {
		err = doErr
	}
	if err != nil {
		closeFD(conn)
		p.listener.close()
		return err
	}
	s.ports = append(s.ports, p)
	return nil
}

// RemovePort removes a port and its socket file. A guest that is still
// connected is cut off, and disconnected only if it understands that: see the
// package's description.
func (s *Switch) RemovePort(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.port(name)
	if p == nil {
		return fmt.Errorf("removing port %s: there is none", name)
	}
	if err := s.l.do(func() { s.l.removePort(p) }); err != nil {
		return fmt.Errorf("removing port %s: %w", name, err)
	}
	s.ports = slices.DeleteFunc(s.ports, func(q *port) bool { return q == p })
	return nil
}

// Refit makes a port one for a guest with offloads and carrier messages or
// without, as PortConfig says of the next one: another kernel is to run there.
// All else stays: the cable and what is done to it, events, counters. A guest
// that is still connected is cut off like that of a removed port.
func (s *Switch) Refit(name string, offload, carrier bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.port(name)
	if p == nil {
		return fmt.Errorf("refitting port %s: there is none", name)
	}
	if err := s.l.do(func() { s.l.refit(p, offload, carrier) }); err != nil {
		return fmt.Errorf("refitting port %s: %w", name, err)
	}
	return nil
}

// SetPlugged pulls a port's cable or puts it back in. With the cable out the
// guest's frames and the frames for it, those under way in it among them, are
// dropped and counted as cut, and its addresses are forgotten; its connection
// stays. A guest that understands
// carrier messages sees it at once (NO-CARRIER), and so does the one at the
// other end of a link.
func (s *Switch) SetPlugged(name string, plugged bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.port(name)
	if p == nil {
		return fmt.Errorf("plugging port %s: there is none", name)
	}
	if err := s.l.do(func() { s.l.setPlugged(p, plugged) }); err != nil {
		return fmt.Errorf("plugging port %s: %w", name, err)
	}
	return nil
}

// Ports returns every port, in the order in which they were added. The
// counters of one port are not read at one instant.
func (s *Switch) Ports() []PortStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]PortStats, 0, len(s.ports))
	for _, p := range s.ports {
		all = append(all, p.stats())
	}
	return all
}

// Segments returns every segment, in the order in which they were added, or
// none when the Switch is closed.
func (s *Switch) Segments() []SegmentStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]SegmentStats, 0, len(s.segments))
	err := s.l.do(func() {
		for _, g := range s.segments {
			all = append(all, g.stats(s.l))
		}
	})
	if err != nil {
		return nil
	}
	return all
}

// MACs returns the addresses that a segment knows now, in the order of the
// addresses; none for a hub, a link, or a segment that there is not.
func (s *Switch) MACs(segment string) []MAC {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.segment(segment)
	if g == nil {
		return nil
	}
	var all []MAC
	if err := s.l.do(func() { all = s.l.learned(g) }); err != nil {
		return nil
	}
	slices.SortFunc(all, func(a, b MAC) int {
		return cmp.Or(slices.Compare(a.Addr[:], b.Addr[:]), cmp.Compare(a.VLAN, b.VLAN))
	})
	return all
}

func (s *Switch) port(name string) *port {
	for _, p := range s.ports {
		if p.name == name {
			return p
		}
	}
	return nil
}

func (s *Switch) segment(name string) *segment {
	for _, g := range s.segments {
		if g.Name == name {
			return g
		}
	}
	return nil
}

func (s *Switch) members(g *segment) (n int) {
	for _, p := range s.ports {
		if p.segment == g && !p.mirror {
			n++
		}
	}
	return n
}
