package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCreateLab(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my-lab")
	var out, problems bytes.Buffer
	if err := createLab(&out, dir); err != nil {
		t.Fatal(err)
	}
	if err := validateLab(&out, &problems, dir); err != nil {
		t.Fatalf("%v\n%s", err, &problems)
	}
	for _, want := range []string{"patchbay run " + dir, "2 checks worth 3, 2 wrong solutions"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output %q lacks %q", &out, want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := createLab(io.Discard, dir); err == nil {
		t.Error("a lab was made in a folder that is there")
	}
	if _, err := os.Stat(filepath.Join(dir, "mine")); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"My Lab", "-x"} {
		if err := createLab(io.Discard, filepath.Join(t.TempDir(), name)); err == nil {
			t.Errorf("a lab was made that is called %q", name)
		}
	}
}

func TestPackLab(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		p := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	write("base/lab.yaml", "title: Base\nnodes: {pc1: {interfaces: {eth0: lan}, files: {/root/run: {source: run}}}}\nsegments: {lan: switch}\n")
	write("base/guide.md", "# Base\n")
	write("base/run", "#!/bin/sh\n")
	write("lab/lab.yaml", "title: Child\nextends: ../base\n")
	write("lab/nodes/pc1/etc/motd", "hello\n")
	write("lab/notes.txt", "no part of the lab")
	write("lab/.git/config", "nor this")
	pack := func(name string) []byte {
		t.Helper()
		file := filepath.Join(root, name)
		var problems bytes.Buffer
		if err := packLab(t.Context(), io.Discard, &problems, filepath.Join(root, "lab"), file); err != nil {
			t.Fatalf("%v\n%s", err, &problems)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := pack("one.tar.gz")
	if again := pack("two.tar.gz"); !bytes.Equal(first, again) {
		t.Error("the same lab gave two archives")
	}
	z, err := gzip.NewReader(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if want := int64(0o644); h.Name == "base/run" && h.Mode != 0o755 || h.Name != "base/run" && h.Mode != want {
			t.Errorf("%s has the mode %o", h.Name, h.Mode)
		}
	}
	if want := []string{"base/guide.md", "base/lab.yaml", "base/run", "lab/lab.yaml", "lab/nodes/pc1/etc/motd"}; !slices.Equal(names, want) {
		t.Errorf("the archive holds %q; want %q", names, want)
	}
	write("lab/lab.yaml", "title: Child\nextends: ../base\ncolour: red\n")
	var problems bytes.Buffer
	if err := packLab(t.Context(), io.Discard, &problems, filepath.Join(root, "lab"), filepath.Join(root, "three.tar.gz")); err == nil || !strings.Contains(problems.String(), "colour") {
		t.Errorf("a lab that is not in order: %v, %s", err, &problems)
	}
	if _, err := os.Stat(filepath.Join(root, "three.tar.gz")); err == nil {
		t.Error("it was packed")
	}
}
