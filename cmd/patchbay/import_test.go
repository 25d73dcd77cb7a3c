package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/labs"
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
	if err := importLab(&out, &problems, dir, target, ""); err != nil {
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
	if err := importLab(&out, &problems, dir, target, ""); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("into a folder that is there: %v", err)
	}
	if err := importLab(&out, &problems, target, filepath.Join(t.TempDir(), "x"), ""); err == nil || !strings.Contains(err.Error(), "no lab of Kathará") {
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
		"import":   func(out, problems *bytes.Buffer) error { return importLab(out, problems, dir, target, "") },
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

// TestImportChecker: a configuration of kathara-lab-checker becomes checks, and
// what it asks for besides is said.
func TestImportChecker(t *testing.T) {
	root := t.TempDir()
	dir, config, target := filepath.Join(root, "theirs"), filepath.Join(root, "correct.json"), filepath.Join(root, "ours")
	for name, text := range map[string]string{
		filepath.Join(dir, "lab.conf"): "pc1[0]=A\n",
		config:                         "{\n\"lab_inline\": \"pc1[0]=A\\npc2[0]=A\\n\",\n\"test\": {\"odd\": 1, \"reachability\": {\"pc1\": [\"10.0.0.2\"]}}\n}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out, problems bytes.Buffer
	if err := importLab(&out, &problems, dir, target, config); err != nil {
		t.Fatalf("%v\n%s", err, &problems)
	}
	if !strings.Contains(out.String(), "correct.json:3: test.odd is not known") {
		t.Errorf("it said\n%s", &out)
	}
	lab, err := labs.Load(os.DirFS(root), "ours")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range lab.Checks {
		names = append(names, c.Name)
	}
	if got := strings.Join(names, " "); got != "pc1-present pc1-eth0-on-a pc2-present pc2-eth0-on-a pc1-reaches-10-0-0-2" {
		t.Errorf("the checks are %s", got)
	}
}
