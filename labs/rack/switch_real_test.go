package rack_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/guest/kernel"
	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/vnet"
)

// wired is a switch with real guests on it, and no rack around them.
type wired struct {
	*vnet.Switch
	t      *testing.T
	dir    string
	kernel kernel.Kernel
	spec   *rack.Spec
	guests map[string]rack.Machine
}

// newWired makes a switch with a segment "lan" of each kind and no guests.
func newWired(t *testing.T) *wired {
	t.Helper()
	cache := realCache(t)
	k, err := kernel.Find(cache, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := vnet.New(vnet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := &wired{Switch: s, t: t, dir: t.TempDir(), kernel: k, guests: map[string]rack.Machine{}}
	w.spec = &rack.Spec{ID: "wired", Owner: "ann", LabSlug: "wired", Cache: cache}
	for _, kind := range []vnet.Kind{vnet.SwitchKind, vnet.Link} {
		if err := s.AddSegment(vnet.SegmentConfig{Name: string(kind), Kind: kind}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// boot starts a guest with an interface on a port of the switch for each
// configuration. Its ports are called guest/eth0 and so on, and eth0 of the i-th
// guest has the address 10.0.0.i.
func (w *wired) boot(name string, i int, ports ...vnet.PortConfig) {
	t := w.t
	t.Helper()
	dir := filepath.Join(w.dir, name)
	if err := os.Mkdir(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	cpus := rack.AllowedCPUs()
	p := &rack.Plan{
		Rack: w.spec, Dir: dir, CPU: cpus[i%len(cpus)], Lines: 8,
		Kernel: w.kernel.Name, Offload: ports[0].Offload, Carrier: ports[0].Carrier,
		Node: &labs.Node{Name: name},
	}
	for k, c := range ports {
		iface := labs.Interface{Name: fmt.Sprintf("eth%d", k), Segment: c.Segment}
		if k == 0 {
			iface.Addresses = []string{fmt.Sprintf("10.0.0.%d/24", i), fmt.Sprintf("fd00::%d/64", i)}
		}
		c.Name, c.Path = name+"/"+iface.Name, filepath.Join(dir, iface.Name)
		if err := w.AddPort(c); err != nil {
			t.Fatal(err)
		}
		p.Node.Interfaces = append(p.Node.Interfaces, iface)
		p.NICs = append(p.NICs, rack.PlanNIC{MAC: fmt.Sprintf("02:00:00:00:%02x:%02x", k, i), Socket: c.Path})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m, err := rack.StartGuest(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Kill()
		<-m.Done()
		m.Close()
	})
	if err := m.Boot(ctx); err != nil {
		t.Fatal(err)
	}
	w.guests[name] = m
}

// sh has a guest run a command, which must succeed, and returns its output.
func (w *wired) sh(guest, command string) (string, error) {
	r, err := w.guests[guest].Exec(w.t.Context(), &rack.ExecRequest{Args: []string{"sh", "-c", command}, Timeout: 2 * time.Minute})
	if err != nil {
		return "", err
	}
	if r.ExitCode != 0 {
		return "", fmt.Errorf("%s: %s: exit code %d: %s%s", guest, command, r.ExitCode, r.Stdout, r.Stderr)
	}
	return string(r.Stdout), nil
}

// transfer has some megabytes go by TCP from one guest to another, whose
// address is given, and compares them.
func (w *wired) transfer(from, to, family, address string) {
	w.t.Helper()
	type result struct {
		out string
		err error
	}
	received := make(chan result)
	go func() {
		out, err := w.sh(to, "socat -u "+family+"-LISTEN:9,reuseaddr STDOUT | sha256sum")
		received <- result{out, err}
	}()
	if _, err := w.sh(from, "seq 1 700000 | socat -u STDIN "+family+":"+address+":9,retry=100,interval=0.1"); err != nil {
		w.t.Error(err)
	}
	h := sha256.New()
	for i := range 700000 {
		fmt.Fprintln(h, i+1)
	}
	got := <-received
	if sum, _, _ := strings.Cut(got.out, " "); got.err != nil || sum != fmt.Sprintf("%x", h.Sum(nil)) {
		w.t.Errorf("%s to %s by %s: what came hashes to %q, %v; want %x", from, to, family, sum, got.err, h.Sum(nil))
	}
}

// Guests with offloads and one without, through one switch: whatever comes is
// what was sent, and nobody sends what the switch does not understand.
func TestRealOffload(t *testing.T) {
	w := newWired(t)
	lan := string(vnet.SwitchKind)
	w.boot("o1", 1, vnet.PortConfig{Segment: lan, Offload: w.kernel.Offload, Carrier: w.kernel.Carrier})
	w.boot("o2", 2, vnet.PortConfig{Segment: lan, Offload: w.kernel.Offload})
	w.boot("p3", 3, vnet.PortConfig{Segment: lan})
	for _, way := range [][3]string{{"o1", "o2", "2"}, {"o1", "p3", "3"}, {"p3", "o1", "1"}} {
		w.transfer(way[0], way[1], "TCP4", "10.0.0."+way[2])
		w.transfer(way[0], way[1], "TCP6", "[fd00::"+way[2]+"]")
	}
	for _, p := range w.Ports() {
		if p.Runts+p.Giants+p.Malformed+p.Filtered+p.Storm+p.Cut != 0 {
			t.Errorf("%+v; want nothing lost but by a full receiver", p)
		}
	}
}

// carrier waits until a guest's eth0 has a carrier, or none.
func (w *wired) carrier(step, guest string, want bool) {
	w.t.Helper()
	var out string
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		var err error
		if out, err = w.sh(guest, "ip -o link show eth0"); err != nil {
			w.t.Fatal(err)
		}
		if strings.Contains(out, "LOWER_UP") == want && strings.Contains(out, "NO-CARRIER") != want {
			return
		}
	}
	w.t.Errorf("%s: carrier of %s is not %v: %s", step, guest, want, out)
}

// Cables seen from inside.
func TestRealCarrier(t *testing.T) {
	w := newWired(t)
	if !w.kernel.Carrier {
		if os.Getenv("CI") != "" {
			t.Fatalf("the kernel %s knows no carrier messages", w.kernel.Name)
		}
		t.Skipf("the kernel %s knows no carrier messages", w.kernel.Name)
	}
	for i, kind := range []vnet.Kind{vnet.SwitchKind, vnet.Link} {
		a, b := string(kind)+"-a", string(kind)+"-b"
		c := vnet.PortConfig{Segment: string(kind), Carrier: true, Offload: w.kernel.Offload}
		w.boot(a, 10*i+1, c)
		w.boot(b, 10*i+2, c)
		plug := func(in bool) {
			t.Helper()
			if err := w.SetPlugged(b+"/eth0", in); err != nil {
				t.Fatal(err)
			}
		}
		w.carrier("at first", a, true)
		w.carrier("at first", b, true)
		plug(false)
		w.carrier("b is pulled", b, false)
		w.carrier("b is pulled", a, kind != vnet.Link)
		if _, err := w.sh(b, "ip link set eth0 down; ip link set eth0 up"); err != nil {
			t.Error(err)
		}
		w.carrier("b went down and up without a cable", b, false)
		plug(true)
		w.carrier("b is plugged in", b, true)
		w.carrier("b is plugged in", a, true)
		if _, err := w.sh(a, fmt.Sprintf("ping -c 3 -W 10 10.0.0.%d", 10*i+2)); err != nil {
			t.Error(err)
		}
		w.guests[b].Kill()
		<-w.guests[b].Done()
		w.carrier("b is dead", a, true)
		if err := w.RemovePort(a + "/eth0"); err != nil {
			t.Fatal(err)
		}
		w.carrier("a's port is gone", a, false)
	}
}

// A bridge with both its ports on one segment: the loop is found and costs the
// segment no more than storm control lets it, and spanning tree ends it.
func TestRealLoop(t *testing.T) {
	w := newWired(t)
	c := vnet.PortConfig{Segment: string(vnet.SwitchKind), Offload: w.kernel.Offload, Carrier: w.kernel.Carrier}
	w.boot("pc", 1, c)
	w.boot("br", 2, c, c)
	loop := func() *vnet.Loop { return w.Segments()[0].Loop }
	sh := func(guest, command string) {
		t.Helper()
		if _, err := w.sh(guest, command); err != nil {
			t.Fatal(err)
		}
	}
	wait := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(3 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("waited in vain for %s; loop %+v", what, loop())
			}
		}
	}
	sh("br", "ip link add br0 type bridge && ip link set eth0 master br0 && ip link set eth1 master br0 && ip link set eth1 up && ip link set br0 up")
	sh("pc", "ping -c 3 -i 0.2 -W 1 10.0.0.77 || true") // nobody: it asks all
	wait("the loop", func() bool { return loop() != nil && slices.Equal(loop().Ports, []string{"br/eth0", "br/eth1"}) })
	wait("storm control", func() bool { return loop() != nil && loop().FramesPerSecond > 100 })
	if f := loop().FramesPerSecond; f > 5000 {
		t.Errorf("%v frames a second come back; want what storm control lets pass", f)
	}
	sh("br", "ip link set br0 type bridge stp_state 1 forward_delay 400")
	wait("the end of the loop", func() bool { return loop() == nil })
}
