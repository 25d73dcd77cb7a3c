// Package catalog holds the labs that come with Patchbay, each a folder as an
// instructor would write it.
package catalog

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"

	"github.com/patchbay/patchbay/labs"
)

// "all:" takes files whose names begin with a dot or an underscore too, as a
// node's folder may have them.
//
//go:embed all:two-hosts all:vlans all:static-routing all:ospf-triangle all:lossy-link
var files embed.FS

// order is the one in which a course would take them.
var order = []string{"two-hosts", "vlans", "static-routing", "ospf-triangle", "lossy-link"}

// FS holds the labs' folders at its root.
func FS() fs.FS { return files }

// Slugs names the built-in labs, the easiest first.
func Slugs() []string { return slices.Clone(order) }

// Labs loads the built-in labs, the easiest first.
func Labs() ([]*labs.Lab, error) {
	all := make([]*labs.Lab, 0, len(order))
	for _, slug := range order {
		lab, err := labs.Load(files, slug)
		if err != nil {
			return nil, fmt.Errorf("loading the built-in lab %s: %w", slug, err)
		}
		all = append(all, lab)
	}
	return all, nil
}
