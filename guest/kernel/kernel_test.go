package kernel_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cavaliergopher/cpio"

	"github.com/patchbay/patchbay/guest/apt"
	"github.com/patchbay/patchbay/guest/build"
	"github.com/patchbay/patchbay/guest/kernel"
)

func offer(pkg, version string) apt.Version {
	return apt.Version{Package: pkg, Version: version}
}

func TestNewest(t *testing.T) {
	tests := []struct {
		name        string
		offered     []apt.Version
		want        apt.Version
		wantVersion string
	}{
		{
			name: "highest of several",
			offered: []apt.Version{
				offer("linux-source-6.19", "6.19.10-1"),
				offer("linux-source-7.3", "7.3.4-1"),
				offer("linux-source-7.2", "7.2.12-1"),
			},
			want: offer("linux-source-7.3", "7.3.4-1"), wantVersion: "7.3.4",
		},
		{
			name:    "numbers, not letters",
			offered: []apt.Version{offer("linux-source-7.9", "7.9.9-1"), offer("linux-source-7.10", "7.10.1-1")},
			want:    offer("linux-source-7.10", "7.10.1-1"), wantVersion: "7.10.1",
		},
		{
			name:    "of equals the first",
			offered: []apt.Version{offer("linux-source-7.3", "7.3.4-1~bpo13+1"), offer("linux-source-7.3", "7.3.4-1")},
			want:    offer("linux-source-7.3", "7.3.4-1~bpo13+1"), wantVersion: "7.3.4",
		},
		{
			name:    "a release before its candidate",
			offered: []apt.Version{offer("linux-source-7.4", "7.4~rc2-1"), offer("linux-source-7.4", "7.4-1")},
			want:    offer("linux-source-7.4", "7.4-1"), wantVersion: "7.4",
		},
		{
			name:    "relatives do not count",
			offered: []apt.Version{offer("linux-source-7.3-extra", "9.9.9-1"), offer("linux-source", "9.9.9"), offer("linux-source-6.16", "6.16-1")},
			want:    offer("linux-source-6.16", "6.16-1"), wantVersion: "6.16",
		},
		{name: "too old", offered: []apt.Version{offer("linux-source-6.12", "6.12.50-1")}},
		{name: "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, version, err := kernel.Newest(tt.offered)
			if (err == nil) != (tt.wantVersion != "") || got != tt.want || version != tt.wantVersion {
				t.Errorf("got %v, %q, %v; want %v, %q", got, version, err, tt.want, tt.wantVersion)
			}
		})
	}
}

func TestCompareVersions(t *testing.T) {
	rising := []string{"", "6.16", "6.16.1", "6.16.10", "7.2.12", "7.3~rc1", "7.3~rc2", "7.3", "7.3.4", "7.10"}
	for i, a := range rising {
		for j, b := range rising {
			want := min(max(i-j, -1), 1)
			if got := kernel.CompareVersions(a, b); got != want {
				t.Errorf("compareVersions(%q, %q) = %d; want %d", a, b, got, want)
			}
		}
	}
}

func TestParseLdd(t *testing.T) {
	const out = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n"
	want := []string{"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"}
	if got := kernel.ParseLdd([]byte(out)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLoadOrder(t *testing.T) {
	const dep = "kernel/a/top.ko: kernel/b/middle.ko kernel/c/low-one.ko\n" +
		"kernel/b/middle.ko: kernel/c/low-one.ko\n" +
		"kernel/c/low-one.ko:\n" +
		"kernel/d/other.ko: kernel/c/low-one.ko\n"
	const builtin = "kernel/fs/ext4/ext4.ko\n"
	tests := []struct {
		names   []string
		want    []string
		wantErr string
	}{
		{[]string{"low_one"}, []string{"kernel/c/low-one.ko"}, ""},
		{[]string{"top"}, []string{"kernel/c/low-one.ko", "kernel/b/middle.ko", "kernel/a/top.ko"}, ""},
		{[]string{"other", "ext4", "middle"}, []string{"kernel/c/low-one.ko", "kernel/d/other.ko", "kernel/b/middle.ko"}, ""},
		{[]string{"squashfs"}, nil, "no module squashfs"},
	}
	for _, tt := range tests {
		got, err := kernel.LoadOrder([]byte(dep), []byte(builtin), tt.names)
		if (err != nil) != (tt.wantErr != "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) || !slices.Equal(got, tt.want) {
			t.Errorf("loadOrder(%q) = %q, %v; want %q, %q", tt.names, got, err, tt.want, tt.wantErr)
		}
	}
}

// put makes a kernel in a cache.
func put(t *testing.T, cache, name, version, json string) {
	t.Helper()
	dir := filepath.Join(cache, "kernels", name)
	if err := os.MkdirAll(filepath.Join(dir, "load"), 0o755); err != nil {
		t.Fatal(err)
	}
	if json == "" {
		json = `{"name":"` + name + `","version":"` + version + `","path":"linux","load":["load/b.ko","load/a.ko"],"modules":"modules.squashfs"}`
	}
	for file, text := range map[string]string{"kernel.json": json, "linux": "ELF", "load/a.ko": "module a", "load/b.ko": "module b"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFind(t *testing.T) {
	hash, err := kernel.ConfigHash()
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	find := func(name, want string) {
		t.Helper()
		k, err := kernel.Find(cache, name)
		if want == "" {
			var missing *kernel.NotFoundError
			if !errors.As(err, &missing) {
				t.Errorf("Find(%q) = %v, %v; want a NotFoundError", name, k.Name, err)
			}
			return
		}
		if err != nil || k.Name != want {
			t.Errorf("Find(%q) = %q, %v; want %q", name, k.Name, err, want)
		}
	}
	find("", "")
	find("debian-6.1", "")
	put(t, cache, "debian-6.1", "6.1.176", "")
	find("", "")
	put(t, cache, "patchbay-7.2.6-00000000", "7.2.6", "")
	find("", "patchbay-7.2.6-00000000")
	put(t, cache, "patchbay-7.10.1-00000000", "7.10.1", "")
	find("", "patchbay-7.10.1-00000000")
	put(t, cache, "patchbay-7.3.4-"+hash, "7.3.4", "")
	find("", "patchbay-7.3.4-"+hash)
	put(t, cache, "patchbay-7.3.5-"+hash, "7.3.5", "")
	find("", "patchbay-7.3.5-"+hash)
	find("patchbay-7.2.6-00000000", "patchbay-7.2.6-00000000")
	find("debian-6.1", "debian-6.1")
	find("../kernels/debian-6.1", "")
	find(".build-1", "")

	k, err := kernel.Find(cache, "debian-6.1")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append([]string{k.Path, k.Modules, k.Dir}, k.Load...) {
		if !strings.HasPrefix(path, filepath.Join(cache, "kernels", "debian-6.1")) {
			t.Errorf("path %q is not in the kernel's folder", path)
		}
	}

	put(t, cache, "broken", "", `{"name":`)
	if _, err := kernel.Find(cache, "broken"); err == nil || !strings.Contains(err.Error(), "kernel.json") {
		t.Errorf("Find of a broken kernel: %v; want an error that names kernel.json", err)
	}
}

// TestBuildUsesCache: what the cache has is returned without a step taken, by
// any number of callers at once.
func TestBuildUsesCache(t *testing.T) {
	hash, err := kernel.ConfigHash()
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	put(t, cache, "patchbay-7.3.4-"+hash, "7.3.4", "")
	put(t, cache, "debian-6.1", "6.1.176", "")
	var wg sync.WaitGroup
	for range 4 {
		for name, want := range map[string]string{"": "patchbay-7.3.4-" + hash, kernel.Stock: kernel.Stock} {
			wg.Go(func() {
				k, err := kernel.Build(t.Context(), kernel.Options{Cache: cache, Name: name}, func(s build.Step) {
					t.Errorf("Build took a step: %v", s)
				})
				if err != nil || k.Name != want {
					t.Errorf("Build(%q) = %q, %v; want %q", name, k.Name, err, want)
				}
			})
		}
	}
	wg.Wait()
	if _, err := kernel.Build(t.Context(), kernel.Options{Cache: cache, Name: "hurd"}, nil); err == nil || !strings.Contains(err.Error(), "hurd") {
		t.Errorf("Build of an unknown kernel: %v; want an error that names it", err)
	}
}

func TestInitrd(t *testing.T) {
	cache := t.TempDir()
	put(t, cache, "debian-6.1", "6.1.176", "")
	k, err := kernel.Find(cache, "debian-6.1")
	if err != nil {
		t.Fatal(err)
	}
	guestd := filepath.Join(t.TempDir(), "guestd")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(guestd, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("the agent")
	path, err := kernel.Initrd(cache, k, guestd)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	type entry struct {
		name, text string
		mode       cpio.FileMode
	}
	want := []entry{
		{"init", "the agent", cpio.TypeReg | 0o755},
		{"modules", "", cpio.TypeDir | 0o755},
		{"modules/00-b.ko", "module b", cpio.TypeReg | 0o644},
		{"modules/01-a.ko", "module a", cpio.TypeReg | 0o644},
	}
	var got []entry
	for r := cpio.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("reading the archive: %v", err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, entry{h.Name, string(text), h.Mode})
	}
	if !slices.Equal(got, want) {
		t.Errorf("the archive holds\n%v\nwant\n%v", got, want)
	}

	again, err := kernel.Initrd(cache, k, guestd)
	if err != nil || again != path {
		t.Errorf("a second call made %q, %v; want %q", again, err, path)
	}
	write("another agent")
	other, err := kernel.Initrd(cache, k, guestd)
	if err != nil || other == path {
		t.Errorf("another guestd has the same initrd %q (%v)", other, err)
	}
	if _, err := kernel.Initrd(cache, k, guestd+".missing"); err == nil {
		t.Error("Initrd without a guestd succeeded")
	}
}
