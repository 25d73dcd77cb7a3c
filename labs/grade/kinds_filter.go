package grade

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Rule describes rules of a firewall: one that says all of what is given here.
type Rule struct {
	Protocol    string   `json:"protocol,omitempty" yaml:"protocol" doc:"tcp, udp, icmp, icmpv6, esp, gre…"`
	Source      string   `json:"source,omitempty" yaml:"source" doc:"The source's address or network."`
	Destination string   `json:"destination,omitempty" yaml:"destination" doc:"The destination's address or network."`
	SourcePort  string   `json:"source_port,omitempty" yaml:"source_port" doc:"The source's port, or a range 1000-2000."`
	Port        string   `json:"port,omitempty" yaml:"port" doc:"The destination's port, or a range 1000-2000."`
	In          string   `json:"in,omitempty" yaml:"in" doc:"The interface that a packet comes in by."`
	Out         string   `json:"out,omitempty" yaml:"out" doc:"The interface that it goes out by."`
	State       []string `json:"state,omitempty" yaml:"state" doc:"States of connections: new, established, related, invalid."`
	Do          string   `json:"do,omitempty" yaml:"do" doc:"accept, drop, reject, masquerade, snat, dnat, redirect, log, return, or jump."`
	To          string   `json:"to,omitempty" yaml:"to" doc:"Of snat, dnat and redirect: the address, the port behind a colon; of jump: the chain."`
}

// Firewall: see Kinds.
type Firewall struct {
	Node     string   `json:"node" yaml:"node" doc:"The node."`
	Family   string   `json:"family,omitempty" yaml:"family" doc:"ip, ip6, inet, arp, bridge or netdev; any when nothing is said."`
	Table    string   `json:"table,omitempty" yaml:"table" doc:"The table; any when nothing is said."`
	Chain    string   `json:"chain,omitempty" yaml:"chain" doc:"The chain; any when nothing is said."`
	Hook     string   `json:"hook,omitempty" yaml:"hook" doc:"Where the chain hangs: prerouting, input, forward, output, postrouting, ingress."`
	Policy   string   `json:"policy,omitempty" yaml:"policy" doc:"The chain's policy: accept or drop."`
	Rule     *Rule    `json:"rule,omitempty" yaml:"rule" doc:"A rule that is there."`
	Iptables []string `json:"iptables,omitempty" yaml:"iptables" doc:"Rules as iptables-save writes them, “-A FORWARD -p tcp --dport 80 -j ACCEPT” or “-P FORWARD DROP”; with “-t nat” in front for another table, the order of options being of no account."`
}

func (k *Firewall) Nodes() []string    { return []string{k.Node} }
func (k *Firewall) Segments() []string { return nil }

func (k *Firewall) Validate(report func(field, fix, format string, args ...any)) {
	askNode(report, k.Node)
	askOneOf(report, "family", k.Family, "ip", "ip6", "inet", "arp", "bridge", "netdev")
	askOneOf(report, "hook", k.Hook, "prerouting", "input", "forward", "output", "postrouting", "ingress", "egress")
	askOneOf(report, "policy", k.Policy, "accept", "drop")
	if r := k.Rule; r != nil {
		askOneOf(report, "rule.do", r.Do, "accept", "drop", "reject", "masquerade", "snat", "dnat", "redirect", "log", "return", "jump")
		for field, s := range map[string]string{"rule.source": r.Source, "rule.destination": r.Destination} {
			if s != "" {
				askPrefix(report, field, s)
			}
		}
	} else if k.Policy == "" && k.Chain == "" && k.Hook == "" && k.Table == "" && len(k.Iptables) == 0 {
		report("rule", "write a rule, a policy or a chain", "there is nothing to look for")
	}
	for i, line := range k.Iptables {
		if !strings.Contains(line, "-A ") && !strings.Contains(line, "-P ") {
			report(fmt.Sprintf("iptables[%d]", i), "write it as iptables-save does", "%q is no rule", line)
		}
	}
}

func (r *Rule) expect() string {
	return parts(r.Protocol, say("from ", r.Source), say("to ", r.Destination), say("source port ", r.SourcePort), say("port ", r.Port),
		say("in by ", r.In), say("out by ", r.Out), say("state ", strings.Join(r.State, " or ")), say("", r.Do)+say(" to ", r.To))
}

func (k *Firewall) Expect() string {
	chain := parts(say("table ", k.Table), say("chain ", k.Chain), say("hook ", k.Hook), say("family ", k.Family))
	rule := ""
	if k.Rule != nil {
		rule = "a rule " + k.Rule.expect()
	}
	what := parts(rule, say("the policy ", k.Policy), listed(k.Iptables))
	if what == "" {
		return "the firewall of " + k.Node + " has " + chain
	}
	return "the firewall of " + k.Node + " has " + what + say(" in ", chain)
}

// WireGuardPeer is a peer of a WireGuard interface.
type WireGuardPeer struct {
	Key       string        `json:"key,omitempty" yaml:"key" doc:"Its public key; any when nothing is said."`
	Endpoint  string        `json:"endpoint,omitempty" yaml:"endpoint" doc:"Its address, with or without a port."`
	Allowed   []string      `json:"allowed,omitempty" yaml:"allowed" doc:"Networks that it may send from: these and no others."`
	Handshake time.Duration `json:"handshake,omitempty" yaml:"handshake" doc:"The last handshake is no older than this; 3m is how long one lasts."`
	Keepalive int           `json:"keepalive,omitempty" yaml:"keepalive" doc:"Seconds between keepalives."`
}

// WireGuard: see Kinds.
type WireGuard struct {
	Node      string          `json:"node" yaml:"node" doc:"The node."`
	Interface string          `json:"interface,omitempty" yaml:"interface" doc:"The interface; any when nothing is said."`
	Port      int             `json:"port,omitempty" yaml:"port" doc:"The port that it listens on."`
	Key       string          `json:"key,omitempty" yaml:"key" doc:"Its own public key."`
	Peers     []WireGuardPeer `json:"peers,omitempty" yaml:"peers" doc:"Its peers."`
	Only      bool            `json:"only,omitempty" yaml:"only" doc:"It has no other peers."`
}

func (k *WireGuard) Nodes() []string    { return []string{k.Node} }
func (k *WireGuard) Segments() []string { return nil }

func (k *WireGuard) Validate(report func(field, fix, format string, args ...any)) {
	askNode(report, k.Node)
	if k.Port < 0 || k.Port > 65535 {
		report("port", "", "%d is no port", k.Port)
	}
	for i, p := range k.Peers {
		for j, a := range p.Allowed {
			if _, err := netip.ParsePrefix(a); err != nil {
				report(fmt.Sprintf("peers[%d].allowed[%d]", i, j), "write it like 10.0.0.2/32", "%q is no network", a)
			}
		}
		if p.Handshake < 0 {
			report(fmt.Sprintf("peers[%d].handshake", i), "", "a handshake lies in the past")
		}
	}
}

func (k *WireGuard) Expect() string {
	name := k.Interface
	if name == "" {
		name = "a WireGuard interface"
	}
	var peers []string
	for _, p := range k.Peers {
		key := p.Key
		if key == "" {
			key = "any key"
		}
		fresh := ""
		if p.Handshake > 0 {
			fresh = "a handshake within " + p.Handshake.String()
		}
		peers = append(peers, parts("a peer with "+key, say("at ", p.Endpoint), say("allowed ", listed(p.Allowed)), fresh, sayInt("keepalive ", p.Keepalive)))
	}
	s := name + " of " + k.Node + " " + parts(sayInt("listens on port ", k.Port), say("has the key ", k.Key), say("has ", strings.Join(peers, "; ")))
	if len(peers) == 0 && k.Port == 0 && k.Key == "" {
		s = k.Node + " has " + name
	}
	if k.Only {
		s += " and no other peers"
	}
	return s
}
