package tty

import (
	"fmt"
	"strings"

	"github.com/patchbay/patchbay/labs/rack"
)

// prefix is Ctrl-], as telnet has it: no shell and few programs use it.
const prefix = 0x1d

// verb is what a menu's key asks for.
type verb int

const (
	again      verb = iota // draw the menu again, wait for more
	back                   // close the menu
	literal                // send the prefix itself
	goTo                   // a node, in choice
	newConsole             // a further console of the node
	detach                 // leave, the rack runs on
	stop                   // end the rack
	restart                // the node
	reset                  // the node's disk
	resetAll               // every node's disk
)

// menu is what Ctrl-] opens: a list of nodes and what to do with them. It is a
// state machine without a terminal.
type menu struct {
	state   *rack.State
	at      int // the node that the terminal shows
	console int // and its console
	choice  int // the node that is marked
	sure    verb
}

func newMenu(s *rack.State, node string, console int) *menu {
	m := &menu{state: s, console: console}
	for i := range s.Nodes {
		if s.Nodes[i].Name == node {
			m.at, m.choice = i, i
		}
	}
	return m
}

// key takes what one press of a key sends.
func (m *menu) key(k string) verb {
	if m.sure != again {
		v := m.sure
		m.sure = again
		if k == "y" || k == "Y" {
			return v
		}
		return again
	}
	n := len(m.state.Nodes)
	switch k {
	case string(rune(prefix)):
		return literal
	case "\x1b", "q", "\x03":
		return back
	case "\r", "\n":
		return goTo
	case "\x1b[A", "\x1bOA", "k":
		m.choice = (m.choice + n - 1) % n
	case "\x1b[B", "\x1bOB", "j":
		m.choice = (m.choice + 1) % n
	case "n":
		m.choice = (m.at + 1) % n
		return goTo
	case "p":
		m.choice = (m.at + n - 1) % n
		return goTo
	case "c":
		return newConsole
	case "d":
		return detach
	case "s":
		return stop
	case "t":
		return restart
	case "r":
		m.sure = reset
	case "R":
		m.sure = resetAll
	default:
		if len(k) == 1 && k[0] >= '1' && k[0] <= '9' && int(k[0]-'1') < n {
			m.choice = int(k[0] - '1')
			return goTo
		}
	}
	return again
}

// node returns the name of the marked node.
func (m *menu) node() string { return m.state.Nodes[m.choice].Name }

// draw returns the menu as a screen of its own.
func (m *menu) draw(rows int) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\x1b[K\r\n", args...) }
	b.WriteString("\x1b[H\x1b[2J\x1b[?25l")
	line("\x1b[1m Patchbay · %s\x1b[0m", printable(m.state.Title))
	line("")
	room := max(1, rows-8) // for nodes; the marked one is always seen
	first := max(0, min(m.choice-room/2, len(m.state.Nodes)-room))
	for i := first; i < min(first+room, len(m.state.Nodes)); i++ {
		n := &m.state.Nodes[i]
		digit, mark, here := " ", "", ""
		if i < 9 {
			digit = string(rune('1' + i))
		}
		if i == m.choice {
			mark = "\x1b[7m"
		}
		if i == m.at {
			here = fmt.Sprintf("  ← console %d", m.console)
		}
		line(" %s %s %-16s %-9s\x1b[0m%s  \x1b[2m%s\x1b[0m", mark, digit, n.Name, n.Status, here, printable(n.Reason))
	}
	line("")
	switch m.sure {
	case reset:
		line(" Throw away all work on \x1b[1m%s\x1b[0m? y/n", m.node())
		return b.String()
	case resetAll:
		line(" Throw away all work on \x1b[1mevery\x1b[0m node? y/n")
		return b.String()
	}
	line(" 1-9 ↑↓ Enter  go to a node       n p  next, previous node")
	line(" c  new console of %-14s t  restart it    r  reset it    R  reset all", m.state.Nodes[m.at].Name)
	line(" d  detach, the lab runs on       s  stop the lab")
	fmt.Fprintf(&b, " Ctrl-]  send Ctrl-]              Esc  back\x1b[K")
	return b.String()
}

// printable keeps control characters of a lab's or a guest's words off the
// person's terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, s)
}
