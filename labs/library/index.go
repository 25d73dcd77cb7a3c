package library

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/labs"
)

// Source says where a lab is from.
type Source string

// The sources. A lab of a folder hides a built-in one of the same slug; nothing
// else takes another's place.
const (
	Builtin Source = "builtin"
	Upload  Source = "upload"
	Folder  Source = "folder" // the one that the server was started with
)

// Version is one state of a lab that somebody may have used.
type Version struct {
	Digest string    `json:"digest"`
	Title  string    `json:"title"`
	At     time.Time `json:"at"`
	By     string    `json:"by,omitempty"` // login
	Source Source    `json:"source"`
}

// entry is a lab in the index.
type entry struct {
	Digest   string    `json:"digest"` // the newest version's
	Source   Source    `json:"source"`
	By       string    `json:"by,omitempty"`
	Hidden   bool      `json:"hidden,omitempty"`
	Origin   *Origin   `json:"origin,omitempty"` // of a copy
	Versions []Version `json:"versions"`         // the newest last
}

// index is the file that says which labs there are.
type index struct {
	Labs map[string]*entry `json:"labs"`
}

// put makes a version the newest of its slug.
func (x *index) put(lab *labs.Lab, source Source, by string) {
	e := x.Labs[lab.Slug]
	if e == nil {
		e = &entry{}
		x.Labs[lab.Slug] = e
	}
	e.Digest, e.Source, e.By, e.Hidden = lab.Digest, source, by, false
	e.Versions = slices.DeleteFunc(e.Versions, func(v Version) bool { return v.Digest == lab.Digest })
	e.Versions = append(e.Versions, Version{lab.Digest, lab.Title, time.Now().UTC().Truncate(time.Second), by, source})
}

// remember notes a version that is not the newest.
func (x *index) remember(lab *labs.Lab, source Source) {
	e := x.Labs[lab.Slug]
	if !slices.ContainsFunc(e.Versions, func(v Version) bool { return v.Digest == lab.Digest }) {
		e.Versions = append([]Version{{lab.Digest, lab.Title, time.Now().UTC().Truncate(time.Second), "", source}}, e.Versions...)
	}
}

// gone hides a lab that the folder no longer has; a built-in one that it hid
// comes back.
func (e *entry) gone() {
	for _, v := range slices.Backward(e.Versions) {
		if v.Source == Builtin {
			e.Digest, e.Source, e.By, e.Hidden = v.Digest, Builtin, "", false
			return
		}
	}
	e.Hidden = true
}

const (
	indexFile = "index.json"
	lockFile  = "lock"
)

// readIndex reads the index, and gives the open file that it was read from: as
// long as it is open, no other file can look like it.
func readIndex(dir string) (*index, *os.File, error) {
	x := &index{Labs: map[string]*entry{}}
	f, err := os.Open(filepath.Join(dir, indexFile))
	if errors.Is(err, os.ErrNotExist) {
		return x, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the library's index: %w", err)
	}
	if err := json.NewDecoder(f).Decode(x); err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("reading %s: %w", f.Name(), err)
	}
	if x.Labs == nil {
		x.Labs = map[string]*entry{}
	}
	return x, f, nil
}

// change changes the index: one at a time, of all processes that have the
// library open. When f fails nothing is changed.
func (l *Library) change(f func(*index) error) error {
	l.writing.Lock() // the lock below is one for each open file, not for each goroutine
	defer l.writing.Unlock()
	lock, err := os.OpenFile(filepath.Join(l.dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("locking the library: %w", err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("locking the library: %w", err)
	}
	x, from, err := readIndex(l.dir)
	if err != nil {
		return err
	}
	if from != nil {
		defer from.Close()
	}
	before, err := json.MarshalIndent(x, "", "\t")
	if err != nil {
		return fmt.Errorf("writing the library's index: %w", err)
	}
	if err := f(x); err != nil {
		return err
	}
	after, err := json.MarshalIndent(x, "", "\t")
	if err != nil {
		return fmt.Errorf("writing the library's index: %w", err)
	}
	if string(before) == string(after) && from != nil {
		return nil
	}
	return writeFile(filepath.Join(l.dir, indexFile), append(after, '\n'))
}

// writeFile writes a file wholly or not at all.
func writeFile(name string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(name), err)
	}
	defer os.Remove(f.Name()) // fails once it has been renamed
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(name), err)
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(name), err)
	}
	return nil
}

// keep writes a version's archive, unless it is there.
func (l *Library) keep(lab *labs.Lab, archive []byte) error {
	name := l.archivePath(lab.Slug, lab.Digest)
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("keeping lab %s: %w", lab.Slug, err)
	}
	if err := writeFile(name, archive); err != nil {
		return fmt.Errorf("keeping lab %s: %w", lab.Slug, err)
	}
	return nil
}

func (l *Library) archivePath(slug, digest string) string {
	return filepath.Join(l.dir, "versions", slug, digest+".zip")
}
