package main

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/param"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/vnet/outside"
)

type checkCmd struct {
	Lab string `arg:"" help:"A built-in lab (see patchbay lab list), or a folder with a lab.yaml."`

	Solution bool   `xor:"what" help:"Apply the lab's solution first."`
	Mutant   string `xor:"what" help:"Apply this wrong solution first, and say whether exactly the checks fail that it is to fail." placeholder:"NAME"`
	Rack     string `xor:"what,twice" help:"Check this rack, which runs already, instead of one of the command's own." placeholder:"NAME"`
	Twice    bool   `xor:"twice" help:"Check a fresh boot of the disks too: what does not survive it does not pass."`

	Checker string `help:"The lab is a folder with a lab.conf, of Kathará or Netkit; its checks are made of this configuration of kathara-lab-checker." placeholder:"FILE"`

	Format  string         `enum:"table,json,junit,gradescope,csv" default:"table" help:"table, json, junit (XML), gradescope (results.json) or csv."`
	Student string         `help:"Give the lab's parameters the values of this student, by number or name." placeholder:"WHO"`
	Seed    string         `help:"What the students' values are drawn by." default:"patchbay check"`
	Uplink  []outside.Rule `help:"Let the lab reach this outside, as far as it asks for it; see patchbay serve." placeholder:"RULE"`
}

// scriptTimeout is how long a solution may take on one node.
const scriptTimeout = 5 * time.Minute

func (c *checkCmd) Run(ctx context.Context, f *Folders) (err error) {
	lab, err := c.lab()
	if err != nil {
		return err
	}
	scripts, mutant, err := c.scripts(lab)
	if err != nil {
		return err
	}
	var report *grade.Report
	if c.Rack != "" {
		report, err = c.running(ctx, f, lab)
	} else {
		report, err = c.fresh(ctx, f, lab, scripts)
	}
	if err != nil {
		return err
	}
	if err := writeReport(os.Stdout, report, c.Format); err != nil {
		return err
	}
	if mutant != nil { // exit 0 means that all checks passed, whatever was foreseen
		fmt.Fprintf(os.Stderr, "%s: %s\n", mutant.Name, compare(mutant, report))
	}
	if n := len(report.Results); !report.Passed() {
		passed := 0
		for i := range report.Results {
			if report.Results[i].Outcome == grade.Pass {
				passed++
			}
		}
		return fmt.Errorf("%d of %s did not pass", n-passed, plural(n, "check"))
	}
	return nil
}

// lab is the lab with the values of the student that was asked for.
func (c *checkCmd) lab() (*labs.Lab, error) {
	var lab *labs.Lab
	var err error
	if c.Checker != "" {
		lab, err = katharaLab(c.Lab, c.Checker)
	} else {
		lab, err = findLab(c.Lab)
	}
	if err != nil {
		return nil, err
	}
	if len(lab.Checks) == 0 {
		return nil, fmt.Errorf("%s has no checks: write some in its lab.yaml", lab.Slug)
	}
	if c.Student == "" {
		return lab, nil
	}
	secret := sha256.Sum256([]byte(c.Seed))
	ordinal, err := strconv.Atoi(c.Student)
	if err != nil || ordinal < 0 {
		ordinal = 0
	}
	return lab.For(param.Key{Secret: secret[:], Student: c.Student, Ordinal: ordinal})
}

// scripts are those to be applied before the check.
func (c *checkCmd) scripts(lab *labs.Lab) ([]labs.Script, *labs.Mutant, error) {
	switch {
	case c.Solution && len(lab.Solution) == 0:
		return nil, nil, fmt.Errorf("%s has no solution: write one in solution/NODE.sh", lab.Slug)
	case c.Solution:
		return lab.Solution, nil, nil
	case c.Mutant == "":
		return nil, nil, nil
	}
	var names []string
	for i := range lab.Mutants {
		if m := &lab.Mutants[i]; m.Name == c.Mutant {
			return m.Scripts, m, nil
		}
		names = append(names, lab.Mutants[i].Name)
	}
	if len(names) == 0 {
		return nil, nil, fmt.Errorf("%s has no mutants", lab.Slug)
	}
	return nil, nil, fmt.Errorf("%s has no mutant %q: it has %s", lab.Slug, c.Mutant, strings.Join(names, ", "))
}

// running checks a rack that runs already.
func (c *checkCmd) running(ctx context.Context, f *Folders, lab *labs.Lab) (*grade.Report, error) {
	info, err := localSpawn(f).Find(ctx, c.Rack)
	if err != nil {
		return nil, err
	}
	if info.Spec.LabSlug != lab.Slug {
		return nil, fmt.Errorf("rack %s runs the lab %s, not %s", c.Rack, info.Spec.LabSlug, lab.Slug)
	}
	if !info.Running {
		return nil, fmt.Errorf("rack %s does not run: start it with: patchbay run --no-attach --name %s %s", c.Rack, c.Rack, c.Lab)
	}
	return checkRack(ctx, info.Dir, lab, grade.Live)
}

// fresh checks the lab in a rack of its own, and again after a fresh boot when
// it is to be twice. Nothing of the racks stays.
func (c *checkCmd) fresh(ctx context.Context, f *Folders, lab *labs.Lab, scripts []labs.Script) (report *grade.Report, err error) {
	spec := rack.Spec{LabSlug: lab.Slug, Title: lab.Title, Topology: lab.Topology, Uplink: c.Uplink}
	first, err := startTemp(ctx, f, spec)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, first.remove()) }()
	if err := awaitStart(ctx, first.dir, lab); err != nil {
		return nil, err
	}
	if err := applyScripts(ctx, first.dir, scripts); err != nil {
		return nil, err
	}
	report, err = checkRack(ctx, first.dir, lab, grade.Live)
	if err != nil || !c.Twice {
		return report, err
	}
	spec.Disks = filepath.Join(first.dir, "snapshot")
	if err := first.snapshot(ctx, spec.Disks); err != nil {
		return nil, err
	}
	fmt.Fprintln(os.Stderr, "Once more, on a fresh boot of the disks.")
	second, err := startTemp(ctx, f, spec)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, second.remove()) }()
	if err := awaitStart(ctx, second.dir, nil); err != nil {
		return nil, err
	}
	again, err := checkRack(ctx, second.dir, lab, grade.Fresh)
	if err != nil {
		return nil, err
	}
	pair := grade.Pair{Live: report, Fresh: again}
	if lost := pair.Lost(); len(lost) > 0 {
		fmt.Fprintf(os.Stderr, "Does not survive a fresh boot: %s.\n", strings.Join(lost, ", "))
	}
	return pair.Final(), nil
}

// awaitStart waits until the nodes have come up and what they do at their start
// is done. With a lab, one of its nodes that did not come up is an error;
// without, the checks are to say so.
func awaitStart(ctx context.Context, dir string, lab *labs.Lab) error {
	stream, err := openStream(ctx, dir)
	if err != nil {
		return err
	}
	defer stream.Close()
	node := ""
	if lab != nil {
		node = lab.Topology.Nodes[0].Name
	}
	if err := showStart(ctx, stream, node); err != nil {
		return err
	}
	client, err := rack.Dial(ctx, dir)
	if err != nil {
		return err
	}
	defer client.Close()
	slow, err := client.Settle(ctx)
	if err != nil {
		return err
	}
	for _, s := range slow {
		fmt.Fprintln(os.Stderr, s)
	}
	state, err := client.State(ctx)
	if err != nil || lab == nil {
		return err
	}
	for _, n := range state.Nodes {
		if n.Status != rack.Running {
			return fmt.Errorf("%s did not start: %s", n.Name, n.Reason)
		}
	}
	return nil
}

// applyScripts runs each script as root on its node, one after the other.
func applyScripts(ctx context.Context, dir string, scripts []labs.Script) error {
	client, err := rack.Dial(ctx, dir)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, s := range scripts {
		fmt.Fprintf(os.Stderr, "%-16s runs its script\n", s.Node)
		res, err := client.Exec(ctx, s.Node, rack.ExecRequest{Args: interpreted(s.Text), Timeout: scriptTimeout})
		if err != nil {
			return fmt.Errorf("running the script of %s: %w", s.Node, err)
		}
		if res.ExitCode != 0 {
			fmt.Fprintf(os.Stderr, "%s%s", res.Stdout, res.Stderr)
			return fmt.Errorf("the script of %s ended with exit code %d", s.Node, res.ExitCode)
		}
	}
	return nil
}

// interpreted is the command that runs a script as its first line says, without
// leaving a file on the node.
func interpreted(text string) []string {
	args := []string{"/bin/sh", "-e"}
	if first, _, _ := strings.Cut(text, "\n"); strings.HasPrefix(first, "#!") && len(strings.Fields(first[2:])) > 0 {
		args = strings.Fields(first[2:])
	}
	return append(args, "-c", text)
}

// checkRack carries a lab's checks out on a rack and tells how it goes.
func checkRack(ctx context.Context, dir string, lab *labs.Lab, boot grade.Boot) (*grade.Report, error) {
	client, err := rack.Dial(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	style := grade.Style{Colour: colourful(os.Stderr)}
	done := 0
	return client.Check(ctx, &rack.CheckRequest{Lab: lab.Slug, Digest: lab.Digest, Boot: boot, Checks: lab.Checks}, func(r grade.Result) {
		done++
		fmt.Fprintf(os.Stderr, "%3d  %s\n", done, style.Line(&r))
	})
}

// compare says whether exactly those checks failed that a mutant is to fail.
func compare(m *labs.Mutant, r *grade.Report) string {
	failed := map[string]bool{}
	var missed, wrong, unknown []string
	for _, c := range r.Results {
		switch c.Outcome {
		case grade.Fail, grade.Skipped:
			failed[c.Check] = true
		case grade.Error:
			unknown = append(unknown, c.Check)
		}
	}
	for _, name := range m.Fails {
		if !failed[name] {
			missed = append(missed, name)
		}
		delete(failed, name)
	}
	for _, c := range r.Results { // in the lab's order
		if failed[c.Check] {
			wrong = append(wrong, c.Check)
		}
	}
	var parts []string
	say := func(what string, names []string) {
		if len(names) > 0 {
			parts = append(parts, what+" "+strings.Join(names, ", "))
		}
	}
	say("not seen through by", missed)
	say("unforeseen failures of", wrong)
	say("not judged by", unknown)
	if len(parts) == 0 {
		return "exactly the checks failed that it is to fail"
	}
	return strings.Join(parts, "; ")
}

func writeReport(w io.Writer, r *grade.Report, format string) error {
	switch format {
	case "json":
		return r.WriteJSON(w)
	case "junit":
		return r.WriteJUnit(w)
	case "gradescope":
		return r.WriteGradescope(w)
	case "csv":
		c := csv.NewWriter(w)
		return c.WriteAll([][]string{r.CSVHeader(), r.CSVRecord()})
	}
	style := grade.Style{Colour: colourful(os.Stdout)}
	if cols, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
		style.Width = max(cols, 40)
	}
	return r.WriteTable(w, style)
}

// colourful says whether f is a terminal whose user has nothing against colours.
func colourful(f *os.File) bool {
	return term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == ""
}
