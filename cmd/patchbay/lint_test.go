package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/labs/catalog"
	"github.com/patchbay/patchbay/labs/lint"
)

// newLinter is a labLinter that reads the images of this machine's cache.
func newLinter(t *testing.T) *labLinter {
	t.Helper()
	f := &Folders{}
	f.Cache = os.Getenv("PATCHBAY_CACHE")
	if err := f.AfterApply(); err != nil {
		t.Fatal(err)
	}
	if _, err := imagePrograms(f.Cache, ""); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("no image's programs can be read: %v", err)
	}
	slugs, err := catalog.Slugs()
	if err != nil {
		t.Fatal(err)
	}
	return &labLinter{folders: f, slugs: slugs, images: map[string]lint.Programs{}}
}

// TestLintCatalog finds nothing in the built-in labs, nor in the one that a new
// author begins with; their commands are held against the image.
func TestLintCatalog(t *testing.T) {
	l := newLinter(t)
	dir := filepath.Join(t.TempDir(), "my-lab")
	if err := createLab(&bytes.Buffer{}, dir); err != nil {
		t.Fatal(err)
	}
	for _, arg := range append(l.slugs, dir) {
		r, err := l.lint(t.Context(), arg)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Findings {
			t.Error(f)
		}
		for _, n := range r.Notes {
			t.Error(n)
		}
	}
}

// TestLintImage knows what the real image has, and names files as the lab was named.
func TestLintImage(t *testing.T) {
	l := newLinter(t)
	dir := filepath.Join(t.TempDir(), "my-lab")
	if err := createLab(&bytes.Buffer{}, dir); err != nil {
		t.Fatal(err)
	}
	guide := filepath.Join(dir, "guide.md")
	f, err := os.OpenFile(guide, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("\n```sh r1\ntraceroute -n 10.0.2.2\nlynx http://10.0.2.2/\nsystemctl start telnetd\n```\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := l.lint(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var out, notes bytes.Buffer
	if err := writeFindings(&out, &notes, r, "text"); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], guide+":") || !strings.Contains(lines[0], "lynx is not in the image debian") ||
		!strings.Contains(lines[1], "no service telnetd") || !strings.HasSuffix(lines[1], "[command]") || notes.Len() > 0 {
		t.Errorf("found:\n%snoted:\n%s", &out, &notes)
	}
	out.Reset()
	if err := writeFindings(&out, &notes, r, "json"); err != nil || !strings.Contains(out.String(), `"rule": "command"`) {
		t.Errorf("%v\n%s", err, &out)
	}
	if _, err := l.lint(t.Context(), "no-such-lab"); err == nil {
		t.Error("a lab that is not there was looked at")
	}
	if err := os.WriteFile(filepath.Join(dir, "lab.yaml"), []byte("title: X\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := l.lint(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "patchbay lab validate "+dir) {
		t.Errorf("a broken lab gives %v", err)
	}
}
