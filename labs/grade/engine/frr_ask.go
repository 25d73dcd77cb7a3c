package engine

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/labs/grade"
)

// vtysh has a daemon of FRR answer. Who listens on the daemon's socket is looked
// at, since any program of the student's could.
func (a *asker) vtysh(daemon, command string) (string, error) {
	res, err := a.run(agent.Exec{
		Args:  []string{"vtysh", "-d", daemon, "-c", command},
		Peers: []agent.Peer{{Socket: "/run/frr/" + daemon + ".vty", Program: "/usr/lib/frr/" + daemon}},
	})
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(res.Stdout))
	switch {
	case strings.Contains(text+string(res.Stderr), "failed to connect to any daemons"):
		return "", found("%s does not run on %s", daemon, a.name)
	case res.Code != 0 || strings.HasPrefix(text, "%"):
		return "", found("%s on %s said: %s", daemon, a.name, said(res))
	case res.Cut:
		return "", found("%s on %s said more than can be looked at", daemon, a.name)
	}
	return text, nil
}

// frr is a daemon's answer in JSON.
func (a *asker) frr(daemon, command string) (object, error) {
	text, err := a.vtysh(daemon, command)
	if err != nil {
		return nil, err
	}
	if text == "" {
		return object{}, nil
	}
	o, err := parseObject(text)
	if err != nil {
		return nil, a.silent("%v", err)
	}
	return o, nil
}

// inVRF puts a VRF's name into a command, and takes its answer from among those
// of several VRFs where FRR gives it so.
func inVRF(vrf string) string {
	if vrf == "" {
		return ""
	}
	return "vrf " + vrf + " "
}

func ofVRF(o object, vrf string) object {
	if m := objectIn(o, vrf); vrf != "" && m != nil {
		return m
	}
	return o
}

// frrRoute is a route as a daemon has it.
type frrRoute struct {
	to   string
	hops []nextHop
}

func (r *frrRoute) String() string {
	k := kernelRoute{To: r.to, Hops: r.hops}
	return k.String()
}

// compareHops compares a list of routes with what a daemon has.
func compareHops(d *differences, wanted []grade.Hop, have []frrRoute) {
	missing := false
	for _, w := range wanted {
		to, barred := grade.Barred(w.To)
		hit := slices.ContainsFunc(have, func(r frrRoute) bool { return sameNetwork(to, r.to) && sameHops(w.Via, r.hops) })
		switch {
		case hit && barred:
			d.add("there is a route to %s", to)
		case !hit && !barred:
			text := to
			if len(w.Via) > 0 {
				text += " via " + strings.Join(w.Via, " and ")
			}
			d.add("there is no route to %s", text)
			missing = true
		}
	}
	if missing {
		var list []string
		for i := range have {
			list = append(list, have[i].String())
		}
		d.add("the routes are %s", several(list, "none"))
	}
}

// frrHops reads next hops however the daemon names them.
func frrHops(list []object) []nextHop {
	var out []nextHop
	for _, h := range list {
		n := nextHop{Gateway: strings.TrimSpace(textIn(h, "ip", "nextHop")), Device: textIn(h, "via", "interfaceName", "directlyAttachedTo", "directly attached to")}
		if n.Gateway == "::" {
			n.Gateway = ""
		}
		out = append(out, n)
	}
	return out
}

// zebraRoutes reads “show ip route json”.
func zebraRoutes(o object) []frrRoute {
	var out []frrRoute
	for _, to := range slices.Sorted(maps.Keys(o)) {
		for _, r := range objectsIn(o, to) {
			out = append(out, frrRoute{to, frrHops(objectsIn(r, "nexthops"))})
		}
	}
	return out
}

func evalFRR(ctx context.Context, t Target, k *grade.FRR) (verdict, error) {
	return ask(ctx, t, k.Node, func(a *asker) (bool, string, error) {
		var d, good differences
		if k.Show != "" {
			text, err := a.vtysh(k.Daemon, "show "+strings.TrimPrefix(k.Show, "show "))
			if err != nil {
				return false, "", err
			}
			v, err := parseJSON(orNull(text))
			if err != nil {
				return false, "", a.silent("%v", err)
			}
			for _, path := range slices.Sorted(maps.Keys(k.Values)) {
				compareValue(&d, &good, path, k.Values[path], atPath(v, path))
			}
		}
		if len(k.Networks)+len(k.Redistribute)+len(k.Config) > 0 {
			text, err := a.vtysh(k.Daemon, "show running-config")
			if err != nil {
				return false, "", err
			}
			c := parseConfig(text)
			compareWords(&d, k.Daemon+" has the networks", k.Networks, c.networks, sameNetwork)
			compareWords(&d, k.Daemon+" redistributes", k.Redistribute, c.redistribute, sameName)
			compareWords(&d, "the configuration has", k.Config, c.lines, func(w, h string) bool {
				return strings.Join(strings.Fields(w), " ") == h
			})
			good.add("%s has the networks %s and redistributes %s", k.Daemon, several(c.networks, "none"), several(c.redistribute, "nothing"))
		}
		return d.result(several(good, ""))
	})
}

func orNull(text string) string {
	if text == "" {
		return "null"
	}
	return text
}

// compareValue compares what is at a path: one of the values has to be as
// wanted, or none of them when the wish has a “!” in front.
func compareValue(d, good *differences, path, want string, have []any) {
	var list []string
	for _, v := range have {
		list = append(list, plain(v))
	}
	rest, barred := grade.Barred(want)
	has := want == "*" && len(list) > 0 || slices.ContainsFunc(list, func(h string) bool { return h == rest || strings.EqualFold(h, rest) })
	switch {
	case len(list) == 0:
		d.add("there is nothing at %s", path)
	case has == barred:
		d.add("%s is %s", path, several(list, ""))
	default:
		good.add("%s is %s", path, several(list, ""))
	}
}

// compareWords looks for words, or the absence of those with “!” in front.
func compareWords(d *differences, what string, wanted, have []string, same func(want, have string) bool) {
	for _, w := range wanted {
		rest, barred := grade.Barred(w)
		hit := slices.ContainsFunc(have, func(h string) bool { return same(rest, h) })
		if hit != barred {
			continue
		}
		if len(have) > 20 {
			d.add("%s %s%s", what, map[bool]string{true: "", false: "not "}[hit], rest)
			continue
		}
		d.add("%s %s", what, several(have, "none"))
		return
	}
}

// frrConfig is a running configuration, as far as checks ask.
type frrConfig struct {
	networks, redistribute []string
	lines                  []string // without their indentation
}

func parseConfig(text string) (c frrConfig) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] == "!" {
			continue
		}
		c.lines = append(c.lines, strings.Join(f, " "))
		if len(f) < 2 {
			continue
		}
		switch f[0] {
		case "network":
			c.networks = append(c.networks, f[1])
		case "redistribute":
			word := f[1]
			if (word == "ipv4" || word == "ipv6") && len(f) > 2 {
				word = f[2]
			}
			c.redistribute = append(c.redistribute, word)
		}
	}
	return c
}
