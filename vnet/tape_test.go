package vnet_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/filter"
	"github.com/patchbay/patchbay/vnet/impair"
	"github.com/patchbay/patchbay/vnet/offload"
	"github.com/patchbay/patchbay/vnet/record"
)

func newRing(t testing.TB, size int) *record.Ring {
	t.Helper()
	r, err := record.New(record.Options{Size: size})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() }) // before it the switch, whose cleanup comes later
	return r
}

// taped is what a query finds, said in short: port, direction, fate, last byte.
func taped(t testing.TB, r *record.Ring, q record.Query) string {
	t.Helper()
	var s []string
	for f, err := range r.Read(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		s = append(s, fmt.Sprintf("%s %s %s %d", f.Port, f.Dir, f.Fate, f.Data[len(f.Data)-1]))
	}
	return strings.Join(s, ", ")
}

func marked(dst, src, mark byte) []byte {
	f := frame(dst, src)
	f[len(f)-1] = mark
	return f
}

func TestRecord(t *testing.T) {
	r := newRing(t, 0)
	b := newBench(t, vnet.Options{Record: r})
	b.segment("lan", vnet.SwitchKind)
	b.add("lan", "a", "b", "c")
	send := func(port string, f []byte) {
		b.guests[port].send(f)
		b.settle()
	}
	send("a", marked(0xff, 1, 1))
	send("b", marked(1, 2, 2))
	if err := b.SetPlugged("b", false); err != nil {
		t.Fatal(err)
	}
	send("b", marked(1, 2, 3))
	send("a", marked(0xff, 1, 4))
	if err := b.SetPlugged("b", true); err != nil {
		t.Fatal(err)
	}
	b.down("c")
	send("b", marked(3, 2, 5))
	if err := b.Impair("a", vnet.FromGuest, impair.Config{Loss: 1}); err != nil {
		t.Fatal(err)
	}
	send("a", marked(2, 1, 6))
	b.Impair("a", vnet.FromGuest, impair.Config{})
	b.Impair("b", vnet.ToGuest, impair.Config{Loss: 1})
	send("a", marked(2, 1, 7))
	b.settle()
	want := "a from delivered 1, b to delivered 1, c to delivered 1, b from delivered 2, a to delivered 2, " +
		"b from cut 3, a from delivered 4, b to cut 4, c to delivered 4, b from delivered 5, a to delivered 5, " +
		"a from lost 6, a from delivered 7, b to lost 7"
	if got := taped(t, r, record.Query{}); got != want {
		t.Errorf("recorded %s\nwant %s", got, want)
	}
	for f, err := range r.Read(t.Context(), record.Query{}) {
		if err != nil || f.Segment != "lan" || time.Since(f.Time) > time.Minute || time.Since(f.Time) < 0 {
			t.Errorf("segment %q, time %v, %v", f.Segment, f.Time, err)
		}
	}
}

// A segment's storm control and a receiver that does not read.
func TestRecordDrops(t *testing.T) {
	r := newRing(t, 64<<20)
	b := newBench(t, vnet.Options{Record: r, SendBuffer: 1 << 16})
	if err := b.AddSegment(vnet.SegmentConfig{Name: "lan", Kind: vnet.SwitchKind, Storm: 300}); err != nil {
		t.Fatal(err)
	}
	b.add("lan", "a", "deaf")
	for range 100 {
		for range 10 {
			b.guests["a"].send(append(frame(0xff, 1), make([]byte, 1000)...))
		}
		b.settle()
	}
	a, deaf := b.stats("a"), b.stats("deaf")
	if a.Storm == 0 || deaf.Drops == 0 {
		t.Fatalf("storm %d, drops %d; the test wants both", a.Storm, deaf.Drops)
	}
	got := map[string]uint64{}
	for f, err := range r.Read(t.Context(), record.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		got[fmt.Sprint(f.Port, " ", f.Dir, " ", f.Fate)]++
	}
	want := map[string]uint64{
		"a from delivered": a.TxFrames, "a from stormed": a.Storm,
		"deaf to delivered": deaf.RxFrames, "deaf to dropped": deaf.Drops,
	}
	for what, n := range want {
		if got[what] != n {
			t.Errorf("%d recorded as %q; the counters say %d", got[what], what, n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("recorded %v; want %v", got, want)
	}
}

// Whatever ports and cables are like, what is recorded of a port is, byte for
// byte and in order, what its guest sent and got, as a wire carries it.
func TestRecordIsWhatGuestsSee(t *testing.T) {
	trunk := vnet.VLANConfig{Trunk: []uint16{10, 20}, Native: 10}
	vlans := []vnet.PortConfig{
		{Name: "a", VLAN: vnet.VLANConfig{Access: 10}},
		{Name: "b", VLAN: vnet.VLANConfig{Access: 10}, Offload: true},
		{Name: "c", VLAN: trunk},
		{Name: "d", VLAN: trunk, Offload: true},
		{Name: "e", Mirror: true},
		{Name: "f", Mirror: true, Offload: true},
	}
	simple := []vnet.PortConfig{{Name: "a"}, {Name: "b", Offload: true}, {Name: "c", Offload: true}}
	bad := impair.Config{Corrupt: 0.2, Duplicate: 0.2, Loss: 0.1, Delay: time.Millisecond}
	for _, tt := range []struct {
		name  string
		ports []vnet.PortConfig
		ring  int
		from  map[string]impair.Config
		to    map[string]impair.Config
	}{
		{name: "simple", ports: simple},
		{name: "VLANs", ports: vlans},
		{name: "bad cables", ports: simple, from: map[string]impair.Config{"b": bad}, to: map[string]impair.Config{"a": bad, "c": bad}},
		{name: "bad cables and VLANs", ports: vlans, from: map[string]impair.Config{"c": bad, "b": bad}, to: map[string]impair.Config{"a": bad, "d": bad}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRing(t, 64<<20)
			b := newBench(t, vnet.Options{Record: r, SendBuffer: 4 << 20})
			b.segment("lan", vnet.SwitchKind)
			for _, p := range tt.ports {
				p.Segment, p.Path = "lan", b.path(p.Name)
				if err := b.AddPort(p); err != nil {
					t.Fatal(err)
				}
				b.up(p.Name)
				b.Impair(p.Name, vnet.FromGuest, tt.from[p.Name])
				b.Impair(p.Name, vnet.ToGuest, tt.to[p.Name])
			}
			sent, got := map[string][][]byte{}, map[string][][]byte{}
			rnd := rand.New(rand.NewPCG(1, 2))
			receive := func() {
				for _, p := range tt.ports {
					for _, rec := range b.guests[p.Name].inbox() {
						got[p.Name] = append(got[p.Name], onWire(t, p.Offload, rec)...)
					}
				}
			}
			for range 300 {
				i := rnd.IntN(len(tt.ports))
				p := tt.ports[i]
				if p.Mirror {
					continue
				}
				dst := byte(rnd.IntN(len(tt.ports)) + 1)
				var tags []uint16
				if len(p.VLAN.Trunk) > 0 && rnd.IntN(2) == 0 {
					tags = []uint16{10 + 10*uint16(rnd.IntN(2))}
				}
				var rec []byte
				if p.Offload && rnd.IntN(2) == 0 {
					rec = withHeader(super(t, dst, byte(i+1), 1+rnd.IntN(20000), 1000+rnd.IntN(400), tags...))
				} else {
					rec = marked(dst, byte(i+1), byte(rnd.Int()))
					if len(tags) > 0 {
						rec = tagged(rec, tags...)
					}
					if p.Offload {
						rec = withHeader(offload.Header{}, rec)
					}
				}
				b.guests[p.Name].send(rec)
				b.settle()
				sent[p.Name] = append(sent[p.Name], onWire(t, p.Offload, rec)...)
				receive()
			}
			time.Sleep(20 * time.Millisecond) // what is under way arrives
			b.settle()
			receive()
			for _, p := range tt.ports {
				compare(t, p.Name+" sent", sent[p.Name], recorded(t, r, record.Query{Ports: []string{p.Name}, Dir: record.FromGuest}))
				compare(t, p.Name+" got", got[p.Name], recorded(t, r, record.Query{Ports: []string{p.Name}, Dir: record.ToGuest, Delivered: true}))
			}
		})
	}
}

// onWire is what a wire carries for a record of a guest's.
func onWire(t *testing.T, hasHeader bool, rec []byte) [][]byte {
	if !hasHeader {
		return [][]byte{rec}
	}
	h, err := offload.Parse(rec)
	if err != nil {
		t.Fatal(err)
	}
	return wire(t, h, rec[offload.Size:])
}

// recorded is the bytes of what a query finds.
func recorded(t *testing.T, r *record.Ring, q record.Query) (all [][]byte) {
	for f, err := range r.Read(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, bytes.Clone(f.Data))
	}
	return all
}

func compare(t *testing.T, what string, want, got [][]byte) {
	t.Helper()
	if len(want) == 0 && !strings.Contains("e sent f sent", what) {
		t.Errorf("%s nothing", what)
	}
	for i := range min(len(want), len(got)) {
		if !bytes.Equal(want[i], got[i]) {
			t.Errorf("%s: frame %d of %d is recorded as %d bytes % x…; want %d, % x…", what, i, len(want),
				len(got[i]), got[i][:54], len(want[i]), want[i][:54])
			return
		}
	}
	if len(want) != len(got) {
		t.Errorf("%s: %d frames are recorded; want %d", what, len(got), len(want))
	}
}

func TestRecordingAllocatesNothing(t *testing.T) {
	m, fds := manual(t, vnet.Hub, 3)
	m.Record(newRing(t, 1<<20))
	in, out := vnet.NewPump(marked(0xff, 1, 1)), vnet.NewPump(frame(0, 0))
	n := testing.AllocsPerRun(200, func() {
		in.Send(fds[0], vnet.Batch)
		if err := m.Round(); err != nil {
			t.Fatal(err)
		}
		out.Drain(fds[1])
		out.Drain(fds[2])
	})
	if n != 0 {
		t.Errorf("a round that is recorded allocates %v times; want never", n)
	}
}

// A frame that was under way for longer than the ring holds it is recorded all
// the same when it arrives.
func TestRecordOutlivesTheRing(t *testing.T) {
	r := newRing(t, 1<<20)
	b := newBench(t, vnet.Options{Record: r})
	b.segment("lan", vnet.Hub)
	b.add("lan", "a", "b", "c")
	if err := b.Impair("b", vnet.ToGuest, impair.Config{Delay: 300 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	fromA, err := filter.Compile("ether src 02:00:00:00:00:01")
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		f   record.Frame
		err error
	}
	done := make(chan answer, 1)
	from := r.Time(r.Now())
	go func() {
		f, err := r.Expect(t.Context(), record.Query{Ports: []string{"b"}, Dir: record.ToGuest, From: from, Filter: fromA}, time.Minute)
		done <- answer{f, err}
	}()
	b.guests["a"].send(marked(0xff, 1, 99))
	b.settle()
	for range 3000 {
		b.guests["c"].send(append(frame(1, 3), make([]byte, 1000)...))
		b.settle()
		b.guests["a"].recv()
	}
	if a := <-done; a.err != nil || a.f.Fate != record.Delivered || !bytes.Equal(a.f.Data, marked(0xff, 1, 99)) {
		t.Errorf("%v, %d bytes, %v; want the delayed frame", a.f.Fate, len(a.f.Data), a.err)
	}
}

// What a live switch wrote is a capture file without fault.
func TestRecordIsACapture(t *testing.T) {
	for _, tool := range []string{"capinfos", "tshark"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	r := newRing(t, 0)
	b := newBench(t, vnet.Options{Record: r})
	b.segment("lan", vnet.SwitchKind)
	for i, name := range []string{"pc1/eth0", "pc2/eth0"} {
		path := b.path(fmt.Sprint(i))
		if err := b.AddPort(vnet.PortConfig{Name: name, Segment: "lan", Path: path, Offload: i == 0}); err != nil {
			t.Fatal(err)
		}
		b.guests[name] = dial(t, path)
	}
	path := filepath.Join(t.TempDir(), "live.pcapng")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	done := make(chan error, 1)
	go func() {
		done <- record.WritePcapng(t.Context(), out, r, record.Query{Follow: true, Once: true}, record.Limit{Frames: 200})
	}()
	for i := 0; ; i++ {
		b.guests["pc1/eth0"].send(withHeader(super(t, 2, 1, 5000, 1448)))
		b.guests["pc2/eth0"].send(marked(1, 2, byte(i)))
		b.settle()
		b.guests["pc1/eth0"].inbox()
		b.guests["pc2/eth0"].inbox()
		select {
		case err = <-done:
		default:
			continue
		}
		break
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"capinfos", path}, {"tshark", "-r", path, "-o", "tcp.check_checksum:TRUE", "-Y", "tcp.checksum.status == 0 || _ws.malformed"}} {
		got, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		text := string(got)
		if args[0] == "tshark" {
			text = ""
			for line := range strings.Lines(string(got)) {
				if !strings.Contains(line, "Running as user") {
					text += line
				}
			}
		}
		if err != nil || (args[0] == "tshark") != (text == "") || args[0] == "capinfos" && !strings.Contains(text, "Number of packets:   200\n") {
			t.Errorf("%v: %v: %s", args, err, got)
		}
	}
}
