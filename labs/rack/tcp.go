package rack

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/go-chi/chi/v5"
	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/labs"
)

// tcpUpgrade is what both ends of a connection into a node call it.
const tcpUpgrade = "tcp"

// connectWithin bounds a connection into a guest, whose guestd gives up after
// five seconds for each of two addresses.
const connectWithin = 15 * time.Second

// lookForGone is how often a connection looks whether the browser's end is there.
const lookForGone = 500 * time.Millisecond

// published says which TCP ports of a node its lab opens to browsers.
func published(n *labs.Node) []uint16 { return n.Publish }

// Connector is a Machine that can be connected to. Its error, where it is an
// *Explained, is shown to whoever asked.
type Connector interface {
	Connect(ctx context.Context, port int) (Tunnel, error)
}

// Tunnel is a connection to a port of a Machine.
type Tunnel interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// Connect connects to a TCP port of the guest's own loopback.
func (m *guestMachine) Connect(ctx context.Context, port int) (Tunnel, error) {
	s, err := m.Agent().Connect(ctx, port)
	if err != nil {
		return nil, requestError(err)
	}
	return s, nil
}

// handleTCP joins its connection to a port of a node. Behind the answer, which
// is 101, both ways carry what the two programs say.
func (r *Rack) handleTCP(w http.ResponseWriter, q *http.Request) error {
	n, err := r.node(chi.URLParam(q, "node"))
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(q.URL.Query().Get("port"))
	if err != nil || port < 1 || port > 65535 {
		return fmt.Errorf("port %q: %w; use 1 to 65535", q.URL.Query().Get("port"), ErrBadOp)
	}
	if !slices.Contains(published(n.spec), uint16(port)) {
		return fmt.Errorf("port %d of %s is not published by the lab: %w", port, n.spec.Name, ErrUnknown)
	}
	if q.Header.Get("Upgrade") != tcpUpgrade {
		return fmt.Errorf("a connection into a node: %w without the header Upgrade: %s", ErrBadOp, tcpUpgrade)
	}
	m, err := n.running()
	if err != nil {
		return err
	}
	c, ok := m.(Connector)
	if !ok {
		return fmt.Errorf("connecting to %s: %w", n.spec.Name, ErrBadOp)
	}
	ctx, cancel := context.WithTimeout(q.Context(), connectWithin)
	defer cancel()
	s, err := c.Connect(ctx, port)
	if err != nil {
		return fmt.Errorf("connecting to port %d of %s: %w", port, n.spec.Name, err)
	}
	defer s.Close()
	if !r.hold() {
		return errEnding
	}
	defer r.wg.Done()
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("taking the connection over: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(r.ending, func() { conn.Close() })()
	if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+tcpUpgrade+"\r\n\r\n"); err != nil {
		return nil // whoever asked has gone
	}
	splice(conn, buffered.Reader, s)
	return nil
}

// hold makes the rack's end wait for one more connection, which ends by
// r.ending; the caller then owes r.wg a Done. It says false when it is too late.
func (r *Rack) hold() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.wg.Add(1)
	return true
}

// splice carries bytes both ways until both have ended, one has failed, or
// whoever asked has gone.
func splice(conn net.Conn, in io.Reader, s Tunnel) {
	var wg sync.WaitGroup
	over := make(chan struct{})
	wg.Go(func() {
		if goneBefore(over, conn) {
			conn.Close()
			s.Close()
		}
	})
	defer wg.Wait()
	defer close(over)
	carry(conn, in, s)
}

// goneBefore waits until the other end of conn is closed, both ways, and says
// so, or until over. Reading tells no more than that nothing more will be sent,
// and nothing at all while the node takes nothing: a program that never answers
// would keep its connection for good, and a guest has but so many.
func goneBefore(over <-chan struct{}, conn net.Conn) bool {
	c, ok := conn.(syscall.Conn)
	if !ok {
		<-over
		return false
	}
	raw, err := c.SyscallConn()
	tick := time.NewTicker(lookForGone)
	defer tick.Stop()
	for gone := false; !gone && err == nil; {
		select {
		case <-over:
			return false
		case <-tick.C:
		}
		err = raw.Control(func(fd uintptr) {
			fds := []unix.PollFd{{Fd: int32(fd)}} // POLLHUP comes unasked
			n, pollErr := unix.Poll(fds, 0)
			gone = pollErr == nil && n > 0 && fds[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
		})
	}
	return true // or closed by us, which comes to the same
}

func carry(conn net.Conn, in io.Reader, s Tunnel) {
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := io.Copy(s, in); err != nil || s.CloseWrite() != nil {
			s.Close()
		}
	})
	half, ok := conn.(interface{ CloseWrite() error })
	if _, err := io.Copy(conn, s); err != nil || !ok || half.CloseWrite() != nil {
		conn.Close()
		s.Close()
	}
	wg.Wait()
}

// DialTCP connects to a published TCP port of a node of the rack in dir. A
// refusal, of the rack or of the guest, is a *Refusal; nothing that listens on
// the port is one with status 409.
func DialTCP(ctx context.Context, dir, node string, port int) (_ net.Conn, err error) {
	conn, err := dial(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	path := "/v1/nodes/" + url.PathEscape(node) + "/tcp?port=" + strconv.Itoa(port)
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: rack\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", path, tcpUpgrade); err != nil {
		return nil, fmt.Errorf("asking the rack for a connection: %w", errors.Join(ctx.Err(), err))
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, fmt.Errorf("asking the rack for a connection: %w", errors.Join(ctx.Err(), err))
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		defer resp.Body.Close()
		return nil, refusal(resp)
	}
	if !stop() {
		return nil, fmt.Errorf("asking the rack for a connection: %w", ctx.Err())
	}
	return &nodeConn{conn.(*net.UnixConn), in}, nil
}

// nodeConn is a connection whose first bytes may have been read already.
type nodeConn struct {
	*net.UnixConn
	in *bufio.Reader
}

func (c *nodeConn) Read(b []byte) (int, error) { return c.in.Read(b) }
