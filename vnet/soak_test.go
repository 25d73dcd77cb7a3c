package vnet_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/offload"
	"golang.org/x/sys/unix"
)

// soakTime is how long TestSoak runs: VNET_SOAK, such as 10m, or a second.
func soakTime(t *testing.T) time.Duration {
	t.Helper()
	s := os.Getenv("VNET_SOAK")
	if s == "" {
		return time.Second
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatalf("VNET_SOAK: %v", err)
	}
	return d
}

// noise makes records that no machine would send, and some that one might.
type noise struct {
	r     *rand.Rand
	super [][]byte
	buf   []byte
}

func newNoise(t testing.TB, seed uint64) *noise {
	n := &noise{r: rand.New(rand.NewPCG(seed, 7)), buf: make([]byte, 70000)}
	for _, size := range []int{0, 1448, 200} {
		for _, tags := range [][]uint16{nil, {10}, {10, 20}} {
			payload := 1000
			if size > 0 {
				payload = 30000
			}
			h, f := super(t, byte(seed), byte(seed+1), payload, size, tags...)
			n.super = append(n.super, withHeader(h, f))
		}
	}
	return n
}

// record returns the next one, valid until the one after.
func (n *noise) record() []byte {
	r, b := n.r, n.buf
	switch r.IntN(8) {
	case 0: // runts
		return fill(r, b[:1+r.IntN(30)])
	case 1: // giants
		return b[:1500+r.IntN(68000)]
	case 2: // stacks of tags
		b = fill(r, b[:100+r.IntN(200)])
		for i := range r.IntN(20) {
			copy(b[12+4*i:], []byte{0x81, 0, byte(r.IntN(2)), byte(r.IntN(30))})
		}
		return b
	case 3: // a flood of addresses
		b = b[:64]
		fill(r, b[:12])
		b[0], b[6] = 2, 2
		return b
	case 4: // groups
		b = fill(r, b[:14+r.IntN(1500)])
		b[0] |= 1
		return b
	case 5, 6: // super-frames, their headers and fronts bitten
		s := n.super[r.IntN(len(n.super))]
		b = b[:copy(b, s)]
		for range r.IntN(4) {
			b[r.IntN(80)] = byte(r.Uint32())
		}
		return b
	}
	return fill(r, b[:14+r.IntN(1500)])
}

func fill(r *rand.Rand, b []byte) []byte {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// Random records at full rate from ports of all kinds, a port that never reads
// and ports that come and go: nothing crashes or leaks, and two machines that
// mind their own business lose nothing.
func TestSoak(t *testing.T) {
	warm, err := vnet.New(vnet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	warm.Close()
	fds, goroutines := openFDs(t), runtime.NumGoroutine()
	t.Run("run", func(t *testing.T) { soak(t, soakTime(t)) })
	if n := openFDs(t); n != fds {
		t.Errorf("%d descriptors open, %d before", n, fds)
	}
	eventually(t, "goroutines are gone", func() bool { return runtime.NumGoroutine() <= goroutines })
}

func soak(t *testing.T, d time.Duration) {
	s, err := vnet.New(vnet.Options{OnLink: func(string, bool) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := &bench{Switch: s, t: t, dir: t.TempDir(), guests: map[string]*guest{}}
	for _, c := range []vnet.SegmentConfig{
		{Name: "lan", Kind: vnet.SwitchKind}, {Name: "vlans", Kind: vnet.SwitchKind, Storm: -1},
		{Name: "hub", Kind: vnet.Hub, MTU: 9000, Storm: -1}, {Name: "quiet", Kind: vnet.Link},
	} {
		if err := b.AddSegment(c); err != nil {
			t.Fatal(err)
		}
	}
	for i, vlan := range []vnet.VLANConfig{{Access: 10}, {Trunk: []uint16{10, 20}, Native: 5}, {Trunk: []uint16{10}}} {
		b.addWith(vnet.PortConfig{Name: fmt.Sprint("v", i), Segment: "vlans", VLAN: vlan, Offload: i == 1, Carrier: i == 1})
	}
	for _, seg := range []string{"lan", "hub"} {
		for i := range 4 {
			b.addWith(vnet.PortConfig{Name: fmt.Sprint(seg, i), Segment: seg, Offload: i < 2, Carrier: i == 1})
		}
		b.addWith(vnet.PortConfig{Name: seg + "-deaf", Segment: seg})
		b.addWith(vnet.PortConfig{Name: seg + "-mirror", Segment: seg, Mirror: true})
	}
	b.addWith(vnet.PortConfig{Name: "ping", Segment: "quiet"})
	b.addWith(vnet.PortConfig{Name: "pong", Segment: "quiet", Offload: true})

	var stop atomic.Bool
	var wg sync.WaitGroup
	seed := uint64(0)
	for name, g := range b.guests {
		switch {
		case strings.HasSuffix(name, "deaf"), name == "ping", name == "pong":
		default:
			seed++
			n := newNoise(t, seed)
			wg.Go(func() { shout(g.fd, n, &stop) })
		}
	}
	wg.Go(func() { comeAndGo(t, s, b.dir, &stop) })
	trips := 0
	wg.Go(func() { trips = pingPongQuietly(t, b.guests["ping"], b.guests["pong"], &stop) })

	time.Sleep(d / 4)
	early := residentMiB(t)
	time.Sleep(d - d/4)
	late := residentMiB(t)
	stop.Store(true)
	wg.Wait()
	b.settle()
	if late > early+32 {
		t.Errorf("%d MiB resident, %d after a quarter of the time", late, early)
	}
	sent := uint64(0)
	for _, p := range b.Ports() {
		sent += p.TxFrames
		switch p.Name {
		case "ping", "pong":
			if p.Drops+p.Cut+p.Lost+p.Malformed != 0 || p.RxFrames != uint64(trips) {
				t.Errorf("%d round trips beside the noise, and %+v; want nothing lost", trips, p)
			}
		case "lan-deaf", "hub-deaf":
			if p.Drops == 0 {
				t.Errorf("a port that never reads: %+v; want drops", p)
			}
		}
	}
	if trips == 0 || sent == 0 {
		t.Errorf("%d round trips, %d frames sent", trips, sent)
	}
	t.Logf("%d frames sent, %d round trips beside them, %d MiB resident", sent, trips, late)
}

// shout sends noise and reads what comes, neither waiting for the other.
func shout(fd int, n *noise, stop *atomic.Bool) {
	buf := make([]byte, 1<<17)
	for i := 0; !stop.Load(); i++ {
		err := unix.Sendto(fd, n.record(), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil)
		for range 8 {
			if _, _, e := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT); e != nil {
				break
			}
		}
		if err != nil || i%64 == 0 {
			runtime.Gosched()
		}
	}
}

// comeAndGo adds ports, connects and disconnects guests, pulls cables and
// removes the ports again.
func comeAndGo(t *testing.T, s *vnet.Switch, dir string, stop *atomic.Bool) {
	r := rand.New(rand.NewPCG(3, 3))
	n := newNoise(t, 99)
	for i := 0; !stop.Load(); i++ {
		name := "guest" + strconv.Itoa(i%9)
		c := vnet.PortConfig{Name: name, Segment: []string{"lan", "hub"}[r.IntN(2)], Path: dir + "/" + name, Offload: r.IntN(2) == 0, Carrier: r.IntN(2) == 0}
		if err := s.AddPort(c); err != nil {
			t.Error(err)
			return
		}
		var open []int
		for range r.IntN(12) {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
			if err != nil {
				t.Error(err)
				return
			}
			unix.Connect(fd, &unix.SockaddrUnix{Name: c.Path}) // the backlog may be full
			unix.Sendto(fd, n.record(), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil)
			if r.IntN(2) == 0 {
				unix.Close(fd)
			} else {
				open = append(open, fd)
			}
			if err := s.SetPlugged(name, r.IntN(3) > 0); err != nil {
				t.Error(err)
			}
		}
		if err := s.RemovePort(name); err != nil {
			t.Error(err)
		}
		s.Segments()
		s.MACs("lan")
		for _, fd := range open {
			unix.Close(fd)
		}
	}
}

// pingPongQuietly has two machines exchange one frame at a time.
func pingPongQuietly(t *testing.T, x, y *guest, stop *atomic.Bool) (trips int) {
	ping, pong := frame(2, 1), withHeader(offload.Header{}, frame(1, 2))
	wait := func(g *guest, n int) bool {
		p := []unix.PollFd{{Fd: int32(g.fd), Events: unix.POLLIN}}
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
			unix.Poll(p, 100)
			if b, ok := g.recv(); ok {
				return len(b) == n
			}
		}
		return false
	}
	for !stop.Load() {
		x.send(ping)
		if !wait(y, len(pong)) {
			t.Error("the frame did not arrive")
			return trips
		}
		y.send(pong)
		if !wait(x, len(ping)) {
			t.Error("the answer did not arrive")
			return trips
		}
		trips++
	}
	return trips
}

func residentMiB(t *testing.T) int {
	t.Helper()
	runtime.GC()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize() >> 20
}
