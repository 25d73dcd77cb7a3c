package rack_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/rack"
)

// cheat is one way to a check's points without its work, as root of the lab's
// machines.
type cheat struct {
	name   string
	do     map[string]string // scripts by node
	undo   map[string]string // what takes them back; background programs end anyway
	again  []string          // nodes that are beyond that, and begin anew
	checks []string          // of tasks, none of which must be earned
	// trusting says why a guest check that passes is no fault of ours: what is
	// asked is the student's own kernel.
	trusting string
	during   string // a script on the first node of again, begun together with the checks
}

// cheatLab is what is to be solved: pc cannot reach srv, since r1 does not
// forward, and srv serves nothing. evil has a foot in either network.
//
//	pc ── lan ── r1 ── dmz ── srv
//	        └── evil ──┘
func cheatLab() labs.Topology {
	iface := func(name, segment, address, gateway string) labs.Interface {
		f := labs.Interface{Name: name, Segment: segment, Gateway: gateway}
		if address != "" {
			f.Addresses = []string{address}
		}
		return f
	}
	return labs.Topology{
		Nodes: []labs.Node{
			{Name: "pc", Interfaces: []labs.Interface{iface("eth0", "lan", "10.0.1.10/24", "10.0.1.1")}},
			{Name: "evil", Interfaces: []labs.Interface{iface("eth0", "lan", "10.0.1.66/24", ""), iface("eth1", "dmz", "10.0.2.66/24", "")}},
			{Name: "r1", Interfaces: []labs.Interface{iface("eth0", "lan", "10.0.1.1/24", ""), iface("eth1", "dmz", "10.0.2.1/24", "")}},
			{Name: "srv", Interfaces: []labs.Interface{iface("eth0", "dmz", "10.0.2.80/24", "10.0.2.1")}},
		},
		Segments: []labs.Segment{{Name: "lan", Kind: labs.Switch}, {Name: "dmz", Kind: labs.Switch}},
	}
}

// tasks are the checks that a cheat is after.
func tasks() map[string]grade.Check {
	lan := grade.At{Segment: "lan", Gateway: "10.0.1.1"}
	zero, one := 0, 1
	list := map[string]grade.Check{
		"node-ping":  {Kinds: grade.Kinds{Ping: &grade.Ping{From: "pc", To: addr("10.0.2.80"), Count: 1}}},
		"probe-ping": {Kinds: grade.Kinds{Ping: &grade.Ping{At: lan, To: addr("10.0.2.80"), Count: 1}}},
		"connect":    {Kinds: grade.Kinds{Connect: &grade.Connect{At: lan, To: "10.0.2.80:22", Contains: "SSH-2.0-lab"}}},
		"fetch":      {Kinds: grade.Kinds{Fetch: &grade.Fetch{At: lan, URL: "http://10.0.2.80/", Contains: []string{"answer = 42"}}}},
		"resolve":    {Kinds: grade.Kinds{Resolve: &grade.Resolve{At: lan, Server: "10.0.2.80", Name: "www.lab.example", Values: []string{"10.0.2.80"}}}},
		"trace":      {Kinds: grade.Kinds{Trace: &grade.Trace{At: lan, To: addr("10.0.2.80"), Hops: []string{"10.0.1.1", "10.0.2.80"}}}},
		"answers":    {Kinds: grade.Kinds{Answers: &grade.Answers{At: grade.At{Segment: "lan"}, To: addr("10.0.1.50"), By: "pc/eth0"}}},
		"dhcp":       {Kinds: grade.Kinds{DHCP: &grade.DHCP{At: grade.At{Segment: "lan"}, By: "r1/eth0", Router: addr("10.0.1.1")}}},
		"frames": {Kinds: grade.Kinds{Frames: &grade.Frames{On: "r1/eth1", Filter: "icmp or tcp or udp", Contains: []string{"word-{nonce}"},
			Cause: &grade.Cause{Node: "pc", Run: []string{"sh", "-c", "echo word-{nonce} | nc -u -w1 10.0.2.80 4000"}}}}, For: time.Second},
		"hello":  {Kinds: grade.Kinds{Frames: &grade.Frames{On: "r1/eth1", Filter: "ip proto 89"}}, For: 500 * time.Millisecond},
		"silent": {Kinds: grade.Kinds{Frames: &grade.Frames{On: "lan", Filter: "udp port 9999", Max: &zero}}, For: time.Second},

		"file":    {Kinds: grade.Kinds{File: &grade.File{Node: "srv", Path: "/etc/lab.conf", Mode: "0600", Contains: []string{"answer = 42"}}}},
		"enabled": {Kinds: grade.Kinds{File: &grade.File{Node: "srv", Enabled: "nginx"}}},
		"persist": {Kinds: grade.Kinds{File: &grade.File{Node: "r1", Path: "/etc/sysctl.d/lab.conf", Settings: map[string]string{"net.ipv4.ip_forward": "1"}}}},

		"address": {Kinds: grade.Kinds{Address: &grade.Address{Node: "srv", Interface: "eth0", Address: []string{"10.0.2.81/24"}}}},
		"route":   {Kinds: grade.Kinds{Route: &grade.Route{Node: "srv", To: "10.9.0.0/16", Via: []string{"10.0.2.1"}}}},
		"sysctl":  {Kinds: grade.Kinds{Sysctl: &grade.Sysctl{Node: "r1", Key: "net.ipv4.ip_forward", Value: []string{"1"}}}},
		"process": {Kinds: grade.Kinds{Process: &grade.Process{Node: "srv", Name: []string{"nginx"}}}},
		"socket":  {Kinds: grade.Kinds{Socket: &grade.Socket{Node: "srv", Port: 80, Address: "any", Process: "nginx"}}},
		"ospf":    {Kinds: grade.Kinds{OSPF: &grade.OSPF{Node: "r1", Count: &one}}},
		"command": {Kinds: grade.Kinds{Command: &grade.Command{Node: "srv", Run: "cat /student/etc/lab.conf", Contains: []string{"answer = 42"}}}},
	}
	for name, c := range list {
		c.Name, c.Title, c.Points = name, name, 1
		list[name] = c
	}
	return list
}

const endBackground = `for p in $(cat /run/cheat.pids 2>/dev/null); do kill -9 -$p 2>/dev/null; done; rm -f /run/cheat.pids; true`

// mounting makes mount and umount, which the image has not.
const mounting = `[ -x /usr/local/sbin/mount ] || { cat >/usr/local/sbin/mount <<'END-OF-MOUNT'
#!/usr/bin/python3
import ctypes, os, sys
c, a, what, kind, flags = ctypes.CDLL(None, use_errno=True), [], '', 'ext4', 0
e = lambda s: s.encode()
if sys.argv[0].endswith('umount'):
    sys.exit(any([c.umount2(e(d), 2) for d in sys.argv[1:]]))
args = iter(sys.argv[1:])
for w in args:
    if w == '-t': kind = next(args)
    elif w == '-o': what = next(args)
    elif w == '--bind': flags |= 4096
    elif w == '--make-rshared': flags |= 1 << 20 | 16384
    else: a.append(w)
if what.startswith('remount'): flags, what = flags | 32, ''
r = c.mount(e(a[0]), e(a[-1]), e(kind), ctypes.c_ulong(flags), e(what) or None)
if r: print('mount:', a, os.strerror(ctypes.get_errno()), file=sys.stderr)
sys.exit(r != 0)
END-OF-MOUNT
chmod +x /usr/local/sbin/mount; ln -sf mount /usr/local/sbin/umount; }
`

// behind runs a script in the background until the cheat is over.
func behind(script string) string {
	return "cat >/run/cheat.$$ <<'END-OF-CHEAT'\n" + script + "\nEND-OF-CHEAT\nsetsid sh /run/cheat.$$ >/run/cheat.out 2>&1 </dev/null & echo $! >>/run/cheat.pids; sleep 0.1\n"
}

// python is a program in the background.
func python(program string) string {
	return behind("exec python3 - <<'END-OF-PYTHON'\nimport os,socket,struct,time,threading\n"+program+"\nEND-OF-PYTHON") + "sleep 0.4\n"
}

// held is what came of a cheat's guest checks, for the table.
type held struct{ cheat, check, outcome, why string }

// Of root's ways to a check's points none earns one of the wire or of the disk,
// and none makes an error of ours of a fail, which would cost nothing. For guest
// checks the table says what held.
func TestCheat(t *testing.T) {
	begun := time.Now()
	topo := cheatLab()
	b := serveReal(t, topo)
	settled(t, b.stream(t, rack.Owner))
	all := tasks()
	var table []held
	list := slices.Concat(cheatsOnWire(), cheatsOnDisk(), cheatsInGuest())
	if len(list) < 50 {
		t.Errorf("there are %d cheats", len(list))
	}
	for _, c := range list {
		t.Run(c.name, func(t *testing.T) { table = append(table, b.cheat(t, &c, all)...) })
	}
	t.Run("the-work-itself", func(t *testing.T) { b.solve(t, all) })
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "cheat\tguest check\tresult\twhy")
	for _, h := range table {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", h.cheat, h.check, h.outcome, h.why)
	}
	w.Flush()
	t.Logf("%d cheats in %v\n%s", len(list), time.Since(begun), text.String())
}

// cheat tries one and returns what came of its guest checks.
func (b *bench) cheat(t *testing.T, c *cheat, all map[string]grade.Check) (table []held) {
	for _, node := range []string{"srv", "r1", "evil", "pc"} {
		if c.do[node] != "" {
			b.asRoot(t, node, c.do[node])
		}
	}
	req := &rack.CheckRequest{Lab: "cheat"}
	for _, name := range c.checks {
		k, known := all[name]
		if !known {
			t.Fatalf("there is no task %s", name)
		}
		k.Within = time.Millisecond
		req.Checks = append(req.Checks, k)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if c.during != "" {
			time.Sleep(50 * time.Millisecond)
			_, _ = b.client.Exec(ctx, c.again[0], rack.ExecRequest{Args: []string{"sh", "-c", c.during}, Timeout: 5 * time.Second})
		}
	}()
	report, err := b.client.Check(ctx, req, nil)
	if err != nil {
		t.Error(err)
		report = &grade.Report{}
	}
	for _, r := range report.Results {
		t.Logf("%s: %s: %s %s", r.Check, r.Outcome, r.Seen, r.Doubt)
		h := held{c.name, r.Check, string(r.Outcome), r.Seen}
		switch {
		case r.Outcome == grade.Error:
			t.Errorf("%s is an error of ours: %s", r.Check, r.Seen)
		case r.Outcome != grade.Pass:
		case r.Trust != grade.Guest:
			t.Errorf("%s was earned: %s", r.Check, r.Seen)
		case r.Doubt != "":
			h.outcome, h.why = "pass, doubted", r.Doubt
		case c.trusting != "":
			h.outcome, h.why = "trusted", c.trusting
		default:
			t.Errorf("%s was earned without a doubt: %s", r.Check, r.Seen)
		}
		if r.Trust == grade.Guest {
			if len(h.why) > 90 {
				h.why = strings.ToValidUTF8(h.why[:90], "") + "…"
			}
			table = append(table, h)
		}
	}
	cancel()
	<-ended
	b.takeBack(t, c)
	return table
}

// takeBack makes the lab what it was before.
func (b *bench) takeBack(t *testing.T, c *cheat) {
	for _, n := range c.again {
		b.do(t, rack.Op{Do: "reset", Node: n})
	}
	for _, n := range c.again {
		b.up(t, n)
	}
	for n := range c.do {
		if !slices.Contains(c.again, n) {
			b.asRoot(t, n, c.undo[n]+"\n"+endBackground)
		}
	}
}

// up waits until a node answers.
func (b *bench) up(t *testing.T, node string) {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		_, err := b.client.Exec(t.Context(), node, rack.ExecRequest{Args: []string{"true"}, Timeout: 5 * time.Second})
		if err == nil {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("%s does not come up: %v", node, err)
		}
	}
}

// asRoot runs a script.
func (b *bench) asRoot(t *testing.T, node, script string) {
	t.Helper()
	if strings.Contains(script, "mount ") {
		script = mounting + script
	}
	res, err := b.client.Exec(t.Context(), node, rack.ExecRequest{Args: []string{"sh"}, Stdin: []byte(script), Timeout: 20 * time.Second})
	if err != nil { // the machine is no more, which may be what was wanted
		t.Logf("%s: %v", node, err)
		return
	}
	if out := strings.TrimSpace(string(res.Stdout) + string(res.Stderr)); res.ExitCode != 0 || out != "" {
		t.Logf("%s: exit code %d: %s", node, res.ExitCode, out)
	}
}

// solve does the work, after which everything has to pass: what no cheat earned
// can be earned.
func (b *bench) solve(t *testing.T, all map[string]grade.Check) {
	ospf := `sed -i 's/^ospfd=no/ospfd=yes/' /etc/frr/daemons
printf 'router ospf\n ospf router-id 10.255.0.%d\n network 10.0.2.0/24 area 0\ninterface eth%d\n ip ospf hello-interval 1\n ip ospf dead-interval 4\n' >/etc/frr/frr.conf
/etc/init.d/frr start
`
	b.asRoot(t, "r1", `echo 1 >/proc/sys/net/ipv4/ip_forward; echo net.ipv4.ip_forward=1 >/etc/sysctl.d/lab.conf
dnsmasq --port=0 --interface=eth0 --dhcp-range=10.0.1.100,10.0.1.110,1h
`+fmt.Sprintf(ospf, 1, 1))
	b.asRoot(t, "pc", "ip addr add 10.0.1.50/24 dev eth0")
	b.asRoot(t, "srv", `ip addr add 10.0.2.81/24 dev eth0; ip route add 10.9.0.0/16 via 10.0.2.1
umask 077; echo 'answer = 42' >/etc/lab.conf
echo 'answer = 42' >/var/www/html/index.html; chmod 644 /var/www/html/index.html; systemctl enable --now nginx
dnsmasq --no-resolv --no-hosts --host-record=www.lab.example,10.0.2.80
`+fmt.Sprintf(ospf, 2, 0)+behind(`while :; do printf 'SSH-2.0-lab\r\n' | nc -l -p 22 -q 1; done`))
	req := &rack.CheckRequest{Lab: "cheat"}
	for _, name := range sorted(all) {
		k := all[name]
		k.Within = time.Minute
		req.Checks = append(req.Checks, k)
	}
	report, err := b.client.Check(t.Context(), req, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		if r.Outcome != grade.Pass || r.Doubt != "" {
			t.Errorf("%s: %s: %s %s", r.Check, r.Outcome, r.Seen, r.Doubt)
		}
	}
}

func sorted(all map[string]grade.Check) (names []string) {
	for n := range all {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
