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
	rang  bool  // and has not been quieted since
	buf   [8]byte
}

// newClock returns the loop's clock, in ns, which does not go backwards.
func newClock() func() int64 {
	start := time.Now().Add(-1) // so that no time is zero
	return func() int64 { return int64(time.Since(start)) }
}

func newTimer(clock func() int64) (t timer, err error) {
	if err := t.follow(clock); err != nil {
		return timer{fd: -1}, err
	}
	if t.fd, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return timer{fd: -1}, fmt.Errorf("making a timer: %w", err)
	}
	return t, nil
}

// follow has the timer's times be those of a clock.
func (t *timer) follow(clock func() int64) error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("reading the clock: %w", err)
	}
	t.epoch = now.Nano() - clock()
	return nil
}

// wake has the timer ring at a time or before. It is called once a round, so
// it spares the system call when the timer rings earlier anyway.
func (t *timer) wake(at int64) {
	if t.armed != 0 && t.armed <= at {
		return
	}
	t.armed, t.rang = at, false // setting it quiets it
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(t.epoch+at, 1))}
	unix.TimerfdSettime(t.fd, unix.TFD_TIMER_ABSTIME, &spec, nil) // which has no way to fail
}

// ring says that the timer rang.
func (t *timer) ring() { t.armed, t.rang = 0, true }

// quiet ends the ringing of a timer that was not set anew.
func (t *timer) quiet() {
	if t.rang {
		unix.Read(t.fd, t.buf[:])
		t.rang = false
	}
}
