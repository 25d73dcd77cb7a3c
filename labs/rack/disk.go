package rack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/patchbay/patchbay/guest/image"
)

// The student's disk of a node. A new one is called newDisk until the guest has
// booted on it once and so put the lab's files there; a start that is cut off
// before leaves a newDisk, which the next start throws away. A disk that the
// node is given to begin with has been booted elsewhere.
const (
	diskFile = "disk.ext4"
	newDisk  = "disk.new"
)

// discardDisk throws the student's work on a node away.
func discardDisk(dir string) error {
	for _, name := range []string{diskFile, newDisk} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return &Explained{Sentence: "The machine's old disk could not be thrown away.",
				Err: fmt.Errorf("resetting: %w", err)}
		}
	}
	return nil
}

// keepDisk makes a disk that has been booted once the student's own.
func keepDisk(dir string) error {
	if err := os.Rename(filepath.Join(dir, newDisk), filepath.Join(dir, diskFile)); err != nil {
		return fmt.Errorf("keeping the new disk: %w", err)
	}
	return nil
}

// firstDisk is what a node's disk is to be a copy of; empty when it is to be new.
func (s *Spec) firstDisk(node string) string {
	if s.Disks == "" {
		return ""
	}
	path := filepath.Join(s.Disks, node+".ext4")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return "" // it had never been started
	}
	return path
}

// prepareDisk returns the node's disk, made now when there is none that has
// been booted: a copy of first, or an empty one.
func prepareDisk(dir, cache string, size int64, first string) (path string, fresh bool, err error) {
	path = filepath.Join(dir, diskFile)
	if _, err := os.Stat(path); err == nil {
		return path, false, nil
	}
	path = filepath.Join(dir, newDisk)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", false, fmt.Errorf("throwing away a half-made disk: %w", err)
	}
	if first != "" {
		if err := image.CopySparse(path, first); err != nil {
			return "", false, fmt.Errorf("copying the disk to begin with: %w", err)
		}
		return filepath.Join(dir, diskFile), false, keepDisk(dir)
	}
	// Not to be cut short: a first disk of its size takes 50 ms, others 1 ms.
	return path, true, image.NewDisk(context.Background(), cache, size, path)
}
