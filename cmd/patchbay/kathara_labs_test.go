//go:build kathara

package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// katharaVar names a folder with Kathará's public labs as they were fetched.
// They are under another licence than Patchbay, so nothing of them lies here.
const katharaVar = "PATCHBAY_KATHARA_LABS"

// outcome is what a lab of theirs says that comes of it, in the words of
// kathara-lab-checker, below its key test.
type outcome struct{ path, test string }

// katharaOutcomes holds labs that are the same for two routing suites once for both.
func katharaOutcomes() []outcome {
	const basic = "basic-topics/"
	list := []outcome{
		// The routes are the student's to add; until then only neighbours answer.
		{basic + "static-routing/kathara-lab_static-routing", `
  kernel_routes: {pc1: [], r1: []}
  reachability: {pc1: [195.11.14.1, "!200.1.1.7"], r1: [100.0.0.10]}`},
		{basic + "arp/kathara-lab_arp", `
  reachability: {pc1: [200.1.1.7, 200.1.1.3], pc2: [200.1.1.3, 195.11.14.5]}`},
		{basic + "basic-ipv4/kathara-lab_basic-ipv4", `
  reachability: {pc1: [200.1.1.7, 200.1.1.3], pc3: [195.11.14.5]}`},
		{basic + "basic-ipv6/kathara-lab_basic-ipv6", `
  ip_mapping: {pc1: {0: "2001:0:0:1:200:ff:fe00:1/64"}, pc3: {0: "2001:0:0:3:200:ff:fe00:3/64"}}
  reachability: {pc1: ["2001:0:0:3:200:ff:fe00:2"], r1: ["2001:0:0:3::1"]}`},
		{basic + "two-computers/kathara-lab_two-computers", `
  custom_commands: {pc1: [{command: ip -br link show eth0, exit_code: 0, regex_match: "00:00:00:00:00:01"}], pc2: [{command: ip -br link show eth0, regex_match: "00:00:00:00:00:02"}]}`},
		{"switching/one-bridge/kathara-lab_one-bridge", `
  custom_commands: {b1: [{command: ip -br link show master mainbridge, regex_match: "(?s)eth0.*eth1.*eth2.*eth3"}, {command: ip -d link show mainbridge, regex_match: ageing_time 60000}]}`},
		{"application-level/dns/kathara-lab_dns", `
  applications: {dns: {local_ns: {192.168.0.110: [pc1]}, records: {A: {pc2.startup.net: [192.168.0.222], pc1.uniroma3.it: [192.168.0.111]}}}}`},
		{"application-level/http-tcp/kathara-lab_http-tcp", `
  applications: {http: {client: [{url: "http://10.0.0.1/"}]}}`},
		{"application-level/web-server/kathara-lab_web-server", `
  applications: {http: {client: [{url: "http://10.0.0.1/"}]}}`},
		{"application-level/load-balancer-random/kathara-lab_load-balancer-ws-rnd", `
  applications: {http: {client1: [{url: "http://100.0.0.2/"}], client2: [{url: "http://100.0.0.2/"}]}}`},
		{"data-center-routing/data-center-vxlan/kathara-lab_vxlan-base", `
  reachability: {s1: [10.0.0.2]}
  applications: {http: {s2: [{url: "http://10.0.0.1/"}]}}`},
		{"labs-integrating-several-technologies/two-levels-load-balancing-for-a-web-service/kathara-lab_two-levels-load-balancing", `
  reachability: {client: [11.1.1.1, 22.2.2.2, 45.67.0.16]}
  applications: {http: {client: [{url: "http://11.1.1.1/"}, {url: "http://22.2.2.2/"}]}}`},
		{"labs-integrating-several-technologies/bgp-ospf-rip-interplay/kathara-lab_bgp-ospf-rip", `
  protocols: {bgpd: {neighbors: {ra2b2: [{ip: 12.0.0.1, asn: 1}, {ip: 23.0.0.2, asn: 3}]}}}
  reachability: {ra1b1: [1.4.0.2], ra2b2: [2.4.0.2]}`},
		{"labs-integrating-several-technologies/dns-load-balancer-with-rip/kathara-lab_dns-load-balancer-with-rip", `
  reachability: {client: [30.0.0.2, 30.0.0.3, 20.0.0.3]}
  applications: {http: {client: [{url: "http://30.0.0.2/"}]}}`},
		{"labs-integrating-several-technologies/small-internet-with-dns-and-web-server/kathara-lab_small-internet-with-dns-and-web-server", `
  protocols: {bgpd: {neighbors: {as200r1: [{ip: 11.0.0.34, asn: 20}, {ip: 11.0.0.10, asn: 30}]}}}
  reachability: {client: [200.2.0.1]}`},
		{"intradomain-routing/frr/frrouting-introduction/kathara-lab_frr", `
  daemons: {r1: [zebra]}`},
		{"intradomain-routing/quagga/quagga-introduction/kathara-lab_quagga", `
  daemons: {r1: [zebra, ripd]}
  reachability: {r1: [220.0.0.1], r3: [100.0.0.1]}`},
	}
	for _, suite := range []string{"frr", "quagga"} {
		bgp := "interdomain-routing/" + suite + "/"
		ospf := "intradomain-routing/" + suite + "/ospf/kathara-lab_ospf/kathara-lab_ospf-"
		if suite == "frr" {
			ospf = "intradomain-routing/frr/ospf/kathara-lab_ospf/kathara-lab_ospf_frr-"
		}
		list = append(list,
			outcome{bgp + "bgp-announcement/kathara-lab_bgp-announcement", `
  protocols: {bgpd: {neighbors: {router1: [{ip: 193.10.11.2, asn: 2}]}, routes: {router1: [{route: 200.1.1.0/24, aspath: [[2]]}], router2: [{route: 195.11.14.0/24, aspath: [[1]]}]}}}
  kernel_routes: {router1: [[200.1.1.0/24, [193.10.11.2]]]}`},
			outcome{bgp + "bgp-simple-peering/kathara-lab_bgp-simple-peering", `
  protocols: {bgpd: {neighbors: {router1: [{ip: 193.10.11.2, asn: 2}], router2: [{ip: 193.10.11.1, asn: 1}]}}}`},
			outcome{bgp + "bgp-prefix-filtering/kathara-lab_bgp-prefix-filtering", `
  kernel_routes: {router1: [[200.1.2.0/24, [193.10.11.2]]], router2: [[195.11.14.0/24, [193.10.11.1]]]}`},
			outcome{bgp + "bgp-stub-as-static/kathara-lab_bgp-stub-as-static", `
  kernel_routes: {as20r1: [[200.2.0.0/16, [11.0.0.33]]]}
  reachability: {as200r1: [20.1.1.1, 11.0.0.6]}`},
			outcome{bgp + "bgp-stub-as/kathara-lab_bgp-stub-as", `
  protocols: {bgpd: {neighbors: {as20r1: [{ip: 11.0.0.33, asn: 200}]}, routes: {as20r1: [{route: 200.2.0.0/16, aspath: [[200]]}]}}}`},
			outcome{bgp + "bgp-multi-homed-stub/kathara-lab_bgp-multi-homed-stub", `
  protocols: {bgpd: {neighbors: {as100r1: [{ip: 11.0.0.2, asn: 20}, {ip: 11.0.0.6, asn: 20}]}}}`},
			outcome{bgp + "bgp-multi-homed-stub-large/kathara-lab_bgp-multi-homed-stub-large", `
  protocols: {bgpd: {neighbors: {as100r1: [{ip: 11.0.0.2, asn: 20}, {ip: 11.0.0.6, asn: 20}]}}}
  reachability: {as100r1: [100.1.2.1, 100.1.3.1]}`},
			outcome{bgp + "bgp-multi-homed/kathara-lab_bgp-multi-homed", `
  protocols: {bgpd: {neighbors: {as1r1: [{ip: 11.0.0.25, asn: 30}, {ip: 11.0.0.29, asn: 40}]}}}
  reachability: {as300r3: [200.1.64.1]}`},
			outcome{ospf + "singlearea", `
  protocols: {ospfd: {routes: {bb0: [{route: 10.0.1.0/24}, {route: 10.0.3.0/24}]}}}
  reachability: {bb0: [10.0.1.1, 10.0.3.2]}`},
			outcome{ospf + "multiarea", `
  protocols: {ospfd: {routes: {r1: [{route: 10.0.1.0/24}, {route: 220.0.2.0/30}]}}}
  reachability: {r2: [220.0.2.1, 210.0.0.1]}`},
		)
	}
	return list
}

// TestKatharaLabs runs public labs of Kathará as they were fetched, one after
// the other, and holds each to what it says of itself. It is built by "make
// test-kathara" alone, since the labs cannot be part of this repository.
func TestKatharaLabs(t *testing.T) {
	folder := os.Getenv(katharaVar)
	if folder == "" {
		t.Fatalf("the labs are under another licence and not part of Patchbay: fetch github.com/KatharaFramework/Kathara-Labs and name its folder in %s", katharaVar)
	}
	p := newProgram(t)
	for _, o := range katharaOutcomes() {
		t.Run(o.path, func(t *testing.T) {
			config := filepath.Join(t.TempDir(), "outcome.yaml")
			if err := os.WriteFile(config, []byte("convergence_time: 60\ntest:"+o.test+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			r, ok, told := p.check(t, filepath.Join(folder, "main-labs", o.path), "--checker", config)
			if len(r.Results) == 0 || !ok {
				for _, c := range r.Results {
					if c.Points < c.Worth || c.Outcome == "error" {
						t.Errorf("%s: %s", c.Title, c.Seen)
					}
				}
				t.Errorf("of %d checks not all passed\n%s", len(r.Results), told)
			}
			t.Logf("%s | %.0f s | %d checks, %v", o.path, time.Since(began).Seconds(), len(r.Results), ok)
		})
	}
}

// solved are the exercises of theirs that have a configuration of the checker,
// and what a student would write.
var solved = map[string]struct {
	config string
	files  map[string]string
}{
	"01-simple-configuration": {"simple_configuration_solution.json", map[string]string{
		"lab.conf":    "pc2[0]=\"B\"\npc2[1]=\"C\"\n",
		"pc2.startup": "ip addr add 100.2.0.2/24 dev eth0\nip addr add 100.3.0.2/24 dev eth1\nip route add 100.1.0.0/24 via 100.2.0.1\n",
	}},
	"02-add-one-router": {"add_one_router_solution.json", map[string]string{
		"lab.conf":    "r1[2]=\"E\"\nr2[2]=\"F\"\npc3[0]=\"D\"\nr3[0]=\"D\"\nr3[1]=\"E\"\nr3[2]=\"F\"\n",
		"pc3.startup": "ip addr add 100.3.0.2/24 dev eth0\nip route add default via 100.3.0.1\n",
		"r1.startup":  "ip addr add 10.0.0.5/30 dev eth2\nip route add 100.3.0.0/24 via 10.0.0.6\n",
		"r2.startup":  "ip addr add 10.0.0.9/30 dev eth2\nip route add 100.3.0.0/24 via 10.0.0.10\n",
		"r3.startup": "ip addr add 100.3.0.1/24 dev eth0\nip addr add 10.0.0.6/30 dev eth1\nip addr add 10.0.0.10/30 dev eth2\n" +
			"ip route add 100.1.0.0/24 via 10.0.0.5\nip route add 100.2.0.0/24 via 10.0.0.9\n",
	}},
}

// TestKatharaExercises: untouched, an exercise does not earn all; solved, it does.
func TestKatharaExercises(t *testing.T) {
	folder := os.Getenv(katharaVar)
	if folder == "" {
		t.Fatalf("the exercises are under another licence and not part of Patchbay: see TestKatharaLabs and %s", katharaVar)
	}
	p := newProgram(t)
	for name, s := range solved {
		dir := filepath.Join(folder, "exercises", name)
		config := filepath.Join(dir, "solution", s.config)
		if r, ok, told := p.check(t, filepath.Join(dir, "lab"), "--checker", config); ok || len(r.Results) == 0 {
			t.Errorf("%s: untouched it earns %v of %v\n%s", name, r.Points, r.Worth, told)
		}
		lab := filepath.Join(t.TempDir(), "lab")
		if err := os.CopyFS(lab, os.DirFS(filepath.Join(dir, "lab"))); err != nil {
			t.Fatal(err)
		}
		for file, text := range s.files {
			file = filepath.Join(lab, file)
			have, err := os.ReadFile(file)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, fmt.Appendf(have, "\n%s", text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		r, ok, told := p.check(t, lab, "--checker", config)
		if bad, unjudged := failed(&r); !ok {
			t.Errorf("%s: solved, %s and %s did not pass\n%s", name, strings.Join(bad, ", "), strings.Join(unjudged, ", "), told)
		}
		t.Logf("%s | %d checks", name, len(r.Results))
	}
}
