package vnet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// sunPath is the longest path a unix socket address holds, its closing zero
// not counted.
const sunPath = 107

// socketFile is a listening socket and its file.
type socketFile struct {
	fd       int
	path     string
	dev, ino uint64
}

// listen makes a listening SOCK_SEQPACKET socket at path. The caller must
// close it.
func listen(path string, mode os.FileMode) (_ *socketFile, err error) {
	if mode == 0 {
		mode = 0o666
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("making a socket: %w", err)
	}
	f := &socketFile{fd: fd, path: path}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	err = f.bind()
	if errors.Is(err, unix.EADDRINUSE) {
		if err = removeStale(path); err == nil {
			err = f.bind()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("binding %s: %w", path, err)
	}
	if err := f.identify(mode); err != nil {
		return nil, fmt.Errorf("opening %s to guests: %w", path, err)
	}
	// A guest connects once; a few more cover one that is restarted in a hurry.
	if err := unix.Listen(fd, 8); err != nil {
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	return f, nil
}

func (f *socketFile) bind() error {
	return withAddr(f.path, func(a unix.Sockaddr) error { return unix.Bind(f.fd, a) })
}

// identify notes which file this is and sets its mode. It works on a
// descriptor, so that whoever may write to the folder cannot put a link to
// something else in its place meanwhile.
func (f *socketFile) identify(mode os.FileMode) error {
	fd, err := unix.Open(f.path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return errors.New("somebody replaced the socket")
	}
	f.dev, f.ino = uint64(st.Dev), st.Ino // before anything else may fail, for close to know the file
	return os.Chmod(procFD(fd), mode.Perm())
}

// close closes the socket and removes its file, unless another file has taken
// its place.
func (f *socketFile) close() {
	if f == nil {
		return
	}
	closeFD(f.fd)
	var st unix.Stat_t
	if unix.Lstat(f.path, &st) == nil && uint64(st.Dev) == f.dev && st.Ino == f.ino {
		os.Remove(f.path)
	}
}

// removeStale removes the socket file that a dead process left at path.
func removeStale(path string) error {
	fi, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if fi.Mode().Type() != fs.ModeSocket {
		return errors.New("the file is there already and is no socket; move it away")
	}
	// Asking with a socket of another type tells a living listener (wrong
	// type) from a dead one (refused) without connecting to it, which it
	// would take for its guest coming anew.
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	err = withAddr(path, func(a unix.Sockaddr) error { return unix.Connect(fd, a) })
	if !errors.Is(err, unix.ECONNREFUSED) {
		return errors.New("another process listens there")
	}
	return os.Remove(path)
}

// withAddr calls f with the address of the socket at path. A path that is too
// long for an address goes through a descriptor of its folder.
func withAddr(path string, f func(unix.Sockaddr) error) error {
	if len(path) > sunPath {
		dir, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(dir)
		path = filepath.Join(procFD(dir), filepath.Base(path))
		if len(path) > sunPath {
			return fmt.Errorf("the name %q is too long for a socket", filepath.Base(path))
		}
	}
	return f(&unix.SockaddrUnix{Name: path})
}

func procFD(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// dupConn duplicates a connected SOCK_SEQPACKET socket.
func dupConn(f *os.File) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("duplicating the connection: %w", err)
	}
	fd := -1
	var dupErr error
	err = raw.Control(func(p uintptr) {
		var kind int
		if kind, dupErr = unix.GetsockoptInt(int(p), unix.SOL_SOCKET, unix.SO_TYPE); dupErr != nil {
			return
		}
		if kind != unix.SOCK_SEQPACKET {
			dupErr = errors.New("it is not a SOCK_SEQPACKET socket")
			return
		}
		fd, dupErr = unix.FcntlInt(p, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err = errors.Join(err, dupErr); err != nil {
		return -1, fmt.Errorf("duplicating the connection: %w", err)
	}
	return fd, nil
}

func closeFD(fd int) {
	if fd >= 0 {
		unix.Close(fd)
	}
}
