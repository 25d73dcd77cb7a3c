package outside

import (
	"net/netip"
	"slices"
	"strings"
)

// RefusedError says which of a lab's wishes a server does not grant. Its text
// is a sentence for whoever opens the lab.
type RefusedError struct {
	Off   bool   // the administrator allows no uplink at all
	Rules []Rule // the lab's that have nothing in common with the administrator's
}

func (e *RefusedError) Error() string {
	if e.Off {
		return "This lab asks for a way to the outside, which this server does not give to labs. Its administrator can allow it: patchbay serve --uplink=RULE."
	}
	names := make([]string, 0, 4)
	for i, r := range e.Rules {
		if i == 3 && len(e.Rules) > 4 {
			names = append(names, "others")
			break
		}
		names = append(names, r.String())
	}
	list := names[0]
	if n := len(names) - 1; n > 0 {
		list = strings.Join(names[:n], ", ") + " and " + names[n]
	}
	return "This lab asks for a way to " + list + ", which this server's administrator does not allow."
}

// Effective says what a lab's uplink may reach: what both lists allow. near is
// what Near says of the machine that the uplink runs on. A wish that the
// administrator grants in part, such as every port where one is allowed, is
// narrowed; one that is not granted at all makes a *RefusedError, beside the
// rules that remain. An administrator without rules refuses every uplink, the
// one that asks for nothing but DHCP too.
func Effective(admin, lab []Rule, near []netip.Prefix) ([]Rule, error) {
	if len(admin) == 0 {
		return nil, &RefusedError{Off: true, Rules: lab}
	}
	var both, refused []Rule
	for _, wish := range lab {
		granted := false
		for _, a := range admin {
			r, ok := meet(a, wish, near)
			if !ok {
				continue
			}
			granted = true
			if !slices.Contains(both, r) {
				both = append(both, r)
			}
		}
		if !granted {
			refused = append(refused, wish)
		}
	}
	if len(refused) > 0 {
		return both, &RefusedError{Rules: refused}
	}
	return both, nil
}

// meet is what an administrator's rule and a lab's have in common.
func meet(admin, lab Rule, near []netip.Prefix) (r Rule, ok bool) {
	if r.Name, ok = meetNames(admin.Name, lab.Name); !ok {
		return Rule{}, false
	}
	if r.Ports, ok = admin.Ports.meet(lab.Ports); !ok {
		return Rule{}, false
	}
	switch {
	case admin.Proto == "" || admin.Proto == lab.Proto:
		r.Proto = lab.Proto
	case lab.Proto == "":
		r.Proto = admin.Proto
	default:
		return Rule{}, false
	}
	switch {
	case !lab.Within.IsValid() || admin.Within.IsValid() && inside(admin.Within, lab.Within):
		r.Within = admin.Within
	case !admin.Within.IsValid() || inside(lab.Within, admin.Within):
		// It is for the administrator alone to name what is near.
		if r.Within = lab.Within; !named(admin.Within, r.Within, near) {
			return Rule{}, false
		}
		r.chosen, r.by = r.Within != admin.Within, admin.Within
		if !r.chosen {
			r.by = netip.Prefix{}
		}
	default:
		return Rule{}, false
	}
	return r, true
}

// meetNames is the names that both allow. A network of the administrator's lets
// a lab use any one name, since to ask for it says nothing; a lab's pattern it
// does not let through, since questions for what the star stands for can say
// anything to whoever answers them.
func meetNames(admin, lab string) (string, bool) {
	switch {
	case admin == "*":
		return lab, true
	case lab == "*" || lab == "":
		return admin, true
	case admin == "":
		return lab, !strings.HasPrefix(lab, "*")
	case covers(admin, lab):
		return lab, true
	case covers(lab, admin):
		return admin, true
	}
	return "", false
}

// covers says whether pattern stands for name, which may be a pattern itself.
func covers(pattern, name string) bool {
	if pattern == "*" || pattern == name {
		return true
	}
	domain, ok := strings.CutPrefix(pattern, "*")
	return ok && strings.HasSuffix(strings.TrimPrefix(name, "*"), domain) && len(name) > len(domain)
}
