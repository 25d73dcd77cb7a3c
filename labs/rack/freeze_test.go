package rack_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs/rack"
)

// A frozen rack takes nothing from its owner, shows all that it did, and takes
// everything again when it is thawed.
func TestFreeze(t *testing.T) {
	w := newWorld()
	b := serve(t, twoHosts(), w)
	owner, viewer := b.stream(t, rack.Owner), b.stream(t, rack.Viewer)
	settled(t, owner)
	sc, looker := attach(t, owner, rack.AttachOptions{Node: "pc1"}), attach(t, viewer, rack.AttachOptions{Node: "pc1"})
	sc.types(t, "before\r")
	sc.shows(t, "before")

	if err := b.client.Freeze(t.Context(), " "); err == nil {
		t.Error("froze without a reason")
	}
	if err := b.client.Freeze(t.Context(), "Your work is being copied."); err != nil {
		t.Fatal(err)
	}
	until(t, owner, "the state says why", func(s *rack.State) bool { return s.Frozen == "Your work is being copied." })
	sc.shows(t, "The lab takes no keys for now. Your work is being copied.")
	looker.shows(t, "Your work is being copied.")
	sc.types(t, "while frozen\r")
	for _, op := range []rack.Op{{Do: "stop"}, {Do: "reset", Node: "pc1"}, {Do: "unplug", Node: "pc1", Interface: "eth0"}} {
		if err := owner.Do(t.Context(), op); err == nil || !strings.Contains(err.Error(), "frozen") {
			t.Errorf("%s of a frozen rack: %v", op.Do, err)
		}
		if err := b.client.Do(t.Context(), op); statusOf(err) != http.StatusConflict {
			t.Errorf("%s of a frozen rack, by its API: %v", op.Do, err)
		}
	}
	if err := owner.Do(t.Context(), rack.Op{Do: "end"}); err == nil {
		t.Error("the owner ended a frozen rack")
	}
	if _, err := b.client.Exec(t.Context(), "pc1", rack.ExecRequest{Args: []string{"true"}}); statusOf(err) != http.StatusConflict {
		t.Errorf("a program in a frozen rack: %v", err)
	}
	if err := b.client.Put(t.Context(), "pc1", "/x", 0o600, strings.NewReader("x")); statusOf(err) != http.StatusConflict {
		t.Errorf("a file put into a frozen rack: %v", err)
	}
	if err := b.client.Thaw(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, owner, "the state says nothing", func(s *rack.State) bool { return s.Frozen == "" })
	sc.types(t, "after\r")
	sc.shows(t, "after")
	w.mu.Lock()
	typed := w.typed["pc1/0"].String()
	w.mu.Unlock()
	if strings.Contains(typed, "while frozen") || !strings.Contains(typed, "after") {
		t.Errorf("the machine got %q", typed)
	}
	if err := b.client.Do(t.Context(), rack.Op{Do: "restart", Node: "pc1"}); err != nil {
		t.Error(err)
	}
}

func statusOf(err error) int {
	var r *rack.Refusal
	if errors.As(err, &r) {
		return r.Status
	}
	return 0
}

// A snapshot is there whole or not at all.
func TestSnapshotFails(t *testing.T) {
	w := newWorld()
	b := serve(t, twoHosts(), w)
	settled(t, b.stream(t, rack.Owner))
	parent := t.TempDir()
	there := filepath.Join(parent, "there")
	if err := os.Mkdir(there, 0o700); err != nil {
		t.Fatal(err)
	}
	// A disk that cannot be copied.
	if err := os.MkdirAll(filepath.Join(b.dir, "nodes/pc2/disk.ext4/x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.dir, "nodes/pc1/disk.ext4"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", "relative", there, filepath.Join(parent, "a/b"), parent + "/../x", filepath.Join(parent, "new")} {
		if err := b.client.Snapshot(t.Context(), dir); err == nil {
			t.Errorf("a snapshot was made in %q", dir)
		}
	}
	left, err := os.ReadDir(parent)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if !w.pausedOnce() {
		t.Error("no machine was held still")
	}
	if n := w.heldStill(); n != 0 {
		t.Errorf("%d machines stand still for good", n)
	}
	if err := os.RemoveAll(filepath.Join(b.dir, "nodes/pc2/disk.ext4")); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := b.client.Snapshot(t.Context(), filepath.Join(parent, "new")); err != nil {
		t.Fatalf("after %v: %v", time.Since(began), err)
	}
	if data, err := os.ReadFile(filepath.Join(parent, "new/pc1.ext4")); err != nil || string(data) != "x" {
		t.Errorf("the copy is %q, %v", data, err)
	}
	if _, err := os.Stat(filepath.Join(parent, "new/pc2.ext4")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a node without a disk has one in the snapshot: %v", err)
	}
}
