package guest

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A script is a list of system calls that a new process makes from its birth
// to its execve. All that it needs is laid out beforehand in one block of
// memory, so that the process runs no Go at all: it shares this process's
// memory, as after vfork, and a few instructions of assembly make one call
// after the other. The first call with an unexpected result ends it.
//
// That takes a third of the time of starting this program a second time to do
// the same, and lets this side write the user namespace's maps meanwhile, which
// vfork would not.
//
// Calls cannot use each other's results. They need not: once its descriptors
// are in order, a process that opens files gets numbers that are known
// beforehand, and a script insists on them.
type script struct {
	block  []byte // mapped, outside Go's heap
	used   int    // bytes of block taken by arguments
	ops    []scriptOp
	names  []string // of ops, for messages
	nextFD int      // what the next opening call returns
	err    error    // the first mistake in writing it
}

// scriptOp is one system call. script_amd64.s knows its layout.
type scriptOp struct {
	number uintptr
	args   [6]uintptr
	want   int64
	mode   int64
	result int64
}

// Modes of a scriptOp.
const (
	modeSucceed = 0 // any result but an error
	modeMayFail = 1 // any result
	modeExact   = 2 // want
)

// scriptBlock is the size of a script's memory: a jail with 32 interfaces has
// some 300 operations of 80 bytes and as many short strings.
const scriptBlock = 128 << 10

// cloneScript calls clone; its child runs ops and never returns. It returns the
// child's process number or a negative error number.
//
//go:noescape
func cloneScript(flags uintptr, ops, failed unsafe.Pointer) int64

func newScript() (*script, error) {
	block, err := unix.Mmap(-1, 0, scriptBlock, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("mapping memory: %w", err)
	}
	return &script{block: block}, nil
}

// free gives the memory back. The process must have executed or ended.
func (s *script) free() {
	if s.block != nil {
		_ = unix.Munmap(s.block)
		s.block = nil
	}
}

// data copies b, aligned, and returns where it lies.
func (s *script) data(b []byte) uintptr {
	at := (s.used + 15) &^ 15
	if at+len(b)+1 > len(s.block)/2 {
		s.fail(fmt.Errorf("the jail's description has more than %d bytes: its paths are too long", len(s.block)/2))
		return 0
	}
	copy(s.block[at:], b)
	s.used = at + len(b) + 1 // and a zero byte
	return s.addr(at)
}

func (s *script) addr(at int) uintptr { return uintptr(unsafe.Pointer(&s.block[at])) }

func (s *script) str(v string) uintptr { return s.data([]byte(v)) }

// strs is a null-terminated array of strings.
func (s *script) strs(list []string) uintptr {
	b := make([]byte, 0, 8*len(list)+8)
	for _, v := range list {
		b = binary.NativeEndian.AppendUint64(b, uint64(s.str(v)))
	}
	return s.data(append(b, make([]byte, 8)...))
}

// words is an array of u64, the shape of most of the kernel's structs.
func (s *script) words(list ...uint64) uintptr {
	var b []byte
	for _, v := range list {
		b = binary.NativeEndian.AppendUint64(b, v)
	}
	return s.data(b)
}

// call adds a system call that must succeed.
func (s *script) call(name string, number uintptr, args ...uintptr) {
	s.add(name, modeSucceed, 0, number, args)
}

// try adds a system call that may fail.
func (s *script) try(name string, number uintptr, args ...uintptr) {
	s.add(name, modeMayFail, 0, number, args)
}

// exactly adds a system call that must return want.
func (s *script) exactly(want int, name string, number uintptr, args ...uintptr) {
	s.add(name, modeExact, int64(want), number, args)
}

// open adds a system call that opens a descriptor and returns its number to be.
func (s *script) open(name string, number uintptr, args ...uintptr) int {
	fd := s.nextFD
	s.nextFD++
	s.exactly(fd, name, number, args...)
	return fd
}

func (s *script) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

func (s *script) add(name string, mode, want int64, number uintptr, args []uintptr) {
	op := scriptOp{number: number, mode: mode, want: want}
	copy(op.args[:], args)
	s.ops = append(s.ops, op)
	s.names = append(s.names, name)
}

// sigsetSize is the size of the kernel's sigset_t.
const sigsetSize = 8

// defaultSignals adds the return of all signals to their defaults, the ignored
// ones too.
func (s *script) defaultSignals() {
	action := s.words(0, 0, 0, 0)
	for sig := 1; sig <= 64; sig++ {
		if sig != int(unix.SIGKILL) && sig != int(unix.SIGSTOP) {
			s.call("resetting signals", unix.SYS_RT_SIGACTION, uintptr(sig), action, 0, sigsetSize)
		}
	}
}

// unblockSignals adds that: execve keeps the mask.
func (s *script) unblockSignals() {
	s.call("unblocking signals", unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, s.words(0), 0, sigsetSize)
}

// start makes the process and returns its number. The calling goroutine must be
// locked to its thread. It must be followed by free once the process has
// executed or ended.
func (s *script) start(flags uintptr) (int, error) {
	const (
		head = 16 // where the address of a failed op comes
		size = int(unsafe.Sizeof(scriptOp{}))
	)
	at := len(s.block) / 2
	if at+head+len(s.ops)*size > len(s.block) {
		return 0, fmt.Errorf("the jail's description has %d steps, too many", len(s.ops))
	}
	ops := unsafe.Slice((*scriptOp)(unsafe.Pointer(&s.block[at+head])), len(s.ops))
	copy(ops, s.ops)
	// A signal must not find Go's handlers in the child, where no Go runs: it
	// is born with all of them blocked, and its script begins with defaults.
	// The old clone has all that is needed, and containers that deny the new
	// one are common.
	all, old := ^uint64(0), uint64(0)
	setMask := func(to, from *uint64) {
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK,
			uintptr(unsafe.Pointer(to)), uintptr(unsafe.Pointer(from)), sigsetSize, 0, 0)
	}
	setMask(&all, &old)
	pid := cloneScript(flags|unix.CLONE_VM|uintptr(unix.SIGCHLD), unsafe.Pointer(&ops[0]), unsafe.Pointer(&s.block[at]))
	setMask(&old, nil)
	if pid < 0 {
		return 0, syscall.Errno(-pid)
	}
	return int(pid), nil
}

// failure is the call that ended the process, nil if none did. It is settled
// once the process has executed or ended.
func (s *script) failure() error {
	at := len(s.block) / 2
	failed := atomic.LoadUint64((*uint64)(unsafe.Pointer(&s.block[at])))
	if failed == 0 {
		return nil
	}
	i := int(failed-uint64(s.addr(at+16))) / int(unsafe.Sizeof(scriptOp{}))
	if i < 0 || i >= len(s.ops) {
		return fmt.Errorf("in the jail: no step %d", i)
	}
	op := unsafe.Slice((*scriptOp)(unsafe.Pointer(&s.block[at+16])), len(s.ops))[i]
	if op.result < 0 {
		return fmt.Errorf("in the jail: %s: %w", s.names[i], syscall.Errno(-op.result))
	}
	return fmt.Errorf("in the jail: %s: got %d, expected %d", s.names[i], op.result, op.want)
}
