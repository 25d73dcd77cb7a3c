package engine

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/patchbay/patchbay/labs/grade"
)

// FRR's RIP knows no JSON: its tables are read as a person would.

func evalRIP(ctx context.Context, t Target, k *grade.RIP) (verdict, error) {
	return ask(ctx, t, k.Node, func(a *asker) (bool, string, error) {
		daemon, show := "ripd", "show ip rip"
		if k.NG {
			daemon, show = "ripngd", "show ipv6 ripng"
		}
		var d, good differences
		if len(k.Neighbours) > 0 {
			text, err := a.vtysh(daemon, show+" status")
			if err != nil {
				return false, "", err
			}
			have := parseRIPSources(text)
			if slices.ContainsFunc(k.Neighbours, func(w string) bool {
				return !slices.ContainsFunc(have, func(h string) bool { return sameAddr(w, h) })
			}) {
				d.add("the neighbours are %s", several(have, "none"))
			}
			good.add("the neighbours are %s", several(have, "none"))
		}
		if len(k.Routes) > 0 {
			text, err := a.vtysh(daemon, show)
			if err != nil {
				return false, "", err
			}
			have := parseRIPRoutes(text)
			compareHops(&d, k.Routes, have)
			good.add("there are %d routes", len(have))
		}
		return d.result(several(good, ""))
	})
}

// parseRIPSources reads the list of gateways of “show ip rip status”.
func parseRIPSources(text string) []string {
	var list []string
	within := false
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
		case f[0] == "Gateway":
			within = true
		case strings.HasPrefix(f[0], "Distance"):
			within = false
		case within:
			if _, err := netip.ParseAddr(f[0]); err == nil {
				list = append(list, f[0])
			}
		}
	}
	return list
}

// parseRIPRoutes reads the table of “show ip rip” and of “show ipv6 ripng”, which
// puts the next hop on a line of its own. Unreachable routes (metric 16) are
// left out.
func parseRIPRoutes(text string) []frrRoute {
	var list []frrRoute
	to := ""
	add := func(hop, device, metric string) {
		if n, err := strconv.Atoi(metric); err == nil && n < 16 {
			h := nextHop{Device: device}
			if addr, err := netip.ParseAddr(hop); err == nil && !addr.IsUnspecified() {
				h.Gateway = hop
			}
			list = append(list, frrRoute{to, []nextHop{h}})
		}
		to = ""
	}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) >= 2 && len(f[0]) == 4 && f[0][1] == '(' && f[0][3] == ')' {
			if _, err := netip.ParsePrefix(f[1]); err != nil {
				continue
			}
			if to = f[1]; len(f) >= 4 {
				add(f[2], "", f[3])
			}
			continue
		}
		if to != "" && len(f) >= 3 {
			add(f[0], f[1], f[2])
		}
	}
	return list
}

// isisNeighbour is an adjacency.
type isisNeighbour struct {
	system, device, state string
	level                 int
}

func evalISIS(ctx context.Context, t Target, k *grade.ISIS) (verdict, error) {
	return ask(ctx, t, k.Node, func(a *asker) (bool, string, error) {
		var d, good differences
		if len(k.Neighbours) > 0 {
			o, err := a.frr("isisd", "show isis neighbor json")
			if err != nil {
				return false, "", err
			}
			have := parseISISNeighbours(o)
			var list []string
			for _, n := range have {
				list = append(list, n.system+" "+n.state+" at "+n.device+" (level "+itoa(n.level)+")")
			}
			good.add("the neighbours are %s", several(list, "none"))
			for _, w := range k.Neighbours {
				if !slices.ContainsFunc(have, func(n isisNeighbour) bool { return n.matches(w) }) {
					d.add("the neighbours are %s", several(list, "none"))
					break
				}
			}
		}
		if len(k.Routes) > 0 {
			// isisd's own table is no JSON in all versions; zebra's is, and says
			// what IS-IS gave it whether it was chosen or not.
			show := "show ip route isis json"
			if to, _ := grade.Barred(k.Routes[0].To); strings.Contains(to, ":") {
				show = "show ipv6 route isis json"
			}
			o, err := a.frr("zebra", show)
			if err != nil {
				return false, "", err
			}
			have := zebraRoutes(o)
			compareHops(&d, k.Routes, have)
			good.add("there are %d routes", len(have))
		}
		return d.result(several(good, ""))
	})
}

func (n *isisNeighbour) matches(w grade.ISISNeighbour) bool {
	state := w.State
	if state == "" {
		state = "Up"
	}
	return (w.System == "" || strings.EqualFold(w.System, n.system)) && (w.Interface == "" || w.Interface == n.device) &&
		strings.EqualFold(state, n.state) && (w.Level == 0 || w.Level == n.level || n.level == 3)
}

func parseISISNeighbours(o object) []isisNeighbour {
	var out []isisNeighbour
	for _, area := range objectsIn(o, "areas") {
		for _, c := range objectsIn(area, "circuits") {
			n := isisNeighbour{system: textIn(c, "adj"), device: textIn(c, "interface"), state: textIn(c, "state"), level: numberIn(c, "level")}
			if in := objectIn(c, "interface"); in != nil {
				n.device, n.state, n.level = textIn(in, "name"), textIn(in, "state"), numberIn(in, "level")
			}
			if n.system != "" {
				out = append(out, n)
			}
		}
	}
	return out
}
