package main

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// line is the serial line to the host. It begins with plain blocking calls,
// which cost one system call each and no epoll; poll changes over, after which
// a waiting read holds no thread.
type line struct {
	fd   int
	file *os.File // nil until poll
}

func openLine(path string) (*line, error) {
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, wrap("opening "+path, err)
	}
	// All eight bits both ways, no echo, nothing translated, nothing a signal.
	raw := unix.Termios{Cflag: unix.B38400 | unix.CS8 | unix.CREAD | unix.CLOCAL}
	raw.Cc[unix.VMIN] = 1
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		return nil, wrap("making "+path+" raw", err)
	}
	return &line{fd: fd}, nil
}

// poll must be called by the goroutine that reads, with no write under way.
func (l *line) poll() error {
	if err := syscall.SetNonblock(l.fd, true); err != nil {
		return wrap("polling the host's line", err)
	}
	l.file = os.NewFile(uintptr(l.fd), "line")
	return nil
}

func (l *line) Read(p []byte) (int, error) {
	if l.file != nil {
		return l.file.Read(p)
	}
	for {
		n, err := syscall.Read(l.fd, p)
		if err == syscall.EINTR {
			continue
		}
		return max(n, 0), err
	}
}

func (l *line) Write(p []byte) (int, error) {
	if l.file != nil {
		return l.file.Write(p)
	}
	for done := 0; done < len(p); {
		n, err := syscall.Write(l.fd, p[done:])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return done, err
		}
		done += n
	}
	return len(p), nil
}
