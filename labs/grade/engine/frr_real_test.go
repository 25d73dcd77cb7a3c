package engine_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/grade/engine"
)

// routersLab is two routers on a link, each with a network of its own.
func routersLab() labs.Topology {
	router := func(name string) labs.Node {
		return labs.Node{Name: name, MemoryBytes: 160 << 20, Interfaces: []labs.Interface{{Name: "eth0", Segment: "link"}},
			Sysctls: []labs.Sysctl{{Key: "net.ipv4.ip_forward", Value: "1"}}}
	}
	return labs.Topology{
		Nodes:    []labs.Node{router("r1"), router("r2")},
		Segments: []labs.Segment{{Name: "link", Kind: labs.Link}},
	}
}

// setUpRouters gives both all that the checks ask for: %n is 1 or 2, %m the other.
func setUpRouters(t *testing.T, b *bench) {
	t.Helper()
	const script = `
ip addr add 10.0.12.%n/30 dev eth0
ip addr add fd00:12::%n/64 dev eth0
ip addr add 10.255.0.%n/32 dev lo
ip link add lan type dummy
ip addr add 10.%n.0.1/24 dev lan
ip addr add fd00:%n::1/64 dev lan
ip link set lan up
ip link add rip0 type dummy
ip addr add 172.16.%n.1/24 dev rip0
ip link set rip0 up
ip link add blue type vrf table 100
ip link set blue up
ip route add 10.77.0.0/16 dev lan vrf blue metric 7
ip route add blackhole 10.66.0.0/16
ip route add 10.55.0.0/16 nexthop via 10.0.12.%m nexthop dev lan

ip link add br0 type bridge vlan_filtering 1
ip link set br0 up
ip link add vxlan10 type vxlan id 10 local 10.255.0.%n dstport 4789 nolearning
ip link set vxlan10 master br0
ip link set vxlan10 up
bridge vlan del dev vxlan10 vid 1
bridge vlan add dev vxlan10 vid 10 pvid untagged
ip link add host0 type veth peer name host1
ip link set host0 master br0
ip link set host0 up
ip link set host1 up
bridge vlan del dev host0 vid 1
bridge vlan add dev host0 vid 10 pvid untagged
bridge vlan add dev host0 vid 20-22
bridge fdb add 02:00:00:00:00:77 dev host0 master static

sed -i -E 's/^(ospfd|ospf6d|bgpd|ripd|ripngd|isisd)=no$/\1=yes/' /etc/frr/daemons
cat >/etc/frr/frr.conf <<CONF
router ospf
 ospf router-id 10.255.0.%n
 network 10.0.12.0/30 area 0
 network 10.255.0.%n/32 area 0
 network 10.%n.0.0/24 area 0
 redistribute static
!
router ospf6
 ospf6 router-id 10.255.0.%n
!
router isis one
 net 49.0001.0000.0000.000%n.00
!
router rip
 network eth0
 network rip0
 timers basic 5 15 10
!
router ripng
 network eth0
 network lan
!
router bgp 6500%n
 bgp router-id 10.255.0.%n
 no bgp ebgp-requires-policy
 neighbor 10.0.12.%m remote-as 6500%m
 neighbor 10.0.12.%m timers connect 1
 neighbor 192.0.2.99 remote-as 65099
 address-family ipv4 unicast
  network 10.%n.0.0/24
 exit-address-family
 address-family ipv6 unicast
  neighbor 10.0.12.%m activate
  network fd00:%n::/64
 exit-address-family
 address-family l2vpn evpn
  neighbor 10.0.12.%m activate
  advertise-all-vni
 exit-address-family
!
CONF
chown frr:frr /etc/frr/frr.conf
/etc/init.d/frr start >/dev/null 2>&1
for i in $(seq 60); do
  vtysh -b >/dev/null 2>&1 || true # a busy machine's daemons may have come too late for the first time
  if vtysh -c 'show running-config' | grep -q 'router bgp' && vtysh -c 'show running-config' | grep -q 'router isis'; then break; fi
  sleep 1
done
vtysh -c 'configure terminal' -c 'interface eth0' -c 'ip ospf hello-interval 1' -c 'ip ospf dead-interval 4' \
  -c 'ipv6 ospf6 area 0' -c 'ipv6 ospf6 hello-interval 1' -c 'ipv6 ospf6 dead-interval 4' \
  -c 'ip router isis one' -c 'isis hello-interval 1' -c 'isis network point-to-point' \
  -c 'interface lan' -c 'ipv6 ospf6 area 0' -c 'ip router isis one' >/dev/null

nft -f - <<CONF
table inet filter {
  chain input { type filter hook input priority 0; policy accept;
    ct state established,related accept
    iifname "lan" tcp dport { 80, 443 } accept
    ip saddr 192.0.2.0/24 udp dport 1000-2000 drop
    icmp type echo-request accept
    ip protocol icmp reject
  }
  chain forward { type filter hook forward priority 0; policy drop; }
}
table ip nat {
  chain post { type nat hook postrouting priority 100;
    oifname "eth0" ip saddr 10.%n.0.0/24 masquerade
  }
  chain pre { type nat hook prerouting priority -100;
    iifname "eth0" tcp dport 8080 dnat to 10.%n.0.5:80
  }
}
CONF
iptables -A INPUT -p tcp --dport 23 -j DROP
iptables -t nat -A POSTROUTING -s 10.9.0.0/24 -o eth0 -j MASQUERADE

`
	keys := map[string]string{}
	for _, n := range []string{"1", "2"} {
		m := map[string]string{"1": "2", "2": "1"}[n]
		b.sh(t, "r"+n, strings.NewReplacer("%n", n, "%m", m).Replace(script))
		keys[n] = strings.TrimSpace(b.sh(t, "r"+n, "umask 077; wg genkey >/root/key; wg pubkey </root/key"))
	}
	for n, m := range map[string]string{"1": "2", "2": "1"} {
		b.sh(t, "r"+n, strings.NewReplacer("%n", n, "%m", m, "PEER", keys[m]).Replace(`
ip link add wg0 type wireguard
ip addr add 10.100.0.%n/24 dev wg0
wg set wg0 listen-port 51820 private-key /root/key peer PEER endpoint 10.0.12.%m:51820 allowed-ips 10.100.0.%m/32,fd00:100::/64 persistent-keepalive 1
ip link set wg0 up
`))
	}
	b.sh(t, "r1", `
cat >/etc/bind/named.conf.local <<CONF
zone "example.test" { type primary; file "/etc/bind/example.test"; };
CONF
cat >/etc/bind/example.test <<'CONF'
$TTL 60
@ IN SOA ns.example.test. root.example.test. 1 60 60 60 60
@ IN NS ns
@ IN MX 10 mail
@ IN TXT "hello world"
ns IN A 10.255.0.1
mail IN A 10.1.0.25
www IN A 10.1.0.5
www IN A 10.1.0.6
www IN AAAA fd00:1::5
web IN CNAME www
CONF
chmod a+rX /etc/bind/named.conf.local /etc/bind/example.test
service named start >/dev/null 2>&1
echo nameserver 10.255.0.1 >/etc/resolv.conf
echo '<h1>Hello of r1</h1>' >/var/www/html/index.html
service nginx start >/dev/null 2>&1
`)
}

// TestGuestChecks tries every kind on real routers: once as it is, and once with
// something else expected, which has to fail with a word about what is there.
func TestGuestChecks(t *testing.T) {
	b := serveReal(t, routersLab())
	setUpRouters(t, b)
	tests := guestTests()
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		tt := tests[name]
		t.Run(name, func(t *testing.T) {
			tt.try(t, b, b.expect(t, tt.good))
		})
	}
}

// TestGuestRecords does the same with what was recorded there.
func TestGuestRecords(t *testing.T) {
	for name, tt := range guestTests() {
		t.Run(name, func(t *testing.T) {
			r := records{dir: "testdata/guest"}
			f, err := engine.Evaluate(t.Context(), r, &grade.Check{Kinds: tt.good})
			if err != nil {
				t.Fatal(err)
			}
			tt.try(t, r, f)
		})
	}
}

// try looks at what came of the good check and tries the bad one.
func (tt *guestTest) try(t *testing.T, target engine.Target, f engine.Finding) {
	t.Helper()
	if !f.OK || f.Doubt != "" || f.Seen == "" {
		t.Errorf("not passed: %s; doubt %q", f.Seen, f.Doubt)
		for _, e := range f.Evidence {
			t.Logf("%s\n%s", e.Name, e.Data)
		}
	}
	f, err := engine.Evaluate(t.Context(), target, &grade.Check{Kinds: tt.bad})
	if err != nil || f.OK || !strings.Contains(f.Seen, tt.seen) {
		t.Errorf("passed %v, saw %q, want %q (%v)", f.OK, f.Seen, tt.seen, err)
	}
	for _, k := range []*grade.Kinds{&tt.good, &tt.bad} {
		_, _, kind := k.Kind()
		kind.Validate(func(field, fix, format string, args ...any) {
			t.Errorf("%s: "+format, append([]any{field}, args...)...)
		})
		if kind.Expect() == "" {
			t.Error("nothing is expected")
		}
		t.Log(kind.Expect())
	}
}
