package labs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/patchbay/patchbay/vnet/impair"
)

const (
	minVLAN, maxVLAN = 1, 4094 // 802.1Q; 0 and 4095 are reserved
	maxTrunk         = 64      // VLANs of one interface
	maxStorm         = 10_000_000
	maxAllow         = 64 // rules of an uplink
	maxRule          = 300
	maxPublish       = 16 // ports of a node
	maxPort          = 65535
)

// number gives a whole number from least to most.
func (d *decoder) number(n ast.Node, what, fix string, least, most int) number {
	t, ok := d.scalar(n, what, 20)
	if !ok {
		return number{}
	}
	v, err := strconv.Atoi(t.s)
	if err != nil || v < least || v > most {
		d.bad(n, fix, "%s is a number from %d to %d, found %s", what, least, most, quoteShort(t.s))
		return number{}
	}
	return number{mark: t.mark, n: v, given: true}
}

func (d *decoder) segment(e entry) *draftSegment {
	ds := &draftSegment{name: e.key}
	d.name(e.key, "segment")
	kind := func(n ast.Node) {
		ds.kind = SegmentKind(d.choice(n, "a segment", string(Switch), string(Hub), string(Link), string(Uplink)).s)
	}
	switch e.value.(type) {
	case *ast.NullNode, nil:
	case *ast.MappingNode, *ast.MappingValueNode:
		d.object(e.value, segmentForm, []field{
			{"kind", kind},
			{"mtu", func(n ast.Node) {
				ds.mtu = d.number(n, "mtu", "1500 is usual, 9000 is for jumbo frames", minMTU, maxMTU)
			}},
			{"mirror", func(n ast.Node) { ds.mirror, _ = d.str(n, "mirror", 100) }},
			{"storm", func(n ast.Node) { ds.storm = d.storm(n) }},
			{"impair", func(n ast.Node) { ds.impair = d.impair(n) }},
			{"allow", func(n ast.Node) {
				ds.allow = []text{}
				for _, item := range d.list(n, "allow", maxAllow) {
					if t, ok := d.str(item, "a destination", maxRule); ok {
						ds.allow = append(ds.allow, t)
					}
				}
			}},
			{"at", func(n ast.Node) { ds.x, ds.y, ds.placed = d.place(n) }},
		})
	default:
		kind(e.value)
	}
	return ds
}

// storm is how many group-addressed frames a second a port may send; off is
// -1, as in SegmentConfig.
func (d *decoder) storm(n ast.Node) number {
	if t, ok := n.(*ast.BoolNode); ok && !t.Value { // off
		return number{mark: d.mark(n), n: -1, given: true}
	}
	if t, ok := n.(*ast.StringNode); ok && t.Value == "off" {
		return number{mark: d.mark(n), n: -1, given: true}
	}
	return d.number(n, "storm", "write how many broadcasts a second one port may send, like 1000, or off", 1, maxStorm)
}

func (d *decoder) vlan(n ast.Node, what string) number {
	return d.number(n, what, "write it like 10", minVLAN, maxVLAN)
}

func (d *decoder) trunk(n ast.Node) []number {
	var out []number
	for _, item := range d.list(n, "trunk", maxTrunk) {
		v := d.vlan(item, "a VLAN")
		switch {
		case !v.given:
		case slices.ContainsFunc(out, func(o number) bool { return o.n == v.n }):
			d.bad(item, "remove one of them", "VLAN %d comes twice", v.n)
		default:
			out = append(out, v)
		}
	}
	return out
}

func (d *decoder) publish(n ast.Node) []uint16 {
	ports := []uint16{}
	for _, item := range d.list(n, "publish", maxPublish) {
		p := d.number(item, "a port", "write the TCP port that the node's server listens on, like 80", 1, maxPort)
		if p.given && !slices.Contains(ports, uint16(p.n)) {
			ports = append(ports, uint16(p.n))
		}
	}
	return ports
}

// impair decodes what a cable does to the frames of one direction.
func (d *decoder) impair(n ast.Node) *impair.Config {
	c := &impair.Config{}
	before := len(d.probs.list)
	share := func(name string, to *float64) field {
		return field{name, func(n ast.Node) { *to = quantity(d, n, name, impair.ParseShare) }}
	}
	span := func(name string, to *time.Duration) field {
		return field{name, func(n ast.Node) { *to = d.duration(n, name) }}
	}
	d.object(n, impairForm, []field{
		span("delay", &c.Delay),
		span("jitter", &c.Jitter),
		{"distribution", func(n ast.Node) {
			c.Distribution = impair.Distribution(d.choice(n, "distribution",
				string(impair.Uniform), string(impair.Normal), string(impair.Pareto)).s)
		}},
		share("loss", &c.Loss),
		{"burst", func(n ast.Node) {
			c.Burst = &impair.GilbertElliott{}
			d.object(n, burstForm, []field{
				share("good_to_bad", &c.Burst.GoodToBad),
				share("bad_to_good", &c.Burst.BadToGood),
				share("loss_good", &c.Burst.LossGood),
				share("loss_bad", &c.Burst.LossBad),
			})
		}},
		share("duplicate", &c.Duplicate),
		share("reorder", &c.Reorder),
		share("corrupt", &c.Corrupt),
		{"rate", func(n ast.Node) {
			c.Rate = quantity(d, n, "rate", impair.ParseRate)
		}},
		{"queue", func(n ast.Node) {
			c.Queue = d.number(n, "queue", "write how many frames may wait, like 50", 1, impair.MaxQueue).n
		}},
	})
	if len(d.probs.list) > before {
		return c
	}
	if err := c.Check(); err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			d.bad(n, "", "%s", line)
		}
	}
	return c
}

// cable decodes the impairment of an interface's cable: out and in apart.
func (d *decoder) cable(n ast.Node) (out, in *impair.Config) {
	d.object(n, cableForm, []field{
		{"out", func(n ast.Node) { out = d.impair(n) }},
		{"in", func(n ast.Node) { in = d.impair(n) }},
	})
	return out, in
}

func (d *decoder) duration(n ast.Node, what string) time.Duration {
	return quantity(d, n, what, ParseDuration)
}

// quantity decodes a scalar by a parser whose error says how to write it.
func quantity[T any](d *decoder, n ast.Node, what string, parse func(string) (T, error)) T {
	var zero T
	t, ok := d.scalar(n, what, 100)
	if !ok {
		return zero
	}
	v, err := parse(t.s)
	if err != nil {
		d.bad(n, "", "%s: %v", what, err)
		return zero
	}
	return v
}

// vlanList is "10, 20" for messages.
func vlanList(vs []number) string {
	s := ""
	for i, v := range vs {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprint(v.n)
	}
	return s
}
