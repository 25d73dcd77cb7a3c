package vnet

import "sync"

// linkTeller calls OnLink from a goroutine of its own, so that a slow listener
// holds up no frame. It keeps at most one entry a port, so that a flapping
// interface fills no memory.
type linkTeller struct {
	tell func(port string, up bool)
	wake chan struct{} // one token: there may be something to do

	mu     sync.Mutex
	queue  []*port // ports that changed, each once
	closed bool
}

func newLinkTeller(tell func(string, bool)) *linkTeller {
	return &linkTeller{tell: tell, wake: make(chan struct{}, 1)}
}

// changed says that p's link state may differ from what was last told.
func (t *linkTeller) changed(p *port) {
	if t == nil {
		return
	}
	t.mu.Lock()
	if !p.link.queued {
		p.link.queued = true
		t.queue = append(t.queue, p)
	}
	t.mu.Unlock()
	t.signal()
}

// forget ends the telling about p, which is being removed.
func (t *linkTeller) forget(p *port) {
	if t == nil {
		return
	}
	t.mu.Lock()
	p.link.gone = true
	t.mu.Unlock()
}

func (t *linkTeller) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.signal()
}

func (t *linkTeller) signal() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *linkTeller) run() {
	for range t.wake {
		for {
			p, up, more := t.next()
			if !more {
				break
			}
			if p != nil {
				t.tell(p.name, up)
			}
		}
		t.mu.Lock()
		closed := t.closed
		t.mu.Unlock()
		if closed {
			return
		}
	}
}

// next takes the first port off the queue. It returns no port when that one
// has nothing new to tell.
func (t *linkTeller) next() (p *port, up, more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 || t.closed {
		return nil, false, false
	}
	p = t.queue[0]
	t.queue = t.queue[1:]
	p.link.queued = false
	up = p.up.Load()
	if p.link.gone || up == p.link.told {
		return nil, false, true
	}
	p.link.told = up
	return p, up, true
}
