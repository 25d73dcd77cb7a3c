package labs_test

import (
	"reflect"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/vnet/impair"
)

const wireLab = `
-- base/lab.yaml --
title: Base
nodes:
  pc1: {interfaces: {eth0: r1-r2}, publish: [22]}
segments:
  r1-r2: {kind: link, mtu: 9000, impair: {delay: 1s}}
events:
  - {at: 5s, cut: r1-r2}
seed: 3
-- base/guide.md --
# Base
-- lab/lab.yaml --
title: Wire
extends: ../base
nodes:
  pc1:
    interfaces:
      eth1: {segment: lan, vlan: 10, mtu: 9000}
    publish: [80, 8080, 80]
  pc2:
    interfaces:
      eth0: {segment: lan, trunk: [10, 20], native: 20}
      eth1: {segment: r1-r2, impair: {in: {burst: {good_to_bad: 1%, bad_to_good: 25%}}}}
      eth2: {segment: net}
  ids: {interfaces: {eth1: lan}}
segments:
  lan: {kind: switch, mtu: 9000, mirror: ids/eth1, storm: off}
  r1-r2:
    kind: link
    impair: {delay: 20ms, jitter: 2ms, distribution: pareto, loss: 1%, duplicate: 0.5 %, reorder: 0, corrupt: 100%, rate: 1.5M, queue: 50}
  net: {kind: uplink, storm: 1000, allow: ["www.example.com:80", "10.0.0.0/8:443"]}
events:
  - {at: 30s, cut: r1-r2}
  - {at: 1m30s, on: pc1/eth1, impair: {}}
  - {frame: "icmp", on: r1-r2, nth: 3, do: drop}
  - {frame: "arp", on: pc2, every: true, nth: 2, do: delay, delay: 200ms, direction: in}
-- lab/guide.md --
# Wire
`

func TestLoadWire(t *testing.T) {
	lab, err := labs.Load(txtarFS(txtar.Parse([]byte(wireLab))), "lab")
	if err != nil {
		t.Fatal(err)
	}
	far := &impair.Config{
		Delay: 20 * time.Millisecond, Jitter: 2 * time.Millisecond, Distribution: "pareto",
		Loss: 0.01, Duplicate: 0.005, Corrupt: 1, Rate: 1_500_000, Queue: 50,
	}
	want := labs.Topology{
		Nodes: []labs.Node{
			{Name: "pc1", Publish: []uint16{80, 8080}, Sysctls: []labs.Sysctl{}, Interfaces: []labs.Interface{
				{Name: "eth0", Segment: "r1-r2"},
				{Name: "eth1", Segment: "lan", VLAN: 10, MTU: 9000},
			}},
			{Name: "pc2", Interfaces: []labs.Interface{
				{Name: "eth0", Segment: "lan", Trunk: []uint16{10, 20}, Native: 20},
				{Name: "eth1", Segment: "r1-r2", In: &impair.Config{Burst: &impair.GilbertElliott{GoodToBad: 0.01, BadToGood: 0.25}}},
				{Name: "eth2", Segment: "net"},
			}},
			{Name: "ids", Interfaces: []labs.Interface{{Name: "eth1", Segment: "lan"}}},
		},
		Segments: []labs.Segment{
			{Name: "r1-r2", Kind: labs.Link, MTU: 9000, Impair: far},
			{Name: "lan", Kind: labs.Switch, MTU: 9000, Mirror: "ids/eth1", Storm: -1},
			{Name: "net", Kind: labs.Uplink, Storm: 1000, Allow: []string{"www.example.com:80", "10.0.0.0/8:443"}},
		},
		Events: []labs.Event{
			{At: 30 * time.Second, On: "r1-r2", Do: labs.EventCut},
			{At: 90 * time.Second, On: "pc1/eth1", Do: labs.EventImpair, Wire: &impair.Config{}},
			{Frame: "icmp", On: "r1-r2", Nth: 3, Do: labs.EventDrop},
			{Frame: "arp", On: "pc2", Nth: 2, Every: true, Do: labs.EventDelay, Delay: 200 * time.Millisecond, In: true},
		},
		Seed: 3,
	}
	if !reflect.DeepEqual(lab.Topology, want) {
		t.Errorf("Topology =\n%+v\nwant\n%+v", lab.Topology, want)
	}
}

func TestParseDuration(t *testing.T) {
	for _, c := range []struct {
		in   string
		want time.Duration // -1: refused
	}{{"20ms", 20 * time.Millisecond}, {"1.5 s", 1500 * time.Millisecond}, {"0", 0}, {"24h", 24 * time.Hour}, {"25h", -1}, {"-1s", -1}, {"20", -1}, {"soon", -1}, {"", -1}} {
		got, err := labs.ParseDuration(c.in)
		if (err != nil) != (c.want < 0) || err == nil && got != c.want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", c.in, got, err, c.want)
		}
	}
}
