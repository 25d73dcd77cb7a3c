package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Under the name of patchbay this test binary is patchbay, so that scripts run
// it without building it again.
func init() {
	if filepath.Base(os.Args[0]) == "patchbay" {
		main()
		os.Exit(0)
	}
}

// TestScripts runs testdata/script: what a person types, and what they see.
func TestScripts(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "patchbay")); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(filepath.ListSeparator)+e.Getenv("PATH"))
			e.Setenv("PATCHBAY_STATE", filepath.Join(e.WorkDir, "state"))
			e.Setenv("PATCHBAY_CACHE", filepath.Join(e.WorkDir, "cache"))
			return nil
		},
	})
}
