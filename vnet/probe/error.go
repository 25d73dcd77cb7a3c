package probe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Cause is why an undertaking of a Host came to nothing. All but Cancelled and
// Fault are findings about the network.
type Cause string

// The causes.
const (
	Silence     Cause = "silence"      // nothing came back in time
	NoNeighbour Cause = "no neighbour" // nobody on the segment answered for the next hop's address
	Unreachable Cause = "unreachable"  // a machine on the way said by ICMP that it cannot be done
	Refused     Cause = "refused"      // the target itself said no: a reset, a closed port, a DNS server that refuses
	Broken      Cause = "broken"       // something answered, but not as the protocol asks
	Cancelled   Cause = "cancelled"    // the caller's context ended before anything could be said
	Fault       Cause = "fault"        // our own fault: a wrong argument, no route, a port that is gone
)

// Error says what was asked, what was seen, and whose fault it is.
type Error struct {
	Op     string     // what was asked: "ping", "connect", "resolve", …
	Target string     // of whom: an address, with its port or the name asked for
	Cause  Cause      //
	Seen   string     // what was seen, a clause without a full stop
	From   netip.Addr // who answered; invalid when nobody did
	ICMP   *ICMP      // the ICMP message that told of it, if one did
	Err    error      // what lies below, of Cancelled and Fault
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Target != "" {
		b.WriteString(" " + e.Target)
	}
	b.WriteString(": ")
	b.WriteString(e.Seen)
	if e.Err != nil {
		if e.Seen != "" {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns what lies below.
func (e *Error) Unwrap() error { return e.Err }

// Timeout says that nothing came in time. With it an Error is a net.Error.
func (e *Error) Timeout() bool { return e.Cause == Silence || e.Cause == NoNeighbour }

// Temporary is there for net.Error, which still asks for it.
func (e *Error) Temporary() bool { return e.Timeout() }

// Ours says that err tells nothing about the network: it is a fault of the
// probe or of its caller, and no ground to judge a student by. Any error that
// is not an Error, or wraps none, is ours; no error is not.
func Ours(err error) bool {
	if err == nil {
		return false
	}
	e, ok := errors.AsType[*Error](err)
	return !ok || e.Cause == Cancelled || e.Cause == Fault
}

// CauseOf returns the cause of an error, Fault for one that is no Error, and
// "" for none.
func CauseOf(err error) Cause {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Cause
	}
	return Fault
}

// asked is what an Error is made from: an operation and its target.
type asked struct{ op, target string }

func (a asked) fault(err error, format string, args ...any) *Error {
	return &Error{Op: a.op, Target: a.target, Cause: Fault, Seen: fmt.Sprintf(format, args...), Err: err}
}

func (a asked) found(c Cause, from netip.Addr, format string, args ...any) *Error {
	return &Error{Op: a.op, Target: a.target, Cause: c, From: from, Seen: fmt.Sprintf(format, args...)}
}

// told is the error that an ICMP message tells of. A target that says of
// itself that a port or protocol is closed refuses.
func (a asked) told(m ICMP, target netip.Addr) *Error {
	c := Unreachable
	if m.refuses() && m.From == target {
		c = Refused
	}
	e := a.found(c, m.From, "%s answered: %s", m.From, m)
	e.ICMP = &m
	return e
}

// over is the error for a context that has ended while the network was to
// answer. A deadline passed in silence is a finding as long as the Host itself
// works; silence says what was waited for.
func (h *Host) over(ctx context.Context, a asked, begun time.Time, format string, args ...any) *Error {
	if err := h.broken(); err != nil {
		return a.fault(err, "the probe's port has ended")
	}
	waited := time.Since(begun).Round(time.Millisecond)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return a.found(Silence, netip.Addr{}, "%s within %v", fmt.Sprintf(format, args...), waited)
	}
	return &Error{Op: a.op, Target: a.target, Cause: Cancelled, Err: context.Cause(ctx),
		Seen: fmt.Sprintf("given up after %v", waited)}
}
