package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// startVDE starts a vde_switch with its sockets in a new folder of any uid's.
func startVDE(ctx context.Context, dir string) (h *helper, sockets string, err error) {
	sockets = filepath.Join(dir, "vde")
	h, err = startHelper(exec.CommandContext(ctx, "vde_switch", "--sock", sockets, "--mode", "0666", "--dirmode", "0777", "--numports", "64"))
	if err != nil {
		return nil, "", err
	}
	if err := h.listens(ctx, filepath.Join(sockets, "ctl")); err != nil {
		h.Close()
		return nil, "", err
	}
	return h, sockets, nil
}

// startUMLSwitch starts a uml_switch that listens at a path.
func startUMLSwitch(ctx context.Context, dir string) (h *helper, path string, err error) {
	path = filepath.Join(dir, "uml_switch")
	h, err = startHelper(exec.CommandContext(ctx, "uml_switch", "-unix", path))
	if err != nil {
		return nil, "", err
	}
	if err = h.listens(ctx, path); err == nil {
		err = unix.Chmod(path, 0o777) // it makes the file for its own uid
	}
	if err != nil {
		h.Close()
		return nil, "", err
	}
	return h, path, nil
}

// A vdePort is a connection to a vde_switch: frames pass as datagrams, for as
// long as the control connection stands.
type vdePort struct {
	control int
	data    int
	path    string // of data's own socket file
}

const (
	vdeMagic       = 0xfeedface
	vdeVersion     = 3
	vdeNewPort     = 0 // a request for a port, whichever is free
	vdeDescription = 128
)

// dialVDE connects to the switch in folder sockets.
func dialVDE(sockets, name string) (_ *vdePort, err error) {
	p := &vdePort{control: -1, data: -1, path: filepath.Join(sockets, name)}
	defer func() {
		if err != nil {
			p.Close()
			err = fmt.Errorf("connecting to vde_switch: %w", err)
		}
	}()
	if p.control, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return nil, err
	}
	if p.data, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return nil, err
	}
	if err := unix.Bind(p.data, &unix.SockaddrUnix{Name: p.path}); err != nil {
		return nil, err
	}
	if err := unix.Chmod(p.path, 0o777); err != nil {
		return nil, err
	}
	if err := unix.Connect(p.control, &unix.SockaddrUnix{Name: filepath.Join(sockets, "ctl")}); err != nil {
		return nil, err
	}
	if _, err := unix.Write(p.control, vdeRequest(p.path, name)); err != nil {
		return nil, err
	}
	var answer [sockaddrUnix]byte
	if _, err := io.ReadFull(fdReader(p.control), answer[:]); err != nil {
		return nil, fmt.Errorf("reading its answer: %w", err)
	}
	peer := unix.ByteSliceToString(answer[2:])
	if peer == "" {
		return nil, fmt.Errorf("its answer names no socket")
	}
	return p, unix.Connect(p.data, &unix.SockaddrUnix{Name: peer})
}

// sockaddrUnix is the size of the kernel's struct sockaddr_un: a family and a
// path.
const sockaddrUnix = 2 + 108

// vdeRequest asks for a port whose frames go to the socket at path.
func vdeRequest(path, description string) []byte {
	b := binary.NativeEndian.AppendUint32(nil, vdeMagic)
	b = binary.NativeEndian.AppendUint32(b, vdeVersion)
	b = binary.NativeEndian.AppendUint32(b, vdeNewPort)
	b = binary.NativeEndian.AppendUint16(b, unix.AF_UNIX)
	text := make([]byte, sockaddrUnix-2+vdeDescription)
	copy(text, path)
	copy(text[sockaddrUnix-2:], description)
	return append(b, text...)
}

// Close ends the connection.
func (p *vdePort) Close() {
	for _, fd := range []int{p.control, p.data} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	_ = unix.Unlink(p.path)
}

// fdReader reads from a blocking descriptor.
type fdReader int

func (fd fdReader) Read(b []byte) (int, error) {
	n, err := unix.Read(int(fd), b)
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return max(n, 0), err
}
