package coursemap_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/coursemap"
)

func lab(slug, topic string, requires ...string) *labs.Lab {
	return &labs.Lab{Slug: slug, Title: "About " + slug, Topic: topic, Requires: requires, Difficulty: labs.Beginner, Minutes: 30}
}

func slugs(all []*labs.Lab) string {
	var out []string
	for _, l := range all {
		out = append(out, l.Slug)
	}
	return strings.Join(out, " ")
}

func TestMap(t *testing.T) {
	m := coursemap.New([]*labs.Lab{lab("c", "routing", "b", "nowhere"), lab("b", "switching", "a"), lab("odd", "cooking"), lab("a", "basics")})
	if got := slugs(m.Labs()); got != "odd a b c" && got != "a odd b c" {
		t.Errorf("the order is %s", got)
	}
	c, _ := m.Lab("c")
	have, lack := m.Before(c)
	if slugs(have) != "b" || strings.Join(lack, " ") != "nowhere" || slugs(m.After("a")) != "b" || m.After("c") != nil {
		t.Errorf("before c: %s, and %v; after a: %s", slugs(have), lack, slugs(m.After("a")))
	}
	var lanes []string
	for _, l := range m.Lanes() {
		lanes = append(lanes, l.Title()+": "+slugs(l.Labs))
	}
	if got := strings.Join(lanes, "; "); got != "Basics: a; Switching: b; Routing: c; Other labs: odd" {
		t.Errorf("the lanes are %s", got)
	}
}

func TestQuery(t *testing.T) {
	l := &labs.Lab{Slug: "bgp-peering", Title: "Zwei Netze: BGP Über Land", Summary: "They peer.", Tags: []string{"frr"}, Topic: "interdomain", Difficulty: labs.Advanced}
	for _, c := range []struct {
		q    coursemap.Query
		want bool
	}{
		{coursemap.Query{}, true},
		{coursemap.Query{Words: "  bgp  PEER "}, true},
		{coursemap.Query{Words: "über"}, true},
		{coursemap.Query{Words: "frr between"}, true},
		{coursemap.Query{Words: "bgp ospf"}, false},
		{coursemap.Query{Topic: "interdomain", Difficulty: "advanced"}, true},
		{coursemap.Query{Topic: "routing"}, false},
		{coursemap.Query{Difficulty: "beginner"}, false},
	} {
		if got := c.q.Finds(l); got != c.want {
			t.Errorf("%+v finds it: %v", c.q, got)
		}
	}
}

func draw(m *coursemap.Map, found func(*labs.Lab) bool) string {
	return m.SVG(func(l *labs.Lab) string { return "/catalog/" + l.Slug },
		func(l *labs.Lab) coursemap.Look {
			return coursemap.Look{State: coursemap.Next, Word: "do next", Found: found(l)}
		})
}

// TestSVG: it is well-formed whatever a lab is called, has each lab once, the
// arrows that say something, and no style or script of its own.
func TestSVG(t *testing.T) {
	evil := lab("evil", "security", "a")
	evil.Title = `"><script>alert(1)</script> & ` + strings.Repeat("W", 200)
	for _, c := range []struct {
		name  string
		labs  []*labs.Lab
		edges string
	}{
		{"none", nil, ""},
		{"one", []*labs.Lab{lab("a", "")}, ""},
		{"evil", []*labs.Lab{lab("a", "basics"), evil}, "a-evil"},
		{"what is implied is not drawn", []*labs.Lab{lab("a", "basics"), lab("b", "basics", "a"), lab("c", "routing", "a", "b", "b")}, "a-b b-c"},
		{"round in a circle", []*labs.Lab{lab("a", "basics", "b"), lab("b", "basics", "a"), lab("me", "basics", "me")}, "?"},
		{"missing", []*labs.Lab{lab("a", "basics", "nowhere")}, ""},
	} {
		svg := draw(coursemap.New(c.labs), func(l *labs.Lab) bool { return l.Slug != "a" })
		var edges []string
		cards := map[string]int{}
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			tok, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v\n%s", c.name, err, svg)
			}
			e, ok := tok.(xml.StartElement)
			if !ok {
				continue
			}
			at := map[string]string{}
			for _, a := range e.Attr {
				at[a.Name.Local] = a.Value
			}
			if e.Name.Local == "script" || e.Name.Local == "style" || at["style"] != "" {
				t.Errorf("%s: <%s> in the drawing", c.name, e.Name.Local)
			}
			if at["data-lab"] != "" {
				cards[at["data-lab"]]++
				if dim := strings.Contains(at["class"], "map-dim"); dim != (at["data-lab"] == "a") {
					t.Errorf("%s: %s is dim: %v", c.name, at["data-lab"], dim)
				}
			}
			if at["data-from"] != "" {
				edges = append(edges, at["data-from"]+"-"+at["data-to"])
			}
		}
		for _, l := range c.labs {
			if cards[l.Slug] != 1 {
				t.Errorf("%s: %s is drawn %d times", c.name, l.Slug, cards[l.Slug])
			}
		}
		if got := strings.Join(edges, " "); c.edges != "?" && got != c.edges {
			t.Errorf("%s: arrows %q; want %q", c.name, got, c.edges)
		}
	}
}

// TestMany: a map of what a server may hold comes to an end.
func TestMany(t *testing.T) {
	var all []*labs.Lab
	for i := range 300 {
		var requires []string
		for j := 1; j <= 8 && i-j*j >= 0; j++ {
			requires = append(requires, fmt.Sprint("lab-", i-j*j))
		}
		all = append(all, lab(fmt.Sprint("lab-", i), labs.Topics()[i%10], requires...))
	}
	if svg := draw(coursemap.New(all), func(*labs.Lab) bool { return true }); strings.Count(svg, "data-lab=") != 300 {
		t.Error("labs are missing")
	}
}

func BenchmarkMap(b *testing.B) {
	var all []*labs.Lab
	for i := range 40 {
		var requires []string
		if i > 0 {
			requires = []string{fmt.Sprint("lab-", (i-1)/2)}
		}
		all = append(all, lab(fmt.Sprint("lab-", i), labs.Topics()[i%10], requires...))
	}
	for b.Loop() {
		draw(coursemap.New(all), func(*labs.Lab) bool { return true })
	}
}
