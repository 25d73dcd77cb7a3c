package rack_test

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs/rack"
)

func TestCaptureQuery(t *testing.T) {
	now := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		query string
		want  rack.CaptureQuery
		says  string // of the error
	}{
		{query: "", want: rack.CaptureQuery{}},
		{query: "link=pc1/eth0&link=pc2/eth0&segment=lan&direction=out&each=1&filter=icmp&follow=1&count=3",
			want: rack.CaptureQuery{Links: []string{"pc1/eth0", "pc2/eth0"}, Segments: []string{"lan"}, Direction: rack.Out, Each: true, Filter: "icmp", Follow: true, Count: 3}},
		{query: "from=30s&to=2026-05-04T09:59:59.5Z", want: rack.CaptureQuery{From: now.Add(-30 * time.Second), To: now.Add(-500 * time.Millisecond)}},
		{query: "filter=tcp+prot+80", says: `"prot"`},
		{query: "links=pc1/eth0", says: "no ?links="},
		{query: "direction=up", says: "out or in"},
		{query: "from=yesterday", says: "how long ago"},
		{query: "to=-5s", says: "how long ago"},
		{query: "follow=maybe", says: "follow is 1"},
		{query: "count=-1", says: "number of frames"},
		{query: strings.Repeat("link=x&", 300), says: "at most 256"},
	} {
		v, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		q, err := rack.ParseCaptureQuery(v, now)
		if c.says != "" {
			if !errors.Is(err, rack.ErrBadOp) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v; want an ErrBadOp that says %q", c.query, err, c.says)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(*q, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", c.query, q, err, c.want)
			continue
		}
		if again, err := rack.ParseCaptureQuery(q.Values(), now); err != nil || !reflect.DeepEqual(again, q) {
			t.Errorf("%s: written and read again it is %+v, %v", c.query, again, err)
		}
	}
}
