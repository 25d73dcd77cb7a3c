package library

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Bounds of an archive. A lab has at most 1000 files of 16 MiB together; those
// that it extends may come with it.
const (
	MaxArchive  = 32 << 20 // bytes as it is sent
	maxUnpacked = 48 << 20 // bytes of all its files
	maxOneFile  = 4 << 20
	maxFiles    = 1000
	maxEntries  = 4000 // files, folders and what is left out
	maxPath     = 255  // bytes
	maxDepth    = 20   // folders
	maxStream   = maxUnpacked + maxEntries*2048
)

// refusals is how many entries are complained of; nobody reads more at once.
const refusals = 20

// Refused says why an archive was not taken: sentences for the instructor, each
// naming the entry and what to do.
type Refused struct{ Sentences []string }

func (r *Refused) Error() string { return strings.Join(r.Sentences, "\n") }

func refuse(format string, args ...any) *Refused {
	return &Refused{[]string{fmt.Sprintf(format, args...)}}
}

// file is one of an archive's.
type file struct {
	name string // slash-separated, clean, within the archive
	exec bool
	data []byte
}

// unpack reads the files of a .tar, .tar.gz or .zip into memory. Everything
// that could make one file stand in for another, or reach out of the folder
// that it is unpacked to, is refused: the archive must mean the same to every
// program that looks at it.
func unpack(data []byte) ([]file, error) {
	u := &unpacker{seen: map[string]seen{}}
	var err error
	switch {
	case bytes.HasPrefix(data, []byte("PK\x03\x04")) || bytes.HasPrefix(data, []byte("PK\x05\x06")):
		err = u.zip(data)
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(data)); err == nil {
			err = u.tar(z)
		}
	case len(data) > 262 && string(data[257:262]) == "ustar":
		err = u.tar(bytes.NewReader(data))
	default:
		return nil, refuse("This is no archive that Patchbay can read: send a .tar.gz, a .tar or a .zip, as `patchbay lab pack` makes it.")
	}
	if r, ok := errors.AsType[*Refused](err); ok {
		u.wrong = append(u.wrong, r.Sentences...)
	} else if err != nil {
		u.wrong = append(u.wrong, fmt.Sprintf("The archive is damaged (%s): pack it again.", strings.ToValidUTF8(err.Error(), "?")))
	}
	if len(u.wrong) > 0 {
		return nil, &Refused{u.wrong}
	}
	return u.files, nil
}

// unpacker is one unpack.
type unpacker struct {
	files   []file
	seen    map[string]seen // by what a name is to a system that folds letters
	entries int
	size    int
	wrong   []string
}

type seen struct {
	name   string
	folder bool
	entry  bool // it is an entry of its own, not only the folder of one
}

// complain reports an entry; once there are enough of them, the error ends the reading.
func (u *unpacker) complain(name, format string, args ...any) error {
	u.wrong = append(u.wrong, shown(name)+" "+fmt.Sprintf(format, args...))
	if len(u.wrong) >= refusals {
		return refuse("There may be more; the reading ended here.")
	}
	return nil
}

// shown is an entry's name as a person can read it, on one line.
func shown(name string) string {
	if len(name) > 120 {
		cut := 100
		for cut > 0 && !utf8.RuneStart(name[cut]) {
			cut--
		}
		name = name[:cut] + "…"
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
		return fmt.Sprintf("%q", name)
	}
	return name
}

func (u *unpacker) tar(r io.Reader) error {
	bounded := &bound{r: r, left: maxStream}
	t := tar.NewReader(bounded)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		name := h.Name
		if err := u.count(); err != nil {
			return err
		}
		switch h.Typeflag {
		case tar.TypeXGlobalHeader:
			continue
		case tar.TypeReg, tar.TypeGNUSparse:
			err = u.file(name, h.FileInfo().Mode(), t)
		case tar.TypeDir:
			err = u.folder(name, h.FileInfo().Mode())
		case tar.TypeSymlink:
			err = u.complain(name, "is a symbolic link: put the file itself there (tar --dereference)")
		case tar.TypeLink:
			err = u.complain(name, "is a hard link: put the file itself there (tar --hard-dereference)")
		default:
			err = u.complain(name, "is neither a file nor a folder: leave it out")
		}
		if err != nil {
			return err
		}
	}
}

func (u *unpacker) zip(data []byte) error {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	for _, f := range z.File {
		if err := u.count(); err != nil {
			return err
		}
		mode := f.Mode()
		switch {
		case f.Flags&1 != 0:
			err = u.complain(f.Name, "is encrypted: pack it without a password")
		case mode&fs.ModeSymlink != 0:
			err = u.complain(f.Name, "is a symbolic link: put the file itself there")
		case mode.IsDir() || strings.HasSuffix(f.Name, "/"):
			err = u.folder(f.Name, mode)
		case !mode.IsRegular():
			err = u.complain(f.Name, "is neither a file nor a folder: leave it out")
		default:
			var r io.ReadCloser
			if r, err = f.Open(); err != nil {
				return fmt.Errorf("%s: %w", shown(f.Name), err)
			}
			err = u.file(f.Name, mode, r)
			r.Close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// count counts an entry.
func (u *unpacker) count() error {
	if u.entries++; u.entries > maxEntries {
		return refuse("The archive has more than %d entries; a lab has at most %d files. Pack the lab's folder alone.", maxEntries, maxFiles)
	}
	return nil
}

// leftOut says whether an entry is what desktops and git leave behind.
func leftOut(name string) bool {
	for _, part := range strings.Split(name, "/") {
		switch {
		case part == "__MACOSX", part == ".DS_Store", part == "Thumbs.db", part == ".git", strings.HasPrefix(part, "._"):
			return true
		}
	}
	return false
}

// clean gives an entry's name its one form. Without it ok is false, and err may
// end the reading.
func (u *unpacker) clean(name string, mode fs.FileMode) (cleaned string, ok bool, err error) {
	trimmed := strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
	if trimmed == "" || trimmed == "." {
		return "", false, nil // the archive's own folder
	}
	switch {
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		err = u.complain(name, "has a name with characters that cannot be printed: rename it")
	case strings.Contains(name, `\`):
		err = u.complain(name, "has a backslash in its name: rename it, and pack it with / between folders")
	case path.IsAbs(name) || len(name) > 1 && name[1] == ':':
		err = u.complain(name, "has an absolute path: pack the lab's folder from the folder that it lies in")
	case slices.Contains(strings.Split(trimmed, "/"), ".."):
		err = u.complain(name, "leads out of the archive: names with .. are not taken")
	case path.Clean(trimmed) != trimmed:
		err = u.complain(name, "has an odd path: write it as %s", shown(path.Clean(trimmed)))
	case len(trimmed) > maxPath:
		err = u.complain(name, "has a path of %d bytes: at most %d are possible", len(trimmed), maxPath)
	case strings.Count(trimmed, "/") > maxDepth:
		err = u.complain(name, "lies more than %d folders deep: move it up", maxDepth)
	case leftOut(trimmed):
	case mode&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0:
		err = u.complain(name, "has the setuid, setgid or sticky bit: take it away (chmod u-s,g-s,-t)")
	default:
		return trimmed, true, nil
	}
	return "", false, err
}

// fold is what a name is to a file system that does not tell letters apart.
// A Caser has state, so each call has its own.
func fold(name string) string { return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(name))) }

// take notes a name and those of its folders, or complains of a clash.
func (u *unpacker) take(name string, folder bool) (ok bool, err error) {
	for i := 0; i < len(name); i++ {
		if name[i] != '/' {
			continue
		}
		if ok, err := u.takeOne(name[:i], true, false); !ok {
			return false, err
		}
	}
	return u.takeOne(name, folder, true)
}

func (u *unpacker) takeOne(name string, folder, entry bool) (ok bool, err error) {
	k := fold(name)
	have, there := u.seen[k]
	switch {
	case !there:
		u.seen[k] = seen{name, folder, entry}
		return true, nil
	case have.name != name:
		return false, u.complain(name, "and %s are one name to some computers: rename one of them", shown(have.name))
	case have.folder != folder:
		return false, u.complain(name, "is both a file and a folder: rename one of them")
	case !folder:
		return false, u.complain(name, "is there twice: leave one of them out")
	}
	return true, nil
}

func (u *unpacker) folder(name string, mode fs.FileMode) error {
	// A folder's setgid and sticky bits are usual where groups share folders.
	cleaned, ok, err := u.clean(name, mode&^(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky))
	if ok {
		_, err = u.take(cleaned, true)
	}
	return err
}

func (u *unpacker) file(name string, mode fs.FileMode, r io.Reader) error {
	cleaned, ok, err := u.clean(name, mode)
	if !ok {
		return err
	}
	if ok, err := u.take(cleaned, false); !ok {
		return err
	}
	if len(u.files) == maxFiles {
		return refuse("The archive has more than %d files, and a lab has at most that many: leave out what the lab does not use.", maxFiles)
	}
	data, err := io.ReadAll(io.LimitReader(r, maxOneFile+1))
	if err != nil {
		return err
	}
	if len(data) > maxOneFile {
		return u.complain(cleaned, "is larger than %d MiB: make it smaller, or have the lab make it at its start", maxOneFile>>20)
	}
	if u.size += len(data); u.size > maxUnpacked {
		return refuse("The archive's files are more than %d MiB when they are unpacked: leave out what the lab does not use.", maxUnpacked>>20)
	}
	u.files = append(u.files, file{name: cleaned, exec: mode&0o111 != 0, data: data})
	return nil
}

// bound ends a stream that does not end: a few bytes may unpack to terabytes.
type bound struct {
	r    io.Reader
	left int
}

func (b *bound) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, refuse("The archive unpacks to more than %d MiB: leave out what the lab does not use.", maxUnpacked>>20)
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
