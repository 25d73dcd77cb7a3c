package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/guest/image"
	"github.com/patchbay/patchbay/guest/kernel"
	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/grade/engine"
	"github.com/patchbay/patchbay/labs/rack"
)

// recordVar names a folder for what the guests' programs print, from which
// testdata is made anew when an image changes.
const recordVar = "PATCHBAY_RECORD"

// realGuestd builds guestd of this source, once. It skips the test where there
// are no kernel and image and nobody insists.
func realGuestd(t *testing.T) (cache string) {
	t.Helper()
	cache = os.Getenv("PATCHBAY_CACHE")
	if cache == "" && os.Geteuid() == 0 {
		cache = "/var/cache/patchbay"
	} else if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(dir, "patchbay")
	}
	_, noKernel := kernel.Find(cache, "")
	_, noImage := image.Find(cache, "")
	if err := errors.Join(noKernel, noImage); err != nil {
		if os.Getenv("CI") == "" {
			t.Skipf("no real guests here: %v", err)
		}
		t.Fatal(err)
	}
	guestd := filepath.Join(t.TempDir(), "guestd")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", guestd, "../../../cmd/guestd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building guestd: %v\n%s", err, out)
	}
	t.Setenv(rack.GuestdEnv, guestd)
	return cache
}

// bench is a rack of real guests as a Target that has nodes and nothing else.
type bench struct {
	engine.Target
	client *rack.Client

	mu       sync.Mutex
	machines map[string]rack.Machine
}

func (b *bench) Node(name string) (engine.Node, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.machines[name]
	if m == nil {
		return nil, &engine.NotRunning{Node: name, Reason: "it is off"}
	}
	return recorder{m, name}, nil
}

// recorder keeps what programs print, when a folder for that is named.
type recorder struct {
	rack.Machine
	node string
}

func (r recorder) Verify(ctx context.Context, e agent.Exec) (agent.ExecResult, error) {
	res, err := r.Machine.Verify(ctx, e)
	if dir := os.Getenv(recordVar); dir != "" && err == nil {
		text := fmt.Sprintf("exit %d\nstderr %q\n%s", res.Code, res.Stderr, res.Stdout)
		_ = os.WriteFile(filepath.Join(dir, recordName(r.node, e.Args)), []byte(text), 0o644) // a wish, not a test
	}
	return res, err
}

// recordName is the file that keeps what a program printed.
func recordName(node string, args []string) string {
	name := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' {
			return c
		}
		return '_'
	}, node+" "+strings.Join(args, " "))
	return name[:min(len(name), 100)]
}

// records is a Target of what was recorded on real guests.
type records struct {
	engine.Target
	dir string
}

func (r records) Node(name string) (engine.Node, error) { return recordedNode{r.dir, name}, nil }

type recordedNode struct{ dir, name string }

func (r recordedNode) Verify(_ context.Context, e agent.Exec) (res agent.ExecResult, err error) {
	b, err := os.ReadFile(filepath.Join(r.dir, recordName(r.name, e.Args)))
	if err != nil {
		return res, err
	}
	var stderr string
	head, rest, _ := strings.Cut(string(b), "\n")
	errs, out, _ := strings.Cut(rest, "\n")
	if _, err := fmt.Sscanf(head+" "+errs, "exit %d stderr %q", &res.Code, &stderr); err != nil {
		return res, err
	}
	res.Stdout, res.Stderr = []byte(out), []byte(stderr)
	return res, nil
}

// serveReal runs a topology on real guests until the test ends.
func serveReal(t *testing.T, topo labs.Topology) *bench {
	t.Helper()
	cache := realGuestd(t)
	dir := t.TempDir()
	if err := rack.WriteSpec(dir, &rack.Spec{ID: "real", Owner: "ann", LabSlug: "real", Topology: topo, Cache: cache}); err != nil {
		t.Fatal(err)
	}
	b := &bench{machines: map[string]rack.Machine{}}
	ctx, cancel := context.WithCancel(context.Background())
	ended, ready := make(chan error, 1), make(chan struct{})
	go func() {
		ended <- rack.Serve(ctx, rack.Options{Dir: dir, Start: func(ctx context.Context, p *rack.Plan) (rack.Machine, error) {
			m, err := rack.StartGuest(ctx, p)
			if err == nil {
				b.mu.Lock()
				b.machines[p.Node.Name] = m
				b.mu.Unlock()
			}
			return m, err
		}}, func() { close(ready) })
	}()
	t.Cleanup(func() {
		cancel()
		if b.client != nil {
			b.client.Close()
		}
		if err := <-ended; err != nil {
			t.Errorf("the rack ended with: %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatalf("the rack ended at once: %v", err)
	}
	var err error
	if b.client, err = rack.Dial(ctx, dir); err != nil {
		t.Fatal(err)
	}
	for {
		s, err := b.client.State(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if s.Status == rack.Running {
			return b
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// sh runs a student's commands.
func (b *bench) sh(t *testing.T, node, script string) string {
	t.Helper()
	res, err := b.client.Exec(t.Context(), node, rack.ExecRequest{Args: []string{"sh", "-e"}, Stdin: []byte(script), Timeout: time.Minute})
	if err != nil {
		t.Fatalf("%s: %v", node, err)
	}
	if res.ExitCode != 0 {
		t.Fatalf("%s: exit code %d\n%s%s", node, res.ExitCode, res.Stdout, res.Stderr)
	}
	return string(res.Stdout)
}

// expect tries a check until it passes.
func (b *bench) expect(t *testing.T, c grade.Kinds) engine.Finding {
	t.Helper()
	var f engine.Finding
	for until := time.Now().Add(90 * time.Second); time.Now().Before(until); time.Sleep(500 * time.Millisecond) {
		var err error
		if f, err = engine.Evaluate(t.Context(), b, &grade.Check{Kinds: c}); err != nil {
			t.Fatal(err)
		}
		if f.OK {
			break
		}
	}
	return f
}
