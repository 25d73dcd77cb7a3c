package kernel

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"
)

//go:embed fragment.config
var fragment []byte

//go:embed patches
var patches embed.FS

// series lists the patches in the order in which they apply.
func series(fsys fs.FS) ([]string, error) {
	data, err := fs.ReadFile(fsys, "patches/series")
	if err != nil {
		return nil, fmt.Errorf("reading the patches: %w", err)
	}
	var names []string
	for sc := bufio.NewScanner(bytes.NewReader(data)); sc.Scan(); {
		if s := strings.TrimSpace(sc.Text()); s != "" && !strings.HasPrefix(s, "#") {
			names = append(names, path.Join("patches", s))
		}
	}
	return names, nil
}

// configHash names what this program would build: eight digits over the options
// and the patches. Comments do not count.
func configHash() (string, error) {
	options, err := parseConfig(fragment)
	if err != nil {
		return "", fmt.Errorf("fragment.config: %w", err)
	}
	h := sha256.New()
	for _, name := range sortedKeys(options) {
		fmt.Fprintf(h, "%s=%s\n", name, options[name])
	}
	names, err := series(patches)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		data, err := patches.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("reading the patches: %w", err)
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(data), data)
	}
	return hex.EncodeToString(h.Sum(nil))[:8], nil
}

// parseConfig reads lines of CONFIG_NAME=value and "# CONFIG_NAME is not set",
// the latter as n. Other comments pass; a name that comes twice is an error.
func parseConfig(data []byte) (map[string]string, error) {
	options := map[string]string{}
	sc := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		var name, value string
		if rest, ok := strings.CutPrefix(line, "# CONFIG_"); ok && strings.HasSuffix(rest, " is not set") {
			name, value = strings.TrimSuffix(rest, " is not set"), "n"
		} else if line == "" || strings.HasPrefix(line, "#") {
			continue
		} else if rest, ok := strings.CutPrefix(line, "CONFIG_"); ok {
			if name, value, ok = strings.Cut(rest, "="); !ok || value == "" {
				return nil, fmt.Errorf("line %d: %q has no value: write CONFIG_NAME=y", n, line)
			}
		} else {
			return nil, fmt.Errorf("line %d: %q is no option: write CONFIG_NAME=y or # CONFIG_NAME is not set", n, line)
		}
		if _, twice := options[name]; twice {
			return nil, fmt.Errorf("line %d: CONFIG_%s comes a second time", n, name)
		}
		options[name] = value
	}
	return options, sc.Err()
}

// checkConfig compares what was wished with what kconfig made of it and names
// every option that did not survive. An option that kconfig does not mention is
// one that is not set.
func checkConfig(wish, got map[string]string) error {
	var lost []string
	for _, name := range sortedKeys(wish) {
		have, ok := got[name]
		if !ok {
			have = "n"
		}
		if have != wish[name] {
			lost = append(lost, fmt.Sprintf("CONFIG_%s is %s, not %s", name, have, wish[name]))
		}
	}
	if len(lost) > 0 {
		return fmt.Errorf("%d of %d options did not survive, what they depend on may have changed: %s",
			len(lost), len(wish), strings.Join(lost, "; "))
	}
	return nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
