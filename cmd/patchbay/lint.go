package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/patchbay/patchbay/guest/image"
	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/catalog"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/lint"
	"github.com/patchbay/patchbay/labs/rack"
)

type labLintCmd struct {
	Dir    []string `arg:"" optional:"" help:"Labs' folders, or built-in labs; all built-in labs when none is named."`
	Boot   bool     `help:"Boot each lab untouched too, and say which checks pass."`
	Format string   `enum:"text,json" default:"text" help:"text or json."`
}

func (c *labLintCmd) Run(ctx context.Context, f *Folders) error {
	l := labLinter{folders: f, boot: c.Boot, images: map[string]lint.Programs{}}
	slugs, err := catalog.Slugs()
	if err != nil {
		return err
	}
	l.slugs = slugs
	dirs := c.Dir
	if len(dirs) == 0 {
		dirs = slugs
	}
	total := lint.Report{Findings: []lint.Finding{}}
	for _, dir := range dirs {
		r, err := l.lint(ctx, dir)
		if err != nil {
			return err
		}
		total.Findings = append(total.Findings, r.Findings...)
		total.Notes = append(total.Notes, r.Notes...)
	}
	if err := writeFindings(os.Stdout, os.Stderr, &total, c.Format); err != nil {
		return err
	}
	if n := len(total.Findings); n > 0 {
		return fmt.Errorf("%s in %s", plural(n, "finding"), plural(len(dirs), "lab"))
	}
	return nil
}

// writeFindings writes a line for each finding, and to notes what was not
// looked at; or all of it as JSON.
func writeFindings(out, notes io.Writer, r *lint.Report, format string) error {
	if format == "json" {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	for _, f := range r.Findings {
		if _, err := fmt.Fprintf(out, "%s\n", f); err != nil {
			return err
		}
	}
	for _, n := range r.Notes {
		if _, err := fmt.Fprintf(notes, "note: %s\n", n); err != nil {
			return err
		}
	}
	return nil
}

// labLinter holds labs against the rules.
type labLinter struct {
	folders *Folders
	boot    bool
	slugs   []string // of the built-in labs
	images  map[string]lint.Programs
}

// lint looks at one lab: a folder, when there is one with a lab.yaml, else a
// built-in lab. Files are named as the lab was.
func (l *labLinter) lint(ctx context.Context, arg string) (*lint.Report, error) {
	var fsys fs.FS
	name, shown := arg, arg
	if _, err := os.Stat(filepath.Join(arg, "lab.yaml")); err != nil {
		if _, err := findLab(arg); err != nil {
			return nil, err
		}
		fsys = catalog.FS()
	} else {
		t, err := openLabTree(arg)
		if err != nil {
			return nil, err
		}
		defer t.Close()
		fsys, name = t.FS(), t.name
	}
	r, err := lint.Lab(fsys, name, lint.Options{Labs: l.slugs, Programs: l.programs})
	if _, ok := errors.AsType[labs.Problems](err); ok {
		return nil, fmt.Errorf("%s is not in order: see patchbay lab validate %[1]s", arg)
	}
	if err != nil {
		return nil, err
	}
	if l.boot {
		more, err := l.untouched(ctx, fsys, name)
		if err != nil {
			return nil, err
		}
		r.Findings = append(r.Findings, more...)
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		f.File = filepath.Join(shown, strings.TrimPrefix(f.File, name+"/"))
	}
	for i := range r.Notes {
		r.Notes[i] = arg + ": " + r.Notes[i]
	}
	return r, nil
}

// untouched boots the lab in a rack of its own and carries its checks out.
func (l *labLinter) untouched(ctx context.Context, fsys fs.FS, name string) (_ []lint.Finding, err error) {
	lab, err := labs.Load(fsys, name)
	if err != nil || len(lab.Checks) == 0 {
		return nil, err
	}
	t, err := startTemp(ctx, l.folders, rack.Spec{LabSlug: lab.Slug, Title: lab.Title, Topology: lab.Topology})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.remove()) }()
	if err := awaitStart(ctx, t.dir, lab); err != nil {
		return nil, err
	}
	r, err := checkRack(ctx, t.dir, lab, grade.Live)
	if err != nil {
		return nil, err
	}
	return lint.Untouched(fsys, name, r)
}

// programs reads what an image has, from its file system in the cache.
func (l *labLinter) programs(name string) (lint.Programs, error) {
	if p, ok := l.images[name]; ok {
		return p, nil
	}
	p, err := imagePrograms(l.folders.Cache, name)
	if err == nil {
		l.images[name] = p
	}
	return p, err
}

func imagePrograms(cache, name string) (lint.Programs, error) {
	p := lint.Programs{Commands: map[string]bool{}, Services: map[string]bool{}}
	m, err := image.Find(cache, name)
	if err != nil {
		return p, err
	}
	for dir, into := range map[string]map[string]bool{
		"/usr/local/sbin": p.Commands, "/usr/local/bin": p.Commands, "/usr/sbin": p.Commands, "/usr/bin": p.Commands,
		"/sbin": p.Commands, "/bin": p.Commands, "/etc/init.d": p.Services,
	} {
		names, err := m.ReadDir(dir)
		if err != nil {
			return p, err
		}
		for _, n := range names {
			into[n] = true
		}
	}
	return p, nil
}
