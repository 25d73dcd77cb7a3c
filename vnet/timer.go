package vnet

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// timer wakes the loop at a time of the loop's clock. It is a timerfd because
// what epoll itself waits for comes late by a thousandth of the time asked, at
// 100 ms half of what a delay may be off.
type timer struct {
	fd    int
	epoch int64 // the system's monotonic clock when the loop's was zero
	armed int64 // when it rings; 0: it does not
	rings [8]byte
}

// newClock returns the loop's clock, in ns, which does not go backwards.
func newClock() func() int64 {
	start := time.Now().Add(-1) // so that no time is zero
	return func() int64 { return int64(time.Since(start)) }
}

func newTimer(clock func() int64) (t timer, err error) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return timer{fd: -1}, fmt.Errorf("reading the clock: %w", err)
	}
	t.epoch = now.Nano() - clock()
	if t.fd, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return timer{fd: -1}, fmt.Errorf("making a timer: %w", err)
	}
	return t, nil
}

// wake has the timer ring at a time or before. It is called once a round, so
// it spares the system call when the timer rings earlier anyway.
func (t *timer) wake(at int64) {
	if t.armed != 0 && t.armed <= at {
		return
	}
	t.armed = at
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(t.epoch+at, 1))}
	unix.TimerfdSettime(t.fd, unix.TFD_TIMER_ABSTIME, &spec, nil) // which has no way to fail
}

// rang quiets the timer.
func (t *timer) rang() {
	unix.Read(t.fd, t.rings[:])
	t.armed = 0
}
