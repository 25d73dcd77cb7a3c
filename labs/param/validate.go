package param

import (
	"fmt"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

var nameRE = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

// reporter reports what is wrong with a declaration. field is a key of it, with
// [i] for an item of a list, or empty when it is about the whole; fix may be
// empty.
type reporter = func(field, fix, format string, args ...any)

// Validate reports what is wrong with the declaration.
func (d *Decl) Validate(report reporter) {
	if !nameRE.MatchString(d.Name) {
		report("", "write it like lan-1", "a parameter's name begins with a letter and has only a-z, 0-9 and -, at most 31")
	}
	kinds := d.Kinds()
	switch len(kinds) {
	case 0:
		report("", "give it one of network, address, number, secret, name, mac, choice or shuffle", "the parameter says nothing to draw from")
		return
	case 1:
	default:
		report(string(kinds[1]), "make two parameters of it", "a parameter is of one kind, found %s and %s", kinds[0], kinds[1])
		return
	}
	if d.Length != 0 && kinds[0] != KindNetwork {
		report("length", "remove it", "only a network has a length to draw")
	}
	switch kinds[0] {
	case KindNetwork:
		prefix("network", d.Network, report)
		if l := d.length(); l < d.Network.Bits() || l > d.Network.Addr().BitLen() {
			report("length", fmt.Sprintf("choose one from %d to %d", d.Network.Bits(), d.Network.Addr().BitLen()), "no network of length %d lies in %s", l, d.Network)
		}
	case KindAddress:
		prefix("address", d.Address, report)
	case KindNumber:
		if d.Number.First > d.Number.Last {
			report("number", "write the smaller number first", "the range ends before it begins")
		}
	case KindSecret:
		if d.Secret < MinSecret || d.Secret > MaxSecret {
			report("secret", "16 is a good length", "a secret has from %d to %d characters, not %d", MinSecret, MaxSecret, d.Secret)
		}
	case KindName:
		items("name", d.Words, report)
	case KindChoice:
		items("choice", d.Choice, report)
	case KindShuffle:
		items("shuffle", d.Shuffle, report)
	}
	d.validateWatch(kinds[0], report)
}

// validateWatch reports a watch that could only raise false alarms.
func (d *Decl) validateWatch(kind Kind, report reporter) {
	if d.Watch == nil || !*d.Watch {
		return
	}
	switch kind {
	case KindNumber, KindChoice, KindShuffle:
		report("watch", "watch a secret instead", "a %s is no sign of whose lab it is from, so it cannot be watched", kind)
	case KindNetwork, KindAddress, KindMAC, KindName:
		if !d.Distinct {
			report("watch", "add distinct: true", "what is watched must be distinct: otherwise another student may have it by right")
		}
	}
	if kind == KindName {
		for i, w := range d.Words {
			if len(w) < MinSecret {
				report(fmt.Sprintf("name[%d]", i), "choose a longer one, or watch a secret instead", "a name that is watched has at least %d characters, so that it is not seen by chance", MinSecret)
			}
		}
	}
}

func prefix(field string, p netip.Prefix, report reporter) {
	switch {
	case p.Addr().Zone() != "" || p.Addr().Is4In6():
		report(field, "write it like 10.0.0.0/8 or fd00::/48", "%s is no network to draw from", p)
	case p != p.Masked():
		report(field, fmt.Sprintf("write %s", p.Masked()), "%s is an address in a network, not a network", p)
	}
}

func items(field string, list []string, report reporter) {
	switch {
	case len(list) == 0:
		report(field, "list at least one", "there is nothing to draw from")
	case len(list) > MaxItems:
		report(field, "", "the list has %d items; at most %d can be drawn from", len(list), MaxItems)
	}
	first := make(map[string]bool, len(list))
	for i, s := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case s == "" || len(s) > MaxItem || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
			report(at, "", "an item has from 1 to %d characters, on one line", MaxItem)
		case strings.Contains(s, "((") || strings.Contains(s, "))"):
			report(at, "", "an item cannot name another parameter")
		case first[s]:
			report(at, "remove it", "%q is in the list twice", s)
		}
		first[s] = true
		if i > MaxItems {
			return
		}
	}
}

// Validate reports what is wrong with each declaration, and with all of them
// together. i is the place of the one in decls that a report is about.
func Validate(decls []Decl, report func(i int, field, fix, format string, args ...any)) {
	if len(decls) > MaxDecls {
		report(MaxDecls, "", "", "a lab has at most %d parameters", MaxDecls)
		return
	}
	usable := make([]bool, len(decls))
	for i := range decls {
		usable[i] = true
		own := func(field, fix, format string, args ...any) {
			usable[i] = false
			report(i, field, fix, format, args...)
		}
		decls[i].Validate(own)
		if slices.ContainsFunc(decls[:i], func(d Decl) bool { return d.Name == decls[i].Name }) {
			own("", "choose another name", "there are two parameters %s", decls[i].Name)
		}
	}
	counts := map[string]int64{}
	for i := range decls {
		if !usable[i] {
			continue
		}
		d := &decls[i]
		s := d.space()
		if d.apart() {
			if counts[s.name]++; big.NewInt(counts[s.name]).Cmp(s.size) > 0 {
				report(i, string(d.Kind()), "widen the range", "the lab has more parameters of this range than it has values (%s)", s.size)
			}
		}
		if !d.Distinct {
			continue
		}
		for j := range i {
			if o := &decls[j]; usable[j] && o.Distinct && s.name != o.space().name && overlap(d, o) {
				report(i, string(d.Kind()), "give both the same range, or ranges apart", "the range overlaps with that of %s, so that two students might get the same", o.Name)
				break
			}
		}
	}
}

// overlap says whether two declarations of one kind could draw the same.
func overlap(a, b *Decl) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case KindNetwork:
		return a.Network.Overlaps(b.Network)
	case KindAddress:
		return a.Address.Overlaps(b.Address)
	case KindNumber:
		return a.Number.First <= b.Number.Last && b.Number.First <= a.Number.Last
	case KindName:
		return slices.ContainsFunc(a.Words, func(w string) bool { return slices.Contains(b.Words, w) })
	}
	return false
}
