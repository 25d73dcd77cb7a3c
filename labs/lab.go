package labs

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
	Extends     string // slug of the lab that this one builds on, or empty

	// Guide is Markdown. A fenced code block whose info string is "sh NODE"
	// holds commands for a student to type on that node; Load has checked
	// that the node exists.
	Guide    string
	Topology Topology
	Solution []Script // one per node that has one, in the topology's order

	// Digest is a hash (SHA-256, hex) over every file that made this lab: its version.
	Digest string
}

// Difficulty of a lab, for sorting and for courage.
type Difficulty string

// The difficulties.
const (
	Beginner     Difficulty = "beginner"
	Intermediate Difficulty = "intermediate"
	Advanced     Difficulty = "advanced"
)

// Script is a shell script that solves a lab on one node, run as root.
type Script struct {
	Node string
	Text string
}
