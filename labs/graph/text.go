package graph

import (
	"fmt"
	"strings"

	"github.com/patchbay/patchbay/labs"
)

// DOT is a lab's topology for Graphviz.
func DOT(l *labs.Lab) string {
	d := draw(&l.Topology)
	var b strings.Builder
	fmt.Fprintf(&b, "graph %s {\n  node [shape=box, style=rounded];\n", dotQuote(l.Slug))
	for _, v := range d.vertices {
		if v.node != nil {
			fmt.Fprintf(&b, "  %s;\n", dotQuote("node "+v.name)+" [label="+dotQuote(v.name)+"]")
		} else {
			fmt.Fprintf(&b, "  %s [label=%s, shape=ellipse];\n", dotQuote("segment "+v.name), dotQuote(v.name+`\n`+string(v.segment.Kind)))
		}
	}
	for _, e := range d.edges {
		fmt.Fprintf(&b, "  %s -- %s [taillabel=%s", dotQuote(d.id(e.from)), dotQuote(d.id(e.to)), dotQuote(e.a.Name))
		if e.b != nil {
			fmt.Fprintf(&b, ", headlabel=%s, label=%s", dotQuote(e.b.Name), dotQuote(e.link))
		}
		if e.impaired {
			b.WriteString(", style=dashed")
		}
		b.WriteString("];\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// Mermaid is a lab's topology for Mermaid.
func Mermaid(l *labs.Lab) string {
	d := draw(&l.Topology)
	var b strings.Builder
	b.WriteString("graph LR\n")
	for i, v := range d.vertices {
		if v.node != nil {
			fmt.Fprintf(&b, "  v%d[\"%s\"]\n", i, v.name)
		} else {
			fmt.Fprintf(&b, "  v%d([\"%s, a %s\"])\n", i, v.name, v.segment.Kind)
		}
	}
	for _, e := range d.edges {
		line, label := "---", e.a.Name
		if e.impaired {
			line = "-.-"
		}
		if e.b != nil {
			label += ", " + e.link + ", " + e.b.Name
		}
		fmt.Fprintf(&b, "  v%d %s|\"%s\"| v%d\n", e.from, line, label, e.to)
	}
	return b.String()
}

func (d *drawing) id(v int) string {
	if d.vertices[v].node != nil {
		return "node " + d.vertices[v].name
	}
	return "segment " + d.vertices[v].name
}

// dotQuote quotes an ID of DOT. Names of a lab have nothing to escape but the
// line break that a label means.
func dotQuote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }
