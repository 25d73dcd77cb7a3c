package engine

import (
	"time"

	"github.com/patchbay/patchbay/labs/grade"
)

// What a check is given that says nothing itself.
const (
	defaultWithin = 10 * time.Second
	defaultFor    = 2 * time.Second
)

// within is how long a check is tried again.
func within(c *grade.Check) time.Duration {
	if c.Within > 0 {
		return min(c.Within, grade.MaxWithin)
	}
	return defaultWithin
}

// watchFor is how long a negated check must hold, and frames are watched for.
func watchFor(c *grade.Check) time.Duration {
	if c.For > 0 {
		return min(c.For, grade.MaxFor)
	}
	return defaultFor
}
