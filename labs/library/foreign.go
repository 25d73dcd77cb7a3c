package library

import (
	"errors"
	"io/fs"
	"path"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/kathara"
)

// isLabFile says whether a folder with a file of that name is a lab: ours, or
// one of Kathará or Netkit.
func isLabFile(name string) bool { return name == "lab.yaml" || name == "lab.conf" }

// take is gather, which a lab of Kathará or Netkit goes through as one of ours.
func take(fsys fs.FS, folder string) (*labs.Lab, []byte, error) {
	own, err := fs.Sub(fsys, folder)
	if err != nil || !kathara.Detect(own) {
		return gather(fsys, folder)
	}
	return takeForeign(own, folder)
}

// takeForeign takes the lab at the root of fsys; folder is its path for
// messages.
func takeForeign(fsys fs.FS, folder string) (*labs.Lab, []byte, error) {
	im, err := kathara.Read(fsys, kathara.Slug(path.Base(folder)))
	if ps, ok := errors.AsType[labs.Problems](err); ok {
		for i := range ps {
			ps[i].File = path.Join(folder, ps[i].File)
		}
		return nil, nil, ps
	}
	if err != nil {
		return nil, nil, err
	}
	return gather(im.FS(), im.Slug)
}
