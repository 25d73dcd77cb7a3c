package coursemap

import (
	"cmp"
	"math"
	"slices"

	"github.com/patchbay/patchbay/labs"
)

// Measures of the drawing, in CSS pixels.
const (
	fullWidth  = 1200.0 // of a page that is 1280 wide
	minCard    = 152.0  // narrower ones hold no title
	maxCard    = 216.0
	cardHeight = 62.0
	columnGap  = 54.0
	rowGap     = 26.0
	laneTitle  = 30.0
	lanePad    = 14.0
	edgePad    = 14.0
	trackStep  = 7.0
	portStep   = 9.0
)

// box is a lab in its place.
type box struct {
	lab      *labs.Lab
	col, row int
	x, y     float64 // of the upper left corner
}

func (b *box) mid() float64 { return b.y + cardHeight/2 }

// band is a lane in its place.
type band struct {
	Lane
	y, height float64
}

// layout is where everything is drawn. Columns are how many labs come before,
// so that every arrow leads to the right; rows belong to lanes.
type layout struct {
	card          float64 // width
	width, height float64
	boxes         []*box // in the map's order
	bySlug        map[string]*box
	bands         []band
	rows          []float64 // y of each row of cards
	taken         map[[2]int]bool
	edges         []edge
}

// edge leads from a lab to one that requires it.
type edge struct {
	from, to *box
	points   [][2]float64
}

func (m *Map) layout() *layout {
	lay := &layout{bySlug: map[string]*box{}, taken: map[[2]int]bool{}}
	columns := 1
	for _, l := range m.labs { // those that it requires come before it, but for circles
		b := &box{lab: l}
		for _, slug := range l.Requires {
			if before := lay.bySlug[slug]; before != nil {
				b.col = max(b.col, before.col+1)
			}
		}
		columns = max(columns, b.col+1)
		lay.boxes = append(lay.boxes, b)
		lay.bySlug[l.Slug] = b
	}
	lay.card = min(max((fullWidth-2*edgePad-float64(columns-1)*columnGap)/float64(columns), minCard), maxCard)
	lay.width = max(fullWidth, 2*edgePad+float64(columns)*lay.card+float64(columns-1)*columnGap)
	lay.arrange(m, columns)
	lay.connect()
	return lay
}

// arrange gives each lab its row and its place.
func (lay *layout) arrange(m *Map, columns int) {
	y := 0.0
	for _, lane := range m.Lanes() {
		cells := make([][]*box, columns)
		deep := 1
		for _, l := range lane.Labs {
			b := lay.bySlug[l.Slug]
			cells[b.col] = append(cells[b.col], b)
			deep = max(deep, len(cells[b.col]))
		}
		first := len(lay.rows)
		band := band{Lane: lane, y: y}
		for i := range deep {
			lay.rows = append(lay.rows, y+laneTitle+float64(i)*(cardHeight+rowGap))
		}
		y += laneTitle + float64(deep)*(cardHeight+rowGap) - rowGap + lanePad
		band.height = y - band.y
		lay.bands = append(lay.bands, band)
		for col, cell := range cells {
			slices.SortStableFunc(cell, func(a, b *box) int { return cmp.Compare(lay.pull(a), lay.pull(b)) })
			for _, b := range cell {
				b.row = lay.freeRow(b, first, deep)
				lay.taken[[2]int{col, b.row}] = true
				b.x = edgePad + float64(col)*(lay.card+columnGap)
				b.y = lay.rows[b.row]
			}
		}
	}
	lay.height = y
}

// pull is the mean row of what a lab requires and has its place already.
func (lay *layout) pull(b *box) float64 {
	sum, n := 0.0, 0.0
	for _, slug := range b.lab.Requires {
		if before := lay.bySlug[slug]; before != nil && before.y > 0 {
			sum, n = sum+float64(before.row), n+1
		}
	}
	if n == 0 {
		return math.Inf(1)
	}
	return sum / n
}

// freeRow is the row of the lane nearest to what the lab requires: a straight
// line is the easiest to follow.
func (lay *layout) freeRow(b *box, first, deep int) int {
	want := first
	for _, slug := range b.lab.Requires {
		if before := lay.bySlug[slug]; before != nil && before.y > 0 && before.row >= first {
			want = max(want, before.row)
		}
	}
	best := -1
	for row := first; row < first+deep; row++ {
		if !lay.taken[[2]int{b.col, row}] && (best < 0 || abs(row-want) < abs(best-want)) {
			best = row
		}
	}
	return best
}

func abs(n int) int { return max(n, -n) }

// direct are the boxes that a lab requires and whose arrow says something: who
// requires what already requires that gets no second one.
func (lay *layout) direct(b *box) []*box {
	var out []*box
	for _, slug := range b.lab.Requires {
		before := lay.bySlug[slug]
		if before == nil || before.col >= b.col || slices.Contains(out, before) {
			continue // not here, or round in a circle
		}
		implied := slices.ContainsFunc(b.lab.Requires, func(other string) bool {
			o := lay.bySlug[other]
			return o != nil && o != before && o.col < b.col && lay.reaches(before, o)
		})
		if !implied {
			out = append(out, before)
		}
	}
	return out
}

// reaches says whether b requires a, by others too.
func (lay *layout) reaches(a, b *box) bool {
	seen := map[*box]bool{b: true}
	for todo := []*box{b}; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, slug := range at.lab.Requires {
			before := lay.bySlug[slug]
			if before == nil || before.col >= at.col || seen[before] {
				continue
			}
			if before == a {
				return true
			}
			seen[before] = true
			todo = append(todo, before)
		}
	}
	return false
}
