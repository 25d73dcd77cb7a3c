package main_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/patchbay/patchbay/guest/image"
	"github.com/patchbay/patchbay/guest/kernel"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if dir := builtIn; dir != "" {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, "removing the built programs:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// builtIn is the folder that build made; TestMain removes it.
var builtIn string

// build compiles patchbay and guestd, beside each other, once for all tests. The
// flags are those of the Makefile, so that Go's cache has nearly all of it.
var build = sync.OnceValues(func() (dir string, err error) {
	if builtIn, err = os.MkdirTemp("", "patchbay-test-"); err != nil {
		return "", err
	}
	for _, p := range []struct {
		name, cgo string
		flags     []string
	}{
		{"patchbay", "1", nil},
		{"guestd", "0", []string{"-ldflags", "-s -w"}},
	} {
		args := append([]string{"build", "-trimpath", "-o", filepath.Join(builtIn, p.name)}, p.flags...)
		cmd := exec.Command("go", append(args, "../"+p.name)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+p.cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("building %s: %w\n%s", p.name, err, out)
		}
	}
	return builtIn, nil
})

// programs gives the path of a real patchbay, with guestd beside it, and the
// folder of this machine's kernels and images. It skips the test where there is
// none, or need says what else is missing, and nobody insists.
func programs(t *testing.T, need ...error) (patchbay, cache string) {
	t.Helper()
	cache, err := cacheFolder()
	if err != nil {
		t.Fatal(err)
	}
	_, kernelErr := kernel.Find(cache, "")
	_, imageErr := image.Find(cache, "")
	if err := errors.Join(append(need, kernelErr, imageErr)...); err != nil {
		if os.Getenv("CI") == "" {
			t.Skipf("no end-to-end test here: %v", err)
		}
		t.Fatal(err)
	}
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "patchbay"), cache
}

// cacheFolder is where this machine's kernels and images lie.
func cacheFolder() (string, error) {
	if c := os.Getenv("PATCHBAY_CACHE"); c != "" {
		return c, nil
	}
	if os.Geteuid() == 0 {
		return "/var/cache/patchbay", nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "patchbay"), err
}
