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
// before leaves a newDisk, which the next start throws away.
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

// prepareDisk returns the node's disk, made now when there is none that has
// been booted.
func prepareDisk(dir, cache string, size int64) (path string, fresh bool, err error) {
	path = filepath.Join(dir, diskFile)
	if _, err := os.Stat(path); err == nil {
		return path, false, nil
	}
	path = filepath.Join(dir, newDisk)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", false, fmt.Errorf("throwing away a half-made disk: %w", err)
	}
	// Not to be cut short: a first disk of its size takes 50 ms, others 1 ms.
	return path, true, image.NewDisk(context.Background(), cache, size, path)
}
