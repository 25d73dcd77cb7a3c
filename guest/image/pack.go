package image

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/patchbay/patchbay/guest/build"
)

// compressors of each type of file system; the first one is no compression.
var compressors = map[string][]string{
	"erofs":    {"none", "lz4", "lz4hc"},
	"squashfs": {"none", "lz4", "zstd", "gzip", "xz"},
}

// pack turns the archive tree into the file system image file.
func pack(ctx context.Context, r Recipe, tree, file, scratch string) error {
	var err error
	if r.FileSystem == "erofs" {
		err = packErofs(ctx, r, tree, file, scratch)
	} else {
		err = packSquashfs(ctx, r, tree, file)
	}
	if err != nil {
		return fmt.Errorf("packing the file system: %w", err)
	}
	return nil
}

func packSquashfs(ctx context.Context, r Recipe, tree, file string) error {
	// The archive has no entry for the root itself, which would then be the
	// caller's and open to everybody.
	args := []string{"-no-progress", "-quiet", "-root-mode", "755", "-root-uid", "0", "-root-gid", "0"}
	if r.Compression == "none" {
		args = append(args, "-noI", "-noD", "-noF", "-noX")
	} else {
		args = append(args, "-comp", r.Compression)
	}
	in, err := os.Open(tree)
	if err != nil {
		return err
	}
	defer in.Close()
	cmd := exec.Command("sqfstar", append(args, file)...)
	cmd.Stdin = in
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+strconv.FormatInt(r.Epoch.Unix(), 10))
	return build.Run(ctx, cmd, nil)
}

// packErofs unpacks the archive, since mkfs.erofs reads folders only. For an
// ordinary user all of it happens in a user namespace of its own, in which the
// files have their owners and may be deleted again. Device nodes stay out:
// guestd mounts /dev.
func packErofs(ctx context.Context, r Recipe, tree, file, scratch string) error {
	const script = `
tree=$1 root=$2 file=$3 epoch=$4
shift 4
trap 'rm -rf "$root"' EXIT
trap 'exit 1' INT TERM
mkdir -m 755 "$root"
tar --extract --file="$tree" --directory="$root" --numeric-owner --same-owner --preserve-permissions \
  --xattrs --xattrs-include='*' --exclude='./dev/*'
touch -d "@$epoch" "$root"
mkfs.erofs --quiet -T "$epoch" --preserve-mtime -U 6f1c0de0-0000-4000-8000-000000000001 "$@" "$file" "$root"
`
	args := []string{"/bin/sh", "-euc", script, "pack", tree, filepath.Join(scratch, "root"), file, strconv.FormatInt(r.Epoch.Unix(), 10)}
	if r.Compression != "none" {
		args = append(args, "-z"+r.Compression)
	}
	if os.Geteuid() != 0 {
		args = append([]string{"unshare", "--map-auto", "--map-root-user"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	return build.Run(ctx, cmd, nil)
}
