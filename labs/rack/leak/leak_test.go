package leak_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs/rack/leak"
)

var foreign = []leak.Watched{
	{Tag: "secret", Kind: leak.Secret, Text: "k3vq9m2xw7tz4p8r"},
	{Tag: "name", Kind: leak.Name, Text: "rosalind-franklin"},
	{Tag: "host", Kind: leak.Address, Text: "10.3.7.9"},
	{Tag: "host6", Kind: leak.Address, Text: "fd00:1::9"},
	{Tag: "lan", Kind: leak.Network, Text: "10.99.7.0/24"},
	{Tag: "lan6", Kind: leak.Network, Text: "fd00:99::/64"},
	{Tag: "mac", Kind: leak.MAC, Text: "02:11:22:33:44:55"},
	{Tag: "own", Kind: leak.Network, Text: "192.168.1.0/24"}, // the lab's own
	{Tag: "own host", Kind: leak.Address, Text: "192.168.1.7"},
	{Tag: "bad", Kind: leak.Address, Text: "nonsense"},
	{Tag: "short", Kind: leak.Secret, Text: "abc"},
}

func watcher(t testing.TB, file string) *leak.Watcher {
	t.Helper()
	w, err := leak.New(file, []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16")}, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	w.Set(foreign)
	return w
}

func eth(kind uint16, src [6]byte, payload ...byte) []byte {
	f := append([]byte{2, 0, 0, 0, 0, 1}, src[:]...)
	return append(append(f, byte(kind>>8), byte(kind)), payload...)
}

func ipv4(src, dst, payload string) []byte {
	b := make([]byte, 20)
	b[0] = 0x45
	copy(b[12:], netip.MustParseAddr(src).AsSlice())
	copy(b[16:], netip.MustParseAddr(dst).AsSlice())
	return append(b, payload...)
}

func ipv6(src, dst string, next byte, payload ...byte) []byte {
	b := make([]byte, 40)
	b[0], b[6] = 0x60, next
	copy(b[8:], netip.MustParseAddr(src).AsSlice())
	copy(b[24:], netip.MustParseAddr(dst).AsSlice())
	return append(b, payload...)
}

func arp(sender, target string) []byte {
	b := make([]byte, 28)
	b[1], b[2], b[4], b[5] = 1, 8, 6, 4
	copy(b[14:], netip.MustParseAddr(sender).AsSlice())
	copy(b[24:], netip.MustParseAddr(target).AsSlice())
	return b
}

func TestFrame(t *testing.T) {
	own := [6]byte{2, 0, 0, 0, 0, 2}
	ns := append(make([]byte, 8), netip.MustParseAddr("fd00:99::1").AsSlice()...)
	ns[0] = 135
	for _, c := range []struct {
		about string
		frame []byte
		want  string // TAG: HOW
	}{
		{"nothing of others", eth(0x800, own, ipv4("10.0.0.1", "10.0.0.2", "hello")...), ""},
		{"empty", nil, ""},
		{"source", eth(0x800, own, ipv4("10.3.7.9", "10.0.0.2", "")...), "host: source address"},
		{"destination in a network", eth(0x800, own, ipv4("10.0.0.1", "10.99.7.200", "")...), "lan: destination address"},
		{"the lab's own network", eth(0x800, own, ipv4("192.168.1.7", "192.168.1.8", "")...), ""},
		{"tagged", eth(0x8100, own, append([]byte{0, 10, 8, 0}, ipv4("10.3.7.9", "10.0.0.2", "")...)...), "host: source address"},
		{"tagged twice", eth(0x88a8, own, append([]byte{0, 10, 0x81, 0, 0, 20, 8, 0}, ipv4("10.3.7.9", "10.0.0.2", "")...)...), "host: source address"},
		{"IPv6", eth(0x86dd, own, ipv6("fd00:1::9", "fd00:2::1", 6)...), "host6: source address"},
		{"IPv6 network", eth(0x86dd, own, ipv6("fd00:3::9", "fd00:99::abcd", 6)...), "lan6: destination address"},
		{"neighbour", eth(0x86dd, own, ipv6("fe80::1", "ff02::1:ff00:1", 58, ns...)...), "lan6: target of neighbour discovery"},
		{"ARP sender", eth(0x806, own, arp("10.3.7.9", "10.0.0.1")...), "host: sender of ARP"},
		{"ARP target", eth(0x806, own, arp("10.0.0.1", "10.99.7.1")...), "lan: target of ARP"},
		{"MAC", eth(0x9999, [6]byte{2, 0x11, 0x22, 0x33, 0x44, 0x55}), "mac: source MAC"},
		{"secret", eth(0x800, own, ipv4("10.0.0.1", "10.0.0.2", "GET /?k=k3vq9m2xw7tz4p8r HTTP/1.1")...), "secret: payload"},
		{"secret in no IP", eth(0x9999, own, []byte("xk3vq9m2xw7tz4p8rx")...), "secret: payload"},
		{"half a secret", eth(0x9999, own, []byte("k3vq9m2xw7tz4p8")...), ""},
		{"name", eth(0x9999, own, []byte("<rosalind-franklin>")...), "name: payload"},
		{"longer name", eth(0x9999, own, []byte("rosalind-franklins")...), ""},
		{"cut off", eth(0x800, own, ipv4("10.3.7.9", "10.0.0.2", "")[:18]...), ""},
		{"ARP cut off", eth(0x806, own, arp("10.3.7.9", "10.0.0.1")[:20]...), ""},
	} {
		t.Run(c.about, func(t *testing.T) {
			w := watcher(t, filepath.Join(t.TempDir(), "leaks"))
			at := time.Unix(1000, 0)
			w.Frame(c.frame, at, "pc1/eth0")
			w.Frame(c.frame, at.Add(time.Second), "pc1/eth1") // once is enough
			var got []string
			for _, s := range w.Sightings() {
				got = append(got, s.Tag+": "+s.How)
				if !s.Time.Equal(at) || s.Where != "pc1/eth0" {
					t.Errorf("seen at %v on %s", s.Time, s.Where)
				}
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestStream(t *testing.T) {
	for text, want := range map[string]string{
		"echo k3vq9m2xw7tz4p8r\r\n":              "secret",
		"ip addr add 10.3.7.9/24 dev eth0\r\n":   "host",
		"ping 10.3.7.9.\r\n":                     "host",
		"ping 10.3.7.90\r\n":                     "",
		"ping 110.3.7.9\r\n":                     "",
		"ping 10.3.7.9.5\r\n":                    "",
		"via 10.99.7.0/24 dev\r\n":               "lan",
		"link/ether 02:11:22:33:44:55 brd\r\n":   "mac",
		"10.3.7.9 and k3vq9m2xw7tz4p8r\r\n":      "host secret",
		strings.Repeat("x", 1000) + "10.3.7.9\n": "",
	} {
		for _, piece := range []int{1, 2, 7, len(text)} {
			w := watcher(t, filepath.Join(t.TempDir(), "leaks"))
			s := w.Stream("pc1 console 1", "shown")
			for p := range slices.Chunk([]byte(text), piece) {
				s.Look(p)
			}
			var got []string
			for _, x := range w.Sightings() {
				got = append(got, x.Tag)
			}
			if slices.Sort(got); strings.Join(got, " ") != want {
				t.Errorf("%q in pieces of %d: got %q, want %q", text, piece, got, want)
			}
		}
	}
	var none *leak.Stream
	none.Look([]byte("x"))
}

func TestKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "leaks")
	if got, err := leak.Read(file); got != nil || err != nil {
		t.Errorf("without a file: %v, %v", got, err)
	}
	w := watcher(t, file)
	w.Stream("pc1 console 1", "typed").Look([]byte("k3vq9m2xw7tz4p8r"))
	again := watcher(t, file)
	again.Stream("pc2 console 1", "typed").Look([]byte("k3vq9m2xw7tz4p8r rosalind-franklin # "))
	got := again.Sightings()
	if len(got) != 2 || got[0].Where != "pc1 console 1" || got[1].Tag != "name" {
		t.Errorf("got %+v", got)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "k3vq") {
		t.Error("the file holds the secret itself")
	}
	if err := os.WriteFile(file, data[:len(data)-9], 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := leak.Read(file); len(got) != 1 || err != nil {
		t.Errorf("cut off: %v, %v", got, err)
	}
	again.Set(nil)
	again.Stream("x", "typed").Look([]byte("10.3.7.9 "))
	if len(again.Sightings()) != 2 {
		t.Error("it looks on when there is nothing to look for")
	}
}

// thousands are the secrets of many students.
func thousands() []leak.Watched {
	r := rand.New(rand.NewPCG(1, 2))
	all := make([]leak.Watched, 5000)
	for i := range all {
		b := make([]byte, 16)
		for j := range b {
			b[j] = "abcdefghijkmnpqrstuvwxyz23456789"[r.IntN(32)]
		}
		all[i] = leak.Watched{Tag: fmt.Sprint(i), Kind: leak.Secret, Text: string(b)}
	}
	return all
}

func TestThousands(t *testing.T) {
	w := watcher(t, filepath.Join(t.TempDir(), "leaks"))
	all := thousands()
	w.Set(all)
	for i := 0; i < len(all); i += 7 {
		w.Frame(eth(0x800, [6]byte{}, ipv4("10.0.0.1", "10.0.0.2", all[i].Text)...), time.Now(), "pc1/eth0")
	}
	got := w.Sightings()
	if len(got) != (len(all)+6)/7 {
		t.Errorf("%d sightings", len(got))
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(eth(0x800, [6]byte{}, ipv4("10.3.7.9", "10.0.0.2", "k3vq9m2xw7tz4p8r")...))
	f.Add(eth(0x86dd, [6]byte{}, ipv6("fd00:1::9", "fd00:2::1", 58, 135)...))
	f.Add(eth(0x806, [6]byte{}, arp("10.3.7.9", "10.0.0.1")...))
	w := watcher(f, filepath.Join(f.TempDir(), "leaks"))
	f.Fuzz(func(t *testing.T, data []byte) {
		w.Frame(data, time.Now(), "pc1/eth0")
		w.Stream("pc1", "shown").Look(data)
	})
}

func BenchmarkPayload(b *testing.B) {
	w := watcher(b, filepath.Join(b.TempDir(), "leaks"))
	w.Set(thousands())
	data := make([]byte, 64<<10)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range data {
		data[i] = "abcdefghijkmnpqrstuvwxyz23456789"[r.IntN(32)]
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		w.Frame(data, time.Time{}, "pc1/eth0")
	}
}
