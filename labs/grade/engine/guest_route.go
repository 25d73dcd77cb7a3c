package engine

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/labs/grade"
)

// kernelRoute is a route as “ip -j route” has it.
type kernelRoute struct {
	Type    string    `json:"type"`
	To      string    `json:"dst"`
	Gateway string    `json:"gateway"`
	Via     *viaHop   `json:"via"` // of the other family
	Device  string    `json:"dev"`
	Proto   string    `json:"protocol"`
	Scope   string    `json:"scope"`
	Source  string    `json:"prefsrc"`
	Metric  int       `json:"metric"`
	Hops    []nextHop `json:"nexthops"`
	Flags   []string  `json:"flags"`
}

type nextHop struct {
	Gateway string  `json:"gateway"`
	Via     *viaHop `json:"via"`
	Device  string  `json:"dev"`
}

type viaHop struct {
	Host string `json:"host"`
}

func parseRoutes(text string) ([]kernelRoute, error) { return decodeList[kernelRoute](text) }

// hops are the ways out of a route.
func (r *kernelRoute) hops() []nextHop {
	if len(r.Hops) > 0 {
		return r.Hops
	}
	return []nextHop{{r.Gateway, r.Via, r.Device}}
}

func (h nextHop) address() string {
	if h.Gateway == "" && h.Via != nil {
		return h.Via.Host
	}
	return h.Gateway
}

func (h nextHop) String() string {
	if a := h.address(); a != "" {
		return a
	}
	return h.Device
}

// connected says whether it is a network that the node has an address in.
func (r *kernelRoute) connected() bool {
	return r.Proto == "kernel" && r.Gateway == "" && r.Via == nil && len(r.Hops) == 0
}

func (r *kernelRoute) String() string {
	var via []string
	for _, h := range r.hops() {
		if h.String() != "" {
			via = append(via, h.String())
		}
	}
	s := r.To
	if r.Type != "" && r.Type != "unicast" {
		s = r.Type + " " + s
	}
	if len(via) > 0 {
		s += " via " + strings.Join(via, " and ")
	}
	return s
}

// sameNetwork compares networks however they are written: a single address is a
// network of its own length, and 0.0.0.0/0 is default.
func sameNetwork(a, b string) bool {
	return a == b || network(a) == network(b)
}

func network(s string) string {
	if p, err := netip.ParsePrefix(s); err == nil {
		if p.Bits() == 0 {
			return "default"
		}
		return p.Masked().String()
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()).String()
	}
	return s
}

// sameHops says whether a route's ways are those that are wanted, each named by
// address or interface. No wish is always met.
func sameHops(want []string, have []nextHop) bool {
	if len(want) == 0 {
		return true
	}
	left := slices.Clone(have)
	for _, w := range want {
		// An address before an interface: eth0 would take what 10.0.0.1 needs.
		i := slices.IndexFunc(left, func(h nextHop) bool { return h.address() != "" && sameAddr(w, h.address()) })
		if i < 0 {
			i = slices.IndexFunc(left, func(h nextHop) bool { return h.Device == w })
		}
		if i < 0 {
			return false
		}
		left = slices.Delete(left, i, i+1)
	}
	return len(left) == 0
}

func evalRoute(ctx context.Context, t Target, k *grade.Route) (verdict, error) {
	return ask(ctx, t, k.Node, func(a *asker) (bool, string, error) {
		if k.Packet != "" {
			return a.packet(k)
		}
		table, err := a.table(k)
		if err != nil {
			return false, "", err
		}
		if k.To != "" {
			return findRoute(k, a.name, table)
		}
		return compareTable(k, a.name, table)
	})
}

// table asks for a table of routes, in the families that the check is about.
func (a *asker) table(k *grade.Route) ([]kernelRoute, error) {
	four, six := !k.IPv6, k.IPv6
	for _, to := range append([]string{k.To}, hopTargets(k.Routes)...) {
		if p := network(to); strings.Contains(p, ":") {
			six = true
			four = four && k.To == ""
		}
	}
	var all []kernelRoute
	for _, f := range []struct {
		flag string
		is   bool
	}{{"-4", four}, {"-6", six}} {
		if !f.is {
			continue
		}
		args := []string{"ip", "-j", f.flag, "route", "show"}
		switch {
		case k.VRF != "":
			args = append(args, "vrf", k.VRF)
		case k.Table != "":
			args = append(args, "table", k.Table)
		}
		res, err := a.run(agent.Exec{Args: args})
		if err != nil {
			return nil, err
		}
		if res.Code != 0 {
			if strings.Contains(string(res.Stderr), "FIB table does not exist") {
				continue // a table without routes
			}
			return nil, found("%s has no such table: %s", a.name, said(res))
		}
		list, err := parseRoutes(string(res.Stdout))
		if err != nil {
			return nil, a.silent("%v", err)
		}
		for _, r := range list {
			// The kernel's own, which every interface has.
			if r.Type != "local" && r.Type != "multicast" && r.Type != "broadcast" && r.Type != "anycast" || r.Type == k.Type {
				all = append(all, r)
			}
		}
	}
	return all, nil
}

func hopTargets(hops []grade.Hop) []string {
	out := make([]string, len(hops))
	for i, h := range hops {
		out[i] = h.To
	}
	return out
}

// routesText says in words what a table has.
func routesText(node string, table []kernelRoute) string {
	var list []string
	for i := range table {
		list = append(list, table[i].String())
	}
	return node + " has " + several(list, "no routes")
}

// fits compares what else a check says of a route.
func (r *kernelRoute) fits(k *grade.Route, via []string) bool {
	kind := r.Type
	if kind == "" {
		kind = "unicast"
	}
	return sameHops(via, r.hops()) && (k.Proto == "" || k.Proto == r.Proto) && (k.Metric == nil || *k.Metric == r.Metric) &&
		(k.Type == "" || k.Type == kind) && sameAddr(k.Source, r.Source) && !slices.Contains(r.Flags, "linkdown")
}

// gather puts routes to one network that differ in their next hop alone
// together: IPv6 shows each way as a route.
func gather(table []kernelRoute) []kernelRoute {
	var out []kernelRoute
next:
	for _, r := range table {
		for i := range out {
			o := &out[i]
			if strings.Contains(r.To, ":") && o.To == r.To && o.Proto == r.Proto && o.Metric == r.Metric && o.Type == r.Type {
				o.Hops = append(slices.Clone(o.hops()), r.hops()...)
				continue next
			}
		}
		out = append(out, r)
	}
	return out
}

func findRoute(k *grade.Route, node string, table []kernelRoute) (bool, string, error) {
	var near []string
	for _, r := range slices.Concat(table, gather(table)) {
		if !sameNetwork(k.To, r.To) {
			continue
		}
		if r.fits(k, k.Via) {
			return true, node + " has a route to " + r.String(), nil
		}
		text := r.String()
		if k.Proto != "" {
			text += " made by " + orNone(r.Proto)
		}
		if k.Metric != nil {
			text += fmt.Sprintf(" with metric %d", r.Metric)
		}
		if slices.Contains(r.Flags, "linkdown") {
			text += " over a link that is down"
		}
		if !slices.Contains(near, text) {
			near = append(near, text)
		}
	}
	if len(near) > 0 {
		return false, "the route of " + node + " is to " + several(near, ""), nil
	}
	return false, node + " has no route to " + k.To + "; " + strings.Replace(routesText(node, table), node, "it", 1), nil
}

// compareTable compares a list of routes with a table. A network that the node
// is connected to may be in the list or not, unless connected asks for all.
func compareTable(k *grade.Route, node string, table []kernelRoute) (bool, string, error) {
	var d differences
	all := slices.Concat(table, gather(table))
	for _, h := range k.Routes {
		if !slices.ContainsFunc(all, func(r kernelRoute) bool { return sameNetwork(h.To, r.To) && r.fits(k, h.Via) }) {
			text := h.To
			if len(h.Via) > 0 {
				text += " via " + strings.Join(h.Via, " and ")
			}
			d.add("no route to %s", text)
		}
	}
	if k.Only {
		for i := range table {
			r := &table[i]
			if r.connected() && !k.Connect || k.Links && r.Scope == "link" {
				continue
			}
			if !slices.ContainsFunc(k.Routes, func(h grade.Hop) bool { return sameNetwork(h.To, r.To) }) {
				d.add("a route to %s too many", r)
			}
		}
	}
	seen := routesText(node, table)
	if len(d) > 0 {
		seen = several(d, "") + "; " + seen
	}
	return len(d) == 0, seen, nil
}

// packet asks the kernel where it would send a packet.
func (a *asker) packet(k *grade.Route) (bool, string, error) {
	args := []string{"ip", "-j", "route", "get", k.Packet}
	if k.VRF != "" {
		args = append(args, "vrf", k.VRF)
	}
	res, err := a.run(agent.Exec{Args: args})
	if err != nil {
		return false, "", err
	}
	if res.Code != 0 {
		return false, a.name + " has no route for packets to " + k.Packet + ": " + said(res), nil
	}
	list, err := parseRoutes(string(res.Stdout))
	if err != nil {
		return false, "", a.silent("%v", err)
	}
	if len(list) == 0 {
		return false, a.name + " has no route for packets to " + k.Packet, nil
	}
	r := list[0]
	if k.Source == "" {
		r.Source = ""
	}
	ok := r.fits(&grade.Route{Type: k.Type, Source: k.Source}, k.Via)
	return ok, "packets to " + k.Packet + " go " + strings.TrimPrefix(r.String(), r.To+" "), nil
}
