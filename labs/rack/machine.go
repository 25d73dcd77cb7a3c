package rack

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/labs"
)

// Plan is what one node is started from.
type Plan struct {
	Rack  *Spec
	Node  *labs.Node
	Dir   string // nodes/NAME in the rack's folder, there already
	CPU   int    // the one CPU to run on; -1 leaves it to the host
	Lines int    // how many consoles
	NICs  []PlanNIC
	Log   *slog.Logger

	// Kernel is the one that the switch's ports were made for, by its whole
	// name, and Offload and Carrier what they were told of it: a port and
	// its guest must agree, whatever kernel is built in between. An empty
	// Kernel is the node's own, without either.
	Kernel           string
	Offload, Carrier bool
}

// PlanNIC is one interface of a node: its address and the switch's socket.
type PlanNIC struct {
	MAC    string
	Socket string
	MTU    int // bytes, 0 means 1500
}

// StartFunc starts a node's machine and returns as soon as its kernel runs. It
// makes the student's disk when there is none. Its error, where it is an
// *Explained, is shown to the student.
type StartFunc func(ctx context.Context, p *Plan) (Machine, error)

// Machine is one run of a node. A rack's real ones are guests; the seam is
// there for tests of the rack itself. Methods are safe for concurrent use.
type Machine interface {
	// Console returns the host's side of a console. It reads EOF after Done.
	Console(i int) io.ReadWriter
	// Boot waits until the guest is what its node says.
	Boot(ctx context.Context) error
	// Started is closed when the startup commands and services have run, or the
	// machine has ended.
	Started() <-chan struct{}
	OpenConsole(ctx context.Context, i int) error
	Resize(ctx context.Context, i int, cols, rows uint16) error
	Exec(ctx context.Context, r *ExecRequest) (*ExecResult, error)
	// Verify runs a program of the pristine image in the guest, for a check.
	Verify(ctx context.Context, e agent.Exec) (agent.ExecResult, error)
	PutFile(ctx context.Context, path string, mode uint32, data []byte) error
	GetFile(ctx context.Context, path string) ([]byte, error)
	// Flush returns when what programs have written is on the disk. Pause holds
	// the machine, Resume lets it go on.
	Flush(ctx context.Context) error
	Pause(ctx context.Context) error
	Resume(ctx context.Context) error
	// Stop shuts the guest down in order, and kills it when ctx ends.
	Stop(ctx context.Context) error
	Kill()
	// Done is closed when no process of the guest is left.
	Done() <-chan struct{}
	// Exit says how it ended; valid after Done.
	Exit() Exit
	// Close releases what the host holds of it, after Done.
	Close()
}

// Exit says how a machine ended.
type Exit struct {
	Kind   ExitKind
	Reason string // one sentence for a student
}

// ExitKind tells an order from an accident.
type ExitKind int

// The ways for a machine to end.
const (
	Died       ExitKind = iota // a panic, a signal: an accident
	PoweredOff                 // from inside, or by Stop
	Rebooted                   // from inside: start it again
)

// Explained is an error with a sentence for a student beside the full story.
type Explained struct {
	Sentence string
	Err      error
}

func (e *Explained) Error() string { return e.Sentence + " (" + e.Err.Error() + ")" }

// Unwrap returns the full story.
func (e *Explained) Unwrap() error { return e.Err }

// sentence returns what to show a student of err.
func sentence(err error) string {
	var e *Explained
	if errors.As(err, &e) {
		return e.Sentence
	}
	return err.Error()
}
