package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/patchbay/patchbay/guest/agent"
)

// Bounds of what is read of a machine's files of sysctls: its student writes them.
const (
	maxSysctlFiles = 64
	maxSysctlFile  = 64 << 10 // bytes
)

// ownSysctls sets what the machine's own files say, as sysctl --system does at
// the start of a Debian: what a student wrote there survives a boot. They count
// after what the lab says, or nobody could change that for good.
func (g *guest) ownSysctls() {
	files, _ := filepath.Glob("/etc/sysctl.d/*.conf") // the pattern is in order
	if len(files) > maxSysctlFiles {
		files = files[:maxSysctlFiles]
	}
	for _, path := range append(files, "/etc/sysctl.conf") { // Glob sorts
		text, err := readRegular(path)
		if err != nil {
			if !os.IsNotExist(err) {
				g.warn("reading "+path, err)
			}
			continue
		}
		for _, s := range parseSysctls(text) {
			quiet := strings.HasPrefix(s.Key, "-")
			s.Key = strings.TrimPrefix(s.Key, "-")
			if err := setSysctl(s); err != nil && !quiet {
				g.warn("setting "+s.Key+", as "+path+" says", err)
			}
		}
	}
}

// readRegular reads the beginning of a file, and nothing that could keep the
// machine from starting, such as a pipe.
func readRegular(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", syscall.EINVAL
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSysctlFile))
	return string(text), err
}

// parseSysctls reads lines of the form "key = value". A key that begins with
// "-" may fail; what is no such line is passed over, as sysctl does.
func parseSysctls(text string) []agent.Sysctl {
	var all []agent.Sysctl
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, value, ok := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok || line[0] == '#' || line[0] == ';' || key == "" || value == "" || strings.ContainsAny(key, "* \t") {
			continue
		}
		all = append(all, agent.Sysctl{Key: key, Value: value})
	}
	return all
}
