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

// benchMemoryCmd measures what an idle guest costs the host, and what each of
// its interfaces adds to that.
type benchMemoryCmd struct {
	Guests     int           `help:"How many guests to run at once." default:"16"`
	Runs       int           `help:"How often." default:"3"`
	Image      string        `help:"Image to boot (default: the default image)."`
	Mode       string        `help:"ptrace or seccomp." default:"ptrace" enum:"ptrace,seccomp"`
	Settle     time.Duration `help:"How long the guests idle before they are measured." default:"3s"`
	Interfaces int           `help:"Measure as many guests again that have this many interfaces each, on a switch." default:"0"`
	Traffic    int           `help:"MiB that go through each interface, either way, for the second figure." default:"64"`
	Depth      int           `help:"Frames that an interface's rings hold (default: what guests have)." default:"0"`
}

// memoryFigures are what is measured.
type memoryFigures struct{ guest, file, idle, traffic *figure }

// Run boots the guests, waits for their prompts and a while more, and reads the
// host's free memory and the guests' memory files.
func (b *benchMemoryCmd) Run(ctx context.Context, f *Folders) error {
	if b.Runs < 1 || b.Guests < 1 {
		return errors.New("measuring takes at least one run and one guest")
	}
	if b.Interfaces < 0 || b.Interfaces > 32 || b.Interfaces > 0 && (b.Guests < 2 || b.Guests > 250) {
		return errors.New("measuring interfaces takes 2 to 250 guests, with 1 to 32 of them each")
	}
	fs := memoryFigures{
		guest:   &figure{name: "memory.mib_per_guest", unit: "MiB", note: "fall of the host's available memory, by /proc/meminfo"},
		file:    &figure{name: "memory.file_mib_per_guest", unit: "MiB", note: "of these: the guest's RAM, by its memory file"},
		idle:    &figure{name: "memory.mib_per_interface", unit: "MiB", note: "of the guest's RAM: what each interface adds, set up and idle"},
		traffic: &figure{name: "memory.busy_mib_per_interface", unit: "MiB", note: fmt.Sprintf("the same after %d MiB of TCP each way, against as much on the loopback", b.Traffic)},
	}
	list := []*figure{fs.guest, fs.file}
	if b.Interfaces > 0 {
		list = append(list, fs.idle, fs.traffic)
	}
	for i := range b.Runs {
		progressf("run %d of %d: %d guests", i+1, b.Runs, b.Guests)
		if err := b.once(ctx, f, fs); err != nil {
			return err
		}
	}
	return report(list)
}

func (b *benchMemoryCmd) once(ctx context.Context, f *Folders, fs memoryFigures) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
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
	warm, err := b.boot(ctx, b.plan(spec, filepath.Join(dir, "warm")))
	if err != nil {
		return err
	}
	defer warm.Kill()
	without, err := b.without(ctx, spec, dir, fs)
	if err != nil || b.Interfaces == 0 {
		return err
	}
	with, err := b.with(ctx, spec, dir)
	if err != nil {
		return err
	}
	fs.idle.add((with.idle - without.idle) / float64(b.Interfaces))
	fs.traffic.add((with.busy - without.busy) / float64(b.Interfaces))
	return nil
}

// memoryUse is what a guest's memory file holds, in MiB.
type memoryUse struct{ idle, busy float64 }

// without measures guests that have no interface.
func (b *benchMemoryCmd) without(ctx context.Context, spec *rack.Spec, dir string, fs memoryFigures) (use memoryUse, err error) {
	before, err := meminfo("MemAvailable")
	if err != nil {
		return use, err
	}
	lot, err := b.lot(ctx, func(i int) *rack.Plan { return b.plan(spec, filepath.Join(dir, strconv.Itoa(i))) })
	defer lot.kill()
	if err != nil {
		return use, err
	}
	after, err := meminfo("MemAvailable")
	if err != nil {
		return use, err
	}
	if use.idle, err = lot.files(); err != nil {
		return use, err
	}
	fs.guest.add(float64(before-after) / float64(len(lot)) / (1 << 20))
	fs.file.add(use.idle)
	if b.Interfaces > 0 {
		for _, g := range lot {
			if err := sendTCP(ctx, g, g, "127.0.0.1", b.Traffic); err != nil {
				return use, err
			}
		}
		use.busy, err = lot.files()
	}
	return use, err
}

// memoryLot is a number of guests that run at once.
type memoryLot []*guest.Guest

// lot boots the guests and lets them settle. What it returns is to be killed,
// with an error too.
func (b *benchMemoryCmd) lot(ctx context.Context, plan func(i int) *rack.Plan) (lot memoryLot, err error) {
	for i := range b.Guests {
		g, err := b.boot(ctx, plan(i))
		if err != nil {
			return lot, err
		}
		lot = append(lot, g)
	}
	select {
	case <-time.After(b.Settle):
		return lot, nil
	case <-ctx.Done():
		return lot, ctx.Err()
	}
}

func (l memoryLot) kill() {
	for _, g := range l {
		g.Kill()
	}
}

// files is the mean of the guests' memory files, in MiB.
func (l memoryLot) files() (float64, error) {
	var sum int64
	for _, g := range l {
		n, err := sharedMemory(g.PID())
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return float64(sum) / float64(len(l)) / (1 << 20), nil
}

// plan is that of a guest without interfaces.
func (b *benchMemoryCmd) plan(spec *rack.Spec, dir string) *rack.Plan {
	n := &labs.Node{Name: "pc1", Image: b.Image, Mode: b.Mode}
	return &rack.Plan{Rack: spec, Node: n, Dir: dir, CPU: -1, Lines: consoleLines}
}

// boot starts a guest and returns when its shell has answered.
func (b *benchMemoryCmd) boot(ctx context.Context, p *rack.Plan) (*guest.Guest, error) {
	if err := os.MkdirAll(p.Dir, 0o711); err != nil {
		return nil, err
	}
	cfg, _, err := rack.GuestConfig(p)
	if err != nil {
		return nil, err
	}
	for i := range cfg.NICs {
		cfg.NICs[i].Depth = b.Depth
	}
	g, err := guest.Start(ctx, *cfg)
	if err != nil {
		return nil, err
	}
	screen := watchScreen(g.Console(0), p.Node.Name)
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
