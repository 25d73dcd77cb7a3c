package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/patchbay/patchbay/guest/build"
	"github.com/patchbay/patchbay/guest/image"
)

type imageCmd struct {
	Build imageBuildCmd `cmd:"" help:"Build a root file system image, unless the cache has it."`
	List  imageListCmd  `cmd:"" help:"List the images in the cache."`
}

type imageBuildCmd struct {
	Recipe string `arg:"" optional:"" help:"Name of a built-in recipe or path of a recipe file (default: debian)."`
	Update bool   `help:"Build anew, with the newest packages, even if the cache has one."`
}

func (c *imageBuildCmd) Run(ctx context.Context, f *Folders) error {
	progress, end := build.Printer(os.Stderr, "image")
	m, err := image.Build(ctx, image.Options{Cache: f.Cache, Recipe: c.Recipe, Update: c.Update}, progress)
	end()
	if err != nil {
		return fmt.Errorf("building the image: %w", err)
	}
	fmt.Println(m.Path)
	return nil
}

type imageListCmd struct{}

func (c *imageListCmd) Run(f *Folders) error {
	all, err := image.List(f.Cache)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return &image.NotFoundError{Name: image.Default, Cache: f.Cache}
	}
	standard, _ := image.Find(f.Cache, "")
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tRECIPE\tSUITE\tPACKAGES\tMIB\tBUILT\tABOUT\t")
	for _, m := range all {
		name := m.Name
		if m.Dir == standard.Dir {
			name += " (default)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%s\t\n", name, m.Recipe, m.Suite, m.Packages, m.Bytes>>20, m.Built.Local().Format("2006-01-02 15:04"), m.About)
	}
	return w.Flush()
}
