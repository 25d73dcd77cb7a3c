package graph_test

import (
	"encoding/xml"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/catalog"
	"github.com/patchbay/patchbay/labs/graph"
)

func all(t *testing.T) []*labs.Lab {
	t.Helper()
	ls, err := catalog.Labs()
	if err != nil {
		t.Fatal(err)
	}
	unplaced, err := labs.Load(fstest.MapFS{"x/guide.md": {Data: []byte("# x\n")}, "x/lab.yaml": {Data: []byte(`title: "<script>&amp;"
nodes:
  a-node-with-a-long-name: {interfaces: {eth0: lan, eth1: far, eth2: too}}
  b: {interfaces: {eth0: {segment: lan, impair: {out: {loss: 1%}}}, eth1: far, eth2: too}}
  alone: {}
segments: {lan: hub, far: link, too: {kind: link, impair: {delay: 1ms}}}
`)}}, "x")
	if err != nil {
		t.Fatal(err)
	}
	return append(ls, unplaced)
}

// TestSVG: it is XML, without script, names everything, and nothing lies on
// top of anything else.
func TestSVG(t *testing.T) {
	for _, l := range all(t) {
		t.Run(l.Slug, func(t *testing.T) {
			svg := graph.SVG(l)
			boxes := map[string]bool{}
			for d := xml.NewDecoder(strings.NewReader(svg)); ; {
				tok, err := d.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("%v in\n%s", err, svg)
				}
				e, ok := tok.(xml.StartElement)
				if !ok {
					continue
				}
				if e.Name.Local == "script" {
					t.Error("there is a script")
				}
				at := map[string]string{}
				for _, a := range e.Attr {
					at[a.Name.Local] = a.Value
				}
				if c := at["class"]; c == "node" || c == "segment" {
					if boxes[at["x"]+" "+at["y"]] {
						t.Errorf("two boxes at %s, %s", at["x"], at["y"])
					}
					boxes[at["x"]+" "+at["y"]] = true
				}
			}
			vertices := len(l.Topology.Nodes)
			for _, s := range l.Topology.Segments {
				if s.Kind != labs.Link {
					vertices++
				}
				if !strings.Contains(svg, ">"+s.Name+"<") {
					t.Errorf("segment %s is not in the drawing", s.Name)
				}
			}
			if len(boxes) != vertices {
				t.Errorf("%d boxes for %d nodes and segments", len(boxes), vertices)
			}
			if svg != graph.SVG(l) {
				t.Error("the same lab was drawn in two ways")
			}
		})
	}
}

func TestText(t *testing.T) {
	for _, l := range all(t) {
		cables := 0
		for _, n := range l.Topology.Nodes {
			for _, f := range n.Interfaces {
				if f.Segment != "" {
					cables++
				}
			}
		}
		for _, s := range l.Topology.Segments {
			if s.Kind == labs.Link {
				cables--
			}
		}
		dot, mermaid := graph.DOT(l), graph.Mermaid(l)
		if n := strings.Count(dot, " -- "); n != cables {
			t.Errorf("%s: %d edges in DOT; want %d:\n%s", l.Slug, n, cables, dot)
		}
		if n := strings.Count(mermaid, "--- ") + strings.Count(mermaid, "---|") + strings.Count(mermaid, "-.-|"); n != cables {
			t.Errorf("%s: %d edges in Mermaid; want %d:\n%s", l.Slug, n, cables, mermaid)
		}
		if path, err := exec.LookPath("dot"); err == nil {
			cmd := exec.Command(path, "-Tplain")
			cmd.Stdin = strings.NewReader(dot)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("Graphviz: %v\n%s", err, out)
			}
		}
	}
}
