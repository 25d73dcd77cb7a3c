package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/patchbay/patchbay/guest/apt"
	"github.com/patchbay/patchbay/guest/build"
)

// Options say what to build and where.
type Options struct {
	Cache  string // the cache folder; images lie in its images/
	Recipe string // name of a built-in recipe or path of a file; empty for the default
	Update bool   // build anew, with the newest packages, even if the cache has one
}

// Build returns the image of a recipe, building it if the cache has none of
// exactly this recipe. It runs as root or as an ordinary user, who then needs
// user namespaces and subordinate uids. Builds of one cache wait for each
// other; an interrupted one leaves nothing behind.
func Build(ctx context.Context, o Options, progress build.Progress) (Image, error) {
	r, err := LoadRecipe(o.Recipe)
	if err != nil {
		return Image{}, err
	}
	hash, err := r.Hash()
	if err != nil {
		return Image{}, err
	}
	name := r.Name + "-" + hash
	cached := func() (Image, bool) {
		m, err := read(filepath.Join(folder(o.Cache), name))
		return m, err == nil && !o.Update
	}
	if m, ok := cached(); ok {
		return m, nil
	}
	if err := checkTools(r); err != nil {
		return Image{}, err
	}
	if err := os.MkdirAll(folder(o.Cache), 0o755); err != nil {
		return Image{}, fmt.Errorf("making the cache: %w", err)
	}
	waiting := func() {
		if progress != nil {
			progress(build.Step{Name: "waiting for another build", Number: 1, Of: 1, Done: -1})
		}
	}
	release, err := build.Lock(ctx, filepath.Join(folder(o.Cache), ".lock"), waiting)
	if err != nil {
		return Image{}, err
	}
	defer release()
	if m, ok := cached(); ok {
		return m, nil
	}
	stage, err := build.NewStage(folder(o.Cache))
	if err != nil {
		return Image{}, err
	}
	defer stage.Remove()

	steps := build.NewSteps(progress, "looking for a mirror", "installing packages", "packing the file system", "installing")
	steps.Next()
	mirror, err := apt.System(ctx)
	if err != nil {
		return Image{}, err
	}

	steps.Next()
	dir, err := stage.Folder(name)
	if err != nil {
		return Image{}, err
	}
	tree := filepath.Join(stage.Dir, "root.tar")
	manifest := filepath.Join(dir, manifestFile)
	if err := bootstrap(ctx, r, mirror, stage.Dir, tree, manifest, steps.Done); err != nil {
		return Image{}, err
	}

	steps.Next()
	if err := pack(ctx, r, tree, filepath.Join(dir, rootFile(r.FileSystem)), stage.Dir); err != nil {
		return Image{}, err
	}

	steps.Next()
	if err := describe(dir, r, hash); err != nil {
		return Image{}, err
	}
	if err := stage.Install(dir, name); err != nil {
		return Image{}, err
	}
	return read(filepath.Join(folder(o.Cache), name))
}

// checkTools finds what is missing before minutes have gone by.
func checkTools(r Recipe) error {
	tools := map[string]string{"mmdebstrap": "mmdebstrap", "dpkg-deb": "dpkg"}
	switch r.FileSystem {
	case "erofs":
		tools["mkfs.erofs"] = "erofs-utils"
	case "squashfs":
		tools["sqfstar"] = "squashfs-tools"
	}
	if os.Geteuid() != 0 {
		tools["newuidmap"] = "uidmap"
	}
	for tool, pkg := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is missing: install the package %s", tool, pkg)
		}
	}
	if os.Geteuid() == 0 {
		return nil
	}
	u, err := user.Current()
	if err != nil {
		return fmt.Errorf("asking who I am: %w", err)
	}
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		data, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("looking for subordinate ids: %w", err)
		}
		if !hasSubordinates(string(data), u.Username, u.Uid) {
			return fmt.Errorf("%s gives %s no subordinate ids: let root run \"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s\"", file, u.Username, u.Username)
		}
	}
	return nil
}

// hasSubordinates looks for a line name:first:count with a count large enough
// for the users of a Debian system.
func hasSubordinates(file, name, uid string) bool {
	for line := range strings.Lines(file) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 3 || f[0] != name && f[0] != uid {
			continue
		}
		if n, err := strconv.Atoi(f[2]); err == nil && n >= 65536 {
			return true
		}
	}
	return false
}

// bootstrap has mmdebstrap make the tree, as a tar archive: that keeps owners
// and capabilities without anybody having to be root.
func bootstrap(ctx context.Context, r Recipe, mirror apt.Mirror, scratch, tree, manifest string, done func(float64)) error {
	overlay, err := os.Create(filepath.Join(scratch, "overlay.tar"))
	if err != nil {
		return fmt.Errorf("packing the overlay: %w", err)
	}
	if err := errors.Join(r.archive(overlay), overlay.Close()); err != nil {
		return err
	}
	setup := filepath.Join(scratch, "setup.sh")
	if err := os.WriteFile(setup, []byte(r.Setup), 0o644); err != nil {
		return fmt.Errorf("writing the setup: %w", err)
	}
	settings := filepath.Join(scratch, "apt.conf")
	if err := os.WriteFile(settings, []byte(mirror.Settings+"APT::Install-Recommends \"false\";\n"), 0o644); err != nil {
		return fmt.Errorf("writing apt's settings: %w", err)
	}
	mode := "root"
	if os.Geteuid() != 0 {
		mode = "unshare"
	}
	args := []string{
		"--verbose", "--format=tar", "--variant=apt", "--mode=" + mode, "--components=main",
		"--include=" + strings.Join(r.packages(), ","),
		"--aptopt=" + settings,
	}
	for _, p := range r.Without {
		args = append(args, "--dpkgopt=path-exclude="+p)
	}
	for _, p := range r.With {
		args = append(args, "--dpkgopt=path-include="+p)
	}
	args = append(args,
		"--customize-hook=tar-in "+overlay.Name()+" /",
		"--customize-hook=upload "+setup+" /setup.sh",
		`--customize-hook=chroot "$1" /bin/sh -eu /setup.sh`,
		`--customize-hook=rm "$1/setup.sh"`,
		`--customize-hook=chroot "$1" dpkg-query -W -f '${Package} ${Version} ${Installed-Size}\n' >"$1/manifest.txt"`,
		"--customize-hook=download /manifest.txt "+manifest,
		`--customize-hook=rm "$1/manifest.txt"`,
		r.Suite, tree,
		apt.Source{URI: mirror.Archive, Suite: r.Suite}.String(),
		apt.Source{URI: mirror.Archive, Suite: r.Suite + "-updates"}.String(),
	)
	for _, suite := range r.suites() {
		args = append(args, apt.Source{URI: mirror.Archive, Suite: suite}.String())
	}
	if mirror.Security != "" {
		args = append(args, apt.Source{URI: mirror.Security, Suite: r.Suite + "-security"}.String())
	}
	cmd := mmdebstrap(args)
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+strconv.FormatInt(r.Epoch.Unix(), 10), "LC_ALL=C.UTF-8")
	if mode == "root" {
		// The tree is made where the next build would clear it away.
		cmd.Env = append(cmd.Env, "TMPDIR="+scratch)
	}
	total, n := 0, 0
	err = build.Run(ctx, cmd, func(line string) {
		if t := newPackages(line); t > 0 {
			total += t
		}
		if strings.HasPrefix(line, "Unpacking ") || strings.HasPrefix(line, "Setting up ") {
			n++
			if total > 0 {
				done(float64(n) / float64(2*total))
			}
		}
	})
	if err != nil {
		return fmt.Errorf("installing packages: %w", err)
	}
	return nil
}

// mmdebstrap run by root mounts /proc and its like into the tree. In namespaces
// of its own, mounts and processes go with it even when it is killed; an
// ordinary user's has them anyway. A container may allow none, nor then mounts.
func mmdebstrap(args []string) *exec.Cmd {
	apart := func() *syscall.SysProcAttr {
		return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	}
	cmd := exec.Command("mmdebstrap", args...)
	if os.Geteuid() == 0 {
		try := exec.Command("true")
		try.SysProcAttr = apart()
		if try.Run() == nil {
			cmd.SysProcAttr = apart()
		}
	}
	return cmd
}

// newPackages reads apt's "0 upgraded, 180 newly installed, 0 to remove and …".
func newPackages(line string) int {
	before, _, ok := strings.Cut(line, " newly installed")
	if !ok {
		return 0
	}
	f := strings.Fields(before)
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(f[len(f)-1])
	return n
}

// describe writes image.json.
func describe(dir string, r Recipe, hash string) error {
	manifest, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return fmt.Errorf("counting packages: %w", err)
	}
	st, err := os.Stat(filepath.Join(dir, rootFile(r.FileSystem)))
	if err != nil {
		return fmt.Errorf("measuring the image: %w", err)
	}
	data, err := json.MarshalIndent(Image{
		Name:        r.Name,
		About:       r.About,
		Recipe:      hash,
		Suite:       r.Suite,
		Type:        r.FileSystem,
		Compression: r.Compression,
		Packages:    strings.Count(string(manifest), "\n"),
		Bytes:       st.Size(),
		Built:       time.Now().UTC().Truncate(time.Second),
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("describing the image: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, aboutFile), append(data, '\n'), 0o644)
}
