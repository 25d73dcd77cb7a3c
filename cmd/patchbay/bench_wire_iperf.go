package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// host is a machine with programs on it: a guest, or a network namespace of
// this machine.
type host interface {
	// Run runs a program to its end and returns what it printed. A program that
	// failed is an error; its output comes with it all the same.
	Run(ctx context.Context, args ...string) ([]byte, error)
}

// transfer is a bulk TCP transfer between two hosts.
type transfer struct {
	client, server host
	address        string // the server's, as the client sees it
	device         string // the server's interface, by which it comes
	seconds        int

	// carried counts the bytes that a switch between the two has handed to the
	// server; nil where there is nothing to ask.
	carried func() uint64
}

// run makes the transfer and returns its throughput in Mbit/s as the server
// counted it. It fails unless the bytes passed where they were to pass.
func (t *transfer) run(ctx context.Context) (mbps float64, err error) {
	limit := time.Duration(t.seconds)*time.Second + 30*time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	served := make(chan error, 1)
	go func() {
		_, err := t.server.Run(ctx, "iperf3", "--server", "--one-off")
		served <- err
	}()
	defer func() {
		if err == nil { // it ends by itself, after its only client
			err = <-served
			cancel()
			return
		}
		cancel()
		<-served
	}()
	if err := t.listening(ctx); err != nil {
		return 0, err
	}
	before, err := received(ctx, t.server, t.device)
	if err != nil {
		return 0, err
	}
	var carried uint64
	if t.carried != nil {
		carried = t.carried()
	}
	start, err := readClock(ctx, t.client)
	if err != nil {
		return 0, err
	}
	out, runErr := t.client.Run(ctx, "iperf3", "--client", t.address, "--time", strconv.Itoa(t.seconds), "--json")
	res, err := parseIperf(out)
	if err := errors.Join(err, runErr); err != nil {
		return 0, err
	}
	end, err := readClock(ctx, t.client)
	if err != nil {
		return 0, err
	}
	if err := start.check(end); err != nil {
		return 0, err
	}
	after, err := received(ctx, t.server, t.device)
	if err != nil {
		return 0, err
	}
	if n := after - before; n < res.bytes {
		return 0, fmt.Errorf("iperf3 tells of %d bytes, but only %d came by %s", res.bytes, n, t.device)
	}
	if t.carried != nil {
		if n := t.carried() - carried; n < res.bytes {
			return 0, fmt.Errorf("iperf3 tells of %d bytes, but the switch carried only %d", res.bytes, n)
		}
	}
	if d, most := time.Duration(res.seconds*float64(time.Second)), end.answered.Sub(start.asked); d > most {
		return 0, fmt.Errorf("iperf3 tells of a transfer of %v, but it took at most %v", d, most)
	}
	return float64(res.bytes) * 8 / res.seconds / 1e6, nil
}

// listening waits until the server takes connections.
func (t *transfer) listening(ctx context.Context) error {
	for {
		out, err := t.server.Run(ctx, "ss", "-Hltn", "sport = :5201")
		if err != nil {
			return fmt.Errorf("waiting for iperf3's server: %w", err)
		}
		if len(out) > 0 {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("waiting for iperf3's server: %w", ctx.Err())
		}
	}
}

// received is how many bytes have come in by an interface.
func received(ctx context.Context, h host, device string) (uint64, error) {
	out, err := h.Run(ctx, "cat", "/proc/net/dev")
	if err == nil {
		var n uint64
		if n, err = parseReceived(out, device); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("reading the counter of %s: %w", device, err)
}

// parseReceived reads /proc/net/dev: two lines of titles, then one of an
// interface each, the received bytes first.
func parseReceived(b []byte, device string) (uint64, error) {
	for line := range strings.Lines(string(b)) {
		name, counts, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(name) != device {
			continue
		}
		if words := strings.Fields(counts); len(words) > 0 {
			return strconv.ParseUint(words[0], 10, 64)
		}
	}
	return 0, errors.New("there is no such interface")
}

// iperfResult is what iperf3's server received.
type iperfResult struct {
	bytes   uint64
	seconds float64
}

// parseIperf reads the report that iperf3's client prints with --json. A report
// of an error, of nothing received, or one that contradicts itself is none.
func parseIperf(b []byte) (iperfResult, error) {
	type sum struct {
		Bytes   uint64  `json:"bytes"`
		Seconds float64 `json:"seconds"`
		Rate    float64 `json:"bits_per_second"`
	}
	var r struct {
		Error string `json:"error"`
		End   struct {
			Sent     sum `json:"sum_sent"`
			Received sum `json:"sum_received"`
		} `json:"end"`
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return iperfResult{}, fmt.Errorf("reading iperf3's report: %w", err)
	}
	got := r.End.Received
	switch {
	case r.Error != "":
		return iperfResult{}, fmt.Errorf("iperf3: %s", r.Error)
	case got.Bytes == 0:
		return iperfResult{}, errors.New("iperf3: nothing was received")
	case got.Bytes > r.End.Sent.Bytes:
		return iperfResult{}, fmt.Errorf("iperf3: %d bytes received of %d sent", got.Bytes, r.End.Sent.Bytes)
	case got.Seconds < 0.1:
		return iperfResult{}, fmt.Errorf("iperf3: a transfer of %g s is none", got.Seconds)
	}
	rate := float64(got.Bytes) * 8 / got.Seconds
	if got.Rate < 0.98*rate || got.Rate > 1.02*rate {
		return iperfResult{}, fmt.Errorf("iperf3: %g bit/s are not %d bytes in %g s", got.Rate, got.Bytes, got.Seconds)
	}
	return iperfResult{got.Bytes, got.Seconds}, nil
}
