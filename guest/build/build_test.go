package build_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/patchbay/patchbay/guest/build"
)

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".lock")
	release, err := build.Lock(t.Context(), path, func() { t.Error("waited for a free lock") })
	if err != nil {
		t.Fatal(err)
	}

	waits := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-waits; cancel() }()
	if _, err := build.Lock(ctx, path, func() { close(waits) }); !errors.Is(err, context.Canceled) {
		t.Errorf("Lock of a held lock with a cancelled context = %v; want %v", err, context.Canceled)
	}

	var wg sync.WaitGroup
	waits = make(chan struct{})
	wg.Go(func() {
		again, err := build.Lock(t.Context(), path, func() { close(waits) })
		if err != nil {
			t.Errorf("Lock after its release: %v", err)
			return
		}
		again()
	})
	<-waits
	release()
	wg.Wait()
}

func TestStage(t *testing.T) {
	parent := t.TempDir()
	leftover := filepath.Join(parent, ".build-old")
	if err := os.MkdirAll(filepath.Join(leftover, "half"), 0o755); err != nil {
		t.Fatal(err)
	}
	install := func(text string) {
		t.Helper()
		s, err := build.NewStage(parent)
		if err != nil {
			t.Fatal(err)
		}
		dir, err := s.Folder("thing")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "file"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := s.Install(dir, "thing"); err != nil {
			t.Fatal(err)
		}
		if err := s.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"first", "second"} {
		install(text)
		got, err := os.ReadFile(filepath.Join(parent, "thing", "file"))
		if err != nil || string(got) != text {
			t.Errorf("installed %q (%v), want %q", got, err, text)
		}
		entries, _ := os.ReadDir(parent)
		if len(entries) != 1 {
			t.Errorf("after installing, the folder holds %v, want the thing alone", entries)
		}
	}
}

func TestRun(t *testing.T) {
	t.Run("lines", func(t *testing.T) {
		var got []string
		cmd := exec.Command("sh", "-c", "echo one; echo two >&2; printf three")
		if err := build.Run(t.Context(), cmd, func(s string) { got = append(got, s) }); err != nil {
			t.Fatal(err)
		}
		if want := []string{"one", "two", "three"}; !slices.Equal(got, want) {
			t.Errorf("lines %q, want %q", got, want)
		}
	})
	t.Run("failure", func(t *testing.T) {
		err := build.Run(t.Context(), exec.Command("sh", "-c", "echo the reason >&2; exit 3"), nil)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.Contains(err.Error(), "the reason") {
			t.Errorf("Run = %v; want exit status 3 and what was printed", err)
		}
	})
	t.Run("missing", func(t *testing.T) {
		if err := build.Run(t.Context(), exec.Command("no-such-program"), nil); !errors.Is(err, exec.ErrNotFound) {
			t.Errorf("Run = %v; want %v", err, exec.ErrNotFound)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var child int
		// The grandchild is what a killed make would leave behind.
		cmd := exec.CommandContext(ctx, "sh", "-c", "sleep 1000 & echo $!; wait")
		err := build.Run(ctx, cmd, func(s string) {
			child, _ = strconv.Atoi(s)
			cancel()
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v; want %v", err, context.Canceled)
		}
		if child == 0 {
			t.Fatal("the command did not say its child's number")
		}
		for range 100 {
			if !running(child) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("process %d outlived the command that was stopped", child)
	})
}

// running tells whether a process lives; one that only waits to be reaped does
// not.
func running(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil || syscall.Kill(pid, 0) != nil {
		return false
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	return len(rest) > 0 && rest[0] != 'Z'
}

func TestSteps(t *testing.T) {
	var got []build.Step
	s := build.NewSteps(func(st build.Step) { got = append(got, st) }, "fetch", "make")
	s.Next()
	s.Done(0.5)
	s.Done(0.501) // too little to tell
	s.Done(7)     // an estimate that fell short
	s.Next()
	want := []build.Step{
		{Name: "fetch", Number: 1, Of: 2, Done: -1, Next: "make"},
		{Name: "fetch", Number: 1, Of: 2, Done: 0.5, Next: "make"},
		{Name: "fetch", Number: 1, Of: 2, Done: 0.99, Next: "make"},
		{Name: "make", Number: 2, Of: 2, Done: -1},
	}
	if !slices.Equal(got, want) {
		t.Errorf("steps told:\n%v\nwant\n%v", got, want)
	}
}

func TestPrinterOffTerminal(t *testing.T) {
	var b bytes.Buffer
	progress, end := build.Printer(&b, "kernel")
	s := build.NewSteps(progress, "fetching", "compiling")
	s.Next()
	s.Next()
	for i := range 100 {
		s.Done(float64(i) / 100)
	}
	end()
	want := "kernel: fetching (1 of 2)\nkernel: compiling (2 of 2)\n" +
		"kernel: compiling, 25 %\nkernel: compiling, 50 %\nkernel: compiling, 75 %\n"
	if b.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", b.String(), want)
	}
}

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, text := range []string{"one", "two"} {
		if err := build.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		st, _ := os.Stat(path)
		if err != nil || string(got) != text || st.Mode().Perm() != 0o640 {
			t.Errorf("file holds %q, mode %v (%v); want %q, 0640", got, st.Mode(), err, text)
		}
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 1 {
		t.Errorf("the folder holds %v, want the file alone", entries)
	}
}

func TestWriteNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := build.WriteNew(path, []byte("one"), 0o640); err != nil {
		t.Fatal(err)
	}
	first, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := build.WriteNew(path, []byte("two"), 0o600); err != nil {
		t.Errorf("the second time: %v", err)
	}
	got, err := os.ReadFile(path)
	st, _ := os.Stat(path)
	if err != nil || string(got) != "one" || !os.SameFile(first, st) {
		t.Errorf("file holds %q (%v); want the first one untouched", got, err)
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 1 {
		t.Errorf("the folder holds %v, want the file alone", entries)
	}
}
