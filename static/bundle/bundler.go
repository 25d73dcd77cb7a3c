package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/evanw/esbuild/pkg/api"
)

// entries are the pages' scripts and style sheets, relative to the bundler's
// folder; each becomes a file of the same base name in dist.
func entries() []string {
	return []string{"src/lab.ts", "src/site.ts", "css/site.css", "css/lab.css"}
}

type bundler struct {
	dir   string // absolute
	check bool
	force bool
	out   io.Writer // progress, one line a step
	now   func() time.Time
}

func (b *bundler) path(elem ...string) string {
	return filepath.Join(append([]string{b.dir}, elem...)...)
}

// run brings dist up to date.
func (b *bundler) run(ctx context.Context) error {
	if err := b.install(ctx); err != nil {
		return err
	}
	// The stamp lies in node_modules because dist is embedded whole.
	stamp := b.path("node_modules", ".patchbay-bundle")
	in, err := hashFiles(b.dir, "src", "css", "bundle", "package.json", "package-lock.json", "tsconfig.json")
	if err != nil {
		return fmt.Errorf("hashing the sources: %w", err)
	}
	if !b.force {
		out, err := hashFiles(b.dir, "dist")
		if err != nil {
			return fmt.Errorf("hashing the last bundle: %w", err)
		}
		if old, err := os.ReadFile(stamp); err == nil && string(old) == in+" "+out {
			return nil
		}
	}
	if b.check {
		if err := b.typeCheck(ctx); err != nil {
			return err
		}
	}
	if err := b.bundle(); err != nil {
		return err
	}
	out, err := hashFiles(b.dir, "dist")
	if err != nil {
		return fmt.Errorf("hashing the new bundle: %w", err)
	}
	if err := os.WriteFile(stamp, []byte(in+" "+out), 0o644); err != nil {
		return fmt.Errorf("writing the stamp: %w", err)
	}
	return nil
}

// install runs npm ci unless the lock file is the one of the last install.
func (b *bundler) install(ctx context.Context) error {
	want, err := hashFiles(b.dir, "package.json", "package-lock.json", ".npmrc")
	if err != nil {
		return fmt.Errorf("reading the lock file: %w", err)
	}
	stamp := b.path("node_modules", ".patchbay-install")
	if old, err := os.ReadFile(stamp); err == nil && string(old) == want {
		return nil
	}
	start := b.now()
	if _, err := exec.LookPath("npm"); err != nil {
		return errors.New("npm is not installed: install the packages nodejs and npm")
	}
	if err := b.tool(ctx, "npm", "ci"); err != nil {
		return fmt.Errorf("installing npm packages: %w", err)
	}
	b.say("npm packages installed", start)
	if err := os.WriteFile(stamp, []byte(want), 0o644); err != nil {
		return fmt.Errorf("writing the stamp: %w", err)
	}
	return nil
}

func (b *bundler) typeCheck(ctx context.Context) error {
	start := b.now()
	if err := b.tool(ctx, b.path("node_modules", ".bin", "tsc"), "--noEmit", "-p", "."); err != nil {
		return fmt.Errorf("checking types: %w", err)
	}
	b.say("types checked", start)
	return nil
}

// tool runs a program in the bundler's folder; its output is shown only when
// it fails.
func (b *bundler) tool(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = b.dir
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// bundle writes dist anew. The old files go first: a chunk's name carries its
// hash, and stale chunks would be embedded for ever.
func (b *bundler) bundle() error {
	start := b.now()
	result := api.Build(options(b.dir, entries()...))
	if len(result.Errors) > 0 {
		return fmt.Errorf("bundling:\n%s", strings.Join(api.FormatMessages(result.Errors, api.FormatMessagesOptions{}), ""))
	}
	licences, err := licences(b.dir, result.Metafile)
	if err != nil {
		return fmt.Errorf("collecting licences: %w", err)
	}
	old, err := os.ReadDir(b.path("dist"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the last bundle: %w", err)
	}
	for _, e := range old {
		if e.Name() == ".gitkeep" {
			continue
		}
		if err := os.RemoveAll(b.path("dist", e.Name())); err != nil {
			return fmt.Errorf("removing the last bundle: %w", err)
		}
	}
	if err := os.MkdirAll(b.path("dist"), 0o755); err != nil {
		return fmt.Errorf("making dist: %w", err)
	}
	for _, f := range result.OutputFiles {
		if err := os.WriteFile(f.Path, f.Contents, 0o644); err != nil {
			return fmt.Errorf("writing the bundle: %w", err)
		}
	}
	if err := os.WriteFile(b.path("dist", "licences.txt"), licences, 0o644); err != nil {
		return fmt.Errorf("writing the licences: %w", err)
	}
	b.say("scripts and styles bundled", start)
	for _, f := range result.OutputFiles {
		if !strings.HasSuffix(f.Path, ".map") {
			fmt.Fprintf(b.out, "  %7.1f kB  %s\n", float64(len(f.Contents))/1000, filepath.Base(f.Path))
		}
	}
	return nil
}

// options are esbuild's for the given entry points. Splitting keeps what a
// page may never need (the GPU renderer, the search bar) out of its first load.
func options(dir string, entryPoints ...string) api.BuildOptions {
	return api.BuildOptions{
		AbsWorkingDir:     dir,
		EntryPoints:       entryPoints,
		EntryNames:        "[name]",
		ChunkNames:        "[name]-[hash]",
		Outdir:            filepath.Join(dir, "dist"),
		Bundle:            true,
		Splitting:         true,
		Format:            api.FormatESModule,
		Platform:          api.PlatformBrowser,
		Target:            api.ES2022,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		LegalComments:     api.LegalCommentsNone, // licences.txt has them all
		Sourcemap:         api.SourceMapLinked,
		Metafile:          true,
		Loader:            map[string]api.Loader{".svg": api.LoaderDataURL},
		LogLevel:          api.LogLevelSilent,
	}
}

func (b *bundler) say(what string, start time.Time) {
	fmt.Fprintf(b.out, "%s (%d ms)\n", what, b.now().Sub(start).Milliseconds())
}

// hashFiles hashes names and contents of the given files and folders below
// dir; what does not exist counts as empty.
func hashFiles(dir string, names ...string) (string, error) {
	var paths []string
	for _, name := range names {
		err := filepath.WalkDir(filepath.Join(dir, name), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && d.Type().IsRegular() && d.Name() != ".gitkeep" {
				paths = append(paths, path)
			}
			return err
		})
		if err != nil {
			return "", err
		}
	}
	slices.Sort(paths)
	sum := sha256.New()
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s\x00%d\x00", strings.TrimPrefix(path, dir), len(content))
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
