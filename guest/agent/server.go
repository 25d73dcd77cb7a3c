package agent

import (
	"encoding/binary"
	"errors"
	"io"
	"strconv"
	"sync"
	"syscall"
)

// System is the machine that a Server acts on: guestd's, or a test's.
type System interface {
	// Configure turns the guest into the machine. It is called at most once,
	// and nothing else is before it has returned.
	Configure(Machine) (Ready, error)
	// Spawn starts a program. It must not wait for it.
	Spawn(path string, argv []string, attr *syscall.ProcAttr) (Process, error)
	// Mend is called before SpawnPristine, so that what a student did to guestd
	// itself does not keep it from working. It says what it found.
	Mend() (doubt string)
	// SpawnPristine is Spawn for an Exec that is Pristine. files are its
	// standard input, output and error.
	SpawnPristine(e Exec, files []uintptr) (Process, error)
	// Environ is what programs get besides what the host gives them.
	Environ() []string
	OpenConsole(n int) error
	Resize(n int, cols, rows uint16) error
	// Shutdown begins the end and returns.
	Shutdown(reboot bool)
}

// Process is a program that System.Spawn has started.
type Process struct {
	PID  int
	Exit <-chan syscall.WaitStatus // yields once
	// Doubt says, after Exit, what spoke against the program's answer; nil for
	// a program that is not Pristine.
	Doubt func() string
}

// maxRequests is how many programs and transfers run at once. What comes
// beyond is refused rather than queued, since each costs memory of the guest.
const maxRequests = 32

var (
	errNotReady = errors.New("the machine is not set up yet")
	errBusy     = errors.New("too many requests at once")
	errUnknown  = errors.New("guestd does not know this request")
)

// Server is the guest's end of the line. Serve runs it; Event and Fail may be
// called from any goroutine.
type Server struct {
	sys   System
	in    frameReader
	tally tally // what in reads from

	wmu sync.Mutex
	out io.Writer
	buf []byte // under wmu

	// Touched by Serve's goroutine alone.
	machine []byte // as far as it has come
	ready   bool
	puts    map[uint32]*upload
	execs   map[uint32]*intake

	mu      sync.Mutex
	running map[uint32]*execution
	links   map[uint32]*link
	gets    int // and looks and flushes
	wg      sync.WaitGroup
}

// NewServer makes the guest's end of a line. It starts nothing.
func NewServer(rw io.ReadWriter, sys System) *Server {
	s := &Server{sys: sys, out: rw}
	s.tally = tally{r: rw, say: func(total uint64) error {
		return s.send(kindCredit, 0, false, binary.BigEndian.AppendUint64(nil, total))
	}}
	s.in.src = &s.tally
	return s
}

// Hello says that guestd is there. It is to be called before Serve.
func (s *Server) Hello(kernel string) error {
	return s.send(kindHello, 0, false, Hello{Version: Version, Kernel: kernel}.append(nil))
}

// Event tells the host something unasked.
func (s *Server) Event(e Event) error {
	e.Text = cut(e.Text)
	return s.send(kindEvent, 0, false, e.append(nil))
}

// Fail tells the host, unasked, why this guest will never be ready.
func (s *Server) Fail(reason string) error {
	return s.send(kindFailed, 0, false, []byte(cut(reason)))
}

// Serve answers the host until the line ends. It returns when all that it
// started has ended as well.
func (s *Server) Serve() error {
	defer s.wg.Wait()
	defer s.killAll()
	for {
		f, err := s.in.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.handle(f); err != nil {
			if err := s.refuse(f.id, err); err != nil {
				return err
			}
		}
	}
}

// send writes one frame. It blocks while the host does not read.
func (s *Server) send(k kind, id uint32, more bool, body []byte) error {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	s.buf = appendFrame(s.buf[:0], frame{kind: k, more: more, id: id, body: body})
	_, err := s.out.Write(s.buf)
	return err
}

// cut shortens a text to what the host reads of it. A name that the host or a
// lab chose may be in it, and no frame holds more than MaxBody.
func cut(text string) string { return text[:min(len(text), maxText)] }

func (s *Server) refuse(id uint32, err error) error {
	return s.send(kindError, id, false, []byte(cut(err.Error())))
}

func (s *Server) done(id uint32) error { return s.send(kindDone, id, false, nil) }

// handle does what one frame asks. Its error is the host's answer.
func (s *Server) handle(f frame) error {
	switch f.kind {
	case kindPing:
		return s.done(f.id)
	case kindSync:
		return s.tally.sync(f.body, s.in.w-s.in.r)
	case kindMachine:
		return s.configure(f)
	case kindData:
		return s.data(f)
	case kindBytes:
		return s.linkBytes(f)
	case kindTaken:
		return s.linkTaken(f)
	case kindKill:
		s.kill(f.id)
		return nil
	}
	if !s.ready {
		return errNotReady
	}
	switch f.kind {
	case kindExec:
		return s.exec(f)
	case kindPut:
		return s.put(f)
	case kindGet:
		return s.get(f)
	case kindConnect:
		return s.connect(f)
	case kindLook:
		return s.look(f)
	case kindFlush:
		return s.flush(f)
	case kindConsole:
		if len(f.body) != 1 {
			return errMalformed
		}
		if err := s.sys.OpenConsole(int(f.body[0])); err != nil {
			return err
		}
		return s.done(f.id)
	case kindResize:
		w, err := decodeWindow(f.body)
		if err != nil {
			return err
		}
		if err := s.sys.Resize(int(w.console), w.cols, w.rows); err != nil {
			return err
		}
		return s.done(f.id)
	case kindShutdown:
		d := decoder{b: f.body}
		reboot := d.bool()
		if err := d.end(); err != nil {
			return err
		}
		if err := s.done(f.id); err != nil {
			return err
		}
		s.sys.Shutdown(reboot)
		return nil
	}
	return errUnknown
}

func (s *Server) configure(f frame) error {
	if s.ready {
		return errors.New("the machine is set up already")
	}
	if len(s.machine)+len(f.body) > MaxMachine {
		s.machine = nil
		return errors.New("the machine's description is too long")
	}
	body := f.body
	if f.more || len(s.machine) > 0 {
		s.machine = append(s.machine, f.body...)
		body = s.machine
	}
	if f.more {
		return nil
	}
	s.machine = nil
	m, err := decodeMachine(body)
	if err != nil {
		return err
	}
	ready, err := s.sys.Configure(m)
	if err != nil {
		return s.send(kindFailed, f.id, false, []byte(cut(err.Error())))
	}
	s.ready = true
	ready.Warnings = few(ready.Warnings)
	return s.send(kindReady, f.id, false, ready.append(nil))
}

// few bounds warnings to what fits into a frame: on a full disk, each of a lab's
// files has one.
func few(warnings []string) []string {
	const most = MaxBody/(4+maxText) - 2
	list := make([]string, 0, min(len(warnings), most+1))
	for i, w := range warnings {
		if i == most {
			return append(list, "and "+strconv.Itoa(len(warnings)-most)+" more like these")
		}
		list = append(list, cut(w))
	}
	return list
}

// data goes to the put or exec that it belongs to. One that was refused leaves
// data frames behind it on the line; they are dropped.
func (s *Server) data(f frame) error {
	if p := s.puts[f.id]; p != nil {
		return s.putData(f, p)
	}
	if e := s.execs[f.id]; e != nil {
		return s.execData(f, e)
	}
	return nil
}

// admit counts a request in, or refuses it.
func (s *Server) admit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.running)+s.gets+len(s.puts)+len(s.execs) >= maxRequests {
		return errBusy
	}
	return nil
}
