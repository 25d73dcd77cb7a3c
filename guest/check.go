package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// check finds what is wrong with c before anything is started, in words for
// whoever set it up. Whatever it misses fails later and less clearly.
func (c *Config) check(who account) error {
	if c.Name == "" {
		return errors.New("it has no name")
	}
	if c.Kernel.Path == "" {
		return errors.New("no kernel is named")
	}
	if fi, err := os.Stat(c.Dir); err != nil || !fi.IsDir() || !filepath.IsAbs(c.Dir) {
		return fmt.Errorf("its folder %q is not there", c.Dir)
	}
	type need struct {
		what, path string
		mode       fs.FileMode // of others, when privileged
	}
	needs := []need{
		{"the kernel " + c.Kernel.Name, c.Kernel.Path, 0o5},
		{"the initrd", c.Initrd, 0o4},
		{"the image", c.Image.Path, 0o4},
	}
	for _, lib := range c.Kernel.Libs {
		needs = append(needs, need{"the kernel's library", lib, 0o4})
	}
	if c.Kernel.Modules.Path != "" {
		needs = append(needs, need{"the kernel's modules", c.Kernel.Modules.Path, 0o4})
	}
	if c.Disk.Path != "" {
		needs = append(needs, need{"the disk", c.Disk.Path, 0})
	}
	for _, n := range needs {
		if !filepath.IsAbs(n.path) {
			return fmt.Errorf("%s is %q, which is no absolute path", n.what, n.path)
		}
		fi, err := os.Stat(n.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%s is missing: there is no file %s", n.what, n.path)
		case err != nil:
			return fmt.Errorf("%s cannot be used: %w", n.what, err)
		case !fi.Mode().IsRegular():
			return fmt.Errorf("%s is not a file: %s", n.what, n.path)
		case fi.Size() == 0:
			return fmt.Errorf("%s is empty: %s", n.what, n.path)
		case who.privileged && fi.Mode().Perm()&n.mode != n.mode:
			return fmt.Errorf("%s cannot be read by uid %d, which the guest runs as: %s has mode %#o", n.what, who.uid, n.path, fi.Mode().Perm())
		}
	}
	for i, n := range c.NICs {
		if n.Pair != nil {
			continue
		}
		fi, err := os.Stat(n.Socket)
		if err != nil || !filepath.IsAbs(n.Socket) || fi.Mode().Type() != fs.ModeSocket {
			return fmt.Errorf("interface %d has no socket at %q", i, n.Socket)
		}
	}
	return nil
}

// giveAway makes the guest's uid the owner of what it writes to: its disk, and
// the sockets that it connects to. Only the host's root has to and can.
func (c *Config) giveAway(who account) error {
	if !who.privileged {
		return nil
	}
	paths := []string{}
	if c.Disk.Path != "" {
		paths = append(paths, c.Disk.Path)
	}
	for _, n := range c.NICs {
		if n.Pair == nil {
			paths = append(paths, n.Socket)
		}
	}
	for _, p := range paths {
		if err := os.Chown(p, who.uid, -1); err != nil {
			return fmt.Errorf("giving %s to uid %d: %w", p, who.uid, err)
		}
	}
	return nil
}
