package rack_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/vnet/impair"
	"github.com/patchbay/patchbay/vnet/outside"
)

// cable is the guest's end of an interface, in the hand of a test.
type cable struct {
	t *testing.T
	*net.UnixConn
}

// hold sets an interface up as a guest's driver does.
func (b *bench) hold(t *testing.T, node, iface string) cable {
	t.Helper()
	path := filepath.Join(b.dir, "nodes", node, "net", iface)
	c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return cable{t, c}
}

// experiment is an ethertype for trying things out; filters find it by number.
const experiment = 0x88b5

// frame is a broadcast of 60 bytes with a text in it.
func frame(text string) []byte {
	f := make([]byte, 60)
	copy(f, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1})
	binary.BigEndian.PutUint16(f[12:], experiment)
	copy(f[14:], text)
	return f
}

func (c cable) send(texts ...string) {
	c.t.Helper()
	for _, text := range texts {
		if _, err := c.Write(frame(text)); err != nil {
			c.t.Fatal(err)
		}
	}
}

// gets reads frames and wants just these, in this order.
func (c cable) gets(texts ...string) {
	c.t.Helper()
	buf := make([]byte, 9100)
	for _, text := range texts {
		if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			c.t.Fatal(err)
		}
		n, err := c.Read(buf)
		if err != nil || !bytes.Equal(buf[:n], frame(text)) {
			c.t.Fatalf("got % x, %v; want %q", buf[:n], err, text)
		}
	}
}

// up waits until the switch knows that these interfaces are up.
func up(t *testing.T, s *rack.Stream, links ...string) {
	t.Helper()
	until(t, s, "interfaces are up", func(st *rack.State) bool {
		n := 0
		for _, node := range st.Nodes {
			for _, i := range node.Interfaces {
				if i.Up && slices.Contains(links, node.Name+"/"+i.Name) {
					n++
				}
			}
		}
		return n == len(links)
	})
}

// port finds a port in a state.
func port(st *rack.State, link string) rack.PortState {
	for _, g := range st.Segments {
		for _, p := range g.Ports {
			if p.Node+"/"+p.Interface == link {
				return p
			}
		}
	}
	return rack.PortState{}
}

var slow = &impair.Config{Delay: 20 * time.Millisecond, Loss: 0.25}

func same(a, b *impair.Config) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func TestImpair(t *testing.T) {
	topo := twoHosts()
	topo.Segments[0].Impair = slow
	own := &impair.Config{Delay: time.Second}
	topo.Nodes[1].Interfaces[0].Out, topo.Nodes[1].Interfaces[0].In = own, slow
	b := serve(t, topo, newWorld())
	s := b.stream(t, rack.Owner)
	want := func(what string, want map[string][2]*impair.Config) {
		t.Helper()
		until(t, s, what, func(st *rack.State) bool {
			for link, c := range want {
				if p := port(st, link); !same(p.Out, c[0]) || !same(p.In, c[1]) {
					return false
				}
			}
			return true
		})
	}
	want("the lab's own", map[string][2]*impair.Config{"pc1/eth0": {slow, nil}, "pc2/eth0": {own, slow}})
	for _, c := range []struct {
		op   rack.Op
		want map[string][2]*impair.Config
	}{
		{rack.Op{Segment: "lan"}, map[string][2]*impair.Config{"pc1/eth0": {nil, nil}, "pc2/eth0": {nil, nil}}},
		{rack.Op{Segment: "lan", Impair: own}, map[string][2]*impair.Config{"pc1/eth0": {own, nil}, "pc2/eth0": {own, nil}}},
		{rack.Op{Node: "pc1", Interface: "eth0", Impair: slow}, map[string][2]*impair.Config{"pc1/eth0": {slow, slow}, "pc2/eth0": {own, nil}}},
		{rack.Op{Node: "pc2", Direction: rack.In, Impair: slow}, map[string][2]*impair.Config{"pc1/eth0": {slow, slow}, "pc2/eth0": {own, slow}}},
		{rack.Op{Node: "pc2", Interface: "eth0", Direction: rack.Out}, map[string][2]*impair.Config{"pc2/eth0": {nil, slow}}},
	} {
		c.op.Do = "impair"
		if err := b.client.Do(t.Context(), c.op); err != nil {
			t.Fatalf("%+v: %v", c.op, err)
		}
		want("what was asked for", c.want)
	}
	for _, tt := range []struct {
		op     rack.Op
		status int
		says   string
	}{
		{rack.Op{Do: "impair", Segment: "wan"}, http.StatusNotFound, "wan"},
		{rack.Op{Do: "impair", Node: "pc9"}, http.StatusNotFound, "pc9"},
		{rack.Op{Do: "impair", Node: "pc1", Interface: "eth9"}, http.StatusNotFound, "eth9"},
		{rack.Op{Do: "impair", Node: "pc2", Interface: "eth1"}, http.StatusBadRequest, "no cable"},
		{rack.Op{Do: "impair", Node: "pc1", Segment: "lan"}, http.StatusBadRequest, "not both"},
		{rack.Op{Do: "impair", Segment: "lan", Direction: "up"}, http.StatusBadRequest, "out or in"},
		{rack.Op{Do: "impair", Segment: "lan", Impair: &impair.Config{Loss: 2, Rate: 1}}, http.StatusBadRequest, "loss is 2"},
	} {
		refused(t, b.client.Do(t.Context(), tt.op), tt.status, tt.says)
	}
}

func TestCutAndLose(t *testing.T) {
	b := serve(t, twoHosts(), newWorld())
	s := b.stream(t, rack.Owner)
	pc1, pc2 := b.hold(t, "pc1", "eth0"), b.hold(t, "pc2", "eth0")
	up(t, s, "pc1/eth0", "pc2/eth0")
	do := func(op rack.Op) {
		t.Helper()
		if err := b.client.Do(t.Context(), op); err != nil {
			t.Fatalf("%+v: %v", op, err)
		}
	}
	do(rack.Op{Do: "cut", Segment: "lan"})
	until(t, s, "the cables are out", func(st *rack.State) bool {
		return !st.Nodes[0].Interfaces[0].Plugged && !st.Nodes[1].Interfaces[0].Carrier
	})
	pc1.send("cut")
	until(t, s, "the frame is cut", func(st *rack.State) bool { return port(st, "pc1/eth0").Cut == 1 })
	do(rack.Op{Do: "restore", Segment: "lan"})
	do(rack.Op{Do: "impair", Node: "pc1", Impair: &impair.Config{Loss: 1}})
	pc1.send("lost")
	until(t, s, "the frame is lost", func(st *rack.State) bool { return port(st, "pc1/eth0").Lost == 1 })
	do(rack.Op{Do: "impair", Node: "pc1"})
	pc1.send("whole")
	pc2.gets("whole")
}

func TestVLANsAndMirror(t *testing.T) {
	on := func(f labs.Interface) []labs.Interface { f.Name, f.Segment = "eth0", "lan"; return []labs.Interface{f} }
	b := serve(t, labs.Topology{
		Nodes: []labs.Node{
			{Name: "pc1", Interfaces: on(labs.Interface{VLAN: 10})},
			{Name: "pc2", Interfaces: on(labs.Interface{VLAN: 20})},
			{Name: "pc3", Interfaces: on(labs.Interface{VLAN: 10})},
			{Name: "r1", Interfaces: on(labs.Interface{Trunk: []uint16{10, 20}, Native: 20})},
			{Name: "ids", Interfaces: on(labs.Interface{})},
		},
		Segments: []labs.Segment{{Name: "lan", Kind: labs.Switch, Mirror: "ids/eth0"}},
	}, newWorld())
	s := b.stream(t, rack.Owner)
	pc1, pc2, pc3 := b.hold(t, "pc1", "eth0"), b.hold(t, "pc2", "eth0"), b.hold(t, "pc3", "eth0")
	r1, ids := b.hold(t, "r1", "eth0"), b.hold(t, "ids", "eth0")
	up(t, s, "pc1/eth0", "pc2/eth0", "pc3/eth0", "r1/eth0", "ids/eth0")
	r1.send("native") // VLAN 20
	pc2.gets("native")
	pc1.send("ten")
	pc3.gets("ten") // and not native
	ids.gets("native", "ten")
	tagged := make([]byte, 64)
	if err := r1.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := r1.Read(tagged); err != nil || n != 64 || binary.BigEndian.Uint32(tagged[12:]) != 0x8100_000a {
		t.Errorf("r1 gets % x, %v; want it with the tag of VLAN 10", tagged[:n], err)
	}
	st := s.State()
	if !slices.Equal(st.Segments[0].VLANs, []uint16{10, 20}) || st.Segments[0].Mirror != "ids/eth0" || !st.Nodes[4].Interfaces[0].Mirror {
		t.Errorf("the state says %+v", st.Segments[0])
	}
}

func TestEvents(t *testing.T) {
	topo := twoHosts()
	topo.Events = []labs.Event{
		{Frame: "ether proto 0x88b5", On: "lan", Nth: 2, Do: labs.EventDrop},
		{Frame: "ether[14:4] = 0x73746f70", On: "pc1/eth0", Nth: 1, Do: labs.EventCut}, // stop
		{On: "pc2", Do: labs.EventImpair, Wire: slow},
	}
	b := serve(t, topo, newWorld())
	s := b.stream(t, rack.Owner)
	until(t, s, "the script has begun", func(st *rack.State) bool {
		return st.Status == rack.Running && same(port(st, "pc2/eth0").Out, slow)
	})
	pc1, pc2 := b.hold(t, "pc1", "eth0"), b.hold(t, "pc2", "eth0")
	up(t, s, "pc1/eth0", "pc2/eth0")
	if err := b.client.Do(t.Context(), rack.Op{Do: "impair", Segment: "lan"}); err != nil { // pc2's loss would be by chance
		t.Fatal(err)
	}
	pc1.send("one", "two", "three")
	pc2.gets("one", "three")
	pc1.send("stop")
	pc2.gets("stop")
	until(t, s, "the cable is cut", func(st *rack.State) bool { return !st.Nodes[0].Interfaces[0].Plugged })
	st, err := b.client.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(st.Events) != len(topo.Events) {
		t.Fatalf("the state has the events %+v; want %d", st.Events, len(topo.Events))
	}
	for i, want := range []rack.EventState{
		{On: "lan", Do: labs.EventDrop, Frame: topo.Events[0].Frame, Direction: rack.Out, Nth: 2, Seen: 2, Done: 1},
		{On: "pc1/eth0", Do: labs.EventCut, Frame: topo.Events[1].Frame, Direction: rack.Out, Nth: 1, Seen: 1, Done: 1},
		{On: "pc2", Do: labs.EventImpair, Impair: slow, Done: 1},
	} {
		got := st.Events[i]
		if got.Last == nil || got.Last.Before(st.Started) || got.Last.After(time.Now()) {
			t.Errorf("event %d happened at %v; want a time since %v", i+1, got.Last, st.Started)
		}
		if !same(got.Impair, want.Impair) {
			t.Errorf("event %d sets %+v; want %+v", i+1, got.Impair, want.Impair)
		}
		if got.Last, got.Impair, want.Impair = nil, nil, nil; got != want {
			t.Errorf("event %d: %+v; want %+v", i+1, got, want)
		}
	}
}

// As many events as a lab may have, each on as many cables as a node may have:
// they begin, and each is shown once.
func TestManyEvents(t *testing.T) {
	topo := twoHosts()
	for i := range 15 {
		topo.Nodes[0].Interfaces = append(topo.Nodes[0].Interfaces, labs.Interface{Name: fmt.Sprint("eth", i+1), Segment: "lan"})
	}
	for i := range 256 {
		e := labs.Event{On: "pc1", Frame: "arp", Nth: i + 1, Do: labs.EventDrop}
		if i == 255 {
			e = labs.Event{On: "pc1", Do: labs.EventCut}
		}
		topo.Events = append(topo.Events, e)
	}
	b := serve(t, topo, newWorld())
	until(t, b.stream(t, rack.Owner), "the last event has happened", func(st *rack.State) bool {
		return len(st.Events) == 256 && st.Events[254].Done == 0 && st.Events[255].Done == 1
	})
}

// TestEventsOutliveAKernel: what events did to a cable stays when its node is
// started on a kernel that speaks otherwise than the one before.
func TestEventsOutliveAKernel(t *testing.T) {
	topo := twoHosts()
	topo.Events = []labs.Event{{On: "pc1", Do: labs.EventCut}, {On: "pc1", Do: labs.EventImpair, Wire: slow}}
	w, dir, cache := newWorld(), t.TempDir(), t.TempDir()
	if err := rack.WriteSpec(dir, &rack.Spec{ID: "r1", Topology: topo, Cache: cache}); err != nil {
		t.Fatal(err)
	}
	b := serveAt(t, dir, w.start)
	t.Cleanup(func() { b.end(t) })
	s := b.stream(t, rack.Owner)
	happened := func(st *rack.State) bool {
		p := port(st, "pc1/eth0")
		return st.Status == rack.Running && !st.Nodes[0].Interfaces[0].Plugged && same(p.Out, slow) && same(p.In, slow)
	}
	until(t, s, "the events have happened", happened)
	built := filepath.Join(cache, "kernels", "patchbay-9.9-00000000")
	if err := os.MkdirAll(built, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"kernel.json": `{"name": "patchbay-9.9-00000000", "version": "9.9", "path": "linux", "offload": true, "carrier": true}`,
		"linux":       "",
	} {
		if err := os.WriteFile(filepath.Join(built, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.client.Do(t.Context(), rack.Op{Do: "restart", Node: "pc1"}); err != nil {
		t.Fatal(err)
	}
	until(t, s, "the node runs on the new kernel", func(st *rack.State) bool {
		return st.Nodes[0].Status == rack.Running && st.Nodes[0].Kernel == "patchbay-9.9-00000000"
	})
	if st := s.State(); !happened(st) {
		t.Errorf("after the restart: %+v, %+v; want it cut and slow", st.Nodes[0].Interfaces[0], port(st, "pc1/eth0"))
	}
	pc1 := b.hold(t, "pc1", "eth0")
	if err := pc1.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	told := make([]byte, 100)
	if n, err := pc1.Read(told); err != nil || n != 1 || told[0] != 0 {
		t.Errorf("the guest is told % x, %v; want that it has no carrier", told[:n], err)
	}
}

func TestCaptures(t *testing.T) {
	b := serve(t, twoHosts(), newWorld())
	s := b.stream(t, rack.Owner)
	pc1, pc2 := b.hold(t, "pc1", "eth0"), b.hold(t, "pc2", "eth0")
	up(t, s, "pc1/eth0", "pc2/eth0")
	pc1.send("one", "two")
	pc2.gets("one", "two")
	pc2.send("three")
	pc1.gets("three")
	list := func(q rack.CaptureQuery) (links []string) {
		t.Helper()
		err := b.client.Frames(t.Context(), &q, func(f *rack.Frame) error {
			if f.Length != 60 || f.Fate != "delivered" || f.Info == "" || time.Since(f.Time).Abs() > time.Minute {
				t.Errorf("%+v", f)
			}
			links = append(links, f.Link+" "+string(f.Direction))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return links
	}
	// A frame may be read before what became of it is written down.
	for deadline := time.Now().Add(10 * time.Second); len(list(rack.CaptureQuery{Each: true})) < 6; {
		if time.Now().After(deadline) {
			t.Fatalf("at each cable: %q; want 6", list(rack.CaptureQuery{Each: true}))
		}
	}
	for _, c := range []struct {
		q    rack.CaptureQuery
		want []string
	}{
		{rack.CaptureQuery{}, []string{"pc1/eth0 out", "pc1/eth0 out", "pc2/eth0 out"}},
		{rack.CaptureQuery{Segments: []string{"lan"}, Count: 2}, []string{"pc1/eth0 out", "pc1/eth0 out"}},
		{rack.CaptureQuery{Links: []string{"pc2/eth0"}}, []string{"pc2/eth0 in", "pc2/eth0 in", "pc2/eth0 out"}},
		{rack.CaptureQuery{Links: []string{"pc2/eth0"}, Direction: rack.Out}, []string{"pc2/eth0 out"}},
		{rack.CaptureQuery{Filter: "ether[14:4] = 0x74687265"}, []string{"pc2/eth0 out"}}, // thre
		{rack.CaptureQuery{To: time.Now().Add(-time.Hour)}, nil},
	} {
		if got := list(c.q); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q; want %q", c.q, got, c.want)
		}
	}
	file, err := b.client.Capture(t.Context(), &rack.CaptureQuery{})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	if err != nil || len(data) < 200 || binary.LittleEndian.Uint32(data) != 0x0a0d0d0a || !bytes.Contains(data, []byte("pc2/eth0")) {
		t.Errorf("the file has %d bytes, %v: %.60x", len(data), err, data)
	}
	for _, q := range []rack.CaptureQuery{{Links: []string{"pc9/eth0"}}, {Segments: []string{"wan"}}, {Links: []string{"pc2/eth1"}}, {Filter: "tcp prot"}} {
		_, err := b.client.Capture(t.Context(), &q)
		refused(t, err, http.StatusBadRequest, "")
	}
}

// TestCaptureFollows: what comes is there at once, whoever goes leaves nothing,
// and the rack's end ends it in order.
func TestCaptureFollows(t *testing.T) {
	b := serve(t, twoHosts(), newWorld())
	s := b.stream(t, rack.Owner)
	pc1 := b.hold(t, "pc1", "eth0")
	up(t, s, "pc1/eth0")
	for range rack.MaxReading + 1 { // more than there may be at a time
		ctx, cancel := context.WithCancel(t.Context())
		seen := errors.New("seen")
		var err error
		for { // the last one's place may not be free yet
			pc1.send("hello")
			if err = b.client.Frames(ctx, &rack.CaptureQuery{Follow: true}, func(*rack.Frame) error { return seen }); !errors.As(err, new(*rack.Refusal)) {
				break
			}
		}
		cancel()
		if !errors.Is(err, seen) {
			t.Fatal(err)
		}
	}
	frames, ended := make(chan string, 8), make(chan error, 1)
	go func() {
		ended <- b.client.Frames(t.Context(), &rack.CaptureQuery{Follow: true, From: time.Now()}, func(f *rack.Frame) error {
			frames <- f.Link
			return nil
		})
	}()
	for {
		pc1.send("live")
		select {
		case <-frames:
		case <-time.After(10 * time.Millisecond):
			continue
		}
		break
	}
	b.end(t)
	if err := <-ended; err != nil {
		t.Errorf("the rack's end: %v; want none", err)
	}
}

// TestUplink: the lab runs whatever the administrator allows, and says so.
func TestUplink(t *testing.T) {
	for _, c := range []struct {
		name    string
		rules   []string // the administrator's
		allow   []string
		trouble string
	}{
		{"off", nil, nil, "does not give to labs"},
		{"allowed", []string{"*:80"}, []string{"www.example.com:80"}, "203.0.113.0/24"},
		{"all", []string{"*"}, []string{"www.example.com", "203.0.113.0/24:443"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			topo := twoHosts()
			topo.Segments[0].Kind = labs.Uplink
			topo.Segments[0].Allow = []string{"www.example.com", "203.0.113.0/24:443"}
			spec := &rack.Spec{ID: "r1", Topology: topo}
			for _, text := range c.rules {
				rule, err := outside.ParseRule(text)
				if err != nil {
					t.Fatal(err)
				}
				spec.Uplink = append(spec.Uplink, rule)
			}
			dir := t.TempDir()
			if err := rack.WriteSpec(dir, spec); err != nil {
				t.Fatal(err)
			}
			b := serveAt(t, dir, newWorld().start)
			t.Cleanup(func() { b.end(t) })
			st, err := b.client.State(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			u := st.Segments[0].Uplink
			if u == nil || !slices.Equal(u.Allow, c.allow) || (u.Gateway == "") != (c.allow == nil) {
				t.Errorf("the uplink is %+v; want one that allows %q", u, c.allow)
			}
			if u != nil && (u.Trouble == "") != (c.trouble == "") || !strings.Contains(u.Trouble, c.trouble) {
				t.Errorf("its trouble is %q; want %q", u.Trouble, c.trouble)
			}
		})
	}
}
