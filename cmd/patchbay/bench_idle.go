package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// quiet is how much of a machine others may use before figures are doubtful.
const quiet = 0.05

// warnOfWork says so when the machine does something else: with both CPUs of
// two in use, throughput falls to a half and round trips take four times as
// long.
func warnOfWork(ctx context.Context) error {
	before, err := cpuTimes()
	if err != nil {
		return err
	}
	pause(ctx, time.Second)
	after, err := cpuTimes()
	if err != nil {
		return err
	}
	if busy := busyShare(before, after); busy > quiet {
		progressf("this machine is %.0f %% busy with other work: the figures are worth little", 100*busy)
	}
	return ctx.Err()
}

// cpuTimes reads the first line of /proc/stat: user, nice, system, idle, iowait,
// irq, softirq and steal time of all CPUs together, in ticks.
func cpuTimes() ([]uint64, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return nil, err
	}
	return parseCPUTimes(b)
}

func parseCPUTimes(b []byte) ([]uint64, error) {
	line, _, _ := strings.Cut(string(b), "\n")
	words := strings.Fields(line)
	if len(words) < 9 || words[0] != "cpu" {
		return nil, errors.New("reading /proc/stat: it does not begin with the CPUs' times")
	}
	var times []uint64
	for _, w := range words[1:9] {
		n, err := strconv.ParseUint(w, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("reading /proc/stat: %w", err)
		}
		times = append(times, n)
	}
	return times, nil
}

// busyShare is the share of the time between two readings in which CPUs worked,
// or would have if another machine on the same host had let them.
func busyShare(before, after []uint64) float64 {
	var all, idle uint64
	for i := range after {
		d := after[i] - min(before[i], after[i]) // idle time may be corrected downwards
		all += d
		if i == 3 || i == 4 {
			idle += d
		}
	}
	if all == 0 {
		return 0
	}
	return float64(all-idle) / float64(all)
}
