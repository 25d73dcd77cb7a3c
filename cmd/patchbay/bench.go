package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// benchCmd measures. Each benchmark prints a table for people on stderr and,
// on stdout, one figure a line: name, value, unit.
type benchCmd struct {
	Boot   benchBootCmd   `cmd:"" help:"Time from exec to guestd's answer and to a shell's prompt, one guest and four."`
	Memory benchMemoryCmd `cmd:"" help:"Host memory of an idle guest with a shell open."`
	Wire   benchWireCmd   `cmd:"" help:"Throughput and latency between guests, and what there is to compare them with."`
	Grade  benchGradeCmd  `cmd:"" help:"Time of a lab's checks, and a student's echo while submissions are graded."`
}

// figure is one measured quantity: the samples of all runs.
type figure struct {
	name    string
	unit    string
	note    string // what was timed, for the table
	samples []float64
}

func (f *figure) add(v float64) { f.samples = append(f.samples, v) }

// median of the samples; with an even number of them the mean of the middle two.
func (f *figure) median() float64 {
	s := slices.Sorted(slices.Values(f.samples))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// report prints the figures. It fails when one has no sample: what did not
// happen was not fast.
func report(figures []*figure) error {
	var missing []error
	t := tabwriter.NewWriter(os.Stderr, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\tmedian\tmin\tmax\tunit\truns\t  \t\n")
	for _, f := range figures {
		if len(f.samples) == 0 {
			missing = append(missing, fmt.Errorf("%s was not measured", f.name))
			continue
		}
		digits := 1
		if f.unit == "times" {
			digits = 2
		}
		fmt.Fprintf(t, "%s\t%.*f\t%.*f\t%.*f\t%s\t%d\t  %s\t\n", f.name, digits, f.median(),
			digits, slices.Min(f.samples), digits, slices.Max(f.samples), f.unit, len(f.samples), f.note)
	}
	t.Flush()
	fmt.Fprintf(os.Stderr, "%d CPUs, load average before and during: %s\n", runtime.NumCPU(), loadAverage())
	for _, f := range figures {
		if len(f.samples) > 0 {
			fmt.Printf("%s %.3f %s\n", f.name, f.median(), f.unit)
		}
	}
	return errors.Join(missing...)
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	words := strings.Fields(string(b))
	return strings.Join(words[:min(3, len(words))], " ")
}

// millis is d in milliseconds with its fraction.
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// progressf tells a waiting person what a benchmark is doing.
func progressf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// within gives f a bounded time.
func within(ctx context.Context, d time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return f(ctx)
}
