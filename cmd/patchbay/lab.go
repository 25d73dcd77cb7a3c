package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/catalog"
)

type labCmd struct {
	List     labListCmd     `cmd:"" help:"List the built-in labs."`
	New      labNewCmd      `cmd:"" help:"Begin a lab: a small one that works, with checks, a solution and two wrong solutions."`
	Validate labValidateCmd `cmd:"" help:"Say what is wrong with a lab, with line, column and remedy."`
	Lint     labLintCmd     `cmd:"" help:"Say what a lab that is in order still lacks to be a good one."`
	Graph    labGraphCmd    `cmd:"" help:"Draw a lab."`
	Pack     labPackCmd     `cmd:"" help:"Write an archive of the files that make a lab."`
	Schema   labSchemaCmd   `cmd:"" help:"Print the JSON Schema of lab.yaml, for editors."`
}

type labValidateCmd struct {
	Dir string `arg:"" help:"The lab's folder." type:"path"`
}

func (c *labValidateCmd) Run() error { return validateLab(os.Stdout, os.Stderr, c.Dir) }

// validateLab loads the lab in dir and writes one line about it to out, or all
// its problems to problems.
func validateLab(out, problems io.Writer, dir string) error {
	t, err := openLabTree(dir)
	if err != nil {
		return err
	}
	defer t.Close()
	lab, notes, err := t.load()
	if ps, ok := errors.AsType[labs.Problems](err); ok {
		for _, p := range ps {
			t.printProblem(problems, p)
		}
		return fmt.Errorf("%s in %s", plural(len(ps), "problem"), dir)
	}
	if err != nil {
		return err
	}
	t.printNotes(out, notes)
	_, err = fmt.Fprintf(out, "%s: “%s” is in order: %s, %s, a guide of %s, a solution for %s%s\n", dir, lab.Title,
		plural(len(lab.Topology.Nodes), "node"), plural(len(lab.Topology.Segments), "segment"),
		plural(len(strings.Fields(lab.Guide)), "word"), plural(len(lab.Solution), "node"), graded(lab))
	return err
}

// graded says what a lab has of parameters, checks and wrong solutions.
func graded(lab *labs.Lab) string {
	var b strings.Builder
	if n := len(lab.Parameters); n > 0 {
		b.WriteString(", " + plural(n, "parameter"))
	}
	var points float64
	for i := range lab.Checks {
		points += lab.Checks[i].Points
	}
	if n := len(lab.Checks); n > 0 {
		fmt.Fprintf(&b, ", %s worth %g", plural(n, "check"), points)
	}
	if n := len(lab.Mutants); n > 0 {
		b.WriteString(", " + plural(n, "wrong solution"))
	}
	return b.String()
}

// findLab loads the lab that a person named: a folder, when there is one with
// a lab.yaml or a lab.conf, else a built-in lab's slug.
func findLab(arg string) (*labs.Lab, error) {
	_, err := os.Stat(filepath.Join(arg, "lab.yaml"))
	if _, confErr := os.Stat(filepath.Join(arg, "lab.conf")); err != nil && confErr != nil {
		all, err := catalog.Labs()
		if err != nil {
			return nil, err
		}
		var slugs []string
		for _, l := range all {
			if l.Slug == arg {
				return l, nil
			}
			slugs = append(slugs, l.Slug)
		}
		return nil, fmt.Errorf("%q is neither a folder with a lab.yaml or lab.conf nor a built-in lab (%s)", arg, strings.Join(slugs, ", "))
	}
	t, err := openLabTree(arg)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	lab, notes, err := t.load()
	t.printNotes(os.Stderr, notes)
	return lab, err
}

// labTree is the folder that a lab's folder lies in, so that the lab can
// extend its neighbours; os.Root keeps a lab from reaching out of it.
type labTree struct {
	*os.Root
	typed string // the lab's folder as it was named
	name  string // its name in the tree
}

func openLabTree(dir string) (*labTree, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding lab: %w", err)
	}
	// Links on the way to the lab are the user's own; links in it are refused.
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return nil, fmt.Errorf("finding lab: %w", err)
	}
	root, err := os.OpenRoot(filepath.Dir(abs))
	if err != nil {
		return nil, fmt.Errorf("finding lab: %w", err)
	}
	return &labTree{Root: root, typed: dir, name: filepath.Base(abs)}, nil
}

// printProblem writes a problem as compilers do, with the line and a caret
// below the place.
func (t *labTree) printProblem(w io.Writer, p labs.Problem) {
	shown := p
	if rest, ok := strings.CutPrefix(p.File, t.name+"/"); ok {
		shown.File = filepath.Join(t.typed, rest)
	} else {
		shown.File = filepath.Join(t.typed, "..", p.File)
	}
	shown.Fix = ""
	fmt.Fprintln(w, shown)
	fix := p.Fix
	if before, at, ok := t.sourceLine(p); ok {
		fmt.Fprintf(w, "    %s\n    %s^ %s\n", before, strings.Repeat(" ", at), fix)
	} else if fix != "" {
		fmt.Fprintf(w, "    %s\n", fix)
	}
}

// sourceLine gives the line that p complains of, or the part of it around the
// place, and the place in it. Nothing in it moves a terminal's cursor.
func (t *labTree) sourceLine(p labs.Problem) (line string, at int, ok bool) {
	if p.Line == 0 {
		return "", 0, false
	}
	info, err := fs.Lstat(t.FS(), p.File)
	if err != nil || !info.Mode().IsRegular() {
		return "", 0, false
	}
	f, err := t.Open(p.File)
	if err != nil {
		return "", 0, false
	}
	defer f.Close()
	const most = 2 << 20 // a lab.yaml that is too large is read no further
	r := bufio.NewScanner(io.LimitReader(f, most))
	r.Buffer(nil, most)
	for n := 1; r.Scan(); n++ {
		if n < p.Line {
			continue
		}
		const before, after = 70, 40
		runes := []rune(strings.ToValidUTF8(r.Text(), "\uFFFD"))
		at = min(p.Col-1, len(runes))
		from, to := max(0, at-before), min(len(runes), at+after)
		for i, c := range runes {
			switch {
			case c == '\t':
				runes[i] = ' '
			case !unicode.IsPrint(c):
				runes[i] = '\uFFFD'
			}
		}
		return string(runes[from:to]), at - from, true
	}
	return "", 0, false
}

// plural is "1 node", "2 nodes".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
