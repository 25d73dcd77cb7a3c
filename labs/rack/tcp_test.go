package rack_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
)

// stubborn is a connection to a program that never closes: deaf, it takes nothing
// either.
type stubborn struct {
	*net.UnixConn
	far    *net.UnixConn
	closed chan<- struct{}
	once   sync.Once
}

func (s *stubborn) Close() error {
	s.once.Do(func() { s.far.Close(); s.closed <- struct{}{} })
	return s.UnixConn.Close()
}

// letGo hears of each stubborn connection that was closed.
var letGo = make(chan struct{}, 8)

// Connect plays a program on port 80 that says who it is, and then back what it
// hears; on port 82 it is a deaf one, and no other port has one.
func (f *fake) Connect(_ context.Context, port int) (rack.Tunnel, error) {
	if port == 82 {
		near, far, err := pair()
		return &stubborn{UnixConn: near, far: far, closed: letGo}, err
	}
	if port != 80 {
		return nil, &rack.Explained{Sentence: "nothing listens on port 81.", Err: errors.New("refused")}
	}
	near, far, err := pair()
	if err != nil {
		return nil, err
	}
	f.wg.Go(func() {
		defer far.Close()
		_, _ = io.WriteString(far, f.plan.Node.Name+": ")
		_, _ = io.Copy(far, far)
	})
	return near, nil
}

// published is a rack whose pc1 publishes ports 80 to 82.
func publishedRack(t *testing.T) *bench {
	topo := twoHosts()
	topo.Nodes[0].Publish = []uint16{80, 81, 82}
	b := serve(t, topo, newWorld())
	until(t, b.stream(t, rack.Owner), "all run", nodesAre(rack.Running, "pc1", "pc2"))
	return b
}

func TestConnectIntoANode(t *testing.T) {
	b := publishedRack(t)
	c, err := rack.DialTCP(t.Context(), b.dir, "pc1", 80)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || string(got) != "pc1: hello" {
		t.Errorf("read %q, %v", got, err)
	}

	for _, tt := range []struct {
		node   string
		port   int
		status int
		says   string
	}{
		{"pc1", 22, http.StatusNotFound, "not published"},
		{"pc2", 80, http.StatusNotFound, "not published"},
		{"pc9", 80, http.StatusNotFound, "not in this rack"},
		{"pc1", 0, http.StatusBadRequest, "1 to 65535"},
		{"pc1", 65536 + 80, http.StatusBadRequest, "1 to 65535"},
		{"pc1", 81, http.StatusConflict, "nothing listens"},
	} {
		_, err := rack.DialTCP(t.Context(), b.dir, tt.node, tt.port)
		refused(t, err, tt.status, tt.says)
	}
	if err := b.client.Do(t.Context(), rack.Op{Do: "stop", Node: "pc1"}); err != nil {
		t.Fatal(err)
	}
	_, err = rack.DialTCP(t.Context(), b.dir, "pc1", 80)
	refused(t, err, http.StatusConflict, "pc1 is off")
}

// Who goes away is not kept a connection into the guest, even if the program
// there never says a word, or takes none.
func TestConnectionsEndWithTheBrowser(t *testing.T) {
	b := publishedRack(t)
	for _, tt := range []struct {
		name string
		send int // bytes
		half bool
	}{{"silent", 0, false}, {"half closed before", 10, true}, {"deaf", 8 << 20, false}} {
		c, err := rack.DialTCP(t.Context(), b.dir, "pc1", 82)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		_, _ = c.Write(make([]byte, tt.send)) // what is too much ends by the deadline
		if tt.half {
			_ = c.(interface{ CloseWrite() error }).CloseWrite()
			select {
			case <-letGo:
				t.Errorf("%s: a connection that still listens was ended", tt.name)
			case <-time.After(time.Second):
			}
		}
		c.Close()
		select {
		case <-letGo:
		case <-time.After(20 * time.Second):
			t.Errorf("%s: the connection into the guest is kept", tt.name)
		}
	}
}

// A rack ends with connections open, and they with it.
func TestConnectionsEndWithTheRack(t *testing.T) {
	b := publishedRack(t)
	c, err := rack.DialTCP(t.Context(), b.dir, "pc1", 80)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b.end(t)
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	_, err = io.ReadAll(c)
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		t.Error("the connection outlives its rack")
	}
}

// A real guest's web server is reached on its loopback, and much comes out of
// it and goes into it.
func TestRealConnection(t *testing.T) {
	b := serveReal(t, labs.Topology{Nodes: []labs.Node{{Name: "web", Publish: []uint16{80}}}})
	settled(t, b.stream(t, rack.Owner))
	_, err := rack.DialTCP(t.Context(), b.dir, "web", 80)
	refused(t, err, http.StatusConflict, "nothing listens on port 80")
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return rack.DialTCP(ctx, b.dir, "web", 80)
	}}}
	defer client.CloseIdleConnections()
	b.must(t, "web", "sh", "-c", `cd /root; echo hello >page; head -c 8000000 /dev/urandom >big; sha256sum big >sum
cat >server.py <<'END'
import hashlib, http.server
class H(http.server.SimpleHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200); self.end_headers()
        self.wfile.write(hashlib.sha256(body).hexdigest().encode())
http.server.ThreadingHTTPServer(("127.0.0.1", 80), H).serve_forever()
END
setsid python3 server.py >/dev/null 2>&1 </dev/null & sleep 1`)
	get := func(path string) string {
		t.Helper()
		for until := time.Now().Add(20 * time.Second); ; {
			resp, err := client.Get("http://web" + path)
			if err != nil && strings.Contains(err.Error(), "nothing listens") && time.Now().Before(until) {
				time.Sleep(50 * time.Millisecond) // Python takes a while to begin
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
	}
	if got := get("/page"); got != "hello\n" {
		t.Errorf("the page is %q", got)
	}
	began := time.Now()
	big := get("/big")
	t.Logf("%d bytes out of the guest: %.1f MB/s", len(big), float64(len(big))/1e6/time.Since(began).Seconds())
	if sum, _, _ := strings.Cut(get("/sum"), " "); sum != hexSum(big) {
		t.Errorf("%d bytes came, and other than the guest's", len(big))
	}
	began = time.Now()
	form := big[:200_000] // the line is slow towards the guest, see agent's pacer
	resp, err := client.Post("http://web/", "application/octet-stream", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	sum, err := io.ReadAll(resp.Body)
	t.Logf("%d bytes into the guest: %.1f MB/s", len(form), float64(len(form))/1e6/time.Since(began).Seconds())
	if err != nil || string(sum) != hexSum(form) {
		t.Errorf("the guest got something else: %q, %v", sum, err)
	}
}

func hexSum(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }
