package rack_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
)

func TestSpecCheck(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*rack.Spec)
		says  string // nothing for a good one
	}{
		{"good", func(*rack.Spec) {}, ""},
		{"id", func(s *rack.Spec) { s.ID = "Not/An/Id" }, "rack id"},
		{"no nodes", func(s *rack.Spec) { s.Topology.Nodes = nil }, "0 nodes"},
		{"too many nodes", func(s *rack.Spec) { s.Topology.Nodes = make([]labs.Node, 1000) }, "1000 nodes"},
		{"node out of its folder", func(s *rack.Spec) { s.Topology.Nodes[0].Name = "../etc" }, `node name "../etc"`},
		{"dots", func(s *rack.Spec) { s.Topology.Nodes[0].Name = ".." }, `node name ".."`},
		{"twin nodes", func(s *rack.Spec) { s.Topology.Nodes[1].Name = "pc1" }, "there twice"},
		{"mode", func(s *rack.Spec) { s.Topology.Nodes[0].Mode = "tt" }, "ptrace or seccomp"},
		{"interface out of its folder", func(s *rack.Spec) { s.Topology.Nodes[0].Interfaces[0].Name = "a/b" }, "interface name"},
		{"interface too long", func(s *rack.Spec) { s.Topology.Nodes[0].Interfaces[0].Name = strings.Repeat("e", 16) }, "interface name"},
		{"twin interfaces", func(s *rack.Spec) { s.Topology.Nodes[1].Interfaces[1].Name = "eth0" }, "twice"},
		{"unknown segment", func(s *rack.Spec) { s.Topology.Nodes[0].Interfaces[0].Segment = "wan" }, `segment "wan"`},
		{"unknown kind", func(s *rack.Spec) { s.Topology.Segments[0].Kind = "ring" }, `kind "ring"`},
		{"twin segments", func(s *rack.Spec) {
			s.Topology.Segments = append(s.Topology.Segments, s.Topology.Segments[0])
		}, "there twice"},
		{"link of three", func(s *rack.Spec) {
			s.Topology.Segments[0].Kind = labs.Link
			s.Topology.Nodes[1].Interfaces[1].Segment = "lan"
		}, "joins 2 interfaces, not 3"},
		{"no address", func(s *rack.Spec) { s.Topology.Nodes[0].Interfaces[0].MAC = "hello" }, "Ethernet"},
		{"group address", func(s *rack.Spec) { s.Topology.Nodes[0].Interfaces[0].MAC = "01:00:5e:00:00:01" }, "Ethernet"},
		{"twin addresses", func(s *rack.Spec) {
			s.Topology.Nodes[0].Interfaces[0].MAC = "02:00:00:00:00:0A"
			s.Topology.Nodes[1].Interfaces[0].MAC = "02:00:00:00:00:0a"
		}, "the address 02:00:00:00:00:0a of"},
	}
	for _, tt := range tests {
		s := &rack.Spec{ID: "r1", Topology: twoHosts()}
		tt.spoil(s)
		err := s.Check()
		if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
		}
	}
}

func TestSpecSurvivesItsFile(t *testing.T) {
	dir := t.TempDir()
	want := &rack.Spec{ID: "r1", Owner: "ann", LabSlug: "x", Title: "X", Topology: twoHosts(), Cache: "/c",
		Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	want.Topology.Nodes[0].Files = []labs.File{{Path: "/a", Mode: 0o755, Data: []byte{0, 255}}}
	if err := rack.WriteSpec(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := rack.ReadSpec(dir)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("in the folder: %v, %v", entries, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rack.json"), []byte(`{"id":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := rack.ReadSpec(dir); err == nil || !strings.Contains(err.Error(), "rack.json") {
		t.Errorf("half a file: %v", err)
	}
}

func TestFullDiskIsASentence(t *testing.T) {
	w := newWorld()
	full := &os.PathError{Op: "write", Path: "disk.ext4", Err: syscall.ENOSPC}
	w.refuse = func(string) error { return rack.Explain(full) }
	b := serve(t, twoHosts(), w)
	until(t, b.stream(t, rack.Owner), "it is said", func(st *rack.State) bool {
		return st.Nodes[0].Status == rack.Failed && strings.HasPrefix(st.Nodes[0].Reason, "The server's disk is full;")
	})
}
