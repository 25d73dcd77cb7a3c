package spawn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/spawn"
)

// The test's own program stands in for patchbay: executed as "rack --dir …" it
// serves that rack. hollowEnv chooses machines without a kernel, brokenEnv a
// rack that fails.
const (
	hollowEnv = "PATCHBAY_TEST_HOLLOW"
	brokenEnv = "PATCHBAY_TEST_BROKEN"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 6 && os.Args[1] == "rack" && os.Args[2] == "--dir" {
		if err := serve(os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, "patchbay:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func serve(dir string) error {
	switch os.Getenv(brokenEnv) {
	case "broken":
		return errors.New("the rack is broken")
	case "full":
		return spawn.Report(os.NewFile(3, "ready"), func(func()) error {
			return &os.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOSPC}
		})
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	o := rack.Options{Dir: dir}
	if os.Getenv(hollowEnv) != "" {
		o.Start = startHollow
	}
	return spawn.Report(os.NewFile(3, "ready"), func(ready func()) error { return rack.Serve(ctx, o, ready) })
}

// hollow is a machine that does nothing.
type hollow struct {
	rack.Machine
	near, far net.Conn
	done      chan struct{}
	once      sync.Once
}

func startHollow(context.Context, *rack.Plan) (rack.Machine, error) {
	h := &hollow{done: make(chan struct{})}
	h.near, h.far = net.Pipe()
	return h, nil
}

func (h *hollow) Console(int) io.ReadWriter  { return h.near }
func (h *hollow) Boot(context.Context) error { return nil }
func (h *hollow) Stop(context.Context) error { h.Kill(); return nil }
func (h *hollow) Kill()                      { h.once.Do(func() { h.far.Close(); close(h.done) }) }
func (h *hollow) Started() <-chan struct{}   { return h.done }
func (h *hollow) Done() <-chan struct{}      { return h.done }
func (h *hollow) Exit() rack.Exit            { return rack.Exit{Kind: rack.PoweredOff} }
func (h *hollow) Close()                     { h.near.Close() }

func newLocal(t *testing.T) *spawn.Local {
	t.Helper()
	t.Setenv(hollowEnv, "1")
	l := &spawn.Local{State: t.TempDir(), Cache: t.TempDir()}
	t.Cleanup(func() {
		all, err := l.List(context.Background())
		if err != nil {
			t.Error(err)
		}
		for _, info := range all {
			if err := l.Remove(context.Background(), info.Spec.ID); err != nil {
				t.Error(err)
			}
		}
		if left, err := os.ReadDir(filepath.Join(l.State, "racks")); err == nil && len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	return l
}

func spec(id string) rack.Spec {
	return rack.Spec{ID: id, Owner: "ann", LabSlug: "lab", Title: "Lab",
		Topology: labs.Topology{Nodes: []labs.Node{{Name: "pc1"}}}}
}

func TestStartFindStop(t *testing.T) {
	l, ctx := newLocal(t), t.Context()
	if _, err := l.Find(ctx, "r1"); !errors.Is(err, spawn.ErrNotFound) {
		t.Errorf("finding what is not there: %v", err)
	}
	if _, err := l.Find(ctx, "../r1"); !errors.Is(err, spawn.ErrNotFound) {
		t.Errorf("finding what is no id: %v", err)
	}
	info, err := l.Start(ctx, spec("r1"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := rack.Dial(ctx, info.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	pid, err := rack.PID(ctx, info.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if sid, err := unix.Getsid(pid); err != nil || sid != pid {
		t.Errorf("the rack %d is in session %d: %v", pid, sid, err)
	}
	// As another process, or the same after a restart, would see it.
	other := &spawn.Local{State: l.State, Cache: l.Cache}
	found, err := other.Find(ctx, "r1")
	if err != nil || !found.Running || found.Spec.Owner != "ann" || found.Spec.Cache != l.Cache || found.Spec.Created.IsZero() {
		t.Errorf("found %+v, %v", found, err)
	}
	if _, err := other.Start(ctx, spec("r1")); err != nil {
		t.Errorf("starting what runs: %v", err)
	}
	if again, err := rack.PID(ctx, info.Dir); err != nil || again != pid {
		t.Errorf("starting what runs made process %d of %d: %v", again, pid, err)
	}
	if _, err := l.Start(ctx, spec("r2")); err != nil {
		t.Fatal(err)
	}
	if err := l.Stop(ctx, "r2"); err != nil {
		t.Fatal(err)
	}
	if err := l.Stop(ctx, "r2"); err != nil {
		t.Errorf("stopping what is stopped: %v", err)
	}
	all, err := l.List(ctx)
	if err != nil || len(all) != 2 || !all[0].Running || all[1].Running {
		t.Errorf("list: %v, %v", all, err)
	}
	// A stopped rack goes on with its folder.
	mark := filepath.Join(l.Dir("r2"), "nodes", "pc1", "disk.ext4")
	if err := os.WriteFile(mark, []byte("work"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Start(ctx, spec("r2")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(mark); err != nil {
		t.Errorf("the disk: %v", err)
	}
	if err := l.Remove(ctx, "r2"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(l.Dir("r2")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the removed rack's folder: %v", err)
	}
	if err := l.Remove(ctx, "r2"); !errors.Is(err, spawn.ErrNotFound) {
		t.Errorf("removing what is not there: %v", err)
	}
}

func TestBadSpecWritesNothing(t *testing.T) {
	l := newLocal(t)
	for _, id := range []string{"", "../x", "UPPER", strings.Repeat("x", 33)} {
		if _, err := l.Start(t.Context(), spec(id)); err == nil || !strings.Contains(err.Error(), "rack id") {
			t.Errorf("id %q: %v", id, err)
		}
	}
	if entries, err := os.ReadDir(l.State); err != nil || len(entries) != 0 {
		t.Errorf("written: %v, %v", entries, err)
	}
}

func TestFailedStartSaysWhy(t *testing.T) {
	l := newLocal(t)
	t.Setenv(brokenEnv, "broken")
	_, err := l.Start(t.Context(), spec("r1"))
	if err == nil || !strings.Contains(err.Error(), "the rack is broken") || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("got: %v", err)
	}
	t.Setenv(brokenEnv, "full")
	_, err = l.Start(t.Context(), spec("r1"))
	var explained *rack.Explained
	if !errors.As(err, &explained) || explained.Sentence != "The server's disk is full; the lab can start when there is room again." {
		t.Errorf("with a full disk: %v", err)
	}
	t.Setenv(brokenEnv, "")
	l.Executable = filepath.Join(l.State, "no-such-program")
	if _, err = l.Start(t.Context(), spec("r1")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a program: %v", err)
	}
}

// A rack.json that somebody spoilt is one rack's trouble, and not for ever.
func TestSpoiltSpec(t *testing.T) {
	l, ctx := newLocal(t), t.Context()
	for _, id := range []string{"r1", "r2"} {
		if _, err := l.Start(ctx, spec(id)); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(l.Dir("r1"), "rack.json")
	theirs, err := os.ReadFile(filepath.Join(l.Dir("r2"), "rack.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"no JSON": "{", "empty": "", "another's": string(theirs), "no nodes": `{"id":"r1"}`,
		"a path for a node": strings.Replace(string(theirs), `"pc1"`, `"../pc1"`, 1),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if info, err := l.Find(ctx, "r1"); err == nil || !strings.Contains(err.Error(), "stop --remove r1") {
			t.Errorf("%s: found %+v, %v", name, info, err)
		}
		all, err := l.List(ctx)
		if len(all) != 1 || all[0].Spec.ID != "r2" || err == nil {
			t.Errorf("%s: listed %v, %v", name, all, err)
		}
		if ids, err := l.Running(ctx); err != nil || fmt.Sprint(ids) != "[r1 r2]" {
			t.Errorf("%s: running are %v, %v", name, ids, err)
		}
		if _, err := l.Start(ctx, spec("r1")); err != nil {
			t.Errorf("%s: starting what runs: %v", name, err)
		}
	}
	if err := l.Stop(ctx, "r1"); err != nil {
		t.Errorf("stopping: %v", err)
	}
	if runs, err := l.Runs(ctx, "r1"); runs || err != nil {
		t.Errorf("stopped, it runs: %v, %v", runs, err)
	}
	if _, err := l.Start(ctx, spec("r1")); err != nil {
		t.Errorf("starting: %v", err)
	}
	if _, err := l.Find(ctx, "r1"); err != nil {
		t.Errorf("after a start: %v", err)
	}
	if runs, err := l.Runs(ctx, "../racks/r1"); runs || err != nil {
		t.Errorf("a path for an id runs: %v, %v", runs, err)
	}
}

func TestStartersRace(t *testing.T) {
	l := newLocal(t)
	const starters = 12
	var wg sync.WaitGroup
	errs := make([]error, starters)
	for i := range starters {
		wg.Go(func() {
			other := &spawn.Local{State: l.State, Cache: l.Cache}
			_, errs[i] = other.Start(t.Context(), spec("r1"))
		})
	}
	wg.Go(func() { // whoever looks is not in the way
		for range 50 {
			if _, err := l.List(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	log, err := os.ReadFile(filepath.Join(l.Dir("r1"), rack.LogFile))
	if err != nil || len(log) != 0 {
		t.Errorf("the log of one quiet rack: %q, %v", log, err)
	}
}

func TestStartAndRemoveRace(t *testing.T) {
	l := newLocal(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				if _, err := l.Start(t.Context(), spec("r1")); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 5 {
				if err := l.Remove(t.Context(), "r1"); err != nil && !errors.Is(err, spawn.ErrNotFound) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestKilledRackIsStartedAgain(t *testing.T) {
	l, ctx := newLocal(t), t.Context()
	var pids []int
	for range 3 {
		info, err := l.Start(ctx, spec("r1"))
		if err != nil {
			t.Fatal(err)
		}
		pid, err := rack.PID(ctx, info.Dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, old := range pids {
			if old == pid {
				t.Fatalf("process %d is said to live again", pid)
			}
		}
		pids = append(pids, pid)
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		// Started at once: the kernel may still be clearing the old one away.
	}
	waitUntil(t, "the killed rack counts as stopped and is swept", func() bool {
		info, err := l.Find(ctx, "r1")
		if err != nil || info.Running {
			return false
		}
		left, err := rack.Leftovers(info.Dir)
		return err == nil && len(left) == 0
	})
}

func TestHangingRackIsKilled(t *testing.T) {
	l := newLocal(t)
	info, err := l.Start(t.Context(), spec("r1"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := rack.PID(t.Context(), info.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := l.Stop(short, "r1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a hanging rack stopped in no time: %v", err)
	}
	l.EndTimeout = 100 * time.Millisecond
	if err := l.Stop(t.Context(), "r1"); err != nil {
		t.Errorf("stopping a hanging rack: %v", err)
	}
	if err := unix.Kill(pid, 0); err == nil {
		waitUntil(t, "the process is gone", func() bool { return unix.Kill(pid, 0) != nil })
	}
}

func waitUntil(t *testing.T, what string, f func() bool) {
	t.Helper()
	for limit := time.Now().Add(20 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("it does not happen that %s", what)
		}
	}
}
