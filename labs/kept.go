package labs

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// kept are the files that made a lab, so that it can be made again with other
// parameters. It is a file system, never changed once the lab is loaded.
type kept struct {
	dir   string // the lab's folder
	names []string
	files map[string]keptFile // by name
}

type keptFile struct {
	name string
	mode fs.FileMode
	data string
}

func (k *kept) add(name string, mode uint32, data []byte) {
	if _, twice := k.files[name]; twice {
		return
	}
	k.files[name] = keptFile{path.Base(name), fs.FileMode(mode), string(data)}
	k.names = append(k.names, name)
}

// entry finds a file or a folder.
func (k *kept) entry(name string) (keptFile, bool) {
	if f, ok := k.files[name]; ok {
		return f, true
	}
	if name == "." || slices.ContainsFunc(k.names, func(n string) bool { return strings.HasPrefix(n, name+"/") }) {
		return keptFile{name: path.Base(name), mode: fs.ModeDir | 0o755}, true
	}
	return keptFile{}, false
}

func (k *kept) Open(name string) (fs.File, error) {
	f, ok := k.entry(name)
	if !ok || f.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &keptReader{keptFile: f, r: strings.NewReader(f.data)}, nil
}

func (k *kept) Stat(name string) (fs.FileInfo, error) {
	f, ok := k.entry(name)
	if !ok {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return f, nil
}

func (k *kept) ReadDir(name string) ([]fs.DirEntry, error) {
	seen := map[string]fs.DirEntry{}
	for _, n := range k.names {
		rest, ok := strings.CutPrefix(n, name+"/")
		if !ok {
			continue
		}
		first, _, _ := strings.Cut(rest, "/")
		if f, ok := k.entry(name + "/" + first); ok {
			seen[first] = fs.FileInfoToDirEntry(f)
		}
	}
	out := make([]fs.DirEntry, 0, len(seen))
	for _, e := range seen {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}

func (f keptFile) Name() string       { return f.name }
func (f keptFile) Size() int64        { return int64(len(f.data)) }
func (f keptFile) Mode() fs.FileMode  { return f.mode }
func (f keptFile) ModTime() time.Time { return time.Time{} }
func (f keptFile) IsDir() bool        { return f.mode.IsDir() }
func (f keptFile) Sys() any           { return nil }

type keptReader struct {
	keptFile
	r *strings.Reader
}

func (f *keptReader) Stat() (fs.FileInfo, error) { return f.keptFile, nil }
func (f *keptReader) Read(b []byte) (int, error) { return f.r.Read(b) }
func (f *keptReader) Close() error               { return nil }
