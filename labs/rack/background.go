package rack

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// background is the niceness of a rack that nobody sits in front of: the
// scheduler gives it 15 parts where others have 1024.
const background = 19

// stepBack makes this process, and what it starts from now on, give way to
// everything else. Linux keeps niceness for each thread, and a new thread has
// that of the one that made it: so all of them are asked, until there was no
// new one.
func stepBack() error {
	done := map[int]bool{}
	for again := true; again; {
		again = false
		entries, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("listing threads: %w", err)
		}
		for _, e := range entries {
			tid, err := strconv.Atoi(e.Name())
			if err != nil || done[tid] {
				continue
			}
			done[tid], again = true, true
			if err := unix.Setpriority(unix.PRIO_PROCESS, tid, background); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("lowering the priority: %w", err)
			}
		}
	}
	return nil
}
