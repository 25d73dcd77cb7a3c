package guest

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// donations numbers the descriptors that a child is born with. Every
// descriptor that crosses into a jail goes through it, so that the number
// written on the kernel's command line and the place in the child's table
// cannot come apart.
type donations struct {
	files []*os.File
}

// give hands f over and returns its number in the child. f belongs to the
// donations from here on.
func (d *donations) give(f *os.File) int {
	d.files = append(d.files, f)
	return len(d.files) - 1
}

// again hands over the descriptor with number n a second time.
func (d *donations) again(n int) int {
	d.files = append(d.files, d.files[n])
	return len(d.files) - 1
}

// close drops this side's copies. A file that was given twice is closed once.
func (d *donations) close() {
	seen := make(map[*os.File]bool, len(d.files))
	for _, f := range d.files {
		if !seen[f] {
			seen[f] = true
			f.Close()
		}
	}
	d.files = nil
}

// givePairs hands over copies of the interfaces' pairs and returns their
// numbers in the child.
func (c *Config) givePairs(d *donations) (numbers []int, err error) {
	for i, n := range c.NICs {
		if n.Pair == nil {
			continue
		}
		fd, err := unix.FcntlInt(n.Pair.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("copying the socket of interface %d: %w", i, err)
		}
		numbers = append(numbers, d.give(os.NewFile(uintptr(fd), n.Pair.Name())))
	}
	return numbers, nil
}

// pairCount is how many interfaces have a pair.
func (c *Config) pairCount() (n int) {
	for _, nic := range c.NICs {
		if nic.Pair != nil {
			n++
		}
	}
	return n
}

// socketpair makes two connected unix sockets: ours, which the runtime polls
// and which therefore obeys deadlines, and the child's, blocking until the
// child says otherwise.
func socketpair(kind int, name string) (ours, child *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making a socket pair for %s: %w", name, err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil, nil, fmt.Errorf("making a socket pair for %s: %w", name, err)
	}
	return os.NewFile(uintptr(fds[0]), name), os.NewFile(uintptr(fds[1]), name), nil
}
