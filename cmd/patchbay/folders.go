package main

import (
	"os"
	"path/filepath"
)

// Folders are where Patchbay keeps things; every subcommand takes them.
type Folders struct {
	State string `help:"Where racks and the database lie (default: /var/lib/patchbay for root, else $XDG_STATE_HOME/patchbay)." env:"PATCHBAY_STATE" type:"path"`
	Cache string `help:"Where kernels and images lie (default: /var/cache/patchbay for root, else $XDG_CACHE_HOME/patchbay)." env:"PATCHBAY_CACHE" type:"path"`
}

// AfterApply fills in what was not given.
func (f *Folders) AfterApply() error {
	if f.State == "" {
		f.State = defaultFolder("/var/lib/patchbay", "XDG_STATE_HOME", ".local/state")
	}
	if f.Cache == "" {
		f.Cache = defaultFolder("/var/cache/patchbay", "XDG_CACHE_HOME", ".cache")
	}
	return nil
}

func defaultFolder(root, xdg, home string) string {
	if os.Geteuid() == 0 {
		return root
	}
	if d := os.Getenv(xdg); filepath.IsAbs(d) {
		return filepath.Join(d, "patchbay")
	}
	return filepath.Join(os.Getenv("HOME"), home, "patchbay")
}
