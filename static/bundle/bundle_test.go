package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evanw/esbuild/pkg/api"
)

// TestScripts runs the TypeScript tests in static/test with node's own runner.
func TestScripts(t *testing.T) {
	dir, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	b := bundler{dir: dir, out: os.Stderr, now: time.Now}
	if err := b.install(t.Context()); err != nil {
		t.Fatal(err)
	}
	tests, err := filepath.Glob(filepath.Join(dir, "test", "*.test.ts"))
	if err != nil || len(tests) == 0 {
		t.Fatalf("found no tests: %v", err)
	}
	out := t.TempDir()
	o := options(dir, tests...)
	o.Outdir, o.Write = out, true
	o.Platform, o.Splitting = api.PlatformNode, false
	o.MinifyWhitespace, o.MinifyIdentifiers, o.MinifySyntax = false, false, false
	o.Sourcemap, o.Metafile = api.SourceMapInline, false
	o.OutExtension = map[string]string{".js": ".mjs"}
	if result := api.Build(o); len(result.Errors) > 0 {
		t.Fatal(strings.Join(api.FormatMessages(result.Errors, api.FormatMessagesOptions{}), ""))
	}
	files, err := filepath.Glob(filepath.Join(out, "*.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--enable-source-maps", "--test", "--test-reporter=spec"}, files...)
	report, err := exec.CommandContext(t.Context(), "node", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("node --test: %v\n%s", err, report)
	}
	t.Logf("%s", report)
}

// TestBundle bundles a page of its own from scratch, and then finds nothing to do.
func TestBundle(t *testing.T) {
	repo, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	if err := (&bundler{dir: repo, out: os.Stderr, now: time.Now}).install(t.Context()); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// The packages are the repository's own: no second download.
	if err := os.Mkdir(filepath.Join(dir, "node_modules"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(repo, "node_modules", "d3-force"), filepath.Join(dir, "node_modules", "d3-force")); err != nil {
		t.Fatal(err)
	}
	for _, dep := range []string{"d3-dispatch", "d3-quadtree", "d3-timer"} {
		if err := os.Symlink(filepath.Join(repo, "node_modules", dep), filepath.Join(dir, "node_modules", dep)); err != nil {
			t.Fatal(err)
		}
	}
	write("package.json", "{}")
	write("package-lock.json", "{}")
	write("src/lab.ts", `import { forceSimulation } from "d3-force"; console.log(forceSimulation);`)
	write("src/site.ts", `export const a: number = 1;`)
	write("css/site.css", `body { color: red }`)
	write("css/lab.css", `@import "./site.css";`)
	write("dist/stale.js", "old")
	write("dist/.gitkeep", "")

	var said bytes.Buffer
	b := bundler{dir: dir, out: &said, now: time.Now}
	stampInstall(t, &b)
	if err := b.run(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lab.js", "lab.js.map", "site.js", "lab.css", "site.css", "licences.txt", ".gitkeep"} {
		if _, err := os.Stat(filepath.Join(dir, "dist", name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "dist", "stale.js")); err == nil {
		t.Error("the last bundle's file is still there")
	}
	licences, err := os.ReadFile(filepath.Join(dir, "dist", "licences.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(licences, []byte("d3-force 3.")) || !bytes.Contains(licences, []byte("Copyright")) {
		t.Errorf("licences.txt lacks d3-force:\n%s", licences)
	}

	said.Reset()
	if err := b.run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if said.Len() > 0 {
		t.Errorf("the second run did something: %s", &said)
	}

	if err := os.Remove(filepath.Join(dir, "dist", "lab.js")); err != nil {
		t.Fatal(err)
	}
	if err := b.run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "dist", "lab.js")); err != nil {
		t.Errorf("a lost file was not made again: %v", err)
	}

	write("src/site.ts", `export const a: = ;`)
	if err := b.run(context.Background()); err == nil || !strings.Contains(err.Error(), "site.ts:1:") {
		t.Errorf("a syntax error gives %v, want one with file and line", err)
	}
}

// stampInstall makes install believe that npm has run.
func stampInstall(t *testing.T, b *bundler) {
	t.Helper()
	want, err := hashFiles(b.dir, "package.json", "package-lock.json", ".npmrc")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.path("node_modules", ".patchbay-install"), []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestPackageOf(t *testing.T) {
	for input, want := range map[string]string{
		"src/lab.ts":                              "",
		"node_modules/d3-force/src/index.js":      "d3-force",
		"node_modules/@xterm/xterm/lib/xterm.mjs": "@xterm/xterm",
		"../x/node_modules/d3-timer/src/timer.js": "d3-timer",
	} {
		if got := packageOf(input); got != want {
			t.Errorf("packageOf(%q) = %q, want %q", input, got, want)
		}
	}
}
