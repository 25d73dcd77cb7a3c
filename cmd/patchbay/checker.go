package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/kathara"
	"github.com/patchbay/patchbay/labs/kathara/checker"
)

// katharaLab takes a folder with a lab.conf over, with the checks of a
// configuration of kathara-lab-checker, and says what is not taken over.
func katharaLab(dir, config string) (*labs.Lab, error) {
	t, err := openLabTree(dir)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	im, err := t.kathara()
	if err != nil {
		return nil, err
	}
	if im == nil {
		return nil, fmt.Errorf("--checker is for labs of Kathará and Netkit: %s has no lab.conf, or a lab.yaml already", dir)
	}
	t.printNotes(os.Stderr, im.Notes)
	if err := addChecker(os.Stderr, im, config); err != nil {
		return nil, err
	}
	return labs.Load(im.FS(), im.Slug)
}

// addChecker gives a lab that was taken over the checks of a configuration.
func addChecker(notes io.Writer, im *kathara.Import, config string) error {
	data, err := os.ReadFile(config)
	if err != nil {
		return fmt.Errorf("reading the checker's configuration: %w", err)
	}
	before := len(im.Notes)
	if err := checker.Add(data, filepath.ToSlash(config), im, os.ReadFile); err != nil {
		return err
	}
	for _, n := range im.Notes[before:] { // these name their file as it was typed
		fmt.Fprintln(notes, n)
	}
	im.Notes = im.Notes[:before]
	return nil
}
