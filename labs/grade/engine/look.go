package engine

import (
	"strings"

	"github.com/patchbay/patchbay/labs/grade"
)

// look is where to look when a check fails whose author says nothing.
func look(k *grade.Kinds) string {
	commands := []struct {
		is      bool
		command string
	}{
		{k.Sysctl != nil, "sysctl -a"},
		{k.Process != nil, "ps -ef"},
		{k.Socket != nil, "ss -tulpn"},
		{k.Address != nil, "ip address"},
		{k.Link != nil, "ip -d link"},
		{k.Route != nil, "ip route; ip -6 route"},
		{k.Neighbour != nil, "ip neigh"},
		{k.Bridge != nil, "bridge vlan; bridge fdb"},
		{k.Firewall != nil, "nft list ruleset"},
		{k.WireGuard != nil, "wg"},
		{k.OSPF != nil, `vtysh -c "show ip ospf neighbor"`},
		{k.BGP != nil, `vtysh -c "show bgp summary"`},
		{k.RIP != nil, `vtysh -c "show ip rip"`},
		{k.ISIS != nil, `vtysh -c "show isis neighbor"`},
		{k.FRR != nil, `vtysh -c "show running-config"`},
	}
	for _, c := range commands {
		if c.is {
			_, _, kind := k.Kind()
			return c.command + " on " + strings.Join(kind.Nodes(), ", ")
		}
	}
	if _, trust, kind := k.Kind(); trust == grade.Wire && kind != nil && len(kind.Segments()) > 0 {
		return "the frames on " + strings.Join(kind.Segments(), ", ")
	}
	return ""
}
