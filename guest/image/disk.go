package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/guest/build"
)

// DiskType is the file system of students' disks.
const DiskType = "ext4"

// Template returns an empty disk of size bytes in the cache, making it when
// there is none: 132 KiB on the host for 1 GiB. Nobody may write to it.
func Template(ctx context.Context, cache string, size int64) (string, error) {
	dir := filepath.Join(cache, "disks")
	path := filepath.Join(dir, fmt.Sprintf("empty-%d.ext4", size))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if size < 16<<20 {
		return "", fmt.Errorf("making a disk: %d bytes are too few, it takes 16 MiB", size)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making a disk: %w", err)
	}
	tmp, err := os.CreateTemp(dir, ".new-")
	if err != nil {
		return "", fmt.Errorf("making a disk: %w", err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if err := errors.Join(tmp.Truncate(size), tmp.Chmod(0o444)); err != nil {
		return "", fmt.Errorf("making a disk: %w", err)
	}
	mke2fs, err := exec.LookPath("mke2fs")
	if err != nil {
		mke2fs = "/usr/sbin/mke2fs" // not on an ordinary user's PATH
	}
	// A journal, since guests get killed, but the smallest. The inode tables are
	// known to be empty, so no kernel thread zeroes them behind the student's
	// back. The fixed identity makes every template the same.
	const identity = "6f1c0de0-0000-4000-8000-000000000000"
	cmd := exec.Command(mke2fs, "-q", "-F", "-t", DiskType, "-b", "4096", "-m", "0", "-i", "65536",
		"-O", "^resize_inode,^metadata_csum,^64bit,^huge_file", "-J", "size=4", "-U", identity,
		"-E", "lazy_itable_init=0,lazy_journal_init=1,packed_meta_blocks=1,root_owner=0:0,hash_seed="+identity, tmp.Name())
	if err := build.Run(ctx, cmd, nil); err != nil {
		return "", fmt.Errorf("making a disk: %w", err)
	}
	// Two makers come to the same file; the later rename changes nothing.
	if err := os.Rename(tmp.Name(), path); err != nil {
		return "", fmt.Errorf("making a disk: %w", err)
	}
	return path, nil
}

// NewDisk makes an empty disk of size bytes at path, where nothing may be yet.
// It takes as much room as is written to it.
func NewDisk(ctx context.Context, cache string, size int64, path string) error {
	template, err := Template(ctx, cache, size)
	if err != nil {
		return err
	}
	if err := CopySparse(path, template); err != nil {
		return fmt.Errorf("making a disk: %w", err)
	}
	return nil
}

// CopySparse copies the file from to the new file to: by sharing its blocks
// where the file system can, else by copying what is not a hole. A copy that
// fails leaves nothing behind.
func CopySparse(to, from string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	st, err := src.Stat()
	if err != nil {
		return err
	}
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, dst.Close()); err != nil {
			os.Remove(to)
		}
	}()
	if err := unix.IoctlFileClone(int(dst.Fd()), int(src.Fd())); err == nil {
		return nil
	}
	if err := dst.Truncate(st.Size()); err != nil {
		return err
	}
	return copyData(dst, src)
}

// copyData copies each run of data between two holes.
func copyData(dst, src *os.File) error {
	for at := int64(0); ; {
		begin, err := src.Seek(at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil // nothing but a hole from here on
		}
		if err != nil {
			return &fs.PathError{Op: "seeking data in", Path: src.Name(), Err: err}
		}
		end, err := src.Seek(begin, unix.SEEK_HOLE)
		if err != nil {
			return &fs.PathError{Op: "seeking a hole in", Path: src.Name(), Err: err}
		}
		if err := copyRun(dst, src, begin, end); err != nil {
			return fmt.Errorf("copying %s: %w", src.Name(), err)
		}
		at = end
	}
}

func copyRun(dst, src *os.File, begin, end int64) error {
	buf := make([]byte, min(end-begin, 1<<20))
	for at := begin; at < end; {
		n, err := src.ReadAt(buf[:min(end-at, int64(len(buf)))], at)
		if n == 0 {
			return err
		}
		if _, err := dst.WriteAt(buf[:n], at); err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}
