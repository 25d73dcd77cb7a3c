package engine

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/patchbay/patchbay/labs/grade"
)

// matches says whether a rule says all that is wanted.
func (r *filterRule) matches(w *grade.Rule) bool {
	field := func(key, want string, same func(want, have string) bool) bool {
		return want == "" || slices.ContainsFunc(r.is[key], func(have string) bool { return same(want, have) })
	}
	for _, s := range w.State {
		if !field("state", s, strings.EqualFold) {
			return false
		}
	}
	protocol := func(want, have string) bool {
		return strings.EqualFold(want, have) || strings.EqualFold(want, "icmpv6") && have == "ipv6-icmp"
	}
	return field("protocol", w.Protocol, protocol) && field("saddr", w.Source, sameNetwork) && field("daddr", w.Destination, sameNetwork) &&
		field("sport", w.SourcePort, coversPort) && field("dport", w.Port, coversPort) && field("iif", w.In, sameName) && field("oif", w.Out, sameName) &&
		(w.Do == "" || w.Do == r.do) && (w.To == "" || sameTarget(w.To, r.to))
}

func sameName(want, have string) bool { return want == have }

// sameTarget compares 10.0.0.1, 10.0.0.1:80 or :80 with a rule's.
func sameTarget(want, have string) bool {
	if want == have {
		return true
	}
	host, _, ok := strings.Cut(have, ":")
	if h, err := netip.ParseAddrPort(have); err == nil {
		host, ok = h.Addr().String(), true
	}
	return ok && sameAddr(want, host)
}

// coversPort says whether a port or range lies in another.
func coversPort(want, have string) bool {
	if want == have {
		return true
	}
	wa, wb, ok := portRange(want)
	ha, hb, ok2 := portRange(have)
	return ok && ok2 && ha <= wa && wb <= hb
}

// services are the names that nft prints for ports without -n.
var services = map[string]string{"ssh": "22", "http": "80", "https": "443", "domain": "53", "telnet": "23", "smtp": "25"}

func portRange(s string) (from, to int, ok bool) {
	a, b, isRange := strings.Cut(s, "-")
	if !isRange {
		b = a
	}
	if n := services[a]; n != "" {
		a, b = n, n
	}
	from, err := strconv.Atoi(a)
	to, err2 := strconv.Atoi(b)
	return from, to, err == nil && err2 == nil
}
