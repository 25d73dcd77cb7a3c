package checker_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/kathara"
	"github.com/patchbay/patchbay/labs/kathara/checker"
)

// lab is a small lab of theirs: pc2 is for a student to add.
func lab(t testing.TB) *kathara.Import {
	t.Helper()
	im, err := kathara.Read(fstest.MapFS{
		"lab.conf":    {Data: []byte("pc1[0]=A\nr_1[0]=A\nr_1[1]=B\nr_1[image]=kathara/frr\n")},
		"pc1.startup": {Data: []byte("ip addr add 10.0.0.1/24 dev eth0\n")},
		"r_1.startup": {Data: []byte("systemctl start frr\n")},
	}, "lab")
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func files(m map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if s, ok := m[name]; ok {
			return []byte(s), nil
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
}

const everything = `
convergence_time: 45
default_image: kathara/frr
labs_path: labs
lab_inline: |
  pc1[0]="A"
  pc2[0]="A"
  r_1[0]="A"
  r_1[1]="B"
surprise: 1
test:
  requiring_startup: [pc1, pc2]
  ipv6_enabled: [pc1]
  sysctls: {r_1: ["net.ipv4.ip_forward=1"]}
  ip_mapping: {pc1: {0: 10.0.0.1/24}, r_1: {lo: 1.1.1.1/32}}
  daemons: {r_1: [bgpd, "!named"]}
  reachability: {pc1: [r1.net, "!10.0.9.1"], pc2: [10.0.0.1]}
  kernel_routes: {r_1: [10.0.0.0/24, [0.0.0.0/0, [10.0.0.9, eth1]]]}
  bridges: {r_1: [{interfaces: {eth0: {vlan_tags: [10, 20], pvid: 10}}, vxlan: {100: {pvid: 10}}}]}
  protocols:
    bgpd:
      neighbors: {r_1: [{ip: 10.0.0.9, asn: 65001}, {ip: eth1, asn: 2}]}
      routes: {r_1: [{route: 10.1.0.0/16, aspath: [[2, 3], [""]]}]}
      networks: {r_1: [10.0.0.0/8]}
      injections: {r_1: ["!connected", ospf]}
      evpn_sessions: {r_1: [10.0.0.9], pc1: [10.0.0.8]}
      vtep_devices: {r_1: {ip: 1.1.1.1, vnis: [100]}}
    ospfd:
      neighbors: {r_1: [{router_id: 2.2.2.2}]}
      routes: {r_1: [{route: 10.2.0.0/16}]}
      interfaces: {r_1: {eth0: {cost: 10, transmitDelaySecs: 1, ospfEnabled: true}}}
    sciond: {address: {pc1: "42-ff,1.1.1.1"}}
  applications:
    dns:
      authoritative: {".": [10.0.0.1]}
      local_ns: {1.1.1.1: [pc1]}
      records: {A: {www.net: [10.0.0.1, 10.0.0.2]}}
    http: {pc1: [{url: 10.0.0.1/x, method: post, status_code: 404, body_contains: "no: way", regex_body: "a|b"}]}
  custom_commands:
    pc1:
      - {command: cat /etc/frr/frr.conf, exit_code: 0, output: "x: 1", regex_match: "^x"}
      - {command: id, regex_match: "(?=a)"}
  secret: {}
`

// TestEverything: what comes of every key loads as a lab, and what is not taken
// over is said with its line.
func TestEverything(t *testing.T) {
	im := lab(t)
	before := len(im.Notes)
	if err := checker.Add([]byte(everything), "correct.yaml", im, files(nil)); err != nil {
		t.Fatal(err)
	}
	yaml := string(im.Files["lab.yaml"].Data)
	l, err := labs.Load(im.FS(), im.Slug)
	if err != nil {
		t.Fatalf("%v\n%s", err, yaml)
	}
	for _, want := range []string{
		"declared: {node: pc2, present: true}", // the student's to add
		"on: {eth1: b}", `address: ["10.0.0.1/24"]`, "interface: eth0", `sysctls: {net.ipv4.ip_forward: "1"}`,
		`name: ["!named"], like: true`, "not: true\n    for: 45s", `routes: [{to: 10.0.0.0/24}, {to: 0.0.0.0/0, via: [10.0.0.9, eth1]}]`,
		"vlans: [10, 20], first: true", `vxlan: {"100": {pvid: 10}}`, "only: true, links: true", "paths: [[2, 3], []], only: true",
		"redistribute: [\"!connected\"]", `config: ["!advertise-all-vni"]`, "config: [advertise-all-vni]", "vtep: {ip: 1.1.1.1, vnis: [100]}",
		`{cost: "10"}`, `{ospfEnabled: "true"}`, "hosts: [10.0.0.1]", "one_of: [10.0.0.1, 10.0.0.2]", `lines: ["nameserver 1.1.1.1"]`,
		`url: "http://10.0.0.1/x", method: POST, status: 404`, "/student/etc/frr/frr.conf", "within: 1m30s",
	} {
		if want = strings.ReplaceAll(want, `["10.0.0.1/24"]`, "[10.0.0.1/24]"); !strings.Contains(yaml, want) {
			t.Errorf("the lab does not hold %s", want)
		}
	}
	if t.Failed() {
		t.Log(yaml)
	}
	for _, c := range l.Checks {
		if c.Title == "" || strings.Contains(c.Title, "r-1") {
			t.Errorf("%s is called %q, and the device is r_1", c.Name, c.Title)
		}
	}
	var said []string
	for _, n := range im.Notes[before:] {
		said = append(said, n.String())
	}
	all := strings.Join(said, "\n")
	for _, want := range []string{
		"correct.yaml:3: default_image", "correct.yaml:4: labs_path", "correct.yaml:10: surprise is not known", "protocols.sciond",
		"test.secret is not known", "looks below /student", "regex_match is not taken over",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing is said of %q in\n%s", want, all)
		}
	}
}

// TestJSON: tabs and the structure in a file, as their exercises have them.
func TestJSON(t *testing.T) {
	im := lab(t)
	text := "{\n\t\"structure\": \"solution/structure\",\n\t\"test\": {\n\t\t\"reachability\": {\n\t\t\t\"pc1\": [\n\t\t\t\t\"10.0.0.2\"\n\t\t\t]\n\t\t},\n\t\t\"odd\": 1\n\t}\n}"
	yaml, notes, err := checker.Convert([]byte(text), "x/solution/c.json", im, files(map[string]string{"x/solution/structure": "pc1[0]=\"A\"\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(yaml, "on: {eth0: a}") || !strings.Contains(yaml, "reach: {node: pc1, to: [10.0.0.2]}") {
		t.Error(yaml)
	}
	if len(notes) != 1 || notes[0].Line != 9 || !strings.Contains(notes[0].Text, "test.odd") {
		t.Errorf("notes: %v", notes)
	}
}

func TestRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON": `{"test": [1,}`, "more": `{} {}`, "a list": "- a", "empty": "", "nothing asked": "test: {}", "deep": strings.Repeat(`{"a":`, 50) + "1",
	} {
		_, _, err := checker.Convert([]byte(text), "c", lab(t), files(nil))
		if _, ok := errors.AsType[labs.Problems](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFits: more pings than a lab has checks become fewer, worth as much.
func TestFits(t *testing.T) {
	var b strings.Builder
	b.WriteString("test:\n  reachability:\n    pc1:\n")
	for i := range 600 {
		b.WriteString("      - 10.1." + string(rune('0'+i/250)) + "." + strings.TrimLeft(string([]rune{rune('0' + i%250/100), rune('0' + i%100/10), rune('0' + i%10)}), "0") + "1\n")
	}
	im := lab(t)
	if err := checker.Add([]byte(b.String()), "c.yaml", im, files(nil)); err != nil {
		t.Fatal(err)
	}
	l, err := labs.Load(im.FS(), im.Slug)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Checks) != 1 || l.Checks[0].Points != 600 {
		t.Errorf("%d checks, the first worth %v", len(l.Checks), l.Checks[0].Points)
	}
}

// FuzzConvert: whatever is converted loads, and nothing panics.
func FuzzConvert(f *testing.F) {
	f.Add(everything)
	f.Add(`{"structure":"s","test":{"kernel_routes":{"pc1":["a",["10.0.0.0/8",["x"]],[[],1]]},"bridges":{"pc1":[{"vxlan":1}]}}}`)
	f.Add("test: {ip_mapping: {\"\": {\"\": \"1.1.1.1\"}}, daemons: {pc1: [\"!\", \"(\", \"a\\u0000b\"]}}")
	im := lab(f)
	base := im.Files["lab.yaml"]
	f.Fuzz(func(t *testing.T, text string) {
		im.Files["lab.yaml"], im.Notes = base, nil
		if err := checker.Add([]byte(text), "c", im, files(map[string]string{"s": "pc1[0]=A\n"})); err != nil {
			return
		}
		if _, err := labs.Load(im.FS(), im.Slug); err != nil {
			t.Fatalf("%v\n%s", err, im.Files["lab.yaml"].Data)
		}
	})
}
