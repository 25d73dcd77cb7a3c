package vnet

import (
	"fmt"

	"github.com/patchbay/patchbay/vnet/impair"
)

// way is one direction of a port's cable. The zero way is perfect. It belongs
// to the loop.
type way struct {
	port *port
	dir  Direction

	pipe   *impair.Pipe // made with the first impairment or event, and kept for its count
	rough  bool         // the pipe's configuration is not perfect
	events []*scripted  // that look at frames

	shelf   shelf
	ordered int // frames under way that others may not overtake
}

// needed says whether frames must go through w.travel.
func (w *way) needed() bool { return w.rough || len(w.events) > 0 || w.ordered > 0 }

// Impair makes a direction of a port's cable, or both, behave as c says, from
// the next frame on; the zero Config makes it perfect. Frames that are under
// way keep their time, and later ones stay behind them unless c.Reorder says
// otherwise; those that still wait for their turn are sent at the new rate. Every direction draws from Options.Seed, its port's name and the
// number of frames that went through it while it was impaired.
func (s *Switch) Impair(port string, d Direction, c impair.Config) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.port(port)
	if p == nil {
		return fmt.Errorf("impairing port %s: there is none", port)
	}
	if d > ToGuest {
		return fmt.Errorf("impairing port %s: there is no direction %d", port, uint8(d))
	}
	if err := c.Check(); err != nil {
		return fmt.Errorf("impairing port %s: %w", port, err)
	}
	var err error
	doErr := s.l.do(func() {
		if err = s.l.air.open(); err == nil {
			s.l.impair(p, d, c)
		}
	})
	if doErr != nil {
		err = doErr
	}
	if err != nil {
		return fmt.Errorf("impairing port %s: %w", port, err)
	}
	return nil
}

// Impairment returns what is done to frames in one direction of a port's cable
// now, by Impair or by an event.
func (s *Switch) Impairment(port string, d Direction) (impair.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.port(port)
	switch {
	case p == nil:
		return impair.Config{}, fmt.Errorf("asking for port %s's impairment: there is none", port)
	case d != FromGuest && d != ToGuest:
		return impair.Config{}, fmt.Errorf("asking for port %s's impairment: want one direction", port)
	}
	var c impair.Config
	err := s.l.do(func() {
		if w := &p.ways[d.ways()[0]]; w.pipe != nil {
			c = w.pipe.Config()
		}
	})
	if err != nil {
		return impair.Config{}, fmt.Errorf("asking for port %s's impairment: %w", port, err)
	}
	return c, nil
}

// Impairments returns the same of all ports that something is done to, by their
// names: what their guests send, and what they get. It takes the loop once, not
// once for each port. It is empty when the Switch is closed.
func (s *Switch) Impairments() map[string][2]impair.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string][2]impair.Config{}
	err := s.l.do(func() {
		for _, p := range s.ports {
			var both [2]impair.Config
			for i := range p.ways {
				if w := &p.ways[i]; w.rough {
					both[i] = w.pipe.Config()
				}
			}
			if p.ways[0].rough || p.ways[1].rough {
				all[p.name] = both
			}
		}
	})
	if err != nil { // the loop may be at it still
		return nil
	}
	return all
}

// impair sets what some directions of p's cable do. The depot must be open.
func (l *loop) impair(p *port, d Direction, c impair.Config) {
	for _, i := range d.ways() {
		w := l.way(p, i)
		old := w.pipe.Config().Rate
		w.rough = !c.Perfect()
		w.pipe.Set(c)
		if old != 0 && old != c.Rate {
			l.requeue(w)
		}
		w.settle()
	}
}

// way is direction i of p's cable, with a pipe.
func (l *loop) way(p *port, i int) *way {
	w := &p.ways[i]
	if w.pipe == nil {
		w.port, w.dir = p, [...]Direction{FromGuest, ToGuest}[i]
		w.pipe = impair.NewPipe(impair.Config{}, waySeed(l.seed, p.name, w.dir))
	}
	return w
}

// waySeed makes a direction's seed of the switch's. It must not change: labs
// repeat by it.
func waySeed(seed uint64, port string, d Direction) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	add := func(b byte) { h = (h ^ uint64(b)) * 1099511628211 }
	for i := range len(port) {
		add(port[i])
	}
	add(byte(d))
	for range 8 {
		add(byte(seed))
		seed >>= 8
	}
	return h
}

// settle puts w in the way of frames, or out of it.
func (w *way) settle() {
	out := (*way)(nil)
	if w.needed() {
		out = w
	}
	if w.dir == FromGuest {
		w.port.from = out
	} else {
		w.port.to = out
	}
}

// tagged says whether f, which is for p, carries a tag there.
func (p *port) tagged(f *frame) bool {
	if p.mirror {
		return f.tagged
	}
	return f.vlan != 0 && p.vlan.tags(f.vlan)
}
