package rack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/patchbay/patchbay/vnet/filter"
	"github.com/patchbay/patchbay/vnet/record"
)

// maxReading is how many may read the recording at a time. The recording's
// spare memory is for a few slow ones; more only miss more.
const maxReading = 64

var errBusy = errors.New("too many read this rack's frames already")

// recorded opens what a request asks for of the recording. done must be called.
func (r *Rack) recorded(q *http.Request) (cq *CaptureQuery, rq record.Query, ctx context.Context, done func(), err error) {
	if cq, err = ParseCaptureQuery(q.URL.Query(), time.Now()); err != nil {
		return nil, rq, nil, nil, err
	}
	if rq, err = r.recordQuery(cq); err != nil {
		return nil, rq, nil, nil, err
	}
	select {
	case r.reading <- struct{}{}:
	default:
		return nil, rq, nil, nil, errBusy
	}
	ctx, cancel := context.WithCancel(q.Context())
	stop := context.AfterFunc(r.ending, cancel)
	return cq, rq, ctx, func() { stop(); cancel(); <-r.reading }, nil
}

// recordQuery says in the recording's words what is asked for. Only the lab's
// own cables are shown.
func (r *Rack) recordQuery(c *CaptureQuery) (record.Query, error) {
	t := &r.spec.Topology
	f, err := filter.Compile(c.Filter)
	if err != nil {
		return record.Query{}, badQuery("%v", err)
	}
	q := record.Query{Filter: f, From: c.From, To: c.To, Follow: c.Follow}
	switch c.Direction {
	case Out:
		q.Dir = record.FromGuest
	case In:
		q.Dir = record.ToGuest
	}
	all := map[string]bool{}
	for _, g := range t.Segments {
		for _, p := range portsAt(t, g.Name) {
			all[p] = true
		}
	}
	for _, l := range c.Links {
		if !all[l] {
			return q, badQuery("there is no cable %q in this lab", clip(l))
		}
		q.Ports = append(q.Ports, l)
	}
	for _, g := range c.Segments {
		if segmentOf(t, g) == nil {
			return q, badQuery("there is no segment %q in this lab", clip(g))
		}
		q.Ports = append(q.Ports, portsAt(t, g)...)
	}
	if len(c.Links)+len(c.Segments) == 0 {
		for p := range all {
			q.Ports = append(q.Ports, p)
		}
	}
	slices.Sort(q.Ports)
	q.Ports = slices.Compact(q.Ports)
	q.Once = !c.Each && len(q.Ports) > 1
	return q, nil
}

func (r *Rack) handleCapture(w http.ResponseWriter, q *http.Request) error {
	cq, rq, ctx, done, err := r.recorded(q)
	if err != nil {
		return err
	}
	defer done()
	w.Header().Set("Content-Type", "application/x-pcapng")
	if err := record.WritePcapng(ctx, w, r.ring, rq, record.Limit{Frames: cq.Count}); err != nil {
		r.cutOff(ctx, "a capture", err)
	}
	return nil
}

func (r *Rack) handleFrames(w http.ResponseWriter, q *http.Request) error {
	cq, rq, ctx, done, err := r.recorded(q)
	if err != nil {
		return err
	}
	defer done()
	kind := "application/json"
	if cq.Follow {
		kind = "application/x-ndjson"
	}
	w.Header().Set("Content-Type", kind)
	if err := r.writeFrames(ctx, w, cq, rq); err != nil {
		r.cutOff(ctx, "a list of frames", err)
	}
	return nil
}

// cutOff ends an answer that has begun, so that it does not look whole.
func (r *Rack) cutOff(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		r.log.Info("cut off "+what, "err", err)
	}
	panic(http.ErrAbortHandler)
}

// writeFrames writes frames as a JSON array, or one a line while it follows.
func (r *Rack) writeFrames(ctx context.Context, w http.ResponseWriter, cq *CaptureQuery, rq record.Query) error {
	rc := http.NewResponseController(w)
	if cq.Follow {
		if err := rc.Flush(); err != nil { // so that the other side sees that it works
			return fmt.Errorf("writing frames: %w", err)
		}
	}
	rd := r.ring.Reader(rq)
	e := json.NewEncoder(w)
	between := func(s string) error {
		if cq.Follow {
			return nil
		}
		_, err := io.WriteString(w, s)
		return err
	}
	if err := between("["); err != nil {
		return fmt.Errorf("writing frames: %w", err)
	}
	for n := 0; cq.Count == 0 || n < cq.Count; {
		frames, err := rd.Batch(ctx)
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			break
		}
		if err != nil {
			return fmt.Errorf("reading frames: %w", err)
		}
		for i := range frames {
			if cq.Count > 0 && n == cq.Count {
				break
			}
			if n++; n > 1 {
				err = between(",")
			}
			if err = errors.Join(err, e.Encode(frameOf(&frames[i]))); err != nil {
				return fmt.Errorf("writing frames: %w", err)
			}
		}
		if cq.Follow {
			if err := rc.Flush(); err != nil {
				return fmt.Errorf("writing frames: %w", err)
			}
		}
	}
	if err := between("]\n"); err != nil {
		return fmt.Errorf("writing frames: %w", err)
	}
	return nil
}

func frameOf(f *record.Frame) Frame {
	s := record.Summarise(*f)
	d := In
	if f.Dir == record.FromGuest {
		d = Out
	}
	return Frame{
		Seq: f.Seq, Time: f.Time, Link: f.Port, Direction: d, Fate: f.Fate.String(), Length: s.Length,
		VLAN: s.VLAN, Src: s.Src, Dst: s.Dst, Protocol: s.Protocol, Info: s.Info, Missed: f.Missed,
	}
}
