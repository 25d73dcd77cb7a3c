package vnet

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/patchbay/patchbay/vnet/filter"
	"github.com/patchbay/patchbay/vnet/impair"
)

const (
	maxEvents = 10000                // 256 of a lab, on each cable of a large machine, and more
	maxAt     = 365 * 24 * time.Hour // longer than any rack runs
)

// Action is what an event does.
type Action string

// The actions. The first four are done to frames, the others to cables.
const (
	DropFrame      Action = "drop"
	DelayFrame     Action = "delay"     // it arrives Event.Delay later than it would have, behind later ones
	DuplicateFrame Action = "duplicate" // it arrives twice
	CorruptFrame   Action = "corrupt"   // one bit behind its Ethernet header is inverted
	CutCable       Action = "cut"       // as SetPlugged(false)
	RestoreCable   Action = "restore"
	ImpairCable    Action = "impair" // from the next frame on, as Event.Impair says
)

// Event is something that a script has happen, at a time or to the very frame
// that is meant: the third SYN-ACK, every tenth hello.
//
// An event that does something to a cable and names no frame (Frame, Nth and
// Every are zero) happens once, at At. Any other looks at frames from At on:
// at those that enter Port's cable in direction Dir, or Segment from any of its
// ports. Of those that Frame matches it acts on the Nth alone (0: the first), or
// with Every on each Nth. Frames are counted as they are put into the cable,
// whatever then happens to them. An action on a cable follows the frame that
// brought it about.
type Event struct {
	At time.Duration // after Script was called

	Frame string // a capture filter (package filter); empty matches all
	Nth   int
	Every bool

	// One of the two. On a Segment an event does something to the cables of
	// all its ports; in direction Both it impairs what their guests send, so
	// that a frame meets it once. Both is one direction after the other for a
	// Port, and for a Segment where frames enter it.
	Port, Segment string
	Dir           Direction

	Do     Action
	Delay  time.Duration  // of DelayFrame
	Impair *impair.Config // of ImpairCable
}

// EventState is an event and what has come of it.
type EventState struct {
	Event
	Seen int           // frames that it matched
	Done int           // times that it acted
	Last time.Duration // when it did last, after Script was called
}

// script is what Script was given. It belongs to the loop.
type script struct {
	start  int64
	events []*scripted
	timed  []*scripted // those that wait for their time, in its order
	urgent []*scripted // those that a frame has brought about
}

type scripted struct {
	EventState
	filter *filter.Filter
	from   int64 // At on the loop's clock
	over   bool  // it will not act again
}

// looks says whether the event looks at frames.
func (e Event) looks() bool {
	switch e.Do {
	case CutCable, RestoreCable, ImpairCable:
		return e.Frame != "" || e.Nth != 0 || e.Every
	}
	return true
}

// check says what is wrong with an event, whose Port or Segment is known.
func (e Event) check() error {
	switch {
	case e.At < 0:
		return fmt.Errorf("at %v is before the script begins", e.At)
	case e.At > maxAt:
		return fmt.Errorf("at %v is too late; want up to %v", e.At, maxAt)
	case e.Nth < 0:
		return fmt.Errorf("there is no frame number %d", e.Nth)
	case e.Dir > ToGuest:
		return fmt.Errorf("there is no direction %d", uint8(e.Dir))
	}
	switch e.Do {
	case DropFrame, DuplicateFrame, CorruptFrame, CutCable, RestoreCable:
	case DelayFrame:
		if e.Delay <= 0 || e.Delay > impair.MaxDelay {
			return fmt.Errorf("delay is %v; want up to %v", e.Delay, impair.MaxDelay)
		}
	case ImpairCable:
		if e.Impair == nil {
			return errors.New("it does not say how to impair")
		}
		if err := e.Impair.Check(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("unknown action %q; want drop, delay, duplicate, corrupt, cut, restore or impair", e.Do)
	}
	return nil
}

// Script has events happen from now on, in place of those that an earlier
// script still had in store. Nothing of them is done when one is wrong; the
// error then says which. A port or segment that comes later under the same name
// as one that goes takes its place in the script.
func (s *Switch) Script(events []Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.read(events)
	if err != nil {
		return fmt.Errorf("reading the script: %w", err)
	}
	doErr := s.l.do(func() {
		if err = s.l.air.open(); err == nil {
			s.l.perform(all)
		}
	})
	if doErr != nil {
		err = doErr
	}
	if err != nil {
		return fmt.Errorf("starting the script: %w", err)
	}
	return nil
}

// read checks events.
func (s *Switch) read(events []Event) ([]*scripted, error) {
	if len(events) > maxEvents {
		return nil, fmt.Errorf("it has %d events; want at most %d", len(events), maxEvents)
	}
	all := make([]*scripted, len(events))
	for i, e := range events {
		n := &scripted{EventState: EventState{Event: e}}
		var err error
		switch {
		case (e.Port == "") == (e.Segment == ""):
			err = errors.New("it needs either a port or a segment")
		case e.Port != "" && s.port(e.Port) == nil:
			err = fmt.Errorf("there is no port %q", e.Port)
		case e.Segment != "" && s.segment(e.Segment) == nil:
			err = fmt.Errorf("there is no segment %q", e.Segment)
		default:
			if err = e.check(); err == nil {
				n.filter, err = filter.Compile(e.Frame)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("event %d (%s): %w", i+1, e.Do, err)
		}
		if e.Impair != nil {
			own := e.Impair.Clone()
			n.Impair = &own
		}
		all[i] = n
	}
	return all, nil
}

// Events returns the events of the script and what has come of them, in the
// script's order.
func (s *Switch) Events() []EventState {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []EventState
	err := s.l.do(func() {
		for _, e := range s.l.script.events {
			all = append(all, e.EventState)
		}
	})
	if err != nil {
		return nil
	}
	for i := range all {
		if c := all[i].Impair; c != nil {
			own := c.Clone()
			all[i].Impair = &own
		}
	}
	return all
}

// perform begins a script.
func (l *loop) perform(events []*scripted) {
	now := l.air.clock()
	l.script = script{start: now, events: events}
	for _, e := range events {
		e.from = now + int64(e.At)
		if !e.looks() {
			l.script.timed = append(l.script.timed, e)
		}
	}
	slices.SortStableFunc(l.script.timed, func(a, b *scripted) int { return int(min(max(a.from-b.from, -1), 1)) })
	for _, p := range l.ports {
		if p != nil {
			l.attach(p)
		}
	}
}

// attach has the script's events look at p's frames, and no others.
func (l *loop) attach(p *port) {
	for i := range p.ways {
		p.ways[i].events = nil
	}
	for _, e := range l.script.events {
		if e.over || !e.looks() {
			continue
		}
		d := e.Dir
		switch {
		case e.Port == p.name:
		case p.segment != nil && e.Segment == p.segment.Name:
			if d == Both {
				d = FromGuest
			}
		default:
			continue
		}
		for _, i := range d.ways() {
			w := l.way(p, i)
			w.events = append(w.events, e)
		}
	}
	for i := range p.ways {
		if w := &p.ways[i]; w.pipe != nil {
			w.settle()
		}
	}
}

// play holds a frame that is put into w at now against the events there, and
// changes its verdict accordingly. It says whether the frame has left the order.
func (l *loop) play(w *way, now int64, wire []byte, v *impair.Verdict) (strays bool) {
	over := false
	for _, e := range w.events {
		if !e.over && now >= e.from && e.filter.Match(wire) {
			e.Seen++
			if e.due() {
				strays = l.act(w, e, now, wire, v) || strays
			}
		}
		over = over || e.over
	}
	if over {
		w.events = slices.DeleteFunc(w.events, func(e *scripted) bool { return e.over })
		w.settle()
	}
	return strays
}

// due says whether the event acts on the frame that was counted last.
func (e *scripted) due() bool {
	nth := max(e.Nth, 1)
	if e.Every {
		return e.Seen%nth == 0
	}
	e.over = e.Seen == nth
	return e.over
}

// act does to a frame what an event says.
func (l *loop) act(w *way, e *scripted, now int64, wire []byte, v *impair.Verdict) (strays bool) {
	l.note(e, now)
	switch e.Do {
	case DropFrame:
		v.Drop = impair.Lost
	case DelayFrame:
		v.At += int64(e.Delay)
		v.AgainAt += int64(e.Delay)
		return true
	case DuplicateFrame:
		if !v.Again {
			v.Again, v.AgainAt = true, v.At
		}
	case CorruptFrame:
		v.Flip = w.pipe.Bit(len(wire))
	default:
		l.script.urgent = append(l.script.urgent, e)
	}
	return false
}

func (l *loop) note(e *scripted, now int64) {
	e.Done++
	e.Last = time.Duration(now - l.script.start)
	if e.Done == 1 { // one that comes with every frame must not fill the log
		l.log.Info("an event of the script", "do", string(e.Do), "port", e.Port, "segment", e.Segment, "frame", e.Frame, "after", e.Last)
	}
}

// handle does to cables what an event says.
func (l *loop) handle(e *scripted) {
	for _, p := range l.ports {
		if p == nil || p.name != e.Port && (p.segment == nil || p.segment.Name != e.Segment) {
			continue
		}
		switch e.Do {
		case CutCable:
			l.setPlugged(p, false)
		case RestoreCable:
			l.setPlugged(p, true)
		case ImpairCable:
			d := e.Dir
			if e.Segment != "" && d == Both {
				d = FromGuest
			}
			l.impair(p, d, *e.Impair)
		}
	}
}

// handleUrgent does what frames have brought about.
func (l *loop) handleUrgent() {
	for len(l.script.urgent) > 0 {
		e := l.script.urgent[0]
		l.script.urgent = slices.Delete(l.script.urgent, 0, 1)
		l.handle(e)
	}
}
