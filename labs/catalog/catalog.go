// Package catalog holds the labs that come with Patchbay, each a folder as an
// instructor would write it.
package catalog

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"slices"

	"github.com/patchbay/patchbay/labs"
)

// "all:" takes files whose names begin with a dot or an underscore too, as a
// node's folder may have them.
//
//go:embed all:shelf
var files embed.FS

// FS holds the labs' folders at its root.
func FS() fs.FS {
	shelf, err := fs.Sub(files, "shelf")
	if err != nil {
		panic(err) // the name is right, or nothing was embedded
	}
	return shelf
}

// Labs loads the built-in labs in the order in which a course would take them:
// see Order.
func Labs() ([]*labs.Lab, error) {
	shelf := FS()
	entries, err := fs.ReadDir(shelf, ".")
	if err != nil {
		return nil, fmt.Errorf("listing the built-in labs: %w", err)
	}
	all := make([]*labs.Lab, 0, len(entries))
	for _, e := range entries {
		lab, err := labs.Load(shelf, e.Name())
		if err != nil {
			return nil, fmt.Errorf("loading the built-in lab %s: %w", e.Name(), err)
		}
		all = append(all, lab)
	}
	Order(all)
	return all, nil
}

// Slugs names the built-in labs in the order of Labs.
func Slugs() ([]string, error) {
	all, err := Labs()
	if err != nil {
		return nil, err
	}
	slugs := make([]string, len(all))
	for i, l := range all {
		slugs[i] = l.Slug
	}
	return slugs, nil
}

// Order sorts labs so that each comes after those that it requires, and
// otherwise by topic, difficulty and name. Requirements that are not among all,
// or that go round in a circle, do not count.
func Order(all []*labs.Lab) {
	bySlug := map[string]*labs.Lab{}
	for _, l := range all {
		bySlug[l.Slug] = l
	}
	depths := map[string]int{}
	var depth func(l *labs.Lab) int
	depth = func(l *labs.Lab) int {
		if d, known := depths[l.Slug]; known {
			return d
		}
		depths[l.Slug] = 0 // who comes back here goes round in a circle
		d := 0
		for _, slug := range l.Requires {
			if before := bySlug[slug]; before != nil {
				d = max(d, 1+depth(before))
			}
		}
		depths[l.Slug] = d
		return d
	}
	difficulties := []labs.Difficulty{labs.Beginner, labs.Intermediate, labs.Advanced}
	slices.SortFunc(all, func(a, b *labs.Lab) int {
		return cmp.Or(
			cmp.Compare(depth(a), depth(b)),
			cmp.Compare(slices.Index(labs.Topics(), a.Topic), slices.Index(labs.Topics(), b.Topic)),
			cmp.Compare(slices.Index(difficulties, a.Difficulty), slices.Index(difficulties, b.Difficulty)),
			cmp.Compare(a.Slug, b.Slug),
		)
	})
}
