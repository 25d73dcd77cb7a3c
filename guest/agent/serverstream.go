package agent

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
)

// link is the guest's end of a Stream: a connection to a port of the guest.
// Serve's goroutine puts in what the host sends and never waits; one goroutine
// writes it to the port, another reads from there.
type link struct {
	id   uint32
	port uint16
	said chan struct{} // capacity 1: the host has sent bytes, or the last
	took chan struct{} // capacity 1: the host has taken bytes
	gone chan struct{} // closed by cut

	mu    sync.Mutex
	file  *os.File // nil until connected
	isCut bool
	in    []byte // from the host, not yet being written
	got   uint64 // bytes that came from the host
	wrote uint64 // of them written to the port
	last  bool   // no more will come from the host
	taken uint64 // bytes that the host has taken of what it was sent
}

var errCut = errors.New("the host has cut the connection")

func (s *Server) connect(f frame) error {
	d := decoder{b: f.body}
	port := d.u16()
	if err := d.end(); err != nil || port == 0 {
		return errMalformed
	}
	l := &link{id: f.id, port: port, said: make(chan struct{}, 1), took: make(chan struct{}, 1), gone: make(chan struct{})}
	s.mu.Lock()
	taken, many := s.links[f.id] != nil || s.running[f.id] != nil, len(s.links) >= maxStreams
	if !taken && !many {
		if s.links == nil {
			s.links = make(map[uint32]*link)
		}
		s.links[f.id] = l
	}
	s.mu.Unlock()
	switch {
	case taken:
		return errMalformed
	case many:
		return errStreams
	}
	s.wg.Go(func() { s.attendLink(l) })
	return nil
}

func (s *Server) link(id uint32) *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links[id]
}

// linkBytes takes what the host sends. A link that is gone leaves bytes behind
// on the line; they are dropped.
func (s *Server) linkBytes(f frame) error {
	l := s.link(f.id)
	if l == nil {
		return nil
	}
	if len(f.body) < 4 {
		return errMalformed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := f.body[4:]
	var err error
	switch {
	case binary.BigEndian.Uint32(f.body) != uint32(l.got) || l.last:
		err = errLost
	case l.got-l.wrote+uint64(len(b)) > windowToGuest:
		err = errFlood
	}
	if err != nil {
		l.cutLocked()
		return err
	}
	l.got += uint64(len(b))
	l.in = append(l.in, b...)
	l.last = !f.more
	nudge(l.said)
	return nil
}

func (s *Server) linkTaken(f frame) error {
	l := s.link(f.id)
	if l == nil {
		return nil
	}
	if len(f.body) != 8 {
		return errMalformed
	}
	l.mu.Lock()
	l.taken = max(l.taken, binary.BigEndian.Uint64(f.body))
	l.mu.Unlock()
	nudge(l.took)
	return nil
}

// cut ends the link at once. The host knows why.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cutLocked()
}

func (l *link) cutLocked() {
	if l.isCut {
		return
	}
	l.isCut = true
	close(l.gone)
	if l.file != nil {
		l.file.Close() // ends the read and the write that wait
	}
}

// attach gives the link its connection, unless it was cut meanwhile.
func (l *link) attach(file *os.File) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isCut {
		file.Close()
		return errCut
	}
	l.file = file
	return nil
}

// attendLink connects a link, carries its bytes and reports its end.
func (s *Server) attendLink(l *link) {
	file, err := dialSelf(l.port, l.gone)
	if err == nil {
		err = l.attach(file)
	}
	if err == nil {
		err = s.send(kindOpened, l.id, true, nil)
	}
	if err == nil {
		var wg sync.WaitGroup
		var writing error
		wg.Go(func() {
			if writing = s.toPort(l, file); writing != nil {
				// What the program has said before it closed is still wanted:
				// the read ends by itself then.
				_ = shutdown(file, syscall.SHUT_WR)
			}
		})
		if err = s.fromPort(l, file); err != nil {
			l.cut()
		}
		wg.Wait()
		if err == nil {
			err = writing
		}
	}
	l.cut()
	s.mu.Lock()
	delete(s.links, l.id)
	s.mu.Unlock()
	// An error means that the line is gone, which Serve finds out by itself.
	switch {
	case err == nil:
		_ = s.done(l.id)
	case !errors.Is(err, errCut):
		_ = s.refuse(l.id, err)
	}
}

// toPort writes what the host sends to the port, until the last of it.
func (s *Server) toPort(l *link, file *os.File) error {
	var buf []byte
	for {
		l.mu.Lock()
		buf, l.in = l.in, buf[:0]
		last := l.last
		l.mu.Unlock()
		if len(buf) == 0 {
			if last {
				return shutdown(file, syscall.SHUT_WR)
			}
			select {
			case <-l.said:
				continue
			case <-l.gone:
				return errCut
			}
		}
		if _, err := file.Write(buf); err != nil {
			return plain(err)
		}
		l.mu.Lock()
		l.wrote += uint64(len(buf))
		wrote := l.wrote
		l.mu.Unlock()
		if err := s.send(kindTaken, l.id, true, binary.BigEndian.AppendUint64(nil, wrote)); err != nil {
			return err
		}
	}
}

// fromPort sends the host what comes from the port, until its end.
func (s *Server) fromPort(l *link, file *os.File) error {
	buf := make([]byte, 4+chunk)
	for sent := uint64(0); ; {
		l.mu.Lock()
		l.taken = min(l.taken, sent)
		room := windowToHost - (sent - l.taken)
		l.mu.Unlock()
		if room == 0 {
			select {
			case <-l.took:
				continue
			case <-l.gone:
				return errCut
			}
		}
		n, err := file.Read(buf[4 : 4+min(room, chunk)])
		binary.BigEndian.PutUint32(buf, uint32(sent))
		if n > 0 {
			if err := s.send(kindBytes, l.id, true, buf[:4+n]); err != nil {
				return err
			}
			sent += uint64(n)
			continue
		}
		if err == io.EOF {
			return s.send(kindBytes, l.id, false, buf[:4])
		}
		if err != nil {
			return plain(err)
		}
	}
}

// plain is the error without the name of a file that is none.
func plain(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return errCut
	}
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func shutdown(file *os.File, how int) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return plain(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = syscall.Shutdown(int(fd), how) }); err != nil {
		return plain(err)
	}
	if failed == syscall.ENOTCONN {
		return nil // the program has closed it
	}
	return failed
}
