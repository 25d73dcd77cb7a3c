package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/vnet/impair"
)

// wireLab has a segment and a node that one can take for another.
func wireLab() *labs.Topology {
	return &labs.Topology{
		Nodes: []labs.Node{
			{Name: "pc1", Interfaces: []labs.Interface{{Name: "eth0", Segment: "lan"}, {Name: "eth1"}}},
			{Name: "r1", Interfaces: []labs.Interface{{Name: "eth0", Segment: "lan"}, {Name: "eth1", Segment: "wan"}}},
		},
		Segments: []labs.Segment{{Name: "lan", Kind: labs.Switch}, {Name: "wan", Kind: labs.Hub}},
	}
}

func TestLinksOf(t *testing.T) {
	for name, want := range map[string][]string{
		"lan": {"pc1/eth0", "r1/eth0"}, "r1": {"r1/eth0", "r1/eth1"}, "pc1/eth0": {"pc1/eth0"}, "pc1/eth1": nil, "dmz": nil,
	} {
		got, err := linksOf(wireLab(), name)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("linksOf(%q) = %q, %v; want %q", name, got, err, want)
		}
	}
}

// A lab that is not given the way out that it asks for says so where it is started.
func TestTroubles(t *testing.T) {
	st := &rack.State{Segments: []rack.SegmentState{
		{Name: "lan"}, {Name: "fine", Uplink: &rack.UplinkState{}}, {Name: "net", Uplink: &rack.UplinkState{Trouble: "This lab asks for more."}},
	}}
	if got := troubles(st, true); !slices.Equal(got, []string{"net: This lab asks for more."}) {
		t.Errorf("it says %q", got)
	}
	if got := troubles(st, false); len(got) != 1 || !strings.Contains(got[0], "patchbay run --uplink=RULE") {
		t.Errorf("without --uplink it says %q", got)
	}
}

func TestLinkOp(t *testing.T) {
	for _, c := range []struct {
		cmd  linkCmd
		want *rack.Op
		says string // of the error
	}{
		{cmd: linkCmd{}},
		{cmd: linkCmd{Place: "pc1"}},
		{cmd: linkCmd{Place: "pc1", Iface: "eth0", Cut: true}, want: &rack.Op{Do: "cut", Node: "pc1", Interface: "eth0"}},
		{cmd: linkCmd{Place: "pc1/eth0", Restore: true}, want: &rack.Op{Do: "restore", Node: "pc1", Interface: "eth0"}},
		{cmd: linkCmd{Place: "lan", Perfect: true}, want: &rack.Op{Do: "impair", Segment: "lan", Impair: &impair.Config{}}},
		{cmd: linkCmd{Place: "lan", Delay: "20ms", Loss: "1%", Rate: "10M", Queue: 5, Direction: "in"},
			want: &rack.Op{Do: "impair", Segment: "lan", Direction: rack.In, Impair: &impair.Config{Delay: 20 * time.Millisecond, Loss: 0.01, Rate: 10_000_000, Queue: 5}}},
		{cmd: linkCmd{Cut: true}, says: "which cable"},
		{cmd: linkCmd{Place: "lan", Cut: true, Loss: "1%"}, says: "nothing else"},
		{cmd: linkCmd{Place: "lan", Iface: "eth0", Cut: true}, says: `no node or segment "lan"`},
		{cmd: linkCmd{Place: "lan", Delay: "soon"}, says: "--delay"},
		{cmd: linkCmd{Place: "lan", Loss: "lots", Rate: "fast"}, says: "--rate"},
	} {
		if c.cmd.Direction == "" {
			c.cmd.Direction = "both"
		}
		op, err := c.cmd.op(wireLab())
		if c.says != "" {
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%+v: %v; want %q", c.cmd, err, c.says)
			}
			continue
		}
		if err != nil || (op == nil) != (c.want == nil) {
			t.Errorf("%+v: %+v, %v; want %+v", c.cmd, op, err, c.want)
			continue
		}
		if op == nil {
			continue
		}
		if (op.Impair == nil) != (c.want.Impair == nil) || op.Impair != nil && *op.Impair != *c.want.Impair {
			t.Errorf("%+v: impairment %+v; want %+v", c.cmd, op.Impair, c.want.Impair)
		}
		op.Impair, c.want.Impair = nil, nil
		if *op != *c.want {
			t.Errorf("%+v: %+v; want %+v", c.cmd, op, c.want)
		}
	}
}

// TestCopyBlocks: a file that breaks off ends with a whole block.
func TestCopyBlocks(t *testing.T) {
	block := func(n int) []byte {
		b := make([]byte, n)
		binary.LittleEndian.PutUint32(b[4:], uint32(n))
		return b
	}
	whole := slices.Concat(block(28), block(12), block(70_000))
	for _, c := range []struct {
		name string
		in   []byte
		want []byte
		err  error // nil, or what it wraps; errAny for any
	}{
		{"whole", whole, whole, nil},
		{"nothing", nil, nil, nil},
		{"cut in a block", whole[:40_000], whole[:40], io.ErrUnexpectedEOF},
		{"cut in a header", whole[:43], whole[:40], io.ErrUnexpectedEOF},
		{"too short a block", slices.Concat(block(28), block(8)), block(28), errAny},
		{"too long a block", slices.Concat(block(28), []byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f}), block(28), errAny},
	} {
		var out bytes.Buffer
		err := copyBlocks(&out, bytes.NewReader(c.in))
		if (err == nil) != (c.err == nil) || c.err != nil && c.err != errAny && !errors.Is(err, c.err) {
			t.Errorf("%s: %v; want %v", c.name, err, c.err)
		}
		if !bytes.Equal(out.Bytes(), c.want) {
			t.Errorf("%s: %d bytes came out; want %d", c.name, out.Len(), len(c.want))
		}
	}
}

var errAny = errors.New("any")

// TestShowLinks holds the table and that nothing is said of a perfect wire.
func TestShowLinks(t *testing.T) {
	state := &rack.State{
		Nodes: []rack.NodeState{{Name: "pc1", Interfaces: []rack.InterfaceState{{Name: "eth0", Plugged: true, Carrier: true, Up: true}}}, {Name: "pc2", Interfaces: []rack.InterfaceState{{Name: "eth0"}}}},
		Segments: []rack.SegmentState{{Name: "lan", Ports: []rack.PortState{
			{Node: "pc1", Interface: "eth0", Out: &impair.Config{Delay: 20 * time.Millisecond, Loss: 0.015}, Lost: 3},
			{Node: "pc2", Interface: "eth0", TxFrames: 7},
		}}},
	}
	var out bytes.Buffer
	if err := showLinks(&out, state, nil); err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		strings.Fields("CABLE SEGMENT STATE OUT IN SENT GOT LOST DROPPED"),
		strings.Fields("pc1/eth0 lan up delay 20ms loss 1.5% - 0 0 3 0"),
		strings.Fields("pc2/eth0 lan cut - - 7 0 0 0"),
	}
	var got [][]string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Fields(line))
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	out.Reset()
	if err := showLinks(&out, state, []string{"pc2/eth0"}); err != nil || strings.Contains(out.String(), "pc1") {
		t.Errorf("of pc2 alone: %v\n%s", err, out.String())
	}
}
