package engine

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/patchbay/patchbay/labs/grade"
)

// bgpPath is one path of a network in a BGP table.
type bgpPath struct {
	path   string // AS numbers with spaces between them
	best   bool
	hops   []nextHop
	origin string
	object object
}

func evalBGP(ctx context.Context, t Target, k *grade.BGP) (verdict, error) {
	return ask(ctx, t, k.Node, func(a *asker) (bool, string, error) {
		vrf := k.VRF
		if vrf == "" {
			vrf = "default"
		}
		var d, good differences
		if k.ASN != 0 || k.RouterID != "" || len(k.Neighbours) > 0 || k.Only {
			o, err := a.frr("bgpd", "show bgp vrf "+vrf+" summary json")
			if err != nil {
				return false, "", err
			}
			compareBGPPeers(&d, &good, k, o)
		}
		if len(k.Routes) > 0 {
			family := "ipv4"
			if k.IPv6 || strings.Contains(k.Routes[0].To, ":") {
				family = "ipv6"
			}
			o, err := a.frr("bgpd", "show bgp vrf "+vrf+" "+family+" unicast json")
			if err != nil {
				return false, "", err
			}
			table := parseBGPTable(o)
			for _, r := range k.Routes {
				if err := a.compareBGPRoute(&d, &good, r, table, "show bgp vrf "+vrf+" "+family+" unicast "); err != nil {
					return false, "", err
				}
			}
			good.add("the table has %s", several(slices.Sorted(maps.Keys(table)), "nothing"))
		}
		if len(k.EVPN) > 0 {
			o, err := a.frr("bgpd", "show bgp l2vpn evpn summary json")
			if err != nil {
				return false, "", err
			}
			peers := objectIn(o, "peers")
			for _, p := range k.EVPN {
				if state := textIn(peerOf(peers, p), "state"); state != "Established" {
					d.add("the EVPN session with %s is %s", p, orNone(state))
				}
			}
			good.add("the EVPN neighbours are %s", several(slices.Sorted(maps.Keys(peers)), "none"))
		}
		if k.VTEP != nil || len(k.Remote) > 0 {
			if err := a.compareVTEPs(&d, k); err != nil {
				return false, "", err
			}
		}
		return d.result(several(good, "it is so"))
	})
}

// peerOf finds a neighbour by its address, however it is written.
func peerOf(peers object, address string) object {
	for name := range peers {
		if name == address || sameAddr(address, name) {
			return objectIn(peers, name)
		}
	}
	return nil
}

func compareBGPPeers(d, good *differences, k *grade.BGP, o object) {
	families := []string{"ipv4Unicast", "ipv6Unicast", "l2VpnEvpn"}
	if k.IPv6 {
		families[0], families[1] = families[1], families[0]
	}
	all := object{}
	for _, f := range slices.Backward(families) {
		fam := objectIn(o, f)
		if fam == nil {
			continue
		}
		maps.Copy(all, objectIn(fam, "peers"))
	}
	instance := object{}
	for _, f := range slices.Sorted(maps.Keys(o)) {
		if fam := objectIn(o, f); textIn(fam, "as") != "" {
			instance = fam
		}
	}
	if k.ASN != 0 && textIn(instance, "as") != strconv.FormatUint(uint64(k.ASN), 10) {
		d.add("its AS is %s", orNone(textIn(instance, "as")))
	}
	d.want("its router id", k.RouterID, textIn(instance, "routerId"))
	var list []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		p := objectIn(all, name)
		list = append(list, name+" in AS "+textIn(p, "remoteAs")+" "+textIn(p, "state"))
	}
	good.add("the neighbours are %s", several(list, "none"))
	wrong := false
	for _, w := range k.Neighbours {
		p := peerOf(all, w.Address)
		state := w.State
		if state == "" {
			state = "Established"
		}
		switch {
		case p == nil, w.ASN != 0 && textIn(p, "remoteAs") != strconv.FormatUint(uint64(w.ASN), 10),
			state != "any" && !strings.EqualFold(state, textIn(p, "state")):
			wrong = true
		case w.Received != nil && *w.Received != numberIn(p, "pfxRcd"):
			d.add("%s has told %s networks", w.Address, orNone(textIn(p, "pfxRcd")))
		}
	}
	if k.Only {
		for name := range all {
			wrong = wrong || !slices.ContainsFunc(k.Neighbours, func(w grade.BGPNeighbour) bool {
				return w.Address == name || sameAddr(w.Address, name) && w.Address != ""
			})
		}
	}
	if wrong {
		d.add("the neighbours are %s", several(list, "none"))
	}
}

// parseBGPTable reads “show bgp … unicast json”.
func parseBGPTable(o object) map[string][]bgpPath {
	table := map[string][]bgpPath{}
	routes := objectIn(o, "routes")
	for to := range routes {
		for _, p := range objectsIn(routes, to) {
			table[to] = append(table[to], parseBGPPath(p))
		}
	}
	return table
}

func parseBGPPath(p object) bgpPath {
	out := bgpPath{path: strings.Join(strings.Fields(textIn(p, "path")), " "), origin: textIn(p, "origin"), object: p}
	if as := objectIn(p, "aspath"); as != nil {
		out.path = strings.Join(strings.Fields(textIn(as, "string")), " ")
		if out.path == "Local" {
			out.path = ""
		}
	}
	if best := objectIn(p, "bestpath"); best != nil {
		out.best = textIn(best, "overall") == "true"
	} else {
		out.best = textIn(p, "bestpath") == "true"
	}
	out.hops = frrHops(objectsIn(p, "nexthops"))
	return out
}

func asText(path []uint32) string {
	words := make([]string, len(path))
	for i, as := range path {
		words[i] = strconv.FormatUint(uint64(as), 10)
	}
	return strings.Join(words, " ")
}

// compareBGPRoute compares one network; its communities are asked for apart.
func (a *asker) compareBGPRoute(d, good *differences, w grade.BGPRoute, table map[string][]bgpPath, show string) error {
	to, barred := grade.Barred(w.To)
	var paths []bgpPath
	for have, p := range table {
		if sameNetwork(to, have) {
			to, paths = have, p
		}
	}
	if barred {
		if len(paths) > 0 {
			d.add("there is a route to %s", to)
		}
		return nil
	}
	if len(paths) == 0 {
		d.add("there is no route to %s; the table has %s", to, several(slices.Sorted(maps.Keys(table)), "nothing"))
		return nil
	}
	var list []string
	var best *bgpPath
	for i := range paths {
		p := &paths[i]
		text := "“" + p.path + "”"
		if p.best {
			best = p
			text += " (best)"
		}
		list = append(list, text)
	}
	good.add("%s by %s", to, several(list, ""))
	for _, path := range w.Paths {
		if !slices.ContainsFunc(paths, func(p bgpPath) bool { return p.path == asText(path) }) {
			d.add("the paths to %s are %s", to, several(list, ""))
			break
		}
	}
	if w.Only && !sameBGPPaths(w.Paths, paths) {
		d.add("the paths to %s are %s", to, several(list, ""))
	}
	if w.Best == nil && w.Via == "" && w.Preference == nil && w.MED == nil && w.Weight == nil && w.Origin == "" && len(w.Communities) == 0 {
		return nil
	}
	if best == nil {
		d.add("no path to %s is the best", to)
		return nil
	}
	if w.Best != nil && best.path != asText(*w.Best) {
		d.add("the best path to %s is “%s”", to, best.path)
	}
	if w.Via != "" && !slices.ContainsFunc(best.hops, func(h nextHop) bool { return sameAddr(w.Via, h.address()) || h.Device == w.Via }) {
		d.add("the next hop to %s is %s", to, orNone(hopsText(best.hops)))
	}
	d.wantInt("the local preference of "+to, w.Preference, numberOr(best.object, 100, "locPrf", "localPref"))
	d.wantInt("the MED of "+to, w.MED, numberOr(best.object, 0, "metric", "med"))
	d.wantInt("the weight of "+to, w.Weight, numberOr(best.object, 0, "weight"))
	d.want("the origin of "+to, w.Origin, best.origin)
	if len(w.Communities) == 0 {
		return nil
	}
	o, err := a.frr("bgpd", show+to+" json")
	if err != nil {
		return err
	}
	for _, p := range objectsIn(o, "paths") {
		if !parseBGPPath(p).best {
			continue
		}
		have := strings.Fields(textIn(objectIn(p, "community"), "string") + " " + textIn(objectIn(p, "largeCommunity"), "string") + " " +
			textIn(objectIn(p, "extendedCommunity"), "string"))
		for _, c := range w.Communities {
			if !slices.Contains(have, c) {
				d.add("the communities of %s are %s", to, several(have, "none"))
				break
			}
		}
	}
	return nil
}

// sameBGPPaths says whether there are these paths and no others, each as often.
func sameBGPPaths(want [][]uint32, have []bgpPath) bool {
	var w, h []string
	for _, p := range want {
		w = append(w, asText(p))
	}
	for i := range have {
		h = append(h, have[i].path)
	}
	slices.Sort(w)
	slices.Sort(h)
	return slices.Equal(w, h)
}

// numberOr is a member as a number; FRR leaves some out that have their default.
func numberOr(o object, otherwise int, keys ...string) int {
	if textIn(o, keys...) == "" {
		return otherwise
	}
	return numberIn(o, keys...)
}

func hopsText(hops []nextHop) string {
	var list []string
	for _, h := range hops {
		list = append(list, h.String())
	}
	return strings.Join(list, " and ")
}

// compareVTEPs looks at the VXLANs that EVPN knows, which zebra has.
func (a *asker) compareVTEPs(d *differences, k *grade.BGP) error {
	text, err := a.vtysh("zebra", "show evpn vni detail json")
	if err != nil {
		return err
	}
	v, err := parseJSON(orNull(text))
	if err != nil {
		return a.silent("%v", err)
	}
	remote := map[string]int{}
	own := map[string]string{}
	for _, o := range vnisOf(v) {
		vni := textIn(o, "vni")
		own[vni] = textIn(o, "vtepIp", "localVtepIp")
		if list, ok := o["numRemoteVteps"].([]any); ok {
			remote[vni] = len(list)
		} else {
			remote[vni] = max(numberIn(o, "numRemoteVteps"), 0)
		}
	}
	vnis := slices.Sorted(maps.Keys(own))
	if w := k.VTEP; w != nil {
		for _, vni := range w.VNIs {
			if _, ok := own[itoa(vni)]; !ok {
				d.add("its VNIs are %s", several(vnis, "none"))
				break
			}
		}
		if len(vnis) == 0 && len(w.VNIs) == 0 {
			d.add("it has no VNIs")
		}
		for _, vni := range vnis {
			if w.IP != "" && !sameAddr(w.IP, own[vni]) && (len(w.VNIs) == 0 || slices.Contains(w.VNIs, numberIn(object{"": vni}, ""))) {
				d.add("its end of VNI %s is %s", vni, orNone(own[vni]))
			}
		}
	}
	for _, vni := range slices.Sorted(maps.Keys(k.Remote)) {
		if have, ok := remote[vni]; !ok || have != k.Remote[vni] {
			d.add("VNI %s has %d other ends", vni, have)
		}
	}
	return nil
}

// vnisOf are the VNIs of an answer, which is a list or an object by VNI.
func vnisOf(v any) []object {
	if o, ok := v.(object); ok {
		var out []object
		for _, e := range o {
			out = append(out, objects(e)...)
		}
		return out
	}
	return objects(v)
}
