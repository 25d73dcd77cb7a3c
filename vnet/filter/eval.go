package filter

import "encoding/binary"

type op uint8

const (
	// Conditions.
	opAnd op = iota
	opOr
	opNot
	opType    // num: Ethernet type or SAP
	opHost4   // num under mask num2, in proto's addresses
	opHost6   // addr under mask
	opPort    // num…num2 of proto
	opMAC     // addr[:6]
	opIPProto // num, in proto's header: pIP, pIP6 or pAny
	opISO     // num
	opGroup   // a group address
	opGroup4  // an IPv4 multicast address
	opGroup6
	opWhole   // no fragment but the first
	opVLAN    // num, or any when it is anyID; of the tag number l
	opMPLS    // num, or any when it is anyID; of the label number l
	opCompare // numbers l and r by sign, where condition cond holds

	// Numbers.
	opNum  // num
	opLen  // the frame's length
	opLoad // size bytes of proto's header, l bytes from its begin
	opNeg
	opAdd
	opSub
	opMul
	opDiv
	opMod
	opBitAnd
	opBitOr
	opBitXor
	opLeft
	opRight
)

const anyID = 1<<32 - 1

type dir uint8

const (
	either dir = iota
	src
	dst
	both
)

// node is one condition or number of a filter; its operands are other nodes,
// by index.
type node struct {
	op        op
	dir       dir
	proto     proto
	size      uint8
	rel       relation
	l, r      int32
	cond      int32 // of a comparison: what must hold for its loads to mean anything; -1: nothing
	under     int32 // behind how many labels it looks
	num, num2 uint32
	addr      [16]byte
	mask      [16]byte
}

type relation uint8

const (
	equal relation = iota
	unequal
	less
	lessEqual
	greater
	greaterEqual
)

// view is a frame while it is looked at.
type view struct {
	b     []byte
	l3    int    // where what the last type speaks of begins
	typ   uint16 // Ethernet type behind all tags, or a length
	short bool   // a byte was asked for that the frame does not have
}

// maxTags bounds the time that a frame of nothing but tags takes, or labels.
const maxTags = 8

func tagged(typ uint16) bool { return typ == typeVLAN || typ == typeQinQ || typ == typeOldQ }

func newView(frame []byte) view {
	v := view{b: frame, l3: 14, typ: binary.BigEndian.Uint16(frame[12:])}
	for n := 0; tagged(v.typ) && n < maxTags && len(frame) >= v.l3+4; n++ {
		v.typ = binary.BigEndian.Uint16(frame[v.l3+2:])
		v.l3 += 4
	}
	return v
}

func (v *view) u8(off int) uint32 {
	if off < 0 || off >= len(v.b) {
		v.short = true
		return 0
	}
	return uint32(v.b[off])
}

func (v *view) u16(off int) uint32 {
	if off < 0 || off+2 > len(v.b) {
		v.short = true
		return 0
	}
	return uint32(binary.BigEndian.Uint16(v.b[off:]))
}

func (v *view) u32(off int) uint32 {
	if off < 0 || off+4 > len(v.b) {
		v.short = true
		return 0
	}
	return binary.BigEndian.Uint32(v.b[off:])
}

// l4 is where what IPv4 carries begins.
func (v *view) l4() int { return v.l3 + 4*int(v.u8(v.l3)&0xf) }

// isProto says whether p is what IPv4 or IPv6 carries.
func (v *view) isProto(in proto, p uint32) bool {
	switch {
	case v.typ == typeIP && in != pIP6:
		return v.u8(v.l3+9) == p
	case v.typ == typeIP6 && in != pIP:
		next := v.u8(v.l3 + 6)
		return next == p || next == protoFragment && v.u8(v.l3+40) == p
	}
	return false
}

// way combines what holds for the source and for the destination.
func (d dir) way(s, t bool) bool {
	switch d {
	case src:
		return s
	case dst:
		return t
	case both:
		return s && t
	}
	return s || t
}

// test says whether a condition holds. After v.short its word is worth nothing.
func (f *Filter) test(i int32, v *view) bool {
	n := &f.nodes[i]
	if n.under == 0 {
		return f.holds(n, v)
	}
	l3, typ := v.l3, v.typ
	v.behind(n.under)
	ok := f.holds(n, v)
	v.l3, v.typ = l3, typ
	return ok
}

func (f *Filter) holds(n *node, v *view) bool {
	switch n.op {
	case opAnd:
		return f.test(n.l, v) && f.test(n.r, v)
	case opOr:
		return f.test(n.l, v) || f.test(n.r, v)
	case opNot:
		return !f.test(n.l, v)
	case opType:
		return v.isType(n.num)
	case opHost4:
		return v.host4(n)
	case opHost6:
		return v.typ == typeIP6 && v.pair(n, v.l3+8, v.l3+24, 16)
	case opMAC:
		return v.pair(n, 6, 0, 6)
	case opPort:
		return v.port(n)
	case opIPProto:
		return v.isProto(n.proto, n.num)
	case opISO:
		return v.isType(etherTypes["iso"]) && v.u8(v.l3+3) == n.num
	case opGroup:
		return v.b[0]&1 != 0
	case opGroup4:
		return v.typ == typeIP && v.u8(v.l3+16) >= 224
	case opGroup6:
		return v.typ == typeIP6 && v.u8(v.l3+24) == 255
	case opWhole:
		return v.u16(v.l3+6)&0x1fff == 0
	case opVLAN:
		return v.vlan(n)
	case opMPLS:
		return v.mpls(n)
	case opCompare:
		if n.cond >= 0 && !f.test(n.cond, v) {
			return false
		}
		l := f.number(n.l, v)
		return n.rel.holds(l, f.number(n.r, v))
	}
	panic("filter: not a condition") // the parser makes none
}

func (r relation) holds(a, b uint32) bool {
	switch r {
	case equal:
		return a == b
	case unequal:
		return a != b
	case less:
		return a < b
	case lessEqual:
		return a <= b
	case greater:
		return a > b
	}
	return a >= b
}

func (v *view) isType(t uint32) bool {
	switch {
	case t > 1500 && tagged(uint16(t)):
		return v.u16(12) == t // it is a tag itself
	case t > 1500:
		return uint32(v.typ) == t
	case v.typ > 1500:
		return false
	case t == 0xfe || t == 0xf0: // both SAPs, as tcpdump has it
		return v.u16(v.l3) == t<<8|t
	}
	return v.u8(v.l3) == t
}

func (v *view) host4(n *node) bool {
	var s, d int
	switch {
	case v.typ == typeIP && (n.proto == pAny || n.proto == pIP):
		s, d = v.l3+12, v.l3+16
	case v.typ == typeARP && (n.proto == pAny || n.proto == pARP),
		v.typ == typeRARP && (n.proto == pAny || n.proto == pRARP):
		s, d = v.l3+14, v.l3+24
	default:
		return false
	}
	switch n.dir { // no more is looked at than must be: the frame may be short
	case src:
		return v.u32(s)&n.num2 == n.num
	case dst:
		return v.u32(d)&n.num2 == n.num
	case both:
		return v.u32(s)&n.num2 == n.num && v.u32(d)&n.num2 == n.num
	}
	return v.u32(s)&n.num2 == n.num || v.u32(d)&n.num2 == n.num
}

// pair compares the addresses at s and d.
func (v *view) pair(n *node, s, d, size int) bool {
	if max(s, d)+size > len(v.b) {
		v.short = true
		return false
	}
	same := func(off int) bool {
		for i, b := range v.b[off : off+size] {
			if b&n.mask[i] != n.addr[i] {
				return false
			}
		}
		return true
	}
	return n.dir.way(same(s), same(d))
}

func (v *view) port(n *node) bool {
	var p uint32
	var l4 int
	switch v.typ {
	case typeIP:
		if p = v.u8(v.l3 + 9); v.u16(v.l3+6)&0x1fff != 0 {
			return false
		}
		l4 = v.l4()
	case typeIP6:
		p, l4 = v.u8(v.l3+6), v.l3+40
	default:
		return false
	}
	switch n.proto {
	case pTCP:
		if p != protoTCP {
			return false
		}
	case pUDP:
		if p != protoUDP {
			return false
		}
	case pSCTP:
		if p != protoSCTP {
			return false
		}
	default:
		if p != protoTCP && p != protoUDP && p != protoSCTP {
			return false
		}
	}
	in := func(off int) bool { p := v.u16(off); return p >= n.num && p <= n.num2 }
	switch n.dir {
	case src:
		return in(l4)
	case dst:
		return in(l4 + 2)
	case both:
		return in(l4) && in(l4+2)
	}
	return in(l4) || in(l4+2)
}

func (v *view) vlan(n *node) bool {
	for i := range n.l + 1 {
		if !tagged(uint16(v.u16(12 + 4*int(i)))) {
			return false
		}
	}
	return n.num == anyID || v.u16(14+4*int(n.l))&0xfff == n.num
}

func (f *Filter) number(i int32, v *view) uint32 {
	n := &f.nodes[i]
	switch n.op {
	case opNum:
		return n.num
	case opLen:
		return uint32(len(v.b))
	case opLoad:
		if n.under == 0 {
			return f.load(n, v)
		}
		l3, typ := v.l3, v.typ
		v.behind(n.under)
		loaded := f.load(n, v)
		v.l3, v.typ = l3, typ
		return loaded
	case opNeg:
		return -f.number(n.l, v)
	}
	a := f.number(n.l, v)
	b := f.number(n.r, v)
	switch n.op {
	case opAdd:
		return a + b
	case opSub:
		return a - b
	case opMul:
		return a * b
	case opBitAnd:
		return a & b
	case opBitOr:
		return a | b
	case opBitXor:
		return a ^ b
	case opLeft:
		return a << b // 0 from 32 on, as in tcpdump
	case opRight:
		return a >> b
	}
	if b == 0 { // no number is right: as if the byte were not there
		v.short = true
		return 0
	}
	if n.op == opMod {
		return a % b
	}
	return a / b
}

func (f *Filter) load(n *node, v *view) uint32 {
	base := v.l3
	switch n.proto {
	case pEther:
		base = 0
	case pIP, pIP6, pARP, pRARP:
	case pICMP6:
		base += 40
	default:
		base = v.l4()
	}
	rel := f.number(n.l, v)
	if rel > uint32(len(v.b)) {
		v.short = true
		return 0
	}
	off := base + int(rel)
	switch n.size {
	case 1:
		return v.u8(off)
	case 2:
		return v.u16(off)
	}
	return v.u32(off)
}
