package filter

import (
	"encoding/binary"
	"net/netip"
	"strconv"
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
			n, err := p.label(1 << 12)
			c := p.add(node{op: opVLAN, num: n, l: p.levels.vlan})
			p.levels.vlan++
			return c, err
		case "mpls":
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

// id is the condition on one address, port or protocol t; what follows it (a
// mask) is read.
func (p *parser) id(q qualifiers, t token) (int32, error) {
	switch q.typ {
	case "port", "portrange":
		return p.port(q, t)
	case "proto":
		return p.ipProto(q, t)
	}
	if q.proto == pEther {
		if q.typ == "net" {
			return 0, p.errorf(t, `Ethernet has no networks: say "ether host"`)
		}
		return p.mac(q, t)
	}
	switch q.proto {
	case pAny, pIP, pIP6, pARP, pRARP:
	default:
		return 0, p.errorf(t, `%s has no addresses: say "%s and %s %s"`, q.name, q.name, q.typ, t.text)
	}
	n := node{dir: q.dir, proto: q.proto}
	if strings.Contains(t.text, ":") {
		return p.host6(q, n, t)
	}
	addr, bits, ok := dotted(t.text)
	if !ok || q.typ != "net" && bits != 32 && !p.tok.is("/") {
		return 0, p.nameError(q, t)
	}
	if q.proto == pIP6 {
		return 0, p.errorf(t, "%v is no IPv6 address", t)
	}
	mask := ^uint32(0) << (32 - bits)
	switch network := q.typ == "net" || !q.given; {
	case p.tok.is("/"):
		if !network {
			return 0, p.errorf(p.tok, `a mask belongs to a network: say "net %s/…"`, t.text)
		}
		if err := p.advance(); err != nil {
			return 0, err
		}
		b, ok := integer(p.tok.text)
		if !ok || b > 32 {
			return 0, p.errorf(p.tok, "there must be a number of bits from 0 to 32 here")
		}
		mask = ^uint32(0) << (32 - b)
		if err := p.advance(); err != nil {
			return 0, err
		}
	case network && p.tok.is("mask"):
		if err := p.advance(); err != nil {
			return 0, err
		}
		if mask, _, ok = dotted(p.tok.text); !ok {
			return 0, p.errorf(p.tok, "there must be a mask such as 255.255.255.0 here")
		}
		if err := p.advance(); err != nil {
			return 0, err
		}
	}
	if addr&^mask != 0 {
		return 0, p.errorf(t, "%s is no network's address: some of its bits lie outside of the mask", t.text)
	}
	n.op, n.num, n.num2 = opHost4, addr, mask
	return p.add(n), nil
}

// nameError is the error of a word that is no address.
func (p *parser) nameError(q qualifiers, t token) error {
	if h, ok := hints[t.text]; ok && t.kind == word {
		return p.errorf(t, "%v is not known here: %s", t, h)
	}
	if strings.Count(t.text, ".") == 3 && strings.Trim(t.text, "0123456789.") == "" {
		return p.errorf(t, "%s is no address", t.text)
	}
	if q.typ != "" {
		return p.errorf(t, "%v is no address, and names are not looked up", t)
	}
	return p.errorf(t, "%v is not known", t)
}

func (p *parser) host6(q qualifiers, n node, t token) (int32, error) {
	a, err := netip.ParseAddr(t.text)
	switch {
	case err != nil && isMAC(t.text):
		return 0, p.errorf(t, `an Ethernet address needs "ether host", "ether src" or "ether dst" before it`)
	case err != nil:
		return 0, p.errorf(t, "%s is no address", t.text)
	case q.proto != pAny && q.proto != pIP6:
		return 0, p.errorf(t, "%s is an IPv6 address, but %q goes before it", t.text, q.name)
	}
	bits := 128
	if p.tok.is("/") {
		if q.typ != "net" && q.given {
			return 0, p.errorf(p.tok, `a mask belongs to a network: say "net %s/…"`, t.text)
		}
		if err := p.advance(); err != nil {
			return 0, err
		}
		b, ok := integer(p.tok.text)
		if !ok || b > 128 {
			return 0, p.errorf(p.tok, "there must be a number of bits from 0 to 128 here")
		}
		bits = int(b)
		if err := p.advance(); err != nil {
			return 0, err
		}
	}
	n.op, n.addr = opHost6, a.As16()
	for i := range bits {
		n.mask[i/8] |= 0x80 >> (i % 8)
	}
	for i := range n.addr {
		if n.addr[i]&^n.mask[i] != 0 {
			return 0, p.errorf(t, "%s is no network's address: some of its bits lie outside of the mask", t.text)
		}
	}
	return p.add(n), nil
}

func (p *parser) mac(q qualifiers, t token) (int32, error) {
	if !isMAC(t.text) {
		return 0, p.errorf(t, "%v is no Ethernet address such as 02:00:00:00:00:01", t)
	}
	n := node{op: opMAC, dir: q.dir}
	for i, s := range strings.FieldsFunc(t.text, macSeparator) {
		b, _ := strconv.ParseUint(s, 16, 8)
		n.addr[i], n.mask[i] = byte(b), 0xff
	}
	return p.add(n), nil
}

func macSeparator(r rune) bool { return r == ':' || r == '-' }

func isMAC(s string) bool {
	parts := strings.FieldsFunc(s, macSeparator)
	for _, part := range parts {
		if _, err := strconv.ParseUint(part, 16, 8); err != nil || len(part) > 2 {
			return false
		}
	}
	return len(parts) == 6
}

func (p *parser) port(q qualifiers, t token) (int32, error) {
	switch q.proto {
	case pAny, pTCP, pUDP, pSCTP:
	default:
		return 0, p.errorf(t, "%s has no ports: only tcp, udp and sctp have", q.name)
	}
	n := node{op: opPort, dir: q.dir, proto: q.proto}
	lo, hi, isRange := strings.Cut(t.text, "-")
	var ok, okHi bool
	if n.num, ok = portNumber(t.text); ok {
		n.num2 = n.num
	} else if isRange && q.typ == "portrange" {
		n.num, ok = portNumber(lo)
		n.num2, okHi = portNumber(hi)
		ok = ok && okHi
		if n.num > n.num2 {
			n.num, n.num2 = n.num2, n.num
		}
	} else if isRange {
		return 0, p.errorf(t, `%v is no port; a range needs "portrange"`, t)
	}
	if !ok {
		return 0, p.errorf(t, "%v is no port: it must be a number up to 65535 or a well-known service", t)
	}
	return p.add(n), nil
}

func portNumber(s string) (uint32, bool) {
	if n, ok := services[s]; ok {
		return n, true
	}
	n, ok := integer(s)
	return n, ok && n <= 65535
}

func (p *parser) ipProto(q qualifiers, t token) (int32, error) {
	n := node{op: opIPProto, proto: q.proto}
	names, limit := ipProtos, uint32(255)
	switch q.proto {
	case pEther:
		n.op, names, limit = opType, etherTypes, 65535
	case pAny, pIP, pIP6:
	default:
		return 0, p.errorf(t, `"proto" goes with ip, ip6 and ether, not with %s`, q.name)
	}
	if q.dir != either {
		return 0, p.errorf(t, "a protocol has no source and destination")
	}
	var ok bool
	if n.num, ok = names[t.text]; !ok {
		if n.num, ok = integer(t.text); !ok || n.num > limit {
			return 0, p.errorf(t, "%v is no protocol: it must be a number up to %d or a well-known name", t, limit)
		}
	}
	return p.add(n), nil
}

// dotted reads an IPv4 address of which trailing parts may be missing, and how
// many bits there are.
func dotted(s string) (addr uint32, bits int, ok bool) {
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return 0, 0, false
	}
	var b [4]byte
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil || len(part) > 1 && part[0] == '0' {
			return 0, 0, false
		}
		b[i] = byte(n)
	}
	return binary.BigEndian.Uint32(b[:]), 8 * len(parts), true
}
