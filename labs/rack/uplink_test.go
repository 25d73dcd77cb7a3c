package rack_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/vnet/outside"
	"github.com/patchbay/patchbay/vnet/uplink"
)

// TestRealUplink is a machine that finds its way out as any machine does: it is
// given an address, looks a name up, fetches a page, and is told where it may
// not go. The outside is the test's own; nothing leaves this machine.
func TestRealUplink(t *testing.T) {
	cache := realCache(t)
	big := make([]byte, 16<<20)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/big" {
			_, _ = w.Write(big)
			return
		}
		_, _ = io.WriteString(w, "hello from "+q.Host)
	}))
	t.Cleanup(web.Close)
	rule := func(s string) outside.Rule {
		r, err := outside.ParseRule(s)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	dir := t.TempDir()
	err := rack.WriteSpec(dir, &rack.Spec{ID: "real", Owner: "ann", LabSlug: "real", Cache: cache,
		Uplink: []outside.Rule{rule("*.example.org:80")},
		Topology: labs.Topology{
			Nodes:    []labs.Node{{Name: "pc1", Interfaces: []labs.Interface{{Name: "eth0", Segment: "net"}}}},
			Segments: []labs.Segment{{Name: "net", Kind: labs.Uplink, Allow: []string{"www.example.org:80", "192.0.2.0/24"}}},
		}})
	if err != nil {
		t.Fatal(err)
	}
	b := serveWith(t, rack.Options{Dir: dir, Uplink: func(o *uplink.Options) {
		o.Resolve = func(_ context.Context, name string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("198.51.100.7")}, nil
		}
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if network != "tcp" || address != "198.51.100.7:80" {
				t.Errorf("the router dials %s %s", network, address)
				return nil, errors.New("refused")
			}
			return new(net.Dialer).DialContext(ctx, network, web.Listener.Addr().String())
		}
		o.Ping = func(context.Context, netip.Addr, []byte) error { return nil }
		o.Limits.BytesPerSecond = 1 << 30
	}})
	t.Cleanup(func() { b.end(t) })
	settled(t, b.stream(t, rack.Owner))

	b.must(t, "pc1", "dhclient", "-v", "-1", "eth0")
	if got := b.must(t, "pc1", "ip", "-4", "-brief", "addr", "show", "eth0"); !strings.Contains(got, "100.64.0.128/24") {
		t.Errorf("the address is %q", got)
	}
	if got := b.must(t, "pc1", "ip", "route"); !strings.Contains(got, "default via 100.64.0.1") {
		t.Errorf("the routes are %q", got)
	}
	if got := b.must(t, "pc1", "curl", "-sS", "http://www.example.org/"); got != "hello from www.example.org" {
		t.Errorf("the page is %q", got)
	}
	began := time.Now()
	if got := b.must(t, "pc1", "sh", "-c", "curl -sS http://www.example.org/big | wc -c"); strings.TrimSpace(got) != "16777216" {
		t.Errorf("%s bytes came", got)
	}
	t.Logf("16 MiB into the guest: %.0f Mbit/s", float64(8*len(big))/1e6/time.Since(began).Seconds())
	if !b.ping(t, "pc1", "100.64.0.1") || !b.ping(t, "pc1", "198.51.100.7") {
		t.Error("no ping comes back")
	}
	for _, tt := range []struct{ command, says string }{
		{"curl -sS -m 20 http://evil.example.net/", "Could not resolve host"},
		{"bash -c 'exec 3<>/dev/tcp/192.0.2.1/80'", "No route to host"},
		{"bash -c 'exec 3<>/dev/tcp/198.51.100.7/443'", "No route to host"},
		{"bash -c 'exec 3<>/dev/tcp/169.254.169.254/80'", "No route to host"},
		{"ping -c1 -W5 192.0.2.1", "Packet filtered"},
	} {
		code, out := b.run(t, "pc1", "sh", "-c", tt.command)
		if code == 0 || !strings.Contains(out, tt.says) {
			t.Errorf("%s: %d %s; want %q", tt.command, code, out, tt.says)
		}
	}
	st, err := b.client.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u := st.Segments[0].Uplink
	if u == nil || u.Stats == nil || len(u.Stats.Denied) < 4 || !strings.Contains(u.Trouble, "192.0.2.0/24") {
		t.Errorf("the state says %+v", u)
	}
}
