package rack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"

	"github.com/patchbay/patchbay/labs/rack/leak"
)

// Leaks is what of other students was seen in this lab.
type Leaks struct {
	Sightings []leak.Sighting `json:"sightings"`        // the first one first
	Missed    uint64          `json:"missed,omitempty"` // frames that came too fast to be looked at, since the rack's start
}

// ReadLeaks reads what was seen in the lab in dir, whether it runs or not.
func ReadLeaks(dir string) ([]leak.Sighting, error) {
	return leak.Read(filepath.Join(dir, leaksFile))
}

// ports lists the ports of the lab's own cables.
func (r *Rack) ports() []string {
	var all []string
	for _, n := range r.nodes {
		for _, f := range n.spec.Interfaces {
			all = append(all, portName(n.spec.Name, f.Name))
		}
	}
	return all
}

// networks are those that the lab itself gives its interfaces addresses of.
func (s *Spec) networks() []netip.Prefix {
	var all []netip.Prefix
	for i := range s.Topology.Nodes {
		for _, f := range s.Topology.Nodes[i].Interfaces {
			for _, a := range f.Addresses {
				if p, err := netip.ParsePrefix(a); err == nil {
					all = append(all, p.Masked())
				}
			}
		}
	}
	return all
}

// maxWatchBody is enough for leak.MaxWatched of 200 bytes each.
const maxWatchBody = 4 << 20

func (r *Rack) handleWatch(w http.ResponseWriter, q *http.Request) error {
	var all []leak.Watched
	if err := json.NewDecoder(http.MaxBytesReader(w, q.Body, maxWatchBody)).Decode(&all); err != nil {
		return fmt.Errorf("reading the request: %w: %w", ErrBadOp, err)
	}
	r.leaks.Set(all)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Leaks asks what of other students was seen.
func (c *Client) Leaks(ctx context.Context) (*Leaks, error) {
	var l Leaks
	if err := c.call(ctx, http.MethodGet, "/v1/leaks", nil, &l); err != nil {
		return nil, fmt.Errorf("asking for leaks: %w", err)
	}
	return &l, nil
}

// Watch says what is looked for from now on, until the rack is started anew.
func (c *Client) Watch(ctx context.Context, all []leak.Watched) error {
	if err := c.call(ctx, http.MethodPut, "/v1/watch", all, nil); err != nil {
		return fmt.Errorf("saying what to look for: %w", err)
	}
	return nil
}
