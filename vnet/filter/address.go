package filter

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
)

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
