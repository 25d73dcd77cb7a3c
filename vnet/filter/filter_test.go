package filter_test

import (
	"strings"
	"testing"

	"github.com/patchbay/patchbay/vnet/filter"
)

func TestErrors(t *testing.T) {
	for expr, want := range map[string]string{
		strings.Repeat("vlan and ", 9) + "ip": "more than 8 tags",
		strings.Repeat("mpls and ", 9) + "ip": "more than 8 labels",
		"tcp prot 80":                         `character 5: "prot" makes no sense here; two conditions`,
		"host www.example.org":                `character 6: "www.example.org" is no address, and names are not looked up`,
		"www.example.org":                     `"www.example.org" is not known`,
		"host 10.0.0.300":                     `character 6: 10.0.0.300 is no address`,
		"host 10.0.0":                         `"10.0.0" is no address`,
		"host 10.0.0.0/8":                     `say "net 10.0.0.0/…"`,
		"net 10.0.0.1/8":                      "some of its bits lie outside of the mask",
		"net 10.0.0.0/33":                     "from 0 to 32",
		"net 2001:db8::1/32":                  "some of its bits lie outside",
		"net 10.0.0.0 mask x":                 "must be a mask",
		"port 70000":                          "no port",
		"port 10-20":                          `needs "portrange"`,
		"port nosuch":                         "no port",
		"ip port 80":                          "ip has no ports",
		"tcp host 10.0.0.1":                   `tcp has no addresses: say "tcp and host 10.0.0.1"`,
		"80":                                  `say "port 80"`,
		"tcp and 80":                          `say "port 80"`,
		"ip[8]":                               "must be compared",
		"ip[8] <":                             "ends where something must follow",
		"ip[8:3] = 1":                         "1, 2 or 4",
		"ip[tcp] = 1":                         "must be an offset",
		"ip[8 = 1":                            `there must be a "]" here`,
		"(tcp":                                `there must be a ")" here, not the end`,
		"tcp)":                                `")" makes no sense here`,
		"tcp and":                             "ends where something must follow",
		"and tcp":                             `"and" makes no sense here`,
		"tcp = 1":                             "compares numbers",
		"tcp & 1":                             "needs a number before it",
		"1 & tcp = 1":                         "needs a number behind it",
		"len / 0 = 1":                         "divided by zero",
		"- tcp":                               "a minus needs a number",
		"ether":                               `"ether" needs`,
		"ether host 10.0.0.1":                 "no Ethernet address",
		"host 02:00:00:00:00:01":              `needs "ether host"`,
		"ether net 10":                        "Ethernet has no networks",
		"ip host 2001:db8::1":                 "is an IPv6 address, but",
		"ip6 host 10.0.0.1":                   "no IPv6 address",
		"ip broadcast":                        "netmask is not known",
		"src or tcp":                          `"src or dst"`,
		"src":                                 "ends where something",
		"vlan 4096":                           "must be below 4096",
		"less x":                              "must be a length",
		"src proto 6":                         "no source and destination",
		"ip proto 256":                        "no protocol",
		"tcp proto 6":                         "goes with ip, ip6 and ether",
		"ospf":                                `say "ip proto ospf"`,
		"tcp and dns":                         `say "port 53"`,
		"tcp.port == 80":                      "display filter",
		"tcp ; arp":                           "character 5: ';' means nothing here",
		"ärger":                               "character 1: 'ä' means nothing here",
		"\xff":                                "means nothing here",
		"gateway 10.0.0.1":                    "name server",
		strings.Repeat("(", 100) + "tcp":      "nested more than",
		strings.Repeat("not ", 100):           "nested more than",
		strings.Repeat("tcp or ", 1000):       "longer than 4096",
		strings.Repeat("ip[", 100):            "nested more than",
		strings.Repeat("-", 100):              "nested more than",
		"host " + strings.Repeat("(", 99):     "nested more than",
	} {
		f, err := filter.Compile(expr)
		if err == nil {
			t.Errorf("Compile(%q) = %v; want an error with %q", expr, f, want)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("Compile(%q): %v; want %q", expr, err, want)
		}
	}
}

func TestMatch(t *testing.T) {
	http := ether(2, 1, 0x800, ip4("10.0.0.1", "10.0.0.2", 6, 0, 0, tcp(40000, 80, 2)))
	in10 := tag(0x8100, 10, http)
	in20 := tag(0x8100, 0x6014, http) // priority 3, VLAN 20
	qinq := tag(0x88a8, 100, in10)
	mpls := ether(2, 1, 0x8847, append([]byte{0, 1, 0x00, 64, 0, 2, 0x01, 64}, http[14:]...))
	frames := map[string][]byte{"http": http, "in10": in10, "in20": in20, "qinq": qinq, "mpls": mpls, "runt": http[:13]}
	for expr, want := range map[string]string{
		"":                                "http in10 in20 qinq mpls runt",
		" \t":                             "http in10 in20 qinq mpls runt",
		"host 10.0.0.1":                   "http in10 in20 qinq",
		"not host 10.0.0.1":               "mpls",
		"tcp[tcpflags] = tcp-syn":         "http in10 in20 qinq",
		"vlan":                            "in10 in20 qinq",
		"vlan 10 or vlan 20":              "in10 in20",
		"vlan 20 and port 80":             "in20",
		"vlan 100 and vlan 10":            "qinq",
		"vlan 100 and (vlan 10 or arp)":   "qinq",
		"(vlan 20 or vlan 100) and vlan":  "qinq",
		"not vlan 10 and vlan":            "in20 qinq",
		"ip and not vlan":                 "http",
		"ether[12:2] = 0x8100":            "in10 in20",
		"ether proto 0x88a8":              "qinq",
		"mpls":                            "mpls",
		"mpls 16 and mpls 32":             "mpls",
		"mpls 32":                         "",
		"mpls and tcp":                    "", // a second label is behind the first
		"mpls and mpls and tcp port 80":   "mpls",
		"(mpls and mpls) and tcp[13] = 2": "mpls",
		"mpls and mpls or tcp":            "http in10 in20 qinq mpls",
		"not mpls and tcp":                "http in10 in20 qinq",
		"not mpls and not tcp":            "",
		"10.0.0.2":                        "http in10 in20 qinq",
		"src 10.0.0.0/24":                 "http in10 in20 qinq",
		"tcp or not tcp":                  "http in10 in20 qinq mpls",
	} {
		f, err := filter.Compile(expr)
		if err != nil {
			t.Errorf("Compile(%q): %v", expr, err)
			continue
		}
		var got []string
		for _, name := range strings.Fields("http in10 in20 qinq mpls runt") {
			if f.Match(frames[name]) {
				got = append(got, name)
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q matches %q; want %q", expr, s, want)
		}
		if f.String() != expr {
			t.Errorf("String() = %q; want %q", f.String(), expr)
		}
	}
	var none *filter.Filter
	if !none.Match(http) {
		t.Error("a nil filter matches nothing; want everything")
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	f, err := filter.Compile("tcp port 80 and ip[2:2] - 20 > 4 and not host 10.0.0.9 and ether src 02:00:00:00:00:01")
	if err != nil {
		t.Fatal(err)
	}
	frame := ether(2, 1, 0x800, ip4("10.0.0.1", "10.0.0.2", 6, 0, 0, tcp(40000, 80, 2)))
	if !f.Match(frame) {
		t.Error("it does not match")
	}
	if n := testing.AllocsPerRun(100, func() { f.Match(frame) }); n != 0 {
		t.Errorf("Match allocates %v times; want never", n)
	}
}

// FuzzFilter: no expression and no frame makes it panic, and what an
// expression matches does not change when it is put into parentheses or
// negated twice.
func FuzzFilter(f *testing.F) {
	frames := corpus()
	for i, expr := range append(asTcpdump, onTrunk...) {
		f.Add(expr, frames[i%len(frames)])
	}
	f.Fuzz(func(t *testing.T, expr string, frame []byte) {
		c, err := filter.Compile(expr)
		if err != nil {
			if e := err.Error(); len(e) > 5000 {
				t.Errorf("an error of %d bytes", len(e))
			}
			return
		}
		got := c.Match(frame)
		if strings.TrimSpace(expr) == "" {
			return
		}
		for _, same := range []string{"(" + expr + ")", "not not (" + expr + ")"} {
			d, err := filter.Compile(same)
			if err != nil {
				continue // one level too deep, or too long
			}
			if d.Match(frame) != got {
				t.Errorf("%q: %v; %q: %v", expr, got, same, !got)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	frame := ether(2, 1, 0x800, ip4("10.0.0.1", "10.0.0.2", 6, 0, 0, tcp(40000, 80, 2)))
	for _, expr := range []string{"tcp port 80", "host 10.0.0.2 and tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn"} {
		f, err := filter.Compile(expr)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(expr, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.Match(frame)
			}
		})
	}
}
