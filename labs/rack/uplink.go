package rack

import (
	"errors"
	"fmt"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/vnet/outside"
	"github.com/patchbay/patchbay/vnet/uplink"
)

// way is the way out of one segment, as far as the server's administrator and
// the lab agree on it. A nil way is that of a segment without.
type way struct {
	router  *uplink.Router // nil when nothing is allowed
	allow   []string
	trouble string
}

// openUplinks puts a router on every segment that is an uplink. What the
// administrator does not allow is said in the state and left out: the lab runs
// without.
func (r *Rack) openUplinks() error {
	r.uplinks = map[string]*way{}
	for i := range r.spec.Topology.Segments {
		g := &r.spec.Topology.Segments[i]
		if g.Kind != labs.Uplink {
			continue
		}
		w, err := r.openUplink(g)
		if err != nil {
			return fmt.Errorf("making the uplink of %s: %w", g.Name, err)
		}
		r.uplinks[g.Name] = w
	}
	return nil
}

func (r *Rack) openUplink(g *labs.Segment) (*way, error) {
	near, err := outside.Near()
	if err != nil {
		return nil, err
	}
	var asked []outside.Rule
	for _, text := range g.Allow {
		rule, err := outside.ParseRule(text)
		if err != nil {
			return nil, err
		}
		asked = append(asked, rule)
	}
	w := &way{}
	rules, err := outside.Effective(r.spec.Uplink, asked, near)
	if refused, ok := errors.AsType[*outside.RefusedError](err); ok {
		w.trouble = refused.Error()
	} else if err != nil {
		return nil, err
	}
	if len(rules) == 0 {
		return w, nil
	}
	for _, rule := range rules {
		w.allow = append(w.allow, rule.String())
	}
	o := uplink.Options{
		Segment: g.Name, MTU: g.MTU, Allow: rules, Log: r.log.With("segment", g.Name),
	}
	if r.adapt != nil {
		r.adapt(&o)
	}
	w.router, err = uplink.New(r.sw, o)
	return w, err
}

func (w *way) close() {
	if w.router != nil {
		w.router.Close()
	}
}

func (w *way) state() *UplinkState {
	if w == nil {
		return nil
	}
	s := &UplinkState{Trouble: w.trouble, Allow: w.allow}
	if w.router != nil {
		stats := w.router.Stats()
		s.Gateway, s.Stats = w.router.Gateway().String(), &stats
		if err := w.router.Err(); err != nil {
			s.Trouble = "The way to the outside no longer works: " + err.Error() + "."
		}
	}
	return s
}
