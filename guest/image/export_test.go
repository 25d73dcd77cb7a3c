package image

import "io"

var (
	NewPackages     = newPackages
	HasSubordinates = hasSubordinates
)

// Archive writes the overlay as it goes into the image.
func Archive(r Recipe, w io.Writer) error { return r.archive(w) }
