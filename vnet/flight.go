package vnet

import "slices"

// A flight is one frame that is under way.
type flight struct {
	at   int64  // when it arrives
	seq  uint64 // of those that arrive at once the first to leave is first
	sent int64  // when its last bit goes out: until then it waits
	way  *way
	load load

	off, size int32 // where it lies in the depot
	strays    bool  // is bound by no order
}

func (f *flight) before(g *flight) bool {
	return f.at < g.at || f.at == g.at && f.seq < g.seq
}

// flights are frames that are under way, the next to arrive first: a heap with
// four children a node, which a queue of thousands passes in half the steps of
// one with two.
type flights []flight

func (h *flights) push(f flight) {
	*h = append(*h, f)
	h.up(len(*h) - 1)
}

// pop takes out the next to arrive. There must be one.
func (h *flights) pop() flight {
	s := *h
	top := s[0]
	last := len(s) - 1
	s[0] = s[last]
	s[last] = flight{}
	*h = s[:last]
	if last > 1 {
		h.down(0)
	}
	return top
}

func (h flights) up(i int) {
	f := h[i]
	for i > 0 {
		parent := (i - 1) / 4
		if !f.before(&h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = f
}

func (h flights) down(i int) {
	f := h[i]
	for {
		first := 4*i + 1
		if first >= len(h) {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, len(h)); c++ {
			if h[c].before(&h[least]) {
				least = c
			}
		}
		if !h[least].before(&f) {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = f
}

// order makes a heap of any slice.
func (h flights) order() {
	if len(h) == 0 {
		return
	}
	for i := (len(h) - 2) / 4; i >= 0; i-- {
		h.down(i)
	}
}

// remove takes out all that are unwanted.
func (h *flights) remove(unwanted func(*flight) bool) {
	*h = slices.DeleteFunc(*h, func(f flight) bool { return unwanted(&f) })
	h.order()
}
