// Package lint says what a lab that is in order still lacks to be a good one:
// a check without a hint, a step that nobody checks, a command that the image
// does not have. A finding goes away when the lab is mended, and in no other way.
package lint

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
)

// Finding is one thing that a lab lacks.
type Finding struct {
	File    string `json:"file"` // slash-separated, in the file system that the lab was loaded from
	Line    int    `json:"line,omitempty"`
	Rule    string `json:"rule"`    // the name of one of Rules
	Message string `json:"message"` // what is found, no full stop
	Fix     string `json:"fix"`     // what to do about it
}

// String is "file:line: message (fix) [rule]".
func (f Finding) String() string {
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	return fmt.Sprintf("%s: %s (%s) [%s]", place, f.Message, f.Fix, f.Rule)
}

// Report is what was found in a lab.
type Report struct {
	Findings []Finding `json:"findings"`
	// Notes say what could not be looked at, and why.
	Notes []string `json:"notes,omitempty"`
}

// Programs are what a machine of an image can run.
type Programs struct {
	Commands map[string]bool // on root's PATH
	Services map[string]bool // in /etc/init.d
}

// Options are what a lab is held against.
type Options struct {
	// Labs are the slugs that a lab may require besides those of the folders
	// next to it.
	Labs []string
	// Programs says what an image has; nil leaves commands unchecked.
	Programs func(image string) (Programs, error)
}

// Lab looks at the lab in folder dir of fsys. The error is that of labs.Load
// for a lab that is not in order.
func Lab(fsys fs.FS, dir string, o Options) (*Report, error) {
	lab, err := labs.Load(fsys, dir)
	if err != nil {
		return nil, err
	}
	l := &linter{fsys: fsys, dir: dir, lab: lab, options: o}
	if l.yaml, err = readSource(fsys, path.Join(dir, "lab.yaml")); err != nil {
		return nil, err
	}
	// A guide that comes from the lab that this one extends is that lab's affair.
	if raw, err := fs.ReadFile(fsys, path.Join(dir, "guide.md")); err == nil {
		l.guide = readGuide(lab.Guide)
		l.rawGuide = text(raw)
	}
	l.about()
	l.drawing()
	l.solutions()
	l.checks()
	l.untouched()
	if l.guide != nil {
		l.steps()
		l.length()
		l.links()
		l.nodes()
	}
	l.commands()
	l.literals()
	l.unused()
	slices.SortStableFunc(l.report.Findings, byPlace)
	return &l.report, nil
}

// Untouched gives a finding for each check that passed, or could not be judged,
// on a lab that nobody has touched. r is the report of such a run.
func Untouched(fsys fs.FS, dir string, r *grade.Report) ([]Finding, error) {
	file := path.Join(dir, "lab.yaml")
	y, err := readSource(fsys, file)
	if err != nil {
		return nil, err
	}
	var out []Finding
	for i := range r.Results {
		c := &r.Results[i]
		line, _ := y.line("checks", c.Check)
		switch c.Outcome {
		case grade.Pass:
			out = append(out, Finding{file, line, "untouched", fmt.Sprintf("the check %s passes on the untouched lab", c.Check),
				"ask for what only a working network shows, or let it need a check that fails before the work"})
		case grade.Error:
			out = append(out, Finding{file, line, "untouched", fmt.Sprintf("the check %s cannot be judged on the untouched lab: %s", c.Check, c.Seen),
				"write it so that it fails there"})
		}
	}
	return out, nil
}

func byPlace(a, b Finding) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule))
}

// linter is one Lab.
type linter struct {
	fsys     fs.FS
	dir      string
	lab      *labs.Lab
	options  Options
	yaml     *source
	guide    *guide // nil when the lab has none of its own
	rawGuide string // before parameters were put in; as many lines
	report   Report
}

func (l *linter) find(file string, line int, rule, fix, format string, args ...any) {
	l.report.Findings = append(l.report.Findings, Finding{path.Join(l.dir, file), line, rule, fmt.Sprintf(format, args...), fix})
}

// inYAML adds a finding at a key of lab.yaml, unless another lab, which this one
// extends, says that key.
func (l *linter) inYAML(rule, fix, message string, keys ...string) {
	if line, ok := l.yaml.line(keys...); ok {
		l.find("lab.yaml", line, rule, fix, "%s", message)
	}
}

func (l *linter) inGuide(line int, rule, fix, format string, args ...any) {
	l.find("guide.md", line, rule, fix, format, args...)
}

func (l *linter) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(l.report.Notes, n) {
		l.report.Notes = append(l.report.Notes, n)
	}
}

// text is data with "\n" for line ends and no byte order mark, as labs.Load reads it.
func text(data []byte) string {
	return strings.ReplaceAll(strings.TrimPrefix(string(data), "\ufeff"), "\r\n", "\n")
}
