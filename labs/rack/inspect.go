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
	inspectBoot    = 8 * time.Second // of some 0.2; twice, and once without the disk, is less than a check's 30
	lookTimeout    = 10 * time.Second
)

// inspection is a copy of a node's disk in a guest that looks at it. It is an
// engine.Disk.
type inspection struct {
	node string
	dir  string
	cfg  guest.Config
	has  bool // there is a disk; else what is looked at is the image
	said sync.WaitGroup
	once sync.Once

	mu    sync.Mutex
	g     *guest.Guest // guarded by mu
	boots int          // guarded by mu
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
	if err := os.Chmod(d.dir, 0o711); err != nil {
		return err
	}
	d.cfg = guest.Config{
		Name:   n.spec.Name + " (its disk)",
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
		d.cfg.Disk = guest.Disk{Path: disk, Type: image.DiskType}
	}
	d.has = has
	_, err = d.after(ctx, nil)
	return err
}

// after gives a guest that looks at the disk, another one than was, which did
// not do it: the first, or one more try. There is no third. Whether the disk is
// to blame then is asked of a guest without it: if that comes up, so could the
// others, and the disk is the student's, who may have written onto it whatever
// holds a kernel up. If it does not either, it is our machine.
func (d *inspection) after(ctx context.Context, was *guest.Guest) (*guest.Guest, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.g != was {
		return d.g, nil // another look has had it booted
	}
	var err error
	for d.boots < 2 {
		d.stop()
		if d.g, err = d.boot(ctx, d.cfg); err == nil {
			return d.g, nil
		}
		if _, clear := errors.AsType[*engine.Unreadable](err); clear || ctx.Err() != nil || !d.has {
			return nil, err
		}
	}
	if err == nil {
		err = errors.New("the guest that looks at it does not answer")
	}
	if !d.has {
		return nil, err
	}
	d.stop()
	without := d.cfg
	without.Disk = guest.Disk{}
	g, ours := d.boot(ctx, without)
	if ours != nil {
		return nil, fmt.Errorf("%w; and without the disk: %w", err, ours)
	}
	g.Kill()
	return nil, &engine.Unreadable{Node: d.node, Reason: "What is on it holds up the kernel that is to read it, which comes up without it."}
}

// stop ends the guest that looks; d.mu is held.
func (d *inspection) stop() {
	if d.g != nil {
		d.g.Kill()
		d.g = nil
	}
}

// boot boots a guest in a folder of its own. d.mu is held.
func (d *inspection) boot(ctx context.Context, c guest.Config) (_ *guest.Guest, err error) {
	d.boots++
	c.Dir = filepath.Join(d.dir, fmt.Sprintf("run-%d", d.boots))
	if err := os.Mkdir(c.Dir, 0o711); err != nil {
		return nil, err
	}
	g, err := guest.Start(ctx, c)
	if err != nil {
		return nil, err
	}
	d.said.Go(func() { _, _ = io.Copy(io.Discard, g.Console(0)) }) // ends with the guest
	ctx, cancel := context.WithTimeout(ctx, inspectBoot)
	defer cancel()
	_, err = g.Boot(ctx)
	if err == nil {
		return g, nil
	}
	defer g.Kill()
	has := c.Disk.Path != ""
	var failed *agent.FailedError
	var boot *guest.BootError
	switch {
	case errors.As(err, &failed):
		if has {
			return nil, &engine.Unreadable{Node: d.node, Reason: failed.Reason}
		}
	case errors.As(err, &boot) && has && panicked(g):
		return nil, &engine.Unreadable{Node: d.node, Reason: "The kernel that was to read it broke down over it. " + boot.Reason}
	}
	return nil, err
}

// panicked says whether the guest ended by what it read.
func panicked(g *guest.Guest) bool {
	select {
	case <-g.Done():
		return g.Exit().Panic
	default:
		return false
	}
}

// Look is part of engine.Disk.
func (d *inspection) Look(ctx context.Context, path string, limit int) (engine.Entry, error) {
	d.mu.Lock()
	g := d.g
	d.mu.Unlock()
	e, err := d.look(ctx, g, path, limit)
	if broken, is := errors.AsType[*lookError](err); is && ctx.Err() == nil { // once more, with another guest
		if g, err = d.after(ctx, g); err == nil {
			e, err = d.look(ctx, g, path, limit)
		}
		if _, is := errors.AsType[*lookError](err); is && ctx.Err() == nil {
			_, err = d.after(ctx, g)
		}
		if err != nil {
			err = fmt.Errorf("%w (at first: %w)", err, broken)
		}
	}
	if err != nil {
		return engine.Entry{}, fmt.Errorf("inspecting the disk of %s: %w", d.node, err)
	}
	return e, nil
}

// lookError says that a guest which looks did not answer.
type lookError struct{ err error }

func (e *lookError) Error() string { return e.err.Error() }
func (e *lookError) Unwrap() error { return e.err }

func (d *inspection) look(ctx context.Context, g *guest.Guest, path string, limit int) (engine.Entry, error) {
	if g == nil {
		return engine.Entry{}, &lookError{errors.New("the guest that looks at it has ended")}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lookTimeout, errSlowDisk)
	defer cancel()
	e, err := g.Agent().Look(ctx, path, limit)
	switch {
	case err == nil:
	case context.Cause(ctx) == errSlowDisk:
		return engine.Entry{Trouble: errSlowDisk.Error()}, nil
	case brokeDown(g):
		return engine.Entry{}, &engine.Unreadable{Node: d.node, Reason: "The kernel that reads it broke down over it."}
	default:
		return engine.Entry{}, &lookError{err}
	}
	return engine.Entry{
		Exists: e.Exists, Kind: e.Kind, Mode: e.Mode, UID: e.UID, GID: e.GID, Size: e.Size,
		Data: e.Data, Names: e.Names, Link: e.Link, Changed: e.Changed, Trouble: e.Trouble,
	}, nil
}

var errSlowDisk = fmt.Errorf("it could not be read within %v", lookTimeout)

// brokeDown is panicked for when the line has ended, which is a moment before
// the guest has.
func brokeDown(g *guest.Guest) bool {
	select {
	case <-g.Done():
	case <-time.After(time.Second):
	}
	return panicked(g)
}

// Close is part of engine.Disk.
func (d *inspection) Close() error {
	var err error
	d.once.Do(func() {
		d.mu.Lock()
		d.stop()
		d.mu.Unlock()
		d.said.Wait()
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
