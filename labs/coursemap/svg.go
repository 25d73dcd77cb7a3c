package coursemap

import (
	"fmt"
	"html"
	"math"
	"strings"

	"github.com/patchbay/patchbay/labs"
)

// State is how far somebody is with a lab.
type State string

// The states; empty is a lab that was not begun.
const (
	Done    State = "done"    // every check passed, or it was handed in and graded
	Started State = "started" // it was opened
	Next    State = "next"    // not begun, and all that it requires is done
	Closed  State = "closed"  // none of their courses has it
)

// Look is how a lab is drawn for somebody.
type Look struct {
	State State
	Word  string // on the card, such as “do next”; may be empty
	Found bool   // a search finds it
}

// SVG draws the map, each lab a link to what href says. It has neither style
// nor script of its own: the page's style sheet says how it looks. It is a
// picture of what a list says better, so it is hidden from screen readers, and
// nobody has to go through it with the keyboard.
func (m *Map) SVG(href func(*labs.Lab) string, look func(*labs.Lab) Look) string {
	lay := m.layout()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="map" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" aria-hidden="true">`+"\n", lay.width, lay.height, lay.width, lay.height)
	for i, band := range lay.bands {
		class := "map-band"
		if i%2 == 1 {
			class += " map-band-odd"
		}
		fmt.Fprintf(&b, `<rect class="%s" x="0" y="%.1f" width="%.1f" height="%.1f"/><text class="map-topic" x="%.0f" y="%.1f">%s</text>`+"\n",
			class, band.y, lay.width, band.height, edgePad, band.y+16, html.EscapeString(band.Title()))
	}
	for _, e := range lay.edges {
		class := "map-edge"
		if !look(e.from.lab).Found || !look(e.to.lab).Found {
			class += " map-dim"
		}
		tip := e.points[len(e.points)-1]
		fmt.Fprintf(&b, `<g class="%s" data-from="%s" data-to="%s"><path d="%s"/><path class="map-head" d="M%.1f %.1f l-7.5 -4 v8 z"/></g>`+"\n", class,
			e.from.lab.Slug, e.to.lab.Slug, rounded(e.points, 6), tip[0]-0.5, tip[1])
	}
	for _, bx := range lay.boxes {
		lay.drawCard(&b, bx, href(bx.lab), look(bx.lab))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (lay *layout) drawCard(b *strings.Builder, bx *box, href string, look Look) {
	class := "map-lab"
	if look.State != "" {
		class += " map-" + string(look.State)
	}
	if !look.Found {
		class += " map-dim"
	}
	l := bx.lab
	fmt.Fprintf(b, `<a class="%s" href="%s" data-lab="%s" tabindex="-1"><title>%s</title>`, class, html.EscapeString(href), l.Slug, html.EscapeString(l.Title))
	fmt.Fprintf(b, `<rect class="map-card" x="%.1f" y="%.1f" width="%.1f" height="%.0f" rx="6"/>`, bx.x, bx.y, lay.card, cardHeight)
	facts := Facts(l)
	lines := wrap(l.Title, lay.card-20, 13, 2)
	y := bx.y + 27
	switch {
	case len(lines) == 2:
		y = bx.y + 22
	case facts == "":
		y = bx.y + 36
	}
	for i, line := range lines {
		fmt.Fprintf(b, `<text class="map-title" x="%.1f" y="%.1f">%s</text>`, bx.x+10, y+float64(i)*15.5, html.EscapeString(line))
	}
	if facts != "" {
		down := 18.0
		if len(lines) == 2 {
			down = 31.5
		}
		fmt.Fprintf(b, `<text class="map-facts" x="%.1f" y="%.1f">%s</text>`, bx.x+10, y+down, html.EscapeString(facts))
	}
	if look.Word != "" {
		w := math.Ceil(textWidth(look.Word, 10.5)) + 16
		x := bx.x + lay.card - w - 8
		fmt.Fprintf(b, `<rect class="map-tag" x="%.1f" y="%.1f" width="%.0f" height="16" rx="8"/><text class="map-word" x="%.1f" y="%.1f">%s</text>`,
			x, bx.y-11, w, x+w/2, bx.y+0.5, html.EscapeString(look.Word))
	}
	b.WriteString("</a>\n")
}

// Facts is a lab's difficulty and minutes in a few words.
func Facts(l *labs.Lab) string {
	var facts []string
	if l.Difficulty != "" {
		facts = append(facts, string(l.Difficulty))
	}
	if l.Minutes > 0 {
		facts = append(facts, fmt.Sprintf("%d min", l.Minutes))
	}
	return strings.Join(facts, " · ")
}

// rounded is a path of upright and level lines with round corners.
func rounded(points [][2]float64, radius float64) string {
	var way [][2]float64
	for _, p := range points { // points where nothing turns
		for len(way) > 0 && near(way[len(way)-1], p) {
			way = way[:len(way)-1]
		}
		if n := len(way); n > 1 && (sameLine(way[n-2][0], way[n-1][0], p[0]) || sameLine(way[n-2][1], way[n-1][1], p[1])) {
			way = way[:n-1]
		}
		way = append(way, p)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "M%.1f %.1f", way[0][0], way[0][1])
	for i := 1; i < len(way)-1; i++ {
		before, at, after := way[i-1], way[i], way[i+1]
		r := min(radius, length(before, at)/2, length(at, after)/2)
		x0, y0 := towards(at, before, r)
		x1, y1 := towards(at, after, r)
		fmt.Fprintf(&b, " L%.1f %.1f Q%.1f %.1f %.1f %.1f", x0, y0, at[0], at[1], x1, y1)
	}
	last := way[len(way)-1]
	fmt.Fprintf(&b, " L%.1f %.1f", last[0]-6, last[1]) // the head is the rest
	return b.String()
}

func near(a, b [2]float64) bool { return length(a, b) < 0.1 }

func sameLine(a, b, c float64) bool { return math.Abs(a-b) < 0.1 && math.Abs(b-c) < 0.1 }

func length(a, b [2]float64) float64 { return math.Abs(a[0]-b[0]) + math.Abs(a[1]-b[1]) }

func towards(from, to [2]float64, by float64) (x, y float64) {
	l := length(from, to)
	return from[0] + (to[0]-from[0])/l*by, from[1] + (to[1]-from[1])/l*by
}

// wrap breaks a text into lines of a width; what does not fit ends in “…”.
func wrap(s string, width, size float64, most int) []string {
	var lines []string
	words := strings.Fields(s)
	for len(words) > 0 && len(lines) < most {
		n := 1
		for n < len(words) && textWidth(strings.Join(words[:n+1], " "), size) <= width {
			n++
		}
		line := strings.Join(words[:n], " ")
		words = words[n:]
		if len(lines) == most-1 && len(words) > 0 {
			line += "…"
		}
		lines = append(lines, fit(line, width, size))
	}
	return lines
}

// fit cuts a line that is too wide.
func fit(line string, width, size float64) string {
	if textWidth(line, size) <= width {
		return line
	}
	runes := []rune(strings.TrimSuffix(line, "…"))
	for len(runes) > 0 && textWidth(string(runes)+"…", size) > width {
		runes = runes[:len(runes)-1]
	}
	return strings.TrimRight(string(runes), " ") + "…"
}

// textWidth is about how wide a sans-serif sets a text in semi-bold; rather too
// much, as nobody knows the reader's font.
func textWidth(s string, size float64) float64 {
	w := 0.0
	for _, r := range s {
		switch {
		case strings.ContainsRune("iljtfr.,:;'|!()[] -·", r):
			w += 0.42
		case strings.ContainsRune("mwMW@%…", r):
			w += 0.95
		case r >= 'A' && r <= 'Z', r > 0x2000:
			w += 0.8
		default:
			w += 0.69
		}
	}
	return w * size
}
