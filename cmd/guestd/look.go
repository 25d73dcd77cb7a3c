package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/guest/agent"
)

// seen is what a guest that inspects a disk looks at: both are root folders.
type seen struct {
	root  int // the disk over its image
	image int // the image alone
}

const (
	maxLinks = 40 // as the kernel has it
	// lookWithin is how long reading one folder or comparing one file may take.
	lookWithin = 4 * time.Second
)

var errLoop = errors.New("its links go round in a circle")

// Look is part of agent.Looker.
func (g *guest) Look(path string, limit int) (agent.Entry, error) {
	if !g.machine.Inspect {
		return agent.Entry{}, errors.New("this machine does not inspect a disk")
	}
	until := time.Now().Add(lookWithin)
	e := lookAt(g.seen.root, path, limit, until)
	if g.seen.root == g.seen.image || e.Trouble != "" {
		return e, nil
	}
	was := lookAt(g.seen.image, path, 0, until)
	e.Changed = was.Exists != e.Exists || was.Kind != e.Kind || was.Mode != e.Mode || was.UID != e.UID || was.GID != e.GID ||
		was.Link != e.Link || e.Kind == "file" && was.Size != e.Size || !slices.Equal(was.Names, e.Names)
	if !e.Changed && e.Kind == "file" {
		same, err := sameContent(g.seen.root, g.seen.image, path, until)
		if err != nil {
			e.Trouble = err.Error()
		}
		e.Changed = !same
	}
	return e, nil
}

// lookAt looks below one root.
func lookAt(root int, path string, limit int, until time.Time) (e agent.Entry) {
	fd, link, err := follow(root, path)
	e.Link = link
	if err != nil {
		// A path through a file, or to nothing, is a path to nothing.
		if link != "" {
			e.Kind = "link"
		}
		if err != syscall.ENOENT && err != syscall.ENOTDIR {
			e.Trouble = err.Error()
		}
		return e
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		e.Trouble = err.Error()
		return e
	}
	e.Exists, e.Mode, e.UID, e.GID, e.Size = true, st.Mode&0o7777, st.Uid, st.Gid, max(st.Size, 0)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		e.Kind = "file"
		if limit > 0 {
			e.Data, err = readStart(root, path, limit)
		}
	case unix.S_IFDIR:
		e.Kind, e.Size = "directory", 0
		e.Names, err = readNames(root, path, until)
	case unix.S_IFIFO:
		e.Kind = "pipe"
	case unix.S_IFSOCK:
		e.Kind = "socket"
	default:
		e.Kind = "device"
	}
	if err != nil {
		e.Trouble = err.Error()
	}
	return e
}

// open resolves a path within a root, which neither links nor .. leave.
func open(root int, path string, flags int) (int, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags) | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	}
	for {
		fd, err := unix.Openat2(root, path, &how)
		if err != unix.EINTR && err != unix.EAGAIN {
			return fd, err
		}
	}
}

// follow opens what a path leads to, without reading it, and says where the
// last link at its end leads.
func follow(root int, path string) (fd int, link string, err error) {
	buf := make([]byte, unix.PathMax)
	for range maxLinks {
		if fd, err = open(root, path, unix.O_PATH|unix.O_NOFOLLOW); err != nil {
			return -1, link, err
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			unix.Close(fd)
			return -1, link, err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFLNK {
			return fd, link, nil
		}
		n, err := unix.Readlinkat(fd, "", buf)
		unix.Close(fd)
		if err != nil {
			return -1, link, err
		}
		if n == 0 || n >= len(buf) {
			return -1, link, errors.New("one of its links cannot be")
		}
		link = string(buf[:n])
		// Not made plain: .. behind a link to a folder means that folder's.
		if path = strings.TrimRight(path, "/"); link[0] == '/' {
			path = link
		} else {
			path = path[:strings.LastIndexByte(path, '/')+1] + link
		}
	}
	return -1, link, errLoop
}

// openFile opens a regular file for reading; the disk does not change.
func openFile(root int, path string) (*os.File, error) {
	fd, err := open(root, path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "file"), nil
}

func readStart(root int, path string, limit int) ([]byte, error) {
	f, err := openFile(root, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)))
	return data, plain(err)
}

// readNames returns the first names of a folder in their order, however many
// there are.
func readNames(root int, path string, until time.Time) ([]string, error) {
	fd, err := open(root, path, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var names []string
	buf := make([]byte, 32<<10)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return names, err
		}
		if n <= 0 {
			break
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
		if len(names) > 4*agent.MaxNames {
			slices.Sort(names)
			names = names[:agent.MaxNames]
		}
		if time.Now().After(until) {
			return nil, errors.New("the folder is too large to be read in time")
		}
	}
	slices.Sort(names)
	return names[:min(len(names), agent.MaxNames)], nil
}

// sameContent compares a file of the disk with the image's of the same size.
func sameContent(root, image int, path string, until time.Time) (bool, error) {
	a, err := openFile(root, path)
	if err != nil {
		return false, err
	}
	defer a.Close()
	b, err := openFile(image, path)
	if err != nil {
		return false, err
	}
	defer b.Close()
	one, two := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(a, one)
		m, _ := io.ReadFull(b, two)
		if !bytes.Equal(one[:n], two[:m]) {
			return false, nil
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return true, nil
		}
		if err != nil {
			return false, plain(err)
		}
		if time.Now().After(until) {
			return false, errors.New("the file is too large to be compared in time")
		}
	}
}

// plain takes the descriptor's name, which says nothing, from an error.
func plain(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
