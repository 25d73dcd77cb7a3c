package tty

import "github.com/patchbay/patchbay/labs/rack"

// Menu gives tests the menu's verbs by name.
type Menu struct{ m *menu }

func NewMenu(s *rack.State, node string) *Menu { return &Menu{newMenu(s, node, 0)} }
func (m *Menu) Node() string                   { return m.m.node() }
func (m *Menu) Draw(rows int) string           { return m.m.draw(rows) }
func (m *Menu) Key(k string) string {
	return map[verb]string{again: "", back: "back", literal: "literal", goTo: "go", newConsole: "new", detach: "detach",
		stop: "stop", restart: "restart", reset: "reset", resetAll: "reset all"}[m.m.key(k)]
}

// ScreenWatch tells whether a program is on the other screen after pieces of
// output.
func ScreenWatch(pieces ...string) bool {
	var w screenWatch
	for _, p := range pieces {
		w.see([]byte(p))
	}
	return w.other
}

// SplitKeys tells apart the keys in what was typed.
func SplitKeys(typed string) (keys []string) {
	for rest := []byte(typed); len(rest) > 0; {
		var k string
		k, rest = firstKey(rest)
		keys = append(keys, k)
	}
	return keys
}
