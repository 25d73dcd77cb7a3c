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

// watched is how many findings wait for one who looks. More than that within
// one look is somebody's flood, of which the first will do.
const watched = 1024

// watch sends what find makes of packets that come to the channel that it
// returns, until stop is called. find is called by the goroutine that reads.
func watch[T any](h *Host, find func(*packet) (T, bool)) (found <-chan T, stop func()) {
	c := make(chan T, watched)
	tap := func(p *packet) {
		if v, ok := find(p); ok {
			select {
			case c <- v:
			default:
			}
		}
	}
	t := &h.taps
	t.mu.Lock()
	t.list = append(slices.Clone(t.list), &tap)
	t.n.Store(int32(len(t.list)))
	t.mu.Unlock()
	return c, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.list = slices.DeleteFunc(slices.Clone(t.list), func(f *func(*packet)) bool { return f == &tap })
		t.n.Store(int32(len(t.list)))
	}
}
