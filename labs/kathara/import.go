// Package kathara reads the labs of Kathará and Netkit, a folder with a
// lab.conf, and makes labs of Patchbay's own of them. Whatever is not taken
// over, or is different afterwards, is said in a Note.
package kathara

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
)

// Import is a lab of theirs as a lab of ours.
type Import struct {
	Slug     string
	Files    map[string]File   // the folder: lab.yaml, guide.md, files for nodes; by path
	Notes    []Note            // in the order of files and lines
	Conf     *Conf             // what lab.conf says
	Nodes    map[string]string // a device's name → its node's
	Segments map[string]string // a collision domain's name → its segment's
}

// File is one file of the folder.
type File struct {
	Data []byte
	Exec bool
}

// Note is one thing that was not taken over, or is different.
type Note struct {
	File string // in their folder
	Line int    // from 1; 0 when it is not about one line
	Text string // a sentence
}

// String is "file:line: text".
func (n Note) String() string {
	switch {
	case n.File == "":
		return n.Text
	case n.Line > 0:
		return fmt.Sprintf("%s:%d: %s", n.File, n.Line, n.Text)
	}
	return n.File + ": " + n.Text
}

// FS is the folder as labs.Load reads it: the lab lies in a folder named by
// its Slug.
func (im *Import) FS() fs.FS {
	var b bytes.Buffer
	z := zip.NewWriter(&b) // a file system that is there already
	for name, f := range im.Files {
		h := &zip.FileHeader{Name: im.Slug + "/" + name, Method: zip.Store}
		h.SetMode(0o644)
		if f.Exec {
			h.SetMode(0o755)
		}
		if w, err := z.CreateHeader(h); err == nil { // memory takes every byte
			_, _ = w.Write(f.Data)
		}
	}
	_ = z.Close()
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		return &zip.Reader{} // without a file, which labs.Load says
	}
	return r
}

// Detect says whether the root of fsys is a lab of theirs, and not one of ours.
func Detect(fsys fs.FS) bool {
	if _, err := fs.Lstat(fsys, "lab.yaml"); err == nil {
		return false
	}
	info, err := fs.Lstat(fsys, "lab.conf")
	return err == nil && info.Mode().IsRegular()
}

// Read reads the lab at the root of fsys. Its errors are labs.Problems, with
// the file and line of each.
func Read(fsys fs.FS, slug string) (*Import, error) {
	return read(fsys, slug)
}
