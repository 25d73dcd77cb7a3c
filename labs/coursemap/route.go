package coursemap

import (
	"cmp"
	"slices"
)

// Arrows run in the gaps between columns and rows, as a circuit board's lines
// do: all arrows that leave one lab may share a line, those of two labs never.

// claim is a level piece of line that belongs to one lab's arrows.
type claim struct {
	y, from, to float64
	owner       *box
}

type router struct {
	*layout
	tracks map[int]map[*box]float64 // x of a lab's upright line, by the gap after a column
	claims []claim
	levels map[*box][]float64 // at which its arrows pass columns
}

// connect draws the arrows.
func (lay *layout) connect() {
	r := &router{layout: lay, tracks: map[int]map[*box]float64{}, levels: map[*box][]float64{}}
	for _, to := range lay.boxes {
		for _, from := range lay.direct(to) {
			lay.edges = append(lay.edges, edge{from: from, to: to})
		}
	}
	r.layTracks()
	for i := range lay.edges {
		from := lay.edges[i].from
		r.claim(from.mid(), from.x+lay.card, r.tracks[from.col][from], from)
	}
	order := make([]*edge, len(lay.edges))
	for i := range order {
		order[i] = &lay.edges[i]
	}
	slices.SortStableFunc(order, func(a, b *edge) int { // the simple ones first
		return cmp.Or(cmp.Compare(a.to.col-a.from.col, b.to.col-b.from.col), cmp.Compare(abs(a.to.row-a.from.row), abs(b.to.row-b.from.row)))
	})
	for _, e := range order {
		r.route(e)
	}
}

// layTracks gives each lab whose arrows use a gap a line in it.
func (r *router) layTracks() {
	users := map[int][]*box{}
	for _, e := range r.edges {
		for _, gap := range []int{e.from.col, e.to.col - 1} {
			if !slices.Contains(users[gap], e.from) {
				users[gap] = append(users[gap], e.from)
			}
		}
	}
	for gap, all := range users {
		slices.SortFunc(all, func(a, b *box) int { return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.col, b.col)) })
		left := edgePad + float64(gap+1)*r.card + float64(gap)*columnGap
		const before, after = 9, 15 // the arrow's head is after
		step := min(trackStep, (columnGap-before-after)/max(1, float64(len(all)-1)))
		start := left + before + (columnGap-before-after-step*float64(len(all)-1))/2
		r.tracks[gap] = map[*box]float64{}
		for i, b := range all {
			r.tracks[gap][b] = start + float64(i)*step
		}
	}
}

func (r *router) claim(y, from, to float64, owner *box) {
	r.claims = append(r.claims, claim{y, min(from, to), max(from, to), owner})
}

// free says whether a level piece meets no other lab's.
func (r *router) free(y, from, to float64, owner *box) bool {
	from, to = min(from, to), max(from, to)
	return !slices.ContainsFunc(r.claims, func(c claim) bool {
		return c.owner != owner && c.y-y < 4 && y-c.y < 4 && c.from < to+3 && from < c.to+3
	})
}

// route draws one arrow.
func (r *router) route(e *edge) {
	out, in := r.tracks[e.from.col][e.from], r.tracks[e.to.col-1][e.from]
	port := r.port(e, in)
	level := port
	if e.to.col-e.from.col > 1 {
		level = r.level(e, out, in, port)
		r.claim(level, out, in, e.from)
		r.levels[e.from] = append(r.levels[e.from], level)
	}
	r.claim(port, in, e.to.x, e.from)
	e.points = [][2]float64{
		{e.from.x + r.card, e.from.mid()}, {out, e.from.mid()}, {out, level}, {in, level}, {in, port}, {e.to.x, port},
	}
}

// port is where on the lab's side the arrow ends.
func (r *router) port(e *edge, in float64) float64 {
	offsets := []float64{0, -portStep, portStep, -2 * portStep, 2 * portStep}
	if e.from.row > e.to.row { // from below: the lower ones first
		offsets = []float64{0, portStep, -portStep, 2 * portStep, -2 * portStep}
	}
	for _, d := range offsets {
		if y := e.to.mid() + d; r.free(y, in, e.to.x, e.from) {
			return y
		}
	}
	return e.to.mid()
}

// level is where a long arrow passes the columns between.
func (r *router) level(e *edge, out, in, port float64) float64 {
	clear := func(row int) bool {
		for col := e.from.col + 1; col < e.to.col; col++ {
			if r.taken[[2]int{col, row}] {
				return false
			}
		}
		return true
	}
	tries := slices.Clone(r.levels[e.from])
	tries = slices.DeleteFunc(tries, func(y float64) bool { return r.hits(y, e.from.col+1, e.to.col-1) })
	if clear(e.to.row) {
		tries = append(tries, port)
	}
	if clear(e.from.row) {
		tries = append(tries, e.from.mid())
	}
	gutter := func(row int) { // above a row
		y := r.rows[row] - rowGap/2
		for _, d := range []float64{2, -4, 7} { // what stands at a card's upper edge needs room
			tries = append(tries, y+d)
		}
	}
	if e.from.row < e.to.row {
		gutter(e.to.row)
	} else if e.to.row+1 < len(r.rows) {
		gutter(e.to.row + 1)
	}
	gutter(e.to.row)
	gutter(e.from.row)
	for _, y := range tries {
		if r.free(y, out, in, e.from) {
			return y
		}
	}
	return tries[len(tries)-1]
}

// hits says whether a level line would run through a card of the columns.
func (r *router) hits(y float64, from, to int) bool {
	return slices.ContainsFunc(r.boxes, func(b *box) bool {
		return from <= b.col && b.col <= to && b.y-2 < y && y < b.y+cardHeight+2
	})
}
