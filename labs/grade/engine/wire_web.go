package engine

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/vnet/probe"
)

const (
	maxBody   = 1 << 20
	fetchWait = 8 * time.Second
)

func evalResolve(ctx context.Context, t Target, k *grade.Resolve) (verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	server, err := k.AddrPort()
	if err != nil {
		return verdict{}, fmt.Errorf("the check's server: %w", err)
	}
	h, done, err := join(ctx, t, k.At)
	if err != nil {
		return blame(err)
	}
	defer done()
	from := time.Now()
	got, err := h.Resolve(ctx, probe.Query{Server: server, Name: k.Name, Type: strings.ToUpper(k.Type), TCP: k.TCP, Timeout: time.Second})
	if err != nil && got.Code == "" {
		v, err := blame(routeHint(err, k.At))
		v.evidence = probeFrames(ctx, t, h, from)
		return v, err
	}
	v := judgeAnswer(k, &got)
	if who := answererOf(t, k.By, got.Server.Addr()); who != nil && v.ok {
		origin := udpOrigin
		if got.TCP {
			origin = tcpOrigin
		}
		ours, err := origin(ctx, t, h, got.Server, who, from)
		if err != nil {
			return verdict{}, err
		}
		if !ours {
			v = impostor(got.Server.Addr(), who, "an answer")
		}
	}
	v.evidence = probeFrames(ctx, t, h, from)
	return v, nil
}

func judgeAnswer(k *grade.Resolve, got *probe.Answer) verdict {
	kind := strings.ToUpper(k.Type)
	if kind == "" {
		kind = "A"
		if _, err := netip.ParseAddr(k.Name); err == nil {
			kind = "PTR"
		}
	}
	data := got.Data(kind)
	seen := fmt.Sprintf("%s answers %s", got.Server, got.Code)
	if len(data) > 0 {
		seen += ": " + strings.Join(data, ", ")
	}
	if got.Authoritative {
		seen += ", with authority"
	}
	v := passed("%s", seen)
	v.ok = got.Code == k.Wanted() && len(data) >= k.Min && (k.Authoritative == nil || *k.Authoritative == got.Authoritative)
	if k.Code == "" && len(data) == 0 {
		v.ok = false // a name that is there, but has no such record
	}
	have := map[string]bool{}
	for _, d := range data {
		have[plainData(d)] = true
	}
	want := map[string]bool{}
	for _, d := range k.Values {
		want[plainData(d)] = true
		v.ok = v.ok && have[plainData(d)]
	}
	if k.Exact {
		v.ok = v.ok && len(have) == len(want)
	}
	return v
}

// plainData compares data of records as their zone's author means it.
func plainData(s string) string {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.String()
	}
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return strings.ToLower(strings.TrimSuffix(s, "."))
}

func evalFetch(ctx context.Context, t Target, k *grade.Fetch) (verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWait)
	defer cancel()
	h, done, err := join(ctx, t, k.At)
	if err != nil {
		return blame(err)
	}
	defer done()
	from := time.Now()
	var server netip.AddrPort // the last that a connection led to
	v, err := fetch(ctx, h, k, &server)
	if err != nil {
		return v, routeHint(err, k.At)
	}
	if v.ok { // and then nothing dials any more
		if who := answererOf(t, k.By, server.Addr()); who != nil {
			ours, err := tcpOrigin(ctx, t, h, server, who, from)
			if err != nil {
				return verdict{}, err
			}
			if !ours {
				evidence := v.evidence
				v = impostor(server.Addr(), who, "the answer")
				v.evidence = evidence
			}
		}
	}
	v.evidence = append(v.evidence, probeFrames(ctx, t, h, from)...)
	return v, nil
}

func fetch(ctx context.Context, h *probe.Host, k *grade.Fetch, server *netip.AddrPort) (verdict, error) {
	var body io.Reader
	if k.Body != "" {
		body = strings.NewReader(k.Body)
	}
	method := k.Method
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, k.URL, body)
	if err != nil {
		return verdict{}, fmt.Errorf("making a request: %w", err)
	}
	client, way := h.Client(), h.Transport()
	// The certificate is looked at below: labs have no public authority.
	way.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	dial := way.DialContext
	way.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if k.Connect != "" {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			address = net.JoinHostPort(k.Connect, port)
		}
		c, err := dial(ctx, network, address)
		if err == nil {
			*server, _ = netip.ParseAddrPort(c.RemoteAddr().String())
		}
		return c, err
	}
	client.Transport = way
	resp, err := client.Do(req)
	if err != nil {
		return httpFinding(ctx, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return httpFinding(ctx, err)
	}
	return judgeResponse(k, resp, data), nil
}

// httpFinding tells what the server did wrong from what is our own fault.
func httpFinding(ctx context.Context, err error) (verdict, error) {
	var pe *probe.Error
	if errors.As(err, &pe) {
		return blame(pe)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return verdict{}, err
	}
	return failed("the server does not answer as it should: %v", err), nil
}

func judgeResponse(k *grade.Fetch, resp *http.Response, data []byte) verdict {
	var wrong []string
	miss := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if resp.StatusCode != k.Wanted() {
		miss("the status is %d", resp.StatusCode)
	}
	for _, s := range k.Contains {
		if !strings.Contains(string(data), s) {
			miss("the answer does not hold %s", quote(s))
		}
	}
	if k.Regex != "" {
		if ok, err := regexp.Match(k.Regex, data); !ok || err != nil {
			miss("nothing in the answer matches %s", k.Regex)
		}
	}
	if sum := sha256.Sum256(data); k.SHA256 != "" && hex.EncodeToString(sum[:]) != strings.ToLower(k.SHA256) {
		miss("its SHA-256 is %x", sum)
	}
	for _, name := range slices.Sorted(maps.Keys(k.Header)) {
		if got := resp.Header.Values(name); !slices.ContainsFunc(got, func(v string) bool { return matches(k.Header[name], v) }) {
			miss("“%s” is %s", name, quote(strings.Join(got, ", ")))
		}
	}
	if len(k.TLSNames) > 0 || k.Issuer != "" {
		wrong = append(wrong, certificate(k, resp.TLS)...)
	}
	v := passed("the server answers %d with %d bytes", resp.StatusCode, len(data))
	if len(wrong) > 0 {
		v = failed("%s", strings.Join(wrong, "; "))
	}
	v.evidence = append(v.evidence, textEvidence("the answer", data))
	return v
}

// certificate says what is wrong with what the server showed.
func certificate(k *grade.Fetch, s *tls.ConnectionState) (wrong []string) {
	if s == nil || len(s.PeerCertificates) == 0 {
		return []string{"the server shows no certificate"}
	}
	c := s.PeerCertificates[0]
	for _, name := range k.TLSNames {
		if c.VerifyHostname(name) != nil {
			wrong = append(wrong, fmt.Sprintf("the certificate is not for %s but for %s", name, quote(strings.Join(c.DNSNames, ", "))))
		}
	}
	if !strings.Contains(c.Issuer.String(), k.Issuer) {
		wrong = append(wrong, "the certificate was issued by "+quote(c.Issuer.String()))
	}
	return wrong
}

// matches compares a value with what is expected: a text, or a regular
// expression between slashes.
func matches(want, got string) bool {
	if expr, is := grade.Slashed(want); is {
		ok, err := regexp.MatchString(expr, got)
		return ok && err == nil
	}
	return want == got
}
