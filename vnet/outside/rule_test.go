package outside_test

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/vnet/outside"
)

func TestParseRule(t *testing.T) {
	for _, tt := range []struct {
		text string
		want outside.Rule
		back string // empty: as text
	}{
		{text: "www.example.com:80", want: outside.Rule{Name: "www.example.com", Ports: outside.Ports{First: 80, Last: 80}}},
		{text: "10.0.0.0/8:443", want: outside.Rule{Within: netip.MustParsePrefix("10.0.0.0/8"), Ports: outside.Ports{First: 443, Last: 443}}},
		{text: "*.example.org", want: outside.Rule{Name: "*.example.org"}},
		{text: "*", want: outside.Rule{Name: "*"}},
		{text: "*:8000-8100/tcp", want: outside.Rule{Name: "*", Ports: outside.Ports{First: 8000, Last: 8100}, Proto: outside.TCP}},
		{text: "198.51.100.7", want: outside.Rule{Within: netip.MustParsePrefix("198.51.100.7/32")}},
		{text: "198.51.100.7/32:53/udp", back: "198.51.100.7:53/udp",
			want: outside.Rule{Within: netip.MustParsePrefix("198.51.100.7/32"), Ports: outside.Ports{First: 53, Last: 53}, Proto: outside.UDP}},
		{text: "git.example.org@10.1.0.0/16:22", want: outside.Rule{Name: "git.example.org", Within: netip.MustParsePrefix("10.1.0.0/16"), Ports: outside.Ports{First: 22, Last: 22}}},
		{text: " Www.Example.COM.:80 ", back: "www.example.com:80", want: outside.Rule{Name: "www.example.com", Ports: outside.Ports{First: 80, Last: 80}}},
		{text: "xn--bcher-kva.example", want: outside.Rule{Name: "xn--bcher-kva.example"}},
		{text: "0.0.0.0/0:443", want: outside.Rule{Within: netip.MustParsePrefix("0.0.0.0/0"), Ports: outside.Ports{First: 443, Last: 443}}},
	} {
		got, err := outside.ParseRule(tt.text)
		if err != nil || got != tt.want {
			t.Errorf("ParseRule(%q) = %+v, %v; want %+v", tt.text, got, err, tt.want)
			continue
		}
		back := tt.back
		if back == "" {
			back = tt.text
		}
		if got.String() != back {
			t.Errorf("ParseRule(%q).String() = %q; want %q", tt.text, got, back)
		}
	}
}

func TestParseRuleErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "empty",
		"https://example.org/":          "the host and the port alone",
		"example.org:":                  `"" is no port`,
		"example.org:0":                 `"0" is no port`,
		"example.org:65536":             "no port",
		"example.org:90-80":             "no port",
		"example.org:http":              "no port",
		"[2001:db8::1]:443":             "IPv4",
		"2001:db8::/32":                 "IPv4",
		"10.0.0.1/8":                    "write 10.0.0.0/8",
		"10.0.0.0/33":                   "no IPv4 network",
		"1.2.3":                         "no IPv4 network",
		"300.1.1.1":                     "no IPv4 network",
		"example.org/24":                "no IPv4 network",
		"example.org/icmp":              "no IPv4 network",
		"127.0.0.1:80":                  "127.0.0.0/8",
		"169.254.169.254:80":            "169.254.0.0/16",
		"127.0.0.0/9":                   "127.0.0.0/8",
		"224.0.0.251:5353/udp":          "224.0.0.0/4",
		"localhost:80":                  "the server itself",
		"db.localhost":                  "the server itself",
		"foo.*.example.org":             "a star stands",
		"*example.org":                  "a star stands",
		"-a.example.org":                "no host name",
		"a..example.org":                "no host name",
		"exämple.org":                   "xn--",
		"two words:80":                  "no host name",
		"@10.0.0.0/8":                   "no host name",
		"a.example@":                    "no IPv4 network",
		strings.Repeat("a.", 200) + "b": "too long",
	} {
		r, err := outside.ParseRule(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseRule(%q) = %v, %v; want an error with %q", text, r, err, want)
		}
	}
}

func TestRuleJSON(t *testing.T) {
	type spec struct{ Allow []outside.Rule }
	want := spec{rules(t, "*.example.org:443", "10.0.0.0/8:22/tcp")}
	data, err := json.Marshal(want)
	if err != nil || string(data) != `{"Allow":["*.example.org:443","10.0.0.0/8:22/tcp"]}` {
		t.Fatalf("marshalled to %s, %v", data, err)
	}
	var got spec
	if err := json.Unmarshal(data, &got); err != nil || !slices.Equal(got.Allow, want.Allow) {
		t.Errorf("back as %v, %v", got, err)
	}
	if err := json.Unmarshal([]byte(`{"Allow":["127.0.0.1"]}`), &got); err == nil {
		t.Error("took a rule for the host's loopback")
	}
	if data, err := json.Marshal(outside.Rule{}); err == nil {
		t.Errorf("a rule that says nothing is marshalled to %s", data)
	}
}

func FuzzParseRule(f *testing.F) {
	for _, s := range []string{"www.example.com:80", "10.0.0.0/8:443", "*.example.org:1-2/udp", "a@1.2.3.4", "*", "1.2.3.4/0", "::1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := outside.ParseRule(s)
		if err != nil {
			return
		}
		again, err := outside.ParseRule(r.String())
		if err != nil || again != r {
			t.Errorf("%q is read as %+v, written as %q and read back as %+v, %v", s, r, r.String(), again, err)
		}
		p := newPolicy([]outside.Rule{r}, nil)
		for _, addr := range []string{"127.0.0.1", "127.1.2.3", "169.254.169.254", "0.0.0.0", "255.255.255.255", "224.0.0.1"} {
			if allows(p, outside.TCP, addr, 80, r.Name) || p.Answers(r.Name, netip.MustParseAddr(addr)) {
				t.Errorf("%q opens %s", s, addr)
			}
		}
	})
}

// rules reads a list.
func rules(t *testing.T, texts ...string) []outside.Rule {
	t.Helper()
	var list []outside.Rule
	for _, s := range texts {
		r, err := outside.ParseRule(s)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}
