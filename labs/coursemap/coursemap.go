// Package coursemap is the path through a server's labs: which come before
// which, which a search finds, and a drawing of them all.
package coursemap

import (
	"slices"
	"strings"
	"unicode"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/catalog"
)

// Map is labs and what each requires. It does not change once it is made, so
// it may be shared between goroutines.
type Map struct {
	labs   []*labs.Lab
	bySlug map[string]*labs.Lab
	after  map[string][]*labs.Lab
}

// New makes the map of labs. all is not changed.
func New(all []*labs.Lab) *Map {
	m := &Map{labs: slices.Clone(all), bySlug: map[string]*labs.Lab{}, after: map[string][]*labs.Lab{}}
	catalog.Order(m.labs)
	for _, l := range m.labs {
		m.bySlug[l.Slug] = l
	}
	for _, l := range m.labs {
		for _, slug := range l.Requires {
			m.after[slug] = append(m.after[slug], l)
		}
	}
	return m
}

// Labs are all labs, each after those that it requires. The caller does not
// change the slice.
func (m *Map) Labs() []*labs.Lab { return m.labs }

// Lab finds a lab of the map.
func (m *Map) Lab(slug string) (l *labs.Lab, ok bool) {
	l, ok = m.bySlug[slug]
	return l, ok
}

// After lists the labs that require one.
func (m *Map) After(slug string) []*labs.Lab { return m.after[slug] }

// Before lists the labs of the map that one requires, and the names of those
// that the map lacks.
func (m *Map) Before(l *labs.Lab) (have []*labs.Lab, lack []string) {
	for _, slug := range l.Requires {
		if before, ok := m.bySlug[slug]; ok {
			have = append(have, before)
		} else {
			lack = append(lack, slug)
		}
	}
	return have, lack
}

// Lane is the labs of one topic.
type Lane struct {
	Topic string // one of labs.Topics, or empty
	Labs  []*labs.Lab
}

// Title of a lane, for people.
func (l Lane) Title() string { return TopicTitle(l.Topic) }

// TopicTitle is a topic as a heading says it.
func TopicTitle(topic string) string {
	switch topic {
	case "":
		return "Other labs"
	case "interdomain":
		return "Between networks"
	}
	return strings.ToUpper(topic[:1]) + topic[1:]
}

// Lanes are the labs by topic, in the order of topics; those without one come last.
func (m *Map) Lanes() []Lane {
	var lanes []Lane
	for _, topic := range append(labs.Topics(), "") {
		lane := Lane{Topic: topic}
		for _, l := range m.labs {
			if topicOf(l) == topic {
				lane.Labs = append(lane.Labs, l)
			}
		}
		if len(lane.Labs) > 0 {
			lanes = append(lanes, lane)
		}
	}
	return lanes
}

// topicOf is a lab's topic as far as it is known.
func topicOf(l *labs.Lab) string {
	if slices.Contains(labs.Topics(), l.Topic) {
		return l.Topic
	}
	return ""
}

// Query says which labs somebody looks for; what is empty does not matter.
type Query struct {
	Words      string // each must be in the lab's name, title, summary, tags or topic
	Topic      string
	Difficulty string
}

// Empty says whether every lab is found.
func (q Query) Empty() bool { return q == Query{} }

// Finds says whether a lab is one of those that are looked for.
func (q Query) Finds(l *labs.Lab) bool {
	if q.Topic != "" && l.Topic != q.Topic || q.Difficulty != "" && string(l.Difficulty) != q.Difficulty {
		return false
	}
	text := Text(l)
	for _, word := range strings.Fields(fold(q.Words)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// Text is what a search looks at, in lower case.
func Text(l *labs.Lab) string {
	return fold(strings.Join(append([]string{l.Slug, l.Title, l.Summary, l.Topic, TopicTitle(l.Topic)}, l.Tags...), " "))
}

func fold(s string) string { return strings.Map(unicode.ToLower, s) }
