// Package image makes the root file systems of guests, from recipes, and the
// disks that students write to. Images are read-only and shared by all guests;
// they lie in a cache, each in a folder of its own with a manifest of its
// packages beside it.
package image

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

// Image is one in the cache.
type Image struct {
	Name        string    `json:"name"`
	About       string    `json:"about"`
	Recipe      string    `json:"recipe"` // hash of the recipe it is made from
	Suite       string    `json:"suite"`
	Type        string    `json:"type"` // of file system, for mount
	Compression string    `json:"compression"`
	Packages    int       `json:"packages"`
	Bytes       int64     `json:"bytes"`
	Built       time.Time `json:"built"`
	Path        string    `json:"-"` // the file system
	Dir         string    `json:"-"` // where it and manifest.txt lie
}

// Files of an image's folder.
const (
	manifestFile = "manifest.txt"
	aboutFile    = "image.json"
)

func rootFile(fileSystem string) string { return "root." + fileSystem }

// NotFoundError says that an image is not in the cache.
type NotFoundError struct {
	Name  string
	Cache string
}

func (e *NotFoundError) Error() string {
	if e.Name == Default {
		return fmt.Sprintf("no image in %s: build one with \"patchbay image build\"", folder(e.Cache))
	}
	return fmt.Sprintf("image %q is not in %s: \"patchbay image list\" shows those that are", e.Name, folder(e.Cache))
}

func folder(cache string) string { return filepath.Join(cache, "images") }

// Find returns the image that a lab calls name; none means the default. A full
// name with the recipe's hash, debian-0123abcd, picks that one. Of several made
// from different recipes of one name, that of this program's own recipe comes
// first and then the newest.
func Find(cache, name string) (Image, error) {
	if name == "" {
		name = Default
	}
	all, err := List(cache)
	if err != nil {
		return Image{}, err
	}
	hash := ""
	if r, err := LoadRecipe(name); err == nil {
		if hash, err = r.Hash(); err != nil {
			return Image{}, err
		}
	}
	var found *Image
	for i, m := range all {
		switch {
		case filepath.Base(m.Dir) == name:
			return m, nil
		case m.Name != name:
		case found == nil, m.Recipe == hash,
			found.Recipe != hash && m.Built.After(found.Built):
			found = &all[i]
		}
	}
	if found == nil {
		return Image{}, &NotFoundError{name, cache}
	}
	return *found, nil
}

// List returns all images in the cache, by name. A folder that is not an
// image's is passed over.
func List(cache string) ([]Image, error) {
	entries, err := os.ReadDir(folder(cache))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing images: %w", err)
	}
	var all []Image
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		m, err := read(filepath.Join(folder(cache), e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Dir < all[j].Dir })
	return all, nil
}

func read(dir string) (Image, error) {
	file := filepath.Join(dir, aboutFile)
	data, err := os.ReadFile(file)
	if err != nil {
		return Image{}, fmt.Errorf("reading image: %w", err)
	}
	var m Image
	if err := json.Unmarshal(data, &m); err != nil {
		return Image{}, fmt.Errorf("reading %s: %w", file, err)
	}
	if m.Dir, err = filepath.Abs(dir); err != nil {
		return Image{}, err
	}
	m.Path = filepath.Join(m.Dir, rootFile(m.Type))
	if _, err := os.Stat(m.Path); err != nil {
		return Image{}, fmt.Errorf("reading image %s: %w", m.Name, err)
	}
	return m, nil
}
