package rack_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/guest/image"
	"github.com/patchbay/patchbay/guest/kernel"
	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
)

// serveEnv makes this program the rack of a folder, for tests that kill it.
const serveEnv = "PATCHBAY_TEST_SERVE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveEnv); dir != "" {
		err := rack.Serve(context.Background(), rack.Options{Dir: dir}, func() { fmt.Println("ready") })
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if dir := scratch.dir; dir != "" {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// scratch is what all tests with real guests share.
var scratch struct {
	once sync.Once
	dir  string
	err  error
}

// realCache returns a cache with the machine's kernels and images in it and a
// guestd of this very source. It skips the test where there are none and
// nobody insists.
func realCache(t testing.TB) string {
	t.Helper()
	scratch.once.Do(func() { scratch.err = makeScratch() })
	err := scratch.err
	var noKernel *kernel.NotFoundError
	var noImage *image.NotFoundError
	if os.Getenv("CI") == "" && (errors.As(err, &noKernel) || errors.As(err, &noImage)) {
		t.Skipf("no real guests here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(scratch.dir, "cache")
}

func makeScratch() error {
	cache := os.Getenv("PATCHBAY_CACHE")
	if cache == "" && os.Geteuid() == 0 {
		cache = "/var/cache/patchbay"
	} else if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return err
		}
		cache = filepath.Join(dir, "patchbay")
	}
	if _, err := kernel.Find(cache, ""); err != nil {
		return err
	}
	if _, err := image.Find(cache, ""); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "patchbay-rack-")
	if err != nil {
		return err
	}
	scratch.dir = dir
	guestd := filepath.Join(dir, "guestd")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", guestd, "../../cmd/guestd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building guestd: %w\n%s", err, out)
	}
	// Kernels and images are the machine's; what is made of guestd is not.
	ours := filepath.Join(dir, "cache")
	return errors.Join(
		os.Chmod(dir, 0o755),
		link(cache, ours, "kernels"), link(cache, ours, "images"),
		os.Setenv(rack.GuestdEnv, guestd),
	)
}

// link makes what one cache has of a kind known in another.
func link(from, to, kind string) error {
	files, err := filepath.Glob(filepath.Join(from, kind, "*", "*"))
	if err != nil {
		return err
	}
	for _, f := range files {
		name, err := filepath.Rel(from, f)
		if err != nil {
			return err
		}
		there := filepath.Join(to, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(there), 0o755), os.Symlink(f, there)); err != nil {
			return err
		}
	}
	return nil
}

// serveReal runs a rack of real guests until the test ends.
func serveReal(t *testing.T, topo labs.Topology) *bench {
	t.Helper()
	cache := realCache(t)
	dir := t.TempDir()
	spec := &rack.Spec{ID: "real", Owner: "ann", LabSlug: "real", Topology: topo, Cache: cache}
	if err := rack.WriteSpec(dir, spec); err != nil {
		t.Fatal(err)
	}
	b := serveAt(t, dir, nil)
	t.Cleanup(func() { b.end(t) })
	return b
}

// settled waits until every node has been started once.
func settled(t *testing.T, s *rack.Stream) {
	t.Helper()
	until(t, s, "every node was started", func(st *rack.State) bool { return st.Status == rack.Running })
}

// run runs a program in a node and returns its output.
func (b *bench) run(t *testing.T, node string, args ...string) (code int, out string) {
	t.Helper()
	res, err := b.client.Exec(t.Context(), node, rack.ExecRequest{Args: args})
	if err != nil {
		t.Fatalf("%s: %v: %v", node, args, err)
	}
	return res.ExitCode, string(res.Stdout) + string(res.Stderr)
}

// must is run for programs that have to succeed.
func (b *bench) must(t *testing.T, node string, args ...string) string {
	t.Helper()
	code, out := b.run(t, node, args...)
	if code != 0 {
		t.Fatalf("%s: %v: exit code %d: %s", node, args, code, out)
	}
	return out
}

// ping says whether one echo from node to an address is answered.
func (b *bench) ping(t *testing.T, node, address string) bool {
	t.Helper()
	code, _ := b.run(t, node, "ping", "-c1", "-W1", address)
	return code == 0
}

func (b *bench) do(t *testing.T, op rack.Op) {
	t.Helper()
	if err := b.client.Do(t.Context(), op); err != nil {
		t.Fatalf("%+v: %v", op, err)
	}
}

func TestRealHostsTalk(t *testing.T) {
	began := time.Now()
	topo := twoHosts()
	topo.Nodes[0].Files = []labs.File{{Path: "/etc/motd.lab", Mode: 0o640, Data: []byte("from the lab\n")}}
	topo.Nodes[1].Interfaces[0].Addresses = []string{"10.0.0.2/24"}
	b := serveReal(t, topo)
	s := b.stream(t, rack.Owner)
	pc1 := attach(t, s, rack.AttachOptions{Node: "pc1", Cols: 91, Rows: 33})
	pc2 := attach(t, s, rack.AttachOptions{Node: "pc2"})
	pc1.shows(t, "root@pc1")
	pc2.shows(t, "root@pc2")
	t.Logf("two prompts after %v", time.Since(began))
	settled(t, s)

	pc1.types(t, "ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up; stty size\r")
	pc1.shows(t, "33 91")
	if !b.ping(t, "pc1", "10.0.0.2") {
		t.Fatal("pc1 does not reach pc2")
	}
	until(t, s, "the switch has seen frames", func(st *rack.State) bool {
		p := st.Segments[0].Ports
		return st.Nodes[0].Interfaces[0].Up && p[0].TxFrames > 1 && p[1].RxFrames > 1
	})
	b.do(t, rack.Op{Do: "unplug", Node: "pc2", Interface: "eth0"})
	if b.ping(t, "pc1", "10.0.0.2") {
		t.Error("a cable that is out carries a ping")
	}
	b.do(t, rack.Op{Do: "plug", Node: "pc2", Interface: "eth0"})
	if !b.ping(t, "pc1", "10.0.0.2") {
		t.Error("a cable that is in again carries no ping")
	}
	b.must(t, "pc1", "ip", "link", "set", "eth0", "down")
	until(t, s, "pc1's interface is down", func(st *rack.State) bool { return !st.Nodes[0].Interfaces[0].Up })
	b.must(t, "pc1", "ip", "link", "set", "eth0", "up")
	until(t, s, "pc1's interface is up", func(st *rack.State) bool { return st.Nodes[0].Interfaces[0].Up })
	if !b.ping(t, "pc2", "10.0.0.1") {
		t.Error("no ping after down and up")
	}
	st := s.State()
	if mac := st.Nodes[0].Interfaces[0].MAC; !strings.Contains(b.must(t, "pc1", "ip", "link", "show", "eth0"), mac) {
		t.Errorf("eth0 of pc1 has not the address %s", mac)
	}
	version, _, _ := strings.Cut(strings.TrimSpace(b.must(t, "pc1", "uname", "-r")), "-")
	if k := st.Nodes[0].Kernel; !strings.Contains(k, version) { // patchbay-7.3.4-44489ffa
		t.Errorf("the state names the kernel %q, which is version %q", k, version)
	}
	if out := b.must(t, "pc1", "cat", "/etc/motd.lab"); out != "from the lab\n" {
		t.Errorf("the lab's file: %q", out)
	}
}

func TestRealDisksAndConsoles(t *testing.T) {
	topo := twoHosts()
	topo.Nodes[0].Files = []labs.File{{Path: "/root/given", Mode: 0o644, Data: []byte("given")}}
	b := serveReal(t, topo)
	s := b.stream(t, rack.Owner)
	settled(t, s)
	ctx := t.Context()
	if err := b.client.Put(ctx, "pc1", "/root/work", 0o600, strings.NewReader("mine")); err != nil {
		t.Fatal(err)
	}
	b.must(t, "pc1", "sh", "-c", "echo changed > /root/given")

	first := attach(t, s, rack.AttachOptions{Node: "pc1"})
	second := attach(t, s, rack.AttachOptions{Node: "pc1", Console: 1, Cols: 77, Rows: 22})
	second.shows(t, "root@pc1")
	second.types(t, "stty size\r")
	second.shows(t, "22 77")

	for _, how := range []string{"restart", "reboot"} {
		if how == "reboot" {
			second.types(t, "reboot\r")
			first.shows(t, "[patchbay] pc1 reboots")
			first.shows(t, "root@pc1")
			until(t, s, "pc1 runs", nodesAre(rack.Running, "pc1"))
		} else {
			b.do(t, rack.Op{Do: how, Node: "pc1"})
		}
		if out := b.must(t, "pc1", "cat", "/root/work", "/root/given"); out != "minechanged\n" {
			t.Errorf("after %s the work is %q", how, out)
		}
		second.shows(t, "root@pc1") // opened again, because it is looked at
		second.types(t, "stty size\r")
		second.shows(t, "22 77")
	}
	b.do(t, rack.Op{Do: "reset", Node: "pc1"})
	if code, out := b.run(t, "pc1", "cat", "/root/work"); code == 0 {
		t.Errorf("after reset the work is still there: %q", out)
	}
	if out := b.must(t, "pc1", "cat", "/root/given"); out != "given" {
		t.Errorf("after reset the lab's file is %q", out)
	}

	second.types(t, "poweroff\r")
	until(t, s, "pc1 is off", nodesAre(rack.Off, "pc1"))
	until(t, s, "pc2 runs", nodesAre(rack.Running, "pc2"))
	b.do(t, rack.Op{Do: "start"})
	until(t, s, "pc1 runs", nodesAre(rack.Running, "pc1"))
}

func TestRealYesAndCtrlC(t *testing.T) {
	topo := twoHosts()
	b := serveReal(t, topo)
	s := b.stream(t, rack.Owner)
	settled(t, s)
	flood := attach(t, s, rack.AttachOptions{Node: "pc1"})
	quiet := attach(t, s, rack.AttachOptions{Node: "pc2"})
	flood.shows(t, "root@pc1")
	quiet.shows(t, "root@pc2")
	flood.types(t, "yes patchbay\r")
	flood.shows(t, "patchbay\r\npatchbay\r\n")
	began := flood.read()
	at := time.Now()
	var worst time.Duration
	for i := range 20 {
		typed := time.Now()
		quiet.types(t, fmt.Sprintf("echo $((%d+1000))\r", i))
		quiet.shows(t, fmt.Sprintf("\r%d", i+1000))
		worst = max(worst, time.Since(typed))
	}
	rate := float64(flood.read()-began) / time.Since(at).Seconds() / 1e6
	flood.types(t, "\x03")
	typed := time.Now()
	flood.shows(t, "^C")
	flood.shows(t, "root@pc1")
	t.Logf("yes came at %.1f MB/s; meanwhile the slowest command next to it took %v; prompt %v after Ctrl-C",
		rate, worst, time.Since(typed))
}

func TestRealFailuresStayAlone(t *testing.T) {
	cache := realCache(t)
	img, err := image.Find(cache, "")
	if err != nil {
		t.Fatal(err)
	}
	// An image whose file system is noise.
	about, err := os.ReadFile(filepath.Join(img.Dir, "image.json"))
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(cache, "images", "corrupt-00000000")
	about = []byte(strings.Replace(string(about), `"`+img.Name+`"`, `"corrupt"`, 1))
	noise := []byte(strings.Repeat("this is no file system ", 1<<16))
	if err := errors.Join(os.Mkdir(bad, 0o755), os.WriteFile(filepath.Join(bad, "image.json"), about, 0o644),
		os.WriteFile(filepath.Join(bad, filepath.Base(img.Path)), noise, 0o644)); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(bad)

	b := serveReal(t, labs.Topology{Nodes: []labs.Node{
		{Name: "well"},
		{Name: "nokernel", Kernel: "patchbay-0.0.0"},
		{Name: "noimage", Image: "nothing"},
		{Name: "corrupt", Image: "corrupt"},
		{Name: "tiny", MemoryBytes: 8 << 20},
	}})
	s := b.stream(t, rack.Owner)
	settled(t, s)
	want := map[string]string{"nokernel": "kernel", "noimage": "image", "corrupt": "mage", "tiny": "memory"}
	for _, n := range s.State().Nodes {
		if n.Name == "well" {
			continue
		}
		t.Logf("%s: %s", n.Name, n.Reason)
		if n.Status != rack.Failed || !strings.Contains(n.Reason, want[n.Name]) || !strings.HasSuffix(n.Reason, ".") {
			t.Errorf("%s is %s: %q; want a sentence about %q", n.Name, n.Status, n.Reason, want[n.Name])
		}
	}
	if out := b.must(t, "well", "hostname"); out != "well\n" {
		t.Errorf("the node that is well says %q", out)
	}
}

// TestRealRoutedLine is the topology of static-routing, the addresses given by
// the lab.
func TestRealRoutedLine(t *testing.T) {
	forward := []labs.Sysctl{{Key: "net.ipv4.ip_forward", Value: "1"}}
	iface := func(name, segment, address string) labs.Interface {
		return labs.Interface{Name: name, Segment: segment, Addresses: []string{address}}
	}
	host := func(name, segment, address string) labs.Node {
		first := netip.MustParsePrefix(address).Masked().Addr().Next()
		i := iface("eth0", segment, address)
		i.Gateway = first.String()
		return labs.Node{Name: name, Interfaces: []labs.Interface{i}}
	}
	began := time.Now()
	b := serveReal(t, labs.Topology{
		Nodes: []labs.Node{
			host("pc1", "a", "10.0.1.9/24"),
			{Name: "r1", Sysctls: forward, Startup: []string{"ip route add 10.0.3.0/24 via 10.0.2.2"},
				Interfaces: []labs.Interface{iface("eth0", "a", "10.0.1.1/24"), iface("eth1", "b", "10.0.2.1/24")}},
			{Name: "r2", Sysctls: forward, Startup: []string{"ip route add 10.0.1.0/24 via 10.0.2.1"},
				Interfaces: []labs.Interface{iface("eth0", "b", "10.0.2.2/24"), iface("eth1", "c", "10.0.3.1/24")}},
			host("pc2", "c", "10.0.3.9/24"),
		},
		Segments: []labs.Segment{{Name: "a", Kind: labs.Switch}, {Name: "b", Kind: labs.Link}, {Name: "c", Kind: labs.Hub}},
	})
	s := b.stream(t, rack.Owner)
	settled(t, s)
	t.Logf("four nodes run after %v", time.Since(began))
	for limit := time.Now().Add(20 * time.Second); !b.ping(t, "pc1", "10.0.3.9"); {
		if time.Now().After(limit) {
			t.Fatalf("pc1 does not reach pc2 over two routers: %s", b.must(t, "r1", "ip", "route"))
		}
	}
	if out := b.must(t, "pc1", "traceroute", "-n", "-w1", "10.0.3.9"); !strings.Contains(out, "10.0.2.2") {
		t.Errorf("the way is %s", out)
	}
}

func TestRealKilledRackLeavesNothing(t *testing.T) {
	cache, dir := realCache(t), t.TempDir()
	spec := &rack.Spec{ID: "real", Topology: twoHosts(), Cache: cache}
	if err := rack.WriteSpec(dir, spec); err != nil {
		t.Fatal(err)
	}
	memory := sharedMemory(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("ready"))); err != nil {
		t.Fatal(err)
	}
	b := &bench{dir: dir}
	if b.client, err = rack.Dial(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	s := b.stream(t, rack.Owner)
	settled(t, s)
	b.must(t, "pc1", "sh", "-c", "echo mine > /root/work; sync")
	pids := descendants(t, cmd.Process.Pid)
	if len(pids) < 2 {
		t.Fatalf("the rack has the children %v", pids)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("a killed process ended well")
	}
	b.client.Close()
	for limit := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		left := slices.DeleteFunc(slices.Clone(pids), func(pid int) bool { return unix.Kill(pid, 0) != nil })
		if len(left) == 0 {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("of the processes %v there are left %v", pids, left)
		}
	}
	if locked, err := rack.Locked(dir); err != nil || locked {
		t.Errorf("the lock: %v, %v", locked, err)
	}
	sockets, err := os.ReadFile("/proc/net/unix")
	if err != nil || strings.Contains(string(sockets), dir) {
		t.Errorf("a socket of the rack is open: %v", err)
	}
	if now := sharedMemory(t); !slices.Equal(now, memory) {
		t.Errorf("shared memory: %v, before %v", now, memory)
	}
	// And on with the same disks.
	again := serveAt(t, dir, nil)
	t.Cleanup(func() { again.end(t) })
	settled(t, again.stream(t, rack.Owner))
	if out := again.must(t, "pc1", "cat", "/root/work"); out != "mine\n" {
		t.Errorf("the work: %q", out)
	}
}

// sharedMemory lists the memory files that guests might leave behind.
func sharedMemory(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, pattern := range []string{"/dev/shm/vm_file*", "/tmp/vm_file*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	return names
}

// descendants are the processes below one.
func descendants(t *testing.T, of int) []int {
	t.Helper()
	children := map[int][]int{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		var pid, parent int
		var state string
		fmt.Sscan(string(data), &pid)
		fmt.Sscan(string(data[strings.LastIndexByte(string(data), ')')+1:]), &state, &parent)
		children[parent] = append(children[parent], pid)
	}
	all := slices.Clone(children[of])
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}
