package rack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/patchbay/patchbay/guest/image"
)

const (
	flushTimeout = 20 * time.Second // a guest that does not write its disk in time is copied as it is
	pauseTimeout = 5 * time.Second
)

// still makes a node's disk one that can be copied: what was written before is
// on it, and the machine stands until goOn is called, which must be. A guest
// that does not do as it is told has its disk copied as it is, which is its own
// loss. Only one at a time holds a node still.
func (n *node) still(ctx context.Context) (goOn func(), err error) {
	select {
	case n.held <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the disk of %s: %w", n.spec.Name, ctx.Err())
	}
	release := func() { <-n.held }
	m, err := n.running()
	if err != nil {
		return release, nil // off, or not come up yet: nobody writes, or what a boot does
	}
	flushing, cancel := context.WithTimeout(ctx, flushTimeout)
	err = m.Flush(flushing)
	cancel()
	if gone := ctx.Err(); gone != nil { // nobody waits for the copy
		release()
		return nil, fmt.Errorf("waiting for the disk of %s: %w", n.spec.Name, gone)
	}
	if err != nil {
		n.grumbles.Do(func() { n.log.Warn("a disk is copied without having been written", "err", err) })
	}
	pausing, cancel := context.WithTimeout(ctx, pauseTimeout)
	err = m.Pause(pausing)
	cancel()
	if err != nil {
		n.grumbles.Do(func() { n.log.Warn("a disk is copied while its machine runs", "err", err) })
	}
	return func() {
		defer release()
		// Whatever became of the request, the machine must not stay as it is.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pauseTimeout)
		defer cancel()
		if err := m.Resume(ctx); err != nil {
			n.log.Warn("a machine does not go on", "err", err)
		}
	}, nil
}

// copyDisk copies the node's disk to a new file and says whether there is one
// to copy. The node is held still.
func (n *node) copyDisk(to string) (bool, error) {
	err := image.CopySparse(to, filepath.Join(n.plan.Dir, diskFile))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		if short := Shortage(err, "the copy of the disk"); short != "" {
			err = &Explained{Sentence: "The server's disk has no room for a copy of the machine's disk.", Err: err}
		}
		return false, fmt.Errorf("copying the disk of %s: %w", n.spec.Name, err)
	}
	return true, nil
}

// snapshot copies the disks of all nodes, as they are at one time, to the new
// folder dir: NODE.ext4 of each that has one. The folder is there with all of
// them or not at all.
func (r *Rack) snapshot(ctx context.Context, dir string) error {
	if !filepath.IsAbs(dir) || filepath.Clean(dir) != dir {
		return badQuery("a snapshot goes to a new folder with an absolute path, not to %q", clip(dir))
	}
	if _, err := os.Lstat(dir); err == nil {
		return badQuery("%s is there already", clip(dir))
	}
	part, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".part-")
	if err != nil {
		return fmt.Errorf("making a snapshot: %w", err)
	}
	defer os.RemoveAll(part) // there no more when it has become dir
	files, err := r.copyDisks(ctx, part)
	if err != nil {
		return fmt.Errorf("making a snapshot: %w", err)
	}
	for _, f := range files { // the machines go on meanwhile
		if err := syncFile(f); err != nil {
			return fmt.Errorf("making a snapshot: %w", err)
		}
	}
	if err := os.Rename(part, dir); err != nil {
		return fmt.Errorf("making a snapshot: %w", err)
	}
	return nil
}

func (r *Rack) copyDisks(ctx context.Context, into string) (files []string, err error) {
	r.snapping.Lock() // two that each hold some nodes would wait for each other
	defer r.snapping.Unlock()
	holds := make([]func(), len(r.nodes))
	errs := make([]error, len(r.nodes))
	var wg sync.WaitGroup
	defer func() {
		for _, goOn := range holds {
			if goOn != nil {
				wg.Go(goOn)
			}
		}
		wg.Wait()
	}()
	for i, n := range r.nodes {
		wg.Go(func() { holds[i], errs[i] = n.still(ctx) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, n := range r.nodes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		to := filepath.Join(into, n.spec.Name+".ext4")
		has, err := n.copyDisk(to)
		if err != nil {
			return nil, err
		}
		if has {
			files = append(files, to)
		}
	}
	return files, nil
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
