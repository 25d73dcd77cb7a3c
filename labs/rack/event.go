package rack

import (
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/vnet"
)

// script is the lab's events in the switch's words.
func (s *Spec) script() []vnet.Event {
	var out []vnet.Event
	for i := range s.Topology.Events {
		out = append(out, s.scriptOf(&s.Topology.Events[i])...)
	}
	return out
}

// scriptOf is one event: on a segment it stays one, on a node it becomes one
// for each of its cables.
func (s *Spec) scriptOf(e *labs.Event) []vnet.Event {
	v := vnet.Event{At: e.At, Frame: e.Frame, Nth: e.Nth, Every: e.Every, Do: vnet.Action(e.Do), Delay: e.Delay, Impair: e.Wire}
	if e.Frame != "" {
		v.Dir = vnet.FromGuest
		if e.In {
			v.Dir = vnet.ToGuest
		}
	}
	if segmentOf(&s.Topology, e.On) != nil {
		v.Segment = e.On
		return []vnet.Event{v}
	}
	var out []vnet.Event
	for _, port := range portsAt(&s.Topology, e.On) {
		v.Port = port
		out = append(out, v)
	}
	return out
}

// beginScript has the lab's events happen from now on.
func (r *Rack) beginScript() {
	began := time.Now()
	if err := r.sw.Script(r.spec.script()); err != nil {
		r.log.Error("starting the lab's events", "err", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.scripted = began
}

// events are the lab's and what has come of them.
func (r *Rack) events() []EventState {
	t := &r.spec.Topology
	if len(t.Events) == 0 {
		return nil
	}
	r.mu.Lock()
	began := r.scripted
	r.mu.Unlock()
	var came []vnet.EventState
	if !began.IsZero() {
		came = r.sw.Events() // none when the switch has been closed
	}
	all := make([]EventState, len(t.Events))
	for i := range t.Events {
		e := &t.Events[i]
		s := EventState{
			On: e.On, Do: e.Do, AtMillis: e.At.Milliseconds(), Frame: e.Frame, Nth: e.Nth, Every: e.Every,
			DelayMillis: float64(e.Delay) / float64(time.Millisecond), Impair: e.Wire,
		}
		if e.Frame != "" {
			s.Direction = Out
			if e.In {
				s.Direction = In
			}
		}
		n := min(len(r.spec.scriptOf(e)), len(came))
		s.add(came[:n], began)
		came = came[n:]
		all[i] = s
	}
	return all
}

// add says of s what came of its parts, one for each cable.
func (s *EventState) add(parts []vnet.EventState, began time.Time) {
	last := time.Duration(-1)
	for _, p := range parts {
		s.Seen += p.Seen
		if s.Frame == "" { // a node's cables are cut at once, which is once
			s.Done = max(s.Done, p.Done)
		} else {
			s.Done += p.Done
		}
		if p.Done > 0 {
			last = max(last, p.Last)
		}
	}
	if last >= 0 {
		at := began.Add(last).UTC()
		s.Last = &at
	}
}
