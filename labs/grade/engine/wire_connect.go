package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/vnet/probe"
)

const (
	connectWait = 3 * time.Second // Linux asks again after one second
	bannerWait  = 2 * time.Second
	maxBanner   = 4 << 10
)

func evalConnect(ctx context.Context, t Target, k *grade.Connect) (verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	h, done, err := join(ctx, t, k.At)
	if err != nil {
		return blame(err)
	}
	defer done()
	from := time.Now()
	v, err := connect(ctx, h, k)
	if err != nil {
		return v, routeHint(err, k.At)
	}
	server, err := netip.ParseAddrPort(k.To)
	if err != nil {
		return verdict{}, fmt.Errorf("the check's target: %w", err)
	}
	who := answererOf(t, k.By, server.Addr())
	// A filter's refusal is the filter's, unless the check says whose it is to be.
	if who != nil && v.ok && (k.Wanted() == "open" || who.said) {
		ours, err := tcpOrigin(ctx, t, h, server, who, from)
		if err != nil {
			return verdict{}, err
		}
		if !ours {
			evidence := v.evidence
			v = impostor(server.Addr(), who, "what port "+k.To+" said")
			v.evidence = evidence
		}
	}
	v.evidence = append(v.evidence, probeFrames(ctx, t, h, from)...)
	return v, nil
}

func connect(ctx context.Context, h *probe.Host, k *grade.Connect) (verdict, error) {
	dialling, cancel := context.WithTimeout(ctx, connectWait)
	conn, err := h.Dial(dialling, "tcp", k.To)
	cancel()
	if err != nil {
		v, fault := blame(err)
		if fault != nil {
			return v, fault
		}
		switch cause := probe.CauseOf(err); k.Wanted() {
		case "refused":
			v.ok = cause == probe.Refused && !forbids(err)
		case "filtered":
			v.ok = cause == probe.Silence || forbids(err)
		case "closed":
			v.ok = cause == probe.Refused || cause == probe.Silence || forbids(err)
		}
		return v, nil
	}
	defer conn.Close()
	if k.Wanted() != "open" {
		return failed("port %s is open", k.To), nil
	}
	if k.Send+k.Contains+k.Regex == "" {
		return passed("port %s is open", k.To), nil
	}
	said, err := converse(ctx, conn, k)
	v := passed("port %s is open and said %s", k.To, quote(said))
	if err != nil {
		v = failed("port %s is open, and then: %v", k.To, err)
	}
	v.evidence = append(v.evidence, textEvidence("what the port said", []byte(said)))
	if !meets(said, k) {
		v.ok = false
	}
	return v, nil
}

// forbids says whether an ICMP error is a filter's rather than a lost way's. A
// closed port of TCP sends a reset and no such thing.
func forbids(err error) bool {
	var pe *probe.Error
	if !errors.As(err, &pe) || pe.ICMP == nil {
		return false
	}
	if pe.ICMP.V6 {
		return pe.ICMP.Type == 1 && (pe.ICMP.Code == 1 || pe.ICMP.Code >= 4)
	}
	return pe.ICMP.Type == 3 && (pe.ICMP.Code == 3 || pe.ICMP.Code == 9 || pe.ICMP.Code == 10 || pe.ICMP.Code == 13)
}

func meets(said string, k *grade.Connect) bool {
	if !strings.Contains(said, k.Contains) {
		return false
	}
	if k.Regex == "" {
		return true
	}
	ok, err := regexp.MatchString(k.Regex, said)
	return ok && err == nil
}

// converse sends what is to be sent and reads until what is expected has come,
// or nothing more does.
func converse(ctx context.Context, conn net.Conn, k *grade.Connect) (string, error) {
	until := time.Now().Add(bannerWait)
	if d, ok := ctx.Deadline(); ok && d.Before(until) {
		until = d
	}
	if err := conn.SetDeadline(until); err != nil {
		return "", err
	}
	if k.Send != "" {
		if _, err := io.WriteString(conn, k.Send); err != nil {
			return "", err
		}
	}
	var said []byte
	buf := make([]byte, maxBanner)
	for len(said) < maxBanner {
		n, err := conn.Read(buf[:maxBanner-len(said)])
		said = append(said, buf[:n]...)
		if err != nil || k.Contains+k.Regex != "" && meets(string(said), k) {
			break // its end, or silence: what came is what is judged
		}
	}
	return string(said), nil
}
