package rack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A unix socket's path has at most 107 bytes, a folder's may have 4095. So
// sockets are bound and dialled through the folder's descriptor.

// shortPath returns a path of a few bytes for a file in dir, and what keeps it
// valid; close that when the path is no longer needed.
func shortPath(dir, name string) (path string, keep *os.File, err error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", fd, name), os.NewFile(uintptr(fd), dir), nil
}

// listen makes the rack's socket. Whoever calls it holds the folder's lock, so
// a socket that lies there is a dead process's.
func listen(dir string) (net.Listener, error) {
	path, keep, err := shortPath(dir, sockFile)
	if err != nil {
		return nil, fmt.Errorf("opening the rack's folder: %w", err)
	}
	defer keep.Close()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("removing a dead rack's socket: %w", err)
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("making the rack's socket: %w", err)
	}
	ln.SetUnlinkOnClose(false) // its path ends with keep; Serve removes it by its true name
	// Between bind and chmod the folder's own mode, 0700, keeps others out.
	if err := os.Chmod(path, 0o600); err != nil {
		ln.Close()
		return nil, fmt.Errorf("guarding the rack's socket: %w", err)
	}
	return ln, nil
}

// dial connects to the rack in dir.
func dial(ctx context.Context, dir string) (net.Conn, error) {
	path, keep, err := shortPath(dir, sockFile)
	if err != nil {
		return nil, fmt.Errorf("opening the rack's folder: %w", err)
	}
	defer keep.Close()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("connecting to rack %s: %w", filepath.Base(dir), err)
	}
	return conn, nil
}

// ErrRunning says that another process runs the rack in this folder.
var ErrRunning = errors.New("another process runs this rack")

// lockRange is the whole of the lock file. The lock is one of an open file
// description: unlike flock, it can be asked for without being taken, so that
// whoever looks does not get in the way of a rack that starts.
func lockRange() *unix.Flock_t { return &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart} }

// Lock takes the folder for this process, until the file is closed or the
// process dies. It returns ErrRunning when another has it.
func Lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the rack's folder: %w", err)
	}
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, lockRange())
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		err = ErrRunning
	}
	return nil, fmt.Errorf("locking %s: %w", dir, err)
}

// Locked says whether a process runs the rack in dir.
func Locked(dir string) (bool, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking at the rack's lock: %w", err)
	}
	defer f.Close()
	l := lockRange()
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, l); err != nil {
		return false, fmt.Errorf("looking at the rack's lock: %w", err)
	}
	return l.Type != unix.F_UNLCK, nil
}

// PID returns the process that serves the rack in dir, by what the kernel says
// of its socket. It works on a rack that is stopped or hangs.
func PID(ctx context.Context, dir string) (int, error) {
	conn, err := dial(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("asking for the rack's process: %w", err)
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, credErr); err != nil {
		return 0, fmt.Errorf("asking for the rack's process: %w", err)
	}
	return int(cred.Pid), nil
}

// Leftovers lists the sockets in a rack's folder. While no process runs the
// rack they are a killed one's, and may go.
func Leftovers(dir string) ([]string, error) {
	var left []string
	for _, pattern := range []string{sockFile, "nodes/*/net/*"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, fmt.Errorf("looking for sockets: %w", err)
		}
		for _, p := range paths {
			if fi, err := os.Lstat(p); err == nil && fi.Mode().Type() == fs.ModeSocket {
				left = append(left, p)
			}
		}
	}
	return left, nil
}
