package agent

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// upload is a Put under way: a file beside its target until the last byte is
// there, so that nobody sees half of it.
type upload struct {
	file *os.File
	path string
	mode uint32
	size int64
}

func (u *upload) abandon() {
	u.file.Close()
	os.Remove(u.file.Name())
}

func (s *Server) put(f frame) error {
	req, err := decodePut(f.body)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(req.path, "/") || strings.HasSuffix(req.path, "/") {
		return errors.New(strconv.Quote(req.path) + " is not the absolute path of a file")
	}
	if s.puts[f.id] != nil || s.execs[f.id] != nil {
		return errMalformed
	}
	if err := s.admit(); err != nil {
		return err
	}
	at := strings.LastIndexByte(req.path, '/')
	dir := req.path[:at+1]
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	temp := dir + ".put-" + strconv.FormatUint(uint64(f.id), 10) + "~"
	// One left behind by a power cut is in the way of O_EXCL, which is there
	// so that a link of that name is not followed.
	os.Remove(temp)
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if s.puts == nil {
		s.puts = make(map[uint32]*upload)
	}
	s.puts[f.id] = &upload{file: file, path: req.path, mode: req.mode}
	return nil
}

func (s *Server) putData(f frame, u *upload) error {
	err := func() error {
		if u.size += int64(len(f.body)); u.size > MaxFile {
			return errors.New("the file is too long")
		}
		if _, err := u.file.Write(f.body); err != nil || f.more {
			return err
		}
		if err := syscall.Fchmod(int(u.file.Fd()), u.mode&0o7777); err != nil {
			return err
		}
		if err := u.file.Close(); err != nil {
			return err
		}
		return os.Rename(u.file.Name(), u.path)
	}()
	if err != nil || !f.more {
		delete(s.puts, f.id)
	}
	if err != nil {
		u.abandon()
		return err
	}
	if f.more {
		return nil
	}
	return s.done(f.id)
}

func (s *Server) get(f frame) error {
	req, err := decodeGet(f.body)
	if err != nil {
		return err
	}
	if err := s.admit(); err != nil {
		return err
	}
	// Without O_NONBLOCK a FIFO would hold this goroutine, and all requests.
	file, err := os.OpenFile(req.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New(req.path + " is not a regular file")
	}
	if err == nil && info.Size() > int64(req.limit) {
		err = tooLong(req)
	}
	if err != nil {
		file.Close()
		return err
	}
	id := f.id
	s.mu.Lock()
	s.gets++
	s.mu.Unlock()
	s.wg.Go(func() {
		defer func() {
			file.Close()
			s.mu.Lock()
			s.gets--
			s.mu.Unlock()
		}()
		if err := s.sendFile(id, file, uint32(info.Mode().Perm()), req); err != nil {
			// If that cannot be sent either, Serve finds out by itself.
			_ = s.refuse(id, err)
		}
	})
	return nil
}

func (s *Server) sendFile(id uint32, file *os.File, mode uint32, req getRequest) error {
	if err := s.send(kindInfo, id, true, binary.BigEndian.AppendUint32(nil, mode)); err != nil {
		return err
	}
	buf := make([]byte, chunk)
	// A file of /proc claims no length, and any may grow: count.
	for left := int64(req.limit); ; {
		n, err := file.Read(buf)
		if left -= int64(n); left < 0 {
			return tooLong(req)
		}
		if n > 0 {
			if err := s.send(kindData, id, true, buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return s.done(id)
		}
		if err != nil {
			return err
		}
	}
}

func tooLong(req getRequest) error {
	return errors.New(req.path + " is longer than " + strconv.FormatUint(uint64(req.limit), 10) + " bytes")
}
