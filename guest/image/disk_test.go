package image_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/patchbay/patchbay/guest/image"
)

func TestCopySparse(t *testing.T) {
	const size = 64 << 20
	tests := []struct {
		name string
		data map[int64]string // offset to content
	}{
		{"empty", nil},
		{"begin", map[int64]string{0: "first"}},
		{"end", map[int64]string{size - 4: "last"}},
		{"middle", map[int64]string{12345: "a", 8 << 20: "b", 40<<20 + 1: "c"}},
		{"more than a buffer", map[int64]string{1 << 20: string(bytes.Repeat([]byte("xyz"), 1<<20))}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
			f, err := os.Create(from)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Truncate(size); err != nil {
				t.Fatal(err)
			}
			var written int64
			for at, s := range tt.data {
				if _, err := f.WriteAt([]byte(s), at); err != nil {
					t.Fatal(err)
				}
				written += int64(len(s))
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if err := image.CopySparse(to, from); err != nil {
				t.Fatalf("CopySparse: %v", err)
			}
			want, _ := os.ReadFile(from)
			got, err := os.ReadFile(to)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("the copy differs from the original (%d bytes, want %d; %v)", len(got), len(want), err)
			}
			if used := allocated(t, to); used > written+int64(len(tt.data)+1)*(64<<10) {
				t.Errorf("the copy takes %d bytes for %d of data", used, written)
			}
			if err := image.CopySparse(to, from); err == nil {
				t.Error("CopySparse wrote over an existing file")
			}
		})
	}
}

func TestCopySparseLeavesNothing(t *testing.T) {
	to := filepath.Join(t.TempDir(), "to")
	if err := image.CopySparse(to, filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Fatal("CopySparse of a missing file succeeded")
	}
	if _, err := os.Stat(to); err == nil {
		t.Error("a failed copy left a file behind")
	}
}

func TestNewDisk(t *testing.T) {
	cache, path := t.TempDir(), filepath.Join(t.TempDir(), "disk")
	const size = 1 << 30
	if err := image.NewDisk(t.Context(), cache, size, path); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Size() != size {
		t.Fatalf("the disk has %d bytes, want %d (%v)", st.Size(), size, err)
	}
	if used := allocated(t, path); used > 1<<20 {
		t.Errorf("an empty disk takes %d bytes, want less than 1 MiB", used)
	}
	fsck, err := exec.LookPath("e2fsck")
	if err != nil {
		fsck = "/usr/sbin/e2fsck"
	}
	if out, err := exec.Command(fsck, "-fn", path).CombinedOutput(); err != nil {
		t.Errorf("e2fsck: %v\n%s", err, out)
	}
	if _, err := image.Template(t.Context(), cache, 4096); err == nil {
		t.Error("Template made a disk of 4096 bytes")
	}
}

func allocated(t *testing.T, path string) int64 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}
