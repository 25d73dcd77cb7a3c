// Package engine carries the checks of a lab out on a running one.
package engine

import (
	"context"

	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/vnet/probe"
	"github.com/patchbay/patchbay/vnet/record"
)

// Target is a running lab as checks see it. A rack is one. Safe for concurrent
// use.
type Target interface {
	Topology() *labs.Topology
	// Node finds a running node; its error is a finding about the student's
	// lab when it is a *NotRunning, and ours otherwise.
	Node(name string) (Node, error)
	// Attach has a probe host join a segment. The caller calls done, which
	// takes it away, and closes it not itself: within one run, checks that join
	// at the same place with the same addresses share one host, and no address
	// is on a segment twice at a time.
	Attach(ctx context.Context, at grade.At) (h *probe.Host, done func(), err error)
	// Ring is the recording of all frames, Port a port's name in it.
	Ring() *record.Ring
	Port(node, iface string) string
	// MAC is the address that an interface was given: "02:…".
	MAC(node, iface string) string
	// Disk opens the node's disk as it is now, read from outside in a guest of
	// its own; the caller closes it. Within one run it is made once for all
	// checks that ask. What is wrong with the disk itself is an *Unreadable.
	Disk(ctx context.Context, node string) (Disk, error)
}

// NotRunning says that a node does not run, and why.
type NotRunning struct{ Node, Reason string }

func (e *NotRunning) Error() string { return e.Node + " does not run: " + e.Reason }

// Node is a running node.
type Node interface {
	// Verify runs a program of the pristine image in the node, where nothing
	// that the student changed in its file system is in the way. A program
	// that fails is a result. A node that does not answer is *NotRunning.
	Verify(ctx context.Context, v agent.Exec) (agent.ExecResult, error)
}

// Disk is a student's disk, looked at from outside.
type Disk interface {
	// Look returns what is at an absolute path, links followed within the
	// disk. limit bounds Data.
	Look(ctx context.Context, path string, limit int) (Entry, error)
	Close() error
}

// Entry is what a Disk has at a path.
type Entry struct {
	Exists  bool
	Kind    string // file, directory, link, device, pipe, socket
	Mode    uint32 // permission bits, with setuid, setgid and sticky
	UID     uint32
	GID     uint32
	Size    int64
	Data    []byte   // of a file, at most limit
	Names   []string // of a directory, sorted, at most 1000
	Link    string   // where a link leads (the last one that was followed)
	Changed bool     // not as the image has it
	Trouble string   // why the disk cannot be read there, a clause; a finding
}

// Unreadable says what is wrong with a student's disk as a whole.
type Unreadable struct{ Node, Reason string }

func (e *Unreadable) Error() string { return "the disk of " + e.Node + " cannot be read: " + e.Reason }

// Options of a Run.
type Options struct {
	Lab, Digest string
	Boot        grade.Boot
	// Progress is called with each result as it is there, by one goroutine at a
	// time. It may be nil.
	Progress func(grade.Result)
	// Parallel is how many checks are tried at once, those aside that wait for
	// their next try or watch the wire; 0 means 8.
	Parallel int
}

// verdict is what one try of a check found.
type verdict struct {
	ok   bool
	seen string // a sentence
	// contested says that it is so neither way: there was an answer, though not
	// by who was to give it. "not" does not make it right.
	contested bool
	doubt     string
	evidence  []grade.Evidence
}
