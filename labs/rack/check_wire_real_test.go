package rack_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/rack"
)

// servedLab is a client network and a server network with a router between.
//
//	pc ── lan ── r1 ── dmz ── srv
//	      evil ──┘
func servedLab() labs.Topology {
	node := func(name string, sysctls []labs.Sysctl, ifs ...labs.Interface) labs.Node {
		return labs.Node{Name: name, Interfaces: ifs, Sysctls: sysctls}
	}
	iface := func(name, segment, address, gateway string) labs.Interface {
		f := labs.Interface{Name: name, Segment: segment, Gateway: gateway}
		if address != "" {
			f.Addresses = []string{address}
		}
		return f
	}
	return labs.Topology{
		Nodes: []labs.Node{
			node("pc", nil, iface("eth0", "lan", "10.0.1.10/24", "10.0.1.1")),
			node("evil", nil, iface("eth0", "lan", "10.0.1.66/24", "10.0.1.1"), iface("eth1", "wire", "10.9.0.2/30", "")),
			node("r1", []labs.Sysctl{{Key: "net.ipv4.ip_forward", Value: "1"}},
				iface("eth0", "lan", "10.0.1.1/24", ""), iface("eth1", "dmz", "10.0.2.1/24", ""), iface("eth2", "wire", "10.9.0.1/30", "")),
			node("srv", nil, iface("eth0", "dmz", "10.0.2.80/24", "10.0.2.1")),
		},
		Segments: []labs.Segment{{Name: "lan", Kind: labs.Switch}, {Name: "dmz", Kind: labs.Switch}, {Name: "wire", Kind: labs.Link}},
	}
}

// wants is a check and what is to come of it.
type wants struct {
	name    string
	kinds   grade.Kinds
	not     bool
	outcome grade.Outcome
	seen    string // a part of it
	within  time.Duration
	watch   time.Duration
}

// checks carries checks out and holds their results against what is wanted.
func (b *bench) checks(t *testing.T, list ...wants) map[string]grade.Result {
	t.Helper()
	req := &rack.CheckRequest{Lab: "real"}
	for _, w := range list {
		within := w.within
		if within == 0 && w.outcome != grade.Pass {
			within = time.Millisecond
		}
		req.Checks = append(req.Checks, grade.Check{Name: w.name, Title: w.name, Points: 1, Kinds: w.kinds, Not: w.not, Within: within, For: w.watch})
		if _, _, k := w.kinds.Kind(); k != nil {
			k.Validate(func(field, fix, format string, args ...any) {
				t.Errorf("%s: %s: %s (%s)", w.name, field, fmt.Sprintf(format, args...), fix)
			})
		}
	}
	report, err := b.client.Check(t.Context(), req, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d checks took %v", len(list), report.Took)
	got := map[string]grade.Result{}
	for i, r := range report.Results {
		got[r.Check] = r
		w := list[i]
		if r.Outcome != w.outcome || !strings.Contains(r.Seen, w.seen) {
			t.Errorf("%s (%s): %s, %q; want %s, %q", w.name, r.Expected, r.Outcome, r.Seen, w.outcome, w.seen)
		}
		for _, e := range r.Evidence {
			if len(e.Data) > 64<<10 {
				t.Errorf("%s: the evidence %s has %d bytes", w.name, e.Name, len(e.Data))
			}
		}
	}
	return got
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestWireChecks(t *testing.T) {
	b := serveReal(t, servedLab())
	s := b.stream(t, rack.Owner)
	settled(t, s)
	b.must(t, "srv", "sh", "-c", `
		cat >/etc/dnsmasq.d/lab.conf <<-E
			no-resolv
			no-hosts
			auth-server=ns.lab.example,eth0
			auth-zone=lab.example,10.0.2.0/24
			host-record=www.lab.example,10.0.2.80
			mx-host=lab.example,mail.lab.example,10
			host-record=two.lab.example,10.0.2.1
		E
		dnsmasq --conf-file=/etc/dnsmasq.d/lab.conf
		mkdir -p /srv/www; echo 'hello lab' >/srv/www/index.html
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj '/O=Lab CA/CN=www.lab.example' \
			-addext 'subjectAltName=DNS:www.lab.example,DNS:lab.example' -keyout /srv/key -out /srv/cert 2>/dev/null
		cat >/srv/nginx.conf <<-E
			events {}
			http { access_log off; server { listen 80; listen 443 ssl; ssl_certificate /srv/cert; ssl_certificate_key /srv/key;
				root /srv/www; add_header X-Lab yes; location /no { return 403; } } }
		E
		nginx -c /srv/nginx.conf
		iptables -A INPUT -p tcp --dport 99 -j DROP
		iptables -A INPUT -p tcp --dport 98 -j REJECT
		(while :; do printf 'SSH-2.0-lab\r\n' | nc -l -p 22 -q 1; done) >/dev/null 2>&1 &
	`)
	b.must(t, "r1", "sh", "-c", "dnsmasq --port=0 --interface=eth0 --dhcp-range=10.0.1.100,10.0.1.110,1h --dhcp-option=option:dns-server,10.0.2.80 --domain=lab.example")

	lan := grade.At{Segment: "lan", Gateway: "10.0.1.1", DNS: "10.0.2.80"}
	dmz := grade.At{Segment: "dmz"}
	zero := 0
	yes, no := true, false
	got := b.checks(t,
		wants{name: "ping", kinds: grade.Kinds{Ping: &grade.Ping{At: lan, To: addr("10.0.2.80"), By: "srv/eth0", Count: 3, Answers: 3, TTL: 63}}, outcome: grade.Pass},
		wants{name: "ping-near", kinds: grade.Kinds{Ping: &grade.Ping{At: dmz, To: addr("10.0.2.80"), TTL: 64}}, outcome: grade.Pass},
		wants{name: "ping-ttl", kinds: grade.Kinds{Ping: &grade.Ping{At: lan, To: addr("10.0.2.80"), TTL: 64}}, outcome: grade.Fail, seen: "the TTL left is 63"},
		wants{name: "ping-nobody", kinds: grade.Kinds{Ping: &grade.Ping{At: lan, To: addr("10.0.1.77")}}, outcome: grade.Fail, seen: "10.0.1.77"},
		wants{name: "ping-other", kinds: grade.Kinds{Ping: &grade.Ping{At: lan, To: addr("10.0.1.10"), By: "evil"}}, outcome: grade.Fail, seen: "none of the answers came from evil"},
		wants{name: "ping-no-router", kinds: grade.Kinds{Ping: &grade.Ping{At: grade.At{Segment: "lan"}, To: addr("10.0.2.80")}}, outcome: grade.Error, seen: "gateway"},
		wants{name: "ping-not", kinds: grade.Kinds{Ping: &grade.Ping{At: lan, To: addr("10.0.1.77")}}, not: true, outcome: grade.Pass, watch: 100 * time.Millisecond},
		wants{name: "node", kinds: grade.Kinds{Ping: &grade.Ping{From: "pc/eth0", To: addr("10.0.2.80"), Answers: 3}}, outcome: grade.Pass, seen: "3 came back"},
		wants{name: "node-far-side", kinds: grade.Kinds{Ping: &grade.Ping{From: "pc", To: addr("10.0.2.1")}}, outcome: grade.Pass},
		wants{name: "node-link", kinds: grade.Kinds{Ping: &grade.Ping{From: "evil/eth1", To: addr("10.9.0.1"), By: "r1/eth2"}}, outcome: grade.Pass},
		wants{name: "node-nobody", kinds: grade.Kinds{Ping: &grade.Ping{From: "pc", To: addr("10.0.1.77"), By: "r1"}}, outcome: grade.Fail, seen: "0 left pc"},
		wants{name: "link", kinds: grade.Kinds{Ping: &grade.Ping{At: grade.At{Segment: "wire"}, To: addr("10.9.0.1")}}, outcome: grade.Error, seen: "no"},
		wants{name: "trace", kinds: grade.Kinds{Trace: &grade.Trace{At: lan, To: addr("10.0.2.80"), Hops: []string{"10.0.1.1", "10.0.2.80"}, Avoid: []netip.Addr{addr("10.9.0.1")}}}, outcome: grade.Pass},
		wants{name: "trace-via", kinds: grade.Kinds{Trace: &grade.Trace{At: lan, To: addr("10.0.2.80"), Via: []netip.Addr{addr("10.9.0.1")}}}, outcome: grade.Fail, seen: "10.0.1.1, 10.0.2.80"},
		wants{name: "open", kinds: grade.Kinds{Connect: &grade.Connect{At: lan, To: "10.0.2.80:22", Contains: "SSH-2.0-lab"}}, outcome: grade.Pass},
		wants{name: "open-not", kinds: grade.Kinds{Connect: &grade.Connect{At: lan, To: "10.0.2.80:80", State: "closed"}}, outcome: grade.Fail, seen: "is open"},
		wants{name: "refused", kinds: grade.Kinds{Connect: &grade.Connect{At: lan, To: "10.0.2.80:97", State: "refused"}}, outcome: grade.Pass},
		wants{name: "filtered", kinds: grade.Kinds{Connect: &grade.Connect{At: lan, To: "10.0.2.80:99", State: "filtered"}}, outcome: grade.Pass},
		wants{name: "rejected", kinds: grade.Kinds{Connect: &grade.Connect{At: lan, To: "10.0.2.80:98", State: "filtered"}}, outcome: grade.Pass},
		wants{name: "filtered-not", kinds: grade.Kinds{Connect: &grade.Connect{At: lan, To: "10.0.2.80:99", State: "refused"}}, outcome: grade.Fail},
		wants{name: "name", kinds: grade.Kinds{Resolve: &grade.Resolve{At: lan, Name: "www.lab.example", Values: []string{"10.0.2.80"}, Exact: true, Authoritative: &yes}}, outcome: grade.Pass},
		wants{name: "mail", kinds: grade.Kinds{Resolve: &grade.Resolve{At: lan, Name: "lab.example", Type: "mx", Values: []string{"10 mail.lab.example."}}}, outcome: grade.Pass},
		wants{name: "name-tcp", kinds: grade.Kinds{Resolve: &grade.Resolve{At: lan, Name: "two.lab.example", TCP: true, Server: "10.0.2.80:53", Values: []string{"10.0.2.1"}}}, outcome: grade.Pass},
		wants{name: "name-wrong", kinds: grade.Kinds{Resolve: &grade.Resolve{At: lan, Name: "two.lab.example", Values: []string{"10.0.2.2"}}}, outcome: grade.Fail, seen: "10.0.2.1"},
		wants{name: "name-authority", kinds: grade.Kinds{Resolve: &grade.Resolve{At: lan, Name: "www.lab.example", Authoritative: &no}}, outcome: grade.Fail, seen: "with authority"},
		wants{name: "name-gone", kinds: grade.Kinds{Resolve: &grade.Resolve{At: lan, Name: "gone.lab.example", Code: "NXDOMAIN"}}, outcome: grade.Pass},
		wants{name: "page", kinds: grade.Kinds{Fetch: &grade.Fetch{At: lan, URL: "http://www.lab.example/", Contains: []string{"hello"}, Regex: "^hello", Header: map[string]string{"X-Lab": "yes", "server": "/^nginx/"},
			SHA256: "2fb76e2ee83b67a8b4aac6dfc5ac4ee52c7cb2d8e1dc5bd7ecb0a1a1b3e7f5b0"}}, outcome: grade.Fail, seen: "its SHA-256 is"},
		wants{name: "page-tls", kinds: grade.Kinds{Fetch: &grade.Fetch{At: lan, URL: "https://lab.example/", Connect: "10.0.2.80", TLSNames: []string{"www.lab.example", "lab.example"}, Issuer: "Lab CA"}}, outcome: grade.Pass},
		wants{name: "page-tls-wrong", kinds: grade.Kinds{Fetch: &grade.Fetch{At: lan, URL: "https://10.0.2.80/", TLSNames: []string{"other.example"}}}, outcome: grade.Fail, seen: "not for other.example"},
		wants{name: "page-no", kinds: grade.Kinds{Fetch: &grade.Fetch{At: lan, URL: "http://10.0.2.80/no", Status: 403}}, outcome: grade.Pass},
		wants{name: "page-gone", kinds: grade.Kinds{Fetch: &grade.Fetch{At: lan, URL: "http://10.0.2.80/x"}}, outcome: grade.Fail, seen: "the status is 404"},
		wants{name: "dhcp", kinds: grade.Kinds{DHCP: &grade.DHCP{At: grade.At{Segment: "lan"}, Range: "10.0.1.100-10.0.1.110", Length: 24, Router: addr("10.0.1.1"), Names: []netip.Addr{addr("10.0.2.80")}, Domain: "lab.example", By: "r1/eth0", Servers: 1}}, outcome: grade.Pass},
		wants{name: "dhcp-other", kinds: grade.Kinds{DHCP: &grade.DHCP{At: grade.At{Segment: "lan"}, Range: "10.0.1.0/28", By: "evil"}}, outcome: grade.Fail, seen: "r1/eth0 answered"},
		wants{name: "dhcp-none", kinds: grade.Kinds{DHCP: &grade.DHCP{At: grade.At{Segment: "dmz"}}}, outcome: grade.Fail},
		wants{name: "answers", kinds: grade.Kinds{Answers: &grade.Answers{At: grade.At{Segment: "lan"}, To: addr("10.0.1.1"), By: "r1/eth0"}}, outcome: grade.Pass},
		wants{name: "answers-other", kinds: grade.Kinds{Answers: &grade.Answers{At: grade.At{Segment: "lan"}, To: addr("10.0.1.10"), By: "r1"}}, outcome: grade.Fail, seen: "pc/eth0 with"},
		wants{name: "answers-nobody", kinds: grade.Kinds{Answers: &grade.Answers{At: grade.At{Segment: "lan"}, To: addr("10.0.1.77")}}, outcome: grade.Fail, seen: "nobody"},
		wants{name: "frames", kinds: grade.Kinds{Frames: &grade.Frames{On: "srv/eth0", Filter: "icmp[0] = 0", Min: 2, Cause: &grade.Cause{At: lan, Ping: "10.0.2.80"}}}, outcome: grade.Pass, seen: "2 frames came"},
		wants{name: "frames-run", kinds: grade.Kinds{Frames: &grade.Frames{On: "dmz", Filter: "tcp port 80", Contains: []string{"GET /secret-word"}, Cause: &grade.Cause{Node: "pc", Run: []string{"curl", "-s", "http://10.0.2.80/secret-word"}}}}, outcome: grade.Pass},
		wants{name: "frames-none", kinds: grade.Kinds{Frames: &grade.Frames{On: "lan", Filter: "udp port 9999", Max: &zero}}, outcome: grade.Pass, watch: 300 * time.Millisecond},
		wants{name: "frames-too-many", kinds: grade.Kinds{Frames: &grade.Frames{On: "srv", Direction: "to", Filter: "icmp", Max: &zero, Cause: &grade.Cause{At: lan, Ping: "10.0.2.80"}}}, outcome: grade.Fail, watch: time.Second},
		wants{name: "frames-connect", kinds: grade.Kinds{Frames: &grade.Frames{On: "r1", Direction: "any", Filter: "tcp[tcpflags] & tcp-syn != 0", Cause: &grade.Cause{At: lan, Connect: "10.0.2.80:80"}}}, outcome: grade.Pass},
	)
	for _, name := range []string{"ping", "node", "open", "name", "page", "dhcp", "answers", "frames"} {
		found := false
		for _, e := range got[name].Evidence {
			found = found || e.Type == "application/x-pcapng" && len(e.Data) > 100
		}
		if !found {
			t.Errorf("%s has no frames as evidence: %d pieces", name, len(got[name].Evidence))
		}
	}

	// What root can do about it.
	b.must(t, "evil", "sh", "-c", `
		ip addr add 10.0.2.80/32 dev lo; ip addr add 10.0.1.10/24 dev eth0
		ip link set eth0 down; ip link set eth0 address $(ip -br link show eth0 | awk '{print $3}'); ip link set eth0 up
	`)
	b.must(t, "pc", "sh", "-c", "ip addr add 10.0.2.80/32 dev lo")
	b.checks(t,
		wants{name: "two-answer", kinds: grade.Kinds{Answers: &grade.Answers{At: grade.At{Segment: "lan"}, To: addr("10.0.1.10"), By: "pc/eth0"}}, outcome: grade.Fail, seen: "evil/eth0"},
		wants{name: "local-listener", kinds: grade.Kinds{Ping: &grade.Ping{From: "pc", To: addr("10.0.2.80"), By: "srv"}}, outcome: grade.Fail, seen: "0 left pc"},
		wants{name: "off", kinds: grade.Kinds{Ping: &grade.Ping{From: "pc", To: addr("10.0.1.1"), By: "r1"}}, outcome: grade.Pass},
	)
	// A router that answers itself for a server behind it.
	b.must(t, "r1", "sh", "-c", "ip addr add 10.0.2.80/32 dev lo")
	b.must(t, "pc", "sh", "-c", "ip addr del 10.0.2.80/32 dev lo")
	b.checks(t,
		wants{name: "router-answers", kinds: grade.Kinds{Ping: &grade.Ping{From: "pc", To: addr("10.0.2.80"), By: "srv"}}, outcome: grade.Fail, seen: "0 arrived at srv"},
		wants{name: "router-answers-probe", kinds: grade.Kinds{Ping: &grade.Ping{At: lan, To: addr("10.0.2.80"), By: "srv"}}, outcome: grade.Fail, seen: "none of the answers came from srv"},
	)
	// One who answers for all addresses.
	b.must(t, "evil", "sh", "-c", "ip route replace local 10.0.1.0/24 dev lo")
	b.checks(t, wants{name: "claims-all", kinds: grade.Kinds{Ping: &grade.Ping{At: lan, To: addr("10.0.1.77")}}, not: true, outcome: grade.Fail, seen: "answers for every address"})
}
