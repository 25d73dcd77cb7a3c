package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

//go:embed all:recipes
var recipes embed.FS

// Default is the recipe of the image that labs use when they name none.
const Default = "debian"

// Recipe says what goes into an image.
type Recipe struct {
	Name        string    `yaml:"name"`        // of the image, as labs say it
	About       string    `yaml:"about"`       // one line for people
	Suite       string    `yaml:"suite"`       // Debian release
	FileSystem  string    `yaml:"filesystem"`  // erofs or squashfs
	Compression string    `yaml:"compression"` // none, or what the file system knows
	Epoch       time.Time `yaml:"epoch"`       // no file is younger
	Overlay     string    `yaml:"overlay"`     // folder beside the recipe, its files go over those of the packages
	Packages    []Group   `yaml:"packages"`
	Without     []string  `yaml:"without"` // paths that are not unpacked, with * and ?
	With        []string  `yaml:"with"`    // exceptions from Without
	Setup       string    `yaml:"setup"`   // shell script run in the image at the end

	source []byte // the recipe's text
	files  fs.FS  // the overlay; nil for none
}

// Group is some packages and what they are for.
type Group struct {
	For   string   `yaml:"for"`
	From  string   `yaml:"from"` // "backports": those that the release itself does not have, or not new enough
	Names []string `yaml:"names"`
}

// backports is the one suite, beside the release's own, that a group may be from.
const backports = "backports"

var (
	imageName   = regexp.MustCompile(`^[a-z0-9][a-z0-9.]*$`)
	packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)
	suiteName   = regexp.MustCompile(`^[a-z]+$`)
)

// LoadRecipe reads the built-in recipe of that name, or else the file at that
// path. No name means the default.
func LoadRecipe(name string) (Recipe, error) {
	if name == "" {
		name = Default
	}
	if !strings.ContainsAny(name, "/.") {
		data, err := recipes.ReadFile("recipes/" + name + ".yaml")
		if err == nil {
			sub, err := fs.Sub(recipes, "recipes")
			if err != nil {
				return Recipe{}, err
			}
			return ParseRecipe(name+".yaml", data, sub)
		}
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			return Recipe{}, fmt.Errorf("no recipe %q is built in (%s are): name a file, such as ./%s.yaml", name, strings.Join(builtIn(), ", "), name)
		}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return Recipe{}, fmt.Errorf("reading the recipe: %w", err)
	}
	return ParseRecipe(name, data, os.DirFS(filepath.Dir(name)))
}

func builtIn() []string {
	entries, _ := recipes.ReadDir("recipes")
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".yaml"); ok {
			names = append(names, name)
		}
	}
	return names
}

// ParseRecipe reads a recipe from data; file is its name for messages and
// beside is the folder in which its overlay lies.
func ParseRecipe(file string, data []byte, beside fs.FS) (Recipe, error) {
	var r Recipe
	if err := yaml.UnmarshalWithOptions(data, &r, yaml.Strict()); err != nil {
		return Recipe{}, fmt.Errorf("%s: %s", file, strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	r.source = data
	if err := r.check(); err != nil {
		return Recipe{}, fmt.Errorf("%s: %w", file, err)
	}
	if r.Overlay != "" {
		sub, err := fs.Sub(beside, path.Clean(r.Overlay))
		if err == nil {
			_, err = fs.Stat(sub, ".")
		}
		if err != nil {
			return Recipe{}, fmt.Errorf("%s: overlay %q: %w", file, r.Overlay, err)
		}
		r.files = sub
	}
	return r, nil
}

func (r Recipe) check() error {
	switch {
	case !imageName.MatchString(r.Name):
		return fmt.Errorf("name: %q should be small letters, digits and dots", r.Name)
	case !suiteName.MatchString(r.Suite):
		return fmt.Errorf("suite: %q should be the name of a Debian release, such as bookworm", r.Suite)
	case compressors[r.FileSystem] == nil:
		return fmt.Errorf("filesystem: %q should be erofs or squashfs", r.FileSystem)
	case !slices.Contains(compressors[r.FileSystem], r.Compression):
		return fmt.Errorf("compression: %q should be one of %s", r.Compression, strings.Join(compressors[r.FileSystem], ", "))
	case r.Epoch.Unix() <= 0:
		return fmt.Errorf("epoch: give a time after 1970, such as 2026-01-01T00:00:00Z")
	}
	seen := map[string]string{}
	for _, g := range r.Packages {
		if g.From != "" && g.From != backports {
			return fmt.Errorf("packages, for %s: from: %q should be %s, or left out", g.For, g.From, backports)
		}
		for _, p := range g.Names {
			if !packageName.MatchString(p) {
				return fmt.Errorf("packages, for %s: %q is no name of a package", g.For, p)
			}
			if other, twice := seen[p]; twice {
				return fmt.Errorf("packages, for %s: %s is already there for %s", g.For, p, other)
			}
			seen[p] = g.For
		}
	}
	if len(seen) == 0 {
		return errors.New("packages: name at least one")
	}
	for _, p := range slices.Concat(r.Without, r.With) {
		if !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "'\"\n") {
			return fmt.Errorf("without, with: %q should be an absolute path", p)
		}
	}
	return nil
}

// packages lists all of them as apt takes them. What a package from backports
// needs in a newer version than the release has must be named with it.
func (r Recipe) packages() []string {
	var all []string
	for _, g := range r.Packages {
		for _, name := range g.Names {
			if g.From != "" {
				name += "/" + r.Suite + "-" + g.From
			}
			all = append(all, name)
		}
	}
	return all
}

// suites are those beside the release's own that packages come from.
func (r Recipe) suites() []string {
	if slices.ContainsFunc(r.Packages, func(g Group) bool { return g.From == backports }) {
		return []string{r.Suite + "-" + backports}
	}
	return nil
}

// Hash names the recipe: eight digits over its text and the overlay's files.
func (r Recipe) Hash() (string, error) {
	h := sha256.New()
	h.Write(r.source)
	if err := r.archive(h); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil))[:8], nil
}

// archive writes the overlay as a tar archive. Folders are left out: those of
// the packages keep their owners and modes, missing ones are made. A file that
// begins with #! may be executed; the modes it has here are not looked at, since
// an embedded file has none.
func (r Recipe) archive(w io.Writer) error {
	tw := tar.NewWriter(w)
	if r.files != nil {
		err := fs.WalkDir(r.files, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if !d.Type().IsRegular() {
				return fmt.Errorf("%s is no plain file: make it in the recipe's setup", name)
			}
			data, err := fs.ReadFile(r.files, name)
			if err != nil {
				return err
			}
			mode := int64(0o644)
			if bytes.HasPrefix(data, []byte("#!")) {
				mode = 0o755
			}
			err = tw.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(data)), ModTime: r.Epoch, Format: tar.FormatPAX})
			if err != nil {
				return err
			}
			_, err = tw.Write(data)
			return err
		})
		if err != nil {
			return fmt.Errorf("packing the overlay: %w", err)
		}
	}
	return tw.Close()
}
