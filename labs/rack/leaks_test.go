package rack_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/rack/leak"
)

// TestLeaks holds that what belongs to another student is seen on the wire and
// on consoles, once each, that the owner learns nothing of it, and that it is
// still known when the rack has ended.
func TestLeaks(t *testing.T) {
	const secret, typed, later = "k3vq9m2xw7tz4p8r", "m2xw7tz4p8rk3vq9", "w7tz4p8rk3vq9m2x"
	dir := t.TempDir()
	spec := &rack.Spec{ID: "r1", Owner: "ann", LabSlug: "two-hosts", Title: "Two hosts", Topology: twoHosts(),
		Watch: []leak.Watched{{Tag: "17 token", Kind: leak.Secret, Text: secret}, {Tag: "18 token", Kind: leak.Secret, Text: typed}}}
	if err := rack.WriteSpec(dir, spec); err != nil {
		t.Fatal(err)
	}
	b := serveAt(t, dir, newWorld().start)
	s := b.stream(t, rack.Owner)
	pc1 := b.hold(t, "pc1", "eth0")
	up(t, s, "pc1/eth0")
	wait := func(want ...string) []leak.Sighting {
		t.Helper()
		for {
			l, err := b.client.Leaks(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, x := range l.Sightings {
				got = append(got, x.Tag+" "+x.Where+" "+x.How)
			}
			if slices.Equal(got, want) {
				return l.Sightings
			}
			if len(got) > len(want) || t.Context().Err() != nil {
				t.Fatalf("seen: %q; want %q", got, want)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	pc1.send("GET /"+secret, secret)
	const first, second, third = "17 token pc1/eth0 payload", "18 token pc2 console 1 typed", "19 token pc1/eth0 payload"
	wait(first)
	screen := attach(t, s, rack.AttachOptions{Node: "pc2"})
	for _, key := range typed {
		screen.types(t, string(key))
	}
	wait(first, second)

	if err := b.client.Watch(t.Context(), []leak.Watched{{Tag: "19 token", Kind: leak.Secret, Text: later}}); err != nil {
		t.Fatal(err)
	}
	pc1.send(secret, later)
	seen := wait(first, second, third)

	state, err := b.client.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if data, err := json.Marshal(state); err != nil || strings.Contains(string(data), "token") {
		t.Errorf("the owner's state tells of it: %s, %v", data, err)
	}
	b.end(t)
	kept, err := rack.ReadLeaks(dir)
	if err != nil || !slices.Equal(kept, seen) {
		t.Errorf("kept: %+v, %v; want %+v", kept, err, seen)
	}
	if other, err := rack.ReadLeaks(filepath.Join(dir, "nodes")); other != nil || err != nil {
		t.Errorf("of a lab in which nothing was seen: %v, %v", other, err)
	}
}
