package labs

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"
)

// Pack writes the lab in folder dir of fsys as a .tar.gz: exactly the files
// that make it, those of the labs that it extends among them, each in its
// folder. The same files give the same bytes. The error is a Problems when the
// lab is not in order; nothing was written then.
func Pack(w io.Writer, fsys fs.FS, dir string) (*Lab, error) {
	l := newLoader(fsys, dir)
	lab, err := l.load(dir, nil)
	if err != nil {
		return nil, err
	}
	z := gzip.NewWriter(w) // without a name and a time
	t := tar.NewWriter(z)
	names := slices.Clone(l.kept.names)
	slices.Sort(names)
	for _, name := range names {
		f := l.kept.files[name]
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(f.mode), Size: f.Size(), ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
		if err := t.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("packing %s: %w", name, err)
		}
		if _, err := io.WriteString(t, f.data); err != nil {
			return nil, fmt.Errorf("packing %s: %w", name, err)
		}
	}
	if err := t.Close(); err != nil {
		return nil, fmt.Errorf("packing lab: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("packing lab: %w", err)
	}
	return lab, nil
}
