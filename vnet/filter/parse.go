package filter

import (
	"fmt"
	"strconv"
)

// parser builds the nodes of a filter.
type parser struct {
	lexer
	tok   token
	nodes []node
	depth int

	last   qualifiers // what a bare address or number after and/or inherits
	levels levels
}

// qualifiers are the words before an address, port or protocol.
type qualifiers struct {
	proto proto
	num   uint32 // of an IP protocol
	name  string // of proto, for messages
	dir   dir
	typ   string // host, net, port, portrange, proto; empty: not said
	given bool
}

// levels are which tag the next vlan means, and which label the next mpls.
type levels struct{ vlan, mpls int32 }

// value is a condition or a number.
type value struct {
	node   int32
	number bool
	bare   bool // a number that stands alone and may be a port
	tok    token
}

func (p *parser) parse() (root int32, err error) {
	if err := p.advance(); err != nil {
		return 0, err
	}
	if p.tok.kind == end {
		return -1, nil
	}
	v, err := p.expr()
	if err != nil {
		return 0, err
	}
	if p.tok.kind != end {
		return 0, p.unexpected()
	}
	return p.condition(v)
}

func (p *parser) advance() (err error) {
	p.tok, err = p.next()
	return err
}

func (p *parser) errorf(t token, format string, args ...any) error {
	return &Error{Expr: p.src, Pos: t.pos, Text: fmt.Sprintf(format, args...)}
}

// unexpected is the error of a token in a place where it makes no sense.
func (p *parser) unexpected() error {
	if h, ok := hints[p.tok.text]; ok && p.tok.kind == word {
		return p.errorf(p.tok, "%v is not known here: %s", p.tok, h)
	}
	switch p.tok.kind {
	case end:
		return p.errorf(p.tok, "it ends where something must follow")
	case sign:
		return p.errorf(p.tok, "%v makes no sense here", p.tok)
	}
	return p.errorf(p.tok, `%v makes no sense here; two conditions are joined by "and" or "or"`, p.tok)
}

func (p *parser) want(text string) error {
	if !p.tok.is(text) {
		return p.errorf(p.tok, "there must be a %q here, not %v", text, p.tok)
	}
	return p.advance()
}

func (p *parser) add(n node) int32 {
	if n.looksInside() {
		n.under = p.levels.mpls
	}
	p.nodes = append(p.nodes, n)
	return int32(len(p.nodes) - 1)
}

func (p *parser) deeper() error {
	if p.depth++; p.depth > maxDepth {
		return p.errorf(p.tok, "it is nested more than %d deep", maxDepth)
	}
	return nil
}

// condition makes a condition of a value: a bare number is a port when a port
// was spoken of before.
func (p *parser) condition(v value) (int32, error) {
	if !v.number {
		return v.node, nil
	}
	if v.bare && p.last.typ != "" {
		return p.id(p.last, v.tok)
	}
	if v.bare {
		return 0, p.errorf(v.tok, `a number alone is no condition: say "port %s" or compare it with something`, v.tok.text)
	}
	return 0, p.errorf(v.tok, `a number must be compared with another, as in "ip[8] < 64"`)
}

// expr reads conditions joined by and and or, or a number.
func (p *parser) expr() (value, error) {
	start := p.levels
	v, err := p.term()
	if err != nil {
		return v, err
	}
	for p.tok.is("and") || p.tok.is("or") {
		n := node{op: opAnd}
		if n.l, err = p.condition(v); err != nil {
			return v, err
		}
		left := p.levels
		if p.tok.is("or") {
			n.op = opOr
			p.levels = start
		}
		if err := p.advance(); err != nil {
			return v, err
		}
		r, err := p.term()
		if err != nil {
			return v, err
		}
		if n.r, err = p.condition(r); err != nil {
			return v, err
		}
		if n.op == opOr && p.levels != left {
			p.levels = start
		}
		v = value{node: p.add(n), tok: v.tok}
	}
	return v, nil
}

// term reads a comparison, a primitive, a negation or a number.
func (p *parser) term() (value, error) {
	if p.tok.is("not") {
		if err := p.deeper(); err != nil {
			return value{}, err
		}
		defer func() { p.depth-- }()
		t, before := p.tok, p.levels
		if err := p.advance(); err != nil {
			return value{}, err
		}
		v, err := p.term()
		if err != nil {
			return v, err
		}
		c, err := p.condition(v)
		p.levels = before
		return value{node: p.add(node{op: opNot, l: c}), tok: t}, err
	}
	l, err := p.arithmetic(0)
	if err != nil {
		return l, err
	}
	rel, ok := relations[p.tok.text]
	if !ok || p.tok.kind != sign {
		return l, nil
	}
	t := p.tok
	if err := p.advance(); err != nil {
		return l, err
	}
	r, err := p.arithmetic(0)
	if err != nil {
		return l, err
	}
	if !l.number || !r.number {
		return l, p.errorf(t, "%v compares numbers, such as ip[8], len or 64", t)
	}
	n := node{op: opCompare, rel: rel, l: l.node, r: r.node, cond: -1}
	n.cond = p.loads(l.node, p.loads(r.node, -1))
	p.last = qualifiers{}
	return value{node: p.add(n), tok: l.tok}, nil
}

var relations = map[string]relation{
	"=": equal, "!=": unequal, "<": less, "<=": lessEqual, ">": greater, ">=": greaterEqual,
}

// operators by how strongly they bind: as in C, and so as in tcpdump, but for ^
// and %, which have no place of their own in tcpdump's grammar.
var operators = []map[string]op{
	{"|": opBitOr},
	{"^": opBitXor},
	{"&": opBitAnd},
	{"<<": opLeft, ">>": opRight},
	{"+": opAdd, "-": opSub},
	{"*": opMul, "/": opDiv, "%": opMod},
}

// arithmetic reads operators that bind at least as strongly as those of level.
func (p *parser) arithmetic(level int) (value, error) {
	if level == len(operators) {
		return p.unary()
	}
	v, err := p.arithmetic(level + 1)
	if err != nil {
		return v, err
	}
	for {
		o, ok := operators[level][p.tok.text]
		if !ok || p.tok.kind != sign {
			return v, nil
		}
		t := p.tok
		if !v.number {
			return v, p.errorf(t, "%v needs a number before it", t)
		}
		if err := p.advance(); err != nil {
			return v, err
		}
		r, err := p.arithmetic(level + 1)
		if err != nil {
			return v, err
		}
		if !r.number {
			return v, p.errorf(r.tok, "%v needs a number behind it", t)
		}
		if (o == opDiv || o == opMod) && p.nodes[r.node].op == opNum && p.nodes[r.node].num == 0 {
			return v, p.errorf(r.tok, "nothing can be divided by zero")
		}
		v = value{node: p.add(node{op: o, l: v.node, r: r.node}), number: true, tok: v.tok}
	}
}

func (p *parser) unary() (value, error) {
	t := p.tok
	switch {
	case t.is("-"), t.is("("):
		if err := p.deeper(); err != nil {
			return value{}, err
		}
		defer func() { p.depth-- }()
		if err := p.advance(); err != nil {
			return value{}, err
		}
	default:
		return p.primary()
	}
	if t.is("(") {
		v, err := p.expr()
		if err != nil {
			return v, err
		}
		return v, p.want(")")
	}
	v, err := p.unary()
	if err != nil {
		return v, err
	}
	if !v.number {
		return v, p.errorf(t, "a minus needs a number behind it")
	}
	return value{node: p.add(node{op: opNeg, l: v.node}), number: true, tok: t}, nil
}

// loads is the condition under which every header byte that a number is made
// of is there, beside the condition more (-1: none).
func (p *parser) loads(i, more int32) int32 {
	n := p.nodes[i]
	switch n.op {
	case opNum, opLen:
		return more
	case opLoad:
		if c := p.carrier(n); c >= 0 {
			more = p.both(c, more)
		}
		return p.loads(n.l, more)
	case opNeg:
		return p.loads(n.l, more)
	}
	return p.loads(n.l, p.loads(n.r, more))
}

func (p *parser) both(a, b int32) int32 {
	if b < 0 {
		return a
	}
	return p.add(node{op: opAnd, l: a, r: b})
}

// carrier is the condition that a load's header is in the frame.
func (p *parser) carrier(n node) int32 {
	typ := func(t uint32) int32 { return p.add(node{op: opType, num: t}) }
	switch n.proto {
	case pEther:
		return -1
	case pIP:
		return typ(typeIP)
	case pIP6:
		return typ(typeIP6)
	case pARP:
		return typ(typeARP)
	case pRARP:
		return typ(typeRARP)
	case pICMP6:
		return p.add(node{op: opIPProto, proto: pIP6, num: protoICMP6})
	}
	return p.both(p.add(node{op: opIPProto, proto: pIP, num: n.num}), p.add(node{op: opWhole}))
}

// integer reads a number as C writes it.
func integer(s string) (uint32, bool) {
	for i := range len(s) {
		if !alnum(s[i]) {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(s, 0, 32)
	return uint32(n), err == nil
}
