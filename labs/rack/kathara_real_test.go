package rack_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/kathara"
	"github.com/patchbay/patchbay/labs/rack"
)

// takenOver is a lab of Kathará's or Netkit's form as one of ours.
func takenOver(t *testing.T, files map[string]string) labs.Topology {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	im, err := kathara.Read(fsys, "foreign")
	if err != nil {
		t.Fatal(err)
	}
	lab, err := labs.Load(im.FS(), im.Slug)
	if err != nil {
		t.Fatal(err)
	}
	return lab.Topology
}

// eventually is true when a command on a node ends well within half a minute.
func (b *bench) eventually(t *testing.T, node string, args ...string) bool {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if code, _ := b.run(t, node, args...); code == 0 {
			return true
		}
	}
	return false
}

// TestRealKathara runs two routers and two hosts: Quagga's names and files,
// scripts of both kinds, what is shared, a page, the settings that such labs
// count on.
func TestRealKathara(t *testing.T) {
	const daemons = "zebra=yes\nripd=yes\n"
	rip := func(net string) string { return "router rip\n network " + net + "\n network 10.9.0.0/24\n" }
	b := serveReal(t, takenOver(t, map[string]string{
		"lab.conf": "h_1[0]=A\nh_1[image]=kathara/base\nr1[0]=A\nr1[1]=B\nr1[image]=kathara/quagga\n" +
			"r2[0]=B\nr2[1]=C\nr2[image]=kathara/quagga\nr2[ipv6]=true\nweb[0]=C\nweb[exec]=\"touch /tmp/last\"\n",
		"h_1.startup":             "ip a add 10.1.0.2/24 dev eth0\r\nip r add default via 10.1.0.1\r\n",
		"r1.startup":              "ip a add 10.1.0.1/24 dev eth0\nip a add 10.9.0.1/24 dev eth1\nsystemctl start quagga\n",
		"r2.startup":              "for i in 0 1; do\n  ip a add 10.$((9 - i * 7)).0.$((2 - i))/24 dev eth$i\ndone\n/etc/init.d/zebra start\n",
		"web.startup":             "ifconfig eth0 10.2.0.9/24\nroute add default gw 10.2.0.1\n/etc/init.d/apache2 start\n",
		"shared.startup":          "cp /shared/word /tmp/word\n",
		"shared/word":             "for all\n",
		"r1/etc/quagga/daemons":   daemons,
		"r1/etc/quagga/ripd.conf": rip("10.1.0.0/24"),
		"r2/etc/quagga/daemons":   daemons,
		"r2/etc/zebra/ripd.conf":  rip("10.2.0.0/24"),
		"web/var/www/html/a.html": "taken over\n",
	}))
	settled(t, b.stream(t, rack.Owner))
	if !b.eventually(t, "h-1", "curl", "-sf", "--max-time", "2", "http://10.2.0.9/a.html") {
		_, routes := b.run(t, "r1", "sh", "-c", "ip route; vtysh -c 'show ip rip'; cat /var/log/startup.log")
		t.Fatalf("h-1 does not get the page; r1 says\n%s", routes)
	}
	for node, command := range map[string]string{
		"h-1": "grep -qx 'for all' /tmp/word && [ $(cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6) = 1 ]",
		"r1":  "[ $(stat -c %U /etc/frr/ripd.conf) = frr ] && [ $(cat /proc/sys/net/ipv4/conf/all/rp_filter) = 0 ] && vtysh -c 'show running-config' | grep -q 'router rip'",
		"r2":  "[ $(cat /proc/sys/net/ipv6/conf/all/forwarding) = 1 ] && [ $(cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6) = 0 ]",
		"web": "[ -e /tmp/last ] && [ $(stat -c %a /var/www/html/a.html) = 777 ] && ! grep -q r1 /etc/hosts",
	} {
		if code, out := b.run(t, node, "bash", "-c", command); code != 0 {
			t.Errorf("%s: %s ended with %d\n%s", node, command, code, out)
		}
	}
}

// TestRealNetkit holds that Netkit's collision domains are hubs: the third
// machine hears what is not for it.
func TestRealNetkit(t *testing.T) {
	b := serveReal(t, takenOver(t, map[string]string{
		"lab.conf":       "machines=\"a b c\"\nThree machines on a hub.\na[0]=X\nb[0]=X\nc[0]=X\na[mem]=64\n",
		"a.startup":      "ifconfig eth0 10.0.0.1 netmask 255.255.255.0 up\n",
		"b.startup":      "ifconfig eth0 10.0.0.2 netmask 255.255.255.0 up\n",
		"c.startup":      "ifconfig eth0 up\n",
		"shared/etc/all": "x\n",
	}))
	settled(t, b.stream(t, rack.Owner))
	if !b.eventually(t, "a", "ping", "-c", "1", "-W", "1", "10.0.0.2") {
		t.Fatal("a does not reach b")
	}
	heard := make(chan string, 1)
	go func() {
		r, err := b.client.Exec(t.Context(), "c", rack.ExecRequest{Args: []string{"timeout", "8", "tcpdump", "-l", "-n", "-i", "eth0", "-c", "1", "icmp"}})
		if err != nil {
			heard <- err.Error()
			return
		}
		heard <- "c: " + string(r.Stdout)
	}()
	var out string
	for out == "" {
		b.run(t, "a", "ping", "-c", "1", "-W", "1", "10.0.0.2")
		select {
		case out = <-heard:
		default:
		}
	}
	if !strings.Contains(out, "10.0.0.1 > 10.0.0.2") {
		t.Errorf("c hears %q on the hub; want the ping of a and b", out)
	}
	b.must(t, "b", "test", "-e", "/etc/all")
}
