package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// pingGap is the pause between two pings: enough for both sides to fall asleep,
// as they do between a person's keystrokes.
const pingGap = 10 * time.Millisecond

// ping returns the median round trip of n pings in µs. It fails when more than
// a few were not answered: ping waits for the last ones no longer than two of
// the others took, so that on a busy machine it gives up on some that come.
func ping(ctx context.Context, from host, address string, n int) (float64, error) {
	// So that addresses are resolved and caches warm.
	if _, err := from.Run(ctx, "ping", "-n", "-c", "3", "-i", "0.1", address); err != nil {
		return 0, err
	}
	times, err := pings(ctx, from, address, n)
	if err != nil {
		return 0, err
	}
	slices.Sort(times)
	k := len(times)
	return (times[(k-1)/2] + times[k/2]) / 2, nil
}

func pings(ctx context.Context, from host, address string, n int) ([]float64, error) {
	out, err := from.Run(ctx, "ping", "-n", "-c", strconv.Itoa(n), "-i", fmt.Sprintf("%.3f", pingGap.Seconds()), address)
	if err != nil {
		return nil, err
	}
	return parsePing(out, n)
}

var (
	pingReply   = regexp.MustCompile(`(?m)^\d+ bytes from [^ ]+: icmp_seq=(\d+) ttl=\d+ time=([0-9.]+) ms$`)
	pingSummary = regexp.MustCompile(`(?m)^(\d+) packets transmitted, (\d+) received, `)
)

// pingsMissed is the share of pings that may go unanswered.
const pingsMissed = 0.05

// parsePing returns the round trips, in µs, that ping printed. It fails unless
// nearly all of n pings were answered, each once.
func parsePing(out []byte, n int) ([]float64, error) {
	sum := pingSummary.FindSubmatch(out)
	if sum == nil {
		return nil, errors.New("ping printed no summary")
	}
	sent, errSent := strconv.Atoi(string(sum[1]))
	answered, errAnswered := strconv.Atoi(string(sum[2]))
	switch {
	case errSent != nil || errAnswered != nil || sent != n:
		return nil, fmt.Errorf("ping: %s pings were sent, want %d", sum[1], n)
	case answered <= 0 || answered > n || float64(n-answered) > pingsMissed*float64(n):
		return nil, fmt.Errorf("ping: %d of %d pings were answered", answered, n)
	}
	var times []float64
	last := 0
	for _, m := range pingReply.FindAllSubmatch(out, -1) {
		ms, err := strconv.ParseFloat(string(m[2]), 64)
		if err != nil || ms <= 0 {
			return nil, fmt.Errorf("ping: a round trip of %s ms", m[2])
		}
		seq, err := strconv.Atoi(string(m[1]))
		if err != nil || seq <= last || seq > n {
			return nil, fmt.Errorf("ping: after the answer to ping %d comes one to %s", last, m[1])
		}
		last = seq
		times = append(times, ms*1000)
	}
	if len(times) != answered {
		return nil, fmt.Errorf("ping: %d answers are shown of %d", len(times), answered)
	}
	return times, nil
}
