package guest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The mconsole protocol: datagrams in the host's byte order, a header of three
// or four u32 and at most 512 bytes of text.
const (
	mconsoleMagic   = 0xcafebabe
	mconsoleVersion = 2
	mconsoleText    = 512
	// mconsoleAnswer bounds all the datagrams of one answer: the longest real
	// ones (sysrq t on a busy guest) have some hundred kilobytes.
	mconsoleAnswer = 1 << 20
)

// Notifications that a kernel sends by itself.
const (
	notifySocket = 0 // its mconsole is there
	notifyPanic  = 1 // it panics; the text says why
)

// mconsole asks a guest's kernel. The answers come from a process that may be
// the student's, so nothing of them is believed beyond their length.
type mconsole struct {
	mu     sync.Mutex // one question at a time: answers carry no number
	client *os.File   // bound where the kernel can answer
	dir    *os.File   // the guest's scratch folder
}

// ask sends one command and returns the answer's text.
func (m *mconsole) ask(ctx context.Context, command string) (string, error) {
	req, err := mconsoleRequest(command)
	if err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(5 * time.Second)
	}
	if err := m.client.SetDeadline(deadline); err != nil {
		return "", fmt.Errorf("asking the mconsole: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = m.client.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	text, err := m.exchange(req)
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errors.New("it did not answer in time")
	}
	if err != nil {
		verb, _, _ := strings.Cut(command, " ")
		return text, fmt.Errorf("asking the guest's kernel to %s: %w", verb, err)
	}
	return text, nil
}

func (m *mconsole) exchange(req []byte) (string, error) {
	raw, err := m.client.SyscallConn()
	if err != nil {
		return "", err
	}
	// What an earlier question that was given up left behind.
	_ = raw.Control(func(fd uintptr) {
		for range 1024 {
			if _, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_DONTWAIT); err != nil {
				return
			}
		}
	})
	target, err := openSocketBeneath(m.dir, umid+"/mconsole")
	if err != nil {
		return "", err
	}
	defer unix.Close(target)
	addr := &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d", target)}
	var serr error
	err = raw.Write(func(fd uintptr) bool {
		serr = unix.Sendto(int(fd), req, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, addr)
		return serr != unix.EAGAIN
	})
	if err != nil {
		return "", err
	}
	if serr != nil {
		return "", os.NewSyscallError("sendto", serr)
	}

	var answer bytes.Buffer
	for {
		buf := make([]byte, 12+mconsoleText)
		var n int
		var rerr error
		err := raw.Read(func(fd uintptr) bool {
			n, _, rerr = unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT)
			return rerr != unix.EAGAIN
		})
		if err := errors.Join(err, rerr); err != nil {
			return answer.String(), err
		}
		r, err := parseMconsoleReply(buf[:n])
		if err != nil {
			return answer.String(), err
		}
		answer.Write(r.text)
		if r.failed {
			return "", fmt.Errorf("it answered %q", plainLines(answer.Bytes(), 1))
		}
		if !r.more {
			return answer.String(), nil
		}
		if answer.Len() > mconsoleAnswer {
			return "", errors.New("it answers without end")
		}
	}
}

// openSocketBeneath finds a socket below dir for sending to. The folder is the
// guest's: a link that leads out of it, to some other program's socket, must
// not be followed, nor may the name change its meaning between looking and
// sending. So the name is resolved once, within dir and without links, and what
// is sent to is the descriptor.
func openSocketBeneath(dir *os.File, name string) (int, error) {
	fd, err := unix.Openat2(int(dir.Fd()), name, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	})
	if err != nil {
		return -1, fmt.Errorf("finding its mconsole: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		unix.Close(fd)
		return -1, errors.New("its mconsole is not a socket")
	}
	return fd, nil
}

func mconsoleRequest(command string) ([]byte, error) {
	if command == "" || len(command) >= mconsoleText || strings.ContainsAny(command, "\x00\n") {
		return nil, fmt.Errorf("an mconsole command has 1 to %d bytes on one line", mconsoleText-1)
	}
	b := make([]byte, 12+mconsoleText)
	binary.NativeEndian.PutUint32(b[0:], mconsoleMagic)
	binary.NativeEndian.PutUint32(b[4:], mconsoleVersion)
	binary.NativeEndian.PutUint32(b[8:], uint32(len(command)))
	copy(b[12:], command)
	return b, nil
}

type mconsoleReply struct {
	failed, more bool
	text         []byte
}

// parseMconsoleReply reads one datagram of an answer. Its length counts a
// closing zero byte.
func parseMconsoleReply(b []byte) (mconsoleReply, error) {
	if len(b) < 12 {
		return mconsoleReply{}, fmt.Errorf("it sent %d bytes, fewer than a header has", len(b))
	}
	n := binary.NativeEndian.Uint32(b[8:])
	if n > mconsoleText || int(n) > len(b)-12 {
		return mconsoleReply{}, fmt.Errorf("it announced %d bytes and sent %d", n, len(b)-12)
	}
	return mconsoleReply{
		failed: binary.NativeEndian.Uint32(b[0:]) != 0,
		more:   binary.NativeEndian.Uint32(b[4:]) != 0,
		text:   untilZero(b[12 : 12+n]),
	}, nil
}

type notification struct {
	kind uint32
	text []byte
}

// parseNotification reads a datagram that a kernel sent by itself.
func parseNotification(b []byte) (notification, error) {
	if len(b) < 16 {
		return notification{}, fmt.Errorf("a notification of %d bytes is shorter than its header", len(b))
	}
	magic, version := binary.NativeEndian.Uint32(b[0:]), binary.NativeEndian.Uint32(b[4:])
	if magic != mconsoleMagic || version != mconsoleVersion {
		return notification{}, fmt.Errorf("a notification begins with %#x, version %d", magic, version)
	}
	n := binary.NativeEndian.Uint32(b[12:])
	if n > mconsoleText || int(n) > len(b)-16 {
		return notification{}, fmt.Errorf("a notification announces %d bytes and has %d", n, len(b)-16)
	}
	return notification{kind: binary.NativeEndian.Uint32(b[8:]), text: untilZero(b[16 : 16+n])}, nil
}

func untilZero(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}
