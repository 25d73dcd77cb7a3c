package checker

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/patchbay/patchbay/labs/grade"
)

func (c *converter) startup(e entry) {
	c.words(e.value, e.key, func(device string, _ int) {
		node, _ := c.node(device)
		c.add(device, check{title: device + " has a startup file", kind: "declared", asks: ordered{{"node", node}, {"startup", true}}}, "startup")
	})
}

func (c *converter) ipv6(e entry) {
	c.words(e.value, e.key, func(device string, _ int) {
		node, _ := c.node(device)
		c.add(device, check{title: "The lab turns IPv6 on at " + device, kind: "declared", asks: ordered{{"node", node}, {"ipv6", true}}}, "ipv6")
	})
}

func (c *converter) sysctls(e entry) {
	c.each(e.value, e.key, func(d entry) {
		node, _ := c.node(d.key)
		c.words(d.value, e.key, func(word string, line int) {
			key, value, ok := strings.Cut(word, "=")
			if !ok {
				c.note(line, "sysctls: %q is not taken over: write it like net.ipv4.ip_forward=1", word)
				return
			}
			c.add(d.key, check{title: "The lab sets " + word + " on " + d.key, kind: "declared",
				asks: ordered{{"node", node}, {"sysctls", ordered{{strings.TrimSpace(key), strings.TrimSpace(value)}}}}}, "sysctl", key)
		})
	})
}

func (c *converter) addresses(e entry) {
	c.each(e.value, e.key, func(d entry) {
		node, _ := c.node(d.key)
		c.each(d.value, e.key+"."+d.key, func(f entry) {
			name := f.key
			if name != "" && strings.Trim(name, "0123456789") == "" {
				name = "eth" + name
			}
			c.words(f.value, e.key, func(word string, line int) {
				if !address(word) {
					c.note(line, "ip_mapping: %q is not taken over: it is no address", word)
					return
				}
				c.add(d.key, check{title: name + " of " + d.key + " has " + word, within: quick, kind: "address",
					asks: ordered{{"node", node}, {"interface", name}, {"address", []string{word}}}}, name, word)
			})
		})
	})
}

func address(s string) bool {
	_, err := netip.ParsePrefix(s)
	_, err2 := netip.ParseAddr(s)
	return err == nil || err2 == nil
}

func (c *converter) daemons(e entry) {
	c.each(e.value, e.key, func(d entry) {
		node, _ := c.node(d.key)
		c.words(d.value, e.key, func(word string, line int) {
			rest, barred := grade.Barred(word)
			if _, err := regexp.Compile(rest); err != nil || rest == "" || strings.ContainsAny(rest, "/ ") {
				c.note(line, "daemons: %q is not taken over: it is no name of a program", word)
				return
			}
			title, verb := d.key+" runs "+rest, "runs"
			if barred {
				title, verb = d.key+" does not run "+rest, "lacks"
			}
			c.add(d.key, check{title: title, within: quick, kind: "process",
				asks: ordered{{"node", node}, {"name", []string{word}}, {"like", true}}}, verb, rest)
		})
	})
}

func (c *converter) reach(e entry) {
	c.each(e.value, e.key, func(d entry) {
		node, _ := c.node(d.key)
		c.words(d.value, e.key, func(word string, line int) {
			rest, barred := grade.Barred(word)
			if rest == "" || strings.HasPrefix(rest, "-") || strings.ContainsAny(rest, " /'\"") {
				c.note(line, "reachability: %q is not taken over: it is neither an address nor a name", word)
				return
			}
			k := check{title: d.key + " reaches " + rest, within: c.within, kind: "reach", asks: ordered{{"node", node}, {"to", []string{rest}}}}
			verb := "reaches"
			if barred {
				// It must hold while the network converges, and go on.
				k.title, k.not, k.hold, verb = d.key+" does not reach "+rest, true, min(c.within/2, grade.MaxFor), "misses"
			}
			c.add(d.key, k, verb, rest)
		})
	})
}

func (c *converter) routes(e entry) {
	c.each(e.value, e.key, func(d entry) {
		node, _ := c.node(d.key)
		if d.kind != list {
			c.note(d.line, "kernel_routes: the table of %s is not taken over: it has to be a list", d.key)
			return
		}
		hops := []any{}
		for _, r := range d.items {
			to, via := r.text, []string(nil)
			if r.kind == list && len(r.items) > 0 {
				to = r.items[0].text
				if len(r.items) > 1 {
					via = c.texts(r.items[1], e.key)
				}
			}
			if !address(to) && to != "default" {
				c.note(r.line, "kernel_routes: %q is not taken over: it is no network; so the whole table of %s is not asked for", to, d.key)
				return
			}
			hop := ordered{{"to", to}}
			if len(via) > 0 {
				hop = append(hop, pair{"via", via})
			}
			hops = append(hops, hop)
		}
		asks := ordered{{"node", node}, {"only", true}, {"links", true}}
		if len(hops) > 0 {
			asks = append(asks, pair{"routes", hops})
		}
		c.add(d.key, check{title: "The routes of " + d.key + " are these and no others", within: c.within, kind: "route", asks: asks}, "routes")
	})
}

func (c *converter) bridges(e entry) {
	c.each(e.value, e.key, func(d entry) {
		node, _ := c.node(d.key)
		for _, b := range d.items {
			ports, vxlans := ordered{}, ordered{}
			var names []string
			c.each(b.get("interfaces"), "interfaces", func(f entry) { ports, names = append(ports, pair{f.key, ordered{}}), append(names, f.key) })
			c.each(b.get("vxlan"), "vxlan", func(f entry) { vxlans, names = append(vxlans, pair{f.key, ordered{}}), append(names, "VNI "+f.key) })
			add := func(title string, asks ordered, words ...string) {
				c.add(d.key, check{title: title, within: quick, kind: "bridge", asks: append(ordered{{"node", node}}, asks...)}, words...)
			}
			together := ordered{{"filtering", true}}
			if len(ports) > 0 {
				together = append(together, pair{"ports", ports})
			}
			if len(vxlans) > 0 {
				together = append(together, pair{"vxlan", vxlans})
			}
			add("One bridge of "+d.key+" has "+strings.Join(names, ", ")+" and minds VLANs", together, "bridge")
			for _, part := range []struct{ key, to string }{{"interfaces", "ports"}, {"vxlan", "vxlan"}} {
				c.each(b.get(part.key), part.key, func(f entry) {
					c.each(f.value, f.key, func(p entry) {
						switch p.key {
						case "pvid":
							n, err := strconv.Atoi(p.text)
							if err != nil {
								c.note(p.at, "bridges: pvid %q is not taken over: it is no number", p.text)
								return
							}
							add(f.key+" of "+d.key+" has PVID "+p.text, ordered{{part.to, ordered{{f.key, ordered{{"pvid", n}}}}}}, f.key, "pvid")
						case "vlan_tags":
							vlans := []any{}
							c.words(p.value, p.key, func(w string, line int) {
								if n, err := strconv.Atoi(w); err == nil {
									vlans = append(vlans, n)
								} else {
									c.note(line, "bridges: VLAN %q is not taken over: it is no number", w)
								}
							})
							add(f.key+" of "+d.key+" is in VLANs "+strings.Trim(flow(vlans), "[]"),
								ordered{{part.to, ordered{{f.key, ordered{{"vlans", vlans}, {"first", true}}}}}}, f.key, "vlans")
						default:
							c.note(p.at, "bridges: %s is not known, and not taken over", p.key)
						}
					})
				})
			}
			c.each(b, "a bridge", func(p entry) {
				if p.key != "interfaces" && p.key != "vxlan" {
					c.note(p.at, "bridges: %s is not known, and not taken over", p.key)
				}
			})
		}
	})
}

// ownFile is a path that the student's disk has and the image need not.
var ownFile = regexp.MustCompile(`(^|[\s='"(:])(/(?:etc|var|root|home|srv|opt|shared|hostlab|hosthome|mnt|usr/local)(?:/|\b))`)

func (c *converter) commands(e entry) {
	c.each(e.value, e.key, func(d entry) {
		node, _ := c.node(d.key)
		for _, item := range d.items {
			run := strings.TrimSpace(item.get("command").text)
			if run == "" {
				c.note(item.line, "custom_commands: an entry without a command is not taken over")
				continue
			}
			if own := ownFile.ReplaceAllString(run, "${1}/student$2"); own != run {
				c.note(item.get("command").line, "custom_commands: the command looks below /student for the machine's own files, since Patchbay runs it with the image's programs: %s", own)
				run = own
			}
			asks := ordered{{"node", node}, {"run", run}, {"stream", "either"}}
			exit := -1
			c.each(item, "a command", func(p entry) {
				switch p.key {
				case "command":
				case "exit_code":
					if n, err := strconv.Atoi(p.text); err == nil {
						exit = n
					} else {
						c.note(p.at, "custom_commands: exit_code %q is not taken over: it is no number", p.text)
					}
				case "output":
					asks = append(asks, pair{"output", strings.ReplaceAll(strings.ReplaceAll(p.text, "\r\n", "\n"), "\r", "\n")})
				case "regex_match":
					if _, err := regexp.Compile(p.text); err != nil {
						c.note(p.at, "custom_commands: regex_match is not taken over: Patchbay's regular expressions are those of RE2: %v", err)
						return
					}
					asks = append(asks, pair{"matches", []string{p.text}})
				default:
					c.note(p.at, "custom_commands: %s is not known, and not taken over", p.key)
				}
			})
			asks = append(asks, pair{"exit", exit})
			c.add(d.key, check{title: "“" + item.get("command").text + "” on " + d.key + " does what it should", within: c.within, kind: "command", asks: asks}, "command")
		}
	})
}
