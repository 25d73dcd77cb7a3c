package engine

import (
	"context"

	"github.com/patchbay/patchbay/labs/grade"
)

// Finding is what a test sees of a verdict.
type Finding struct {
	OK          bool
	Seen, Doubt string
	Evidence    []grade.Evidence
}

// Evaluate tries a check once.
func Evaluate(ctx context.Context, t Target, c *grade.Check) (Finding, error) {
	v, err := evaluate(ctx, t, c)
	return Finding{v.ok, v.seen, v.doubt, v.evidence}, err
}

// ParseAll gives every parser of what a guest prints the same bytes, and returns
// how many things were made of them.
func ParseAll(text string) int {
	n := 0
	links, _ := parseLinks(text)
	routes, _ := parseRoutes(text)
	gather(routes)
	for i := range routes {
		n += len(routes[i].String())
	}
	vlans, _ := decodeList[bridgeVLANs](text)
	for i := range vlans {
		n += len(vlans[i].port().vlans)
	}
	fdb, _ := decodeList[bridgeEntry](text)
	for i := range links {
		compareBridge(&grade.Bridge{FDB: map[string]string{"a": "b"}}, &links[i], links, vlans, fdb)
		_, _, _ = compareLink(&grade.Link{Interface: links[i].Name, VLAN: 1, Remote: "10.0.0.1"}, &links[i])
	}
	rs, _ := parseRuleset(text)
	rs.check(&grade.Firewall{Rule: &grade.Rule{Port: "1-2", Source: "10.0.0.0/8", To: "10.0.0.1", State: []string{"new"}}})
	for _, line := range parseIptables(text) {
		n += len(normalRule(line))
	}
	wg, now := parseWireGuard(text)
	for i := range wg {
		n += len(wg[i].compare(&grade.WireGuard{Peers: []grade.WireGuardPeer{{Allowed: []string{"10.0.0.0/8"}, Handshake: 1}}}, now))
	}
	n += len(parseProcesses(text, text)) + len(parseSockets(text)) + parsePing(text) + len(parseResolver(text))
	answer, _ := parseDig(text)
	_, headers, _ := parseHTTP(text)
	config := parseConfig(text)
	n += len(answer.records) + len(headers) + len(config.lines) + len(parseRIPRoutes(text)) + len(parseRIPSources(text))
	if v, err := parseJSON(text); err == nil {
		n += len(atPath(v, "*.*.*")) + len(vnisOf(v))
	}
	if o, err := parseObject(text); err == nil {
		n += len(parseOSPFNeighbours(o)) + len(parseOSPFRoutes(o)) + len(parseISISNeighbours(o)) + len(zebraRoutes(o))
		var d, good differences
		compareBGPPeers(&d, &good, &grade.BGP{Neighbours: []grade.BGPNeighbour{{Address: "10.0.0.1"}}, Only: true}, o)
		n += len(parseBGPTable(o)) + len(d)
	}
	steps, _ := splitPath(text)
	return n + len(steps)
}

// AtPath is what a check finds at a path.
func AtPath(text, path string) (out []string) {
	v, err := parseJSON(text)
	if err != nil {
		return nil
	}
	for _, e := range atPath(v, path) {
		out = append(out, plain(e))
	}
	return out
}

// The parsers that have tables of their own in tests.
var (
	NormalRule = normalRule
	SysctlPath = sysctlPath
	CoversPort = coversPort
	SameData   = sameData
)

// RuleMatches says whether a rule set in nft's JSON has a rule.
func RuleMatches(text string, w grade.Rule) bool {
	rs, err := parseRuleset(text)
	if err != nil {
		return false
	}
	ok, _ := rs.check(&grade.Firewall{Rule: &w})
	return ok
}

// Bridge says in what the first link that ip prints is not the bridge wanted.
func Bridge(text string, k *grade.Bridge) ([]string, error) {
	links, err := parseLinks(text)
	if err != nil || len(links) == 0 {
		return nil, err
	}
	d, _ := compareBridge(k, &links[0], links, nil, nil)
	return d, nil
}
