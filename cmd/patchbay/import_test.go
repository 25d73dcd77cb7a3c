package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeForeign writes a lab as Kathará has it, and returns its folder.
func writeForeign(t *testing.T, conf string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "Their_Lab")
	if err := os.MkdirAll(filepath.Join(dir, "pc1/root"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"lab.conf": conf, "pc1.startup": "ip link\n", "pc1/root/go": "#!/bin/sh\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestImport(t *testing.T) {
	dir := writeForeign(t, "pc1[0]=A\npc1[num_terms]=2\n")
	target := filepath.Join(t.TempDir(), "mine")
	var out, problems bytes.Buffer
	if err := importLab(&out, &problems, dir, target); err != nil {
		t.Fatalf("%v\n%s", err, &problems)
	}
	note := filepath.Join(dir, "lab.conf") + ":2: pc1: num_terms is not taken over"
	if !strings.Contains(out.String(), note) {
		t.Errorf("it said\n%s\nwant %q", &out, note)
	}
	out.Reset()
	if err := validateLab(&out, &problems, target); err != nil {
		t.Errorf("what was written: %v\n%s", err, &problems)
	}
	if err := validateLab(&out, &problems, dir); err != nil || !strings.Contains(out.String(), note) {
		t.Errorf("the lab itself: %v, it said\n%s\nwant %q", err, &out, note)
	}
	if err := importLab(&out, &problems, dir, target); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("into a folder that is there: %v", err)
	}
	if err := importLab(&out, &problems, target, filepath.Join(t.TempDir(), "x")); err == nil || !strings.Contains(err.Error(), "no lab of Kathará") {
		t.Errorf("of a lab of ours: %v", err)
	}
	if lab, err := findLab(dir); err != nil || lab.Slug != "their-lab" {
		t.Errorf("findLab: %v, %v", lab, err)
	}
}

func TestImportProblems(t *testing.T) {
	dir := writeForeign(t, "pc1[0]=A\n  what is this\n")
	target := filepath.Join(t.TempDir(), "mine")
	for what, do := range map[string]func(out, problems *bytes.Buffer) error{
		"import":   func(out, problems *bytes.Buffer) error { return importLab(out, problems, dir, target) },
		"validate": func(out, problems *bytes.Buffer) error { return validateLab(out, problems, dir) },
	} {
		var out, problems bytes.Buffer
		err := do(&out, &problems)
		if want := filepath.Join(dir, "lab.conf") + ":2:1: this line of lab.conf is not understood"; err == nil || !strings.Contains(problems.String(), want) {
			t.Errorf("%s: %v, it said\n%s\nwant %q", what, err, &problems, want)
		}
	}
	if _, err := os.Stat(target); err == nil {
		t.Error("a folder was left behind")
	}
}
