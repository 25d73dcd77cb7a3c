package rack

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/vnet/filter"
	"github.com/patchbay/patchbay/vnet/impair"
	"github.com/patchbay/patchbay/vnet/outside"
)

const (
	minMTU, maxMTU = 68, 9000
	defaultMTU     = 1500
	maxVLAN        = 4094
	maxEvents      = 256
	maxEventTime   = 24 * time.Hour
)

// checkWire tells wrong what a spec says of its wires that cannot be.
func (s *Spec) checkWire(wrong func(string, ...any)) {
	t := &s.Topology
	for i := range t.Segments {
		g := &t.Segments[i]
		if g.MTU != 0 && (g.MTU < minMTU || g.MTU > maxMTU) {
			wrong("segment %q has the MTU %d; %d to %d are possible", g.Name, g.MTU, minMTU, maxMTU)
		}
		if g.Storm < -1 {
			wrong("segment %q lets %d broadcasts a second pass", g.Name, g.Storm)
		}
		if g.Mirror != "" {
			if !slices.Contains(portsAt(t, g.Name), g.Mirror) {
				wrong("segment %q is mirrored to %q, which is no interface on it", g.Name, g.Mirror)
			}
			if g.Kind != labs.Switch && g.Kind != labs.Uplink {
				wrong("segment %q is a %s and has a mirror", g.Name, g.Kind)
			}
		}
		checkImpairment(wrong, fmt.Sprintf("segment %q", g.Name), g.Impair)
		if len(g.Allow) > 0 && g.Kind != labs.Uplink {
			wrong("segment %q is a %s and allows destinations", g.Name, g.Kind)
		}
		for _, rule := range g.Allow {
			if _, err := outside.ParseRule(rule); err != nil {
				wrong("segment %q: %v", g.Name, err)
			}
		}
	}
	for i := range t.Nodes {
		n := &t.Nodes[i]
		if slices.Contains(n.Publish, 0) {
			wrong("node %q publishes port 0", n.Name)
		}
		for k := range n.Interfaces {
			s.checkInterface(wrong, n.Name, &n.Interfaces[k])
		}
	}
	if len(t.Events) > maxEvents {
		wrong("the topology has %d events; %d are possible", len(t.Events), maxEvents)
	}
	for i := range t.Events {
		s.checkEvent(wrong, fmt.Sprintf("event %d", i+1), &t.Events[i])
	}
}

func (s *Spec) checkInterface(wrong func(string, ...any), node string, f *labs.Interface) {
	who := fmt.Sprintf("interface %q of node %q", f.Name, node)
	g := segmentOf(&s.Topology, f.Segment)
	most := defaultMTU
	if g != nil && g.MTU != 0 {
		most = g.MTU
	}
	if f.MTU != 0 && (f.MTU < minMTU || f.MTU > most) {
		wrong("%s has the MTU %d; %d to %d are possible there", who, f.MTU, minMTU, most)
	}
	vlans := f.Trunk
	if f.VLAN != 0 {
		vlans = append(slices.Clone(vlans), f.VLAN)
	}
	for _, v := range vlans {
		if v == 0 || v > maxVLAN {
			wrong("%s is in VLAN %d; 1 to %d are possible", who, v, maxVLAN)
		}
	}
	if f.VLAN != 0 && len(f.Trunk) > 0 {
		wrong("%s is both an access port and a trunk", who)
	}
	if f.Native != 0 && !slices.Contains(f.Trunk, f.Native) {
		wrong("%s has the native VLAN %d, which is not in its trunk", who, f.Native)
	}
	if len(vlans) > 0 && (g == nil || g.Kind != labs.Switch) {
		wrong("%s has VLANs and is on no switch", who)
	}
	checkImpairment(wrong, who+", out", f.Out)
	checkImpairment(wrong, who+", in", f.In)
}

func (s *Spec) checkEvent(wrong func(string, ...any), who string, e *labs.Event) {
	if e.At < 0 || e.Delay < 0 || e.Nth < 0 {
		wrong("%s has a negative time or count", who)
	}
	if e.At > maxEventTime || e.Delay > impair.MaxDelay {
		wrong("%s happens at %v and delays by %v; up to %v and %v are possible", who, e.At, e.Delay, maxEventTime, impair.MaxDelay)
	}
	if len(portsAt(&s.Topology, e.On)) == 0 {
		wrong("%s is on %q, which is no segment, node or interface with a cable", who, e.On)
	}
	ofFrame := false
	switch e.Do {
	case labs.EventDrop, labs.EventDelay, labs.EventDuplicate, labs.EventCorrupt:
		ofFrame = true
		if e.Do == labs.EventDelay && e.Delay == 0 {
			wrong("%s delays by nothing", who)
		}
	case labs.EventCut, labs.EventRestore:
	case labs.EventImpair:
		if e.Wire == nil {
			wrong("%s impairs by nothing", who)
		}
	default:
		wrong("%s does %q, which is unknown", who, e.Do)
	}
	checkImpairment(wrong, who, e.Wire)
	if e.Frame == "" {
		if ofFrame {
			wrong("%s is about a frame and does not say which", who)
		}
		return
	}
	if _, err := filter.Compile(e.Frame); err != nil {
		wrong("%s has a filter that does not work: %v", who, err)
	}
}

func checkImpairment(wrong func(string, ...any), who string, c *impair.Config) {
	if c == nil {
		return
	}
	if err := c.Check(); err != nil {
		wrong("the impairment of %s: %s", who, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
}

// segmentOf finds a segment by name, or gives nil.
func segmentOf(t *labs.Topology, name string) *labs.Segment {
	for i := range t.Segments {
		if t.Segments[i].Name == name {
			return &t.Segments[i]
		}
	}
	return nil
}

// portsAt names the switch's ports that a place means: a segment's, a node's,
// or NODE/INTERFACE alone. Interfaces without a cable are left out.
func portsAt(t *labs.Topology, place string) []string {
	segment := segmentOf(t, place) != nil
	var ports []string
	for i := range t.Nodes {
		n := &t.Nodes[i]
		for _, f := range n.Interfaces {
			name := portName(n.Name, f.Name)
			if f.Segment != "" && (segment && f.Segment == place || !segment && (n.Name == place || name == place)) {
				ports = append(ports, name)
			}
		}
	}
	return ports
}
