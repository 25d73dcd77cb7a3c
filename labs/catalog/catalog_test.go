package catalog_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/catalog"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/param"
)

func TestLabs(t *testing.T) {
	all, err := catalog.Labs()
	if err != nil {
		t.Fatal(err)
	}
	var slugs []string
	for _, lab := range all {
		slugs = append(slugs, lab.Slug)
		if lab.Summary == "" || lab.Author == "" || lab.Licence == "" || len(lab.Tags) == 0 || lab.Difficulty == "" || lab.Topic == "" || lab.Minutes == 0 {
			t.Errorf("%s lacks a summary, author, licence, tags, difficulty, topic or minutes", lab.Slug)
		}
		graded(t, lab)
		for _, n := range lab.Topology.Nodes {
			if !n.Placed {
				t.Errorf("%s: %s has no place in the drawing", lab.Slug, n.Name)
			}
		}
	}
	for i, lab := range all {
		for _, slug := range lab.Requires {
			if !slices.Contains(slugs[:i], slug) {
				t.Errorf("%s requires %s, which does not come before it", lab.Slug, slug)
			}
		}
	}
}

func TestOrder(t *testing.T) {
	lab := func(slug, topic string, d labs.Difficulty, requires ...string) *labs.Lab {
		return &labs.Lab{Slug: slug, Topic: topic, Difficulty: d, Requires: requires}
	}
	for _, tt := range []struct {
		name string
		labs []*labs.Lab
		want []string
	}{
		{"by topic, then difficulty, then name", []*labs.Lab{
			lab("z", "routing", labs.Beginner), lab("c", "basics", labs.Advanced), lab("b", "basics", labs.Beginner), lab("a", "basics", labs.Beginner),
		}, []string{"a", "b", "c", "z"}},
		{"after what it requires, whatever it is about", []*labs.Lab{
			lab("easy", "basics", labs.Beginner, "far"), lab("far", "tunnels", labs.Advanced, "near"), lab("near", "security", labs.Beginner),
		}, []string{"near", "far", "easy"}},
		{"a requirement that is not there, and a circle", []*labs.Lab{
			lab("b", "basics", labs.Beginner, "gone"), lab("a", "basics", labs.Beginner, "a"), lab("c", "basics", labs.Beginner),
		}, []string{"b", "c", "a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			catalog.Order(tt.labs)
			var got []string
			for _, l := range tt.labs {
				got = append(got, l.Slug)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// graded wants a lab to have checks that say where they belong and what a
// solution is, and two mistakes that come to different ends.
func graded(t *testing.T, lab *labs.Lab) {
	t.Helper()
	if len(lab.Checks) == 0 || len(lab.Solution) == 0 || len(lab.Mutants) < 2 {
		t.Errorf("%s has %d checks, scripts of a solution for %d nodes and %d wrong solutions; it needs checks, a solution and two that are wrong",
			lab.Slug, len(lab.Checks), len(lab.Solution), len(lab.Mutants))
	}
	trusts := map[grade.Trust]bool{}
	for i := range lab.Checks {
		c := &lab.Checks[i]
		_, trust, _ := c.Kind()
		trusts[trust] = true
		if c.Title == "" || c.Step == "" || c.Points <= 0 {
			t.Errorf("%s: the check %s lacks a title, a step of the guide or points", lab.Slug, c.Name)
		}
	}
	for _, trust := range []grade.Trust{grade.Wire, grade.Disk, grade.Guest} {
		if !trusts[trust] {
			t.Errorf("%s asks nothing of the %s", lab.Slug, trust)
		}
	}
	ends := map[string]string{}
	for _, m := range lab.Mutants {
		end := strings.Join(slices.Sorted(slices.Values(m.Fails)), " ")
		if other := ends[end]; other != "" || end == "" || m.About == "" {
			t.Errorf("%s: the wrong solution %s fails [%s], as %q does, and is about %q", lab.Slug, m.Name, end, other, m.About)
		}
		ends[end] = m.Name
	}
}

// TestStudents draws the labs that have parameters for many students: no two
// get the same where a parameter is to be distinct, and each gets a lab that is
// in order.
func TestStudents(t *testing.T) {
	all, err := catalog.Labs()
	if err != nil {
		t.Fatal(err)
	}
	drawn := 0
	for _, lab := range all {
		if len(lab.Parameters) == 0 {
			continue
		}
		drawn++
		distinct := slices.ContainsFunc(lab.Parameters, func(d param.Decl) bool { return d.Distinct })
		seen := map[string]int{}
		for i := range 60 {
			mine, err := lab.For(param.Key{Secret: []byte("secret"), Lab: lab.Slug, Student: strconv.Itoa(i), Ordinal: i})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range mine.Solution {
				if strings.Contains(s.Text, "((") {
					t.Fatalf("%s: the solution of %s has something left to draw:\n%s", lab.Slug, s.Node, s.Text)
				}
			}
			if strings.Contains(mine.Guide, "((") {
				t.Fatalf("%s: the guide has something left to draw", lab.Slug)
			}
			if other, again := seen[fmt.Sprint(mine.Values)]; again && distinct {
				t.Errorf("%s: students %d and %d have the same values", lab.Slug, other, i)
			}
			seen[fmt.Sprint(mine.Values)] = i
		}
		if len(seen) < 2 {
			t.Errorf("%s: all students have the same values", lab.Slug)
		}
	}
	if drawn == 0 {
		t.Error("no lab has parameters")
	}
}

// TestStaticRouting holds the topology that other tests build on.
func TestStaticRouting(t *testing.T) {
	lab, err := labs.Load(catalog.FS(), "static-routing")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, n := range lab.Topology.Nodes {
		for _, i := range n.Interfaces {
			got[i.Segment] = append(got[i.Segment], n.Name+" "+i.Name)
		}
	}
	for segment, want := range map[string][]string{
		"lan1": {"pc1 eth0", "r1 eth0"}, "wan": {"r1 eth1", "r2 eth0"}, "lan2": {"r2 eth1", "pc2 eth0"},
	} {
		if !slices.Equal(got[segment], want) {
			t.Errorf("segment %s joins %q; want %q", segment, got[segment], want)
		}
	}
}
