package probe_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/vnet/probe"
)

// What a guest serves arrives whole, though it sends in super-frames that are
// cut for the probe, and what the probe serves arrives in the guest.
func TestBulk(t *testing.T) {
	sw := newSwitch(t, "lan")
	g := boot(t, sw, "pc1", "lan")
	g.sh(t, `ip addr add 10.0.0.1/24 dev eth0; ip addr add fd00::1/64 dev eth0 nodad
		head -c 4000000 /dev/urandom > /root/f; cd /root
		(nohup python3 -m http.server --bind :: 80 >/dev/null 2>&1 &); until ss -ltn | grep -q :80; do sleep 0.05; done`)
	sum, _, _ := strings.Cut(g.sh(t, "sha256sum /root/f"), " ")
	h := attach(t, sw, "lan", "10.0.0.2/24", "fd00::2/64")
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.New()
		_, err := io.Copy(got, r.Body)
		fmt.Fprintf(w, "%x %v", got.Sum(nil), err)
	})}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listen(t, h, "10.0.0.2:80")) }()
	for _, url := range []string{"http://10.0.0.1/f", "http://[fd00::1]/f"} {
		r, err := http.NewRequestWithContext(within(t), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := h.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got := sha256.New()
		_, err = io.Copy(got, resp.Body)
		resp.Body.Close()
		if fmt.Sprintf("%x", got.Sum(nil)) != sum || err != nil {
			t.Errorf("%s did not arrive as it was sent: %v", url, err)
		}
	}
	if got := g.sh(t, "curl -s --data-binary @/root/f http://10.0.0.2/"); got != sum+" <nil>" {
		t.Errorf("the guest's upload: got %q; want %s", got, sum)
	}
	s.Close()
	if err := <-served; err != http.ErrServerClosed {
		t.Errorf("the server ended: %v", err)
	}
	_, err := h.Dial(within(t), "tcp", "10.0.0.1:81")
	fails(t, err, probe.Refused)
}
