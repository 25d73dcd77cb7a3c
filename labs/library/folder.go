package library

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/kathara"
)

// Bounds of looking for labs in a folder.
const (
	folderDepth = 4
	folderFiles = 50_000
)

// Poll is how often a folder of labs is looked at for changes.
const Poll = 5 * time.Second

// Watch serves the labs of a folder, such as a git work tree, until ctx ends:
// each folder with a lab.yaml or a lab.conf in it. It looks for changes every Poll, and at
// once when again gets something. A lab that is broken keeps its last good
// version, and Troubles says what is wrong with it; one that is gone is
// hidden. changed, if not nil, is called after each time that labs were read.
func (l *Library) Watch(ctx context.Context, dir string, again <-chan os.Signal, changed func()) {
	tick := time.NewTicker(Poll)
	defer tick.Stop()
	var last [sha256.Size]byte
	for {
		if now, err := fingerprint(dir); err != nil || now != last {
			last = now
			l.ReadFolder(dir)
			if changed != nil {
				changed()
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-again:
			last = [sha256.Size]byte{}
		}
	}
}

// ReadFolder takes the labs of a folder as they are now.
func (l *Library) ReadFolder(dir string) {
	troubles, err := l.readFolder(dir)
	if err != nil {
		troubles = append(troubles, Trouble{Problems: labs.Problems{{
			File: dir, Message: strings.ToValidUTF8(err.Error(), "?"), Fix: "the labs are served as they were; mend the folder",
		}}})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.troubles = troubles
}

func (l *Library) readFolder(dir string) (troubles []Trouble, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	fsys := root.FS()
	folders, err := labFolders(fsys)
	if err != nil {
		return nil, err
	}
	type kept struct {
		lab     *labs.Lab
		archive []byte
	}
	var good []kept
	present := map[string]string{} // slug: its folder
	for _, folder := range folders {
		slug := path.Base(folder)
		if hasLab(fsys, folder) == "lab.conf" {
			slug = kathara.Slug(slug)
		}
		if other, twice := present[slug]; twice {
			troubles = append(troubles, Trouble{slug, labs.Problems{{File: folder, Message: "there is a lab of this name in " + other + ", too", Fix: "rename one of the folders"}}})
			continue
		}
		present[slug] = folder
		lab, archive, err := takeFolder(root, folder)
		if ps, ok := errors.AsType[labs.Problems](err); ok {
			troubles = append(troubles, Trouble{slug, ps})
			continue
		}
		if err != nil {
			return troubles, err
		}
		good = append(good, kept{lab, archive})
	}
	return troubles, l.change(func(x *index) error {
		for _, k := range good {
			e := x.Labs[k.lab.Slug]
			if e != nil && e.Source == Upload && !e.Hidden {
				troubles = append(troubles, Trouble{k.lab.Slug, labs.Problems{{File: present[k.lab.Slug],
					Message: "a lab of this name was sent by " + e.By, Fix: "remove that one, or rename the folder"}}})
				continue
			}
			if err := l.keep(k.lab, k.archive); err != nil {
				return err
			}
			if e == nil || e.Source != Folder || e.Digest != k.lab.Digest || e.Hidden {
				x.put(k.lab, Folder, "")
			}
		}
		for slug, e := range x.Labs {
			if _, here := present[slug]; e.Source == Folder && !here && !e.Hidden {
				e.gone()
			}
		}
		return nil
	})
}

// NoFolder hides the labs that a folder once had, for a server that has none.
func (l *Library) NoFolder() error {
	return l.change(func(x *index) error {
		for _, e := range x.Labs {
			if e.Source == Folder && !e.Hidden {
				e.gone()
			}
		}
		return nil
	})
}

// walk visits what may belong to labs: not what begins with a dot, nor what
// lies below a lab unless inside says so.
func walk(fsys fs.FS, inside bool, visit func(name string, d fs.DirEntry) error) error {
	seen := 0
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if seen++; seen > folderFiles {
			return fmt.Errorf("the folder has more than %d files: serve one with labs alone", folderFiles)
		}
		if name == "." {
			return nil
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if err := visit(name, d); err != nil {
			return err
		}
		if d.IsDir() && !inside {
			if hasLab(fsys, name) != "" || strings.Count(name, "/") >= folderDepth {
				return fs.SkipDir
			}
		}
		return nil
	})
}

// hasLab is the name of the file that makes a folder a lab, or nothing.
func hasLab(fsys fs.FS, folder string) string {
	for _, file := range []string{"lab.yaml", "lab.conf"} {
		if _, err := fs.Lstat(fsys, path.Join(folder, file)); err == nil {
			return file
		}
	}
	return ""
}

// takeFolder takes one lab. The folder of a lab.conf is its border, since its
// links are followed.
func takeFolder(root *os.Root, folder string) (*labs.Lab, []byte, error) {
	if hasLab(root.FS(), folder) != "lab.conf" {
		return gather(root.FS(), folder)
	}
	own, err := root.OpenRoot(folder)
	if err != nil {
		return nil, nil, err
	}
	defer own.Close()
	return takeForeign(own.FS(), folder)
}

// labFolders lists the folders that have a lab.yaml or a lab.conf.
func labFolders(fsys fs.FS) ([]string, error) {
	var folders []string
	err := walk(fsys, false, func(name string, d fs.DirEntry) error {
		if d.IsDir() {
			if hasLab(fsys, name) != "" {
				folders = append(folders, name)
			}
		}
		return nil
	})
	return folders, err
}

// fingerprint changes when a file of the folder does.
func fingerprint(dir string) (sum [sha256.Size]byte, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return sum, err
	}
	defer root.Close()
	h := sha256.New()
	err = walk(root.FS(), true, func(name string, d fs.DirEntry) error {
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%q %v %d %d\n", name, info.Mode(), info.Size(), info.ModTime().UnixNano())
		return nil
	})
	return [sha256.Size]byte(h.Sum(nil)), err
}
