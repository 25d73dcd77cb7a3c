package engine

import (
	"context"

	"github.com/patchbay/patchbay/labs/grade"
)

// Verdict is what a test's evaluator says.
type Verdict struct {
	OK       bool
	Seen     string
	Evidence []grade.Evidence
}

// RunWith is Run with an evaluator of the test's own.
func RunWith(ctx context.Context, t Target, checks []grade.Check, o Options, eval func(context.Context, Target, *grade.Check) (Verdict, error)) (*grade.Report, error) {
	return run(ctx, t, checks, o, func(ctx context.Context, t Target, c *grade.Check) (verdict, error) {
		v, err := eval(ctx, t, c)
		return verdict{ok: v.OK, seen: v.Seen, evidence: v.Evidence}, err
	})
}

// ParseEcho says whether a frame holds an ICMP echo, and whether that carries a
// pattern.
func ParseEcho(frame, pattern []byte) (answer, carries, ok bool) {
	e, ok := parseEcho(frame)
	return e.answer, ok && e.carries(pattern), ok
}

// Content says what is wrong with a file's text.
func Content(k *grade.File, data []byte) []string {
	return content(k, &Entry{Exists: true, Kind: "file", Size: int64(len(data)), Data: data})
}

// Networks, draws and known addresses of probes.
var (
	SomeAddress = someAddress
	IsNetwork   = isNetwork
)
