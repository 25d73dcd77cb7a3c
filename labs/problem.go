package labs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a lab, and how to mend it.
type Problem struct {
	File    string // slash-separated, in the file system that the lab was loaded from
	Line    int    // from 1; 0 when the problem is not in one line
	Col     int    // from 1, in characters; 0 when Line is
	Message string // what is wrong, no full stop
	Fix     string // what to do about it, may be empty
}

// String is "file:line:col: message (fix)".
func (p Problem) String() string {
	var b strings.Builder
	if printable(p.File) {
		b.WriteString(p.File)
	} else { // a file's name may hold what moves a terminal's cursor
		fmt.Fprintf(&b, "%q", p.File)
	}
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Col)
	}
	b.WriteString(": ")
	b.WriteString(p.Message)
	if p.Fix != "" {
		b.WriteString(" (" + p.Fix + ")")
	}
	return b.String()
}

// Problems is all that is wrong with a lab, in the order of files, lines and
// columns. It is an error when it is not empty.
type Problems []Problem

// Error lists all of them, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// maxProblems is how many are collected: nobody reads more at once, and a
// file made to be wrong everywhere must not fill memory with complaints.
const maxProblems = 100

// mark is a place in a file.
type mark struct {
	file      string
	line, col int
}

// is says whether p was reported at this place.
func (m mark) is(p Problem) bool {
	return p.Line > 0 && p.File == m.file && p.Line == m.line && p.Col == m.col
}

// collector gathers problems while a lab is loaded.
type collector struct {
	list    Problems
	dropped int
}

func (c *collector) add(at mark, fix, format string, args ...any) {
	if len(c.list) == maxProblems {
		c.dropped++
		return
	}
	c.list = append(c.list, Problem{
		File: at.file, Line: at.line, Col: at.col,
		Message: fmt.Sprintf(format, args...), Fix: fix,
	})
}

// err is nil, or the Problems in order.
func (c *collector) err() error {
	if len(c.list) == 0 {
		return nil
	}
	slices.SortStableFunc(c.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	if c.dropped > 0 {
		last := c.list[len(c.list)-1]
		return append(c.list, Problem{File: last.File, Message: fmt.Sprintf("and %d more problems", c.dropped)})
	}
	return c.list
}
