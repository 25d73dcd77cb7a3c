package agent

import "errors"

// Looker is what a System that inspects a disk has besides.
type Looker interface {
	// Look returns what is at an absolute path. Its error is our own fault; the
	// disk's is in Entry.Trouble.
	Look(path string, limit int) (Entry, error)
}

// Flusher is what a System has that can be told to write its disk.
type Flusher interface{ Flush() error }

func (s *Server) look(f frame) error {
	req, err := decodeLook(f.body)
	if err != nil {
		return err
	}
	l, ok := s.sys.(Looker)
	if !ok {
		return errUnknown
	}
	return s.aside(f.id, func() error {
		e, err := l.Look(req.path, int(req.limit))
		if err != nil {
			return err
		}
		e.Trouble = cut(e.Trouble)
		body := e.append(nil)
		for more := true; more; {
			n := min(len(body), chunk)
			more = n < len(body)
			if err := s.send(kindEntry, f.id, more, body[:n]); err != nil {
				return err
			}
			body = body[n:]
		}
		return nil
	})
}

func (s *Server) flush(f frame) error {
	w, ok := s.sys.(Flusher)
	if !ok {
		return errors.New("this machine has no disk to write")
	}
	return s.aside(f.id, func() error {
		if err := w.Flush(); err != nil {
			return err
		}
		return s.done(f.id)
	})
}

// aside does what may take long beside the line. An error is the answer.
func (s *Server) aside(id uint32, do func() error) error {
	if err := s.admit(); err != nil {
		return err
	}
	s.mu.Lock()
	s.gets++
	s.mu.Unlock()
	s.wg.Go(func() {
		defer func() {
			s.mu.Lock()
			s.gets--
			s.mu.Unlock()
		}()
		if err := do(); err != nil {
			// If that cannot be sent either, Serve finds out by itself.
			_ = s.refuse(id, err)
		}
	})
	return nil
}
