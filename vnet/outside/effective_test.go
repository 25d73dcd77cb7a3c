package outside_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/vnet/outside"
)

// near is what Near says on a machine at 203.0.113.7/24 and 10.1.2.3/24.
var near = func() (list []netip.Prefix) {
	for _, s := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15",
		"203.0.113.7/32", "203.0.113.0/24", "10.1.2.3/32", "10.1.2.0/24"} {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}()

func newPolicy(rules []outside.Rule, near []netip.Prefix) *outside.Policy {
	return &outside.Policy{Rules: rules, Near: near}
}

func allows(p *outside.Policy, proto outside.Protocol, addr string, port uint16, names ...string) bool {
	return p.Allows(outside.Destination{Proto: proto, Addr: netip.MustParseAddr(addr), Port: port, Names: names})
}

func sameText(a, b outside.Rule) bool { return a.String() == b.String() }

func TestEffective(t *testing.T) {
	for _, tt := range []struct {
		name       string
		admin, lab string // rules with spaces between
		want       string
		refused    string
	}{
		{"the same", "www.example.com:80", "www.example.com:80", "www.example.com:80", ""},
		{"every port is narrowed", "www.example.com:80", "www.example.com", "www.example.com:80", ""},
		{"so is every name", "www.example.com:80", "*", "www.example.com:80", ""},
		{"everything allows anything", "*", "www.example.com:80 198.51.100.0/24", "www.example.com:80 198.51.100.0/24", ""},
		{"but what is near", "*", "10.0.0.0/8:443 192.168.7.0/24 203.0.113.9", "", "10.0.0.0/8:443 192.168.7.0/24 203.0.113.9"},
		{"nor does every network", "0.0.0.0/0", "10.9.0.0/16", "", "10.9.0.0/16"},
		{"unless it is named", "10.0.0.0/8", "10.9.0.0/16:443", "10.9.0.0/16:443", ""},
		{"the network that the host is on", "10.0.0.0/8", "10.1.2.0/24", "10.1.2.0/24", ""},
		{"but not the host", "10.0.0.0/8 10.1.2.0/24", "10.1.2.3", "", "10.1.2.3"},
		{"unless it is named too", "10.1.2.3:443", "10.1.2.0/24", "10.1.2.3:443", ""},
		{"ports that overlap", "*:80-443", "a.example:443-8000", "a.example:443", ""},
		{"ports that do not", "*:80", "a.example:443", "", "a.example:443"},
		{"protocols", "*:53/udp *:80", "a.example/tcp", "a.example:80/tcp", ""},
		{"a name of a domain", "*.example.org", "www.example.org", "www.example.org", ""},
		{"a domain is no name of itself", "*.example.org", "example.org", "", "example.org"},
		{"a domain of a domain", "*.example.org", "*.sub.example.org", "*.sub.example.org", ""},
		{"a domain above it", "*.sub.example.org", "*.example.org", "*.sub.example.org", ""},
		{"a name that ends alike", "*.example.org", "evilexample.org", "", "evilexample.org"},
		{"a name in the administrator's network", "198.51.100.0/24", "a.example:443", "a.example@198.51.100.0/24:443", ""},
		{"a domain is not, since questions could carry anything", "198.51.100.0/24", "*.example:443", "", "*.example:443"},
		{"an administrator's name in the lab's network", "*.example", "198.51.100.0/24", "*.example@198.51.100.0/24", ""},
		{"networks, one in the other", "198.51.100.0/24", "198.51.0.0/16:80", "198.51.100.0/24:80", ""},
		{"networks apart", "198.51.100.0/24", "192.0.2.0/24", "", "192.0.2.0/24"},
		{"several of the administrator's", "a.example b.example:80", "*.example b.example c.example", "a.example b.example:80", "c.example"},
		{"twice is once", "* a.example", "a.example a.example", "a.example", ""},
		{"nothing asked for", "*", "", "", ""},
	} {
		got, err := outside.Effective(rules(t, strings.Fields(tt.admin)...), rules(t, strings.Fields(tt.lab)...), near)
		if want := rules(t, strings.Fields(tt.want)...); !slices.EqualFunc(got, want, sameText) {
			t.Errorf("%s: %v; want %v", tt.name, got, want)
		}
		var refused []outside.Rule
		if e, ok := errors.AsType[*outside.RefusedError](err); ok {
			refused = e.Rules
		} else if err != nil {
			t.Errorf("%s: the error is %v", tt.name, err)
		}
		if want := rules(t, strings.Fields(tt.refused)...); !slices.Equal(refused, want) {
			t.Errorf("%s: refused %v; want %v", tt.name, refused, want)
		}
	}
}

func TestRefusal(t *testing.T) {
	for _, tt := range []struct{ admin, lab, want string }{
		{"", "a.example:80", "does not give to labs"},
		{"", "", "does not give to labs"},
		{"b.example", "a.example:80", "a way to a.example:80, which"},
		{"b.example", "a.example c.example", "a way to a.example and c.example, which"},
		{"b.example", "c.example d.example e.example f.example g.example", "a way to c.example, d.example, e.example and others, which"},
	} {
		_, err := outside.Effective(rules(t, strings.Fields(tt.admin)...), rules(t, strings.Fields(tt.lab)...), near)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasSuffix(err.Error(), ".") {
			t.Errorf("admin %q, lab %q: %v; want a sentence with %q", tt.admin, tt.lab, err, tt.want)
		}
	}
}

// What both lists allow together, each allows alone, whatever the lab writes.
func TestEffectiveAllowsNoMore(t *testing.T) {
	texts := []string{"*", "*:80", "*.example.org", "www.example.org:443", "0.0.0.0/0", "10.0.0.0/8", "10.1.2.0/24:80",
		"10.1.2.3", "198.51.100.0/24/udp", "a.example@10.0.0.0/8", "203.0.113.0/24", "*.www.example.org:80-443"}
	addrs := []string{"10.1.2.3", "10.1.2.4", "10.200.0.1", "198.51.100.1", "203.0.113.7", "203.0.113.8", "192.0.2.1", "127.0.0.1"}
	names := []string{"", "www.example.org", "a.www.example.org", "a.example", "example.org"}
	checked := 0
	for _, a := range texts {
		for _, l := range texts {
			admin, lab := rules(t, a), rules(t, l)
			both, _ := outside.Effective(admin, lab, near)
			pa, pl, pb := newPolicy(admin, near), newPolicy(lab, nil), newPolicy(both, near)
			for _, addr := range addrs {
				for _, name := range names {
					for _, port := range []uint16{80, 443} {
						for _, proto := range []outside.Protocol{outside.TCP, outside.UDP} {
							if allows(pb, proto, addr, port, name) && !(allows(pa, proto, addr, port, name) && allows(pl, proto, addr, port, name)) {
								t.Errorf("%s and %s as %v: opens %s %s:%d (%s), which one of them does not", a, l, both, proto, addr, port, name)
							}
							checked++
						}
					}
				}
			}
		}
	}
	if checked == 0 {
		t.Fatal("nothing was checked")
	}
}

func TestPolicy(t *testing.T) {
	p := newPolicy(rules(t, "www.example.com:80/tcp", "*.example.org:443", "198.51.100.0/24:53/udp", "10.0.0.0/8:22", "git.corp.example@10.9.0.0/16:443"), near)
	for _, tt := range []struct {
		proto outside.Protocol
		addr  string
		port  uint16
		name  string
		want  bool
	}{
		{outside.TCP, "192.0.2.1", 80, "www.example.com", true},
		{outside.TCP, "192.0.2.1", 80, "", false}, // an address nobody was told
		{outside.TCP, "192.0.2.1", 443, "www.example.com", false},
		{outside.UDP, "192.0.2.1", 80, "www.example.com", false},
		{outside.TCP, "192.0.2.1", 443, "a.b.example.org", true},
		{outside.TCP, "192.0.2.1", 443, "example.org", false},
		{outside.UDP, "198.51.100.9", 53, "", true},
		{outside.TCP, "198.51.100.9", 53, "", false},
		{outside.Echo, "198.51.100.9", 0, "", true},
		{outside.Echo, "192.0.2.1", 0, "", false},
		{outside.Echo, "192.0.2.1", 0, "www.example.com", true},
		{outside.TCP, "10.3.0.1", 22, "", true},
		{outside.TCP, "10.1.2.3", 22, "", false},                  // the host itself
		{outside.TCP, "10.3.0.1", 443, "a.example.org", false},    // a name that points at what is near
		{outside.TCP, "10.9.0.1", 443, "git.corp.example", true},  // but for one that may
		{outside.TCP, "10.8.0.1", 443, "git.corp.example", false}, // and may not further
		{outside.TCP, "127.0.0.1", 443, "a.example.org", false},
		{outside.TCP, "169.254.169.254", 443, "a.example.org", false},
		{outside.TCP, "::1", 443, "a.example.org", false},
		{outside.TCP, "::ffff:10.3.0.1", 22, "", false},
	} {
		if got := allows(p, tt.proto, tt.addr, tt.port, tt.name); got != tt.want {
			t.Errorf("%s to %s:%d as %q: %v; want %v", tt.proto, tt.addr, tt.port, tt.name, got, tt.want)
		}
	}
	for name, want := range map[string]bool{"www.example.com": true, "x.example.org": true, "example.org": false,
		"git.corp.example": true, "evil.example": false, "": false} {
		if got := p.Asks(name); got != want {
			t.Errorf("asks for %q: %v; want %v", name, got, want)
		}
	}
	if p.Answers("x.example.org", netip.MustParseAddr("10.3.0.1")) || p.Answers("x.example.org", netip.MustParseAddr("127.0.0.1")) || !p.Answers("git.corp.example", netip.MustParseAddr("10.9.0.1")) || !p.Answers("x.example.org", netip.MustParseAddr("192.0.2.1")) {
		t.Error("the answers that are let through are wrong")
	}
}

// The host's own loopback and addresses are among what is kept from guests.
func TestNear(t *testing.T) {
	list, err := outside.Near()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"10.0.0.0/8", "192.168.0.0/16", "127.0.0.1/32"} {
		if !slices.Contains(list, netip.MustParsePrefix(want)) {
			t.Errorf("%v lacks %s", list, want)
		}
	}
}

// The host's addresses change while a lab runs. What a lab wrote about an
// address that was nobody's then does not name the host that has it now.
func TestNearLater(t *testing.T) {
	for _, tt := range []struct {
		admin, lab, addr string
		want             bool
	}{
		{"*", "192.0.2.9", "192.0.2.9", false},
		{"0.0.0.0/0", "192.0.2.0/24", "192.0.2.9", false},
		{"0.0.0.0/0", "192.0.2.0/24", "192.0.2.10", false}, // in the host's new network
		{"10.0.0.0/8", "10.9.0.5", "10.9.0.5", false},
		{"10.0.0.0/8", "10.9.0.0/16", "10.9.0.6", true},
		{"10.9.0.5", "10.9.0.5", "10.9.0.5", true}, // the administrator's own word
		{"10.9.0.5", "10.0.0.0/8", "10.9.0.5", true},
	} {
		both, err := outside.Effective(rules(t, tt.admin), rules(t, tt.lab), near)
		if err != nil {
			t.Errorf("%s and %s: %v", tt.admin, tt.lab, err)
		}
		later := append(slices.Clone(near), netip.MustParsePrefix("192.0.2.9/32"), netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("10.9.0.5/32"))
		if got := allows(newPolicy(both, later), outside.TCP, tt.addr, 80); got != tt.want {
			t.Errorf("%s of the administrator's and %s of a lab open %s later: %v; want %v", tt.admin, tt.lab, tt.addr, got, tt.want)
		}
	}
}
