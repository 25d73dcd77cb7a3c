package static_test

import (
	"testing"
	"testing/fstest"

	"github.com/patchbay/patchbay/static"
)

func TestHashFS(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	trees := map[string]fstest.MapFS{
		"empty":         {},
		"one file":      {"a.js": file("x")},
		"other content": {"a.js": file("y")},
		"other name":    {"b.js": file("x")},
		"split early":   {"a.js": file("x"), "b.js": file("yz")},
		"split late":    {"a.js": file("xy"), "b.js": file("z")},
		"deeper":        {"d/a.js": file("x")},
	}
	seen := map[string]string{}
	for name, tree := range trees {
		h, err := static.HashFS(tree)
		if err != nil {
			t.Fatal(err)
		}
		if len(h) != 16 {
			t.Errorf("%s: hash %q is not 16 digits long", name, h)
		}
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s have the same hash", name, other)
		}
		seen[h] = name
		if again, err := static.HashFS(tree); err != nil || again != h {
			t.Errorf("%s: the second hash is %q, %v; want %q", name, again, err, h)
		}
	}
}

func TestEmbedded(t *testing.T) {
	want, err := static.HashFS(static.FS())
	if err != nil {
		t.Fatal(err)
	}
	if got := static.Hash(); got != want {
		t.Errorf("Hash is %q, want %q", got, want)
	}
}
