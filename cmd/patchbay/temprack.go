package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/spawn"
)

// removeTimeout is how long a temporary rack has to end; it is killed before
// that when it must be.
const removeTimeout = 40 * time.Second

// tempRack is a rack that is there for this command alone.
type tempRack struct {
	local *spawn.Local
	id    string
	dir   string
	tie   *os.File // closed, it ends the rack
}

// startTemp starts a rack under the spec's name, or one that nobody has. Its process ends, and
// its folder goes, with this one, however this one ends.
func startTemp(ctx context.Context, f *Folders, spec rack.Spec) (*tempRack, error) {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	defer theirs.Close()
	local := localSpawn(f)
	local.Tie = theirs
	if spec.ID == "" {
		spec.ID = "check-" + strings.ToLower(rand.Text()[:12])
	}
	spec.Owner = localOwner
	t := &tempRack{local: local, id: spec.ID, dir: local.Dir(spec.ID), tie: ours}
	if _, err := local.Start(ctx, spec); err != nil {
		return nil, errors.Join(err, t.remove())
	}
	return t, nil
}

// snapshot copies its disks into a new folder and stops it.
func (t *tempRack) snapshot(ctx context.Context, dir string) error {
	client, err := rack.Dial(ctx, t.dir)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Snapshot(ctx, dir); err != nil {
		return err
	}
	return t.local.Stop(ctx, t.id)
}

// remove ends the rack and deletes all of it, even when the command is being
// interrupted.
func (t *tempRack) remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
	defer cancel()
	err := t.local.Remove(ctx, t.id)
	t.tie.Close()
	if errors.Is(err, spawn.ErrNotFound) {
		return nil
	}
	return err
}
