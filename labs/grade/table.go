package grade

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// Style of a table.
type Style struct {
	Colour bool // with a terminal's colours
	Width  int  // columns; 0 means 100
}

// The colours of the outcomes; on a terminal without colours the words do.
var colours = map[Outcome]string{Pass: "\x1b[32m", Fail: "\x1b[31m", Error: "\x1b[35m", Skipped: "\x1b[33m"}

func (s Style) paint(o Outcome, text string) string {
	if !s.Colour {
		return text
	}
	return colours[o] + text + "\x1b[0m"
}

// Line is one result in one line: outcome, points, trust, title.
func (s Style) Line(c *Result) string {
	points := "-"
	switch {
	case c.Outcome == Error:
		points = "?/" + number(c.Worth)
	case c.Worth > 0:
		points = number(c.Points) + "/" + number(c.Worth)
	}
	return fmt.Sprintf("%s  %7s  %-5s  %s", s.paint(c.Outcome, fmt.Sprintf("%-7s", c.Outcome)), points, c.Trust, c.name())
}

// WriteTable writes the report for a terminal: a line for each check, below it
// what a student needs who did not pass it, and the score at the end.
func (r *Report) WriteTable(w io.Writer, s Style) error {
	if s.Width == 0 {
		s.Width = 100
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-7s  %7s  %-5s  %s\n", "outcome", "points", "trust", "check")
	for i := range r.Results {
		c := &r.Results[i]
		b.WriteString(s.Line(c) + "\n")
		if c.Outcome == Pass && c.Doubt == "" {
			continue
		}
		for _, line := range strings.Split(c.Text(), "\n") {
			what, text, _ := strings.Cut(line, ": ")
			wrap(&b, fmt.Sprintf("%9s%-9s ", "", strings.ToLower(what)), text, s.Width)
		}
	}
	score, of, ok := r.Score()
	switch {
	case !ok:
		fmt.Fprintf(&b, "no score: none of %s could be judged", count(len(r.Results), "check"))
	default:
		fmt.Fprintf(&b, "%s of %s points, in %v", number(score), number(of), r.Took.Round(100*time.Millisecond))
	}
	if ok && r.Errors > 0 {
		fmt.Fprintf(&b, "; %s could not be judged, so this is %s of %s made to the whole", count(r.Errors, "check"), number(r.Points), number(r.Worth))
	}
	b.WriteString("\n")
	for _, warning := range r.Warnings {
		wrap(&b, "note: ", warning, s.Width)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing a table: %w", err)
	}
	return nil
}

// wrap writes text in lines of at most width columns, the first behind head,
// the others below its end.
func wrap(b *strings.Builder, head, text string, width int) {
	indent := utf8.RuneCountInString(head)
	b.WriteString(head)
	at := indent
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if i > 0 && at+1+n > width {
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		} else if i > 0 {
			b.WriteString(" ")
			at++
		}
		b.WriteString(word)
		at += n
	}
	b.WriteString("\n")
}
