package rack

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/patchbay/patchbay/guest/image"
	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/vnet"
)

// samplePeriod is how often counters are read for those who look.
const samplePeriod = 500 * time.Millisecond

// State returns the rack as it is now.
func (r *Rack) State() *State {
	ports := map[string]vnet.PortStats{}
	for _, p := range r.sw.Ports() {
		ports[p.Name] = p
	}
	impaired := r.sw.Impairments()
	r.mu.Lock()
	s := &State{
		Rack: r.spec.ID, Owner: r.spec.Owner, Lab: r.spec.LabSlug, Title: r.spec.Title,
		Status: r.status, Started: r.started, Frozen: r.frozen,
	}
	r.mu.Unlock()
	onSegment := map[string][]PortState{}
	for _, n := range r.nodes {
		ns := n.state()
		for _, f := range n.spec.Interfaces {
			name := portName(n.spec.Name, f.Name)
			p := ports[name]
			is := InterfaceState{
				Name: f.Name, Segment: f.Segment, MAC: r.spec.mac(n.spec.Name, &f),
				Addresses: f.Addresses, Up: p.Up, Plugged: p.Plugged && f.Segment != "",
				VLAN: f.VLAN, Trunk: f.Trunk, Native: f.Native,
			}
			if g := segmentOf(&r.spec.Topology, f.Segment); g != nil {
				is.Mirror = g.Mirror == name
				is.Carrier = is.Plugged && (g.Kind != labs.Link || bothPlugged(ports, portsAt(&r.spec.Topology, g.Name)))
				ps := PortState{
					Node: n.spec.Name, Interface: f.Name,
					TxFrames: p.TxFrames, TxBytes: p.TxBytes,
					RxFrames: p.RxFrames, RxBytes: p.RxBytes, Drops: p.Drops,
					Lost: p.Lost, Filtered: p.Filtered, Storm: p.Storm, Giants: p.Giants, Cut: p.Cut,
				}
				ps.Out, ps.In = rough(impaired[name][0]), rough(impaired[name][1])
				onSegment[f.Segment] = append(onSegment[f.Segment], ps)
			}
			ns.Interfaces = append(ns.Interfaces, is)
		}
		s.Nodes = append(s.Nodes, ns)
	}
	loops := r.loops()
	for i := range r.spec.Topology.Segments {
		g := &r.spec.Topology.Segments[i]
		s.Segments = append(s.Segments, SegmentState{
			Name: g.Name, Kind: g.Kind, MTU: cmp.Or(g.MTU, defaultMTU), Mirror: g.Mirror,
			VLANs: vlansOf(&r.spec.Topology, g.Name), Loop: loops[g.Name], Uplink: r.uplinks[g.Name].state(),
			Ports: onSegment[g.Name], X: g.X, Y: g.Y, Placed: g.Placed,
		})
	}
	s.Events = r.events()
	s.Progress = progress(s.Nodes)
	return s
}

// loops are those that there are now, by segment.
func (r *Rack) loops() map[string]*Loop {
	loops := map[string]*Loop{}
	for _, g := range r.sw.Segments() {
		if l := g.Loop; l != nil {
			loops[g.Name] = &Loop{Since: l.Since, Ports: l.Ports, FramesPerSecond: l.FramesPerSecond}
		}
	}
	return loops
}

// bothPlugged says whether the cables of a link's ends are both in.
func bothPlugged(ports map[string]vnet.PortStats, ends []string) bool {
	for _, e := range ends {
		if !ports[e].Plugged {
			return false
		}
	}
	return true
}

// vlansOf lists the VLANs of a segment's ports.
func vlansOf(t *labs.Topology, segment string) []uint16 {
	var all []uint16
	for _, n := range t.Nodes {
		for _, f := range n.Interfaces {
			if f.Segment != segment {
				continue
			}
			if f.VLAN != 0 {
				all = append(all, f.VLAN)
			}
			all = append(all, f.Trunk...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (n *node) state() NodeState {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := NodeState{
		Name: n.spec.Name, Status: n.status, Reason: n.reason, Detail: n.detail,
		Image: n.spec.Image, Kernel: n.kernel, MemoryBytes: n.spec.MemoryBytes,
		Consoles: consoleLines, BootMillis: n.bootMillis,
		Publish: n.spec.Publish,
		X:       n.spec.X, Y: n.spec.Y, Placed: n.spec.Placed,
	}
	s.MemoryBytes = orDefault(s.MemoryBytes, DefaultMemory)
	if s.Image == "" {
		s.Image = image.Default
	}
	return s
}

// progress says how far nodes that are being started have come; nil when none is.
func progress(nodes []NodeState) *Progress {
	p := Progress{Total: len(nodes)}
	var coming []string
	for _, n := range nodes {
		switch n.Status {
		case Starting, Booting:
			coming = append(coming, n.Name)
		default:
			p.Done++
		}
	}
	if len(coming) == 0 {
		return nil
	}
	if len(coming) > 4 {
		coming = append(coming[:4], "…")
	}
	p.Step = "Starting " + strings.Join(coming, ", ")
	return &p
}

// touch says that the state has changed.
func (r *Rack) touch() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.version++
	for c := range r.conns {
		c.wake()
	}
}

// stateVersion returns the number of changes so far.
func (r *Rack) stateVersion() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.version
}

// stateMessage returns the state as the stream sends it, made once per change
// for all connections, and its version.
func (r *Rack) stateMessage() ([]byte, uint64) {
	r.mu.Lock()
	if r.cachedVersion == r.version {
		defer r.mu.Unlock()
		return r.cached, r.version
	}
	version := r.version
	r.mu.Unlock()
	data, err := json.Marshal(ServerMessage{T: "state", State: r.State()})
	if err != nil {
		panic("rack: marshalling the state: " + err.Error()) // plain data always marshals
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cached, r.cachedVersion = data, version
	return data, version
}

// sample touches the state when a counter has moved, as long as somebody
// looks. It returns when done is closed.
func (r *Rack) sample(done <-chan struct{}) {
	tick := time.NewTicker(samplePeriod)
	defer tick.Stop()
	var last []vnet.PortStats
	var lastWire int
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		r.mu.Lock()
		looking := len(r.conns) > 0
		r.mu.Unlock()
		if !looking {
			continue
		}
		ports, wire := r.sw.Ports(), len(r.loops())
		for _, e := range r.sw.Events() {
			wire += e.Done
		}
		if !slices.Equal(ports, last) || wire != lastWire {
			last, lastWire = ports, wire
			r.touch()
		}
	}
}
