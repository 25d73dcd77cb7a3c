package labs

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"github.com/patchbay/patchbay/labs/param"
)

// Bounds of what comes with a lab. A node's files travel over its serial line
// before its first start.
const (
	maxFile      = 4 << 20  // bytes of one file for a node
	maxFilesSize = 16 << 20 // bytes of all files of a lab
	maxFiles     = 1000
	maxGuide     = 512 << 10
	maxSolution  = 64 << 10
	maxPath      = 255
)

// folder reads the files of one lab and of those it extends, within their
// folders, and counts what it read.
type folder struct {
	fsys  fs.FS
	probs *collector
	files int   // read so far
	size  int64 // bytes read so far
	hash  func(name string, mode uint32, data []byte)

	values param.Values // go into what is read for nodes
}

// read reads an ordinary file of at most limit bytes. No part of its path may
// be a symbolic link: a lab that comes from elsewhere must not show a student
// what lies on the server. The error is a phrase that follows the file's name.
func (f *folder) read(name string, limit int) (data []byte, mode uint32, err error) {
	info, err := f.stat(name)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errorText("is not an ordinary file")
	}
	if f.files++; f.files > maxFiles {
		return nil, 0, errorText(fmt.Sprintf("is one file too many: a lab has at most %d", maxFiles))
	}
	r, err := f.fsys.Open(name)
	if err != nil {
		return nil, 0, errorText("cannot be opened")
	}
	defer r.Close()
	data, err = io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, 0, errorText("cannot be read")
	}
	if f.size += int64(len(data)); f.size > maxFilesSize {
		return nil, 0, errorText(fmt.Sprintf("is too much: a lab's files are at most %s together", byteSize(maxFilesSize)))
	}
	mode = 0o644
	if info.Mode()&0o111 != 0 || bytes.HasPrefix(data, []byte("#!")) {
		mode = 0o755
	}
	f.hash(name, mode, data)
	return data, mode, nil
}

// maxRefs is how many times one file may name parameters.
const maxRefs = 10_000

// filled is the content of a file for a node with the values of parameters in
// it; what is not text stays as it is, and so does what is no parameter.
func (f *folder) filled(data []byte) ([]byte, error) {
	if !bytes.Contains(data, []byte("((")) || !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 || len(f.values.All()) == 0 {
		return data, nil
	}
	if bytes.Count(data, []byte("((")) > maxRefs {
		return nil, errorText(fmt.Sprintf("has “((” more than %d times", maxRefs))
	}
	s, _ := f.values.Expand(string(data))
	return []byte(s), nil
}

// stat is Lstat of every part of the path down to its last.
func (f *folder) stat(name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, errorText("is not within the lab")
	}
	var info fs.FileInfo
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			continue
		}
		var err error
		if info, err = fs.Lstat(f.fsys, name[:i]); err != nil {
			return nil, errorText("is not there")
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return nil, errorText("is, or lies behind, a symbolic link")
		}
	}
	return info, nil
}

// errorText is an error that is a phrase for a person.
type errorText string

func (e errorText) Error() string { return string(e) }

// within joins a path that an author wrote to a folder; ok is false when it
// leads out of it.
func within(dir, written string) (name string, ok bool) {
	if path.IsAbs(written) || strings.Contains(written, `\`) || slices.Contains(strings.Split(written, "/"), "..") {
		return "", false
	}
	name = path.Join(dir, written)
	return name, fs.ValidPath(name) && name != dir
}

// nodeFile decodes one file of a node.
func (d *decoder) nodeFile(e entry, content func(text) ([]byte, uint32, bool)) (draftFile, bool) {
	e.key = d.expand(e.key)
	f := draftFile{path: e.key}
	before := len(d.probs.list)
	if why := badGuestPath(e.key.s); why != "" {
		d.probs.add(e.key.mark, "write it like /etc/hosts", "the path %s %s", quoteShort(e.key.s), why)
	}
	var source, inline text
	var hasSource, hasInline, hasMode bool
	var mode uint32
	d.object(e.value, fileForm, []field{
		{"source", func(n ast.Node) { source, hasSource = d.str(n, "source", maxPath) }},
		{"content", func(n ast.Node) { inline, hasInline = d.str(n, "content", maxYAML) }},
		{"mode", func(n ast.Node) {
			t, ok := d.scalar(n, "mode", 20)
			if ok && !modeRE.MatchString(t.s) {
				d.bad(n, "write it like 0644", "mode is three or four octal digits, found %s", quoteShort(t.s))
				ok = false
			}
			if ok {
				m, _ := strconv.ParseUint(strings.TrimPrefix(strings.TrimPrefix(t.s, "0"), "o"), 8, 32)
				mode, hasMode = uint32(m), true
			}
		}},
	})
	if len(d.probs.list) > before || d.probs.dropped > 0 {
		return f, false
	}
	switch {
	case hasSource == hasInline:
		d.probs.add(e.key.mark, "give source: a file in the lab's folder, or content: the text itself", "the file %s needs either source or content", e.key.s)
		return f, false
	case hasInline:
		f.data, f.mode = []byte(inline.s), 0o644
	default:
		var ok bool
		if f.data, f.mode, ok = content(source); !ok {
			return f, false
		}
	}
	if hasMode {
		f.mode = mode
	}
	return f, true
}

// badGuestPath says why a path cannot be that of a file in a guest.
func badGuestPath(p string) string {
	switch {
	case !path.IsAbs(p) || path.Clean(p) != p || p == "/":
		return "is not an absolute path of a file"
	case len(p) > maxPath || !utf8.ValidString(p) || !printable(p):
		return "is too long or has characters that cannot be printed"
	}
	for _, dir := range []string{"/proc", "/sys", "/dev"} {
		if p == dir || strings.HasPrefix(p, dir+"/") {
			return "lies in " + dir + ", which is no part of the disk"
		}
	}
	return ""
}

// nodeFolders reads nodes/NODE/…, whose files go to the same path on that
// node. They come before the ones that lab.yaml names, which may replace them.
func (f *folder) nodeFolders(dir string, names []string) map[string][]draftFile {
	root := path.Join(dir, "nodes")
	if _, err := fs.Lstat(f.fsys, root); err != nil {
		return nil // none, which is usual
	}
	out := map[string][]draftFile{}
	for _, e := range f.readDir(root) {
		p := path.Join(root, e.Name())
		if !slices.Contains(names, e.Name()) {
			f.probs.add(mark{file: p}, didYouMean(e.Name(), names, "name the folder after a node, or remove it"), "there is no node %s", quoteShort(e.Name()))
			continue
		}
		f.walk(p, p, out, e.Name(), 0)
	}
	return out
}

func (f *folder) walk(root, dir string, out map[string][]draftFile, node string, depth int) {
	if depth > 16 {
		f.probs.add(mark{file: dir}, "", "folders lie more than 16 deep")
		return
	}
	for _, e := range f.readDir(dir) {
		p := path.Join(dir, e.Name())
		if e.IsDir() {
			f.walk(root, p, out, node, depth+1)
			continue
		}
		if f.files > maxFiles || f.size > maxFilesSize {
			return // said already
		}
		guestPath := strings.TrimPrefix(p, root)
		if why := badGuestPath(guestPath); why != "" {
			f.probs.add(mark{file: p}, "move it elsewhere", "the path %s %s", quoteShort(guestPath), why)
			continue
		}
		data, mode, err := f.read(p, maxFile)
		if err == nil && len(data) > maxFile {
			err = errorText("is larger than " + byteSize(maxFile))
		}
		if err == nil {
			data, err = f.filled(data)
		}
		if err != nil {
			f.probs.add(mark{file: p}, "", "this %v", err)
			continue
		}
		out[node] = append(out[node], draftFile{path: text{mark: mark{file: p}, s: guestPath}, mode: mode, data: data})
	}
}

// readDir lists a folder, which must be one and no link to one.
func (f *folder) readDir(dir string) []fs.DirEntry {
	info, err := f.stat(dir)
	if err == nil && !info.IsDir() {
		err = errorText("is not a folder")
	}
	var entries []fs.DirEntry
	if err == nil {
		if entries, err = fs.ReadDir(f.fsys, dir); err != nil {
			err = errorText("cannot be read")
		}
	}
	if err != nil {
		f.probs.add(mark{file: dir}, "", "this %v", err)
	}
	return entries
}
