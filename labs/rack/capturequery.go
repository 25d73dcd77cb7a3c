package rack

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/patchbay/patchbay/vnet/filter"
)

// CaptureQuery chooses frames of what a rack remembers of its wires, and of
// what they will carry. As a query of GET /v1/capture and /v1/frames:
//
//	link=pc1/eth0    an interface's cable; may come several times
//	segment=lan      all cables of a segment; may come several times
//	direction=out    what nodes send; or in
//	each=1           a frame at each cable that it passed, not only where it was sent
//	filter=icmp      as tcpdump takes it
//	from=, to=       RFC 3339, or how long ago, such as 30s
//	follow=1         goes on with what comes
//	count=10         ends after so many frames
type CaptureQuery struct {
	Links, Segments []string // their union; none of both means every cable
	Direction       Direction
	Each            bool // without it a frame that passes several of the cables comes once
	Filter          string
	From, To        time.Time // zero: from what is remembered first, to now
	Follow          bool      // goes on until To, Count or the end of the rack
	Count           int       // 0 means no bound
}

// maxSelected bounds the links and segments of a query.
const maxSelected = 256

// Values writes the query for a URL.
func (q *CaptureQuery) Values() url.Values {
	v := url.Values{}
	for _, l := range q.Links {
		v.Add("link", l)
	}
	for _, s := range q.Segments {
		v.Add("segment", s)
	}
	set := func(name, value string, given bool) {
		if given {
			v.Set(name, value)
		}
	}
	set("direction", string(q.Direction), q.Direction != "")
	set("each", "1", q.Each)
	set("filter", q.Filter, q.Filter != "")
	set("from", q.From.Format(time.RFC3339Nano), !q.From.IsZero())
	set("to", q.To.Format(time.RFC3339Nano), !q.To.IsZero())
	set("follow", "1", q.Follow)
	set("count", strconv.Itoa(q.Count), q.Count > 0)
	return v
}

// ParseCaptureQuery reads a URL's query. Its error is an ErrBadOp with a
// sentence; whether links and segments are there is not looked at.
func ParseCaptureQuery(v url.Values, now time.Time) (*CaptureQuery, error) {
	q := &CaptureQuery{Links: v["link"], Segments: v["segment"], Direction: Direction(v.Get("direction")), Filter: v.Get("filter")}
	for name := range v {
		switch name {
		case "link", "segment", "direction", "each", "filter", "from", "to", "follow", "count":
		default:
			return nil, badQuery("a capture has no ?%s=: its words are link, segment, direction, each, filter, from, to, follow and count", clip(name))
		}
	}
	if len(q.Links)+len(q.Segments) > maxSelected {
		return nil, badQuery("a capture has at most %d links and segments", maxSelected)
	}
	if q.Direction != "" && q.Direction != Out && q.Direction != In {
		return nil, badQuery("direction is out or in, not %q", clip(string(q.Direction)))
	}
	if _, err := filter.Compile(q.Filter); err != nil {
		return nil, badQuery("%v", err)
	}
	for name, to := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		s := v.Get(name)
		if s == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			ago, agoErr := time.ParseDuration(s)
			if agoErr != nil || ago < 0 {
				return nil, badQuery("%s is a time such as 2026-05-04T10:00:00Z, or how long ago, such as 30s; not %q", name, clip(s))
			}
			t = now.Add(-ago)
		}
		*to = t
	}
	for name, to := range map[string]*bool{"follow": &q.Follow, "each": &q.Each} {
		switch s := v.Get(name); s {
		case "", "0", "false":
		case "1", "true":
			*to = true
		default:
			return nil, badQuery("%s is 1 or nothing, not %q", name, clip(s))
		}
	}
	if s := v.Get("count"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return nil, badQuery("count is a number of frames, not %q", clip(s))
		}
		q.Count = n
	}
	return q, nil
}

// badQuery is an ErrBadOp that a person is shown as it stands.
func badQuery(format string, args ...any) error {
	return &Explained{Sentence: fmt.Sprintf(format, args...), Err: ErrBadOp}
}

// clip keeps what somebody sent from filling an answer.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

// Frame is one frame of a recording, at one end of one cable.
type Frame struct {
	Seq       uint64    `json:"seq"`
	Time      time.Time `json:"time"`
	Link      string    `json:"link"`           // NODE/INTERFACE
	Direction Direction `json:"direction"`      // out: its node sent it
	Fate      string    `json:"fate"`           // delivered, or what became of it: dropped, lost, cut, stormed, filtered
	Length    int       `json:"length"`         // bytes
	VLAN      []uint16  `json:"vlan,omitempty"` // its tags, the outer first
	Src       string    `json:"src"`            // an IP address where there is one, else an Ethernet address
	Dst       string    `json:"dst"`
	Protocol  string    `json:"protocol"`
	Info      string    `json:"info"`             // what it is, in one line
	Missed    uint64    `json:"missed,omitempty"` // frames before it that were overwritten before they were read
}
