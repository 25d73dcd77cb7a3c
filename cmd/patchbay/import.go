package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/kathara"
)

type importCmd struct {
	Dir string `arg:"" help:"A lab of Kathará or Netkit: a folder with a lab.conf." type:"path"`
	Out string `arg:"" optional:"" help:"The new folder (default: the lab's name, in this folder)." type:"path"`

	Checker string `help:"Give the lab the checks of this configuration of kathara-lab-checker." placeholder:"FILE"`
}

func (c *importCmd) Run() error { return importLab(os.Stdout, os.Stderr, c.Dir, c.Out, c.Checker) }

// importLab writes a lab of Kathará or Netkit as one of Patchbay, into a folder
// that is not there yet, and says what is not taken over.
func importLab(out, problems io.Writer, dir, target, checker string) error {
	t, err := openLabTree(dir)
	if err != nil {
		return err
	}
	defer t.Close()
	im, err := t.kathara()
	if ps, ok := errors.AsType[labs.Problems](err); ok {
		for _, p := range ps {
			t.printProblem(problems, p)
		}
		return fmt.Errorf("%s in %s", plural(len(ps), "problem"), dir)
	}
	if err != nil {
		return err
	}
	if im == nil {
		return fmt.Errorf("importing lab: %s is no lab of Kathará or Netkit: it has no lab.conf, or a lab.yaml already", dir)
	}
	if checker != "" {
		if err := addChecker(out, im, checker); err != nil {
			return err
		}
	}
	if target == "" {
		target = im.Slug
	}
	return inNewDir("importing lab", target, func() error { return fillImport(out, t, im, target) })
}

// fillImport writes what became of a lab into its folder, and tells the notes.
func fillImport(out io.Writer, t *labTree, im *kathara.Import, target string) error {
	root, err := os.OpenRoot(target)
	if err != nil {
		return fmt.Errorf("importing lab: %w", err)
	}
	defer root.Close()
	for name, f := range im.Files {
		mode := os.FileMode(0o644)
		if f.Exec {
			mode = 0o755
		}
		err := root.MkdirAll(filepath.Dir(filepath.FromSlash(name)), 0o755)
		if err == nil {
			err = root.WriteFile(filepath.FromSlash(name), f.Data, mode)
		}
		if err != nil {
			return fmt.Errorf("importing lab: %w", err)
		}
	}
	t.printNotes(out, im.Notes)
	_, err = fmt.Fprintf(out, "%s has the lab now, with %s. Next:\n  patchbay lab validate %[1]s\n  patchbay run %[1]s\n", target, plural(len(im.Notes), "note"))
	return err
}

// kathara reads the lab if it is one of Kathará or Netkit; else it is nil.
func (t *labTree) kathara() (*kathara.Import, error) {
	// Its own folder is the border: links of theirs are followed within it.
	root, err := t.OpenRoot(t.name)
	if err != nil {
		return nil, fmt.Errorf("finding lab: %w", err)
	}
	defer root.Close()
	if !kathara.Detect(root.FS()) {
		return nil, nil
	}
	im, err := kathara.Read(root.FS(), kathara.Slug(t.name))
	if ps, ok := errors.AsType[labs.Problems](err); ok {
		for i := range ps {
			ps[i].File = t.name + "/" + ps[i].File
		}
		return nil, ps
	}
	return im, err
}

// load loads the lab, whoever's it is; notes are what was not taken over.
func (t *labTree) load() (lab *labs.Lab, notes []kathara.Note, err error) {
	im, err := t.kathara()
	if err != nil {
		return nil, nil, err
	}
	if im == nil {
		lab, err = labs.Load(t.FS(), t.name)
		return lab, nil, err
	}
	lab, err = labs.Load(im.FS(), im.Slug)
	return lab, im.Notes, err
}

// printNotes writes a line for each.
func (t *labTree) printNotes(w io.Writer, notes []kathara.Note) {
	for _, n := range notes {
		n.File = filepath.Join(t.typed, n.File)
		fmt.Fprintln(w, n)
	}
}
