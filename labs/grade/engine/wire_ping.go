package engine

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/vnet/probe"
)

const (
	pingInterval = 100 * time.Millisecond
	pingWait     = time.Second
	askTimeout   = 10 * time.Second // of one try of whatever a probe does
)

func evalPing(ctx context.Context, t Target, k *grade.Ping) (verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if k.From != "" {
		return evalNodePing(ctx, t, k)
	}
	h, done, err := join(ctx, t, k.At)
	if err != nil {
		return blame(err)
	}
	defer done()
	from := time.Now()
	got, err := h.Ping(ctx, k.To, probe.Ping{Count: k.Requests(), Interval: pingInterval, Size: k.Size, Timeout: pingWait})
	if err != nil {
		v, err := blame(routeHint(err, k.At))
		v.evidence = probeFrames(ctx, t, h, from)
		return v, err
	}
	good, why := 0, map[string]bool{}
	for _, r := range got.Replies {
		switch {
		case r.ICMP != nil:
			why[r.ICMP.String()+" from "+r.ICMP.From.String()] = true
		case r.Duplicate:
			why["a second answer to one request came by "+macOwner(t, r.MAC.String())] = true
		case r.From != k.To:
			why["the answer came from "+r.From.String()] = true
		case r.Altered:
			why["the answer has other data than the request"] = true
		case k.TTL != 0 && r.TTL != k.TTL:
			why[fmt.Sprintf("the TTL left is %d", r.TTL)] = true
		default:
			good++
		}
	}
	contested := false
	if who := answererOf(t, k.By, k.To); who != nil && good > 0 {
		seen, odd, err := echoOrigin(ctx, t, h, k.To, who, from)
		if err != nil {
			return verdict{}, err
		}
		if odd > 0 {
			why["answers left "+who.name+" with an Ethernet address that it was not given"] = true
		} else if seen == 0 {
			why["none of the answers came from "+who.name] = true
		}
		good = min(good, seen)
		contested = good < k.Least() && (odd > 0 || !who.said)
	}
	text := fmt.Sprintf("%d of %d requests were answered as expected", good, got.Sent)
	if len(why) > 0 {
		text += ": " + strings.Join(keys(why), ", ")
	}
	v := failed("%s", text)
	v.ok, v.contested = good >= k.Least(), contested
	v.evidence = probeFrames(ctx, t, h, from)
	return v, nil
}

// routeHint says what a check lacks whose probe has no way to its target.
func routeHint(err error, at grade.At) error {
	if probe.CauseOf(err) == probe.Fault && at.Gateway == "" {
		return fmt.Errorf("%w (the check's probe has no “gateway:”)", err)
	}
	return err
}

func evalTrace(ctx context.Context, t Target, k *grade.Trace) (verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*askTimeout)
	defer cancel()
	h, done, err := join(ctx, t, k.At)
	if err != nil {
		return blame(err)
	}
	defer done()
	from := time.Now()
	got, err := h.Trace(ctx, k.To, probe.Trace{ICMP: k.ICMP, Probes: 1, Hops: max(2*len(k.Hops), 12), Timeout: pingWait})
	v, fault := judgeTrace(k, got, err)
	if fault != nil {
		return v, routeHint(fault, k.At)
	}
	if forged, silent, err := traceOrigin(ctx, t, h, k, got.Routers(), from); err != nil {
		return verdict{}, err
	} else if len(forged)+len(silent) > 0 {
		v.ok, v.contested = false, true
		if len(forged) > 0 {
			v.seen += fmt.Sprintf("; the answers of %v did not leave the nodes that have these addresses", forged)
		}
		if len(silent) > 0 {
			v.seen += fmt.Sprintf("; the packets came by %v, which did not say so", silent)
		}
	}
	v.evidence = probeFrames(ctx, t, h, from)
	return v, nil
}

func judgeTrace(k *grade.Trace, got probe.Traced, err error) (verdict, error) {
	if err != nil && probe.Ours(err) {
		return verdict{}, err
	}
	var way []string
	met := map[netip.Addr]bool{}
	for _, a := range got.Routers() {
		if !a.IsValid() {
			way = append(way, "*")
			continue
		}
		way = append(way, a.String())
		met[a] = true
	}
	seen := "the way is " + strings.Join(way, ", ")
	if loop := got.Loop(); len(loop) > 0 {
		seen += fmt.Sprintf("; packets go round among %v", loop)
	}
	if err != nil {
		return failed("%v; %s", err, seen), nil
	}
	v := passed("%s", seen)
	if len(k.Hops) > 0 {
		v.ok = len(way) == len(k.Hops)
		for i := range k.Hops {
			if v.ok && k.Hops[i] != "*" {
				a, _ := netip.ParseAddr(k.Hops[i])
				v.ok = way[i] == a.String()
			}
		}
	}
	for _, a := range k.Via {
		v.ok = v.ok && met[a]
	}
	for _, a := range k.Avoid {
		v.ok = v.ok && !met[a]
	}
	return v, nil
}
