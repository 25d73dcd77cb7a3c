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

// ping returns the median round trip of n pings in µs. It fails when one was
// not answered.
func ping(ctx context.Context, from host, address string, n int) (float64, error) {
	if _, err := pings(ctx, from, address, 5); err != nil { // addresses are resolved, caches warm
		return 0, err
	}
	times, err := pings(ctx, from, address, n)
	if err != nil {
		return 0, err
	}
	slices.Sort(times)
	return (times[(n-1)/2] + times[n/2]) / 2, nil
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

// parsePing returns the round trips, in µs, that ping printed. It fails unless
// exactly the pings 1 to n were answered once each.
func parsePing(out []byte, n int) ([]float64, error) {
	sum := pingSummary.FindSubmatch(out)
	if sum == nil {
		return nil, errors.New("ping printed no summary")
	}
	if want := strconv.Itoa(n); string(sum[1]) != want || string(sum[2]) != want {
		return nil, fmt.Errorf("ping: %s of %s pings were answered, want %d", sum[2], sum[1], n)
	}
	times := make([]float64, 0, n)
	for i, m := range pingReply.FindAllSubmatch(out, -1) {
		ms, err := strconv.ParseFloat(string(m[2]), 64)
		if err != nil || ms <= 0 {
			return nil, fmt.Errorf("ping: a round trip of %s ms", m[2])
		}
		if string(m[1]) != strconv.Itoa(i+1) {
			return nil, fmt.Errorf("ping: answer %d is to ping %s", i+1, m[1])
		}
		times = append(times, ms*1000)
	}
	if len(times) != n {
		return nil, fmt.Errorf("ping: %d answers, want %d", len(times), n)
	}
	return times, nil
}
