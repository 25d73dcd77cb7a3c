// Package library keeps the labs that a server has: those that come with
// Patchbay, those of a folder, and those that instructors sent. Every version
// is kept for as long as the library is, under its digest, so that a rack that
// runs can stay on the version it began with.
//
// On disk:
//
//	index.json                  which labs there are, and their versions
//	versions/SLUG/DIGEST.zip    what a version was made of
//	lock                        held while the index is changed
package library

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/patchbay/patchbay/labs"
)

// Library is safe for use by several goroutines, and its folder by several
// processes. Whoever opened it must Close it.
type Library struct {
	dir     string
	intake  chan struct{}
	writing sync.Mutex
	order   []string // of the built-in labs

	mu       sync.Mutex
	from     *os.File             // guarded by mu: the index that the fields below were made of
	index    *index               // guarded by mu
	newest   []*labs.Lab          // guarded by mu: not hidden, in the order of lists
	bySlug   map[string]*labs.Lab // guarded by mu
	loaded   map[string]*labs.Lab // guarded by mu: by slug and digest
	broken   []Trouble            // guarded by mu: versions that this Patchbay cannot read
	troubles []Trouble            // guarded by mu: of the folder
}

// Trouble is what is wrong with a lab of the folder, or with the whole folder
// when Slug is empty. Its last good version is served.
type Trouble struct {
	Slug     string
	Problems labs.Problems
}

// maxLoaded is how many versions are kept in memory beside the newest ones.
const maxLoaded = 256

// Open opens the library in dir, which is made when it is not there.
func Open(dir string) (*Library, error) {
	if err := os.MkdirAll(filepath.Join(dir, "versions"), 0o700); err != nil {
		return nil, fmt.Errorf("opening the library: %w", err)
	}
	l := &Library{dir: dir, intake: make(chan struct{}, 2), loaded: map[string]*labs.Lab{}}
	l.sweep()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(); err != nil {
		return nil, err
	}
	return l, nil
}

// Close lets go of the library's files.
func (l *Library) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.from != nil {
		l.from.Close()
		l.from = nil
	}
	return nil
}

// sweep removes what a process that was killed had begun to write. Another
// process may be at it now, so what is new stays.
func (l *Library) sweep() {
	for _, pattern := range []string{".new-*", "versions/*/.new-*"} {
		left, _ := filepath.Glob(filepath.Join(l.dir, pattern))
		for _, name := range left {
			if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > time.Hour {
				_ = os.Remove(name) // the next start tries again
			}
		}
	}
}

// Include takes the labs that come with Patchbay, in the order in which lists
// show them. Call it once, before the library is shared.
func (l *Library) Include(fsys fs.FS, slugs []string) error {
	type kept struct {
		lab     *labs.Lab
		archive []byte
	}
	all := make([]kept, len(slugs))
	for i, slug := range slugs {
		lab, archive, err := gather(fsys, slug)
		if err != nil {
			return fmt.Errorf("loading the built-in lab %s: %w", slug, err)
		}
		all[i] = kept{lab, archive}
	}
	l.mu.Lock()
	l.order = slugs
	l.drop()
	l.mu.Unlock()
	return l.change(func(x *index) error {
		for _, k := range all {
			if err := l.keep(k.lab, k.archive); err != nil {
				return err
			}
			e := x.Labs[k.lab.Slug]
			switch {
			case e == nil || e.Hidden || e.Source == Builtin && e.Digest != k.lab.Digest:
				x.put(k.lab, Builtin, "")
			case e.Source == Folder: // comes back when the folder's is gone
				x.remember(k.lab, Builtin)
			}
		}
		for slug, e := range x.Labs { // one that an older Patchbay had
			if e.Source == Builtin && !slices.Contains(slugs, slug) {
				e.Hidden = true
			}
		}
		return nil
	})
}

// drop forgets what was made of the index. The caller holds mu.
func (l *Library) drop() {
	if l.from != nil {
		l.from.Close()
	}
	l.from, l.index = nil, nil
}

// refresh makes the fields anew when the index was changed, by whatever
// process. The caller holds mu. After an error the fields are as before.
func (l *Library) refresh() error {
	now, err := os.Stat(filepath.Join(l.dir, indexFile))
	if l.index != nil {
		if os.IsNotExist(err) && l.from == nil {
			return nil
		}
		if err == nil && l.from != nil {
			if was, err := l.from.Stat(); err == nil && os.SameFile(was, now) {
				return nil
			}
		}
	}
	x, from, err := readIndex(l.dir)
	if err != nil {
		if l.index != nil {
			return nil // go on with what was there
		}
		return err
	}
	l.drop()
	l.index, l.from = x, from
	l.newest, l.bySlug, l.broken = nil, map[string]*labs.Lab{}, nil
	slugs := make([]string, 0, len(x.Labs))
	for slug, e := range x.Labs {
		if !e.Hidden {
			slugs = append(slugs, slug)
		}
	}
	place := func(slug string) int { // the built-in ones first
		if i := slices.Index(l.order, slug); i >= 0 {
			return i
		}
		return len(l.order)
	}
	slices.SortFunc(slugs, func(a, b string) int {
		if d := place(a) - place(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for _, slug := range slugs {
		lab, err := l.version(slug, x.Labs[slug].Digest)
		if err != nil {
			l.broken = append(l.broken, Trouble{Slug: slug, Problems: labs.Problems{{File: slug, Message: labs.MessageOf(err)}}})
			continue
		}
		l.newest = append(l.newest, lab)
		l.bySlug[slug] = lab
	}
	return nil
}

// Labs lists the newest version of each lab, the built-in ones first. The
// caller does not change it.
func (l *Library) Labs() []*labs.Lab {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.refresh() // with an index there is no error
	return l.newest
}

// Lab is the newest version of a lab; ok is false when there is none or it is hidden.
func (l *Library) Lab(slug string) (lab *labs.Lab, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.refresh()
	lab, ok = l.bySlug[slug]
	return lab, ok
}

var digestRE = regexp.MustCompile(`^[0-9a-f]{64}$`)

var slugRE = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Version is one version of a lab, hidden or not. Its error has code NotFound
// when there is none.
func (l *Library) Version(slug, digest string) (*labs.Lab, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.version(slug, digest)
}

func (l *Library) version(slug, digest string) (*labs.Lab, error) {
	key := slug + " " + digest
	if lab, ok := l.loaded[key]; ok {
		return lab, nil
	}
	archive, err := l.Archive(slug, digest)
	if err != nil {
		return nil, err
	}
	lab, err := load(archive)
	if err != nil {
		return nil, fmt.Errorf("loading version %.12s of lab %s: %w", digest, slug, err)
	}
	// Another Patchbay may count other things into a digest; a version keeps
	// the name that it was given when it came.
	lab.Digest = digest
	if len(l.loaded) >= maxLoaded {
		for k, old := range l.loaded {
			if l.bySlug[old.Slug] != old {
				delete(l.loaded, k)
				break
			}
		}
	}
	l.loaded[key] = lab
	return lab, nil
}

// Archive is a version as a .zip file, of the files that the lab is made of.
func (l *Library) Archive(slug, digest string) ([]byte, error) {
	if !slugRE.MatchString(slug) || !digestRE.MatchString(digest) {
		return nil, errNoVersion
	}
	data, err := os.ReadFile(l.archivePath(slug, digest))
	if os.IsNotExist(err) {
		return nil, errNoVersion
	}
	if err != nil {
		return nil, fmt.Errorf("reading version %.12s of lab %s: %w", digest, slug, err)
	}
	return data, nil
}

var errNoVersion = labs.Errorf(labs.NotFound, "There is no such version of that lab.")

func (l *Library) newestArchive(slug string) ([]byte, error) {
	lab, ok := l.Lab(slug)
	if !ok {
		return nil, errNoVersion
	}
	return l.Archive(slug, lab.Digest)
}

// Info is what the library knows of a lab.
type Info struct {
	Slug     string
	Source   Source
	By       string // who sent the newest version
	Hidden   bool
	Origin   *Origin   // of a copy
	Versions []Version // the newest first
}

// Info of a lab, hidden or not. Its error has code NotFound when there is none.
func (l *Library) Info(slug string) (Info, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(); err != nil {
		return Info{}, err
	}
	e := l.index.Labs[slug]
	if e == nil {
		return Info{}, labs.Errorf(labs.NotFound, "There is no such lab.")
	}
	versions := slices.Clone(e.Versions)
	slices.Reverse(versions)
	return Info{Slug: slug, Source: e.Source, By: e.By, Hidden: e.Hidden, Origin: e.Origin, Versions: versions}, nil
}

// Remove hides a lab that was sent: nobody finds it any more, racks that run
// go on, and its versions are kept. Sending it again shows it again.
func (l *Library) Remove(slug string, by By) error {
	return l.change(func(x *index) error {
		e := x.Labs[slug]
		switch {
		case e == nil || e.Hidden:
			return labs.Errorf(labs.NotFound, "There is no such lab.")
		case e.Source == Builtin:
			return labs.Errorf(labs.Conflict, "%s comes with Patchbay and stays.", slug)
		case e.Source == Folder:
			return labs.Errorf(labs.Conflict, "%s comes from the server's own folder of labs: remove it there.", slug)
		case e.By != by.Login && !by.Admin:
			return labs.Errorf(labs.Forbidden, "Only %s, who sent this lab, or an administrator may remove it.", e.By)
		}
		e.Hidden = true
		return nil
	})
}

// Troubles lists what is wrong with labs of the folder.
func (l *Library) Troubles() []Trouble {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.refresh()
	return append(slices.Clone(l.troubles), l.broken...)
}
