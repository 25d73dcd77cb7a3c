package param_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/labs/param"
)

func TestExpand(t *testing.T) {
	v := draw(t, []param.Decl{
		{Name: "lan", Network: prefix("10.3.7.0/24"), Length: 24},
		{Name: "p2p", Network: prefix("10.0.0.2/31"), Length: 31},
		{Name: "one", Network: prefix("10.0.0.9/32"), Length: 32},
		{Name: "lan6", Network: prefix("fd00:1::/64"), Length: 64},
		{Name: "host", Address: prefix("10.0.0.4/32")},
		{Name: "asns", Shuffle: []string{"65001"}},
		{Name: "n-1", Number: param.Range{First: 7, Last: 7}},
		{Name: "tricky", Choice: []string{"((lan"}},
	}, 0)
	for _, c := range []struct {
		text, want string
		undeclared []string
	}{
		{"", "", nil},
		{"nothing here", "nothing here", nil},
		{"((lan))", "10.3.7.0/24", nil},
		{"a ((lan.1)) b ((lan.-1)) c", "a 10.3.7.1 b 10.3.7.254 c", nil},
		{"((lan.0)) ((lan.255)) ((lan.-254))", "10.3.7.0 10.3.7.255 10.3.7.1", nil},
		{"((lan.length)) ((lan.mask)) ((lan.network)) ((lan.broadcast))", "24 255.255.255.0 10.3.7.0 10.3.7.255", nil},
		{"((lan.256)) ((lan.-255)) ((lan.x))", "((lan.256)) ((lan.-255)) ((lan.x))", []string{"lan.256", "lan.-255", "lan.x"}},
		{"((p2p.0)) ((p2p.1)) ((p2p.-1)) ((p2p.-2))", "10.0.0.2 10.0.0.3 10.0.0.3 10.0.0.2", nil},
		{"((one.0)) ((one.-1)) ((one.1))", "10.0.0.9 10.0.0.9 ((one.1))", []string{"one.1"}},
		{"((lan6)) ((lan6.1)) ((lan6.-1)) ((lan6.length))", "fd00:1::/64 fd00:1::1 fd00:1::ffff:ffff:ffff:ffff 64", nil},
		{"((lan6.mask)) ((lan6.9223372036854775807)) ((lan6.99999999999999999999))", "((lan6.mask)) fd00:1::7fff:ffff:ffff:ffff ((lan6.99999999999999999999))", []string{"lan6.mask", "lan6.99999999999999999999"}},
		{"((host))/((host.length))", "10.0.0.4/32", nil},
		{"((host.1))", "((host.1))", []string{"host.1"}},
		{"((asns.1)) ((asns)) ((asns.2)) ((asns.0))", "65001 ((asns)) ((asns.2)) ((asns.0))", []string{"asns", "asns.2", "asns.0"}},
		{"((n-1))((n-1))", "77", nil},
		{"((i)) ((i)) ((i + 1)) ((I)) $((x++))", "((i)) ((i)) ((i + 1)) ((I)) $((x++))", []string{"i"}},
		{"(((host)))", "(10.0.0.4)", nil},
		{"(((( ((host", "(((( ((host", nil},
		{"((host.)) ((.host)) (()) ((host )) ((\nhost))", "((host.)) ((.host)) (()) ((host )) ((\nhost))", nil},
		{"((tricky)).1))", "((lan.1))", nil},
		{"ü((host))ü", "ü10.0.0.4ü", nil},
	} {
		got, undeclared := v.Expand(c.text)
		if got != c.want || !slices.Equal(undeclared, c.undeclared) {
			t.Errorf("%q: got %q, undeclared %q; want %q, %q", c.text, got, undeclared, c.want, c.undeclared)
		}
	}
	if got, undeclared := (param.Values{}).Expand("((x))"); got != "((x))" || len(undeclared) != 1 {
		t.Errorf("no values: got %q, %q", got, undeclared)
	}
}

func FuzzExpand(f *testing.F) {
	for _, s := range []string{"((lan))", "((lan.-1))((x))", "$((i++))", "((((", "((host.length))", strings.Repeat("((asns.1))", 9)} {
		f.Add(s)
	}
	v := draw(f, oneOfEach, 1)
	var longest int
	for _, x := range v.All() {
		longest = max(longest, len(x.Text), len("255.255.255.255"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, undeclared := v.Expand(text)
		if !strings.Contains(text, "((") && got != text {
			t.Errorf("%q became %q", text, got)
		}
		if len(got) > len(text)+strings.Count(text, "((")*longest {
			t.Errorf("%d bytes became %d", len(text), len(got))
		}
		for _, ref := range undeclared {
			if !strings.Contains(text, "(("+ref+"))") {
				t.Errorf("%q was reported and is not there", ref)
			}
			if _, ok := v.Get(ref); ok {
				t.Errorf("%q was reported and is declared", ref)
			}
		}
	})
}

func FuzzDraw(f *testing.F) {
	f.Add("10.0.0.0/8", 24, uint64(1), uint64(9), 3, true)
	f.Add("fd00::/8", 64, uint64(0), ^uint64(0), 0, true)
	f.Add("::/0", 128, uint64(5), uint64(5), 1<<40, false)
	f.Fuzz(func(t *testing.T, network string, length int, first, last uint64, ordinal int, distinct bool) {
		p, _ := netip.ParsePrefix(network)
		decls := []param.Decl{
			{Name: "net", Network: p, Length: length, Distinct: distinct},
			{Name: "host", Address: p, Distinct: distinct},
			{Name: "number", Number: param.Range{First: first, Last: last}, Distinct: distinct},
			{Name: "secret", Secret: length, Distinct: distinct},
		}
		param.Specimen(decls)
		sound := decls[:0]
		for _, d := range decls {
			ok := true
			d.Validate(func(string, string, string, ...any) { ok = false })
			if ok {
				sound = append(sound, d)
			}
		}
		v, _ := param.Draw(sound, key(ordinal))
		for _, x := range v.All() {
			switch x.Param {
			case "net":
				if q, err := netip.ParsePrefix(x.Text); err != nil || !p.Overlaps(q) || q.Bits() < p.Bits() {
					t.Errorf("%s is no network of %s", x.Text, p)
				}
			case "host":
				if a, err := netip.ParseAddr(x.Text); err != nil || !p.Contains(a) {
					t.Errorf("%s is no address of %s", x.Text, p)
				}
			}
		}
	})
}
