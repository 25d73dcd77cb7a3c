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
	b.WriteString(p.File)
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

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Col, b.Col), cmp.Compare(a.Message, b.Message))
	})
}
