package filter

import (
	"strings"
)

// primary reads what has no operator in it.
func (p *parser) primary() (value, error) {
	t := p.tok
	if t.kind == end || t.kind == sign {
		return value{}, p.unexpected()
	}
	number := func(n node) (value, error) {
		return value{node: p.add(n), number: true, tok: t}, p.advance()
	}
	if n, ok := integer(t.text); ok && t.kind == word {
		v, err := number(node{op: opNum, num: n})
		if p.tok.is("/") && p.last.typ == "net" {
			c, err := p.id(p.last, t)
			return value{node: c, tok: t}, err
		}
		v.bare = true
		return v, err
	}
	if n, ok := constants[t.text]; ok && t.kind == word {
		return number(node{op: opNum, num: n})
	}
	if t.is("len") {
		return number(node{op: opLen})
	}
	c, err := p.primitive()
	if err != nil {
		return value{}, err
	}
	if p.nodes[c].op == opLoad {
		return value{node: c, number: true, tok: t}, nil
	}
	return value{node: c, tok: t}, nil
}

// primitive reads a condition of words, or a load.
func (p *parser) primitive() (int32, error) {
	t := p.tok
	if t.kind == word {
		if pr, ok := protos[t.text]; ok {
			return p.protocol(pr)
		}
		if n, ok := isoProtos[t.text]; ok {
			return p.plain(node{op: opISO, num: n})
		}
		switch t.text {
		case "stp", "iso", "netbeui", "aarp":
			return p.plain(node{op: opType, num: etherTypes[t.text]})
		case "broadcast":
			return p.plain(broadcast)
		case "multicast":
			return p.plain(node{op: opGroup})
		case "less", "greater":
			return p.length()
		case "vlan":
			if p.levels.vlan >= maxTags {
				return 0, p.errorf(t, "frames with more than %d tags are not looked into", maxTags)
			}
			n, err := p.label(1 << 12)
			c := p.add(node{op: opVLAN, num: n, l: p.levels.vlan})
			p.levels.vlan++
			return c, err
		case "mpls":
			if p.levels.mpls >= maxTags {
				return 0, p.errorf(t, "frames with more than %d labels are not looked into", maxTags)
			}
			n, err := p.label(1 << 20)
			c := p.add(node{op: opMPLS, num: n, l: p.levels.mpls})
			p.levels.mpls++
			return c, err
		case "src", "dst", "host", "net", "port", "portrange", "proto":
			return p.head(qualifiers{})
		case "and", "or":
			return 0, p.unexpected()
		}
	}
	// An address, with the qualifiers of the one before.
	if err := p.advance(); err != nil {
		return 0, err
	}
	return p.id(p.last, t)
}

var broadcast = node{
	op: opMAC, dir: dst,
	addr: [16]byte{255, 255, 255, 255, 255, 255}, mask: [16]byte{255, 255, 255, 255, 255, 255},
}

// plain takes the word that is a condition by itself.
func (p *parser) plain(n node) (int32, error) {
	p.last = qualifiers{}
	return p.add(n), p.advance()
}

func (p *parser) length() (int32, error) {
	rel := lessEqual
	if p.tok.text == "greater" {
		rel = greaterEqual
	}
	if err := p.advance(); err != nil {
		return 0, err
	}
	n, ok := integer(p.tok.text)
	if !ok {
		return 0, p.errorf(p.tok, "there must be a length in bytes here, not %v", p.tok)
	}
	return p.plain(node{op: opCompare, rel: rel, l: p.add(node{op: opLen}), r: p.add(node{op: opNum, num: n}), cond: -1})
}

// label reads the number behind vlan or mpls, if there is one.
func (p *parser) label(below uint32) (uint32, error) {
	p.last = qualifiers{}
	if err := p.advance(); err != nil {
		return 0, err
	}
	n, ok := integer(p.tok.text)
	if !ok || p.tok.kind != word {
		return anyID, nil
	}
	if n >= below {
		return 0, p.errorf(p.tok, "%d is too large: it must be below %d", n, below)
	}
	return n, p.advance()
}

// protocol reads what begins with a protocol's name: a load, a condition on its
// addresses or ports, or the name alone.
func (p *parser) protocol(pr proto) (int32, error) {
	q := qualifiers{proto: pr, name: p.tok.text, num: ipProtos[p.tok.text]}
	if err := p.advance(); err != nil {
		return 0, err
	}
	switch {
	case p.tok.is("["):
		return p.loadNode(q)
	case p.tok.is("broadcast") && pr == pEther:
		return p.plain(broadcast)
	case p.tok.is("broadcast"):
		return 0, p.errorf(p.tok, `the netmask is not known; say "ether broadcast" or "dst host 10.0.0.255"`)
	case p.tok.is("multicast"):
		switch pr {
		case pEther:
			return p.plain(node{op: opGroup})
		case pIP:
			return p.plain(node{op: opGroup4})
		case pIP6:
			return p.plain(node{op: opGroup6})
		}
		return 0, p.unexpected()
	}
	if p.tok.kind == word {
		switch p.tok.text {
		case "src", "dst", "host", "net", "port", "portrange", "proto":
			return p.head(q)
		}
	}
	if pr == pEther {
		if p.tok.kind == word && strings.Contains(p.tok.text, ":") {
			return p.head(q)
		}
		return 0, p.errorf(p.tok, `"ether" needs "host", "src", "dst", "proto", "broadcast" or "multicast" behind it`)
	}
	p.last = qualifiers{}
	switch pr {
	case pIP, pIP6, pARP, pRARP:
		return p.add(node{op: opType, num: etherTypes[q.name]}), nil
	case pICMP, pIPOther:
		return p.add(node{op: opIPProto, proto: ipOnly(q.name), num: q.num}), nil
	case pICMP6:
		return p.add(node{op: opIPProto, proto: pIP6, num: q.num}), nil
	}
	return p.add(node{op: opIPProto, num: q.num}), nil
}

// ipOnly is where a protocol is looked for when it is named alone.
func ipOnly(name string) proto {
	switch name {
	case "ah", "esp", "pim":
		return pAny
	}
	return pIP
}

// loadNode reads [offset:size] behind a protocol.
func (p *parser) loadNode(q qualifiers) (int32, error) {
	if err := p.deeper(); err != nil {
		return 0, err
	}
	defer func() { p.depth-- }()
	if err := p.advance(); err != nil {
		return 0, err
	}
	off, err := p.arithmetic(0)
	if err != nil {
		return 0, err
	}
	if !off.number {
		return 0, p.errorf(off.tok, "there must be an offset in bytes here")
	}
	n := node{op: opLoad, proto: q.proto, num: q.num, l: off.node, size: 1}
	if p.tok.is(":") {
		if err := p.advance(); err != nil {
			return 0, err
		}
		switch p.tok.text {
		case "1", "2", "4":
			n.size = p.tok.text[0] - '0'
		default:
			return 0, p.errorf(p.tok, "the size must be 1, 2 or 4 bytes")
		}
		if err := p.advance(); err != nil {
			return 0, err
		}
	}
	return p.add(n), p.want("]")
}

// head reads the qualifiers behind a protocol and what they qualify.
func (p *parser) head(q qualifiers) (c int32, err error) {
	q.given = true
	if p.tok.is("src") || p.tok.is("dst") {
		if q.dir, err = p.direction(); err != nil {
			return 0, err
		}
	}
	if p.tok.kind == word {
		switch p.tok.text {
		case "host", "net", "port", "portrange", "proto":
			q.typ = p.tok.text
			if err := p.advance(); err != nil {
				return 0, err
			}
		}
	}
	if q.typ == "" {
		q.typ = "host"
		q.given = false // a mask makes a net of it
	}
	p.last = q
	return p.ids(q)
}

func (p *parser) direction() (dir, error) {
	d := map[string]dir{"src": src, "dst": dst}
	first := d[p.tok.text]
	if err := p.advance(); err != nil {
		return 0, err
	}
	if !p.tok.is("or") && !p.tok.is("and") {
		return first, nil
	}
	joined := either
	if p.tok.is("and") {
		joined = both
	}
	if err := p.advance(); err != nil {
		return 0, err
	}
	if second, ok := d[p.tok.text]; !ok || second == first {
		return 0, p.errorf(p.tok, `there must be "src or dst" or "src and dst" here`)
	}
	return joined, p.advance()
}

// ids reads what qualifiers qualify: one thing, or several in parentheses.
func (p *parser) ids(q qualifiers) (int32, error) {
	t := p.tok
	switch {
	case t.kind == word && !t.is("not") && !t.is("and") && !t.is("or"), t.kind == name:
		if err := p.advance(); err != nil {
			return 0, err
		}
		return p.id(q, t)
	case !t.is("not") && !t.is("("):
		return 0, p.unexpected()
	}
	if err := p.deeper(); err != nil {
		return 0, err
	}
	defer func() { p.depth-- }()
	if err := p.advance(); err != nil {
		return 0, err
	}
	c, err := p.ids(q)
	if err != nil {
		return 0, err
	}
	if t.is("not") {
		return p.add(node{op: opNot, l: c}), nil
	}
	for p.tok.is("and") || p.tok.is("or") {
		n := node{op: opAnd, l: c}
		if p.tok.is("or") {
			n.op = opOr
		}
		if err := p.advance(); err != nil {
			return 0, err
		}
		if n.r, err = p.ids(q); err != nil {
			return 0, err
		}
		c = p.add(n)
	}
	return c, p.want(")")
}
