package rack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/patchbay/patchbay/guest"
	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/guest/image"
	"github.com/patchbay/patchbay/guest/kernel"
	"github.com/patchbay/patchbay/labs/grade/engine"
)

const (
	inspectPattern = "inspect-*" // folders in a node's, each of one inspection
	inspectMemory  = 64 << 20
	inspectBoot    = 30 * time.Second
	lookTimeout    = 10 * time.Second
)

// inspection is a copy of a node's disk in a guest that looks at it. It is an
// engine.Disk.
type inspection struct {
	node string
	dir  string
	g    *guest.Guest
	said sync.WaitGroup
	once sync.Once
}

// openDisk copies a node's disk as it is now and has a guest of its own look at
// the copy: without a network, jailed as all are, with nothing in it of the
// student's but the disk. What is wrong with the disk itself is an
// *engine.Unreadable. The caller closes what is returned.
func (r *Rack) openDisk(ctx context.Context, name string) (*inspection, error) {
	n, err := r.node(name)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(n.plan.Dir, inspectPattern)
	if err != nil {
		return nil, fmt.Errorf("inspecting the disk of %s: %w", name, err)
	}
	d := &inspection{node: name, dir: dir}
	if err := d.open(ctx, r, n); err != nil {
		d.Close()
		return nil, fmt.Errorf("inspecting the disk of %s: %w", name, err)
	}
	return d, nil
}

func (d *inspection) open(ctx context.Context, r *Rack, n *node) error {
	cache := r.spec.Cache
	k, err := kernel.Find(cache, "")
	if err != nil {
		return err
	}
	img, err := image.Find(cache, n.spec.Image)
	if err != nil {
		return err
	}
	guestd, err := guestdPath()
	if err != nil {
		return err
	}
	initrd, err := kernel.Initrd(cache, k, guestd)
	if err != nil {
		return err
	}
	run := filepath.Join(d.dir, "run")
	if err := errors.Join(os.Chmod(d.dir, 0o711), os.Mkdir(run, 0o711)); err != nil {
		return err
	}
	c := guest.Config{
		Name: n.spec.Name + " (its disk)", Dir: run,
		Kernel: guest.Kernel{Name: k.Name, Path: k.Path, Libs: k.Libs, Args: k.Args, Seccomp: k.Seccomp},
		Initrd: initrd,
		Image:  guest.Disk{Path: img.Path, Type: img.Type},
		Memory: inspectMemory, CPU: -1, Lines: 1,
		Machine: agent.Machine{Inspect: true, TimeNanos: time.Now().UnixNano()},
		Log:     n.log,
	}
	goOn, err := n.still(ctx)
	if err != nil {
		return err
	}
	disk := filepath.Join(d.dir, diskFile)
	has, err := n.copyDisk(disk)
	goOn()
	if err != nil {
		return err
	}
	if has { // else the node was never started, and has what its image has
		c.Disk = guest.Disk{Path: disk, Type: image.DiskType}
	}
	if d.g, err = guest.Start(ctx, c); err != nil {
		return err
	}
	d.said.Go(func() { _, _ = io.Copy(io.Discard, d.g.Console(0)) }) // ends with the guest
	ctx, cancel := context.WithTimeout(ctx, inspectBoot)
	defer cancel()
	_, err = d.g.Boot(ctx)
	var failed *agent.FailedError
	var boot *guest.BootError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &failed):
		if has {
			return &engine.Unreadable{Node: d.node, Reason: failed.Reason}
		}
	case errors.As(err, &boot) && d.panicked():
		return &engine.Unreadable{Node: d.node, Reason: "The kernel that was to read it broke down over it. " + boot.Reason}
	}
	return err
}

// panicked says whether the guest ended by what it read.
func (d *inspection) panicked() bool {
	select {
	case <-d.g.Done():
		return d.g.Exit().Panic
	default:
		return false
	}
}

// Look is part of engine.Disk.
func (d *inspection) Look(ctx context.Context, path string, limit int) (engine.Entry, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lookTimeout, errSlowDisk)
	defer cancel()
	e, err := d.g.Agent().Look(ctx, path, limit)
	switch {
	case err == nil:
	case context.Cause(ctx) == errSlowDisk:
		return engine.Entry{Trouble: errSlowDisk.Error()}, nil
	case d.brokeDown():
		return engine.Entry{}, &engine.Unreadable{Node: d.node, Reason: "The kernel that reads it broke down over it."}
	default:
		return engine.Entry{}, fmt.Errorf("inspecting the disk of %s: %w", d.node, err)
	}
	return engine.Entry{
		Exists: e.Exists, Kind: e.Kind, Mode: e.Mode, UID: e.UID, GID: e.GID, Size: e.Size,
		Data: e.Data, Names: e.Names, Link: e.Link, Changed: e.Changed, Trouble: e.Trouble,
	}, nil
}

var errSlowDisk = fmt.Errorf("it could not be read within %v", lookTimeout)

// brokeDown is panicked for when the line has ended, which is a moment before
// the guest has.
func (d *inspection) brokeDown() bool {
	select {
	case <-d.g.Done():
	case <-time.After(time.Second):
	}
	return d.panicked()
}

// Close is part of engine.Disk.
func (d *inspection) Close() error {
	var err error
	d.once.Do(func() {
		if d.g != nil {
			d.g.Kill()
			d.said.Wait()
		}
		err = os.RemoveAll(d.dir)
	})
	return err
}

// sweep removes what inspections have left behind in a node's folder.
func sweep(dir string) error {
	old, err := filepath.Glob(filepath.Join(dir, inspectPattern))
	if err != nil {
		return err
	}
	for _, o := range old {
		if err := os.RemoveAll(o); err != nil {
			return fmt.Errorf("removing what an inspection left behind: %w", err)
		}
	}
	return nil
}
