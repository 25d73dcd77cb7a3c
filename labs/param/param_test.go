package param_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/labs/param"
)

func key(ordinal int) param.Key {
	return param.Key{Secret: []byte("0123456789abcdef"), Lab: "routing", Student: fmt.Sprint("student ", ordinal), Ordinal: ordinal}
}

func draw(t testing.TB, decls []param.Decl, ordinal int) param.Values {
	t.Helper()
	v, err := param.Draw(decls, key(ordinal))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func get(t testing.TB, v param.Values, ref string) string {
	t.Helper()
	s, ok := v.Get(ref)
	if !ok {
		t.Fatalf("there is no ((%s))", ref)
	}
	return s
}

var prefix = netip.MustParsePrefix

// oneOfEach declares one parameter of each kind.
var oneOfEach = []param.Decl{
	{Name: "lan", Network: prefix("10.0.0.0/8"), Length: 24, Distinct: true},
	{Name: "lan6", Network: prefix("fd00::/16"), Distinct: true},
	{Name: "host", Address: prefix("192.168.0.0/24")},
	{Name: "port", Number: param.Range{First: 2000, Last: 2999}},
	{Name: "token", Secret: 16},
	{Name: "who", Words: []string{"ada", "grace", "edsger"}},
	{Name: "mac", MAC: true, Distinct: true},
	{Name: "fault", Choice: []string{"mtu", "route", "filter"}},
	{Name: "asns", Shuffle: []string{"65001", "65002", "65003"}},
}

// TestGolden holds the draws still: a student who comes back finds the same
// addresses, whatever version of Patchbay serves them.
func TestGolden(t *testing.T) {
	v := draw(t, oneOfEach, 7)
	var got []string
	for _, x := range v.All() {
		got = append(got, x.Param+" "+x.Text)
	}
	want := []string{
		"lan 10.37.105.0/24", "lan6 fd00:1574:3509:9575::/64", "host 192.168.0.47", "port 2153", "token xgzvk5qcgacsbuts",
		"who grace", "mac 02:af:b8:90:e4:0c", "fault filter", "asns 65001 65002 65003",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestDistinct(t *testing.T) {
	const students = 3000
	decls := []param.Decl{
		{Name: "a", Network: prefix("10.0.0.0/8"), Length: 24, Distinct: true},
		{Name: "b", Network: prefix("10.0.0.0/8"), Length: 24, Distinct: true},
		{Name: "c", Network: prefix("fd00::/8"), Length: 64, Distinct: true},
		{Name: "d", Address: prefix("172.16.0.0/16"), Distinct: true},
		{Name: "e", Address: prefix("2001:db8::/64"), Distinct: true},
		{Name: "f", MAC: true, Distinct: true},
		{Name: "g", Secret: 8, Distinct: true},
		{Name: "h", Secret: 40, Distinct: true},
		{Name: "i", Number: param.Range{First: 10000, Last: 10000 + students - 1}, Distinct: true},
		{Name: "j", Shuffle: strings.Split("abcdefgh", ""), Distinct: true},
		{Name: "k", Shuffle: strings.Split("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", ""), Distinct: true},
	}
	param.Validate(decls, func(i int, field, _, format string, args ...any) {
		t.Errorf("%s.%s: %s", decls[i].Name, field, fmt.Sprintf(format, args...))
	})
	seen := map[string]int{}
	for o := range students {
		for _, x := range draw(t, decls, o).All() {
			if other, twice := seen[x.Text]; twice {
				t.Fatalf("students %d and %d both have %s of %s", other, o, x.Text, x.Param)
			}
			seen[x.Text] = o
		}
	}
}

// TestUsedUp draws every value of small ranges, and says so when there is none left.
func TestUsedUp(t *testing.T) {
	for _, c := range []struct {
		decl      param.Decl
		n         int
		broadcast string
	}{
		{param.Decl{Network: prefix("10.0.0.0/22"), Length: 24}, 4, ""},
		{param.Decl{Network: prefix("10.0.0.0/24"), Length: 24}, 1, ""},
		{param.Decl{Address: prefix("10.0.0.0/28")}, 14, "10.0.0.15"},
		{param.Decl{Address: prefix("10.0.0.0/30")}, 2, "10.0.0.3"},
		{param.Decl{Address: prefix("10.0.0.0/31")}, 2, ""},
		{param.Decl{Address: prefix("10.0.0.1/32")}, 1, ""},
		{param.Decl{Address: prefix("fd00::/124")}, 15, ""},
		{param.Decl{Address: prefix("fd00::/126")}, 3, ""},
		{param.Decl{Address: prefix("fd00::/127")}, 2, ""},
		{param.Decl{Address: prefix("fd00::1/128")}, 1, ""},
		{param.Decl{Number: param.Range{First: 5, Last: 1004}}, 1000, ""},
		{param.Decl{Words: []string{"ada", "grace", "edsger"}}, 3, ""},
		{param.Decl{Choice: []string{"mtu", "route"}}, 2, ""},
		{param.Decl{Shuffle: []string{"a", "b", "c", "d"}}, 24, ""},
	} {
		c.decl.Name, c.decl.Distinct = "x", true
		t.Run(fmt.Sprint(c.decl.Kind(), c.decl.Network, c.decl.Address), func(t *testing.T) {
			decls := []param.Decl{c.decl}
			seen := map[string]bool{}
			for o := range c.n {
				seen[draw(t, decls, o).All()[0].Text] = true
			}
			if len(seen) != c.n {
				t.Errorf("%d students got %d values", c.n, len(seen))
			}
			if _, err := param.Draw(decls, key(c.n)); err == nil || !strings.Contains(err.Error(), "no value left") {
				t.Errorf("one student more got the error %v", err)
			}
			if a := c.decl.Address; a.IsValid() && a.Addr().BitLen()-a.Bits() > 1 && (seen[a.Addr().String()] || seen[c.broadcast]) {
				t.Errorf("a host got the address of its network or the broadcast address: %v", seen)
			}
		})
	}
}

// TestApart holds that no two parameters of one lab get the same.
func TestApart(t *testing.T) {
	decls := []param.Decl{
		{Name: "wide", Network: prefix("10.0.0.0/16"), Length: 18},
		{Name: "a", Network: prefix("10.0.0.0/16"), Length: 20},
		{Name: "b", Network: prefix("10.0.0.0/16"), Length: 20, Distinct: true},
		{Name: "c", Network: prefix("10.0.0.0/16"), Length: 20, Distinct: true},
		{Name: "h1", Address: prefix("192.168.0.0/29")},
		{Name: "h2", Address: prefix("192.168.0.0/29")},
		{Name: "h3", Address: prefix("192.168.0.0/29")},
		{Name: "h4", Address: prefix("192.168.0.0/29")},
		{Name: "n1", Number: param.Range{First: 1, Last: 3}},
		{Name: "n2", Number: param.Range{First: 1, Last: 3}},
		{Name: "n3", Number: param.Range{First: 1, Last: 3}},
	}
	for o := range 8 {
		v := draw(t, decls, o)
		nets := []netip.Prefix{}
		for _, name := range []string{"wide", "a", "b", "c"} {
			p := prefix(get(t, v, name))
			for _, q := range nets {
				if p.Overlaps(q) {
					t.Errorf("student %d: %s overlaps with %s", o, p, q)
				}
			}
			nets = append(nets, p)
		}
		for _, names := range [][]string{{"h1", "h2", "h3", "h4"}, {"n1", "n2", "n3"}} {
			var all []string
			for _, n := range names {
				all = append(all, get(t, v, n))
			}
			if slices.Sort(all); len(slices.Compact(slices.Clone(all))) != len(names) {
				t.Errorf("student %d: %q are not all different", o, all)
			}
		}
	}
}

// TestUniform holds that two choices may be alike, and are about as often
// as chance says; and that each value is drawn about as often.
func TestUniform(t *testing.T) {
	decls := []param.Decl{
		{Name: "a", Choice: []string{"x", "y", "z", "w"}},
		{Name: "b", Choice: []string{"x", "y", "z", "w"}},
		{Name: "n", Number: param.Range{First: 0, Last: 9}},
		{Name: "d", Number: param.Range{First: 100, Last: 1_000_000}, Distinct: true},
		{Name: "s", Shuffle: []string{"1", "2", "3"}},
	}
	const students = 4000
	count := map[string]int{}
	for o := range students {
		v := draw(t, decls, o)
		a, b := get(t, v, "a"), get(t, v, "b")
		count["a "+a]++
		if a == b {
			count["alike"]++
		}
		count["n "+get(t, v, "n")]++
		count["s "+get(t, v, "s.1")+get(t, v, "s.2")+get(t, v, "s.3")]++
		if len(get(t, v, "d")) < 6 { // a tenth, very nearly
			count["small"]++
		}
	}
	expect := func(name string, share float64) {
		t.Helper()
		// Five standard deviations; the draws are always the same, so that
		// this passes always or never.
		want := share * students
		dev := 5 * sqrt(want*(1-share))
		if got := float64(count[name]); got < want-dev || got > want+dev {
			t.Errorf("%s was drawn %v times of %d, not about %v", name, got, students, want)
		}
	}
	for _, c := range []string{"x", "y", "z", "w"} {
		expect("a "+c, 0.25)
	}
	expect("alike", 0.25)
	for n := range 10 {
		expect(fmt.Sprint("n ", n), 0.1)
	}
	for _, s := range []string{"123", "132", "213", "231", "312", "321"} {
		expect("s "+s, 1.0/6)
	}
	expect("small", (100_000.0-100)/(1_000_001-100))
}

func sqrt(x float64) float64 {
	y := x
	for range 60 {
		y = (y + x/y) / 2
	}
	return y
}

func TestStays(t *testing.T) {
	before := draw(t, oneOfEach, 3)
	more := append([]param.Decl{{Name: "another", Number: param.Range{First: 1, Last: 1 << 40}}}, oneOfEach...)
	slices.Reverse(more)
	after := draw(t, more, 3)
	for _, x := range before.All() {
		if got := get2(after, x.Param); got != x.Text {
			t.Errorf("%s was %s, and is %s beside another parameter", x.Param, x.Text, got)
		}
	}
	for name, change := range map[string]func(*param.Key){
		"another server":  func(k *param.Key) { k.Secret = []byte("another secret 0123") },
		"another lab":     func(k *param.Key) { k.Lab = "switching" },
		"another student": func(k *param.Key) { k.Student, k.Ordinal = "somebody", 4 },
	} {
		k := key(3)
		change(&k)
		other, err := param.Draw(oneOfEach, k)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{"lan", "lan6", "token", "mac"} {
			if get2(other, p) == get2(before, p) {
				t.Errorf("%s has the same %s", name, p)
			}
		}
	}
}

func get2(v param.Values, name string) string {
	for _, x := range v.All() {
		if x.Param == name {
			return x.Text
		}
	}
	return ""
}

func TestSpecimen(t *testing.T) {
	v := param.Specimen(append([]param.Decl{{Name: "broken"}, {Name: "short", Secret: 1}}, oneOfEach...))
	if got := len(v.All()); got != len(oneOfEach) {
		t.Errorf("%d values for %d declarations in order", got, len(oneOfEach))
	}
	if v.Has("broken") || !v.Has("lan") {
		t.Error("the specimen has what it should not, or lacks what it should have")
	}
}

func TestWatch(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		decl param.Decl
		want bool
	}{
		{param.Decl{Secret: 16}, true},
		{param.Decl{Secret: 16, Watch: &no}, false},
		{param.Decl{Address: prefix("10.0.0.0/8")}, false},
		{param.Decl{Address: prefix("10.0.0.0/8"), Distinct: true}, true},
		{param.Decl{MAC: true, Distinct: true}, true},
		{param.Decl{Number: param.Range{First: 1, Last: 9}, Distinct: true}, false},
		{param.Decl{Words: []string{"something-long"}, Distinct: true, Watch: &yes}, true},
	} {
		if got := c.decl.Watched(); got != c.want {
			t.Errorf("%+v: watched %v", c.decl, got)
		}
	}
}
