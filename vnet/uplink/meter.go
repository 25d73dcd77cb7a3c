package uplink

import (
	"context"
	"errors"
	"sync/atomic"

	"golang.org/x/time/rate"
)

var errSpent = errors.New("the uplink has carried as many bytes as it may")

// meter holds a router to its limits.
type meter struct {
	limits Limits
	starts *rate.Limiter // flows
	asked  *rate.Limiter // questions of DNS
	pace   *rate.Limiter // bytes

	flows   atomic.Int64
	carried atomic.Uint64
	refused atomic.Uint64
	bytes   atomic.Int64
}

func newMeter(l Limits) *meter {
	n := l.FlowsPerSecond
	return &meter{
		limits: l,
		starts: rate.NewLimiter(rate.Limit(n), 2*n),
		asked:  rate.NewLimiter(rate.Limit(n), 2*n),
		// At once as much as one read gives, and 20 ms of the rate.
		pace: rate.NewLimiter(rate.Limit(l.BytesPerSecond), max(copyBuffer, l.BytesPerSecond/50)),
	}
}

// begin counts a flow in, unless there are too many. Whoever was let in calls end.
func (m *meter) begin() bool {
	if m.bytes.Load() >= m.limits.Bytes || !m.starts.Allow() {
		m.refused.Add(1)
		return false
	}
	if m.flows.Add(1) > int64(m.limits.Flows) {
		m.flows.Add(-1)
		m.refused.Add(1)
		return false
	}
	m.carried.Add(1)
	return true
}

func (m *meter) end() { m.flows.Add(-1) }

// pass counts n bytes, of one read, and waits for their turn.
func (m *meter) pass(ctx context.Context, n int) error {
	if m.bytes.Add(int64(n)) > m.limits.Bytes {
		return errSpent
	}
	return m.pace.WaitN(ctx, min(n, m.pace.Burst()))
}

func (m *meter) stats() Stats {
	return Stats{
		Flows: int(m.flows.Load()), Carried: m.carried.Load(), Refused: m.refused.Load(),
		Bytes: m.bytes.Load(), Spent: m.bytes.Load() >= m.limits.Bytes,
	}
}
