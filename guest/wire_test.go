package guest_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/guest"
	"github.com/patchbay/patchbay/guest/agent"
)

// Two guests exchange TCP over both versions of IP. With offload the datagrams
// carry headers and whole segments, without they are what a wire carries.
func TestExchange(t *testing.T) {
	kernels(t, func(t *testing.T, config func() *guest.Config) {
		a, b := config(), config()
		l := newCable(t, a, b)
		from, to := boot(t, *a), boot(t, *b)
		transfer(t, from, to, "TCP4", "10.0.0.2")
		transfer(t, to, from, "TCP6", "[fd00::1]")
		kinds, largest, bad := l.seen()
		t.Logf("datagrams by type %v, the largest frame has %d bytes", kinds, largest)
		if bad != nil {
			t.Error(bad)
		}
		switch {
		case !l.offload && largest > 1514:
			t.Errorf("a frame of %d bytes at an MTU of 1500", largest)
		case l.offload && largest < 4*1514:
			t.Errorf("the largest frame has %d bytes; want segments that are cut later", largest)
		case l.offload && (kinds[gsoTCPv4] == 0 || kinds[gsoTCPv6] == 0):
			t.Errorf("segments of one version only: %v", kinds)
		}
	})
}

// transfer has a megabyte go from one guest to another and compares them.
func transfer(t *testing.T, from, to *machine, family, address string) {
	t.Helper()
	type result struct {
		sum string
		err error
	}
	// What connects from an address that may still be a duplicate never comes through.
	for _, m := range []*machine{from, to} {
		m.sh(t, "while ip addr show dev eth0 | grep -q tentative; do sleep 0.1; done")
	}
	ctx := within(t)
	received := make(chan result)
	go func() {
		r, err := to.Agent().Exec(ctx, agent.Exec{Args: []string{"sh", "-c", "socat -u " + family + "-LISTEN:9 STDOUT | sha256sum"}})
		if err != nil {
			received <- result{err: err}
			return
		}
		received <- result{sum: strings.Fields(string(r.Stdout) + " nothing")[0]}
	}()
	from.sh(t, "seq 1 200000 | socat -u STDIN "+family+":"+address+":9,retry=100,interval=0.1")
	h := sha256.New()
	for i := range 200000 {
		fmt.Fprintln(h, i+1)
	}
	got := <-received
	if want := fmt.Sprintf("%x", h.Sum(nil)); got.err != nil || got.sum != want {
		t.Errorf("over %s came %q, %v; want what hashes to %s", family, got.sum, got.err, want)
	}
}

// A guest forwards what it received in segments, or put together from frames,
// to a cable of its own.
func TestForward(t *testing.T) {
	c := realConfig(t)
	if !c.Kernel.Offload {
		lacking(t, "the kernel %s has no offload", c.Kernel.Name)
	}
	a, b, r := realConfig(t), realConfig(t), c
	in := newCable(t, &a, &r)
	// The second cable ends at the router's eth1.
	out := &cable{offload: true, kinds: map[byte]int{}}
	out.ends[0], out.ends[1] = plug(t, &r, 1), plug(t, &b, 0)
	out.start(t)
	r.Machine.Interfaces[1].Addresses = []string{"10.0.1.1/24"}
	b.Machine.Interfaces[0].Addresses, b.Machine.Interfaces[0].Gateway = []string{"10.0.1.2/24"}, "10.0.1.1"
	a.Machine.Interfaces[0].Gateway = "10.0.0.2"
	r.Machine.Sysctls = []agent.Sysctl{{Key: "net.ipv4.ip_forward", Value: "1"}}
	from, _, to := boot(t, a), boot(t, r), boot(t, b)
	transfer(t, from, to, "TCP4", "10.0.1.2")
	cut, _, _ := in.seen()
	if cut[gsoTCPv4] == 0 {
		t.Error("no segment went to the router")
	}
	// Cut by the sender, perhaps put together by the router.
	from.sh(t, "ethtool -K eth0 tso off gso off")
	transfer(t, from, to, "TCP4", "10.0.1.2")
	if after, _, _ := in.seen(); after[gsoTCPv4] != cut[gsoTCPv4] {
		t.Error("with its offload off the sender sends segments")
	}
	for _, l := range []*cable{in, out} {
		kinds, largest, bad := l.seen()
		t.Logf("datagrams by type %v, the largest frame has %d bytes", kinds, largest)
		if bad != nil {
			t.Error(bad)
		}
	}
}

// Interfaces take an MTU of up to 9000, and one that was set to less goes back.
func TestMTU(t *testing.T) {
	kernels(t, func(t *testing.T, config func() *guest.Config) {
		a, b := config(), config()
		l := newCable(t, a, b)
		for _, c := range []*guest.Config{a, b} {
			c.NICs[0].MTU, c.Machine.Interfaces[0].MTU = 9000, 9000
		}
		m := boot(t, *a)
		boot(t, *b)
		m.sh(t, "ping -c 1 -W 30 -M do -s 8972 10.0.0.2")
		if _, largest, bad := l.seen(); largest != 9014 || bad != nil {
			t.Errorf("the largest frame has %d bytes, %v; want 9014", largest, bad)
		}
		if a.Kernel.Modules.Path != "" {
			return // the packaged kernel cannot set it to more than 1500 again
		}
		m.sh(t, "ip link set eth0 mtu 1400 && ip link set eth0 mtu 9000")
		m.sh(t, "ping -c 1 -W 30 -M do -s 8972 10.0.0.2")
	})
}

// Whatever comes for a guest does no harm to it: headers that lie, runts,
// giants.
func TestHostileDatagrams(t *testing.T) {
	c := realConfig(t)
	end := plug(t, &c, 0)
	c.Machine.Interfaces[0].Addresses = []string{"10.0.0.1/24"}
	m := boot(t, c)
	conn, err := end.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	send := func(d []byte) {
		t.Helper()
		if _, err := conn.Write(d); err != nil {
			t.Fatal(err)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for n := 2; n < 80; n++ { // one byte is the carrier's
		send(make([]byte, n))
	}
	for _, n := range []int{1514, 4096, 65535, 65536, 65567 + vnetHeader, 65568 + vnetHeader, 70000} {
		send(make([]byte, n))
	}
	for range 5000 {
		d := make([]byte, vnetHeader+14+random.IntN(3000))
		for i := range d {
			d[i] = byte(random.Uint32())
		}
		// Half of them are plausible enough to get further.
		if random.IntN(2) == 0 {
			d[0] &= 3
			d[1] = []byte{gsoNone, gsoTCPv4, 3, gsoTCPv6, 5}[random.IntN(5)] | d[1]&gsoECN
			d[7], d[9] = 0, 0
			copy(d[headerBytes(c.Kernel):], "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x09\x08\x00\x45\x00")
		}
		send(d)
	}
	if !answers(t, conn, c) {
		t.Error("it does not answer any more")
	}
	if log := m.sh(t, "dmesg | grep -iE 'BUG|WARN|Trace|panic' || true"); log != "" {
		t.Errorf("the kernel says %s", log)
	}
	if got := m.sh(t, "cat /sys/class/net/eth0/statistics/rx_errors"); got == "0\n" {
		t.Error("no datagram was counted as an error")
	}
}

// answers asks a guest for its address until it answers or the connection's
// deadline has come.
func answers(t *testing.T, conn net.Conn, c guest.Config) bool {
	t.Helper()
	n := headerBytes(c.Kernel)
	ask := make([]byte, n+42)
	copy(ask[n:], "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x09\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01"+
		"\x02\x00\x00\x00\x00\x09\x0a\x00\x00\x02\x00\x00\x00\x00\x00\x00\x0a\x00\x00\x01")
	if _, err := conn.Write(ask); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 1<<17)
	for {
		got, err := conn.Read(p)
		if err != nil {
			return false
		}
		if f := p[n:got]; len(f) >= 42 && f[12] == 8 && f[13] == 6 && f[21] == 2 {
			return true
		}
	}
}

// A guest whose frames nobody takes waits for it without using its processor,
// and goes on when they are taken.
func TestUnreadPort(t *testing.T) {
	c := realConfig(t)
	end := plug(t, &c, 0)
	c.Machine.Interfaces[0].Addresses = []string{"10.0.0.1/24"}
	m := boot(t, c)
	conn, err := end.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m.sh(t, "ip neigh replace 10.0.0.2 lladdr 02:00:00:00:00:09 dev eth0; "+
		"head -c 1000000 /dev/zero | timeout 2 socat -u -b 1000 STDIN UDP:10.0.0.2:9 || true")
	used := cpuTicks(t, m.PID())
	time.Sleep(time.Second)
	if n := cpuTicks(t, m.PID()) - used; n > 20 {
		t.Errorf("it used %d ticks of a hundred while its port was not read", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		t.Fatal(err)
	}
	if !answers(t, conn, c) {
		t.Error("it does not go on")
	}
	if s := m.screens[0].text(); strings.Contains(s, "WATCHDOG") {
		t.Errorf("its console says %q", s)
	}
}
