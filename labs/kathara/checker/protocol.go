package checker

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/patchbay/patchbay/labs/grade"
)

// daemons are those of FRR that a check can ask for their configuration.
var daemons = []string{"bgpd", "ospfd", "ospf6d", "ripd", "ripngd", "isisd", "zebra", "eigrpd", "babeld", "pimd", "ldpd", "staticd"}

func (c *converter) protocol(p entry) {
	if !slices.Contains(daemons, p.key) {
		c.note(p.at, "protocols.%s is not taken over: there is no such daemon in Patchbay's image", p.key)
		return
	}
	c.each(p.value, p.key, func(e entry) {
		what := p.key + " " + e.key
		devices := func(f func(device, node string, v value)) {
			c.each(e.value, what, func(d entry) {
				node, _ := c.node(d.key)
				f(d.key, node, d.value)
			})
		}
		switch {
		case e.key == "networks":
			devices(func(device, node string, v value) {
				c.words(v, what, func(w string, _ int) {
					c.add(device, check{title: p.key + " of " + device + " announces " + w, within: quick, kind: "frr",
						asks: ordered{{"node", node}, {"daemon", p.key}, {"networks", []string{w}}}}, p.key, "network", w)
				})
			})
		case e.key == "injections":
			devices(func(device, node string, v value) {
				c.words(v, what, func(w string, _ int) {
					rest, barred := grade.Barred(w)
					title, verb := p.key+" of "+device+" redistributes "+rest, "takes"
					if barred {
						title, verb = p.key+" of "+device+" does not redistribute "+rest, "leaves"
					}
					c.add(device, check{title: title, within: quick, kind: "frr",
						asks: ordered{{"node", node}, {"daemon", p.key}, {"redistribute", []string{w}}}}, p.key, verb, rest)
				})
			})
		case p.key == "bgpd" && e.key == "neighbors":
			devices(c.bgpNeighbours)
		case p.key == "bgpd" && e.key == "routes":
			devices(c.bgpRoutes)
		case p.key == "bgpd" && e.key == "evpn_sessions":
			ends := p.get("vtep_devices")
			devices(func(device, node string, v value) {
				c.words(v, what, func(w string, _ int) {
					c.add(device, check{title: device + " has an EVPN session with " + w, within: c.within, kind: "bgp",
						asks: ordered{{"node", node}, {"evpn_sessions", []string{w}}}}, "evpn", w)
				})
				if ends.kind == mapping && ends.get(device).kind == null {
					c.add(device, check{title: device + " announces no VNIs", within: quick, kind: "frr",
						asks: ordered{{"node", node}, {"daemon", "bgpd"}, {"config", []string{"!advertise-all-vni"}}}}, "no", "vnis")
				}
			})
		case p.key == "bgpd" && e.key == "vtep_devices":
			sessions := p.get("evpn_sessions").kind == mapping
			devices(func(device, node string, v value) {
				c.words(v.get("vnis"), what, func(w string, line int) {
					n, err := strconv.Atoi(w)
					if err != nil {
						c.note(line, "vtep_devices: %q is not taken over: it is no VNI", w)
						return
					}
					c.add(device, check{title: device + " has VNI " + w + " at " + v.get("ip").text, within: c.within, kind: "bgp",
						asks: ordered{{"node", node}, {"vtep", ordered{{"ip", v.get("ip").text}, {"vnis", []any{n}}}}}}, "vni", w)
				})
				if sessions {
					c.add(device, check{title: device + " announces all its VNIs", within: quick, kind: "frr",
						asks: ordered{{"node", node}, {"daemon", "bgpd"}, {"config", []string{"advertise-all-vni"}}}}, "all", "vnis")
				}
			})
		case p.key == "ospfd" && e.key == "neighbors":
			devices(func(device, node string, v value) {
				for _, n := range v.items {
					id, state := n.get("router_id").text, n.get("state").text
					if state == "" {
						state = "FULL"
					}
					if _, err := netip.ParseAddr(id); err != nil {
						c.note(n.line, "ospfd neighbors: %q is not taken over: it is no router id", id)
						continue
					}
					c.add(device, check{title: "OSPF on " + device + " has the neighbour " + id + " in state " + state, within: c.within, kind: "ospf",
						asks: ordered{{"node", node}, {"neighbours", []any{ordered{{"id", id}, {"state", state}}}}}}, "ospf", id)
				}
			})
		case p.key == "ospfd" && e.key == "routes":
			devices(func(device, node string, v value) {
				for _, r := range v.items {
					to := r.get("route").text
					if !address(to) {
						c.note(r.line, "ospfd routes: %q is not taken over: it is no network", to)
						continue
					}
					c.add(device, check{title: "OSPF on " + device + " has a route to " + to, within: c.within, kind: "ospf",
						asks: ordered{{"node", node}, {"routes", []any{ordered{{"to", to}}}}}}, "ospf", to)
				}
			})
		case p.key == "ospfd" && e.key == "interfaces":
			devices(func(device, node string, v value) {
				c.each(v, what, func(f entry) {
					c.each(f.value, f.key, func(field entry) {
						if field.kind != scalar {
							c.note(field.at, "ospfd interfaces: %s is not taken over: it has to be a single value", field.key)
							return
						}
						c.add(device, check{title: "OSPF at " + f.key + " of " + device + " has " + field.key + " " + field.text, within: c.within, kind: "ospf",
							asks: ordered{{"node", node}, {"interfaces", ordered{{f.key, ordered{{field.key, field.text}}}}}}}, f.key, field.key)
					})
				})
			})
		default:
			c.note(e.at, "protocols.%s.%s is not known, and not taken over", p.key, e.key)
		}
	})
}

func (c *converter) bgpNeighbours(device, node string, v value) {
	all := []any{}
	for _, n := range v.items {
		peer, asn := n.get("ip").text, n.get("asn").text
		as, err := strconv.ParseUint(asn, 10, 32)
		if peer == "" || err != nil {
			c.note(n.line, "bgpd neighbors: this one is not taken over: it needs ip and asn")
			continue
		}
		all = append(all, ordered{{"address", peer}, {"state", "any"}})
		c.add(device, check{title: device + " has an established BGP session with " + peer + " of AS " + asn, within: c.within, kind: "bgp",
			asks: ordered{{"node", node}, {"neighbours", []any{ordered{{"address", peer}, {"asn", int(as)}}}}}}, "bgp", peer)
	}
	if len(all) > 0 {
		c.add(device, check{title: device + " has these BGP neighbours and no others", within: c.within, kind: "bgp",
			asks: ordered{{"node", node}, {"neighbours", all}, {"only", true}}}, "bgp", "only")
	}
}

func (c *converter) bgpRoutes(device, node string, v value) {
next:
	for _, r := range v.items {
		to := r.get("route").text
		if !address(to) {
			c.note(r.line, "bgpd routes: %q is not taken over: it is no network", to)
			continue
		}
		paths := []any{}
		for _, p := range r.get("aspath").items {
			path := []any{}
			for _, as := range p.items {
				if as.text == "" {
					continue // how the checker writes a network of its own
				}
				n, err := strconv.ParseUint(as.text, 10, 32)
				if err != nil {
					c.note(as.line, "bgpd routes: the route to %s is not taken over: %q is no AS", to, as.text)
					continue next
				}
				path = append(path, int(n))
			}
			paths = append(paths, path)
		}
		asks := ordered{{"to", to}}
		if len(paths) > 0 {
			asks = append(asks, pair{"paths", paths}, pair{"only", true})
		}
		c.add(device, check{title: "BGP on " + device + " has " + to + " by these paths and no others", within: c.within, kind: "bgp",
			asks: ordered{{"node", node}, {"routes", []any{asks}}}}, "bgp", to)
	}
}

func (c *converter) applications(v, mapping value) {
	c.each(v, "applications", func(e entry) {
		switch e.key {
		case "dns":
			c.dns(e.value, mapping)
		case "http":
			c.each(e.value, e.key, func(d entry) { c.http(d) })
		default:
			c.note(e.at, "applications.%s is not known, and not taken over", e.key)
		}
	})
}

// holder is the device that has an address, by ip_mapping.
func holder(mapping value, ip string) string {
	for _, d := range mapping.keys {
		for _, f := range d.keys {
			if a, _, _ := strings.Cut(f.text, "/"); a == ip {
				return d.key
			}
		}
	}
	return ""
}

func (c *converter) dns(v, mapping value) {
	var locals, clients []string // addresses of local name servers; who asks them
	c.each(v.get("local_ns"), "local_ns", func(e entry) {
		locals = append(locals, e.key)
		c.words(e.value, "local_ns", func(device string, _ int) {
			node, _ := c.node(device)
			if !slices.Contains(clients, device) {
				clients = append(clients, device)
			}
			c.add(device, check{title: device + " asks the name server " + e.key, kind: "file",
				asks: ordered{{"node", node}, {"path", "/etc/resolv.conf"}, {"lines", []string{"nameserver " + e.key}}}}, "asks", e.key)
		})
	})
	c.each(v, "dns", func(e entry) {
		switch e.key {
		case "local_ns":
		case "authoritative":
			c.each(e.value, e.key, func(zone entry) {
				servers := c.texts(zone.value, zone.key)
				for _, ns := range servers {
					asked := []string{ns}
					if zone.key == "." {
						asked = slices.Concat(asked, slices.DeleteFunc(slices.Clone(servers), func(s string) bool { return s == ns }), locals)
					}
					for _, server := range asked {
						device := holder(mapping, server)
						if device == "" {
							c.note(zone.at, "dns: that %s speaks for %s is not asked of %s: ip_mapping gives the address to nobody", ns, zone.key, server)
							continue
						}
						node, _ := c.node(device)
						c.add(device, check{title: "By " + server + ", " + ns + " has authority for " + zone.key, within: c.within, kind: "names",
							asks: ordered{{"node", node}, {"name", zone.key}, {"type", "NS"}, {"server", server}, {"hosts", []string{ns}}}}, "zone", zone.key, ns)
					}
				}
			})
		case "records":
			if len(clients) == 0 {
				c.note(e.at, "dns.records is not taken over: without local_ns nobody is there to ask")
				return
			}
			c.each(e.value, e.key, func(kind entry) {
				c.each(kind.value, kind.key, func(r entry) {
					for _, device := range clients {
						node, _ := c.node(device)
						c.add(device, check{title: "For " + device + ", " + r.key + " has the right " + kind.key, within: c.within, kind: "names",
							asks: ordered{{"node", node}, {"name", r.key}, {"type", kind.key}, {"one_of", c.texts(r.value, r.key)}}}, "dns", r.key)
					}
				})
			})
		default:
			c.note(e.at, "applications.dns.%s is not known, and not taken over", e.key)
		}
	})
}

func (c *converter) http(d entry) {
	node, _ := c.node(d.key)
	for _, r := range d.items {
		page := r.get("url").text
		if page != "" && !strings.Contains(page, "://") {
			page = "http://" + page // as curl does
		}
		if u, err := url.Parse(page); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			c.note(r.line, "http: %q is not taken over: it is no address of a page", page)
			continue
		}
		asks := ordered{{"node", node}, {"url", page}}
		c.each(r, "http", func(p entry) {
			switch p.key {
			case "url":
			case "method":
				asks = append(asks, pair{"method", strings.ToUpper(p.text)})
			case "status_code":
				if n, err := strconv.Atoi(p.text); err == nil {
					asks = append(asks, pair{"status", n})
				} else {
					c.note(p.at, "http: status_code %q is not taken over: it is no number", p.text)
				}
			case "body_contains":
				if strings.HasPrefix(p.text, "!") { // which would turn it round
					asks = append(asks, pair{"matches", []string{regexp.QuoteMeta(p.text)}})
					return
				}
				asks = append(asks, pair{"contains", []string{p.text}})
			case "regex_body":
				if _, err := regexp.Compile(p.text); err != nil {
					c.note(p.at, "http: regex_body is not taken over: Patchbay's regular expressions are those of RE2: %v", err)
					return
				}
				asks = append(asks, pair{"matches", []string{p.text}})
			default:
				c.note(p.at, "http: %s is not known, and not taken over", p.key)
			}
		})
		c.add(d.key, check{title: d.key + " gets " + page, within: max(c.within, 10*time.Second), kind: "http", asks: asks}, "gets", page)
	}
}
