package probe_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet/probe"
)

// What Linux's routers and firewalls say is understood.
func TestLinuxRouters(t *testing.T) {
	sw := newSwitch(t, "lan", "mid")
	r1, r2 := boot(t, sw, "r1", "lan", "mid"), boot(t, sw, "r2", "mid")
	r1.sh(t, `
		sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
		ip link set eth1 mtu 1400
		ip addr add 10.0.1.254/24 dev eth0; ip addr add 10.0.2.1/24 dev eth1
		ip addr add fd01::fe/64 dev eth0 nodad; ip addr add fd02::1/64 dev eth1 nodad
		ip route add 10.0.9.0/24 via 10.0.2.2; ip route add fd09::/64 via fd02::2
		ip route add unreachable 10.0.8.0/24; ip route add prohibit 10.0.7.0/24; ip route add blackhole 10.0.6.0/24
		ip route add 10.0.3.0/24 via 10.0.2.2; ip route add fd03::/64 via fd02::2`)
	r2.sh(t, `
		sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
		ip link set lo up; ip addr add 10.0.3.1/32 dev lo; ip addr add fd03::1/128 dev lo nodad
		ip addr add 10.0.2.2/24 dev eth0; ip addr add fd02::2/64 dev eth0 nodad
		ip route add default via 10.0.2.1; ip route add default via fd02::1
		nft -f - <<-END
			table inet t {
				chain input {
					type filter hook input priority 0
					tcp dport 80 ip daddr 10.0.3.1 reject with icmpx admin-prohibited
					tcp dport 80 reject with icmpx host-unreachable
					tcp dport 81 drop
					tcp dport 82 reject with tcp reset
					tcp dport 83 reject with icmpx port-unreachable
					ip6 daddr fd03::1 icmpv6 type echo-request drop
				}
			}
		END`)
	h := attachWith(t, sw, "lan", probe.Options{Gateway: ip("10.0.1.254"), Routes: []probe.Route{{To: netip.MustParsePrefix("::/0"), Via: ip("fd01::fe")}}},
		"10.0.1.1/24", "fd01::1/64")
	// Linux looks for duplicates of its link-local addresses first.
	r2.sh(t, "for a in 10.0.1.1 fd01::1; do until ping -c 1 -W 1 $a; do :; done; done")

	for to, want := range map[string][]string{
		"10.0.3.1": {"10.0.1.254", "10.0.3.1"},
		"10.0.2.1": {"10.0.2.1"},
		"fd02::2":  {"fd01::fe", "fd02::2"},
	} {
		for _, icmp := range []bool{false, true} {
			got, err := h.Trace(within(t), ip(to), probe.Trace{ICMP: icmp})
			if err != nil {
				t.Errorf("trace %s: %v", to, err)
				continue
			}
			routers := got.Routers()
			if len(routers) != len(want) {
				t.Errorf("trace %s: %v; want %v", to, routers, want)
				continue
			}
			for i, w := range want {
				if routers[i] != ip(w) {
					t.Errorf("trace %s: %v; want %v", to, routers, want)
				}
			}
		}
		got, err := h.Ping(within(t), ip(to), probe.Ping{})
		if err != nil {
			t.Errorf("ping %s: %v", to, err)
		} else if r := got.Replies[0]; int(r.TTL) != 65-len(want) {
			t.Errorf("ping %s: TTL %d over %d hops", to, r.TTL, len(want))
		}
	}
	for _, to := range []string{"10.0.9.9", "fd09::9"} {
		_, err := h.Ping(within(t), ip(to), probe.Ping{})
		fails(t, err, probe.Unreachable, "time to live exceeded")
		got, err := h.Trace(within(t), ip(to), probe.Trace{Hops: 6, Probes: 1})
		fails(t, err, probe.Silence, "circle")
		if n := len(got.Loop()); n != 2 {
			t.Errorf("trace %s: the loop is %v in %v", to, got.Loop(), got.Routers())
		}
	}
	for _, tt := range []struct {
		to    string
		size  int
		cause probe.Cause
		says  string
	}{
		{"10.0.8.1", 0, probe.Unreachable, "10.0.1.254 answered: host unreachable"},
		{"10.0.7.1", 0, probe.Unreachable, "10.0.1.254 answered: communication administratively prohibited"},
		{"10.0.6.1", 0, probe.Silence, "no answer to 1 requests"},
		{"10.99.0.1", 0, probe.Unreachable, "10.0.1.254 answered: network unreachable"},
		{"fd99::1", 0, probe.Unreachable, "fd01::fe answered: no route to destination"},
		{"10.0.3.1", 1472, probe.Unreachable, "10.0.1.254 answered: fragmentation needed, MTU 1400"},
		{"fd02::2", 1452, probe.Unreachable, "fd01::fe answered: packet too big, MTU 1400"},
		{"fd03::1", 0, probe.Silence, "no answer"},
	} {
		_, err := h.Ping(within(t), ip(tt.to), probe.Ping{Size: tt.size, Timeout: 500 * time.Millisecond})
		fails(t, err, tt.cause, tt.says)
	}
	for address, want := range map[string]struct {
		cause probe.Cause
		says  string
	}{
		"10.0.3.1:80":  {probe.Unreachable, "10.0.3.1 answered: "},
		"10.0.2.2:80":  {probe.Unreachable, "10.0.2.2 answered: host unreachable"},
		"10.0.2.2:81":  {probe.Silence, "no answer to its SYNs"},
		"10.0.2.2:82":  {probe.Refused, "answered with a reset"},
		"10.0.2.2:83":  {probe.Refused, "10.0.2.2 answered: port unreachable"},
		"[fd02::2]:80": {probe.Unreachable, "fd02::2 answered: "},
		"[fd02::2]:83": {probe.Refused, "fd02::2 answered: port unreachable"},
		"10.0.8.1:80":  {probe.Unreachable, "10.0.1.254 answered: host unreachable"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := h.Dial(ctx, "tcp", address)
		fails(t, err, want.cause, want.says)
	}
}
