package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/grade/engine"
)

// FuzzGuestOutput: what a guest's programs print is a student's to choose.
func FuzzGuestOutput(f *testing.F) {
	files, err := filepath.Glob("testdata/guest/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		_, text, _ := strings.Cut(string(b), "\n")
		_, text, _ = strings.Cut(text, "\n")
		f.Add(text)
	}
	f.Add(`{"nftables":[{"rule":{"expr":[{"vmap":{"key":{"ct":{"key":"state"}},"data":{"set":[["a"],[1,{"drop":null}]]}}}]}}]}`)
	f.Add(`[{"ifname":"x","vlans":[{"vlan":-5,"vlanEnd":999999999}]}]`)
	f.Add("HTTP/1.1 100\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\nbody")
	f.Fuzz(func(t *testing.T, text string) {
		if n := engine.ParseAll(text); n < 0 {
			t.Fatal(n)
		}
	})
}

func TestAtPath(t *testing.T) {
	const text = `{"a":{"b.c":[{"d":1},{"d":true},{"d":null}]},"n":12345678901234567890,"e":[]}`
	for path, want := range map[string]string{
		"a.[b.c].0.d": "1", "a.[b.c].*.d": "1|true|null", "n": "12345678901234567890", "e.*": "", "a.b.c": "", "[a.x": "", "a.[b.c].9": "",
		"*.[b.c].1.d": "true",
	} {
		if got := strings.Join(engine.AtPath(text, path), "|"); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestRules(t *testing.T) {
	same := [][2]string{
		{"-A INPUT -p tcp -m tcp --dport 23 -j DROP", "--append INPUT --jump DROP --protocol tcp --destination-port 23"},
		{"-t filter -A FORWARD -s 10.0.0.1/32 -j ACCEPT", "-A FORWARD -s 10.0.0.1 -j ACCEPT"},
		{"-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT", "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"},
	}
	for _, s := range same {
		if a, b := engine.NormalRule(s[0]), engine.NormalRule(s[1]); a != b {
			t.Errorf("%q is %q, %q is %q", s[0], a, s[1], b)
		}
	}
	if a, b := engine.NormalRule("-A INPUT ! -s 10.0.0.1 -j DROP"), engine.NormalRule("-A INPUT -s 10.0.0.1 -j DROP"); a == b {
		t.Errorf("a negated rule reads like its contrary: %q", a)
	}
	const vmap = `{"nftables":[{"chain":{"family":"ip","table":"t","name":"c"}},{"set":{"family":"ip","table":"t","name":"web","elem":[80,{"elem":{"val":443}}]}},
		{"rule":{"family":"ip","table":"t","chain":"c","expr":[{"vmap":{"key":{"ct":{"key":"state"}},"data":{"set":[["established",{"accept":null}],["related",{"accept":null}],["invalid",{"drop":null}]]}}}]}},
		{"rule":{"family":"ip","table":"t","chain":"c","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":"@web"}},{"log":{"prefix":"x"}},{"accept":null}]}},
		{"rule":{"family":"ip","table":"t","chain":"c","expr":[{"match":{"op":"!=","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":"10.0.0.1"}},{"drop":null}]}}]}`
	for _, tt := range []struct {
		rule grade.Rule
		want bool
	}{
		{grade.Rule{State: []string{"established", "related"}, Do: "accept"}, true},
		{grade.Rule{State: []string{"invalid"}, Do: "accept"}, false},
		{grade.Rule{Protocol: "tcp", Port: "443", Do: "accept"}, true},
		{grade.Rule{Protocol: "udp", Port: "443"}, false},
		{grade.Rule{Source: "10.0.0.1", Do: "drop"}, false},
	} {
		if got := engine.RuleMatches(vmap, tt.rule); got != tt.want {
			t.Errorf("%+v: %v", tt.rule, got)
		}
	}
	if !engine.CoversPort("80", "1-1024") || engine.CoversPort("80-2000", "1-1024") || !engine.CoversPort("22", "ssh") {
		t.Error("ports are compared wrongly")
	}
	if p := engine.SysctlPath("net.ipv4.conf.eth0/10.rp_filter"); p != "/proc/sys/net/ipv4/conf/eth0.10/rp_filter" {
		t.Error(p)
	}
	if !engine.SameData("10 MAIL.example.test", "10 mail.example.test.") || !engine.SameData("hello world", `"hello world"`) || engine.SameData("a", "b") {
		t.Error("records are compared wrongly")
	}
}

// scripted is a node whose answers a test chooses.
type scripted struct {
	engine.Target
	answer func(agent.Exec) (agent.ExecResult, error)
}

func (s scripted) Node(string) (engine.Node, error) { return s, nil }
func (s scripted) Verify(_ context.Context, e agent.Exec) (agent.ExecResult, error) {
	return s.answer(e)
}

// TestGuestLies: an answer that cannot be read is no pass, not even for a
// negated check, and no error of ours; a doubt is handed on.
func TestGuestLies(t *testing.T) {
	for name, tt := range guestTests() {
		for _, out := range []string{"", "null", "[]", "{}", "garbage", `[1]`, `{"a":1}`, `[{"ifname":3}]`, strings.Repeat("[", 100_000)} {
			target := scripted{answer: func(agent.Exec) (agent.ExecResult, error) {
				return agent.ExecResult{Stdout: []byte(out), Doubt: "it was traced"}, nil
			}}
			f, err := engine.Evaluate(t.Context(), target, &grade.Check{Kinds: tt.good})
			var off *engine.NotRunning
			if err != nil && !errors.As(err, &off) {
				t.Errorf("%s with %.20q: %v", name, out, err)
			}
			if f.OK {
				t.Errorf("%s passes with %.20q", name, out)
			}
			if err == nil && f.Doubt != "it was traced" {
				t.Errorf("%s with %.20q: the doubt is %q", name, out, f.Doubt)
			}
		}
	}
}

func TestGuestValidate(t *testing.T) {
	for field, k := range map[string]grade.Kind{
		"run":                 &grade.Command{Node: "r1"},
		"matches[0]":          &grade.Command{Node: "r1", Run: "true", Matches: []string{"("}},
		"node":                &grade.Reach{To: []string{"10.0.0.1"}},
		"key":                 &grade.Sysctl{Node: "r1", Key: "../../etc/passwd", Value: []string{"1"}},
		"name[0]":             &grade.Process{Node: "r1", Name: []string{"/bin/sh"}},
		"port":                &grade.Socket{Node: "r1", Port: 70000},
		"address[0]":          &grade.Address{Node: "r1", Address: []string{"10.0.0.300"}},
		"interface":           &grade.Link{Node: "r1"},
		"to":                  &grade.Route{Node: "r1"},
		"to[0]":               &grade.Reach{Node: "r1", To: []string{"-f"}},
		"state":               &grade.Socket{Node: "r1", State: "open"},
		"rule":                &grade.Firewall{Node: "r1"},
		"iptables[0]":         &grade.Firewall{Node: "r1", Iptables: []string{"drop it"}},
		"vxlan.x":             &grade.Bridge{Node: "r1", VXLAN: map[string]grade.BridgePort{"x": {}}},
		"neighbours":          &grade.BGP{Node: "r1"},
		"vrf":                 &grade.OSPF{Node: "r1", VRF: "a json", Count: new(int)},
		"routes[0].to":        &grade.RIP{Node: "r1", Routes: []grade.Hop{{To: "x"}}},
		"show":                &grade.FRR{Node: "r1", Daemon: "zebra", Show: "ip route", Values: map[string]string{"a": "b"}},
		"daemon":              &grade.FRR{Node: "r1", Daemon: "quagga", Config: []string{"x"}},
		"url":                 &grade.HTTP{Node: "r1", URL: "ftp://10.0.0.1/"},
		"status":              &grade.Names{Node: "r1", Name: "a.test", Status: "BAD"},
		"address":             &grade.Neighbour{Node: "r1"},
		"peers[0].allowed[0]": &grade.WireGuard{Node: "r1", Peers: []grade.WireGuardPeer{{Allowed: []string{"x"}}}},
	} {
		var got []string
		k.Validate(func(field, fix, format string, args ...any) { got = append(got, field) })
		if !slices.Contains(got, field) {
			t.Errorf("%T: reported %q, want %s", k, got, field)
		}
	}
}
