package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/patchbay/patchbay/labs/grade"
)

// ruleset is what “nft -j list ruleset” has, as far as checks ask.
type ruleset struct {
	chains []chain
	rules  []filterRule
	tables []string // "inet filter"
}

type chain struct{ family, table, name, hook, policy string }

// filterRule is a rule in plain words: what it compares with what, and what it
// does.
type filterRule struct {
	family, table, chain string
	is                   map[string][]string // field: values of which one will do
	do, to               string
}

// describe writes a rule for a sentence.
func (r *filterRule) describe() string {
	var list []string
	for _, key := range []string{"protocol", "saddr", "daddr", "sport", "dport", "iif", "oif", "state"} {
		if v := r.is[key]; len(v) > 0 {
			list = append(list, key+" "+strings.Join(v, ","))
		}
	}
	list = append(list, strings.TrimSpace(r.do+" "+r.to))
	return r.table + "/" + r.chain + ": " + strings.Join(list, " ")
}

// parseRuleset reads nftables' JSON. What it does not know it leaves out: a rule
// then says less than it could, and matches less.
func parseRuleset(text string) (ruleset, error) {
	o, err := parseObject(text)
	if err != nil {
		return ruleset{}, err
	}
	var rs ruleset
	sets := map[string][]string{}
	items := objectsIn(o, "nftables")
	for _, item := range items {
		for _, kind := range []string{"set", "map"} {
			if s := objectIn(item, kind); s != nil {
				sets[textIn(s, "family")+" "+textIn(s, "table")+" "+textIn(s, "name")] = filterValues(s["elem"], nil, "")
			}
		}
	}
	for _, item := range items {
		if t := objectIn(item, "table"); t != nil {
			rs.tables = append(rs.tables, textIn(t, "family")+" "+textIn(t, "name"))
		}
		if c := objectIn(item, "chain"); c != nil {
			rs.chains = append(rs.chains, chain{textIn(c, "family"), textIn(c, "table"), textIn(c, "name"), textIn(c, "hook"), textIn(c, "policy")})
		}
		if r := objectIn(item, "rule"); r != nil {
			rs.rules = append(rs.rules, parseRule(r, sets)...)
		}
	}
	return rs, nil
}

// parseRule makes one rule of a rule, and several of one with a verdict map.
func parseRule(o object, sets map[string][]string) []filterRule {
	base := filterRule{family: textIn(o, "family"), table: textIn(o, "table"), chain: textIn(o, "chain"), is: map[string][]string{}}
	prefix := base.family + " " + base.table + " "
	var out []filterRule
	for _, e := range objectsIn(o, "expr") {
		for key, v := range e {
			body, _ := v.(object)
			switch key {
			case "match":
				op := textIn(body, "op")
				field, protocol := filterField(objectIn(body, "left"))
				if protocol != "" && len(base.is["protocol"]) == 0 {
					base.is["protocol"] = []string{protocol}
				}
				if field != "" && (op == "==" || op == "in" || op == "") {
					base.is[field] = filterValues(body["right"], sets, prefix)
				} else if field != "" {
					base.is[field] = []string{"not " + strings.Join(filterValues(body["right"], sets, prefix), ",")}
				}
			case "vmap":
				field, protocol := filterField(objectIn(body, "key"))
				if protocol != "" && len(base.is["protocol"]) == 0 {
					base.is["protocol"] = []string{protocol}
				}
				out = append(out, base.spread(field, objectIn(body, "data"))...)
			default:
				if do, to := filterVerdict(key, v); do != "" && (base.do == "" || base.do == "log") {
					base.do, base.to = do, to
				}
			}
		}
	}
	return append(out, base)
}

// spread makes a rule for each verdict of a map.
func (r *filterRule) spread(field string, data object) []filterRule {
	var out []filterRule
	pairs, _ := data["set"].([]any)
	for _, p := range pairs {
		pair, _ := p.([]any)
		if len(pair) != 2 {
			continue
		}
		verdict, _ := pair[1].(object)
		for key, v := range verdict {
			do, to := filterVerdict(key, v)
			values := filterValues(pair[0], nil, "")
			i := slices.IndexFunc(out, func(o filterRule) bool { return o.do == do && o.to == to })
			if i >= 0 {
				out[i].is[field] = append(out[i].is[field], values...)
				continue
			}
			n := filterRule{family: r.family, table: r.table, chain: r.chain, do: do, to: to, is: map[string][]string{field: values}}
			for k, v := range r.is {
				if k != field {
					n.is[k] = v
				}
			}
			out = append(out, n)
		}
	}
	return out
}

// filterField names what a match looks at, and the protocol that this implies.
func filterField(left object) (field, protocol string) {
	if p := objectIn(left, "payload"); p != nil {
		proto, f := textIn(p, "protocol"), textIn(p, "field")
		switch f {
		case "saddr", "daddr":
			return f, ""
		case "sport", "dport":
			if proto == "th" {
				proto = ""
			}
			return f, proto
		case "protocol", "nexthdr":
			return "protocol", ""
		}
		switch proto {
		case "tcp", "udp", "icmp", "icmpv6", "sctp", "esp", "ah":
			return proto + " " + f, proto
		}
		return proto + " " + f, ""
	}
	if m := objectIn(left, "meta"); m != nil {
		switch key := textIn(m, "key"); key {
		case "iifname", "iif":
			return "iif", ""
		case "oifname", "oif":
			return "oif", ""
		case "l4proto":
			return "protocol", ""
		default:
			return "meta " + key, ""
		}
	}
	if c := objectIn(left, "ct"); c != nil {
		if textIn(c, "key") == "state" {
			return "state", ""
		}
		return "ct " + textIn(c, "key"), ""
	}
	return "", ""
}

// filterValues flattens what a match compares with.
func filterValues(v any, sets map[string][]string, prefix string) []string {
	switch v := v.(type) {
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, filterValues(e, sets, prefix)...)
		}
		return out
	case object:
		if p := objectIn(v, "prefix"); p != nil {
			return []string{textIn(p, "addr") + "/" + textIn(p, "len")}
		}
		if r, ok := v["range"].([]any); ok && len(r) == 2 {
			return []string{plain(r[0]) + "-" + plain(r[1])}
		}
		if e := objectIn(v, "elem"); e != nil {
			return filterValues(e["val"], sets, prefix)
		}
		if s, ok := v["set"]; ok {
			return filterValues(s, sets, prefix)
		}
		return nil
	case nil:
		return nil
	}
	text := plain(v)
	if name, ok := strings.CutPrefix(text, "@"); ok {
		return sets[prefix+name]
	}
	return []string{text}
}

// filterVerdict names what an expression does; other expressions do nothing.
func filterVerdict(key string, v any) (do, to string) {
	body, _ := v.(object)
	switch key {
	case "accept", "drop", "reject", "return", "log", "masquerade", "continue", "queue":
		return key, ""
	case "snat", "dnat", "redirect":
		to = textIn(body, "addr")
		if port := textIn(body, "port"); port != "" {
			if strings.Contains(to, ":") {
				to = "[" + to + "]"
			}
			to += ":" + port
		}
		return key, to
	case "jump", "goto":
		return "jump", textIn(body, "target")
	case "xt":
		if textIn(body, "type") == "target" {
			return strings.ToLower(textIn(body, "name")), ""
		}
	}
	return "", ""
}

func evalFirewall(ctx context.Context, t Target, k *grade.Firewall) (verdict, error) {
	return ask(ctx, t, k.Node, func(a *asker) (bool, string, error) {
		var d differences
		seen := ""
		if len(k.Iptables) > 0 {
			have, err := a.iptables()
			if err != nil {
				return false, "", err
			}
			for _, want := range k.Iptables {
				w := normalRule(want)
				if !slices.ContainsFunc(have, func(h string) bool { return normalRule(h) == w }) {
					d.add("no rule %s", want)
				}
			}
			seen = "the rules are: " + several(have, "none")
			if k.Rule == nil && k.Policy == "" && k.Chain == "" && k.Hook == "" && k.Table == "" {
				if len(d) > 0 {
					seen = several(d, "") + "; " + seen
				}
				return len(d) == 0, seen, nil
			}
		}
		text, err := a.text("nft", "-j", "-n", "list", "ruleset")
		if err != nil {
			return false, "", err
		}
		rs, err := parseRuleset(text)
		if err != nil {
			return false, "", a.silent("%v", err)
		}
		ok, nft := rs.check(k)
		if seen != "" {
			nft += "; " + seen
		}
		return ok && len(d) == 0, nft, nil
	})
}

// check looks for a chain that is as wanted and a rule in it.
func (rs *ruleset) check(k *grade.Firewall) (bool, string) {
	inTable := func(family, table string) bool {
		return (k.Family == "" || k.Family == family) && (k.Table == "" || k.Table == table)
	}
	if k.Chain == "" && k.Hook == "" && k.Policy == "" && k.Rule == nil {
		for _, t := range rs.tables {
			family, name, _ := strings.Cut(t, " ")
			if inTable(family, name) {
				return true, "there is a table " + t
			}
		}
		return false, "the tables are " + several(rs.tables, "none")
	}
	var chains, rules []string
	for _, c := range rs.chains {
		if !inTable(c.family, c.table) || k.Chain != "" && k.Chain != c.name || k.Hook != "" && k.Hook != c.hook {
			continue
		}
		text := c.table + "/" + c.name
		if c.hook != "" {
			text += " at " + c.hook + " with policy " + orNone(c.policy)
		}
		chains = append(chains, text)
		if k.Policy != "" && k.Policy != c.policy {
			continue
		}
		if k.Rule == nil {
			return true, "there is the chain " + text
		}
		for i := range rs.rules {
			r := &rs.rules[i]
			if r.family != c.family || r.table != c.table || r.chain != c.name {
				continue
			}
			if r.matches(k.Rule) {
				return true, "there is the rule " + r.describe()
			}
			rules = append(rules, r.describe())
		}
	}
	if len(chains) == 0 {
		return false, "there is no such chain; there are rules of " + several(rs.tables, "no table")
	}
	if k.Rule == nil || k.Policy != "" && len(rules) == 0 {
		return false, "the chains are " + several(chains, "none")
	}
	return false, "the rules are " + several(rules, "none")
}
