// Package kernel makes the User-mode Linux kernels that guests run: Patchbay's
// own, built from Debian's linux-source with the configuration embedded here,
// and Debian's packaged one, with its modules. They lie in a cache, each in a
// folder of its own, with its licence and configuration beside it.
package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// Stock is the name of Debian's packaged kernel.
const Stock = "debian-6.1"

// prefix begins the names of the kernels built here.
const prefix = "patchbay-"

// Kernel is one in the cache. Paths are absolute; kernel.json holds those below
// Dir relative to it, so that the cache may be moved.
type Kernel struct {
	Name    string    `json:"name"`
	Version string    `json:"version"` // of linux, 7.3.4
	Package string    `json:"package"` // the Debian package and version it is made from
	Path    string    `json:"path"`    // the executable
	Static  bool      `json:"static"`
	Libs    []string  `json:"libs,omitempty"`    // the machine's loader and libraries that it needs
	Modules string    `json:"modules,omitempty"` // squashfs image of /lib/modules
	Load    []string  `json:"load,omitempty"`    // modules to be loaded, in order, before an image can be mounted
	Seccomp bool      `json:"seccomp"`           // knows seccomp=on
	Offload bool      `json:"offload"`           // knows vnet=1: its interfaces exchange a virtio_net_hdr with each frame
	Carrier bool      `json:"carrier"`           // its interfaces take a datagram of one byte for the state of their carrier
	Args    []string  `json:"args,omitempty"`    // further words for its command line
	Built   time.Time `json:"built"`
	Dir     string    `json:"-"`
}

// bootArgs returns words for every kernel's command line: a delay loop's length,
// so that it need not be measured (99 ms of a boot; the figure is a fast CPU's,
// so that delays on another grow and never shrink), and no interfaces that the
// student did not make: without them "ip link" begins with tunl0, gre0, sit0,
// bond0, dummy0, ifb0 and teql0.
func bootArgs() []string {
	return []string{"lpj=10000000", "fb_tunnels=none",
		"bonding.max_bonds=0", "dummy.numdummies=0", "ifb.numifbs=0", "sch_teql.max_equalizers=0"}
}

// NotFoundError says that a kernel is not in the cache.
type NotFoundError struct {
	Name  string
	Cache string
}

func (e *NotFoundError) Error() string {
	switch e.Name {
	case "":
		return fmt.Sprintf("no kernel in %s: build one with \"patchbay kernel build\"", folder(e.Cache))
	case Stock:
		return fmt.Sprintf("kernel %s is not in %s: fetch it with \"patchbay kernel build %s\"", e.Name, folder(e.Cache), Stock)
	}
	return fmt.Sprintf("kernel %s is not in %s: \"patchbay kernel list\" shows those that are", e.Name, folder(e.Cache))
}

func folder(cache string) string { return filepath.Join(cache, "kernels") }

// Find returns the named kernel. No name means Patchbay's newest, one with the
// configuration of this program before any other.
func Find(cache, name string) (Kernel, error) {
	if name != "" {
		if strings.ContainsAny(name, "/\x00") || strings.HasPrefix(name, ".") {
			return Kernel{}, &NotFoundError{name, cache}
		}
		k, err := read(filepath.Join(folder(cache), name))
		if errors.Is(err, fs.ErrNotExist) {
			return Kernel{}, &NotFoundError{name, cache}
		}
		return k, err
	}
	all, err := List(cache)
	if err != nil {
		return Kernel{}, err
	}
	hash, err := configHash()
	if err != nil {
		return Kernel{}, err
	}
	best := -1
	for i, k := range all {
		if !strings.HasPrefix(k.Name, prefix) {
			continue
		}
		if best < 0 || better(k, all[best], hash) {
			best = i
		}
	}
	if best < 0 {
		return Kernel{}, &NotFoundError{"", cache}
	}
	return all[best], nil
}

func better(a, b Kernel, hash string) bool {
	ours, theirs := strings.HasSuffix(a.Name, hash), strings.HasSuffix(b.Name, hash)
	if ours != theirs {
		return ours
	}
	if c := compareVersions(a.Version, b.Version); c != 0 {
		return c > 0
	}
	return a.Built.After(b.Built)
}

// List returns all kernels in the cache, by name. A folder that is not a
// kernel's is passed over.
func List(cache string) ([]Kernel, error) {
	entries, err := os.ReadDir(folder(cache))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing kernels: %w", err)
	}
	var all []Kernel
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		k, err := read(filepath.Join(folder(cache), e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all, nil
}

func read(dir string) (Kernel, error) {
	data, err := os.ReadFile(filepath.Join(dir, "kernel.json"))
	if err != nil {
		return Kernel{}, fmt.Errorf("reading kernel: %w", err)
	}
	var k Kernel
	if err := json.Unmarshal(data, &k); err != nil {
		return Kernel{}, fmt.Errorf("reading %s: %w", filepath.Join(dir, "kernel.json"), err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return Kernel{}, err
	}
	k.Dir = dir
	k.Path = filepath.Join(dir, k.Path)
	if k.Modules != "" {
		k.Modules = filepath.Join(dir, k.Modules)
	}
	for i := range k.Load {
		k.Load[i] = filepath.Join(dir, k.Load[i])
	}
	if _, err := os.Stat(k.Path); err != nil {
		return Kernel{}, fmt.Errorf("reading kernel %s: %w", k.Name, err)
	}
	return k, nil
}

// write puts kernel.json into dir; k's paths are relative to it.
func write(dir string, k Kernel) error {
	data, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return fmt.Errorf("describing kernel: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, "kernel.json"), append(data, '\n'), 0o644)
}
