package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs/rack"
)

// iperfReport is what iperf3's client prints, as far as it is read.
func iperfReport(sent, received uint64, seconds, rate float64) string {
	return fmt.Sprintf(`{"start":{"version":"iperf 3.12"},"intervals":[],"end":{"sum_sent":{"bytes":%d,"seconds":3.0,"sender":true},`+
		`"sum_received":{"bytes":%d,"seconds":%g,"bits_per_second":%g}}}`, sent, received, seconds, rate)
}

func TestParseIperf(t *testing.T) {
	good := iperfReport(3000, 2500, 2, 10000)
	for _, tt := range []struct{ name, report, want string }{
		{"good", good, ""},
		{"nothing", "", "reading iperf3's report"},
		{"cut off", good[:len(good)-9], "reading iperf3's report"},
		{"something behind", good + "{}", "reading iperf3's report"},
		{"not JSON", "iperf3: interrupt - the client has terminated", "reading iperf3's report"},
		{"an error", `{"start":{},"end":{},"error":"error - unable to connect to server: Connection refused"}`, "Connection refused"},
		{"an error after the transfer", strings.Replace(good, `"start"`, `"error":"control socket has closed unexpectedly","start"`, 1), "control socket"},
		{"no end", `{"start":{},"intervals":[]}`, "nothing was received"},
		{"nothing received", iperfReport(3000, 0, 2, 0), "nothing was received"},
		{"negative", strings.Replace(good, `"bytes":2500`, `"bytes":-1`, 1), "reading iperf3's report"},
		{"more than was sent", iperfReport(2400, 2500, 2, 10000), "2500 bytes received of 2400 sent"},
		{"no time", iperfReport(3000, 2500, 0, 10000), "is none"},
		{"a rate of its own", iperfReport(3000, 2500, 2, 20000), "are not 2500 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseIperf([]byte(tt.report))
			switch {
			case tt.want == "" && (err != nil || got != iperfResult{2500, 2}):
				t.Errorf("parseIperf = %v, %v; want 2500 bytes in 2 s", got, err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("parseIperf = %v, %v; want an error with %q", got, err, tt.want)
			}
		})
	}
}

func FuzzParseIperf(f *testing.F) {
	f.Add([]byte(iperfReport(3000, 2500, 2, 10000)))
	f.Add([]byte(`{"error":"x"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseIperf(b); err == nil && (r.bytes == 0 || !(r.seconds > 0)) {
			t.Errorf("parseIperf(%q) = %v", b, r)
		}
	})
}

// FuzzCounters: what a guest says of its clock and its counters.
func FuzzCounters(f *testing.F) {
	f.Add([]byte(netDev(12)))
	f.Add([]byte("12.34 56.78\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := parseUptime(b); err == nil && d < 0 {
			t.Errorf("parseUptime(%q) = %v", b, d)
		}
		if n, err := parseReceived(b, "eth0"); err == nil && !strings.Contains(string(b), "eth0") {
			t.Errorf("parseReceived(%q) = %d", b, n)
		}
	})
}

const pingOutput = `PING 10.0.0.2 (10.0.0.2) 56(84) bytes of data.
64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=0.353 ms
64 bytes from 10.0.0.2: icmp_seq=2 ttl=64 time=0.071 ms

--- 10.0.0.2 ping statistics ---
2 packets transmitted, 2 received, 0% packet loss, time 10ms
rtt min/avg/max/mdev = 0.071/0.212/0.353/0.141 ms
`

func TestParsePing(t *testing.T) {
	without := func(old, new string) string { return strings.Replace(pingOutput, old, new, 1) }
	for _, tt := range []struct {
		name, out string
		n         int
		want      string
	}{
		{"good", pingOutput, 2, ""},
		{"nothing", "", 2, "no summary"},
		{"fewer than asked for", pingOutput, 3, "want 3"},
		{"one lost of two", without("2 received", "1 received"), 2, "1 of 2"},
		{"none answered", without("2 received", "0 received"), 2, "0 of 2"},
		{"more answers than pings", without("2 received", "3 received"), 2, "3 of 2"},
		{"an answer that is not shown", without("64 bytes from 10.0.0.2: icmp_seq=2 ttl=64 time=0.071 ms\n", ""), 2, "1 answers are shown of 2"},
		{"the same twice", without("icmp_seq=2", "icmp_seq=1"), 2, "after the answer to ping 1 comes one to 1"},
		{"beyond the last", without("icmp_seq=2", "icmp_seq=3"), 2, "comes one to 3"},
		{"a duplicate", without("time=0.071 ms", "time=0.071 ms (DUP!)"), 2, "1 answers are shown of 2"},
		{"no time at all", without("time=0.071", "time=0.000"), 2, "round trip of 0.000 ms"},
		{"no number", without("time=0.071", "time=0.0.7"), 2, "round trip"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parsePing([]byte(tt.out), tt.n)
			switch {
			case tt.want == "" && (err != nil || !slices.Equal(got, []float64{353, 71})):
				t.Errorf("parsePing = %v, %v; want 353 and 71 µs", got, err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("parsePing = %v, %v; want an error with %q", got, err, tt.want)
			}
		})
	}
}

// TestParsePingLoss: a few answers may be missing, no more.
func TestParsePingLoss(t *testing.T) {
	for _, tt := range []struct {
		answered int
		want     bool
	}{{100, true}, {95, true}, {94, false}, {0, false}} {
		var out strings.Builder
		for i := range tt.answered {
			fmt.Fprintf(&out, "64 bytes from 10.0.0.2: icmp_seq=%d ttl=64 time=0.100 ms\n", i+1)
		}
		fmt.Fprintf(&out, "100 packets transmitted, %d received, some packet loss, time 1ms\n", tt.answered)
		times, err := parsePing([]byte(out.String()), 100)
		if ok := err == nil && len(times) == tt.answered; ok != tt.want {
			t.Errorf("%d of 100 answered: %d times, %v", tt.answered, len(times), err)
		}
	}
}

func FuzzParsePing(f *testing.F) {
	f.Add([]byte(pingOutput), 2)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		if times, err := parsePing(b, n); err == nil && (len(times) == 0 || len(times) > n) {
			t.Errorf("parsePing(%q, %d) = %v", b, n, times)
		}
	})
}

// fakeHost answers as a machine with iperf3 does on which nothing happens.
type fakeHost struct {
	report   string
	counters []string // one for each look at /proc/net/dev
	deaf     bool     // iperf3's server never listens
	slow     bool     // its clock stands
}

func (h *fakeHost) Run(ctx context.Context, args ...string) ([]byte, error) {
	switch {
	case args[0] == "iperf3" && args[1] == "--server":
		if h.report == "" || h.deaf {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, nil
	case args[0] == "iperf3":
		time.Sleep(120 * time.Millisecond) // the transfer
		return []byte(h.report), nil
	case args[0] == "ss" && !h.deaf:
		return []byte("LISTEN 0 4096 *:5201 *:*\n"), nil
	case args[0] == "cat" && args[1] == "/proc/uptime":
		if h.slow {
			return []byte("3.00 2.00\n"), nil
		}
		return fmt.Appendf(nil, "%.2f 1.00\n", time.Since(bootTime).Seconds()), nil
	case args[0] == "cat":
		text := h.counters[0]
		h.counters = h.counters[1:]
		return []byte(text), nil
	}
	return nil, nil
}

// bootTime is when every fakeHost was switched on.
var bootTime = time.Now()

// netDev is a /proc/net/dev that says how much eth0 has received.
func netDev(bytes int) string {
	return fmt.Sprintf("Inter-|   Receive  |  Transmit\n face |bytes packets|bytes packets\n"+
		"    lo: 999999 9 0 0 0 0 0 0 999999 9 0 0 0 0 0 0\n  eth0: %d 9 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n", bytes)
}

// TestTransferProof: what iperf3 says is not believed unless the bytes passed.
func TestTransferProof(t *testing.T) {
	const report = `{"end":{"sum_sent":{"bytes":2500},"sum_received":{"bytes":2500,"seconds":%s,"bits_per_second":%s}}}`
	good := fmt.Sprintf(report, "0.1", "200000")
	for _, tt := range []struct {
		name     string
		host     fakeHost
		switched uint64
		want     string
	}{
		{"nothing came by the interface", fakeHost{report: good, counters: []string{netDev(7), netDev(7)}}, 2500, "only 0 came by eth0"},
		{"nothing came through the switch", fakeHost{report: good, counters: []string{netDev(0), netDev(2600)}}, 0, "the switch carried only 0"},
		{"no such interface", fakeHost{report: good, counters: []string{"", ""}}, 2500, "no such interface"},
		{"nothing received", fakeHost{report: strings.Replace(good, `"sum_received":{"bytes":2500`, `"sum_received":{"bytes":0`, 1), counters: []string{netDev(0), netDev(2600)}}, 2500, "nothing was received"},
		{"no report", fakeHost{counters: []string{netDev(0), netDev(0)}}, 2500, "reading iperf3's report"},
		{"a clock that stands", fakeHost{slow: true, report: good, counters: []string{netDev(0), netDev(2600)}}, 2500, "its clock is wrong"},
		{"longer than it took", fakeHost{report: fmt.Sprintf(report, "100", "200"), counters: []string{netDev(0), netDev(2600)}}, 2500, "it took at most"},
		{"all is well", fakeHost{report: good, counters: []string{netDev(0), netDev(2600)}}, 2500, ""},
		{"nobody listens", fakeHost{report: good, deaf: true}, 2500, "waiting for iperf3's server"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			limit := time.Minute
			if tt.host.deaf {
				limit = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			looks := uint64(0)
			tr := &transfer{client: &tt.host, server: &tt.host, address: "10.0.0.2", device: "eth0", seconds: 1, carried: func() uint64 {
				looks++
				return 100 + (looks-1)*tt.switched
			}}
			mbps, err := tr.run(ctx)
			switch {
			case tt.want == "" && (err != nil || mbps != 0.2):
				t.Errorf("run = %g, %v; want 0.2 Mbit/s", mbps, err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("run = %g, %v; want an error with %q", mbps, err, tt.want)
			}
		})
	}
}

// TestPump pumps through real switches: one that works, one whose receiver's
// cable is out, one that is not there any more.
func TestPump(t *testing.T) {
	for _, tt := range []struct {
		name   string
		time   time.Duration
		spoil  func(s *benchSwitch) error
		wantOK bool
	}{
		// A second, because other tests may hold the threads up.
		{"works", time.Second, func(*benchSwitch) error { return nil }, true},
		{"a cable is out", 50 * time.Millisecond, func(s *benchSwitch) error { return s.SetPlugged(portName(1), false) }, false},
		{"closed", 50 * time.Millisecond, func(s *benchSwitch) error { return s.Close() }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := emptyBenchSwitch(nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			l, err := s.plugAll(2)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if err := tt.spoil(s); err != nil {
				t.Fatal(err)
			}
			n, err := l.pump(t.Context(), tt.time, 1, func(int) int { return 1 })
			if ok := err == nil && n > 0; ok != tt.wantOK {
				t.Errorf("pump = %g frames a second, %v", n, err)
			}
		})
	}
}

// TestPumpCounts: a switch whose counters tell of other frames than were pumped
// is not believed.
func TestPumpCounts(t *testing.T) {
	s, err := emptyBenchSwitch(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, err := s.plugAll(2)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	stranger, err := s.plug(7)
	if err != nil {
		t.Fatal(err)
	}
	other := lines{s: s, fds: []int{stranger}}
	defer other.Close()
	n, err := l.pump(t.Context(), 50*time.Millisecond, 1, func(int) int { return -1 })
	if err == nil || !strings.Contains(err.Error(), "the switch counted") {
		t.Errorf("pump = %g, %v; want a complaint: a frame to all came out by a line that is not looked at", n, err)
	}
}

// TestMeasureGoesOn: a kind that fails is said to have, the others are measured.
func TestMeasureGoesOn(t *testing.T) {
	var runs []string
	kind := func(name string, err error) *wireKind {
		return &wireKind{name: name, once: func(_ context.Context, dir string) error {
			if fi, statErr := os.Stat(dir); statErr != nil || !fi.IsDir() {
				t.Errorf("%s has no folder: %v", name, statErr)
			}
			if err := os.WriteFile(filepath.Join(dir, "socket"), nil, 0o600); err != nil {
				t.Error(err)
			}
			t.Cleanup(func() {
				if _, err := os.Stat(dir); err == nil {
					t.Errorf("the folder of %s is left", name)
				}
			})
			runs = append(runs, name)
			return err
		}}
	}
	b := &benchWireCmd{Runs: 2}
	err := b.measure(t.Context(), []*wireKind{kind("a", nil), kind("b", os.ErrInvalid), kind("c", nil)})
	if got := strings.Join(runs, " "); got != "a b c a c" {
		t.Errorf("measured %s; want each in turns and b once", got)
	}
	if err == nil || !strings.Contains(err.Error(), "the kind b") {
		t.Errorf("measure = %v; want b's failure", err)
	}
}

// TestUnmeasured: a figure that could be measured and was not is an error.
func TestUnmeasured(t *testing.T) {
	a, b := &figure{name: "wire.a", samples: []float64{6}}, &figure{name: "wire.b"}
	if err := report([]*figure{a, b}); err == nil || !strings.Contains(err.Error(), "wire.b") {
		t.Errorf("report = %v; want an error that names wire.b", err)
	}
	g := &goal{figure: &figure{name: "wire.ratio"}, a: a, b: b, of: quotient, least: 4}
	if g.compare() || g.missed() != "" {
		t.Error("a goal was judged of which half was not measured")
	}
	b.add(2)
	if !g.compare() || g.median() != 3 || g.missed() == "" {
		t.Errorf("6 by 2 is %v, missed %q; want 3, less than 4", g.samples, g.missed())
	}
}

func TestBusyShare(t *testing.T) {
	read := func(line string) []uint64 {
		times, err := parseCPUTimes([]byte("cpu  " + line + " 0 0\ncpu0 1 2 3\n"))
		if err != nil {
			t.Fatal(err)
		}
		return times
	}
	before := read("100 0 50 800 10 1 1 5")
	for _, tt := range []struct {
		name, after string
		want        float64
	}{
		{"nothing passed", "100 0 50 800 10 1 1 5", 0},
		{"idle", "100 0 50 990 20 1 1 5", 0},
		{"user, system and stolen", "110 0 60 870 10 1 1 15", 0.3},
		{"iowait that fell", "150 0 50 850 9 1 1 5", 0.5},
	} {
		if got := busyShare(before, read(tt.after)); got != tt.want {
			t.Errorf("%s: busyShare = %g, want %g", tt.name, got, tt.want)
		}
	}
	for _, bad := range []string{"", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8 9", "cpu 1 2 3 4 5 6 7 x"} {
		if times, err := parseCPUTimes([]byte(bad)); err == nil {
			t.Errorf("parseCPUTimes(%q) = %v", bad, times)
		}
	}
}

// TestLeaveOut: what a machine lacks costs the figures that need it, no others.
func TestLeaveOut(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	lacking := map[string]string{"vde": "vde2", "uml-switch": "uml-utilities", "vde-kpps": "vde2", "bridge": ""}
	kinds := newWireMeter(&benchWireCmd{}, &rack.Spec{Cache: t.TempDir()}).kinds()
	for _, k := range kinds {
		if from, ok := lacking[k.name]; ok != (k.lacks() != "") && k.name != "plain" {
			t.Errorf("%s lacks %q", k.name, k.lacks())
		} else if !strings.Contains(k.lacks(), from) {
			t.Errorf("%s lacks %q, which does not name the package %s", k.name, k.lacks(), from)
		}
	}
	able := leaveOut(kinds)
	for _, k := range able {
		if _, ok := lacking[k.name]; ok {
			t.Errorf("%s is not left out", k.name)
		}
	}
	if len(able) == 0 {
		t.Error("every kind is left out")
	}
}

// TestKinds: the words of --only are the kinds there are.
func TestKinds(t *testing.T) {
	var names []string
	for _, k := range newWireMeter(&benchWireCmd{}, &rack.Spec{Cache: t.TempDir()}).kinds() {
		names = append(names, k.name)
	}
	if !slices.Equal(names, kindNames) {
		t.Errorf("kinds are %v, --only knows %v", names, kindNames)
	}
}
