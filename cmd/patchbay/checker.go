package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/kathara"
	"github.com/patchbay/patchbay/labs/kathara/checker"
)

// katharaLab takes a folder with a lab.conf over, with the checks of a
// configuration of kathara-lab-checker.
func katharaLab(dir, config string) (*labs.Lab, []kathara.Note, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the lab: %w", err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the lab: %w", err)
	}
	defer root.Close()
	im, err := kathara.Read(root.FS(), kathara.NodeName(filepath.Base(abs)))
	if err != nil {
		return nil, nil, err
	}
	if err := addChecker(im, config); err != nil {
		return nil, nil, err
	}
	lab, err := labs.Load(im.FS(), im.Slug)
	return lab, im.Notes, err
}

// addChecker gives a lab that was taken over the checks of a configuration.
func addChecker(im *kathara.Import, config string) error {
	data, err := os.ReadFile(config)
	if err != nil {
		return fmt.Errorf("reading the checker's configuration: %w", err)
	}
	return checker.Add(data, filepath.ToSlash(config), im, os.ReadFile)
}
