package labs

import (
	"fmt"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/param"
)

// Lab is one lab as its author wrote it: a folder with lab.yaml, guide.md,
// files for nodes and a solution. Load reads one. A Lab is not changed after
// it was loaded, so it may be shared between goroutines.
type Lab struct {
	Slug        string // the folder's name, ^[a-z0-9][a-z0-9-]{0,62}$
	Title       string
	Summary     string // one sentence for lists
	Description string // Markdown, may be empty
	Author      string
	Licence     string
	Tags        []string
	Difficulty  Difficulty
	Topic       string   // one of Topics, or empty
	Requires    []string // slugs of labs to do before; a server may lack them
	Minutes     int      // of a student's time; 0 when nobody said
	Extends     string   // slug of the lab that this one builds on, or empty

	// Guide is Markdown, see Markdown for its dialect. A fenced code block whose info string is "sh NODE"
	// holds commands for a student to type on that node; Load has checked
	// that the node exists.
	Guide    string
	Topology Topology
	Solution []Script // one per node that has one, in the topology's order
	Steps    []Step   // the guide's headings

	Checks  []grade.Check // complete and in order, in the order of the lab file
	Mutants []Mutant

	// Parameters are what differs from student to student. Values is what was
	// put into this Lab's texts: no student's after Load, a student's after For.
	Parameters []param.Decl
	Values     param.Values

	// Digest is a hash (SHA-256, hex) over every file that made this lab: its version.
	Digest string

	kept *kept // of a lab with parameters
}

// For gives the lab as one student gets it, with what is drawn for key in
// every text; key.Lab is filled in. A lab without parameters is the same for
// all. The error is a Problems when what was drawn does not fit the lab, and
// otherwise says that a range is used up.
func (l *Lab) For(key param.Key) (*Lab, error) {
	if len(l.Parameters) == 0 {
		return l, nil
	}
	key.Lab = l.Slug
	values, err := param.Draw(l.Parameters, key)
	if err != nil {
		return nil, fmt.Errorf("drawing the parameters of %s: %w", l.Slug, err)
	}
	return load(l.kept, l.kept.dir, &values)
}

// Mutant is a wrong solution: a way to do the lab that its checks must see through.
type Mutant struct {
	Name    string   // ^[a-z][a-z0-9-]{0,30}$
	About   string   // what is wrong with it, one line
	Fails   []string // the checks that fail or are skipped, and no others do
	Scripts []Script // complete: where it has none for a node, the solution's
}

// Difficulty of a lab, for sorting and for courage.
type Difficulty string

// The difficulties.
const (
	Beginner     Difficulty = "beginner"
	Intermediate Difficulty = "intermediate"
	Advanced     Difficulty = "advanced"
)

// Topics are what labs are about, in the order in which courses come to them.
func Topics() []string {
	return []string{"basics", "switching", "addressing", "routing", "interdomain", "transport", "applications", "security", "tunnels", "operations"}
}

// Script is a shell script that solves a lab on one node, run as root.
type Script struct {
	Node string
	Text string
}
