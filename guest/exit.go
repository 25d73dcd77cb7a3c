package guest

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Exit says how a guest ended.
type Exit struct {
	Code    int    // exit code of the kernel's process, when no signal ended it
	Signal  int    // the signal that ended it, 0 for none
	Panic   bool   // the guest's kernel panicked
	Asked   bool   // Stop or Kill ended it
	Reason  string // one sentence for a student
	Console string // the last lines on console 0, as plain text
}

// consoleLines is how many lines of the console an Exit quotes.
const consoleLines = 15

// exitOf judges how a guest ended from what is left of it: the state of its
// process, the panic that it reported, and its last words.
func exitOf(state *os.ProcessState, panicText string, asked bool, console, log []byte) Exit {
	e := Exit{Code: -1, Asked: asked, Panic: panicText != ""}
	if state != nil {
		if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			e.Signal = int(ws.Signal())
		} else {
			e.Code = state.ExitCode()
		}
	}
	words := plainLines(console, consoleLines)
	e.Console = words
	// What the kernel says before its console is up, or after, goes to its
	// standard error.
	early := plainLines(log, consoleLines)
	if e.Console == "" {
		e.Console = early
	}
	if at := strings.LastIndex(early, panicMark); at >= 0 && !e.Panic {
		e.Panic = true
		panicText, _, _ = strings.Cut(early[at+len(panicMark):], "\n")
	}
	e.Reason = e.sentence(plainLines([]byte(panicText), 1), early)
	return e
}

// sentence believes what the kernel said of its end and, when it panicked
// before there was anybody to type on it, the console. Else the console holds
// whatever the student's programs wrote.
func (e *Exit) sentence(panicText, early string) string {
	has := func(s string) bool { return strings.Contains(early, s) }
	panicked := func(s string) bool { return e.Panic && strings.Contains(panicText, s) }
	// The console's own words count only where the kernel found no first process.
	unstarted := panicked("No working init found") || panicked("Unable to mount root fs")
	switch {
	case has("Too few physical memory!"),
		unstarted && strings.Contains(e.Console, "Initramfs unpacking failed: write error"),
		panicked("emory"), panicked("Failed to allocate"):
		return "The machine has too little memory to start: give it more in the lab file."
	case unstarted:
		return "The machine's kernel found nothing to start: its initrd is broken."
	case e.Panic:
		return fmt.Sprintf("The machine's kernel panicked: %s.", strings.TrimSuffix(panicText, "."))
	case e.Asked:
		return "The machine was stopped."
	case has("No space left on device"):
		return "The host has no space left for the machine's memory."
	case e.Signal == int(syscall.SIGBUS):
		return "The host could not give the machine the memory that it has on paper."
	case e.Signal == int(syscall.SIGKILL):
		return "The machine was killed by the host, most likely because the host ran out of memory."
	case e.Signal == int(syscall.SIGXFSZ):
		return "The machine was ended by the host because it wrote beyond the end of its disk."
	case e.Signal != 0:
		return fmt.Sprintf("The machine's kernel crashed (%s).", syscall.Signal(e.Signal))
	case e.Code == 0:
		return "The machine was switched off from inside."
	}
	return fmt.Sprintf("The machine's kernel gave up with exit code %d.", e.Code)
}
