package kernel_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/guest/kernel"
)

// TestPatches applies them to a tree that holds just the lines they expect, and
// sees each refuse a tree in which one of its lines is another.
func TestPatches(t *testing.T) {
	names, err := kernel.Series()
	if err != nil || len(names) == 0 {
		t.Fatalf("patches %q, %v; want some", names, err)
	}
	series := make([]patch, len(names))
	for i, name := range names {
		series[i] = parsePatch(t, name)
	}
	t.Run("fit", func(t *testing.T) {
		dir := t.TempDir()
		base(series, -1).write(t, dir)
		if err := kernel.ApplyPatches(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		if err := kernel.ApplyPatches(t.Context(), dir); err == nil {
			t.Error("the patches applied a second time")
		}
	})
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			base(series, i).write(t, dir)
			err := kernel.ApplyPatches(t.Context(), dir)
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("applying to another source: %v; want an error that names the patch", err)
			}
		})
	}
}

// patch is what one does to each file, hunk by hunk.
type patch map[string][]hunk

type hunk struct {
	at, count       int      // first line and number of lines it finds
	newAt, newCount int      // and of those it leaves
	lines           []string // with their first character
}

func parsePatch(t *testing.T, name string) patch {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	p := patch{}
	var path string
	old, after := 0, 0 // lines of the hunk that are to come
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case old > 0 || after > 0:
			h := &p[path][len(p[path])-1]
			h.lines = append(h.lines, line)
			if line == "" || line[0] != '+' {
				old--
			}
			if line == "" || line[0] != '-' {
				after--
			}
		case strings.HasPrefix(line, "--- a/"):
			path = strings.TrimPrefix(line, "--- a/")
		case strings.HasPrefix(line, "@@ -"):
			var h hunk
			if _, err := fmt.Sscanf(line, "@@ -%d,%d +%d,%d @@", &h.at, &h.count, &h.newAt, &h.newCount); err != nil {
				t.Fatalf("%s: %q: %v", name, line, err)
			}
			old, after = h.count, h.newCount
			p[path] = append(p[path], h)
		}
	}
	if old != 0 || after != 0 {
		t.Fatalf("%s ends within a hunk", name)
	}
	return p
}

// tree holds, of each file, the lines that are known, by their number from 1.
type tree map[string]map[int]string

// base returns what the series expects to find: the last patch undone first. In
// what the patch of number spoilt finds, one line is another.
func base(series []patch, spoilt int) tree {
	files := tree{}
	for i := len(series) - 1; i >= 0; i-- {
		for path, hunks := range series[i] {
			files[path] = undo(files[path], hunks)
			if i != spoilt {
				continue
			}
			for _, h := range hunks {
				for n := h.at; n < h.at+h.count && spoilt >= 0; n++ {
					if foreign(series[:i], path, n) {
						files[path][n], spoilt = "another line", -1
					}
				}
			}
		}
	}
	return files
}

// foreign says whether line n of what a file is after the patches of before is
// none of theirs.
func foreign(before []patch, path string, n int) bool {
	for _, p := range slices.Backward(before) {
		shift := 0
		for _, h := range p[path] {
			if n >= h.newAt && n < h.newAt+h.newCount {
				return false
			}
			if n >= h.newAt+h.newCount {
				shift += h.count - h.newCount
			}
		}
		n += shift
	}
	return true
}

// undo returns the lines before hunks, given those after.
func undo(after map[int]string, hunks []hunk) map[int]string {
	before := map[int]string{}
	for n, text := range after {
		shift, inside := 0, false
		for _, h := range hunks {
			inside = inside || n >= h.newAt && n < h.newAt+h.newCount
			if n >= h.newAt+h.newCount {
				shift += h.count - h.newCount
			}
		}
		if !inside {
			before[n+shift] = text
		}
	}
	for _, h := range hunks {
		n := h.at
		for _, line := range h.lines {
			if line == "" {
				line = " "
			}
			if line[0] != '+' {
				before[n] = line[1:]
				n++
			}
		}
	}
	return before
}

func (f tree) write(t *testing.T, dir string) {
	t.Helper()
	for path, lines := range f {
		last := 0
		for n := range lines {
			last = max(last, n)
		}
		var text strings.Builder
		for n := range last {
			text.WriteString(lines[n+1] + "\n")
		}
		file := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
