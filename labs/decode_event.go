package labs

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/patchbay/patchbay/vnet/filter"
	"github.com/patchbay/patchbay/vnet/impair"
)

const (
	maxEvents = 256
	maxFilter = filter.MaxLength
	maxNth    = 1_000_000_000
)

// eventKinds are what an event may do.
var eventKinds = []string{
	string(EventDrop), string(EventDelay), string(EventDuplicate), string(EventCorrupt),
	string(EventCut), string(EventRestore), string(EventImpair),
}

func (d *decoder) events(n ast.Node) []*draftEvent {
	events := []*draftEvent{}
	for _, item := range d.list(n, "events", maxEvents) {
		if e, ok := d.event(item); ok {
			events = append(events, e)
		}
	}
	return events
}

// event decodes one item of events: at a time {at, cut|restore: PLACE} or
// {at, on: PLACE, impair}; to a frame {frame, on, nth, every, direction, do,
// and what that needs}.
func (d *decoder) event(n ast.Node) (*draftEvent, bool) {
	before := len(d.probs.list)
	de := &draftEvent{mark: d.mark(n)}
	e := &de.event
	has := map[string]bool{}
	given := func(name string, decode func(ast.Node)) field {
		return field{name, func(n ast.Node) { has[name] = true; decode(n) }}
	}
	place := func(n ast.Node) {
		if de.on.s != "" {
			d.bad(n, "make two events of it", "the event happens in two places")
			return
		}
		de.on, _ = d.str(n, "the place of an event", 100)
	}
	d.object(n, eventForm, []field{
		given("at", func(n ast.Node) { e.At = d.duration(n, "at") }),
		given("cut", place),
		given("restore", place),
		given("impair", func(n ast.Node) { e.Wire = d.impair(n) }),
		given("frame", func(n ast.Node) { e.Frame = d.filter(n) }),
		given("on", place),
		given("direction", func(n ast.Node) { e.In = d.choice(n, "direction", "out", "in").s == "in" }),
		given("nth", func(n ast.Node) { e.Nth = d.number(n, "nth", "1 is the first", 1, maxNth).n }),
		given("every", func(n ast.Node) {
			if b, ok := n.(*ast.BoolNode); ok {
				e.Every = b.Value
				return
			}
			d.bad(n, "write true, and how many in nth", "every is true or false, found %s", kindOf(n))
		}),
		given("do", func(n ast.Node) { e.Do = EventKind(d.choice(n, "do", eventKinds...).s) }),
		given("delay", func(n ast.Node) { e.Delay = d.duration(n, "delay") }),
	})
	if len(d.probs.list) > before {
		return nil, false
	}
	var fix, wrong string
	if has["frame"] {
		fix, wrong = frameEvent(e, has)
	} else {
		fix, wrong = timedEvent(e, has)
	}
	if wrong != "" {
		d.bad(n, fix, "%s", wrong)
		return nil, false
	}
	return de, true
}

// timedEvent completes an event that happens at a time, or says what is wrong.
func timedEvent(e *Event, has map[string]bool) (fix, wrong string) {
	const form = "write {at: 30s, cut: lan}, or {frame: icmp, on: lan, nth: 3, do: drop}"
	if !has["at"] {
		return form, "the event has neither a time nor a frame"
	}
	for _, key := range []string{"direction", "nth", "every", "do", "delay"} {
		if has[key] {
			return "remove it, or write frame instead of at", `"` + key + `" is for events that a frame sets off`
		}
	}
	kinds := 0
	for _, kind := range []EventKind{EventCut, EventRestore, EventImpair} {
		if has[string(kind)] {
			e.Do = kind
			kinds++
		}
	}
	switch {
	case kinds == 0:
		return "add cut, restore or impair", "nothing happens at that time"
	case kinds > 1:
		return "make several events of it", "several things happen at that time"
	case e.Do == EventImpair && !has["on"]:
		return `add "on:" with a segment or a node`, "the event does not say where"
	case e.Do != EventImpair && has["on"]:
		return "remove on", "the event says twice where"
	}
	return "", ""
}

// frameEvent completes an event that a frame sets off, or says what is wrong.
func frameEvent(e *Event, has map[string]bool) (fix, wrong string) {
	switch {
	case has["at"]:
		return "choose one of them", "the event has both a time and a frame"
	case has["cut"] || has["restore"]:
		return `write "on:" with the place, and "do: cut" or "do: restore"`, "a frame's event says in do what happens"
	case !has["on"]:
		return `add "on:" with a segment, a node, or NODE/INTERFACE`, "the event does not say where"
	case !has["do"]:
		return "add do: " + strings.Join(eventKinds, ", "), "the event does not say what happens to the frame"
	case e.Do == EventDelay && e.Delay == 0:
		return "add delay, like delay: 200ms", "the event does not say how long the frame is delayed"
	case e.Delay > impair.MaxDelay:
		return "write less, like delay: 200ms", fmt.Sprintf("a frame is delayed by %v at most", impair.MaxDelay)
	case e.Do != EventDelay && has["delay"]:
		return "write do: delay, or remove it", "delay is for do: delay"
	case e.Do == EventImpair && e.Wire == nil:
		return "add impair, like impair: {loss: 50%}", "the event does not say how the wire is impaired"
	case e.Do != EventImpair && has["impair"]:
		return "write do: impair, or remove it", "impair is for do: impair"
	}
	e.Nth = max(e.Nth, 1)
	return "", ""
}

// filter decodes a pcap filter that compiles and is not empty.
func (d *decoder) filter(n ast.Node) string {
	t, ok := d.str(n, "a filter", maxFilter)
	if !ok {
		return ""
	}
	if strings.TrimSpace(t.s) == "" {
		d.bad(n, "write it as tcpdump takes it, like icmp or tcp port 80", "the filter is empty")
		return ""
	}
	if _, err := filter.Compile(t.s); err != nil {
		d.bad(n, "write it as tcpdump takes it, like icmp or tcp port 80", "%v", err)
	}
	return t.s
}
