package param

import (
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Value is what was drawn for one parameter.
type Value struct {
	Param string `json:"param"`
	Kind  Kind   `json:"kind"`
	Text  string `json:"text"`
	Watch bool   `json:"watch,omitempty"` // is looked for in the labs of other students
}

// Values are what was drawn for one student. They are not changed, so they may
// be shared between goroutines; the zero Values has none.
type Values struct {
	all    []Value
	byName map[string]drawn
}

// All lists the values in the order of their declarations.
func (v Values) All() []Value { return slices.Clone(v.all) }

// Has says whether there is a parameter of that name.
func (v Values) Has(name string) bool {
	_, ok := v.byName[name]
	return ok
}

// Get is the text that ((reference)) stands for, such as "lan" or "lan.1".
func (v Values) Get(reference string) (string, bool) {
	name, part, hasPart := strings.Cut(reference, ".")
	d, ok := v.byName[name]
	if !ok {
		return "", false
	}
	if !hasPart {
		return d.Text, d.kind != KindShuffle
	}
	return d.part(part)
}

// Expand puts the values in the place of ((name)) and ((name.part)). What
// looks so and is not there stays as it was written and comes back, each
// once: in a script ((i)) is the shell's. It never looks into what it put in.
// The result is at most 40 times as long as the text, and usually shorter.
func (v Values) Expand(text string) (expanded string, undeclared []string) {
	var b strings.Builder
	rest := text
	for {
		i := strings.Index(rest, "((")
		if i < 0 {
			break
		}
		ref := reference(rest[i+2:])
		if ref == "" {
			b.WriteString(rest[:i+1]) // (((x)) may begin one further on
			rest = rest[i+1:]
			continue
		}
		b.WriteString(rest[:i])
		whole := rest[i : i+len(ref)+4]
		rest = rest[i+len(whole):]
		if s, ok := v.Get(ref); ok {
			b.WriteString(s)
			continue
		}
		b.WriteString(whole)
		if !slices.Contains(undeclared, ref) && len(undeclared) < MaxDecls {
			undeclared = append(undeclared, ref)
		}
	}
	if b.Len() == 0 {
		return text, nil
	}
	b.WriteString(rest)
	return b.String(), undeclared
}

// reference is what stands before "))" when it could name a parameter, or empty.
func reference(s string) string {
	end := strings.Index(s[:min(len(s), 64)], "))")
	if end < 1 {
		return ""
	}
	name, part, hasPart := strings.Cut(s[:end], ".")
	if !nameRE.MatchString(name) || hasPart && (part == "" || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789-") != "") {
		return ""
	}
	return s[:end]
}

// part is what ((name.part)) stands for.
func (d *drawn) part(part string) (string, bool) {
	switch d.kind {
	case KindShuffle:
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 || n > len(d.items) {
			return "", false
		}
		return d.items[n-1], true
	case KindAddress, KindNetwork:
		switch {
		case part == "length":
			return strconv.Itoa(d.prefix.Bits()), true
		case part == "mask" && d.prefix.Addr().Is4():
			return net.IP(net.CIDRMask(d.prefix.Bits(), 32)).String(), true
		case d.kind == KindAddress:
			return "", false
		case part == "network":
			return d.prefix.Addr().String(), true
		case part == "broadcast" && d.prefix.Addr().Is4():
			return last(d.prefix).String(), true
		}
		return d.address(part)
	}
	return "", false
}

// address is the n-th address of a network, where 0 is its own; from its end
// for a negative n, where -1 is the last one that a host may have.
func (d *drawn) address(part string) (string, bool) {
	n, err := strconv.ParseInt(part, 10, 64)
	if err != nil {
		return "", false
	}
	at := big.NewInt(n)
	if n < 0 {
		first, count := hosts(d.prefix)
		if at.Add(at, count); at.Sign() < 0 {
			return "", false
		}
		return offset(first, at).String(), true
	}
	if at.Cmp(power(d.prefix.Addr().BitLen()-d.prefix.Bits())) >= 0 {
		return "", false
	}
	return offset(d.prefix.Addr(), at).String(), true
}

// last is the last address of a network.
func last(p netip.Prefix) netip.Addr {
	n := power(p.Addr().BitLen() - p.Bits())
	return offset(p.Masked().Addr(), n.Sub(n, big.NewInt(1)))
}
