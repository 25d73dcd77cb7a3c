package guest

import (
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// tailBytes is how much of a console's last output is remembered for the
// message that says how a guest failed: some fifty lines.
const tailBytes = 4096

// Console is the host's end of one of a guest's consoles. One goroutine may
// read while another writes. Reads return io.EOF once the guest is gone and
// all that it wrote has been read; the descriptor is closed then, and by Close.
// Nobody else reads from it: a console that its owner does not read fills up
// and makes the guest wait.
type Console struct {
	f *os.File

	mu   sync.Mutex
	last tail
}

func newConsole(f *os.File) *Console { return &Console{f: f} }

// Read reads what the guest wrote.
func (c *Console) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	raw, err := c.f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n int
	var rerr error
	err = raw.Read(func(fd uintptr) bool {
		// Reading and remembering are one step for unread, which would miss or
		// double these bytes otherwise.
		c.mu.Lock()
		defer c.mu.Unlock()
		n, rerr = recvInterrupted(int(fd), p, unix.MSG_DONTWAIT)
		if rerr == unix.EAGAIN {
			return false
		}
		if n > 0 {
			c.last.write(p[:n])
		}
		return true
	})
	switch {
	case err != nil:
		return 0, err
	case rerr == unix.ECONNRESET, rerr == nil && n == 0:
		// A guest that dies with keystrokes unread resets the connection.
		c.f.Close()
		return 0, io.EOF
	case rerr != nil:
		return 0, os.NewSyscallError("recvfrom", rerr)
	}
	return n, nil
}

// Write types p at the console. It waits while the guest takes nothing; a
// write deadline bounds that.
func (c *Console) Write(p []byte) (int, error) { return c.f.Write(p) }

// SetReadDeadline ends a waiting Read at t; the zero time takes it back.
func (c *Console) SetReadDeadline(t time.Time) error { return c.f.SetReadDeadline(t) }

// SetWriteDeadline ends a waiting Write at t; the zero time takes it back.
func (c *Console) SetWriteDeadline(t time.Time) error { return c.f.SetWriteDeadline(t) }

// Close drops the console. The guest reads end of file from it, as from a
// modem that hung up.
func (c *Console) Close() error { return c.f.Close() }

// recent is the last of what the guest wrote, read by the owner or not, as far
// as tailBytes go. It takes nothing away from Read.
func (c *Console) recent() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.last
	raw, err := c.f.SyscallConn()
	if err != nil {
		return t.bytes()
	}
	unread := make([]byte, 256<<10) // more than the guest's end can hold
	_ = raw.Control(func(fd uintptr) {
		if n, err := recvInterrupted(int(fd), unread, unix.MSG_PEEK|unix.MSG_DONTWAIT); err == nil {
			t.write(unread[:n])
		}
	})
	return t.bytes()
}

func recvInterrupted(fd int, p []byte, flags int) (int, error) {
	for {
		n, _, err := unix.Recvfrom(fd, p, flags)
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}

// tail remembers the last tailBytes written to it. The zero value is empty; a
// copy is a snapshot.
type tail struct {
	buf [tailBytes]byte
	n   int64 // written in all
}

func (t *tail) write(p []byte) {
	if over := len(p) - tailBytes; over > 0 {
		t.n += int64(over)
		p = p[over:]
	}
	at := int(t.n % tailBytes)
	k := copy(t.buf[at:], p)
	copy(t.buf[:], p[k:])
	t.n += int64(len(p))
}

func (t *tail) bytes() []byte {
	if t.n <= tailBytes {
		return append([]byte(nil), t.buf[:t.n]...)
	}
	at := int(t.n % tailBytes)
	return append(append(make([]byte, 0, tailBytes), t.buf[at:]...), t.buf[:at]...)
}
