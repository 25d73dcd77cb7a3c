package engine_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/grade/engine"
)

func TestContent(t *testing.T) {
	for _, c := range []struct {
		name string
		k    grade.File
		text string
		want string // a part of what is wrong; empty: nothing is
	}{
		{"a comment is no line", grade.File{Lines: []string{"router ospf"}}, "! router ospf\n# router ospf\n", "no line"},
		{"space counts once", grade.File{Lines: []string{" a  b "}}, "\ta\tb\r\n", ""},
		{"a comment behind", grade.File{Lines: []string{"port 80"}}, "port 80 # the usual", ""},
		{"no comment within a text", grade.File{Lines: []string{`say "a # b"`}}, `say "a # b"`, ""},
		{"no comment within a URL", grade.File{Lines: []string{"url http://a/"}}, "url http://a/", ""},
		{"comments of its own", grade.File{Lines: []string{"# x"}, Comment: []string{}}, "# x", ""},
		{"the last setting counts", grade.File{Settings: map[string]string{"a.b": "2"}}, "a.b=1\na/b = 2\n", ""},
		{"a setting in a comment", grade.File{Settings: map[string]string{"a.b": "1"}}, "#a.b=1\n", "not set"},
		{"a key before sections", grade.File{INI: map[string]string{"k": "v", "s.k": "w"}}, "k: v\n[ s ]\nk='w'\n", ""},
		{"JSON of two values", grade.File{JSON: map[string]string{"a": "1"}}, `{"a":1}{"a":2}`, ""},
		{"no JSON", grade.File{JSON: map[string]string{"a": "1"}}, `{"a":`, "no JSON"},
		{"large numbers stay", grade.File{JSON: map[string]string{"a": "12345678901234567890"}}, `{"a":12345678901234567890}`, ""},
		{"a text that must not be there", grade.File{Lacks: []string{"permit any"}}, "permit any", "it holds"},
	} {
		got := strings.Join(engine.Content(&c.k, []byte(c.text)), "; ")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// FuzzContent: any file is judged.
func FuzzContent(f *testing.F) {
	for _, s := range []string{"", "a=b", "[x]\na=b", `{"a":[1,{"b":null}]}`, strings.Repeat("[", 1000), "[]", "=", "\xff\n#"} {
		f.Add([]byte(s))
	}
	k := &grade.File{Lines: []string{"a"}, INI: map[string]string{"x.a": "b"}, Settings: map[string]string{"a": "b"}, JSON: map[string]string{"a[0]": "1"}, Regex: "^a$"}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range engine.Content(k, data) {
			if len(s) > 10_000 {
				t.Errorf("says %d bytes", len(s))
			}
		}
	})
}

func echoFrame(v6, tagged bool, kind byte, data []byte) []byte {
	b := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}
	if tagged {
		b = append(b, 0x81, 0, 0, 10)
	}
	icmp := append([]byte{kind, 0, 0, 0, 0, 7, 0, 1}, data...)
	if v6 {
		b = append(b, 0x86, 0xdd, 0x60, 0, 0, 0, 0, byte(len(icmp)), 58, 64)
		b = append(b, bytes.Repeat([]byte{0xfd}, 32)...)
		return append(b, icmp...)
	}
	b = append(b, 8, 0, 0x45, 0, 0, byte(20+len(icmp)), 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2)
	return append(append(b, icmp...), 0, 0, 0) // padding
}

func TestEcho(t *testing.T) {
	pattern := []byte("0123456789abcdef")
	fill := func(phase int) []byte {
		return append(make([]byte, 16), bytes.Repeat(pattern, 4)[phase:phase+40]...)
	}
	for _, c := range []struct {
		name        string
		frame       []byte
		ok, carries bool
	}{
		{"IPv4", echoFrame(false, false, 8, fill(0)), true, true},
		{"IPv4, tagged, another phase", echoFrame(false, true, 0, fill(7)), true, true},
		{"IPv6", echoFrame(true, false, 129, fill(3)), true, true},
		{"another pattern", echoFrame(false, false, 8, make([]byte, 56)), true, false},
		{"too short to know", echoFrame(false, false, 8, fill(0)[:40]), true, false},
		{"unreachable", echoFrame(false, false, 3, fill(0)), false, false},
		{"cut", echoFrame(false, false, 8, fill(0))[:60], false, false},
		{"nothing", nil, false, false},
	} {
		_, carries, ok := engine.ParseEcho(c.frame, pattern)
		if ok != c.ok || carries != c.carries {
			t.Errorf("%s: an echo: %v, ours: %v; want %v, %v", c.name, ok, carries, c.ok, c.carries)
		}
	}
}

// FuzzEcho: a guest may send anything.
func FuzzEcho(f *testing.F) {
	f.Add(echoFrame(false, true, 8, make([]byte, 56)))
	f.Add(echoFrame(true, false, 129, make([]byte, 56)))
	f.Fuzz(func(_ *testing.T, b []byte) { engine.ParseEcho(b, make([]byte, 16)) })
}

func TestSomeAddress(t *testing.T) {
	for _, s := range []string{"10.0.0.0/30", "10.0.0.0/8", "fd00::/64", "192.168.7.128/25"} {
		p := netip.MustParsePrefix(s)
		seen := map[netip.Addr]bool{}
		for range 200 {
			a := engine.SomeAddress(p)
			if !p.Contains(a) || a == p.Masked().Addr() {
				t.Fatalf("of %s came %s", p, a)
			}
			seen[a] = true
		}
		if len(seen) < 2 {
			t.Errorf("of %s came %v alone", p, seen)
		}
	}
	for s, want := range map[string]bool{"10.0.0.0/24": true, "10.0.0.9/24": false, "10.0.0.8/31": false, "10.0.0.8/32": false, "fd00::/64": true, "fd00::1/64": false} {
		if got := engine.IsNetwork(netip.MustParsePrefix(s)); got != want {
			t.Errorf("%s is a network: %v", s, got)
		}
	}
}
