package engine

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/patchbay/patchbay/labs/grade"
)

// ospfNeighbour is a neighbour of either version.
type ospfNeighbour struct{ id, state, role, address, device string }

func (n *ospfNeighbour) String() string {
	s := n.id + " " + n.state
	if n.role != "" {
		s += "/" + n.role
	}
	return s + " at " + n.device
}

func evalOSPF(ctx context.Context, t Target, k *grade.OSPF) (verdict, error) {
	return ask(ctx, t, k.Node, func(a *asker) (bool, string, error) {
		daemon, show := "ospfd", "show ip ospf "+inVRF(k.VRF)
		if k.V3 {
			daemon, show = "ospf6d", "show ipv6 ospf6 "+inVRF(k.VRF)
		}
		var d, good differences
		if k.RouterID != "" {
			o, err := a.frr(daemon, show+"json")
			if err != nil {
				return false, "", err
			}
			d.want("its router id", k.RouterID, textIn(ofVRF(o, k.VRF), "routerId"))
		}
		if len(k.Neighbours) > 0 || k.Count != nil {
			o, err := a.frr(daemon, show+"neighbor json")
			if err != nil {
				return false, "", err
			}
			have := parseOSPFNeighbours(ofVRF(o, k.VRF))
			compareOSPF(&d, &good, k, have)
		}
		if len(k.Routes) > 0 {
			o, err := a.frr(daemon, show+"route json")
			if err != nil {
				return false, "", err
			}
			compareHops(&d, k.Routes, parseOSPFRoutes(ofVRF(o, k.VRF)))
		}
		if len(k.Interfaces) > 0 {
			o, err := a.frr(daemon, show+"interface json")
			if err != nil {
				return false, "", err
			}
			o = ofVRF(o, k.VRF)
			if m := objectIn(o, "interfaces"); m != nil {
				o = m
			}
			for _, name := range slices.Sorted(maps.Keys(k.Interfaces)) {
				iface := objectIn(o, name)
				if iface == nil {
					d.add("OSPF does not run at %s", name)
					continue
				}
				for _, field := range slices.Sorted(maps.Keys(k.Interfaces[name])) {
					compareValue(&d, &good, name+" "+field, areaID(field, k.Interfaces[name][field]), atPath(iface, field))
				}
			}
		}
		return d.result(several(good, "it is so"))
	})
}

// areaID lets an author write 1 for the area 0.0.0.1.
func areaID(field, value string) string {
	if field != "area" || strings.Contains(value, ".") || value == "" || strings.Trim(value, "0123456789") != "" {
		return value
	}
	n := 0
	for _, c := range value {
		if n = n*10 + int(c-'0'); n > 1<<32-1 {
			return value
		}
	}
	return itoa(n>>24) + "." + itoa(n>>16&255) + "." + itoa(n>>8&255) + "." + itoa(n&255)
}

// parseOSPFNeighbours reads version 2's, an object by router id, and version
// 3's, a list.
func parseOSPFNeighbours(o object) []ospfNeighbour {
	var out []ospfNeighbour
	add := func(id string, n object) {
		state, role, _ := strings.Cut(textIn(n, "nbrState", "state"), "/")
		if role == "" {
			role = textIn(n, "role", "ifState")
		}
		device, _, _ := strings.Cut(textIn(n, "ifaceName", "interfaceName"), ":")
		out = append(out, ospfNeighbour{id, state, role, textIn(n, "ifaceAddress", "address"), device})
	}
	if byID := objectIn(o, "neighbors"); byID != nil {
		for _, id := range slices.Sorted(maps.Keys(byID)) {
			for _, n := range objectsIn(byID, id) {
				add(id, n)
			}
		}
		return out
	}
	for _, n := range objectsIn(o, "neighbors") {
		add(textIn(n, "neighborId"), n)
	}
	return out
}

func compareOSPF(d, good *differences, k *grade.OSPF, have []ospfNeighbour) {
	var list []string
	full := 0
	for i := range have {
		list = append(list, have[i].String())
		if strings.EqualFold(have[i].state, "full") {
			full++
		}
	}
	good.add("the neighbours are %s", several(list, "none"))
	missing := false
	for _, w := range k.Neighbours {
		state := w.State
		if state == "" {
			state = "full"
		}
		hit := slices.ContainsFunc(have, func(n ospfNeighbour) bool {
			return sameAddr(w.ID, n.id) && strings.EqualFold(state, n.state) && (w.Role == "" || strings.EqualFold(w.Role, n.role)) &&
				sameAddr(w.Address, n.address) && (w.Interface == "" || w.Interface == n.device)
		})
		if !hit {
			missing = true
		}
	}
	if missing {
		d.add("the neighbours are %s", several(list, "none"))
	}
	d.wantInt("the number of full neighbours", k.Count, full)
}

// parseOSPFRoutes reads both versions' routes to networks; those to routers are
// left out.
func parseOSPFRoutes(o object) []frrRoute {
	if m := objectIn(o, "routes"); m != nil {
		o = m
	}
	var out []frrRoute
	for _, to := range slices.Sorted(maps.Keys(o)) {
		if !strings.Contains(to, "/") {
			continue
		}
		for _, r := range objectsIn(o, to) {
			hops := objectsIn(r, "nexthops")
			if hops == nil {
				hops = objectsIn(r, "nextHops")
			}
			out = append(out, frrRoute{to, frrHops(hops)})
		}
	}
	return out
}
