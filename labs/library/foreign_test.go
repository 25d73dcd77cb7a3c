package library_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/labs"
)

// foreign is a lab as Kathará has it.
func foreign(folder string) []item {
	return []item{
		{name: folder + "lab.conf", body: "LAB_NAME=Foreign\npc_1[0]=A\npc_1[num_terms]=2\npc2[0]=A\n"},
		{name: folder + "pc_1.startup", body: "ip link\n"},
		{name: folder + "pc2/etc/x/lab.yaml", body: "not: ours\n"},
	}
}

func TestForeign(t *testing.T) {
	for _, c := range []struct {
		about, name string
		data        []byte
		slug        string
	}{
		{"in its folder", "x.zip", zipOf(t, foreign("Kathara-Lab_One/")), "kathara-lab-one"},
		{"at the root", "My Lab.tar.gz", gz(t, tarOf(t, foreign(""))), "my-lab"},
		{"wrapped", "main.zip", zipOf(t, foreign("repo-main/labs/one/")), "one"},
	} {
		t.Run(c.about, func(t *testing.T) {
			l := open(t, t.TempDir())
			lab, err := l.Add(context.Background(), c.name, bytes.NewReader(c.data), ivan)
			if err != nil {
				t.Fatal(err)
			}
			if lab.Slug != c.slug || len(lab.Topology.Nodes) != 2 || !strings.Contains(lab.Description, "lab.conf:3: pc\\_1: num\\_terms is not taken over") {
				t.Errorf("got %s, %+v, description %q", lab.Slug, lab.Topology.Nodes, lab.Description)
			}
		})
	}
	broken := zipOf(t, []item{{name: "one/lab.conf", body: "a[0]=x\nwhat\n"}})
	_, err := open(t, t.TempDir()).Add(context.Background(), "x.zip", bytes.NewReader(broken), ivan)
	if _, ok := err.(labs.Problems); !ok || !strings.Contains(err.Error(), "one/lab.conf:2:1") {
		t.Errorf("a broken one: %v; want a problem with its file and line", err)
	}
}

// TestForeignFolder holds that a folder of labs may have theirs, and that a
// link in one leads no further than its own folder.
func TestForeignFolder(t *testing.T) {
	dir := t.TempDir()
	for _, f := range append(foreign("One_Lab/"), item{name: "secret", body: "secret"}) {
		p := filepath.Join(dir, f.name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(f.body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../../secret", filepath.Join(dir, "One_Lab/pc2/stolen")); err != nil {
		t.Fatal(err)
	}
	l := open(t, t.TempDir())
	l.ReadFolder(dir)
	all := l.Labs()
	if len(all) != 1 || all[0].Slug != "one-lab" {
		t.Fatalf("labs %v, troubles %v", all, l.Troubles())
	}
	lab, err := l.Version("one-lab", all[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range lab.Topology.Nodes[1].Files {
		if strings.Contains(string(f.Data), "secret") {
			t.Errorf("%s shows what lies outside of the lab", f.Path)
		}
	}
	if !strings.Contains(lab.Description, "pc2/stolen: It is left out") {
		t.Errorf("the description does not say what is left out: %q", lab.Description)
	}
}
