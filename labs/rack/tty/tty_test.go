package tty_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/rack/tty"
)

func state(nodes int) *rack.State {
	s := &rack.State{Title: "A \x1b[31mlab"}
	for i := range nodes {
		s.Nodes = append(s.Nodes, rack.NodeState{Name: fmt.Sprintf("pc%d", i+1), Status: rack.Running, Consoles: 8})
	}
	return s
}

func TestMenuKeys(t *testing.T) {
	tests := []struct {
		keys string // separated by spaces
		verb string
		node string
	}{
		{"\x1d", "literal", "pc2"},
		{"\x1b", "back", "pc2"},
		{"3", "go", "pc3"},
		{"9", "", "pc2"},
		{"n", "go", "pc3"},
		{"p", "go", "pc1"},
		{"\x1b[B \r", "go", "pc3"},
		{"\x1b[A \x1b[A \r", "go", "pc3"},
		{"j j \r", "go", "pc1"},
		{"c", "new", "pc2"},
		{"d", "detach", "pc2"},
		{"s", "stop", "pc2"},
		{"t", "restart", "pc2"},
		{"r", "", "pc2"},
		{"r y", "reset", "pc2"},
		{"r n", "", "pc2"},
		{"r n y", "", "pc2"},
		{"R y", "reset all", "pc2"},
		{"x", "", "pc2"},
	}
	for _, tt := range tests {
		m, verb := tty.NewMenu(state(3), "pc2"), ""
		for _, k := range strings.Split(tt.keys, " ") {
			verb = m.Key(k)
		}
		if verb != tt.verb || m.Node() != tt.node {
			t.Errorf("%q: %q of %s, want %q of %s", tt.keys, verb, m.Node(), tt.verb, tt.node)
		}
	}
}

func TestMenuFitsTheScreen(t *testing.T) {
	for _, tt := range []struct{ nodes, rows int }{{3, 24}, {64, 24}, {64, 10}, {2, 3}} {
		m := tty.NewMenu(state(tt.nodes), "pc1")
		m.Key("\x1b[A") // mark the last
		screen := m.Draw(tt.rows)
		if lines := strings.Count(screen, "\r\n") + 1; lines > max(tt.rows, 9) {
			t.Errorf("%d nodes on %d rows take %d lines", tt.nodes, tt.rows, lines)
		}
		if want := fmt.Sprintf("pc%d ", tt.nodes); !strings.Contains(screen, want) {
			t.Errorf("%d nodes on %d rows: the marked one is not seen in %q", tt.nodes, tt.rows, screen)
		}
		if strings.Contains(screen, "\x1b[31m") {
			t.Error("a lab's title colours the screen")
		}
	}
}

func TestScreenWatch(t *testing.T) {
	tests := []struct {
		pieces []string
		other  bool
	}{
		{[]string{"plain"}, false},
		{[]string{"\x1b[?1049h", "vim"}, true},
		{[]string{"a\x1b[?10", "49hvim"}, true},
		{[]string{"\x1b[?1049hvim\x1b[?1049l$ "}, false},
		{[]string{"\x1b[?1049hvim", "\x1b", "[", "?", "1", "0", "4", "9", "l"}, false},
		{[]string{"\x1b[?1049h\x1b[?1049l\x1b[?1049h"}, true},
		{[]string{"\x1b[?1049h", "[patchbay]", "\x1b[?47l"}, false},
	}
	for _, tt := range tests {
		if got := tty.ScreenWatch(tt.pieces...); got != tt.other {
			t.Errorf("%q: %v", tt.pieces, got)
		}
	}
}

func TestSplitKeys(t *testing.T) {
	tests := []struct {
		typed string
		keys  []string
	}{
		{"ab", []string{"a", "b"}},
		{"\x1b", []string{"\x1b"}},
		{"\x1becho", []string{"\x1b", "e", "c", "h", "o"}},
		{"\x1b[A\x1bOBn", []string{"\x1b[A", "\x1bOB", "n"}},
		{"\x1b[1;5Ax", []string{"\x1b[1;5A", "x"}},
		{"\x1b[12", []string{"\x1b[12"}},
		{"\x1b\x1b[A", []string{"\x1b", "\x1b[A"}},
	}
	for _, tt := range tests {
		if got := tty.SplitKeys(tt.typed); !slices.Equal(got, tt.keys) {
			t.Errorf("%q: %q, want %q", tt.typed, got, tt.keys)
		}
	}
}
