package library

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/patchbay/patchbay/labs"
)

// A version is kept as one zip file: the files that the lab was made of, those
// of the labs that it extends among them, in their folders. The archive's
// comment is the lab's folder.

// pack writes files as a version's archive, the same bytes for the same files.
func pack(files []file, folder string) ([]byte, error) {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.name, b.name) })
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	if err := z.SetComment(folder); err != nil {
		return nil, fmt.Errorf("packing lab: %w", err)
	}
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate}
		h.SetMode(0o644)
		if f.exec {
			h.SetMode(0o755)
		}
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write(f.data)
		}
		if err != nil {
			return nil, fmt.Errorf("packing lab: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("packing lab: %w", err)
	}
	return b.Bytes(), nil
}

// load reads a lab from a version's archive.
func load(archive []byte) (*labs.Lab, error) {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, fmt.Errorf("opening lab: %w", err)
	}
	return labs.Load(z, z.Comment)
}

// recorder notes the files that are opened, which are those that a lab is made of.
type recorder struct {
	fs.FS
	mu     sync.Mutex
	opened map[string]bool // guarded by mu
}

func (r *recorder) Open(name string) (fs.File, error) {
	f, err := r.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		r.mu.Lock()
		r.opened[name] = true
		r.mu.Unlock()
	}
	return f, nil
}

// Lstat does not follow links, as Load asks for it; without it a file's
// neighbours would count as opened.
func (r *recorder) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(r.FS, name) }

func (r *recorder) ReadLink(name string) (string, error) { return fs.ReadLink(r.FS, name) }

func (r *recorder) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(r.FS, name) }

// gather loads the lab in folder and packs what it is made of.
func gather(fsys fs.FS, folder string) (*labs.Lab, []byte, error) {
	rec := &recorder{FS: fsys, opened: map[string]bool{}}
	lab, err := labs.Load(rec, folder)
	if err != nil {
		return nil, nil, err
	}
	var files []file
	for name := range rec.opened {
		f, err := readFile(fsys, name)
		if err != nil {
			return nil, nil, fmt.Errorf("packing lab %s: %w", lab.Slug, err)
		}
		files = append(files, f)
	}
	archive, err := pack(files, folder)
	if err != nil {
		return nil, nil, err
	}
	// What was packed is what counts: the files may have changed meanwhile.
	again, err := load(archive)
	if err != nil {
		return nil, nil, err
	}
	return again, archive, nil
}

func readFile(fsys fs.FS, name string) (file, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return file{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return file{}, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxUnpacked))
	return file{name: name, exec: info.Mode()&0o111 != 0, data: data}, err
}

// topOf is the first folder of a path.
func topOf(name string) string {
	top, _, _ := strings.Cut(name, "/")
	return top
}
