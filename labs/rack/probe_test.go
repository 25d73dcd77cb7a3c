package rack_test

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
)

// TestProbe: what the network does not let through is an answer, what makes no
// sense is refused, and the probe is gone afterwards.
func TestProbe(t *testing.T) {
	topo := twoHosts()
	topo.Nodes = append(topo.Nodes, labs.Node{Name: "pc3", Interfaces: []labs.Interface{{Name: "eth0", Segment: "far"}, {Name: "eth1", Segment: "far"}}})
	topo.Segments = append(topo.Segments, labs.Segment{Name: "far", Kind: labs.Link})
	b := serve(t, topo, newWorld())
	res, err := b.client.Probe(t.Context(), &rack.ProbeRequest{Segment: "lan", Do: "arp", Target: "10.0.0.9", Addresses: []string{"10.0.0.200/24"}})
	if err != nil || res.OK || res.Cause != "no neighbour" || res.Seen == "" {
		t.Errorf("nobody answers: %+v, %v", res, err)
	}
	for _, c := range []struct {
		p      rack.ProbeRequest
		status int
		says   string
	}{
		{rack.ProbeRequest{Segment: "wan", Do: "ping", Target: "10.0.0.1"}, http.StatusNotFound, "wan"},
		{rack.ProbeRequest{Segment: "far", Do: "ping", Target: "10.0.0.1"}, http.StatusBadRequest, "its two ends"},
		{rack.ProbeRequest{Segment: "lan", Do: "scan", Target: "10.0.0.1"}, http.StatusBadRequest, "scan"},
		{rack.ProbeRequest{Segment: "lan", Do: "ping", Target: "pc1"}, http.StatusBadRequest, "wants an address"},
		{rack.ProbeRequest{Segment: "lan", Do: "ping", Target: "10.0.0.1", Count: 1000}, http.StatusBadRequest, "100 pings"},
		{rack.ProbeRequest{Segment: "lan", Do: "fetch", Target: "file:///etc/passwd"}, http.StatusBadRequest, "URL"},
		{rack.ProbeRequest{Segment: "lan", Do: "arp", Target: "10.0.0.1", Addresses: []string{"10.0.0.1"}}, http.StatusBadRequest, "prefix length"},
		{rack.ProbeRequest{Segment: "lan", Do: "arp", Target: "10.0.0.1", Gateway: "r1"}, http.StatusBadRequest, `"r1"`},
		{rack.ProbeRequest{Segment: "lan", Do: "arp", Target: "10.0.0.1", VLAN: 4095}, http.StatusBadRequest, "VLAN 4095"},
	} {
		_, err := b.client.Probe(t.Context(), &c.p)
		refused(t, err, c.status, c.says)
	}
	links := map[string]bool{}
	err = b.client.Frames(t.Context(), &rack.CaptureQuery{Each: true}, func(f *rack.Frame) error { links[f.Link] = true; return nil })
	for l := range links {
		if !strings.HasPrefix(l, "pc") {
			t.Errorf("a capture shows the probe's port %s", l)
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// TestProbeLeavesTagsAlone: a probe in a VLAN that nodes make for themselves puts
// tags on its frames, and the switch goes on taking no look at those of others.
func TestProbeLeavesTagsAlone(t *testing.T) {
	topo := twoHosts()
	topo.Nodes[1].Interfaces[1] = labs.Interface{Name: "eth1", Segment: "vlans", VLAN: 20}
	topo.Segments = append(topo.Segments, labs.Segment{Name: "vlans", Kind: labs.Switch})
	b := serve(t, topo, newWorld())
	_, err := b.client.Probe(t.Context(), &rack.ProbeRequest{Segment: "vlans", Do: "arp", Target: "10.0.0.9", Addresses: []string{"10.0.0.200/24"}})
	refused(t, err, http.StatusBadRequest, "such as 20")
	s := b.stream(t, rack.Owner)
	pc1, pc2 := b.hold(t, "pc1", "eth0"), b.hold(t, "pc2", "eth0")
	up(t, s, "pc1/eth0", "pc2/eth0")
	done := make(chan error)
	go func() {
		_, err := b.client.Probe(t.Context(), &rack.ProbeRequest{Segment: "lan", VLAN: 10, Do: "arp", Target: "10.0.0.9", Addresses: []string{"10.0.0.200/24"}})
		done <- err
	}()
	if err := pc2.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	asked := make([]byte, 100)
	if n, err := pc2.Read(asked); err != nil || n < 18 || binary.BigEndian.Uint64(asked[12:])>>16 != 0x8100_000a_0806 {
		t.Fatalf("pc2 gets % x, %v; want a question by ARP with the tag of VLAN 10", asked[:n], err)
	}
	tagged := append(frame("tagged")[:12:12], append([]byte{0x81, 0, 0, 10}, frame("tagged")[12:]...)...)
	if _, err := pc1.Write(tagged); err != nil {
		t.Fatal(err)
	}
	for {
		n, err := pc2.Read(asked)
		if err != nil {
			t.Fatalf("while the probe was there a tagged frame did not come: %v", err)
		}
		if bytes.Equal(asked[:n], tagged) {
			break
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestRealProbe looks at real guests from a machine of the rack's own.
func TestRealProbe(t *testing.T) {
	topo := twoHosts()
	topo.Nodes = topo.Nodes[:1]
	topo.Nodes[0].Interfaces[0].Addresses = []string{"10.0.0.1/24"}
	topo.Nodes[0].Startup = []string{"echo found > /index.html; cd /; python3 -m http.server 80 >/dev/null 2>&1 &"}
	b := serveReal(t, topo)
	settled(t, b.stream(t, rack.Owner))
	ask := func(do, target string) *rack.ProbeResult {
		t.Helper()
		res, err := b.client.Probe(t.Context(), &rack.ProbeRequest{Segment: "lan", Do: do, Target: target, Addresses: []string{"10.0.0.200/24"}})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	if res := ask("ping", "10.0.0.1"); !res.OK || res.Received == 0 || len(res.RTT) != res.Received {
		t.Errorf("ping: %+v", res)
	}
	st, err := b.client.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if res := ask("arp", "10.0.0.1"); !slices.Equal(res.MACs, []string{st.Nodes[0].Interfaces[0].MAC}) {
		t.Errorf("arp: %+v; want pc1's address alone", res)
	}
	if res := ask("trace", "10.0.0.1"); len(res.Hops) != 1 || !slices.Equal(res.Hops[0], []string{"10.0.0.1"}) {
		t.Errorf("trace: %+v", res)
	}
	b.must(t, "pc1", "sh", "-c", "for i in $(seq 100); do curl -sf http://127.0.0.1/ >/dev/null && exit; sleep 0.1; done; exit 1")
	if res := ask("fetch", "http://10.0.0.1/"); res.Status != 200 || string(res.Body) != "found\n" {
		t.Errorf("fetch: %+v", res)
	}
	if res := ask("fetch", "http://10.0.0.1:81/"); res.OK || res.Cause != "refused" {
		t.Errorf("fetch of a closed port: %+v", res)
	}
}
