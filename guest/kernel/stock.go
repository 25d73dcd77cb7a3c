package kernel

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/patchbay/patchbay/guest/apt"
	"github.com/patchbay/patchbay/guest/build"
)

const (
	stockPackage = "user-mode-linux"
	stockSuite   = "bookworm"
)

// wanted are the modules without which guestd cannot mount the image, nor
// thereby the image of the others.
var wanted = []string{"squashfs", "erofs", "overlay"}

// buildStock fetches Debian's packaged kernel. Its program is kept as it is; its
// modules become an image, since a jailed guest sees no folder of the host.
func buildStock(ctx context.Context, o Options, stage *build.Stage, progress build.Progress) (Kernel, error) {
	steps := build.NewSteps(progress, "looking for Debian's kernel", "downloading it", "unpacking it", "packing its modules", "installing")

	steps.Next()
	mirror, err := apt.System(ctx)
	if err != nil {
		return Kernel{}, err
	}
	a, err := apt.New(filepath.Join(stage.Dir, "apt"), mirror, apt.Source{URI: mirror.Archive, Suite: stockSuite})
	if err != nil {
		return Kernel{}, err
	}
	if err := a.Update(ctx); err != nil {
		return Kernel{}, err
	}

	steps.Next()
	deb, err := a.Download(ctx, apt.Version{Package: stockPackage}, stage.Dir)
	if err != nil {
		return Kernel{}, err
	}

	steps.Next()
	pack, err := stage.Folder("package")
	if err != nil {
		return Kernel{}, err
	}
	if err := build.Run(ctx, exec.Command("dpkg-deb", "-x", deb, pack), nil); err != nil {
		return Kernel{}, fmt.Errorf("unpacking the package: %w", err)
	}
	modules := filepath.Join(pack, "usr/lib/uml/modules")
	version, err := onlyFolder(modules)
	if err != nil {
		return Kernel{}, err
	}
	dir, err := stage.Folder(Stock)
	if err != nil {
		return Kernel{}, err
	}
	k := Kernel{
		Name:    Stock,
		Version: version,
		Package: strings.ReplaceAll(strings.TrimSuffix(filepath.Base(deb), ".deb"), "_", " "),
		Path:    "linux",
		Modules: "modules.squashfs",
		Args:    bootArgs(),
		Built:   time.Now().UTC().Truncate(time.Second),
	}
	doc := filepath.Join(pack, "usr/share/doc", stockPackage)
	for from, to := range map[string]string{
		filepath.Join(pack, "usr/bin/linux.uml"): k.Path,
		filepath.Join(doc, "copyright"):          "copyright",
		filepath.Join(doc, "config.gz"):          "config.gz",
	} {
		if err := os.Rename(from, filepath.Join(dir, to)); err != nil {
			return Kernel{}, fmt.Errorf("taking over Debian's kernel: %w", err)
		}
	}
	if k.Libs, err = libraries(ctx, filepath.Join(dir, k.Path)); err != nil {
		return Kernel{}, err
	}
	if k.Load, err = keepModules(filepath.Join(modules, version), dir); err != nil {
		return Kernel{}, err
	}

	steps.Next()
	image := exec.Command("mksquashfs", modules, filepath.Join(dir, k.Modules),
		"-comp", "lz4", "-all-root", "-no-xattrs", "-no-progress", "-quiet", "-mkfs-time", "0", "-all-time", "0")
	if err := build.Run(ctx, image, nil); err != nil {
		return Kernel{}, fmt.Errorf("packing the modules: %w", err)
	}

	steps.Next()
	if err := write(dir, k); err != nil {
		return Kernel{}, err
	}
	if err := stage.Install(dir, k.Name); err != nil {
		return Kernel{}, err
	}
	return Find(o.Cache, k.Name)
}

func onlyFolder(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("looking for the kernel's modules: %w", err)
	}
	if len(entries) != 1 {
		return "", fmt.Errorf("looking for the kernel's modules: %d versions in %s, want one", len(entries), dir)
	}
	return entries[0].Name(), nil
}

// libraries returns the machine's loader and libraries that a program needs.
// They are not copied: a later C library runs an older program.
func libraries(ctx context.Context, program string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "ldd", program).Output()
	if err != nil {
		return nil, fmt.Errorf("asking for the libraries of %s: %w", program, err)
	}
	libs := parseLdd(out)
	if len(libs) == 0 {
		return nil, fmt.Errorf("asking for the libraries of %s: ldd names none: %s", program, bytes.TrimSpace(out))
	}
	return libs, nil
}

// parseLdd reads "libc.so.6 => /lib/… (0x…)" and "/lib64/ld-linux… (0x…)".
func parseLdd(out []byte) []string {
	var libs []string
	for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
		for _, f := range strings.Fields(sc.Text()) {
			if strings.HasPrefix(f, "/") {
				libs = append(libs, f)
				break
			}
		}
	}
	return libs
}

// keepModules copies the wanted modules and all that they need out of tree into
// dir and returns their names below dir, in the order to load them.
func keepModules(tree, dir string) ([]string, error) {
	dep, err := os.ReadFile(filepath.Join(tree, "modules.dep"))
	if err != nil {
		return nil, fmt.Errorf("reading the modules' dependencies: %w", err)
	}
	builtin, err := os.ReadFile(filepath.Join(tree, "modules.builtin"))
	if err != nil {
		return nil, fmt.Errorf("reading the modules built in: %w", err)
	}
	order, err := loadOrder(dep, builtin, wanted)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(dir, "load"), 0o755); err != nil {
		return nil, err
	}
	var kept []string
	for _, m := range order {
		data, err := os.ReadFile(filepath.Join(tree, m))
		if err != nil {
			return nil, fmt.Errorf("keeping a module: %w", err)
		}
		name := filepath.Join("load", filepath.Base(m))
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return nil, fmt.Errorf("keeping a module: %w", err)
		}
		kept = append(kept, name)
	}
	return kept, nil
}

// loadOrder reads modules.dep, lines of "module: needs…" where needs stand in
// the reverse order of loading, and returns the files to load for names. A name
// that is built in needs no file.
func loadOrder(dep, builtin []byte, names []string) ([]string, error) {
	needs := map[string][]string{}
	files := map[string]string{}
	for sc := bufio.NewScanner(bytes.NewReader(dep)); sc.Scan(); {
		file, rest, ok := strings.Cut(sc.Text(), ":")
		if !ok {
			continue
		}
		needs[file] = strings.Fields(rest)
		files[moduleName(file)] = file
	}
	inside := map[string]bool{}
	for sc := bufio.NewScanner(bytes.NewReader(builtin)); sc.Scan(); {
		inside[moduleName(sc.Text())] = true
	}
	var order []string
	add := func(file string) {
		if !slices.Contains(order, file) {
			order = append(order, file)
		}
	}
	for _, n := range names {
		file, ok := files[n]
		if !ok && inside[n] {
			continue
		}
		if !ok {
			return nil, fmt.Errorf("the kernel has no module %s", n)
		}
		for _, d := range slices.Backward(needs[file]) {
			add(d)
		}
		add(file)
	}
	return order, nil
}

// moduleName is the kernel's word for a module's file.
func moduleName(file string) string {
	return strings.ReplaceAll(strings.TrimSuffix(filepath.Base(file), ".ko"), "-", "_")
}
