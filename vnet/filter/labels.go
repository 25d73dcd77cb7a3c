package filter

// looksInside says whether a node is about a packet, which may have labels
// before it, and not about the frame.
func (n *node) looksInside() bool {
	switch n.op {
	case opHost4, opHost6, opPort, opIPProto, opGroup4, opGroup6, opWhole:
		return true
	case opType:
		return n.num == typeIP || n.num == typeIP6
	case opLoad:
		return n.proto != pEther
	}
	return false
}

// mpls is the condition on a label.
func (v *view) mpls(n *node) bool {
	if v.typ != typeMPLS && v.typ != typeMPLM {
		return false
	}
	for i := range n.l {
		if v.u8(v.l3+4*int(i)+2)&1 != 0 { // the last label
			return false
		}
	}
	return n.num == anyID || v.u32(v.l3+4*int(n.l))>>12 == n.num
}

// behind looks at what a number of labels have behind them. A label does not say
// what that is; its first four bits tell IPv4 from IPv6.
func (v *view) behind(labels int32) {
	end := v.l3 + 4*int(labels)
	v.typ = 0
	if v.u8(end-2)&1 != 0 { // the last label
		switch v.u8(end) >> 4 {
		case 4:
			v.typ = typeIP
		case 6:
			v.typ = typeIP6
		}
	}
	v.l3 = end
}
