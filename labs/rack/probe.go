package rack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/probe"
)

// ProbeRequest has a machine of the rack's own join a segment, do one thing and
// go away. A student who is root on every node cannot forge what it finds.
type ProbeRequest struct {
	Segment   string   `json:"segment"`             // a switch, hub or uplink
	VLAN      uint16   `json:"vlan,omitempty"`      // as an access port of it; on a switch without VLANs, which nodes may have all the same, with its tag
	Addresses []string `json:"addresses,omitempty"` // its own, with prefix lengths; none for arp
	Gateway   string   `json:"gateway,omitempty"`
	DNS       string   `json:"dns,omitempty"` // the server that resolve and fetch ask

	Do      string        `json:"do"`                // ping, trace, arp, resolve, fetch
	Target  string        `json:"target"`            // an address; a name for resolve; a URL for fetch
	Type    string        `json:"type,omitempty"`    // of records to resolve; empty means A
	Count   int           `json:"count,omitempty"`   // of pings; 0 means 3
	Timeout time.Duration `json:"timeout,omitempty"` // ns, of the whole; 0 means 20 s
}

// ProbeResult is what came of it. What the network did not let through is a
// result too: OK is then false, and Cause and Seen say why.
type ProbeResult struct {
	OK    bool   `json:"ok"`
	Cause string `json:"cause,omitempty"` // silence, no neighbour, unreachable, refused, broken
	Seen  string `json:"seen,omitempty"`  // a sentence

	Sent     int             `json:"sent,omitempty"` // of ping
	Received int             `json:"received,omitempty"`
	RTT      []time.Duration `json:"rtt,omitempty"`  // ns, of each answer
	Hops     [][]string      `json:"hops,omitempty"` // of trace: who answered at each distance, "" for nobody
	MACs     []string        `json:"macs,omitempty"` // of arp: who says that the address is theirs
	Code     string          `json:"code,omitempty"` // of resolve: NOERROR, NXDOMAIN, …
	Records  []string        `json:"records,omitempty"`
	Status   int             `json:"status,omitempty"` // of fetch
	Body     []byte          `json:"body,omitempty"`   // its first MiB
}

const (
	probeTimeout = 20 * time.Second
	maxProbe     = 2 * time.Minute
	maxProbes    = 8 // at a time
	maxPings     = 100
	maxFetched   = 1 << 20
)

func (r *Rack) handleProbe(w http.ResponseWriter, q *http.Request) error {
	var p ProbeRequest
	if err := decode(w, q, &p); err != nil {
		return err
	}
	select {
	case r.probing <- struct{}{}:
		defer func() { <-r.probing }()
	default:
		return badQuery("%d probes are under way in this rack already", maxProbes)
	}
	ctx, cancel := context.WithCancel(q.Context())
	defer cancel()
	defer context.AfterFunc(r.ending, cancel)()
	res, err := r.probe(ctx, &p)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, res)
	return nil
}

// probe carries a request out. Its error is about the request, or ours.
func (r *Rack) probe(ctx context.Context, p *ProbeRequest) (*ProbeResult, error) {
	o, err := r.probeOptions(p)
	if err != nil {
		return nil, err
	}
	if p.Timeout == 0 {
		p.Timeout = probeTimeout
	}
	if p.Timeout < 0 || p.Timeout > maxProbe || p.Count < 0 || p.Count > maxPings {
		return nil, badQuery("a probe takes up to %v and %d pings", maxProbe, maxPings)
	}
	ask, err := question(p)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	h, err := probe.Attach(ctx, r.sw, p.Segment, *o)
	if err != nil {
		return nil, fmt.Errorf("joining %s: %w", p.Segment, err)
	}
	defer h.Close()
	res := &ProbeResult{OK: true}
	err = ask(ctx, h, res)
	switch {
	case err == nil:
	case probe.Ours(err):
		return nil, fmt.Errorf("probing %s: %w", p.Segment, err)
	default:
		res.OK, res.Cause, res.Seen = false, string(probe.CauseOf(err)), err.Error()
	}
	return res, nil
}

// probeOptions checks where and as whom a probe joins.
func (r *Rack) probeOptions(p *ProbeRequest) (*probe.Options, error) {
	g := segmentOf(&r.spec.Topology, p.Segment)
	switch {
	case g == nil:
		return nil, fmt.Errorf("segment %q: %w", clip(p.Segment), ErrUnknown)
	case g.Kind == labs.Link:
		return nil, badQuery("%s is a link, which has room for its two ends alone", g.Name)
	case p.VLAN > maxVLAN || p.VLAN != 0 && g.Kind != labs.Switch:
		return nil, badQuery("%s has no VLAN %d", g.Name, p.VLAN)
	}
	o := &probe.Options{MTU: g.MTU}
	switch vlans := vlansOf(&r.spec.Topology, g.Name); {
	case len(vlans) == 0:
		o.Tag = p.VLAN // a port in a VLAN would make the switch look at everybody's tags
	case p.VLAN == 0:
		return nil, badQuery("%s has VLANs, and a probe sees one of them: say which, such as %d", g.Name, vlans[0])
	default:
		o.VLAN = vnet.VLANConfig{Access: p.VLAN}
	}
	for _, s := range p.Addresses {
		a, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, badQuery("%q is no address with a prefix length, such as 10.0.0.200/24", clip(s))
		}
		o.Addresses = append(o.Addresses, a)
	}
	for s, to := range map[*string]*netip.Addr{&p.Gateway: &o.Gateway, &p.DNS: &o.DNS} {
		if *s == "" {
			continue
		}
		a, err := netip.ParseAddr(*s)
		if err != nil {
			return nil, badQuery("%q is no address", clip(*s))
		}
		*to = a
	}
	return o, nil
}

// question makes what is to be done of a request.
func question(p *ProbeRequest) (func(context.Context, *probe.Host, *ProbeResult) error, error) {
	switch p.Do {
	case "resolve":
		return func(ctx context.Context, h *probe.Host, res *ProbeResult) error {
			a, err := h.Resolve(ctx, probe.Query{Name: p.Target, Type: strings.ToUpper(p.Type)})
			res.Code = a.Code
			for _, rec := range a.Records {
				res.Records = append(res.Records, rec.Name+" "+rec.Type+" "+rec.Data)
			}
			return err
		}, nil
	case "fetch":
		if !strings.HasPrefix(p.Target, "http://") && !strings.HasPrefix(p.Target, "https://") {
			return nil, badQuery("fetch wants a URL such as http://10.0.0.1/, not %q", clip(p.Target))
		}
		return func(ctx context.Context, h *probe.Host, res *ProbeResult) error { return fetch(ctx, h, p.Target, res) }, nil
	case "ping", "trace", "arp":
	default:
		return nil, badQuery("a probe can ping, trace, arp, resolve or fetch, not %q", clip(p.Do))
	}
	to, err := netip.ParseAddr(p.Target)
	if err != nil {
		return nil, badQuery("%s wants an address, not %q", p.Do, clip(p.Target))
	}
	switch p.Do {
	case "ping":
		return func(ctx context.Context, h *probe.Host, res *ProbeResult) error {
			count := p.Count
			if count == 0 {
				count = 3
			}
			got, err := h.Ping(ctx, to, probe.Ping{Count: count, Interval: 200 * time.Millisecond})
			res.Sent, res.Received = got.Sent, got.Received
			for _, reply := range got.Replies {
				if reply.ICMP == nil {
					res.RTT = append(res.RTT, reply.RTT)
				}
			}
			return err
		}, nil
	case "trace":
		return func(ctx context.Context, h *probe.Host, res *ProbeResult) error {
			got, err := h.Trace(ctx, to, probe.Trace{Probes: 1})
			for _, hop := range got.Hops {
				var from []string
				for _, reply := range hop.Probes {
					if reply.From.IsValid() {
						from = append(from, reply.From.String())
					} else {
						from = append(from, "")
					}
				}
				res.Hops = append(res.Hops, from)
			}
			return err
		}, nil
	}
	return func(ctx context.Context, h *probe.Host, res *ProbeResult) error {
		claims, err := h.Neighbours(ctx, to, probe.Ask{})
		for _, c := range claims {
			res.MACs = append(res.MACs, c.MAC.String())
		}
		return err
	}, nil
}

func fetch(ctx context.Context, h *probe.Host, url string, res *ProbeResult) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	resp, err := h.Client().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	res.Status = resp.StatusCode
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFetched))
	res.Body = body
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return nil
}
