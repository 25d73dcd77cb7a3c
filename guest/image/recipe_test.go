package image_test

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/patchbay/patchbay/guest/image"
)

const goodRecipe = `name: small
about: A small one
suite: bookworm
filesystem: squashfs
compression: lz4
epoch: 2026-01-01T00:00:00Z
overlay: files
packages:
  - for: routing
    names: [iproute2, g++, 0ad]
without: [/usr/share/doc/*]
setup: |
  true
`

func TestParseRecipe(t *testing.T) {
	beside := fstest.MapFS{"files/etc/motd": {Data: []byte("hello\n")}}
	tests := []struct {
		name, old, new string
		wantErr        string
	}{
		{"good", "", "", ""},
		{"unknown key", "setup: |", "seutp: |", "seutp"},
		{"tab", "  - for:", "\t- for:", "test.yaml"},
		{"name", "name: small", "name: ../small", `name: "../small"`},
		{"name with a dash", "name: small", "name: a-b", `name: "a-b"`},
		{"suite", "suite: bookworm", "suite: book worm", "suite"},
		{"compression", "compression: lz4", "compression: zip", `compression: "zip" should be one of none, lz4`},
		{"compression of another type", "filesystem: squashfs", "filesystem: erofs", ""},
		{"compression unknown to the type", "filesystem: squashfs\ncompression: lz4", "filesystem: erofs\ncompression: zstd", `compression: "zstd" should be one of none, lz4`},
		{"file system", "filesystem: squashfs", "filesystem: ntfs", `filesystem: "ntfs" should be erofs or squashfs`},
		{"epoch", "epoch: 2026-01-01T00:00:00Z", "epoch: 1960-01-01T00:00:00Z", "epoch"},
		{"no overlay there", "overlay: files", "overlay: elsewhere", "elsewhere"},
		{"overlay outside", "overlay: files", "overlay: ../files", "overlay"},
		{"option for a package", "iproute2", "--force", `"--force" is no name of a package`},
		{"package twice", "g++", "iproute2", "iproute2 is already there for routing"},
		{"from backports", "names: [iproute2", "from: backports\n    names: [iproute2", ""},
		{"from elsewhere", "names: [iproute2", "from: sid\n    names: [iproute2", `packages, for routing: from: "sid" should be backports`},
		{"no packages", "[iproute2, g++, 0ad]", "[]", "name at least one"},
		{"relative path", "[/usr/share/doc/*]", "[usr/share]", "absolute"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(goodRecipe, tt.old, tt.new, 1)
			r, err := image.ParseRecipe("test.yaml", []byte(text), beside)
			if tt.wantErr == "" {
				if err != nil || r.Name != "small" || len(r.Packages) != 1 || r.Setup != "true\n" {
					t.Errorf("got %+v, %v", r, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.wantErr) || !strings.Contains(err.Error(), "test.yaml") {
				t.Errorf("error %v; want one with %q and the file's name", err, tt.wantErr)
			}
		})
	}
}

func TestRecipeErrorPosition(t *testing.T) {
	_, err := image.ParseRecipe("test.yaml", []byte(strings.Replace(goodRecipe, "suite:", "siute:", 1)), nil)
	if err == nil || !strings.Contains(err.Error(), "[3:1]") {
		t.Errorf("error %v; want it to say line 3, column 1", err)
	}
}

func TestRecipeHash(t *testing.T) {
	hash := func(text, motd string) string {
		t.Helper()
		r, err := image.ParseRecipe("test.yaml", []byte(text), fstest.MapFS{"files/etc/motd": {Data: []byte(motd)}})
		if err != nil {
			t.Fatal(err)
		}
		h, err := r.Hash()
		if err != nil || len(h) != 8 {
			t.Fatalf("Hash() = %q, %v; want eight digits", h, err)
		}
		return h
	}
	base := hash(goodRecipe, "hello")
	if again := hash(goodRecipe, "hello"); again != base {
		t.Errorf("the same recipe has the hashes %s and %s", base, again)
	}
	if other := hash(goodRecipe, "bye"); other == base {
		t.Error("another overlay has the same hash")
	}
	if other := hash(strings.Replace(goodRecipe, "lz4", "zstd", 1), "hello"); other == base {
		t.Error("another compression has the same hash")
	}
}

func TestOverlayArchive(t *testing.T) {
	beside := fstest.MapFS{
		"files/usr/bin/tool": {Data: []byte("#!/bin/sh\n")},
		"files/etc/motd":     {Data: []byte("hello\n"), Mode: 0o777},
	}
	r, err := image.ParseRecipe("test.yaml", []byte(goodRecipe), beside)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := image.Archive(r, &b); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for tr := tar.NewReader(&b); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || !h.ModTime.Equal(r.Epoch) {
			t.Errorf("%s belongs to %d:%d and is of %v; want 0:0 and %v", h.Name, h.Uid, h.Gid, h.ModTime, r.Epoch)
		}
		got[h.Name] = h.Mode
	}
	if len(got) != 2 || got["usr/bin/tool"] != 0o755 || got["etc/motd"] != 0o644 {
		t.Errorf("the archive holds %v; want usr/bin/tool 0755 and etc/motd 0644, no folders", got)
	}

	beside["files/link"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("etc/motd")}
	if err := image.Archive(r, io.Discard); err == nil || !strings.Contains(err.Error(), "link") {
		t.Errorf("an overlay with a link: %v; want an error that names it", err)
	}
}

func TestLoadRecipe(t *testing.T) {
	r, err := image.LoadRecipe("")
	if err != nil || r.Name != image.Default {
		t.Fatalf("the built-in recipe: %q, %v", r.Name, err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "mine.yaml")
	if err := os.Mkdir(filepath.Join(dir, "files"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(goodRecipe), 0o644); err != nil {
		t.Fatal(err)
	}
	if r, err := image.LoadRecipe(file); err != nil || r.Name != "small" {
		t.Errorf("a recipe file: %q, %v", r.Name, err)
	}
	if _, err := image.LoadRecipe("fedora"); err == nil || !strings.Contains(err.Error(), "debian") {
		t.Errorf("an unknown recipe: %v; want an error that names those built in", err)
	}
}

func TestNewPackages(t *testing.T) {
	for line, want := range map[string]int{
		"0 upgraded, 180 newly installed, 0 to remove and 0 not upgraded.": 180,
		"Setting up bash (5.2.15-2+b13) ...":                               0,
		" newly installed":                                                 0,
	} {
		if got := image.NewPackages(line); got != want {
			t.Errorf("newPackages(%q) = %d; want %d", line, got, want)
		}
	}
}

func TestHasSubordinates(t *testing.T) {
	tests := []struct {
		file string
		want bool
	}{
		{"alice:100000:65536\n", true},
		{"root:1:2\n1000:100000:65536\n", true},
		{"bob:100000:65536\n", false},
		{"alice:100000:1000\n", false},
		{"alice:100000\n", false},
		{"", false},
	}
	for _, tt := range tests {
		if got := image.HasSubordinates(tt.file, "alice", "1000"); got != tt.want {
			t.Errorf("hasSubordinates(%q) = %v; want %v", tt.file, got, tt.want)
		}
	}
}
