package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/graph"
	"github.com/patchbay/patchbay/labs/library"
	"github.com/patchbay/patchbay/labs/schema"
)

// newLab is the lab that "lab new" writes.
//
//go:embed all:newlab
var newLab embed.FS

type labNewCmd struct {
	Dir string `arg:"" help:"The new folder; its name is the lab's." type:"path"`
}

var slugRE = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

func (c *labNewCmd) Run() error { return createLab(os.Stdout, c.Dir) }

// inNewDir makes the folder of a lab and has fill fill it. It is there whole, or
// not at all; doing begins its errors.
func inNewDir(doing, dir string, fill func() error) error {
	if slug := filepath.Base(dir); !slugRE.MatchString(slug) {
		return fmt.Errorf("%s: %q cannot be a lab's name: use a-z, 0-9 and -, at most 63", doing, slug)
	}
	if err := os.Mkdir(dir, 0o755); err != nil { // never into something that is there
		return fmt.Errorf("%s: %w", doing, err)
	}
	if err := fill(); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	return nil
}

// createLab writes a lab into a folder that is not there yet, or nothing.
func createLab(out io.Writer, dir string) error {
	return inNewDir("making lab", dir, func() error { return fillNewLab(out, dir) })
}

func fillNewLab(out io.Writer, dir string) error {
	err := fs.WalkDir(newLab, "newlab", func(name string, e fs.DirEntry, err error) error {
		target := filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(name, "newlab")))
		switch {
		case err != nil || name == "newlab":
			return err
		case e.IsDir():
			return os.Mkdir(target, 0o755)
		}
		data, err := newLab.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
	if err != nil {
		return fmt.Errorf("making lab: %w", err)
	}
	_, err = fmt.Fprintf(out, "%s has a lab now. Next:\n  patchbay lab validate %[1]s\n  patchbay run %[1]s\n  patchbay check %[1]s --solution\n", dir)
	return err
}

type labGraphCmd struct {
	Lab    string `arg:"" help:"A lab's folder, or a built-in lab."`
	Format string `help:"svg, dot (Graphviz) or mermaid." enum:"svg,dot,mermaid" default:"svg"`
}

func (c *labGraphCmd) Run() error {
	lab, err := findLab(c.Lab)
	if err != nil {
		return err
	}
	drawing := map[string]func(*labs.Lab) string{"svg": graph.SVG, "dot": graph.DOT, "mermaid": graph.Mermaid}[c.Format]
	_, err = io.WriteString(os.Stdout, drawing(lab))
	return err
}

type labPackCmd struct {
	Dir    string `arg:"" help:"The lab's folder." type:"path"`
	Output string `short:"o" required:"" help:"The archive, a .tar.gz; - for standard output." placeholder:"FILE"`
}

func (c *labPackCmd) Run() error {
	return packLab(context.Background(), os.Stdout, os.Stderr, c.Dir, c.Output)
}

// packLab writes the archive of a lab that is in order and that a server would
// take, and says what is in it.
func packLab(ctx context.Context, out, problems io.Writer, dir, output string) error {
	t, err := openLabTree(dir)
	if err != nil {
		return err
	}
	defer t.Close()
	var archive bytes.Buffer
	lab, err := labs.Pack(&archive, t.FS(), t.name)
	if ps, ok := errors.AsType[labs.Problems](err); ok {
		for _, p := range ps {
			t.printProblem(problems, p)
		}
		return fmt.Errorf("%s in %s", plural(len(ps), "problem"), dir)
	}
	if err != nil {
		return err
	}
	if err := wouldTake(ctx, lab, archive.Bytes()); err != nil {
		return fmt.Errorf("a server would not take this lab: %w", err)
	}
	if output == "-" {
		_, err = archive.WriteTo(out)
		return err
	}
	if err := os.WriteFile(output, archive.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing archive: %w", err)
	}
	_, err = fmt.Fprintf(out, "%s: “%s”, %d bytes, version %s\n", output, lab.Title, archive.Len(), lab.Digest[:12])
	return err
}

// wouldTake has a library of its own take the archive, as an upload does.
func wouldTake(ctx context.Context, lab *labs.Lab, archive []byte) (err error) {
	dir, err := os.MkdirTemp("", "patchbay-pack-")
	if err != nil {
		return fmt.Errorf("trying the archive: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	l, err := library.Open(filepath.Join(dir, "labs"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	taken, err := l.Add(ctx, lab.Slug+".tar.gz", bytes.NewReader(archive), library.By{Login: "author"})
	if err == nil && taken.Digest != lab.Digest {
		err = errors.New("it came out otherwise than it went in")
	}
	return err
}

type labSchemaCmd struct{}

func (labSchemaCmd) Run() error {
	text, err := schema.JSON()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}
