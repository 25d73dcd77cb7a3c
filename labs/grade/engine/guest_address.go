package engine

import (
	"context"
	"net/netip"
	"strings"

	"github.com/patchbay/patchbay/labs/grade"
)

// ipLink is an interface as “ip -j -d link” and “ip -j address” have it.
type ipLink struct {
	Name      string   `json:"ifname"`
	Parent    string   `json:"link"`
	Flags     []string `json:"flags"`
	MTU       int      `json:"mtu"`
	Master    string   `json:"master"`
	State     string   `json:"operstate"`
	MAC       string   `json:"address"`
	Addresses []ipAddr `json:"addr_info"`
	Info      struct {
		Kind  string `json:"info_kind"`
		Data  object `json:"info_data"` // what kinds of interface say of themselves
		Slave object `json:"info_slave_data"`
	} `json:"linkinfo"`
}

type ipAddr struct {
	Family string `json:"family"`
	Local  string `json:"local"`
	Length int    `json:"prefixlen"`
	Scope  string `json:"scope"`
}

func parseLinks(text string) ([]ipLink, error) { return decodeList[ipLink](text) }

func evalAddress(ctx context.Context, t Target, k *grade.Address) (verdict, error) {
	return ask(ctx, t, k.Node, func(a *asker) (bool, string, error) {
		text, err := a.text("ip", "-j", "address", "show")
		if err != nil {
			return false, "", err
		}
		links, err := parseLinks(text)
		if err != nil {
			return false, "", a.silent("%v", err)
		}
		var have []netip.Prefix
		var list []string
		there := false
		for _, l := range links {
			if k.Interface != "" && l.Name != k.Name() {
				continue
			}
			there = true
			for _, x := range l.Addresses {
				addr, err := netip.ParseAddr(x.Local)
				if err != nil {
					continue
				}
				p := netip.PrefixFrom(addr, x.Length)
				have = append(have, p)
				if !addr.IsLoopback() && !addr.IsLinkLocalUnicast() {
					list = append(list, p.String())
				}
			}
		}
		if k.Interface != "" && !there {
			return false, a.name + " has no interface " + k.Name(), nil
		}
		var d differences
		var wanted []netip.Prefix
		for _, w := range k.Address {
			rest, barred := grade.Barred(w)
			p, exact := parseWanted(rest)
			hit := false
			for _, h := range have {
				hit = hit || hasAddress(p, exact, h)
			}
			if hit == barred {
				d.add("%s", rest)
			}
			if !barred {
				wanted = append(wanted, p)
			}
		}
		subject := a.name
		if k.Interface != "" {
			subject = k.Name() + " of " + a.name
		}
		seen := subject + " has " + several(list, "no address")
		if k.Only {
			for _, h := range have {
				if h.Addr().IsLoopback() || h.Addr().IsLinkLocalUnicast() || !sameFamily(h, wanted) {
					continue
				}
				known := false
				for _, w := range k.Address {
					rest, barred := grade.Barred(w)
					p, exact := parseWanted(rest)
					known = known || !barred && hasAddress(p, exact, h)
				}
				if !known {
					d.add("%s", h)
				}
			}
		}
		return len(d) == 0, seen, nil
	})
}

// parseWanted reads 10.0.0.1/24, 10.0.0.1 or 10.0.0.0/24. exact says that the
// length counts.
func parseWanted(s string) (p netip.Prefix, exact bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p, true
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(addr, addr.BitLen()), false
}

func hasAddress(want netip.Prefix, exact bool, have netip.Prefix) bool {
	switch {
	case !want.IsValid():
		return false
	case !exact:
		return want.Addr() == have.Addr()
	case want == have:
		return true
	}
	// A network, that is one without bits of a host, asks for any address in it.
	network := want == want.Masked() && want.Bits() < want.Addr().BitLen()
	return network && want.Bits() == have.Bits() && want.Contains(have.Addr())
}

func sameFamily(p netip.Prefix, list []netip.Prefix) bool {
	for _, q := range list {
		if q.Addr().Is4() == p.Addr().Is4() {
			return true
		}
	}
	return false
}

func evalLink(ctx context.Context, t Target, k *grade.Link) (verdict, error) {
	return ask(ctx, t, k.Node, func(a *asker) (bool, string, error) {
		text, err := a.text("ip", "-j", "-d", "link", "show")
		if err != nil {
			return false, "", err
		}
		links, err := parseLinks(text)
		if err != nil {
			return false, "", a.silent("%v", err)
		}
		var names []string
		for _, l := range links {
			if l.Name == k.Name() {
				return compareLink(k, &l)
			}
			names = append(names, l.Name)
		}
		return false, a.name + " has no interface " + k.Name() + "; it has " + several(names, "none"), nil
	})
}

func (l *ipLink) flag(name string) bool {
	for _, f := range l.Flags {
		if strings.EqualFold(f, name) {
			return true
		}
	}
	return false
}

func compareLink(k *grade.Link, l *ipLink) (bool, string, error) {
	var d differences
	name := l.Name
	d.wantBool(k.Up, l.flag("UP"), name+" is up", name+" is down")
	// LOWER_UP is the carrier's word; NO-CARRIER is said of those that are up.
	d.wantBool(k.Carrier, l.flag("LOWER_UP") && !l.flag("NO-CARRIER"), name+" has a carrier", name+" has no carrier")
	if k.MTU != 0 && k.MTU != l.MTU {
		d.add("its MTU is %d", l.MTU)
	}
	d.want("its address", k.MAC, l.MAC)
	if k.Master == "none" && l.Master != "" {
		d.add("it belongs to %s", l.Master)
	} else if k.Master != "none" {
		d.want("its master", k.Master, l.Master)
	}
	kind := l.Info.Kind
	d.want("its kind", k.Kind, kind)
	data := l.Info.Data
	parent := l.Parent
	if parent == "" {
		parent = textIn(data, "link")
	}
	d.want("what it lies on", k.Parent, parent)
	for _, is := range []struct {
		kind string
		want int
	}{{"vlan", k.VLAN}, {"vxlan", k.VNI}} {
		if have := numberIn(data, "id"); is.want != 0 && (kind != is.kind || have != is.want) {
			d.add("it is %s with the id %s", orNone(kind), orNone(textIn(data, "id")))
		}
	}
	for _, end := range []struct {
		what, want string
		have       []string
	}{{"its own end", k.Local, []string{textIn(data, "local"), textIn(data, "local6")}}, {"its other end", k.Remote, []string{textIn(data, "remote"), textIn(data, "remote6"), textIn(data, "group")}}} {
		met := end.want == ""
		for _, h := range end.have {
			met = met || sameAddr(end.want, h)
		}
		if !met {
			d.add("%s is %s", end.what, orNone(strings.Join(end.have, "")))
		}
	}
	d.want("its table", k.Table, textIn(data, "table"))
	d.want("its mode", k.Mode, textIn(data, "mode"))
	for _, f := range k.Flags {
		rest, barred := grade.Barred(f)
		if l.flag(rest) == barred {
			d.add("its flags are %s", strings.Join(l.Flags, ","))
			break
		}
	}
	return d.result(name + " is " + orNone(kind) + ", " + strings.ToLower(l.State) + ", MTU " + itoa(l.MTU))
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func evalNeighbour(ctx context.Context, t Target, k *grade.Neighbour) (verdict, error) {
	return ask(ctx, t, k.Node, func(a *asker) (bool, string, error) {
		args := []string{"ip", "-j", "neighbour", "show"}
		if k.Proxy {
			args = append(args, "proxy")
		}
		text, err := a.text(args...)
		if err != nil {
			return false, "", err
		}
		list, err := decodeList[neighbour](text)
		if err != nil {
			return false, "", a.silent("%v", err)
		}
		var seen []string
		for _, n := range list {
			if !sameAddr(k.Address, n.Address) {
				continue
			}
			text := n.Address + " is " + orNone(n.MAC) + " at " + n.Device + " (" + strings.ToLower(strings.Join(n.State, " ")) + ")"
			if n.matches(k) {
				return true, text, nil
			}
			seen = append(seen, text)
		}
		return false, several(seen, a.name+" does not have "+k.Address+" in its neighbour table"), nil
	})
}

type neighbour struct {
	Address string   `json:"dst"`
	Device  string   `json:"dev"`
	MAC     string   `json:"lladdr"`
	State   []string `json:"state"`
}

func (n *neighbour) matches(k *grade.Neighbour) bool {
	if k.MAC != "" && !strings.EqualFold(k.MAC, n.MAC) || k.Interface != "" && n.Device != k.Interface && n.Device != "eth"+k.Interface {
		return false
	}
	if len(k.State) == 0 {
		return k.Proxy || n.MAC != ""
	}
	for _, want := range k.State {
		for _, have := range n.State {
			if strings.EqualFold(want, have) {
				return true
			}
		}
	}
	return false
}
