// Package spawn decides where racks run. Local runs them as processes of this
// machine, detached from whoever started them, and finds them again by their
// folders.
package spawn

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/labs/rack"
)

// ErrNotFound says that there is no such rack.
var ErrNotFound = errors.New("there is no such rack")

const (
	endTimeout  = 20 * time.Second // a rack gives its guests 8 s
	goneTimeout = 5 * time.Second  // for a killed process to be gone
	lockPoll    = 5 * time.Millisecond
)

// Local runs racks as processes of this machine. It holds nothing: two Locals
// with one State folder, in two processes even, work together. Safe for
// concurrent use.
type Local struct {
	State      string // racks lie in State/racks
	Cache      string // of kernels and images, for racks that name none
	Executable string // patchbay; empty means the running program

	// EndTimeout is how long a rack has to stop all its guests, before it is
	// killed; 0 means 20 s.
	EndTimeout time.Duration

	// Tie is the reading side of a pipe. When the last writing side is closed,
	// which a process's end does however it ends, the racks that were started
	// with it end, and remove their folders. nil ties them to nothing.
	Tie *os.File
}

// Info is a rack as its folder shows it.
type Info struct {
	Spec    *rack.Spec
	Dir     string
	Running bool // its process lives
}

// Dir returns the folder of a rack, whether it is there or not.
func (l *Local) Dir(id string) string { return filepath.Join(l.State, "racks", id) }

// Start makes the rack run, and returns when its API answers; its nodes are
// then being started. A rack that runs already is left as it is. A rack that
// was there before goes on with its disks, under the spec given now. What the
// machine lacks to start it is a *rack.Explained.
func (l *Local) Start(ctx context.Context, spec rack.Spec) (*Info, error) {
	info, err := l.start(ctx, spec)
	if err == nil {
		return info, nil
	}
	if s := rack.Shortage(err, "the lab"); s != "" {
		err = &rack.Explained{Sentence: s, Err: err}
	}
	return nil, fmt.Errorf("starting rack %s: %w", spec.ID, err)
}

func (l *Local) start(ctx context.Context, spec rack.Spec) (*Info, error) {
	if spec.Cache == "" {
		spec.Cache = l.Cache
	}
	if spec.Created.IsZero() {
		spec.Created = time.Now().UTC().Truncate(time.Second)
	}
	if err := spec.Check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(l.State, "racks"), 0o700); err != nil {
		return nil, err
	}
	turn, err := l.turn(ctx, spec.ID)
	if err != nil {
		return nil, err
	}
	defer turn.Close()
	dir := l.Dir(spec.ID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// A rack that is ending keeps the lock until all its guests are gone.
	for {
		if c, err := rack.Dial(ctx, dir); err == nil {
			st, err := c.State(ctx)
			c.Close()
			if err == nil && st.Status != rack.Stopping {
				if info, err := l.Find(ctx, spec.ID); err == nil {
					return info, nil
				}
				return &Info{Spec: &spec, Dir: dir, Running: true}, nil // its rack.json was spoilt since
			}
		}
		if free(dir) {
			break
		}
		if err := pause(ctx); err != nil {
			return nil, fmt.Errorf("it runs and does not answer: %w", err)
		}
	}
	if old, err := rack.ReadSpec(dir); err == nil {
		spec.Created = old.Created
	}
	if err := rack.WriteSpec(dir, &spec); err != nil {
		return nil, err
	}
	if err := l.launch(ctx, dir); err != nil {
		return nil, err
	}
	return &Info{Spec: &spec, Dir: dir, Running: true}, nil
}

func (l *Local) turnFile(id string) string { return filepath.Join(l.State, "racks", "."+id+".turn") }

// turn makes starters and removers of one rack take turns, until the file is
// closed. It lies beside the rack's folder, since that may be removed.
func (l *Local) turn(ctx context.Context, id string) (*os.File, error) {
	for {
		f, err := l.tryTurn(id)
		if err == nil {
			return f, nil
		}
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = pause(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("waiting for its turn: %w", err)
		}
	}
}

// tryTurn is turn without waiting: it fails with EWOULDBLOCK.
func (l *Local) tryTurn(id string) (*os.File, error) {
	f, err := os.OpenFile(l.turnFile(id), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil && !l.current(f, id) {
		err = unix.EWOULDBLOCK
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// current says that the file whose lock was taken is still the one of that
// name: whoever had the turn before may have removed it.
func (l *Local) current(f *os.File, id string) bool {
	ours, err := f.Stat()
	if err != nil {
		return false
	}
	theirs, err := os.Stat(l.turnFile(id))
	return err == nil && os.SameFile(ours, theirs)
}

// pause waits a moment, or fails when ctx ends.
func pause(ctx context.Context) error {
	select {
	case <-time.After(lockPoll):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// free says that no process runs the rack in dir. A lock that cannot be looked
// at counts as taken: what follows then fails and says why.
func free(dir string) bool {
	locked, err := rack.Locked(dir)
	return err == nil && !locked
}

// Find returns the rack with that id, running or not, or ErrNotFound.
func (l *Local) Find(_ context.Context, id string) (*Info, error) {
	if !rack.ValidID(id) {
		return nil, fmt.Errorf("rack %q: %w", id, ErrNotFound)
	}
	dir := l.Dir(id)
	spec, err := rack.ReadSpec(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("rack %q: %w", id, ErrNotFound)
	}
	if err == nil {
		err = spec.Check()
	}
	if err == nil && spec.ID != id {
		err = fmt.Errorf("its rack.json is that of rack %q", spec.ID)
	}
	if err != nil {
		return nil, fmt.Errorf("rack %s cannot be read: %w; start its lab again in the browser, or throw it away with: patchbay stop --remove %s", id, err, id)
	}
	info := &Info{Spec: spec, Dir: dir, Running: !free(dir)}
	if !info.Running {
		l.sweep(id)
	}
	return info, nil
}

// sweep removes the sockets that a rack leaves behind when it is killed. It
// does nothing while somebody starts or removes the rack.
func (l *Local) sweep(id string) {
	dir := l.Dir(id)
	left, err := rack.Leftovers(dir)
	if err != nil || len(left) == 0 {
		return
	}
	turn, err := l.tryTurn(id)
	if err != nil {
		return
	}
	defer turn.Close()
	if !free(dir) {
		return
	}
	for _, path := range left {
		_ = os.Remove(path) // the next start does it otherwise
	}
}

// List returns every rack, by id. A folder that cannot be read is passed over
// and named in the error, beside the others.
func (l *Local) List(ctx context.Context) ([]*Info, error) {
	entries, err := os.ReadDir(filepath.Join(l.State, "racks"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing racks: %w", err)
	}
	var all []*Info
	var errs []error
	for _, e := range entries {
		if !e.IsDir() || !rack.ValidID(e.Name()) {
			continue
		}
		switch info, err := l.Find(ctx, e.Name()); {
		case errors.Is(err, ErrNotFound): // being made, or removed
		case err != nil:
			errs = append(errs, err)
		default:
			all = append(all, info)
		}
	}
	slices.SortFunc(all, func(a, b *Info) int { return strings.Compare(a.Spec.ID, b.Spec.ID) })
	return all, errors.Join(errs...)
}

// Runs says whether the process of the rack with that id lives. It needs the
// rack's lock alone, so a spec that cannot be read does not get in its way.
func (l *Local) Runs(_ context.Context, id string) (bool, error) {
	if !rack.ValidID(id) {
		return false, nil
	}
	return rack.Locked(l.Dir(id))
}

// Running lists the ids of the racks whose processes live, in order.
func (l *Local) Running(ctx context.Context) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(l.State, "racks")) // by name
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing racks: %w", err)
	}
	var ids []string
	for _, e := range entries {
		runs, err := l.Runs(ctx, e.Name())
		if err != nil {
			return nil, fmt.Errorf("listing racks: %w", err)
		}
		if runs {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// Stop ends the rack and waits until its process is gone; the students' disks
// stay. One that does not end in time is killed, and its guests with it. A rack
// that does not run is no error.
func (l *Local) Stop(ctx context.Context, id string) error {
	dir := l.Dir(id)
	if !rack.ValidID(id) {
		return fmt.Errorf("stopping rack %q: %w", id, ErrNotFound)
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("stopping rack %q: %w", id, ErrNotFound)
	}
	if free(dir) {
		l.sweep(id)
		return nil
	}
	if err := l.end(ctx, dir); err != nil {
		return fmt.Errorf("stopping rack %s: %w", id, err)
	}
	return nil
}

func (l *Local) end(ctx context.Context, dir string) error {
	patience := l.EndTimeout
	if patience == 0 {
		patience = endTimeout
	}
	soon, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := rack.Dial(soon, dir)
	if err == nil {
		err = c.Do(soon, rack.Op{Do: "end"})
		c.Close()
	}
	// One that does not listen any more, or hangs up, is ending already.
	if gone(soon, dir) == nil {
		return nil
	}
	if ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	pid, pidErr := rack.PID(ctx, dir)
	if pidErr != nil {
		return errors.Join(err, pidErr)
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("killing process %d: %w", pid, err)
	}
	last, cancel := context.WithTimeout(ctx, goneTimeout)
	defer cancel()
	return gone(last, dir)
}

// gone waits until no process runs the rack in dir.
func gone(ctx context.Context, dir string) error {
	for !free(dir) {
		if err := pause(ctx); err != nil {
			return fmt.Errorf("waiting for its process to end: %w", err)
		}
	}
	return nil
}

// Remove stops the rack and deletes its folder, the students' disks with it.
func (l *Local) Remove(ctx context.Context, id string) error {
	if !rack.ValidID(id) {
		return fmt.Errorf("removing rack %q: %w", id, ErrNotFound)
	}
	dir := l.Dir(id)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing rack %q: %w", id, ErrNotFound)
	}
	turn, err := l.turn(ctx, id)
	if err != nil {
		return fmt.Errorf("removing rack %s: %w", id, err)
	}
	defer turn.Close()
	if !free(dir) {
		if err := l.end(ctx, dir); err != nil {
			return fmt.Errorf("removing rack %s: %w", id, err)
		}
	}
	if err := errors.Join(os.RemoveAll(dir), os.Remove(turn.Name())); err != nil {
		return fmt.Errorf("removing rack %s: %w", id, err)
	}
	return nil
}
