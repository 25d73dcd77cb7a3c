package web_test

import (
	"context"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs/rack/leak"
)

const personalYAML = `title: Of your own
parameters:
  lan: {network: 10.0.0.0/8, length: 24, distinct: true}
  token: {secret: 16}
nodes:
  pc1:
    interfaces:
      eth0: {segment: lan, addresses: ["((lan.1))/((lan.length))"]}
segments:
  lan: switch
`

// TestPersonal holds that each student has a lab of their own, always the
// same, and that what is another's and seen there comes to the staff alone.
func TestPersonal(t *testing.T) {
	s, _ := newLibrarySite(t)
	ctx := context.Background()
	courses, err := s.db.CoursesOf(ctx, s.find("ivan").ID)
	s.must(err)
	s.must(s.db.Enrol(ctx, courses[0].ID, s.find("bob").ID, false))
	s.as("ivan").send("x.zip", archiveOf(t, map[string]string{
		"static-routing/lab.yaml": personalYAML,
		"static-routing/guide.md": "# Do\n\nYour network is LAN((lan)), your token TOKEN((token)).\n",
	})).wants(t, http.StatusSeeOther)

	found := regexp.MustCompile(`LAN([0-9./]+), your token TOKEN([a-z2-9]{16})\.`)
	guide := func(b *browser) (lan, token string) {
		t.Helper()
		page := b.get("/labs/static-routing")
		m := found.FindStringSubmatch(page.body)
		if m == nil {
			t.Fatalf("no values in the guide:\n%s", page.body)
		}
		return m[1], m[2]
	}
	ada, bob := s.as("ada"), s.as("bob")
	adaLAN, adaToken := guide(ada)
	bobLAN, bobToken := guide(bob)
	if adaLAN == bobLAN || adaToken == bobToken {
		t.Errorf("ada and bob share %s or %s", adaLAN, adaToken)
	}
	if lan, token := guide(ada); lan != adaLAN || token != adaToken {
		t.Error("ada's lab has changed")
	}

	id := s.startLab()
	spec, err := s.racks.spec(id)
	s.must(err)
	if got, want := spec.Topology.Nodes[0].Interfaces[0].Addresses[0], netip.MustParsePrefix(adaLAN).Addr().Next().String()+"/24"; got != want {
		t.Errorf("ada's pc1 has %s; want %s", got, want)
	}
	var tags []string
	for _, w := range spec.Watch {
		if w.Text == adaToken || w.Text == adaLAN {
			t.Errorf("ada's own %s is looked for in her lab", w.Kind)
		}
		if w.Text == bobToken && w.Kind == leak.Secret || w.Text == bobLAN && w.Kind == leak.Network {
			tags = append(tags, w.Tag)
		}
	}
	if len(tags) != 2 {
		t.Fatalf("bob's values are not looked for: %+v", spec.Watch)
	}
	slices.Sort(tags)

	s.racks.mu.Lock()
	s.racks.leaks = map[string][]leak.Sighting{id: {
		{Tag: tags[1], Kind: leak.Secret, Time: time.Unix(1e9, 0), Where: "pc1 console 1", How: "typed"},
		{Tag: "user 999 token", Kind: leak.Secret, Time: time.Unix(1e9, 0), Where: "pc1 console 1", How: "typed"}, // of another course
	}}
	s.racks.mu.Unlock()
	path := "/courses/1/leaks"
	s.as("ivan").get(path).wants(t, http.StatusOK, "ada", "bob", "secret", "token", "pc1 console 1, typed")
	var rows []struct {
		Rack      string
		SeenWith  []string `json:"seen_with"`
		BelongsTo []string `json:"belongs_to"`
	}
	s.script("ivan").api(http.MethodGet, "/api/v1"+path, nil, &rows).wants(t, http.StatusOK)
	if len(rows) != 1 || rows[0].Rack != id || !slices.Equal(rows[0].SeenWith, []string{"ada"}) || !slices.Equal(rows[0].BelongsTo, []string{"bob"}) {
		t.Errorf("rows: %+v", rows)
	}
	for _, b := range []*browser{ada, bob, s.as("iris")} {
		b.get(path).wants(t, http.StatusNotFound)
		b.get("/api/v1"+path).wants(t, http.StatusNotFound)
	}
	if state := ada.get("/api/v1/racks/" + id); strings.Contains(state.body, "user ") || strings.Contains(state.body, bobToken) {
		t.Errorf("ada's rack tells of bob:\n%s", state.body)
	}
}
