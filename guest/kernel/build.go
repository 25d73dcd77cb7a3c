package kernel

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/patchbay/patchbay/guest/apt"
	"github.com/patchbay/patchbay/guest/build"
)

// Options say what to build and where.
type Options struct {
	Cache  string   // the cache folder; kernels lie in its kernels/
	Name   string   // empty for Patchbay's own, or Stock
	Update bool     // ask the mirror for a newer version even if there is one in the cache
	Jobs   int      // compilers at once; 0 for one per CPU
	Suites []string // Debian suites to look in, the preferred first; nil for the default
}

// suites that carry a kernel new enough. Backports come first: of equal
// versions theirs is the one made to be built on a stable release.
var suites = []string{"trixie-backports", "testing", "sid"}

// Build returns the kernel that o asks for, building it if the cache has none.
// One in the cache is returned without a look at the network. Builds of one
// cache wait for each other; an interrupted one leaves nothing behind.
func Build(ctx context.Context, o Options, progress build.Progress) (Kernel, error) {
	if o.Name != "" && o.Name != Stock {
		return Kernel{}, fmt.Errorf("kernel %q cannot be built: leave the name out for Patchbay's own, or say %s", o.Name, Stock)
	}
	if k, ok := cached(o); ok {
		return k, nil
	}
	if err := os.MkdirAll(folder(o.Cache), 0o755); err != nil {
		return Kernel{}, fmt.Errorf("making the cache: %w", err)
	}
	waiting := func() {
		if progress != nil {
			progress(build.Step{Name: "waiting for another build", Number: 1, Of: 1, Done: -1})
		}
	}
	release, err := build.Lock(ctx, filepath.Join(folder(o.Cache), ".lock"), waiting)
	if err != nil {
		return Kernel{}, err
	}
	defer release()
	// The build that was waited for may have been this one.
	if k, ok := cached(o); ok {
		return k, nil
	}
	stage, err := build.NewStage(folder(o.Cache))
	if err != nil {
		return Kernel{}, err
	}
	defer stage.Remove()
	if o.Name == Stock {
		return buildStock(ctx, o, stage, progress)
	}
	return buildOwn(ctx, o, stage, progress)
}

func cached(o Options) (Kernel, bool) {
	if o.Update {
		return Kernel{}, false
	}
	k, err := Find(o.Cache, o.Name)
	if err != nil {
		return Kernel{}, false
	}
	if o.Name == Stock {
		return k, true
	}
	hash, err := configHash()
	return k, err == nil && strings.HasSuffix(k.Name, hash)
}

func buildOwn(ctx context.Context, o Options, stage *build.Stage, progress build.Progress) (Kernel, error) {
	steps := build.NewSteps(progress, "looking for the newest source", "downloading it", "unpacking it",
		"applying patches", "configuring", "compiling", "installing")

	steps.Next()
	hash, err := configHash()
	if err != nil {
		return Kernel{}, err
	}
	mirror, err := apt.System(ctx)
	if err != nil {
		return Kernel{}, err
	}
	var sources []apt.Source
	look := o.Suites
	if look == nil {
		look = suites
	}
	for _, s := range look {
		sources = append(sources, apt.Source{URI: mirror.Archive, Suite: s})
	}
	a, err := apt.New(filepath.Join(stage.Dir, "apt"), mirror, sources...)
	if err != nil {
		return Kernel{}, err
	}
	if err := a.Update(ctx); err != nil {
		return Kernel{}, err
	}
	offered, err := a.Search(ctx, "linux-source-")
	if err != nil {
		return Kernel{}, err
	}
	source, version, err := newest(offered)
	if err != nil {
		return Kernel{}, fmt.Errorf("looking in %s of %s: %w", strings.Join(look, ", "), mirror.Archive, err)
	}
	name := prefix + version + "-" + hash
	if k, err := Find(o.Cache, name); err == nil {
		return k, nil
	}

	steps.Next()
	deb, err := a.Download(ctx, source, stage.Dir)
	if err != nil {
		return Kernel{}, err
	}

	steps.Next()
	tree, copyright, err := unpack(ctx, deb, source.Package, stage)
	if err != nil {
		return Kernel{}, err
	}

	steps.Next()
	if err := applyPatches(ctx, tree); err != nil {
		return Kernel{}, err
	}

	steps.Next()
	if err := configure(ctx, tree); err != nil {
		return Kernel{}, err
	}

	steps.Next()
	if err := compile(ctx, tree, o.Jobs, steps.Done); err != nil {
		return Kernel{}, err
	}

	steps.Next()
	k := Kernel{
		Name:    name,
		Version: version,
		Package: source.Package + " " + source.Version,
		Path:    "linux",
		Static:  true,
		Seccomp: true,
		Offload: true,
		Carrier: true,
		Args:    bootArgs(),
		Built:   time.Now().UTC().Truncate(time.Second),
	}
	dir, err := stage.Folder(name)
	if err != nil {
		return Kernel{}, err
	}
	strip := exec.Command("strip", "-o", filepath.Join(dir, k.Path), filepath.Join(tree, "linux"))
	if err := build.Run(ctx, strip, nil); err != nil {
		return Kernel{}, err
	}
	if err := os.Rename(filepath.Join(tree, ".config"), filepath.Join(dir, "config")); err != nil {
		return Kernel{}, fmt.Errorf("keeping the configuration: %w", err)
	}
	if err := os.Rename(copyright, filepath.Join(dir, "copyright")); err != nil {
		return Kernel{}, fmt.Errorf("keeping the licence: %w", err)
	}
	if err := write(dir, k); err != nil {
		return Kernel{}, err
	}
	if err := stage.Install(dir, name); err != nil {
		return Kernel{}, err
	}
	return Find(o.Cache, name)
}

// unpack returns the folder of the source tree and the file of its licence.
func unpack(ctx context.Context, deb, pkg string, stage *build.Stage) (tree, copyright string, err error) {
	pack, err := stage.Folder("package")
	if err != nil {
		return "", "", err
	}
	if err := build.Run(ctx, exec.Command("dpkg-deb", "-x", deb, pack), nil); err != nil {
		return "", "", fmt.Errorf("unpacking the package: %w", err)
	}
	src, err := stage.Folder("source")
	if err != nil {
		return "", "", err
	}
	archive := filepath.Join(pack, "usr/src", pkg+".tar.xz")
	tar := exec.Command("tar", "--extract", "--no-same-owner", "--strip-components=1",
		"--use-compress-program=xz --threads=0", "--file="+archive, "--directory="+src)
	if err := build.Run(ctx, tar, nil); err != nil {
		return "", "", fmt.Errorf("unpacking the source: %w", err)
	}
	return src, filepath.Join(pack, "usr/share/doc", pkg, "copyright"), nil
}

// applyPatches fails on the first hunk that does not fit as it is.
func applyPatches(ctx context.Context, tree string) error {
	names, err := series(patches)
	if err != nil {
		return err
	}
	for _, name := range names {
		f, err := patches.Open(name)
		if err != nil {
			return fmt.Errorf("reading the patches: %w", err)
		}
		cmd := exec.Command("patch", "-p1", "--forward", "--batch", "--fuzz=0", "--directory="+tree)
		cmd.Stdin = f
		err = build.Run(ctx, cmd, nil)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s does not fit this source: %w", name, err)
		}
	}
	return nil
}

// configure makes .config out of tinyconfig and the fragment and holds the
// outcome against the fragment.
func configure(ctx context.Context, tree string) error {
	if err := build.Run(ctx, makeCommand(tree, "tinyconfig"), nil); err != nil {
		return fmt.Errorf("configuring: %w", err)
	}
	file := filepath.Join(tree, ".config")
	tiny, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("configuring: %w", err)
	}
	// kconfig takes the last value of an option that comes twice.
	if err := os.WriteFile(file, append(tiny, fragment...), 0o644); err != nil {
		return fmt.Errorf("configuring: %w", err)
	}
	if err := build.Run(ctx, makeCommand(tree, "olddefconfig"), nil); err != nil {
		return fmt.Errorf("configuring: %w", err)
	}
	made, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("configuring: %w", err)
	}
	wish, err := parseConfig(fragment)
	if err != nil {
		return fmt.Errorf("fragment.config: %w", err)
	}
	got, err := parseConfig(made)
	if err != nil {
		return fmt.Errorf("reading the configuration made: %w", err)
	}
	return checkConfig(wish, got)
}

// compiledFiles is how many files the compiler is run on, near enough to show
// progress: 1592 for linux 7.3.
const compiledFiles = 1600

func compile(ctx context.Context, tree string, jobs int, done func(float64)) error {
	if jobs <= 0 {
		jobs = runtime.NumCPU()
	}
	n := 0
	err := build.Run(ctx, makeCommand(tree, fmt.Sprintf("-j%d", jobs), "linux"), func(line string) {
		if strings.HasPrefix(line, "  CC ") {
			n++
			done(float64(n) / compiledFiles)
		}
	})
	if err != nil {
		return fmt.Errorf("compiling: %w", err)
	}
	return nil
}

// makeCommand fixes what would make two builds of one source differ.
func makeCommand(tree string, args ...string) *exec.Cmd {
	cmd := exec.Command("make", append([]string{"-C", tree, "ARCH=um",
		"KBUILD_BUILD_USER=patchbay", "KBUILD_BUILD_HOST=patchbay", "KBUILD_BUILD_TIMESTAMP=1970-01-01"}, args...)...)
	cmd.Env = cleanEnv()
	return cmd
}

// cleanEnv keeps a make that this program may itself run under, and the user's
// compiler flags, out of the kernel's build.
func cleanEnv() []string {
	env := []string{"LC_ALL=C"}
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "PATH", "HOME", "TMPDIR", "USER":
			env = append(env, v)
		}
	}
	return env
}
