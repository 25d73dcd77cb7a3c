package param_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/labs/param"
)

func TestValidate(t *testing.T) {
	yes := true
	many := make([]param.Decl, param.MaxDecls+1)
	for _, c := range []struct {
		about string
		decls []param.Decl
		want  []string // NAME.FIELD: part of the message
	}{
		{"in order", oneOfEach, nil},
		{"nothing", []param.Decl{{Name: "x"}}, []string{"x.: nothing to draw from"}},
		{"bad name", []param.Decl{{Name: "X_y", MAC: true}}, []string{"X_y.: only a-z"}},
		{"twice", []param.Decl{{Name: "x", MAC: true}, {Name: "x", Secret: 9}}, []string{"x.: two parameters x"}},
		{"two kinds", []param.Decl{{Name: "x", MAC: true, Secret: 16}}, []string{"x.mac: secret and mac"}},
		{"host bits", []param.Decl{{Name: "x", Network: prefix("10.0.0.1/8")}}, []string{"x.network: an address in a network"}},
		{"mapped", []param.Decl{{Name: "x", Network: prefix("::ffff:10.0.0.0/104")}}, []string{"x.network: no network to draw from"}},
		{"length too short", []param.Decl{{Name: "x", Network: prefix("10.0.0.0/8"), Length: 4}}, []string{"x.length: no network of length 4"}},
		{"length too long", []param.Decl{{Name: "x", Network: prefix("10.0.0.0/8"), Length: 33}}, []string{"x.length: no network of length 33"}},
		{"length of none", []param.Decl{{Name: "x", MAC: true, Length: 8}}, []string{"x.length: only a network"}},
		{"range", []param.Decl{{Name: "x", Number: param.Range{First: 2, Last: 1}}}, []string{"x.number: ends before"}},
		{"short secret", []param.Decl{{Name: "x", Secret: 4}}, []string{"x.secret: from 8 to 64"}},
		{"empty list", []param.Decl{{Name: "x", Choice: []string{}}}, []string{"x.choice: nothing to draw from"}},
		{"items", []param.Decl{{Name: "x", Words: []string{"a", "", "a", "b\n", "((y))"}}}, []string{
			"x.name[1]: from 1 to", "x.name[2]: in the list twice", "x.name[3]: on one line", "x.name[4]: cannot name another"}},
		{"watched number", []param.Decl{{Name: "x", Number: param.Range{First: 1, Last: 2}, Watch: &yes}}, []string{"x.watch: cannot be watched"}},
		{"watched by right", []param.Decl{{Name: "x", Address: prefix("10.0.0.0/8"), Watch: &yes}}, []string{"x.watch: must be distinct"}},
		{"watched short name", []param.Decl{{Name: "x", Words: []string{"ada"}, Distinct: true, Watch: &yes}}, []string{"x.name[0]: at least 8"}},
		{"too many of a range", []param.Decl{
			{Name: "a", Number: param.Range{First: 1, Last: 2}}, {Name: "b", Number: param.Range{First: 1, Last: 2}}, {Name: "c", Number: param.Range{First: 1, Last: 2}},
		}, []string{"c.number: more parameters of this range"}},
		{"choices are free", []param.Decl{{Name: "a", Choice: []string{"x"}}, {Name: "b", Choice: []string{"x"}}}, nil},
		{"overlap", []param.Decl{
			{Name: "a", Network: prefix("10.0.0.0/8"), Length: 24, Distinct: true},
			{Name: "b", Network: prefix("10.1.0.0/16"), Length: 24, Distinct: true},
		}, []string{"b.network: overlaps with that of a"}},
		{"too many", many, []string{".: at most 64"}},
	} {
		t.Run(c.about, func(t *testing.T) {
			var got []string
			param.Validate(c.decls, func(i int, field, _, format string, args ...any) {
				got = append(got, fmt.Sprintf("%s.%s: %s", c.decls[i].Name, field, fmt.Sprintf(format, args...)))
			})
			if !slices.EqualFunc(got, c.want, func(g, w string) bool {
				place, part, _ := strings.Cut(w, ": ")
				return strings.HasPrefix(g, place+": ") && strings.Contains(g, part)
			}) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestRange(t *testing.T) {
	for text, want := range map[string]string{
		"2000..2999": "2000..2999", "1 .. 2": "1..2", "5..5": "5..5", "0..9": "0..9",
		"": "write it like", "5": "write it like", "a..b": "write it like", "9..1": "smaller number first",
		"0..0": "nothing to draw", "-1..3": "write it like", "1..99999999999999999999": "write it like", "1...3": "write it like",
	} {
		var r param.Range
		err := r.UnmarshalText([]byte(text))
		got, _ := r.MarshalText()
		if err != nil {
			got = []byte(err.Error())
		}
		if !strings.Contains(string(got), want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
