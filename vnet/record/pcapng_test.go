package record_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/patchbay/patchbay/vnet/offload"
	"github.com/patchbay/patchbay/vnet/record"
)

// tool runs Wireshark's, which must complain of nothing, and returns its output.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	cmd := exec.Command(name, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	complaints := ""
	for line := range strings.Lines(errs.String()) {
		// Of who runs it, not of the file.
		if !strings.Contains(line, "Running as user") && !strings.Contains(line, "reading from file") {
			complaints += line
		}
	}
	if err != nil || complaints != "" {
		t.Errorf("%s %s: %v: %s", name, strings.Join(args, " "), err, complaints)
	}
	return out.String()
}

func file(t *testing.T, data []byte) string {
	path := filepath.Join(t.TempDir(), "x.pcapng")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// busyRing has something of everything.
func busyRing(t testing.TB) *record.Ring {
	r := newRing(t, 0)
	a, b := r.Port("pc1/eth0", "lan"), r.Port("pc2/eth0", "lan")
	at := r.Now()
	put := func(h offload.Header, frame []byte, fate record.Fate, v record.View) {
		at += 1001
		r.Fate(r.Frame(at, a, h, frame), at+1, b, fate, v)
		r.Publish()
	}
	for name, s := range samples(t) {
		if name != "runt" {
			put(plain, []byte(s.data), record.Delivered, record.View{})
		}
	}
	put(plain, arpFrame(t, 1, mac1, ip1, ip2), record.Dropped, record.View{})
	put(plain, arpFrame(t, 1, mac1, ip1, ip2), record.Lost, record.View{})
	put(plain, arpFrame(t, 1, mac1, ip1, ip2), record.Delivered, record.View{Tag: record.PushTag, ID: 77})
	h, frame := super(t, strings.Repeat("x", 3000))
	put(h, frame, record.Delivered, record.View{First: 1, N: 2})
	return r
}

// super is a TCP super-frame as a guest with offloads sends it.
func super(t testing.TB, data string) (offload.Header, []byte) {
	frame := tcpFrame(t, layers.TCP{SrcPort: 1, DstPort: 2, ACK: true, PSH: true}, data)
	// The checksum is that of the pseudo-header alone.
	sum := uint32(6 + len(frame) - 34)
	for i := 26; i < 34; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(frame[i:]))
	}
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(frame[50:], uint16(sum&0xffff+sum>>16))
	return offload.Header{Flags: offload.NeedsCsum, GSOType: offload.GSOTCPv4, GSOSize: 1448, CsumStart: 34, CsumOffset: 16}, frame
}

func TestPcapng(t *testing.T) {
	r := busyRing(t)
	want := len(all(t, r, record.Query{}))
	var b bytes.Buffer
	if err := record.WritePcapng(t.Context(), &b, r, record.Query{}, record.Limit{}); err != nil {
		t.Fatal(err)
	}
	path := file(t, b.Bytes())
	info := tool(t, "capinfos", path)
	for _, s := range []string{
		fmt.Sprintf("Number of packets:   %d\n", want), "Interface #0 info:\n                     Name = pc1/eth0", "Description = segment lan",
		"Name = pc2/eth0", "Time precision = nanoseconds (9)", "Capture application: Patchbay", "Number of stat entries = 1",
	} {
		if !strings.Contains(info, s) {
			t.Errorf("capinfos does not say %q:\n%s", s, info)
		}
	}
	out := tool(t, "tshark", "-r", path, "-T", "fields", "-E", "separator=|", "-e", "frame.interface_name", "-e", "frame.packet_flags_direction", "-e", "frame.comment",
		"-e", "vlan.id", "-e", "tcp.len", "-e", "_ws.col.Protocol", "-e", "tcp.checksum.status", "-o", "tcp.check_checksum:TRUE")
	for _, s := range []string{
		"pc1/eth0|0x00000002||||ARP|", "pc2/eth0|0x00000001||||OSPF|", "pc2/eth0|0x00000001|dropped: the receiver's queue was full|||ARP|",
		"pc2/eth0|0x00000001|lost on the cable (impairment)|||ARP|", "pc2/eth0|0x00000001||77||ARP|",
		"pc1/eth0|0x00000002|||1448|TCP|1", "pc2/eth0|0x00000001|||104|TCP|1",
	} {
		if !strings.Contains(out, s) {
			t.Errorf("tshark does not say %q", s)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
	if n := strings.Count(out, "pc1/eth0|0x00000002|||1448|"); n != 2 {
		t.Errorf("%d full segments from pc1; want 2", n)
	}
	if n := strings.Count(out, "pc2/eth0|0x00000001|||1448|"); n != 1 {
		t.Errorf("%d full segments to pc2; want 1", n)
	}
	tool(t, "tcpdump", "-n", "-r", path)
}

func TestPcapngOfNothing(t *testing.T) {
	r := newRing(t, 0)
	for _, q := range []record.Query{{}, {Ports: []string{"none"}}, {Follow: true, To: time.Now()}} {
		var b bytes.Buffer
		if err := record.WritePcapng(t.Context(), &b, r, q, record.Limit{}); err != nil {
			t.Fatal(err)
		}
		tool(t, "capinfos", file(t, b.Bytes()))
		if out := tool(t, "tshark", "-r", file(t, b.Bytes())); out != "" {
			t.Errorf("tshark says %q of an empty file", out)
		}
	}
}

func TestPcapngLimits(t *testing.T) {
	r := busyRing(t)
	for _, tt := range []struct {
		limit record.Limit
		want  int
	}{{record.Limit{Frames: 3}, 3}, {record.Limit{Bytes: 1}, 1}, {record.Limit{Frames: 1 << 20, Bytes: 1 << 20}, len(all(t, r, record.Query{}))}} {
		var b bytes.Buffer
		if err := record.WritePcapng(t.Context(), &b, r, record.Query{}, tt.limit); err != nil {
			t.Fatal(err)
		}
		if n := len(packets(t, b.Bytes())); n != tt.want {
			t.Errorf("%+v: %d frames; want %d", tt.limit, n, tt.want)
		}
	}
}

// packets reads a file without Wireshark.
func packets(t testing.TB, data []byte) (all [][]byte) {
	t.Helper()
	r, err := pcapgo.NewNgReader(bytes.NewReader(data), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	for {
		b, _, err := r.ReadPacketData()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
}

// A pipe that knows when it was flushed.
type pipe struct {
	*io.PipeWriter
	flushes chan struct{}
}

func (p pipe) Flush() error {
	select {
	case p.flushes <- struct{}{}:
	default:
	}
	return nil
}

// What is read of a live stream grows as frames come, and the stream is a whole
// file when it ends.
func TestPcapngLive(t *testing.T) {
	r := newRing(t, 0)
	a := r.Port("a", "")
	in, out := io.Pipe()
	p := pipe{out, make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- record.WritePcapng(ctx, p, r, record.Query{Follow: true}, record.Limit{})
		out.Close()
	}()
	var got bytes.Buffer
	ng, err := pcapgo.NewNgReader(io.TeeReader(in, &got), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(20) {
		r.Frame(r.Now(), a, plain, numbered(i, 60))
		if i == 10 {
			b := r.Port("late", "")
			r.Frame(r.Now(), b, plain, numbered(i, 60))
		}
		r.Publish()
		data, _, err := ng.ReadPacketData() // hangs if it is not sent at once
		if err != nil || number(t, data) != i {
			t.Fatalf("frame %d: %v", i, err)
		}
		if i == 10 {
			if _, ci, err := ng.ReadPacketData(); err != nil || ci.InterfaceIndex != 1 {
				t.Fatalf("the frame of a new port: %v, interface %d", err, ci.InterfaceIndex)
			}
		}
	}
	cancel()
	if _, _, err := ng.ReadPacketData(); err != io.EOF {
		t.Errorf("the end of the stream: %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("WritePcapng: %v", err)
	}
	select {
	case <-p.flushes:
	default:
		t.Error("nothing was flushed")
	}
	info := tool(t, "capinfos", file(t, got.Bytes()))
	if !strings.Contains(info, "Number of packets:   21\n") {
		t.Errorf("capinfos of the stream: %s", info)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestPcapngWriterFails(t *testing.T) {
	err := record.WritePcapng(t.Context(), brokenPipe{}, busyRing(t), record.Query{}, record.Limit{})
	if err == nil || !strings.Contains(err.Error(), "broken pipe") {
		t.Errorf("WritePcapng = %v; want the writer's error", err)
	}
}

// Live streams that come and go, some of which never read, leave nothing.
func TestStreamsLeaveNothing(t *testing.T) {
	r := newRing(t, 1<<20)
	a := r.Port("a", "")
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := uint64(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			r.Frame(r.Now(), a, plain, numbered(i, 1000))
			r.Publish()
			if i%50 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	})
	stream := func() {
		ctx, cancel := context.WithCancel(t.Context())
		in, out := io.Pipe()
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := record.WritePcapng(ctx, out, r, record.Query{Follow: true}, record.Limit{}); err != nil && !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("WritePcapng: %v", err)
			}
		})
		io.ReadFull(in, make([]byte, 5000))
		cancel()
		in.Close() // also of one that hangs in a write
		wg.Wait()
	}
	for range 10 {
		stream()
	}
	goroutines, fds, heap := runtime.NumGoroutine(), descriptors(t), heapNow()
	for range 100 {
		stream()
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines, before %d", n, goroutines)
	}
	if n := descriptors(t); n > fds {
		t.Errorf("%d descriptors, before %d", n, fds)
	}
	if n := heapNow(); n > heap+2<<20 {
		t.Errorf("%d bytes on the heap, before %d", n, heap)
	}
	if n := r.Held(); n != 0 {
		t.Errorf("%d chunks are held", n)
	}
	close(stop)
	writer.Wait()
}

func heapNow() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func descriptors(t *testing.T) int {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// FuzzPcapng: whatever ports and segments are called and frames contain, the
// file can be read and has what went in.
func FuzzPcapng(f *testing.F) {
	f.Add("pc1/eth0", "lan", []byte("0123456789abcdef"), byte(0))
	f.Add("\x00\xff\n", strings.Repeat("ü", 70000), []byte{}, byte(3))
	f.Add("", "", make([]byte, 65000), byte(1))
	f.Fuzz(func(t *testing.T, name, segment string, frame []byte, fate byte) {
		r := newRing(t, 1<<20)
		p := r.Port(name, segment)
		if s := record.Clean(name); !utf8.ValidString(s) || len(s) > 1003 {
			t.Errorf("clean(%q) = %q", name, s)
		}
		frame = frame[:min(len(frame), 65557)]
		r.Fate(r.Frame(1, p, plain, frame), 1, p, record.Fate(fate), record.View{})
		r.Publish()
		var b bytes.Buffer
		if err := record.WritePcapng(t.Context(), &b, r, record.Query{}, record.Limit{}); err != nil {
			t.Fatal(err)
		}
		if got := packets(t, b.Bytes()); len(got) != 1 || !bytes.Equal(got[0], frame) {
			t.Errorf("%d frames", len(got))
		}
	})
}
