package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// clock is a reading of a host's clock, and between which moments of this
// machine's it was taken. A guest whose clock runs slow would report a
// throughput that it does not have.
type clock struct {
	asked, answered time.Time
	up              time.Duration // since the host's boot
}

// Tolerances of clock.check: what a clock may differ, and the steps of /proc/uptime.
const (
	clockDrift = 0.02
	clockStep  = 20 * time.Millisecond
)

func readClock(ctx context.Context, h host) (c clock, err error) {
	c.asked = time.Now()
	out, err := h.Run(ctx, "cat", "/proc/uptime")
	c.answered = time.Now()
	if err == nil {
		c.up, err = parseUptime(out)
	}
	if err != nil {
		return c, fmt.Errorf("reading the clock: %w", err)
	}
	return c, nil
}

// check fails unless as much time has passed on the host until a later reading
// as has here.
func (c clock) check(later clock) error {
	least, most := later.asked.Sub(c.answered), later.answered.Sub(c.asked)
	passed := later.up - c.up
	if float64(passed) < (1-clockDrift)*float64(least-clockStep) || float64(passed) > (1+clockDrift)*float64(most+clockStep) {
		return fmt.Errorf("its clock is wrong: %v passed there, and %v to %v here", passed, least, most)
	}
	return nil
}

// parseUptime reads /proc/uptime: seconds since the boot and seconds idle.
func parseUptime(b []byte) (time.Duration, error) {
	words := strings.Fields(string(b))
	if len(words) != 2 {
		return 0, errors.New("no two numbers in /proc/uptime")
	}
	s, err := strconv.ParseFloat(words[0], 64)
	if err != nil || !(s >= 0 && s < 1e9) {
		return 0, fmt.Errorf("an uptime of %q seconds", words[0])
	}
	return time.Duration(s * float64(time.Second)), nil
}
