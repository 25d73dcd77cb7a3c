package build

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// Step says where a build is.
type Step struct {
	Name   string  // what is being done, "compiling"
	Number int     // of this step, from 1
	Of     int     // how many steps there are
	Done   float64 // of this step, 0 to 1; negative when it cannot be told
	Next   string  // what comes next, empty at the end
}

// Progress is told of each step as it begins and of its advance. It is called
// by one goroutine at a time and should return at once.
type Progress func(Step)

// Steps walks through the named steps of a build.
type Steps struct {
	mu    sync.Mutex
	names []string
	at    int // index of the current step, -1 before the first
	tell  Progress
	last  float64
}

// NewSteps prepares to report them to tell, which may be nil.
func NewSteps(tell Progress, names ...string) *Steps {
	if tell == nil {
		tell = func(Step) {}
	}
	return &Steps{names: names, at: -1, tell: tell}
}

// Next begins the next step.
func (s *Steps) Next() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at++
	s.last = -1
	s.report(-1)
}

// Done reports how much of the current step is done, 0 to 1. Advances too small
// to show are not passed on.
func (s *Steps) Done(part float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// An estimate may fall short; a step is whole only when the next begins.
	part = min(part, 0.99)
	if part-s.last < 0.01 {
		return
	}
	s.last = part
	s.report(part)
}

func (s *Steps) report(part float64) {
	st := Step{Name: s.names[s.at], Number: s.at + 1, Of: len(s.names), Done: part}
	if s.at+1 < len(s.names) {
		st.Next = s.names[s.at+1]
	}
	s.tell(st)
}

// Printer returns a Progress that draws on w: one line that changes on a
// terminal; elsewhere a line for each step and each quarter of it. end, to be
// called when the build is over, leaves the line.
func Printer(w io.Writer, what string) (p Progress, end func()) {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return terminal(w, what)
	}
	number, quarter := 0, 0
	return func(s Step) {
		if s.Number != number {
			number, quarter = s.Number, 0
			fmt.Fprintf(w, "%s: %s (%d of %d)\n", what, s.Name, s.Number, s.Of)
			return
		}
		if q := int(s.Done * 4); q > quarter {
			quarter = q
			fmt.Fprintf(w, "%s: %s, %d %%\n", what, s.Name, q*25)
		}
	}, func() {}
}

func terminal(w io.Writer, what string) (p Progress, end func()) {
	start, number := time.Now(), 0
	return func(s Step) {
			if s.Number != number {
				number, start = s.Number, time.Now()
			}
			line := fmt.Sprintf("%s: step %d of %d, %s", what, s.Number, s.Of, s.Name)
			if s.Done >= 0 {
				line += fmt.Sprintf(" %2.0f %%", s.Done*100)
				if spent := time.Since(start); s.Done > 0.05 && spent > 5*time.Second {
					left := time.Duration(float64(spent) * (1 - s.Done) / s.Done)
					line += fmt.Sprintf(", about %s left", left.Round(5*time.Second))
				}
			}
			if s.Next != "" {
				line += "; next: " + s.Next
			}
			fmt.Fprintf(w, "\r\x1b[K%s", line)
		}, func() {
			fmt.Fprint(w, "\r\x1b[K")
		}
}
