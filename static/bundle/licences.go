package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// licences gathers the licence texts of every npm package that esbuild's
// metafile says went into the bundle.
func licences(dir, metafile string) ([]byte, error) {
	var meta struct {
		Inputs map[string]struct{} `json:"inputs"`
	}
	if err := json.Unmarshal([]byte(metafile), &meta); err != nil {
		return nil, fmt.Errorf("reading esbuild's metafile: %w", err)
	}
	var names []string
	for input := range meta.Inputs {
		if name := packageOf(input); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out bytes.Buffer
	out.WriteString("Patchbay's pages contain these packages.\n")
	for _, name := range slices.Compact(names) {
		folder := filepath.Join(dir, "node_modules", filepath.FromSlash(name))
		var about struct {
			Version string `json:"version"`
			License string `json:"license"`
		}
		manifest, err := os.ReadFile(filepath.Join(folder, "package.json"))
		if err != nil {
			return nil, fmt.Errorf("reading the manifest of %s: %w", name, err)
		}
		if err := json.Unmarshal(manifest, &about); err != nil {
			return nil, fmt.Errorf("reading the manifest of %s: %w", name, err)
		}
		texts, err := filepath.Glob(filepath.Join(folder, "[Ll][Ii][Cc][Ee][Nn][CcSs][Ee]*"))
		if err != nil || len(texts) == 0 {
			return nil, fmt.Errorf("package %s has no licence file", name)
		}
		text, err := os.ReadFile(texts[0])
		if err != nil {
			return nil, fmt.Errorf("reading the licence of %s: %w", name, err)
		}
		fmt.Fprintf(&out, "\n%s\n%s %s (%s)\n\n%s\n", strings.Repeat("=", 72), name, about.Version, about.License, bytes.TrimSpace(text))
	}
	return out.Bytes(), nil
}

// packageOf is the npm package that an input of the bundle belongs to, or ""
// for our own files. Scoped packages keep their scope.
func packageOf(input string) string {
	_, rest, found := strings.Cut(filepath.ToSlash(input), "node_modules/")
	if !found {
		return ""
	}
	parts := strings.SplitN(rest, "/", 3)
	if strings.HasPrefix(rest, "@") && len(parts) > 1 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}
