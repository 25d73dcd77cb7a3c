package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/patchbay/patchbay/guest"
	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
)

// benchMemoryCmd measures what an idle guest costs the host.
type benchMemoryCmd struct {
	Guests int           `help:"How many guests to run at once." default:"16"`
	Runs   int           `help:"How often." default:"3"`
	Image  string        `help:"Image to boot (default: the default image)."`
	Mode   string        `help:"ptrace or seccomp." default:"ptrace" enum:"ptrace,seccomp"`
	Settle time.Duration `help:"How long the guests idle before they are measured." default:"3s"`
}

// Run boots the guests, waits for their prompts and a while more, and reads the
// host's free memory and the guests' memory files.
func (b *benchMemoryCmd) Run(ctx context.Context, f *Folders) error {
	if b.Runs < 1 || b.Guests < 1 {
		return errors.New("measuring takes at least one run and one guest")
	}
	all := &figure{name: "memory.mib_per_guest", unit: "MiB", note: "fall of the host's available memory, by /proc/meminfo"}
	file := &figure{name: "memory.file_mib_per_guest", unit: "MiB", note: "of these: the guest's RAM, by its memory file"}
	for i := range b.Runs {
		progressf("run %d of %d: %d guests", i+1, b.Runs, b.Guests)
		if err := b.once(ctx, f, all, file); err != nil {
			return err
		}
	}
	return report([]*figure{all, file})
}

func (b *benchMemoryCmd) once(ctx context.Context, f *Folders, all, file *figure) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "patchbay-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		return err
	}
	spec := &rack.Spec{ID: "bench", Cache: f.Cache}
	// One first, so that the host's page cache holds kernel and image before
	// the count begins.
	warm, err := b.boot(ctx, spec, filepath.Join(dir, "warm"))
	if err != nil {
		return err
	}
	defer warm.Kill()
	before, err := meminfo("MemAvailable")
	if err != nil {
		return err
	}
	var guests []*guest.Guest
	defer func() {
		for _, g := range guests {
			g.Kill()
		}
	}()
	for i := range b.Guests {
		g, err := b.boot(ctx, spec, filepath.Join(dir, strconv.Itoa(i)))
		if err != nil {
			return err
		}
		guests = append(guests, g)
	}
	select {
	case <-time.After(b.Settle):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := meminfo("MemAvailable")
	if err != nil {
		return err
	}
	var files int64
	for _, g := range guests {
		n, err := sharedMemory(g.PID())
		if err != nil {
			return err
		}
		files += n
	}
	n := float64(len(guests)) * (1 << 20)
	all.add(float64(before-after) / n)
	file.add(float64(files) / n)
	return nil
}

// boot starts a guest and returns when its shell has answered.
func (b *benchMemoryCmd) boot(ctx context.Context, spec *rack.Spec, dir string) (*guest.Guest, error) {
	if err := os.Mkdir(dir, 0o711); err != nil {
		return nil, err
	}
	n := &labs.Node{Name: "pc1", Image: b.Image, Mode: b.Mode}
	cfg, _, err := rack.GuestConfig(&rack.Plan{Rack: spec, Node: n, Dir: dir, CPU: -1, Lines: consoleLines})
	if err != nil {
		return nil, err
	}
	g, err := guest.Start(ctx, *cfg)
	if err != nil {
		return nil, err
	}
	screen := watchScreen(g.Console(0), n.Name)
	drain(g, 1)
	_, err = g.Boot(ctx)
	if err == nil {
		_, err = screen.prompt(ctx)
	}
	if err == nil {
		err = screen.prove(ctx, g.Console(0))
	}
	if err != nil {
		g.Kill()
		return nil, err
	}
	return g, nil
}

// meminfo reads a line of /proc/meminfo, in bytes.
func meminfo(key string) (int64, error) { return readKilobytes("/proc/meminfo", key) }

// sharedMemory is how much of its memory file a guest's kernel has in use, in
// bytes: the kernel maps all that the guest has ever touched.
func sharedMemory(pid int) (int64, error) {
	return readKilobytes(fmt.Sprintf("/proc/%d/status", pid), "RssShmem")
}

func readKilobytes(path, key string) (int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, key+":"); ok {
			words := strings.Fields(v)
			if len(words) == 0 {
				break
			}
			kb, err := strconv.ParseInt(words[0], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("reading %s of %s: %w", key, path, err)
			}
			return kb << 10, nil
		}
	}
	return 0, fmt.Errorf("reading %s: %w", path, errors.New("no line "+key))
}
