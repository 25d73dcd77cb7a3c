package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/patchbay/patchbay/labs/grade"
)

// bridgeVLANs is what “bridge -j vlan” has of a port.
type bridgeVLANs struct {
	Name  string `json:"ifname"`
	VLANs []struct {
		VLAN  int      `json:"vlan"`
		End   int      `json:"vlanEnd"`
		Flags []string `json:"flags"`
	} `json:"vlans"`
}

// bridgeEntry is what “bridge -j fdb” has of an address.
type bridgeEntry struct {
	MAC    string `json:"mac"`
	Port   string `json:"ifname"`
	Master string `json:"master"`
	State  string `json:"state"`
}

// portState is a port of a bridge as it is.
type portState struct {
	vlans, untagged []int
	pvid            int
	state           string
}

func (b *bridgeVLANs) port() portState {
	var p portState
	for _, v := range b.VLANs {
		for id := v.VLAN; id <= max(v.VLAN, min(v.End, 4095)); id++ {
			p.vlans = append(p.vlans, id)
			if slices.Contains(v.Flags, "PVID") {
				p.pvid = id
			}
			if slices.Contains(v.Flags, "Egress Untagged") {
				p.untagged = append(p.untagged, id)
			}
		}
	}
	slices.Sort(p.vlans)
	slices.Sort(p.untagged)
	return p
}

func (p portState) String() string {
	s := "VLANs " + strings.Trim(fmt.Sprint(p.vlans), "[]")
	if len(p.vlans) == 0 {
		s = "no VLANs"
	}
	if p.pvid != 0 {
		s += fmt.Sprintf(", PVID %d", p.pvid)
	}
	return s
}

// differs says in what a port is not as wanted.
func (p portState) differs(name string, w grade.BridgePort) (d differences) {
	sorted := func(list []int, without int) []int {
		list = slices.DeleteFunc(slices.Clone(list), func(v int) bool { return v == without })
		slices.Sort(list)
		return slices.Compact(list)
	}
	// The PVID may be among the VLANs that are named or not.
	if w.VLANs != nil && !slices.Equal(sorted(w.VLANs, 0), p.vlans) && !slices.Equal(sorted(w.VLANs, p.pvid), sorted(p.vlans, p.pvid)) &&
		(!w.First || !slices.Equal(sorted(w.VLANs, 1), sorted(p.vlans, 1))) {
		d.add("%s has %s", name, p)
	}
	if w.PVID != nil && *w.PVID != p.pvid {
		d.add("the PVID of %s is %d", name, p.pvid)
	}
	if w.Untagged != nil && !slices.Equal(sorted(w.Untagged, 0), p.untagged) {
		d.add("%s leaves VLANs %s untagged", name, strings.Trim(fmt.Sprint(p.untagged), "[]"))
	}
	if w.State != "" && !strings.EqualFold(w.State, p.state) {
		d.add("%s is %s", name, orNone(p.state))
	}
	return d
}

func evalBridge(ctx context.Context, t Target, k *grade.Bridge) (verdict, error) {
	return ask(ctx, t, k.Node, func(a *asker) (bool, string, error) {
		text, err := a.text("ip", "-j", "-d", "link", "show")
		if err != nil {
			return false, "", err
		}
		links, err := parseLinks(text)
		if err != nil {
			return false, "", a.silent("%v", err)
		}
		if text, err = a.text("bridge", "-j", "vlan", "show"); err != nil {
			return false, "", err
		}
		vlans, err := decodeList[bridgeVLANs](text)
		if err != nil {
			return false, "", a.silent("%v", err)
		}
		var fdb []bridgeEntry
		if len(k.FDB) > 0 {
			if text, err = a.text("bridge", "-j", "fdb", "show"); err != nil {
				return false, "", err
			}
			if fdb, err = decodeList[bridgeEntry](text); err != nil {
				return false, "", a.silent("%v", err)
			}
		}
		var wrong []string
		for i := range links {
			br := &links[i]
			if br.Info.Kind != "bridge" || k.Bridge != "" && br.Name != k.Bridge {
				continue
			}
			d, seen := compareBridge(k, br, links, vlans, fdb)
			if len(d) == 0 {
				return true, seen, nil
			}
			wrong = append(wrong, br.Name+": "+several(d, ""))
		}
		none := a.name + " has no bridge"
		if k.Bridge != "" {
			none += " " + k.Bridge
		}
		return false, several(wrong, none), nil
	})
}

// compareBridge says in what a bridge is not as wanted, and what it has.
func compareBridge(k *grade.Bridge, br *ipLink, links []ipLink, vlans []bridgeVLANs, fdb []bridgeEntry) (differences, string) {
	ports := map[string]portState{}
	byVNI := map[string]string{}
	for i := range links {
		l := &links[i]
		if l.Master != br.Name {
			continue
		}
		var p portState
		for j := range vlans {
			if vlans[j].Name == l.Name {
				p = vlans[j].port()
			}
		}
		p.state = textIn(l.Info.Slave, "state")
		ports[l.Name] = p
		if l.Info.Kind == "vxlan" {
			byVNI[textIn(l.Info.Data, "id")] = l.Name
		}
	}
	var d differences
	wanted := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(k.Ports)) {
		wanted[name] = true
		p, ok := ports[name]
		if !ok {
			d.add("%s is no port of it", name)
			continue
		}
		d = append(d, p.differs(name, k.Ports[name])...)
	}
	for _, vni := range slices.Sorted(maps.Keys(k.VXLAN)) {
		name, ok := byVNI[vni]
		if !ok {
			d.add("no VXLAN with VNI %s is a port of it", vni)
			continue
		}
		wanted[name] = true
		d = append(d, ports[name].differs(name, k.VXLAN[vni])...)
	}
	names := slices.Sorted(maps.Keys(ports))
	if k.Only {
		for _, name := range names {
			if !wanted[name] {
				d.add("%s is a port of it too", name)
			}
		}
	}
	data := br.Info.Data
	d.wantBool(k.Filtering, numberIn(data, "vlan_filtering") == 1, "it minds VLANs", "it does not mind VLANs")
	d.wantBool(k.STP, numberIn(data, "stp_state") > 0, "it has spanning tree", "it has no spanning tree")
	// Not by root_id: iproute2 6.1, the image's, writes the bridge's own id there.
	d.wantBool(k.Root, isRoot(data), "it is the root", fmt.Sprintf("it is not the root, which lies behind its port %d", numberIn(data, "root_port")))
	d.wantInt("its priority", k.Priority, numberIn(data, "priority"))
	for _, mac := range slices.Sorted(maps.Keys(k.FDB)) {
		at := ""
		for _, e := range fdb {
			if strings.EqualFold(e.MAC, mac) && e.Master == br.Name {
				at = e.Port
				if at == k.FDB[mac] {
					break
				}
			}
		}
		if at != k.FDB[mac] {
			d.add("%s was learned at %s", mac, orNone(at))
		}
	}
	var list []string
	for _, name := range names {
		list = append(list, name+" ("+ports[name].String()+")")
	}
	return d, br.Name + " has the ports " + several(list, "none")
}

// isRoot says whether a bridge is the root of its spanning tree: only the root
// has no port that leads to it.
func isRoot(data map[string]any) bool {
	_, told := data["root_port"]
	return told && numberIn(data, "root_port") == 0
}
