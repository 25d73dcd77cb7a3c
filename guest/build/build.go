// Package build holds what the kernel's and the image's builds have in common:
// steps that report how far they are, a lock so that two builds of one thing do
// not race, a staging folder that is installed whole or not at all, and
// commands that end with the build.
package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Lock takes the lock file at path, which it makes, for this process alone. It
// waits until the lock is free or ctx ends; waiting is called once if it has to.
// The lock goes with the process, so a killed build leaves none behind.
func Lock(ctx context.Context, path string, waiting func()) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	for first := true; ; first = false {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if first && waiting != nil {
			waiting()
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("waiting for another build: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// stagePrefix marks folders that a build works in; whatever carries it and is
// found by the next holder of the lock was left by a build that was killed.
const stagePrefix = ".build-"

// Stage is a scratch folder beside what is being built, on the same file
// system, so that the result moves into place by a rename.
type Stage struct {
	Dir    string
	parent string
}

// NewStage makes one inside parent, whose lock the caller must hold, and clears
// away what killed builds have left there. The caller must Remove it.
func NewStage(parent string) (*Stage, error) {
	old, err := filepath.Glob(filepath.Join(parent, stagePrefix+"*"))
	if err != nil {
		return nil, err
	}
	for _, o := range old {
		if err := os.RemoveAll(o); err != nil {
			return nil, fmt.Errorf("clearing away an interrupted build: %w", err)
		}
	}
	dir, err := os.MkdirTemp(parent, stagePrefix)
	if err != nil {
		return nil, fmt.Errorf("making a folder to build in: %w", err)
	}
	// Tools that build in it may drop their rights on the way.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making a folder to build in: %w", err)
	}
	return &Stage{Dir: dir, parent: parent}, nil
}

// Folder makes a folder inside the stage, readable by everybody, and returns
// its path.
func (s *Stage) Folder(name string) (string, error) {
	dir := filepath.Join(s.Dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making a folder to build in: %w", err)
	}
	return dir, nil
}

// Install moves the stage's folder src to parent/name in one step. What stood
// there before is removed afterwards; whoever has its files open keeps them.
func (s *Stage) Install(src, name string) error {
	dst := filepath.Join(s.parent, name)
	err := os.Rename(src, dst)
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
		// src then holds the old folder and goes with the stage.
		err = unix.Renameat2(unix.AT_FDCWD, src, unix.AT_FDCWD, dst, unix.RENAME_EXCHANGE)
	}
	if err != nil {
		return fmt.Errorf("installing %s: %w", dst, err)
	}
	return nil
}

// Remove deletes the stage and all that is still in it.
func (s *Stage) Remove() error {
	if err := os.RemoveAll(s.Dir); err != nil {
		return fmt.Errorf("clearing away the build: %w", err)
	}
	return nil
}

// WriteFile writes a file so that readers see it whole or not at all.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), stagePrefix)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}

// WriteNew is WriteFile, but a file that is there already stays, whatever is in
// it: a file that is replaced cannot be mounted any more by who has just
// opened it. It is for files that are named after their content.
func WriteNew(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), stagePrefix)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
