package library

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/kathara"
)

// By is who adds or hides a lab.
type By struct {
	Login string
	Admin bool // may replace and hide labs of others
}

// Add takes a lab from an archive, .tar, .tar.gz or .zip: one lab, in a folder
// of its name or at the archive's root, with the labs that it extends beside
// it or in the library already. name is the archive's file name; a lab at the
// root is called as the archive is. The lab is the newest of its slug from
// then on; what is not used by it is left out.
//
// An archive that is not in order comes back as *Refused, a lab that is not as
// labs.Problems; nothing was written then.
func (l *Library) Add(ctx context.Context, name string, r io.Reader, by By) (*labs.Lab, error) {
	select {
	case l.intake <- struct{}{}: // each takes much memory
		defer func() { <-l.intake }()
	case <-ctx.Done():
		return nil, fmt.Errorf("taking lab: %w", ctx.Err())
	}
	data, err := io.ReadAll(io.LimitReader(r, MaxArchive+1))
	if err != nil {
		return nil, fmt.Errorf("taking lab: %w", err)
	}
	if len(data) > MaxArchive {
		return nil, refuse("The archive is larger than %d MiB: leave out what the lab does not use.", MaxArchive>>20)
	}
	files, err := unpack(data)
	if err != nil {
		return nil, err
	}
	lab, archive, err := l.find(name, files)
	if err != nil {
		return nil, err
	}
	err = l.change(func(x *index) error {
		if e := x.Labs[lab.Slug]; e != nil {
			switch {
			case e.Source == Builtin:
				return refuse("%s is a lab that comes with Patchbay: rename your folder, and it is a lab of its own.", lab.Slug)
			case e.Source == Folder:
				return refuse("%s comes from the server's own folder of labs: change it there, or rename your folder.", lab.Slug)
			case e.By != by.Login && !by.Admin:
				return refuse("There is a lab %s already, of %s: rename your folder, and it is a lab of its own.", lab.Slug, e.By)
			}
		}
		if err := l.keep(lab, archive); err != nil {
			return err
		}
		x.put(lab, Upload, by.Login)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return l.Version(lab.Slug, lab.Digest)
}

// find finds the one lab of an archive.
func (l *Library) find(name string, files []file) (*labs.Lab, []byte, error) {
	files = unwrap(name, files)
	folders := foldersOf(files)
	if len(folders) == 0 {
		return nil, nil, refuse("There is no lab in the archive: a lab is a folder with lab.yaml and guide.md, or one of Kathará with lab.conf.")
	}
	packed, err := pack(files, "")
	if err != nil {
		return nil, nil, err
	}
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		return nil, nil, fmt.Errorf("taking lab: %w", err)
	}
	fsys := &layered{own: z, library: l}
	type found struct {
		lab     *labs.Lab
		archive []byte
	}
	var all []found
	var problems labs.Problems
	extended := map[string]bool{}
	for _, dir := range folders {
		lab, archive, err := take(fsys, dir)
		if ps, ok := errors.AsType[labs.Problems](err); ok {
			problems = append(problems, ps...)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		extended[lab.Extends] = true
		all = append(all, found{lab, archive})
	}
	if len(problems) > 0 {
		return nil, nil, slices.Compact(problems) // a lab's are those of whoever extends it, too
	}
	all = slices.DeleteFunc(all, func(f found) bool { return extended[f.lab.Slug] })
	if len(all) != 1 {
		return nil, nil, refuse("The archive has several labs (%s): send one at a time. Only labs that it extends may lie beside it.", strings.Join(folders, ", "))
	}
	return all[0].lab, all[0].archive, nil
}

// foldersOf lists the folders with a lab.yaml or lab.conf, but for those within another:
// a node may have a file of that name.
func foldersOf(files []file) []string {
	var folders []string
	for _, f := range files {
		if dir, file := path.Split(f.name); dir != "" && isLabFile(file) {
			folders = append(folders, path.Clean(dir))
		}
	}
	slices.Sort(folders)
	folders = slices.Compact(folders)
	var out []string
	for _, dir := range folders { // what is above comes first
		if !slices.ContainsFunc(out, func(above string) bool { return strings.HasPrefix(dir, above+"/") }) {
			out = append(out, dir)
		}
	}
	return out
}

// unwrap puts the labs' folders at the root: a lab at the archive's root gets
// a folder, and folders that hold nothing but folders are taken away.
func unwrap(name string, files []file) []file {
	for range maxDepth {
		if slices.ContainsFunc(files, func(f file) bool { return isLabFile(f.name) }) {
			return moved(files, func(n string) string { return path.Join(slugOf(name), n) })
		}
		tops := map[string]bool{}
		for _, f := range files {
			tops[topOf(f.name)] = true
		}
		if len(tops) != 1 || len(files) == 0 {
			return files
		}
		top := topOf(files[0].name)
		if slices.ContainsFunc(files, func(f file) bool { return f.name == top || path.Dir(f.name) == top && isLabFile(path.Base(f.name)) }) {
			return files
		}
		files = moved(files, func(n string) string { return strings.TrimPrefix(n, top+"/") })
	}
	return files
}

func moved(files []file, rename func(string) string) []file {
	out := slices.Clone(files)
	for i := range out {
		out[i].name = rename(out[i].name)
	}
	return out
}

// slugOf makes a lab's name of an archive's: "My Lab (2).tar.gz" is my-lab-2.
func slugOf(name string) string {
	name = strings.ToLower(path.Base(strings.ReplaceAll(name, `\`, "/")))
	for _, end := range []string{".tar.gz", ".tgz", ".tar", ".zip"} {
		name = strings.TrimSuffix(name, end)
	}
	return kathara.Slug(name)
}

// layered is an archive's files and, below the names of labs that it lacks,
// those of the library.
type layered struct {
	own     fs.FS
	library *Library
	labs    map[string]fs.FS // by their folder; nil: there is none
}

func (f *layered) Open(name string) (fs.File, error) {
	file, err := f.own.Open(name)
	if err == nil {
		return file, nil
	}
	top := topOf(name)
	if _, ownErr := fs.Stat(f.own, top); ownErr == nil || !fs.ValidPath(name) {
		return nil, err
	}
	other, known := f.labs[top]
	if !known {
		other = f.extendable(top)
	}
	if other == nil {
		return nil, err
	}
	return other.Open(name)
}

// extendable is the newest version of a lab of the library, which brings the
// labs that it extends itself.
func (f *layered) extendable(slug string) fs.FS {
	if f.labs == nil {
		f.labs = map[string]fs.FS{}
	}
	f.labs[slug] = nil
	archive, err := f.library.newestArchive(slug)
	if err != nil {
		return nil
	}
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil
	}
	if z.Comment != slug { // it lay in a folder of folders; here it does not
		sub, err := fs.Sub(z, path.Dir(z.Comment))
		if err != nil {
			return nil
		}
		f.labs[slug] = sub
		return sub
	}
	f.labs[slug] = z
	entries, _ := fs.ReadDir(z, ".")
	for _, e := range entries {
		if _, known := f.labs[e.Name()]; !known {
			f.labs[e.Name()] = z
		}
	}
	return z
}
