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
