package kernel

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cavaliergopher/cpio"

	"github.com/patchbay/patchbay/guest/build"
)

// Initrd returns the initial RAM disk with which guests boot k: the program
// guestd as /init and, for a kernel that needs some, modules in /modules, to be
// loaded in the order of their names before anything is mounted. It lies in the
// cache under a name made of its content, so that a new guestd gets a new one
// and guests started with the old one keep theirs.
func Initrd(cache string, k Kernel, guestd string) (string, error) {
	init, err := os.ReadFile(guestd)
	if err != nil {
		return "", fmt.Errorf("making the initrd: %w", err)
	}
	files := []file{{"init", 0o755, init}}
	for i, m := range k.Load {
		data, err := os.ReadFile(m)
		if err != nil {
			return "", fmt.Errorf("making the initrd: %w", err)
		}
		files = append(files, file{fmt.Sprintf("modules/%02d-%s", i, filepath.Base(m)), 0o644, data})
	}
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%s %d\n", f.name, len(f.data))
		h.Write(f.data)
	}
	dir := filepath.Join(cache, "initrd")
	path := filepath.Join(dir, hex.EncodeToString(h.Sum(nil))[:16]+".cpio")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	var b bytes.Buffer
	if err := writeArchive(&b, files); err != nil {
		return "", fmt.Errorf("making the initrd: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the initrd: %w", err)
	}
	// Several guests may write it at once: the first one's stays.
	if err := build.WriteNew(path, b.Bytes(), 0o644); err != nil {
		return "", fmt.Errorf("making the initrd: %w", err)
	}
	return path, nil
}

type file struct {
	name string
	mode fs.FileMode
	data []byte
}

// writeArchive writes a cpio archive, which the kernel unpacks into its first
// root. It is not compressed: unpacking would cost the guest more than reading
// does. /dev/console is not in it; every kernel brings that one itself.
func writeArchive(w io.Writer, files []file) error {
	cw := cpio.NewWriter(w)
	made := map[string]bool{".": true}
	for _, f := range files {
		if dir := filepath.Dir(f.name); !made[dir] {
			made[dir] = true
			if err := cw.WriteHeader(&cpio.Header{Name: dir, Mode: cpio.TypeDir | 0o755, Links: 2}); err != nil {
				return err
			}
		}
		h := &cpio.Header{Name: f.name, Mode: cpio.TypeReg | cpio.FileMode(f.mode.Perm()), Size: int64(len(f.data)), Links: 1}
		if err := cw.WriteHeader(h); err != nil {
			return err
		}
		if _, err := cw.Write(f.data); err != nil {
			return err
		}
	}
	return cw.Close()
}
