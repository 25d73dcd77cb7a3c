package graph

import (
	"fmt"
	"html"
	"math"
	"strings"

	"github.com/patchbay/patchbay/labs"
)

const (
	unit       = 110.0 // pixels of a node's width in an author's places
	nodeWidth  = 92.0
	nodeHeight = 38.0
	margin     = 40.0
)

// style draws for light and dark, as the reader's system asks for.
const style = `
  .back { fill: #ffffff }
  .cable { stroke: #6b7681; stroke-width: 2; fill: none }
  .bad { stroke-dasharray: 6 4; stroke: #b4541a }
  .node { fill: #eef1f4; stroke: #46515c; stroke-width: 1.5 }
  .segment { fill: #fbe9dd; stroke: #b4541a; stroke-width: 1.5 }
  text { font: 600 14px system-ui, sans-serif; fill: #1c232a; text-anchor: middle; dominant-baseline: central }
  .small { font-size: 11px; font-weight: 400; fill: #46515c; paint-order: stroke; stroke: #ffffff; stroke-width: 3px }
  @media (prefers-color-scheme: dark) {
    .back { fill: #171c21 }
    .cable { stroke: #8a96a2 }
    .bad { stroke: #f0a271 }
    .node { fill: #2a323a; stroke: #9aa6b2 }
    .segment { fill: #40291b; stroke: #f0a271 }
    text { fill: #eef1f4 }
    .small { fill: #b9c3cd; stroke: #171c21 }
  }
`

// SVG draws a lab, at the author's places when every node has one. It is one
// file without script, readable in light and dark.
func SVG(l *labs.Lab) string {
	d := draw(&l.Topology)
	minX, minY, maxX, maxY := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, v := range d.vertices {
		minX, maxX = min(minX, v.x*unit-nodeWidth/2), max(maxX, v.x*unit+nodeWidth/2)
		minY, maxY = min(minY, v.y*unit-nodeHeight/2), max(maxY, v.y*unit+nodeHeight/2)
	}
	minX, minY, maxX, maxY = minX-margin, minY-margin, maxX+margin, maxY+margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="%.0f %.0f %.0f %.0f" width="%.0f" height="%.0f" role="img" aria-labelledby="title desc">`+"\n",
		minX, minY, maxX-minX, maxY-minY, maxX-minX, maxY-minY)
	fmt.Fprintf(&b, "<title id=\"title\">%s</title>\n<desc id=\"desc\">%s</desc>\n<style>%s</style>\n", esc(l.Title), esc(d.words()), style)
	fmt.Fprintf(&b, `<rect class="back" x="%.0f" y="%.0f" width="%.0f" height="%.0f"/>`+"\n", minX, minY, maxX-minX, maxY-minY)
	bends := map[[2]int]int{} // cables between the same two
	for _, e := range d.edges {
		pair := [2]int{min(e.from, e.to), max(e.from, e.to)}
		d.cable(&b, e, bends[pair])
		bends[pair]++
	}
	for _, v := range d.vertices {
		x, y := v.x*unit, v.y*unit
		if v.node != nil {
			fmt.Fprintf(&b, `<rect class="node" x="%.1f" y="%.1f" width="%.0f" height="%.0f" rx="6"/>`, x-nodeWidth/2, y-nodeHeight/2, nodeWidth, nodeHeight)
			fmt.Fprintf(&b, "<text x=\"%.1f\" y=\"%.1f\"%s>%s</text>\n", x, y, squeeze(v.name), esc(v.name))
			continue
		}
		fmt.Fprintf(&b, `<rect class="segment" x="%.1f" y="%.1f" width="%.0f" height="%.0f" rx="19"/>`, x-nodeWidth/2, y-nodeHeight/2, nodeWidth, nodeHeight)
		fmt.Fprintf(&b, "<text x=\"%.1f\" y=\"%.1f\"%s>%s</text>", x, y-1, squeeze(v.name), esc(v.name))
		fmt.Fprintf(&b, "<text class=\"small\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", x, y+nodeHeight/2+9, v.segment.Kind)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// cable draws an edge; the nth between the same two is bent.
func (d *drawing) cable(b *strings.Builder, e edge, nth int) {
	p, q := d.vertices[e.from], d.vertices[e.to]
	x1, y1, x2, y2 := p.x*unit, p.y*unit, q.x*unit, q.y*unit
	length := max(math.Hypot(x2-x1, y2-y1), 1)
	bend := float64((nth+1)/2) * 36
	if nth%2 == 1 {
		bend = -bend
	}
	mx, my := (x1+x2)/2-(y2-y1)/length*bend, (y1+y2)/2+(x2-x1)/length*bend
	class := "cable"
	if e.impaired {
		class += " bad"
	}
	fmt.Fprintf(b, `<path class="%s" d="M%.1f %.1fQ%.1f %.1f %.1f %.1f"/>`, class, x1, y1, mx, my, x2, y2)
	at := func(t float64) (x, y float64) { // on the curve
		u := 1 - t
		return u*u*x1 + 2*u*t*mx + t*t*x2, u*u*y1 + 2*u*t*my + t*t*y2
	}
	dx, dy := (x2-x1)/length, (y2-y1)/length
	// A label stands beside a steep cable and around a flat one: clear of the
	// box at an end, which is the far one when back says so, or else at t.
	label := func(lines []string, t float64, end, back bool) {
		width, height := 0.0, 13*float64(len(lines))
		for _, line := range lines {
			width = max(width, 6.4*float64(len([]rune(line))))
		}
		steep := math.Abs(dy) > 0.35
		if end {
			out := (nodeWidth/2 + width/2 + 8) / max(math.Abs(dx), 0.01)
			if steep {
				out = (nodeHeight/2 + height/2 + 8) / math.Abs(dy)
			}
			t = min(out/length, 0.45)
			if back {
				t = 1 - t
			}
		}
		x, y := at(t)
		shift := 1.0
		if dx < 0 != back {
			shift = -1
		}
		for i, line := range lines {
			lx, ly := x, y-9+float64(i)*13
			if i > 0 {
				ly += 5
			}
			if steep {
				lx, ly = x+shift*(width/2+8), y+float64(i)*13-(height-13)/2
			}
			fmt.Fprintf(b, `<text class="small" x="%.1f" y="%.1f">%s</text>`, lx, ly, esc(line))
		}
	}
	label(about(e.a), 0, true, false)
	if e.b != nil {
		label(about(e.b), 0, true, true)
		label([]string{e.link}, 0.5, false, false)
	}
	b.WriteString("\n")
}

// about is what a label says of an interface.
func about(f *labs.Interface) []string {
	name := f.Name
	switch {
	case f.VLAN != 0:
		name += fmt.Sprintf(" · VLAN %d", f.VLAN)
	case len(f.Trunk) > 0:
		name += " · trunk " + strings.Trim(fmt.Sprint(f.Trunk), "[]")
	}
	return append([]string{name}, f.Addresses...)
}

// squeeze fits a long name into its box.
func squeeze(name string) string {
	if len(name) <= 10 {
		return ""
	}
	return fmt.Sprintf(` textLength="%.0f" lengthAdjust="spacingAndGlyphs"`, nodeWidth-10)
}

// words says what is joined to what, for who cannot see it.
func (d *drawing) words() string {
	var parts []string
	for _, e := range d.edges {
		s := d.vertices[e.from].name + " " + e.a.Name + " to " + d.vertices[e.to].name
		if e.b != nil {
			s += " " + e.b.Name + " by " + e.link
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, "; ")
}

func esc(s string) string { return html.EscapeString(s) }
