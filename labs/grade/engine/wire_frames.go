package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/vnet/filter"
	"github.com/patchbay/patchbay/vnet/probe"
	"github.com/patchbay/patchbay/vnet/record"
)

func evalFrames(ctx context.Context, t Target, k *grade.Frames, watch time.Duration) (verdict, error) {
	k = k.With(nonce())
	q, err := framesQuery(t, k)
	if err != nil {
		return verdict{}, err
	}
	var expr *regexp.Regexp
	if k.Regex != "" {
		if expr, err = regexp.Compile(k.Regex); err != nil {
			return verdict{}, fmt.Errorf("the check's regular expression: %w", err)
		}
	}
	cause, done, err := prepareCause(ctx, t, k.Cause)
	if err != nil {
		return blame(err)
	}
	q.From, q.Follow = time.Now(), true
	var wg sync.WaitGroup
	var caused error
	if k.Max != nil {
		// On a busy machine a program may take longer to start than the frames
		// are watched: a frame that comes too late would not be missed.
		causing, cancel := context.WithTimeout(ctx, askTimeout)
		caused = cause(causing)
		cancel()
	}
	q.To = time.Now().Add(watch)
	ctx, cancel := context.WithTimeout(ctx, watch+askTimeout)
	if k.Max == nil {
		wg.Go(func() { caused = cause(ctx) })
	}
	n, missed, last, err := countFrames(ctx, t, k, q, expr)
	cancel()
	wg.Wait()
	done()
	if err != nil {
		return verdict{}, fmt.Errorf("watching %s: %w", k.On, err)
	}
	enough := n >= k.Least() && k.Max == nil
	if caused != nil && !enough {
		return verdict{}, caused
	}
	if missed > 0 && !enough {
		return verdict{}, fmt.Errorf("watching %s: %d: %w", k.On, missed, record.ErrMissed)
	}
	v := failed("%s", numberOf(n, "frame")+" came")
	if n > 0 {
		v.seen += ", the last of them: " + printable(last)
	}
	v.ok = n >= k.Least() && (k.Max == nil || n <= *k.Max)
	if n > 0 {
		v.evidence = frames(context.WithoutCancel(ctx), t, q)
	}
	return v, nil
}

func numberOf(n int, what string) string {
	switch n {
	case 0:
		return "no " + what
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// framesQuery says in the recording's words where to look.
func framesQuery(t Target, k *grade.Frames) (q record.Query, err error) {
	if q.Filter, err = filter.Compile(k.Filter); err != nil {
		return q, fmt.Errorf("the check's filter: %w", err)
	}
	q.Delivered = true
	if q.Ports = segmentPorts(t, k.On); len(q.Ports) > 0 {
		// What the lab's own nodes send: a frame counts once, and a probe's not.
		q.Dir = record.FromGuest
		return q, nil
	}
	if q.Ports = keys(portsOf(t, k.On)); len(q.Ports) == 0 {
		return q, fmt.Errorf("the lab has no cable at %s", k.On)
	}
	switch k.Direction {
	case "to":
		q.Dir = record.ToGuest
	case "any":
	default:
		q.Dir = record.FromGuest
	}
	return q, nil
}

// countFrames counts those that are meant until there are enough or it is time.
func countFrames(ctx context.Context, t Target, k *grade.Frames, q record.Query, expr *regexp.Regexp) (n int, missed uint64, last string, err error) {
	rd := t.Ring().Reader(q)
	for {
		batch, err := rd.Batch(ctx)
		if errors.Is(err, io.EOF) {
			return n, rd.Missed(), last, nil
		}
		if err != nil {
			return n, rd.Missed(), last, err
		}
		for i := range batch {
			if !holds(batch[i].Data, k.Contains, expr) {
				continue
			}
			n++
			s := record.Summarise(batch[i])
			last = s.Src + " → " + s.Dst + " " + s.Protocol + " " + s.Info
			if k.Max == nil && n >= k.Least() {
				return n, rd.Missed(), last, nil
			}
			if k.Max != nil && n > *k.Max {
				return n, rd.Missed(), last, nil
			}
		}
	}
}

// holds says whether what follows a frame's Ethernet header has all texts.
func holds(frame []byte, texts []string, expr *regexp.Regexp) bool {
	if len(texts) == 0 && expr == nil {
		return true
	}
	if len(frame) < 14 {
		return false
	}
	for _, s := range texts {
		if !bytes.Contains(frame[14:], []byte(s)) {
			return false
		}
	}
	return expr == nil || expr.Match(frame[14:])
}

// prepareCause makes ready what is to bring the frames about. How it fares does
// not matter: the frames do. done must be called.
func prepareCause(ctx context.Context, t Target, c *grade.Cause) (run func(context.Context) error, done func(), err error) {
	none := func() {}
	if c == nil {
		return func(context.Context) error { return nil }, none, nil
	}
	if len(c.Run) > 0 {
		node, err := t.Node(c.Node)
		if err != nil {
			return nil, none, err
		}
		return func(ctx context.Context) error {
			_, err := node.Verify(ctx, agent.Exec{Args: c.Run, Timeout: askTimeout})
			if err != nil && ctx.Err() == nil {
				return fmt.Errorf("having %s run %s: %w", c.Node, c.Run[0], err)
			}
			return nil
		}, none, nil
	}
	h, done, err := join(ctx, t, c.At)
	if err != nil {
		return nil, none, err
	}
	ask := func(ctx context.Context) error {
		if c.Connect != "" {
			conn, err := h.Dial(ctx, "tcp", c.Connect)
			if err == nil {
				conn.Close()
			}
			return err
		}
		to, err := netip.ParseAddr(c.Ping)
		if err != nil {
			return err
		}
		_, err = h.Ping(ctx, to, probe.Ping{Count: 3, Interval: 2 * pingInterval, Timeout: pingWait})
		return err
	}
	return func(ctx context.Context) error {
		if err := ask(ctx); err != nil && probe.Ours(err) && ctx.Err() == nil {
			return routeHint(err, c.At)
		}
		return nil
	}, done, nil
}

const (
	claimAsk  = 250 * time.Millisecond
	claimWait = 500 * time.Millisecond
)

func evalAnswers(ctx context.Context, t Target, k *grade.Answers) (verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	h, done, err := joinNear(ctx, t, k)
	if err != nil {
		return blame(err)
	}
	defer done()
	from := time.Now()
	var claims []record.Claim
	var watched error
	var wg sync.WaitGroup
	wg.Go(func() {
		q := record.Query{Ports: segmentPorts(t, k.Segment), From: from}
		claims, watched = t.Ring().Answers(ctx, q, k.To, 2*claimAsk+claimWait)
	})
	_, err = h.Neighbours(ctx, k.To, probe.Ask{Count: 2, Interval: claimAsk, Wait: claimWait})
	wg.Wait()
	if err != nil && probe.Ours(err) {
		return verdict{}, err
	}
	if watched != nil {
		return verdict{}, watched
	}
	v := judgeClaims(t, k, claims)
	v.evidence = probeFrames(ctx, t, h, from)
	return v, nil
}

// joinNear joins without an address where none is known: asking needs none.
func joinNear(ctx context.Context, t Target, k *grade.Answers) (*probe.Host, func(), error) {
	if len(k.Address) > 0 {
		return join(ctx, t, k.At)
	}
	if err := hasRoom(t, k.Segment); err != nil {
		return nil, nil, err
	}
	if list, err := networksOf(t, k.At); err == nil && len(list) > 0 {
		return join(ctx, t, k.At)
	}
	h, done, err := t.Attach(ctx, k.At)
	if err != nil {
		return nil, nil, fmt.Errorf("joining %s: %w", k.Segment, err)
	}
	return h, done, nil
}

// judgeClaims looks at who answered, by the port and by the address: root can
// put any address into a frame, but not send it from another's port.
func judgeClaims(t Target, k *grade.Answers, claims []record.Claim) verdict {
	if len(claims) == 0 {
		return failed("nobody on %s answers for %s", k.Segment, k.To)
	}
	var who []string
	for _, c := range claims {
		who = append(who, c.Port+" with "+macOwner(t, c.MAC.String()))
	}
	v := failed("%s answered", strings.Join(who, ", then "))
	v.ok = len(claims) == 1
	if k.By != "" {
		mac, ours := portsOf(t, k.By)[claims[0].Port]
		v.ok = v.ok && ours && mac == claims[0].MAC.String()
	}
	return v
}
