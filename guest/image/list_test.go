package image_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/patchbay/patchbay/guest/image"
)

// TestReadDir reads a file system that mkfs.erofs made.
func TestReadDir(t *testing.T) {
	mkfs, err := exec.LookPath("mkfs.erofs")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("no image can be made: %v", err)
	}
	tree := t.TempDir()
	many := []string{} // more than one block of names
	for i := range 600 {
		many = append(many, "program-with-a-long-name-"+string(rune('a'+i%26))+string(rune('a'+i/26)))
	}
	slices.Sort(many)
	for _, dir := range []string{"usr/bin", "usr/sbin", "etc/init.d"} {
		if err := os.MkdirAll(filepath.Join(tree, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range many {
		if err := os.WriteFile(filepath.Join(tree, "usr/bin", name), []byte(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"bin": "usr/bin", "sbin": "/usr/sbin", "usr/sbin/ip": "/bin/ip", "loop": "loop", "gone": "nowhere"} {
		if err := os.Symlink(target, filepath.Join(tree, name)); err != nil {
			t.Fatal(err)
		}
	}
	m := image.Image{Name: "try", Type: "erofs", Path: filepath.Join(t.TempDir(), "root.erofs")}
	if out, err := exec.Command(mkfs, m.Path, tree).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for dir, want := range map[string][]string{
		"/usr/bin": many, "/bin": many, "/bin/": many, "/sbin": {"ip"}, "/etc": {"init.d"}, "/etc/init.d": nil,
		"/usr/local/bin": nil, "/loop": nil, "/gone": nil, "/usr/bin/" + many[0]: nil, "/usr/bin/" + many[0] + "/x": nil,
		"/": {"bin", "etc", "gone", "loop", "sbin", "usr"},
	} {
		got, err := m.ReadDir(dir)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %d names, %v; want %d: %.300q", dir, len(got), err, len(want), got)
		}
	}
	m.Type = "squashfs"
	if _, err := m.ReadDir("/"); err == nil {
		t.Error("a squashfs was read")
	}
	m.Type = "erofs"
	if err := os.WriteFile(m.Path, make([]byte, 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := m.ReadDir("/"); err == nil {
		t.Error("a file of zeros was read")
	}
}
