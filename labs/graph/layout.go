// Package graph draws a lab's topology: as SVG, and as text for Graphviz and
// Mermaid.
package graph

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/patchbay/patchbay/labs"
)

// vertex is a node, or a segment that is drawn as one: all but links.
type vertex struct {
	name    string
	node    *labs.Node    // of a node
	segment *labs.Segment // of a segment
	x, y    float64       // in nodes' widths
	placed  bool
}

// edge is a cable: from a node's interface to a segment, or, of a link, to
// another node's.
type edge struct {
	from, to int // vertices; from is a node
	a, b     *labs.Interface
	link     string // a link's name
	impaired bool
}

// drawing is a topology as vertices and edges.
type drawing struct {
	vertices []vertex
	edges    []edge
}

func draw(t *labs.Topology) *drawing {
	d := &drawing{}
	place := map[string]int{} // a segment's vertex
	for i := range t.Nodes {
		n := &t.Nodes[i]
		d.vertices = append(d.vertices, vertex{name: n.Name, node: n, x: n.X, y: n.Y, placed: n.Placed})
	}
	half := map[string]*edge{} // a link's first end
	links := map[string]*labs.Segment{}
	for i := range t.Segments {
		s := &t.Segments[i]
		if s.Kind == labs.Link {
			links[s.Name] = s
			continue
		}
		place[s.Name] = len(d.vertices)
		d.vertices = append(d.vertices, vertex{name: s.Name, segment: s, x: s.X, y: s.Y, placed: s.Placed})
	}
	for i := range t.Nodes {
		for j := range t.Nodes[i].Interfaces {
			f := &t.Nodes[i].Interfaces[j]
			impaired := f.Out != nil || f.In != nil
			switch l, v := links[f.Segment], 0; {
			case l != nil && half[l.Name] != nil:
				e := half[l.Name]
				e.to, e.b, e.impaired = i, f, e.impaired || impaired || l.Impair != nil
				d.edges = append(d.edges, *e)
			case l != nil:
				half[l.Name] = &edge{from: i, a: f, link: l.Name, impaired: impaired}
			case f.Segment != "":
				v = place[f.Segment]
				s := d.vertices[v].segment
				d.edges = append(d.edges, edge{from: i, to: v, a: f, impaired: impaired || s.Impair != nil})
			}
		}
	}
	d.layOut()
	return d
}

// layOut keeps the author's places when every node has one; otherwise it gives
// each vertex one of its own, in columns by how many cables it is away from
// the first node.
func (d *drawing) layOut() {
	if slices.ContainsFunc(d.vertices, func(v vertex) bool { return v.node != nil && !v.placed }) {
		d.columns()
		return
	}
	for i := range d.vertices {
		v := &d.vertices[i]
		if v.placed {
			continue
		}
		var n float64
		for _, e := range d.edges {
			if e.to == i {
				v.x, v.y, n = v.x+d.vertices[e.from].x, v.y+d.vertices[e.from].y, n+1
			}
		}
		if n > 0 {
			v.x, v.y = v.x/n, v.y/n
		}
	}
	d.spread()
}

// spread moves segments off what they would cover.
func (d *drawing) spread() {
	taken := map[string]bool{}
	for i := range d.vertices {
		v := &d.vertices[i]
		key := func() string { return fmt.Sprintf("%.1f %.1f", v.x, v.y) }
		for v.segment != nil && !v.placed && taken[key()] {
			v.y++
		}
		taken[key()] = true
	}
}

func (d *drawing) columns() {
	near := make([][]int, len(d.vertices))
	for _, e := range d.edges {
		near[e.from] = append(near[e.from], e.to)
		near[e.to] = append(near[e.to], e.from)
	}
	// A vertex with one cable is a better end to begin at than one in the middle.
	starts := make([]int, len(d.vertices))
	for i := range starts {
		starts[i] = i
	}
	slices.SortStableFunc(starts, func(a, b int) int {
		return cmp.Or(cmp.Compare(len(near[a]), len(near[b])), cmp.Compare(a, b))
	})
	column := make([]int, len(d.vertices))
	for i := range column {
		column[i] = -1
	}
	var columns [][]int
	for _, s := range starts {
		if column[s] >= 0 {
			continue
		}
		column[s] = 0
		for queue := []int{s}; len(queue) > 0; queue = queue[1:] {
			v := queue[0]
			if column[v] == len(columns) {
				columns = append(columns, nil)
			}
			columns[column[v]] = append(columns[column[v]], v)
			for _, w := range near[v] {
				if column[w] < 0 {
					column[w] = column[v] + 1
					queue = append(queue, w)
				}
			}
		}
	}
	tallest := 0
	for _, c := range columns {
		tallest = max(tallest, len(c))
	}
	for x, c := range columns {
		for i, v := range c {
			d.vertices[v].x = 2 * float64(x)
			d.vertices[v].y = 1.2 * (float64(i) + float64(tallest-len(c))/2)
		}
	}
}
