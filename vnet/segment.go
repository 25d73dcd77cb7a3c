package vnet

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// segment is one broadcast domain. Its configuration never changes; the rest
// belongs to the loop.
type segment struct {
	SegmentConfig
	limit     int // the longest frame without tags
	ports     []*port
	mirrors   []*port
	vlans     int       // ports that have VLANs; the segment has some when it is not 0
	macs      *macTable // nil unless the segment learns
	unlearned uint64
	sentry    sentry
}

func newSegment(c SegmentConfig, o Options) (*segment, error) {
	switch {
	case c.Kind != SwitchKind && c.Kind != Hub && c.Kind != Link:
		return nil, fmt.Errorf("unknown kind %q, want switch, hub or link", c.Kind)
	case c.MTU != 0 && (c.MTU < MinMTU || c.MTU > MaxMTU):
		return nil, fmt.Errorf("MTU %d: want %d to %d", c.MTU, MinMTU, MaxMTU)
	case c.Storm < -1:
		return nil, errors.New("storm: want a number of frames, 0 for the default or -1 for no limit")
	}
	if c.MTU == 0 {
		c.MTU = DefaultMTU
	}
	g := &segment{SegmentConfig: c, limit: c.MTU + MinFrame}
	if c.Kind == SwitchKind {
		g.macs = newMACTable(o.MACCap, o.MACAge)
	}
	return g, nil
}

// join and leave are for the loop's addPort and removePort.
func (g *segment) join(p *port) {
	if p.mirror {
		g.mirrors = append(g.mirrors, p)
		return
	}
	g.ports = append(g.ports, p)
	if !p.vlan.zero() {
		g.vlans++
	}
}

func (g *segment) leave(p *port) {
	is := func(q *port) bool { return q == p }
	if p.mirror {
		g.mirrors = slices.DeleteFunc(g.mirrors, is)
		return
	}
	g.ports = slices.DeleteFunc(g.ports, is)
	if !p.vlan.zero() {
		g.vlans--
	}
}

func (g *segment) stats(l *loop) SegmentStats {
	st := SegmentStats{Name: g.Name, Kind: g.Kind, MTU: g.MTU, Unlearned: g.unlearned, Loop: g.loop(l)}
	for _, p := range g.ports {
		st.Ports = append(st.Ports, p.name)
	}
	for _, p := range g.mirrors {
		st.Ports = append(st.Ports, p.name)
	}
	if g.macs != nil {
		st.MACs = g.macs.used
	}
	return st
}

// since is a time of the loop's clock, in nanoseconds since it began.
func (l *loop) since(at int64) time.Time { return l.start.Add(time.Duration(at)) }
