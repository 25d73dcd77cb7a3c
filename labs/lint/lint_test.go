package lint_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/patchbay/patchbay/labs/catalog"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/lint"
)

const cleanYAML = `title: Ping
summary: Two machines and a switch.
author: A. Author
licence: MIT
difficulty: beginner
topic: basics
requires: [cables]
minutes: 20
parameters:
  lan: {network: 10.0.0.0/8, length: 24, distinct: true}
  token: {secret: 16}
nodes:
  pc1: {interfaces: {eth0: lan}, at: [0, 0]}
  pc2: {interfaces: {eth0: lan}, at: [4, 0], files: {/usr/local/bin/talk: {content: "#!/bin/sh", mode: 0755}}}
segments:
  lan: {kind: switch, at: [2, 0]}
checks:
  reaches:
    title: pc1 reaches pc2
    hint: Are both interfaces up?
    step: ping
    ping: {from: pc1, to: ((lan.2)), by: pc2/eth0}
mutants:
  silent: {about: pc2 has no address, fails: [reaches]}
  deaf: {about: pc1 has no address, fails: [reaches]}
`

const cleanGuide = `# Ping

## Background

Every network of this lab lies in 10.0.0.0/8. See [the step](#ping), [cables](/labs/cables) and [more](https://example.org/).

![A switch with two machines](data:image/png;base64,AA==)

Tell ((token)) to nobody. A ` + "`pc1` is no `server3`, and `pc2 eth0`" + ` is a place.

## Step 1 – Ping {#ping}

` + "```sh pc1" + `
ip addr add ((lan.1))/24 dev eth0 && ip link set eth0 up
for i in 1 2; do ping -c 1 ((lan.2)) | grep "bytes from"; done
cat > /etc/motd <<END
nosuchprogram here
END
say() { echo "$1"; }; say hello
sudo timeout 5 watch -n 1 ip route
service frr restart
systemctl enable frr
$(which ip) addr
` + "```" + `

## Listening {.look}

` + "```sh pc2" + `
talk
vtysh
show ip route
` + "```" + `

` + "```sh pc2" + `
configure terminal
router ospf
exit
area 0
end
exit
ip addr
` + "```" + `

### A closer look

` + "```" + `
whatever a program | prints <here
` + "```" + `

## Questions

- Why?

## Stretch goal

` + "```sh pc1" + `
ip route
` + "```" + `
`

// clean is a lab in which nothing is found.
func clean() fstest.MapFS {
	m := fstest.MapFS{}
	for name, data := range map[string]string{
		"ping/lab.yaml": cleanYAML, "ping/guide.md": cleanGuide, "ping/solution/pc1.sh": "ip addr add ((lan.1))/24 dev eth0\n",
		"ping/mutants/silent/pc2.sh": "true\n", "ping/mutants/deaf/pc1.sh": "ip addr add 10.1.2.3/8 dev eth0\n",
		"cables/lab.yaml": "title: Cables\nnodes: {pc1: {}}\n", "cables/guide.md": "# Cables\n",
	} {
		m[name] = &fstest.MapFile{Data: []byte(data)}
	}
	return m
}

func programs(string) (lint.Programs, error) {
	p := lint.Programs{Commands: map[string]bool{}, Services: map[string]bool{"frr": true}}
	for c := range strings.FieldsSeq("ip ping grep cat sudo timeout watch service systemctl vtysh which") {
		p.Commands[c] = true
	}
	return p, nil
}

func look(t *testing.T, m fstest.MapFS) *lint.Report {
	t.Helper()
	r, err := lint.Lab(m, "ping", lint.Options{Labs: []string{"vlans"}, Programs: programs})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestClean(t *testing.T) {
	if r := look(t, clean()); len(r.Findings)+len(r.Notes) > 0 {
		t.Errorf("found %v, noted %q", r.Findings, r.Notes)
	}
}

// TestRules breaks the clean lab in one way after another. Each is found in its
// line, and nothing else is.
func TestRules(t *testing.T) {
	const yaml, guide = "ping/lab.yaml", "ping/guide.md"
	block := func(line string) string { return "```sh pc1\n" + line + "\n```\n" }
	cases := []struct {
		name     string
		file     string // in which old becomes new
		old, new string
		want     string // RULE FILE:LINE, several with a comma between
	}{
		{"no summary", yaml, "summary: Two machines and a switch.", "#", "about lab.yaml:1"},
		{"no author", yaml, "author: A. Author", "#", "about lab.yaml:1"},
		{"no licence", yaml, "licence: MIT", "#", "about lab.yaml:1"},
		{"no difficulty", yaml, "difficulty: beginner", "#", "about lab.yaml:1"},
		{"no topic", yaml, "topic: basics", "#", "about lab.yaml:1"},
		{"no minutes", yaml, "minutes: 20", "#", "minutes lab.yaml:1"},
		{"requires what is built in", yaml, "requires: [cables]", "requires: [vlans]", ""},
		{"requires nothing that is there", yaml, "requires: [cables]", "requires: [tables]", "requires lab.yaml:7"},
		{"a node without a place", yaml, "{eth0: lan}, at: [4, 0]", "{eth0: lan}", "place lab.yaml:14"},
		{"no places at all", yaml, "", "", ""},
		{"a segment that nothing uses", yaml, "{eth0: lan}, at: [0, 0]", "{eth0: lan, eth1: dmz}, at: [0, 0]", "segment-unused lab.yaml:16"},
		{"a parameter that nothing uses", guide, "Tell ((token)) to nobody.", "Tell nobody.", "parameter-unused lab.yaml:11"},
		{"no solution", "ping/solution/pc1.sh", "", "gone", "solution lab.yaml:1"},
		{"one wrong solution", yaml, "  deaf: {about: pc1 has no address, fails: [reaches]}\n", "", "wrong-solutions lab.yaml:23"},
		{"a wrong solution without a word", yaml, "about: pc2 has no address, ", "", "mutant-about lab.yaml:24"},
		{"no title", yaml, "title: pc1 reaches pc2", "points: 2", "check-title lab.yaml:18"},
		{"no hint", yaml, "    hint: Are both interfaces up?\n", "", "check-hint lab.yaml:18"},
		{"no step", yaml, "    step: ping\n", "", "check-step lab.yaml:18, step-check guide.md:11"},
		{"a step that nobody checks", guide, "## Listening {.look}", "## Listening", "step-check guide.md:26"},
		{"a step that says that it is one", guide, "## Questions", "## Step 2 – Think\n\n## Questions", "step-check guide.md:50"},
		{"a part of a step that is checked", guide, "## Listening {.look}", "### Listening", ""},
		{"a check that something is not so", yaml, "    ping: {", "    not: true\n    ping: {", ""}, // pc2 has a file, which may do anything
		{"an address that the lab gives", yaml, "{eth0: lan}, at: [0, 0]", "{eth0: {segment: lan, addresses: [((lan.1))/24]}}, at: [0, 0]", ""},
		{"an address typed in the guide", guide, "Tell ((token))", "Ping 10.3.4.5. Tell ((token))", "literal guide.md:9"},
		{"a network typed in the guide", guide, "Tell ((token))", "It is 10.3.4.0/24. Tell ((token))", "literal guide.md:9"},
		{"an address of no parameter", guide, "Tell ((token))", "Ping 192.0.2.1 in 0.0.0.0/0. Tell ((token))", ""},
		{"an address typed in a check", yaml, "to: ((lan.2))", "to: 10.3.4.5", "literal lab.yaml:22"},
		{"an address typed in the solution", "ping/solution/pc1.sh", "((lan.1))", "10.3.4.5", "literal solution/pc1.sh:1"},
		{"a guide longer than the lab's minutes", guide, "- Why?", strings.Repeat(strings.Repeat("word ", 150)+"\n\n", 22), "length guide.md:1"},
		{"a guide longer than an hour", guide, "- Why?", strings.Repeat(strings.Repeat("word ", 150)+"\n\n", 61), "length guide.md:1"},
		{"a command that is not there", guide, "## Questions", block("true\nping x; xnmap -p 1") + "## Questions", "command guide.md:52"},
		{"one behind others", guide, "## Questions", block("sudo nice -n 5 ping x") + "## Questions", "command guide.md:51"},
		{"one that another carries", guide, "## Questions", block("timeout 5 nmap x | grep y") + "## Questions", "command guide.md:51"},
		{"one in a shell's own words", guide, "## Questions", block("if ping x; then x=$(nmap y); fi") + "## Questions", "command guide.md:51"},
		{"a service that is not there", guide, "## Questions", block("systemctl enable nftables") + "## Questions", "command guide.md:51"},
		{"no shell at all", guide, "## Questions", block("ping <address>") + "## Questions", "command guide.md:51"},
		{"one within the text", guide, "Tell ((token))", "Try `nmap -p 1`. Tell ((token))", "command guide.md:9"},
		{"one that a check runs", yaml, "ping: {from: pc1, to: ((lan.2)), by: pc2/eth0}", `command: {node: pc1, run: "nmap x"}`, "command lab.yaml:18"},
		{"a startup command that a comma has cut", yaml, "pc1: {interfaces", "pc1: {startup: [echo \"One, two\", ip route], interfaces", "command lab.yaml:13, command lab.yaml:13"},
		{"a startup command in quotes", yaml, "pc1: {interfaces", "pc1: {startup: ['echo \"One, two\"'], interfaces", ""},
		{"a startup command that is not there", yaml, "pc1: {interfaces", "pc1: {startup: [lynx x], interfaces", "command lab.yaml:13"},
		{"a node that is not there", guide, "A `pc1`", "A `pc3`", "node guide.md:9"},
		{"one that is thought of", guide, "- Why?", "- What would `pc3` do?", ""},
		{"commands for a node on no segment", yaml, "{interfaces: {eth0: lan}, at: [0, 0]}", "{interfaces: {eth0: }, at: [0, 0]}", "node-interface guide.md:14, segment-unused lab.yaml:16"},
		{"a picture without a text", guide, "![A switch with two machines]", "![]", "alt guide.md:7"},
		{"a picture of the folder", guide, "(data:image/png;base64,AA==)", "(a.png)", "link guide.md:7"},
		{"a link to nothing", guide, "(#ping)", "()", "link guide.md:5"},
		{"a link to no heading", guide, "(#ping)", "(#pong)", "link guide.md:5"},
		{"a link to no lab", guide, "(/labs/cables)", "(/labs/tables)", "link guide.md:5"},
		{"a link into the folder", guide, "(/labs/cables)", "(notes.txt)", "link guide.md:5"},
	}
	seen := map[string]bool{}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := clean()
			text := string(m[c.file].Data)
			if !strings.Contains(text, c.old) {
				t.Fatalf("%s has no %q", c.file, c.old)
			}
			switch c.name {
			case "no solution":
				delete(m, c.file)
			case "one wrong solution":
				delete(m, "ping/mutants/deaf/pc1.sh")
			case "no places at all":
				text = strings.NewReplacer(", at: [0, 0]", "", ", at: [4, 0]", "").Replace(text)
			case "a segment that nothing uses":
				text = strings.Replace(text, "segments:\n", "segments:\n  dmz: {kind: switch, at: [9, 9]}\n", 1)
				c.want = "segment-unused lab.yaml:16"
			}
			if c.name != "no solution" {
				m[c.file] = &fstest.MapFile{Data: []byte(strings.Replace(text, c.old, c.new, 1))}
			}
			var got []string
			for _, f := range look(t, m).Findings {
				got = append(got, fmt.Sprintf("%s %s:%d", f.Rule, strings.TrimPrefix(f.File, "ping/"), f.Line))
				if f.Fix == "" || f.Message == "" {
					t.Errorf("%v does not say what to do", f)
				}
				seen[f.Rule] = true
			}
			want := []string{}
			if c.want != "" {
				want = strings.Split(c.want, ", ")
			}
			if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
				t.Errorf("found %q, want %q", got, want)
			}
		})
	}
	for _, r := range lint.Rules() {
		if !seen[r.Name] && r.Name != "untouched" {
			t.Errorf("no case is about the rule %s", r.Name)
		}
	}
}

// TestUntouched tells from the text what passes at once, and takes the word of
// a report.
func TestUntouched(t *testing.T) {
	const begin = "title: X\nnodes: {pc1: {interfaces: {eth0: %s}, sysctls: {net.ipv4.ip_forward: 1}}}\nchecks:\n  a: {%s}\n"
	const bare = "title: X\nnodes: {pc1: {interfaces: {eth0: }}}\nchecks:\n  a: {%s}\n  b: {needs: [a], not: true, reach: {node: pc1, to: 10.0.0.1}}\n"
	for _, c := range []struct {
		yaml string
		want bool
	}{
		{fmt.Sprintf(begin, "{addresses: [10.0.0.1/24]}", "address: {node: pc1, address: 10.0.0.1/24}"), true},
		{fmt.Sprintf(begin, "{addresses: [10.0.0.1/24]}", "address: {node: pc1, address: [10.0.0.1]}"), true},
		{fmt.Sprintf(begin, "{addresses: [10.0.0.1/24]}", "address: {node: pc1, address: 10.0.0.2/24}"), false},
		{fmt.Sprintf(begin, "{addresses: [10.0.0.1/24]}", "not: true, address: {node: pc1, address: 10.0.0.1/24}"), false},
		{fmt.Sprintf(begin, "", "sysctl: {node: pc1, key: net.ipv4.ip_forward, value: 1}"), true},
		{fmt.Sprintf(begin, "", "sysctl: {node: pc1, key: net.ipv4.ip_forward, value: 0}"), false},
		{fmt.Sprintf(bare, "not: true, process: {node: pc1, name: telnetd}"), true},
		{fmt.Sprintf(bare, "file: {node: pc1, path: /etc/x, absent: true}"), true},
		{fmt.Sprintf(bare, "frames: {on: pc1/eth0, max: 0}"), true},
		{fmt.Sprintf(bare, "frames: {on: pc1/eth0, min: 1}"), false},
		{fmt.Sprintf(bare, "process: {node: pc1, name: sshd}"), false},
	} {
		m := fstest.MapFS{"x/lab.yaml": {Data: []byte(c.yaml)}, "x/guide.md": {Data: []byte("# X\n")}}
		r, err := lint.Lab(m, "x", lint.Options{})
		if err != nil {
			t.Fatalf("%v\n%s", err, c.yaml)
		}
		var got []lint.Finding
		for _, f := range r.Findings {
			if f.Rule == "untouched" {
				got = append(got, f)
			}
		}
		if (len(got) == 1) != c.want || len(got) > 1 {
			t.Errorf("found %v in\n%s", got, c.yaml)
		}
		if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "commands were not looked at") }) {
			t.Errorf("it is not said that nobody looked at commands: %q", r.Notes)
		}
	}
	found, err := lint.Untouched(clean(), "ping", &grade.Report{Results: []grade.Result{
		{Check: "reaches", Outcome: grade.Pass}, {Check: "other", Outcome: grade.Error, Seen: "no probe"}, {Check: "third", Outcome: grade.Fail},
	}})
	if err != nil || len(found) != 2 || found[0].Line != 18 || !strings.Contains(found[1].Message, "no probe") {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestNoImage(t *testing.T) {
	r, err := lint.Lab(clean(), "ping", lint.Options{Programs: func(string) (lint.Programs, error) { return lint.Programs{}, errors.New("no image here") }})
	if err != nil || len(r.Findings) > 0 || len(r.Notes) != 2 || !strings.Contains(r.Notes[0], "no image here") {
		t.Errorf("found %v, noted %q, %v", r.Findings, r.Notes, err)
	}
}

func TestBroken(t *testing.T) {
	m := clean()
	m["ping/lab.yaml"] = &fstest.MapFile{Data: []byte("title: X\n")}
	if _, err := lint.Lab(m, "ping", lint.Options{}); err == nil {
		t.Error("a lab that is not in order was looked at")
	}
}

// TestCatalog finds nothing in the built-in labs, as far as their text tells.
// What their machines do is TestLabs' of cmd/patchbay, and so is what their
// image has.
func TestCatalog(t *testing.T) {
	slugs, err := catalog.Slugs()
	if err != nil {
		t.Fatal(err)
	}
	for _, slug := range slugs {
		r, err := lint.Lab(catalog.FS(), slug, lint.Options{Labs: slugs})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Findings {
			t.Error(f)
		}
	}
}

// TestDocumented wants each rule in the documentation.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../../web/docs/writing.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range lint.Rules() {
		if want := fmt.Sprintf("| `%s` | %s |\n", r.Name, r.About); !strings.Contains(string(text), want) {
			t.Errorf("web/docs/writing.md lacks %s", want)
		}
	}
}

func FuzzLab(f *testing.F) {
	f.Add(cleanYAML, cleanGuide)
	f.Add("title: x\nnodes: {a1: {}}\n", "# x\n## y {#z .look}\n```sh a1\n$((\n```\n[](x) ![](\n`a2`\n")
	f.Fuzz(func(t *testing.T, yaml, guide string) {
		m := clean()
		m["ping/lab.yaml"], m["ping/guide.md"] = &fstest.MapFile{Data: []byte(yaml)}, &fstest.MapFile{Data: []byte(guide)}
		r, err := lint.Lab(m, "ping", lint.Options{Programs: programs})
		if err != nil {
			return
		}
		for _, x := range r.Findings {
			if x.Line < 0 || x.Line > strings.Count(yaml+guide, "\n")+2 || x.Rule == "" {
				t.Errorf("%+v", x)
			}
		}
	})
}
