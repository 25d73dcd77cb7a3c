package vnet_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/impair"
	"github.com/patchbay/patchbay/vnet/offload"
)

// tagged puts VLAN tags into a frame, the first outermost. A tag has all 16
// bits, its priority too.
func tagged(f []byte, tags ...uint16) []byte {
	out := bytes.Clone(f[:12])
	for _, t := range tags {
		out = binary.BigEndian.AppendUint16(append(out, 0x81, 0), t)
	}
	return append(out, f[12:]...)
}

// vlanBench has access ports a10, b10, c20; trunks t (10, 20), n (10 and 20,
// native 20) and n10 (10 and 20, native 10); a port z without VLANs.
func vlanBench(t *testing.T, offload bool) *bench {
	t.Helper()
	b := newBench(t, vnet.Options{})
	b.segment("lan", vnet.SwitchKind)
	b.segment("other", vnet.SwitchKind)
	for _, c := range []vnet.PortConfig{
		{Name: "a10", VLAN: vnet.VLANConfig{Access: 10}},
		{Name: "b10", VLAN: vnet.VLANConfig{Access: 10}},
		{Name: "c20", VLAN: vnet.VLANConfig{Access: 20}},
		{Name: "t", VLAN: vnet.VLANConfig{Trunk: []uint16{10, 20}}},
		{Name: "n", VLAN: vnet.VLANConfig{Trunk: []uint16{10}, Native: 20}},
		{Name: "n10", VLAN: vnet.VLANConfig{Trunk: []uint16{10, 20}, Native: 10}},
		{Name: "z"},
	} {
		c.Segment, c.Offload = "lan", offload
		b.addWith(c)
	}
	return b
}

func TestVLANs(t *testing.T) {
	bare := frame(0xff, 1)
	with := func(tags ...uint16) []byte { return tagged(bare, tags...) }
	type out map[string][]byte
	for _, tt := range []struct {
		name     string
		from     string
		frame    []byte
		want     out
		filtered string // port that counts one
	}{
		{"access", "a10", bare, out{"b10": bare, "t": with(10), "n": with(10), "n10": bare}, ""},
		{"another access", "c20", bare, out{"t": with(20), "n": bare, "n10": with(20)}, ""},
		{"tagged from access", "a10", with(20), nil, "a10"},
		{"its own tag from access", "a10", with(10), nil, "a10"},
		{"two tags from access", "a10", with(10, 20), nil, "a10"},
		{"priority from access", "a10", with(0x6000), out{"b10": bare, "t": with(0x600a), "n": with(0x600a), "n10": bare}, ""},
		{"a tag behind a priority does not hop", "a10", with(0, 20), out{"t": with(10, 20), "n": with(10, 20)}, ""},
		{"trunk", "t", with(10), out{"a10": bare, "b10": bare, "n": with(10), "n10": bare}, ""},
		{"trunk with priority", "t", with(0xe014), out{"c20": bare, "n": bare, "n10": with(0xe014)}, ""},
		{"trunk without native", "t", bare, nil, "t"},
		{"priority on a trunk without native", "t", with(0x2000), nil, "t"},
		{"not on this trunk", "t", with(30), nil, "t"},
		{"4095", "t", with(4095), nil, "t"},
		{"native", "n", bare, out{"c20": bare, "t": with(20), "n10": with(20)}, ""},
		{"native with priority", "n", with(0x4000), out{"c20": bare, "t": with(0x4014), "n10": with(0x4014)}, ""},
		{"native, tagged all the same", "n", with(20), out{"c20": bare, "t": with(20), "n10": with(20)}, ""},
		{"two tags do not hop", "n10", with(10, 20), out{"t": with(10, 20), "n": with(10, 20)}, ""},
		{"two tags on trunks", "t", with(20, 10), out{"n10": with(20, 10)}, ""},
		{"no VLANs", "z", bare, nil, ""},
		{"no VLANs, tagged", "z", with(10), nil, "z"},
		{"service tags are data", "a10", serviceTag(bare), out{"b10": serviceTag(bare), "t": tagged(serviceTag(bare), 10), "n": tagged(serviceTag(bare), 10), "n10": serviceTag(bare)}, ""},
	} {
		for _, how := range []struct{ off, impaired bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
			off := how.off
			t.Run(fmt.Sprintf("%s, %+v", tt.name, how), func(t *testing.T) {
				b := vlanBench(t, off)
				if how.impaired { // in the way of frames, and hits none of them
					for name := range b.guests {
						b.impair(name, vnet.Both, impair.Config{Loss: 1e-12})
					}
				}
				record := func(f []byte) []byte {
					if off {
						return withHeader(offload.Header{}, f)
					}
					return f
				}
				b.guests[tt.from].send(record(tt.frame))
				b.settle()
				for name := range b.guests {
					if want, ok := tt.want[name]; ok {
						b.want(name, record(want))
					} else {
						b.want(name)
					}
				}
				if tt.filtered != "" {
					if p := b.stats(tt.filtered); p.Filtered != 1 || p.TxFrames != 0 {
						t.Errorf("stats = %+v; want one filtered", p)
					}
				}
			})
		}
	}
}

func serviceTag(f []byte) []byte {
	f = tagged(f, 20)
	f[12], f[13] = 0x88, 0xa8
	return f
}

// Each VLAN has its own addresses.
func TestVLANAddresses(t *testing.T) {
	b := vlanBench(t, false)
	b.guests["a10"].send(frame(0xff, 1))
	b.guests["c20"].send(frame(0xff, 1))
	b.settle()
	for _, g := range b.guests {
		g.inbox()
	}
	b.guests["t"].send(tagged(frame(1, 9), 10))
	b.settle()
	b.want("a10", frame(1, 9))
	b.want("b10")
	b.want("c20")
	b.guests["t"].send(tagged(frame(1, 9), 20))
	b.settle()
	b.want("a10")
	b.want("c20", frame(1, 9))
	var got []string
	for _, m := range b.MACs("lan") {
		got = append(got, fmt.Sprintf("%d %d %s", m.Addr[5], m.VLAN, m.Port))
	}
	if want := "[1 10 a10 1 20 c20 9 10 t 9 20 t]"; fmt.Sprint(got) != want {
		t.Errorf("MACs = %v; want %s", got, want)
	}
}

// A super-frame is tagged and untagged as it is, and cut with its tag.
func TestVLANOffload(t *testing.T) {
	for _, size := range []int{0, 1448} {
		b := newBench(t, vnet.Options{})
		b.segment("lan", vnet.SwitchKind)
		access, trunk := vnet.VLANConfig{Access: 10}, vnet.VLANConfig{Trunk: []uint16{10}}
		for _, c := range []vnet.PortConfig{
			{Name: "oa", VLAN: access, Offload: true}, {Name: "oa2", VLAN: access, Offload: true}, {Name: "pa", VLAN: access},
			{Name: "ot", VLAN: trunk, Offload: true}, {Name: "ot2", VLAN: trunk, Offload: true}, {Name: "pt", VLAN: trunk},
		} {
			c.Segment = "lan"
			b.addWith(c)
		}
		payload := 1000
		if size > 0 {
			payload = 30000
		}
		h, bare := super(t, 2, 1, payload, size)
		ht, tag := super(t, 2, 1, payload, size, 10)
		b.guests["oa"].send(withHeader(h, bare))
		b.settle()
		b.want("oa2", withHeader(h, bare))
		b.want("ot", withHeader(ht, tag))
		b.want("ot2", withHeader(ht, tag))
		b.want("pa", wire(t, h, bare)...)
		b.want("pt", wire(t, ht, tag)...)
		for plain, super := range map[string]string{"pa": "oa2", "pt": "ot"} {
			// Tags count in each frame that a super-frame stands for.
			if p, q := b.stats(plain), b.stats(super); p.RxFrames != q.RxFrames || p.RxBytes != q.RxBytes {
				t.Errorf("%s got %d frames, %d bytes; %s %d, %d", plain, p.RxFrames, p.RxBytes, super, q.RxFrames, q.RxBytes)
			}
		}
		b.guests["ot"].send(withHeader(ht, tag))
		b.settle()
		b.want("oa", withHeader(h, bare))
		b.want("oa2", withHeader(h, bare))
		b.want("ot2", withHeader(ht, tag))
		b.want("pa", wire(t, h, bare)...)
		b.want("pt", wire(t, ht, tag)...)
		// A checksum over the tag itself cannot outlive the tag.
		b.guests["ot"].send(withHeader(offload.Header{Flags: 1, CsumStart: 14}, tag[:100]))
		b.settle()
		b.want("pa")
		if p := b.stats("ot"); p.Filtered != 1 {
			t.Errorf("stats = %+v; want one filtered", p)
		}
	}
}

// On a segment none of whose ports has VLANs, tags are nothing to the switch.
func TestTagsWithoutVLANs(t *testing.T) {
	b := newBench(t, vnet.Options{})
	b.segment("lan", vnet.SwitchKind)
	b.add("lan", "a", "b")
	b.addWith(vnet.PortConfig{Name: "v", Segment: "lan", VLAN: vnet.VLANConfig{Access: 5}})
	f := tagged(frame(0xff, 1), 10)
	if got := b.pass("a", f); got != "" {
		t.Errorf("with VLANs: came out of %q; want nothing", got)
	}
	if err := b.RemovePort("v"); err != nil {
		t.Fatal(err)
	}
	delete(b.guests, "v")
	for _, f := range [][]byte{f, tagged(frame(0xff, 1), 10, 20), tagged(frame(0xff, 1), 0)} {
		if got := b.pass("a", f); got != "b" {
			t.Errorf("came out of %q; want b", got)
		}
	}
}
