package probe

import (
	"slices"
	"sync"
	"sync/atomic"
)

// taps are those who look at what comes, before the stack gets it.
type taps struct {
	n    atomic.Int32
	mu   sync.Mutex
	list []*func(*packet) // guarded by mu, never changed in place
}

func (t *taps) idle() bool { return t.n.Load() == 0 }

func (t *taps) tell(p *packet) {
	t.mu.Lock()
	list := t.list
	t.mu.Unlock()
	for _, f := range list {
		(*f)(p)
	}
}

// tap has f look at what comes, by the goroutine that reads, until stop is
// called. f may still be called once after that.
func (h *Host) tap(f func(*packet)) (stop func()) {
	t := &h.taps
	t.change(func(list []*func(*packet)) []*func(*packet) { return append(list, &f) })
	return func() {
		t.change(func(list []*func(*packet)) []*func(*packet) {
			return slices.DeleteFunc(list, func(g *func(*packet)) bool { return g == &f })
		})
	}
}

func (t *taps) change(to func([]*func(*packet)) []*func(*packet)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = to(slices.Clone(t.list))
	t.n.Store(int32(len(t.list)))
}

// watched is how many findings wait for one who looks. More than that within
// one look is somebody's flood, of which the first will do.
const watched = 1024

// watch sends what find makes of packets that come to the channel that it
// returns, until stop is called. find is called by the goroutine that reads.
func watch[T any](h *Host, find func(*packet) (T, bool)) (found <-chan T, stop func()) {
	c := make(chan T, watched)
	return c, h.tap(func(p *packet) {
		if v, ok := find(p); ok {
			select {
			case c <- v:
			default:
			}
		}
	})
}
