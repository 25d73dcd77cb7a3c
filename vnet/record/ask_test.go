package record_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/patchbay/patchbay/vnet/filter"
	"github.com/patchbay/patchbay/vnet/record"
)

func compile(t testing.TB, expr string) *filter.Filter {
	t.Helper()
	f, err := filter.Compile(expr)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// since asks about all that was recorded, and does not wait long.
func since(expr string, t testing.TB) record.Query {
	return record.Query{From: time.Now().Add(-time.Hour), Filter: compile(t, expr)}
}

const soon = 20 * time.Millisecond

func TestExpect(t *testing.T) {
	r := newRing(t, 0)
	a := r.Port("r1/eth0", "A")
	put := func(frame []byte) {
		r.Frame(r.Now(), a, plain, frame)
		r.Publish()
	}
	hello := ipFrame(t, 89, "\x02\x01\x00\x2c\x01\x01\x01\x01\x00\x00\x00\x00\x00\x00")
	put(hello)
	q := record.Query{Segments: []string{"A"}, Filter: compile(t, "ip proto ospf and ip[21] = 1")}
	if _, err := r.Expect(t.Context(), q, soon); !errors.Is(err, record.ErrNone) || !strings.Contains(err.Error(), "ospf") {
		t.Errorf("what came before the question: %v; want ErrNone", err)
	}
	q.From = time.Now().Add(-time.Minute)
	if f, err := r.Expect(t.Context(), q, time.Minute); err != nil || f.Port != "r1/eth0" || string(f.Data) != string(hello) {
		t.Errorf("asked about the past: %+v, %v", f, err)
	}
	q.From = time.Time{}
	go func() {
		time.Sleep(5 * time.Millisecond)
		put(arpFrame(t, 1, mac1, ip1, ip2))
		put(hello)
	}()
	if _, err := r.Expect(t.Context(), q, time.Minute); err != nil {
		t.Errorf("what comes later: %v", err)
	}
	q.Segments = []string{"B"}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(soon, cancel)
	if _, err := r.Expect(ctx, q, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ends: %v", err)
	}
	time.AfterFunc(soon, func() { r.Close() })
	if _, err := r.Expect(t.Context(), q, time.Minute); !errors.Is(err, record.ErrClosed) {
		t.Errorf("a ring that is closed: %v; want ErrClosed", err)
	}
}

func TestCountAndNever(t *testing.T) {
	r := newRing(t, 1<<20)
	a := r.Port("a", "A")
	for i := range int64(5) {
		r.Frame(r.Now(), a, plain, arpFrame(t, 1, mac1, ip1, ip2))
		r.Frame(r.Now(), a, plain, tcpFrame(t, layers.TCP{SrcPort: 1, DstPort: layers.TCPPort(80 + i)}, ""))
	}
	r.Publish()
	tally, err := r.Count(t.Context(), since("arp", t), soon)
	if err != nil || tally.Frames != 5 || tally.Bytes != 5*60 || tally.Last.Before(tally.First) || tally.Missed != 0 {
		t.Errorf("Count = %+v, %v; want 5 frames of 60 bytes", tally, err)
	}
	if f, err := r.Never(t.Context(), since("udp", t), soon); err != nil || f != nil {
		t.Errorf("Never(udp) = %v, %v; want neither", f, err)
	}
	if f, err := r.Never(t.Context(), since("tcp dst port 82", t), soon); err != nil || f == nil {
		t.Errorf("Never(port 82) = %v, %v; want a frame", f, err)
	}
	// When frames went by unseen, nobody knows.
	go func() {
		time.Sleep(soon / 4)
		for range 10 << 20 / 60000 {
			r.Frame(r.Now(), a, plain, make([]byte, 60000))
		}
		r.Publish()
	}()
	if f, err := r.Never(t.Context(), record.Query{Filter: compile(t, "udp")}, 10*soon); !errors.Is(err, record.ErrMissed) {
		t.Errorf("Never with gaps = %v, %v; want ErrMissed", f, err)
	}
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		addr   string
		frames [][]byte
		want   string
	}{
		{"one", "10.0.0.1", [][]byte{arpFrame(t, 1, mac2, ip2, ip1), arpFrame(t, 2, mac1, ip1, ip2), arpFrame(t, 2, mac1, ip1, ip2)}, "[{02:00:00:00:00:01 a}]"},
		{"nobody", "10.0.0.1", [][]byte{arpFrame(t, 1, mac1, ip1, ip2), arpFrame(t, 2, mac2, ip2, ip1)}, "[]"},
		{"two", "10.0.0.1", [][]byte{arpFrame(t, 2, mac1, ip1, ip2), arpFrame(t, 2, mac2, ip1, ip2)}, "[{02:00:00:00:00:01 a} {02:00:00:00:00:02 a}]"},
		{"announced", "10.0.0.1", [][]byte{arpFrame(t, 1, mac1, ip1, ip1)}, "[{02:00:00:00:00:01 a}]"},
		{"on a trunk", "10.0.0.1", [][]byte{tagged(arpFrame(t, 2, mac1, ip1, ip2), 10)}, "[{02:00:00:00:00:01 a}]"},
		{"six", "fe80::1", [][]byte{neighbour(t, six1, mac1), neighbour(t, six2, mac2)}, "[{02:00:00:00:00:01 a}]"},
		{"other family", "fe80::1", [][]byte{arpFrame(t, 2, mac1, ip1, ip2)}, "[]"},
		{"spoilt", "10.0.0.1", [][]byte{arpFrame(t, 2, mac1, ip1, ip2)[:40], neighbour(t, six1, mac1)[:60], make([]byte, 14)}, "[]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRing(t, 0)
			a, b := r.Port("a", ""), r.Port("b", "")
			for _, f := range tt.frames {
				r.Fate(r.Frame(r.Now(), a, plain, f), r.Now(), b, record.Delivered, record.View{})
			}
			r.Publish()
			got, err := r.Answers(t.Context(), since("", t), netip.MustParseAddr(tt.addr), soon)
			if s := fmt.Sprint(got); err != nil || s != tt.want {
				t.Errorf("Answers = %s, %v; want %s", s, err, tt.want)
			}
		})
	}
}

func TestCleartext(t *testing.T) {
	seg := func(src uint16, seq uint32, data string) []byte {
		return tcpFrame(t, layers.TCP{SrcPort: layers.TCPPort(src), DstPort: 23, ACK: true, Seq: seq}, data)
	}
	for _, tt := range []struct {
		name   string
		frames [][]byte
		want   int // which frame, from 1; 0: none
	}{
		{"nowhere", [][]byte{seg(1, 1, "hello"), arpFrame(t, 1, mac1, ip1, ip2)}, 0},
		{"in one", [][]byte{seg(1, 1, "x"), seg(1, 2, "my hunter2.")}, 2},
		{"in UDP", [][]byte{udpFrame(t, 1, 2, gopacket.Payload("hunter2"))}, 1},
		{"letter by letter", [][]byte{seg(1, 1, "h"), seg(1, 2, "u"), seg(1, 3, "n"), seg(1, 4, "t"), seg(1, 5, "e"), seg(1, 6, "r"), seg(1, 7, "2")}, 7},
		{"split", [][]byte{seg(1, 1, "the hun"), seg(1, 8, "ter2 of")}, 2},
		{"interleaved", [][]byte{seg(1, 1, "hun"), seg(2, 1, "xxx"), seg(1, 4, "ter2"), seg(2, 4, "y")}, 3},
		{"of two connections", [][]byte{seg(1, 1, "hun"), seg(2, 4, "ter2")}, 0},
		{"with a gap", [][]byte{seg(1, 1, "hun"), seg(1, 5, "ter2")}, 0},
		{"sent again", [][]byte{seg(1, 1, "hun"), seg(1, 1, "hun"), seg(1, 4, "ter2")}, 3},
		{"sent again with more", [][]byte{seg(1, 1, "hun"), seg(1, 2, "unt"), seg(1, 5, "er2")}, 3},
		{"round the end of the numbers", [][]byte{seg(1, 1<<32-2, "hun"), seg(1, 1, "ter2")}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRing(t, 0)
			a := r.Port("a", "")
			for _, f := range tt.frames {
				r.Frame(r.Now(), a, plain, f)
			}
			r.Publish()
			got, err := r.Cleartext(t.Context(), since("", t), []byte("hunter2"), soon)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			if got != nil {
				n = int(got.Seq) + 1
			}
			if n != tt.want {
				t.Errorf("found in frame %d; want %d", n, tt.want)
			}
		})
	}
	if _, err := newRing(t, 0).Cleartext(t.Context(), record.Query{}, nil, soon); err == nil {
		t.Error("an empty text was looked for")
	}
}
