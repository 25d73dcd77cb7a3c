package rack_test

import (
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/vnet/impair"
)

func TestSpecOfWire(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(*labs.Topology)
		says  string
	}{
		{"mtu", func(t *labs.Topology) { t.Segments[0].MTU = 9001 }, "9001"},
		{"interface mtu", func(t *labs.Topology) { t.Nodes[0].Interfaces[0].MTU = 9000 }, "68 to 1500"},
		{"storm", func(t *labs.Topology) { t.Segments[0].Storm = -2 }, "-2"},
		{"mirror nowhere", func(t *labs.Topology) { t.Segments[0].Mirror = "pc2/eth1" }, "mirrored"},
		{"mirror of a hub", func(t *labs.Topology) { t.Segments[0].Mirror, t.Segments[0].Kind = "pc2/eth0", labs.Hub }, "hub and has a mirror"},
		{"impairment", func(t *labs.Topology) { t.Segments[0].Impair = &impair.Config{Loss: 2} }, "loss is 2"},
		{"impairment of a cable", func(t *labs.Topology) { t.Nodes[0].Interfaces[0].In = &impair.Config{Delay: -1} }, "delay"},
		{"allow", func(t *labs.Topology) { t.Segments[0].Allow = []string{"example.org:80"} }, "allows destinations"},
		{"rule", func(t *labs.Topology) { t.Segments[0].Kind, t.Segments[0].Allow = labs.Uplink, []string{"http://x/"} }, "uplink rule"},
		{"vlan", func(t *labs.Topology) { t.Nodes[0].Interfaces[0].VLAN = 4095 }, "VLAN 4095"},
		{"vlan of nothing", func(t *labs.Topology) { t.Nodes[1].Interfaces[1].VLAN = 1 }, "no switch"},
		{"access and trunk", func(t *labs.Topology) {
			t.Nodes[0].Interfaces[0].VLAN, t.Nodes[0].Interfaces[0].Trunk = 1, []uint16{2}
		}, "both an access"},
		{"native", func(t *labs.Topology) { t.Nodes[0].Interfaces[0].Native = 3 }, "native VLAN 3"},
		{"publish", func(t *labs.Topology) { t.Nodes[0].Publish = []uint16{0} }, "port 0"},
		{"event nowhere", func(t *labs.Topology) { t.Events = []labs.Event{{On: "pc9", Do: labs.EventCut}} }, `"pc9"`},
		{"event of no frame", func(t *labs.Topology) { t.Events = []labs.Event{{On: "lan", Do: labs.EventDrop}} }, "does not say which"},
		{"event", func(t *labs.Topology) { t.Events = []labs.Event{{On: "lan", Do: "burn"}} }, `"burn"`},
		{"event's filter", func(t *labs.Topology) {
			t.Events = []labs.Event{{On: "lan", Frame: "tcp prot", Do: labs.EventDrop}}
		}, "prot"},
		{"event's time", func(t *labs.Topology) { t.Events = []labs.Event{{At: -1, On: "lan", Do: labs.EventCut}} }, "negative"},
		{"event's day", func(t *labs.Topology) { t.Events = []labs.Event{{At: 25 * time.Hour, On: "lan", Do: labs.EventCut}} }, "25h"},
		{"event's delay", func(t *labs.Topology) {
			t.Events = []labs.Event{{On: "lan", Frame: "arp", Do: labs.EventDelay, Delay: 2 * time.Hour}}
		}, "2h"},
		{"event of no delay", func(t *labs.Topology) {
			t.Events = []labs.Event{{On: "lan", Frame: "arp", Do: labs.EventDelay}}
		}, "delays by nothing"},
		{"event's impairment", func(t *labs.Topology) { t.Events = []labs.Event{{On: "lan", Do: labs.EventImpair}} }, "by nothing"},
	} {
		s := &rack.Spec{ID: "r1", Topology: twoHosts()}
		tt.spoil(&s.Topology)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
		}
	}
}
