package catalog_test

import (
	"io/fs"
	"slices"
	"testing"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/catalog"
)

func TestLabs(t *testing.T) {
	all, err := catalog.Labs()
	if err != nil {
		t.Fatal(err)
	}
	var slugs []string
	for _, lab := range all {
		slugs = append(slugs, lab.Slug)
		if lab.Summary == "" || lab.Author == "" || lab.Licence == "" || len(lab.Tags) == 0 || lab.Difficulty == "" {
			t.Errorf("%s lacks a summary, author, licence, tags or difficulty", lab.Slug)
		}
		if len(lab.Solution) == 0 {
			t.Errorf("%s has no solution", lab.Slug)
		}
		for _, n := range lab.Topology.Nodes {
			if !n.Placed {
				t.Errorf("%s: %s has no place in the drawing", lab.Slug, n.Name)
			}
		}
	}
	entries, err := fs.ReadDir(catalog.FS(), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(slugs, e.Name()) {
			t.Errorf("the folder %s is embedded and not in the catalog", e.Name())
		}
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
