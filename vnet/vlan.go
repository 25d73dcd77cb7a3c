package vnet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// vlans is what a VLANConfig comes to: a port's membership. The zero vlans is
// that of a port without VLANs.
type vlans struct {
	untagged uint16             // the VLAN of frames without a tag
	trunk    bool               // frames with a tag are let in
	tagged   *[4096 / 64]uint64 // members of a trunk, the native one included
}

func newVLANs(c VLANConfig) (v vlans, err error) {
	for _, id := range append([]uint16{c.Access, c.Native}, c.Trunk...) {
		if id > 4094 {
			return v, fmt.Errorf("VLAN %d: want 1 to 4094", id)
		}
	}
	switch {
	case c.Access != 0 && len(c.Trunk) > 0:
		return v, errors.New("it is either an access port or a trunk")
	case c.Native != 0 && len(c.Trunk) == 0:
		return v, errors.New("only a trunk has a native VLAN")
	case len(c.Trunk) == 0:
		return vlans{untagged: c.Access}, nil
	}
	v = vlans{untagged: c.Native, trunk: true, tagged: new([4096 / 64]uint64)}
	for _, id := range append([]uint16{c.Native}, c.Trunk...) {
		v.tagged[id/64] |= 1 << (id % 64)
	}
	for _, id := range c.Trunk {
		if id == 0 {
			return v, errors.New("VLAN 0: want 1 to 4094")
		}
	}
	v.tagged[0] &^= 1 // no native VLAN
	return v, nil
}

// zero says that the port has no VLANs.
func (v *vlans) zero() bool { return v.untagged == 0 && !v.trunk }

// has says whether the port is in a VLAN.
func (v *vlans) has(id uint16) bool {
	if v.trunk {
		return v.tagged[id/64&63]&(1<<(id%64)) != 0
	}
	return id == v.untagged
}

// tags says whether the port's frames of a VLAN that it is in carry a tag.
func (v *vlans) tags(id uint16) bool { return id != v.untagged }

// classify finds the VLAN of a frame that enters a segment with VLANs, and
// whether the port may send into it. A tag of VLAN 0 has a priority and nothing
// more. A port that is not a trunk sends no tags: one of the port's own VLAN,
// if it were taken off, would lay open a second one behind it.
func (f *frame) classify() bool {
	v := &f.in.vlan
	f.vlan = v.untagged
	if len(f.data) >= 18 && binary.BigEndian.Uint16(f.data[12:]) == 0x8100 {
		f.tagged = true
		f.tag = binary.BigEndian.Uint16(f.data[14:])
		if !f.hdr.Plain() && f.hdr.CsumStart < 18 {
			return false // a checksum over its own tag
		}
		if id := f.tag & 0xfff; id != 0 {
			f.vlan = id
			if !v.trunk {
				return false
			}
		}
	}
	if v.trunk && f.vlan == 0 {
		return false
	}
	return v.has(f.vlan)
}

// hops says whether f without its tag would show another one, by which the next
// switch would take it into another VLAN.
func (f *frame) hops() bool {
	if !f.tagged {
		return false
	}
	return binary.BigEndian.Uint16(f.data[16:]) == 0x8100
}
