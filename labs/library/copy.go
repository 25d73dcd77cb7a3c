package library

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/patchbay/patchbay/labs"
)

// Origin is the version of a lab that another was copied from.
type Origin struct {
	Slug   string `json:"slug"`
	Digest string `json:"digest"`
}

// Copy makes a lab of its own of the newest version of another: the same
// files in a folder of a new name, with the labs that it extends as they are
// now. Whoever copies owns it, and sends new versions of it. It needs a name
// that no lab has had: racks and grades know labs by their names.
func (l *Library) Copy(ctx context.Context, slug, name string, by By) (*labs.Lab, error) {
	if !slugRE.MatchString(name) {
		return nil, labs.Errorf(labs.Invalid, "%q is no name for a lab: it has only a-z, 0-9 and -, begins with a letter or a digit, and has at most 63 of them.", name)
	}
	from, ok := l.Lab(slug)
	if !ok {
		return nil, labs.Errorf(labs.NotFound, "There is no such lab.")
	}
	if err := l.unused(name); err != nil {
		return nil, err
	}
	select {
	case l.intake <- struct{}{}: // each takes much memory
		defer func() { <-l.intake }()
	case <-ctx.Done():
		return nil, fmt.Errorf("copying lab: %w", ctx.Err())
	}
	archive, err := l.Archive(slug, from.Digest)
	if err != nil {
		return nil, err
	}
	files, err := renamed(archive, name)
	if err != nil {
		return nil, fmt.Errorf("copying lab %s: %w", slug, err)
	}
	packed, err := pack(files, "")
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		return nil, fmt.Errorf("copying lab %s: %w", slug, err)
	}
	lab, archive, err := gather(z, name)
	if err != nil {
		return nil, fmt.Errorf("copying lab %s: %w", slug, err)
	}
	err = l.change(func(x *index) error {
		if err := x.unused(name); err != nil {
			return err
		}
		if err := l.keep(lab, archive); err != nil {
			return err
		}
		x.put(lab, Upload, by.Login)
		x.Labs[name].Origin = &Origin{slug, from.Digest}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return l.Version(name, lab.Digest)
}

// unused says of a name that a lab has, or had.
func (x *index) unused(name string) error {
	switch e := x.Labs[name]; {
	case e == nil:
		return nil
	case e.Hidden:
		return labs.Errorf(labs.Conflict, "There was a lab %s on this server, and its versions are kept: choose another name.", name)
	}
	return labs.Errorf(labs.Conflict, "There is a lab %s already: choose another name.", name)
}

func (l *Library) unused(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(); err != nil {
		return err
	}
	return l.index.unused(name)
}

// renamed are a version's files, with its lab in a folder of another name.
func renamed(archive []byte, name string) ([]file, error) {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, err
	}
	var files []file
	above := path.Dir(z.Comment)
	for _, zf := range z.File {
		f, err := readFile(z, zf.Name)
		if err != nil {
			return nil, err
		}
		if f.name = strings.TrimPrefix(f.name, above+"/"); topOf(f.name) == name {
			return nil, labs.Errorf(labs.Conflict, "The lab builds on one called %s: choose another name.", name)
		}
		if rest, ok := strings.CutPrefix(zf.Name, z.Comment+"/"); ok {
			f.name = name + "/" + rest
		}
		files = append(files, f)
	}
	return files, nil
}

// Mine says whether somebody may send new versions of a lab, or remove it.
func (i Info) Mine(by By) bool {
	return i.Source == Upload && !i.Hidden && (i.By == by.Login || by.Admin)
}
