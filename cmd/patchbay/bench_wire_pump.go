package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	pumpBatch = 64 // frames a system call, as the switch takes them
	pumpFrame = 64 // bytes, the least that Ethernet has
)

// pump drives frames of 64 bytes into some sockets and takes out what comes at
// some others: one thread for all of the first, one for all of the second.
type pump struct {
	sources []pumpSource
	sinks   []int // descriptors

	sent, got atomic.Uint64 // frames

	// agrees says whether the switch's counters tell the same; nil where there
	// is nothing to ask. It is asked again while it has not caught up.
	agrees func(sent, got uint64) error
}

// pumpSource is a socket and the frame that is sent into it over and over.
type pumpSource struct {
	fd    int
	frame []byte
}

// testFrame makes a frame of 64 bytes. Ports number from 0; to is -1 for all.
func testFrame(from, to int) []byte {
	f := make([]byte, pumpFrame)
	copy(f, testMAC(to))
	copy(f[6:], testMAC(from))
	binary.BigEndian.PutUint16(f[12:], 0x88b5) // for local experiments
	return f
}

func testMAC(port int) []byte {
	if port < 0 {
		return []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	return []byte{2, 0, 0, 0, byte(port >> 8), byte(port)}
}

// pumpQuiet is how long nothing may come before all that was sent has arrived
// or is lost. A busy machine holds threads up for longer than a switch would.
const pumpQuiet = 200 * time.Millisecond

// pumpPatience is how long a switch may do nothing before it must have accounted
// for all that was sent.
const pumpPatience = 2 * time.Second

// run pumps for d and returns how many frames came out in a second. It fails
// when none did. Afterwards sent and got are the counts of the whole run, with
// what came late.
func (p *pump) run(ctx context.Context, d time.Duration) (perSecond float64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var quit atomic.Bool // the sink has to go on after the source's end
	var wg sync.WaitGroup
	errs := make([]error, 2)
	source := make(chan struct{})
	wg.Go(func() {
		defer close(source)
		errs[0] = p.source(ctx)
	})
	wg.Go(func() { errs[1] = p.sink(&quit) })

	pause(ctx, d/10) // until all are awake
	first, began := p.got.Load(), time.Now()
	pause(ctx, d)
	last, took := p.got.Load(), time.Since(began)
	err = ctx.Err()
	cancel()
	<-source
	accountErr := p.account()
	quit.Store(true)
	wg.Wait()
	if err := errors.Join(err, errs[0], errs[1]); err != nil {
		return 0, err
	}
	if last == first {
		return 0, fmt.Errorf("of %d frames none came out", p.sent.Load())
	}
	if accountErr != nil {
		return 0, accountErr
	}
	return float64(last-first) / took.Seconds(), nil
}

// account waits until nothing more comes and the switch agrees on what did.
func (p *pump) account() (err error) {
	said, since := "", time.Now()
	for time.Since(since) < pumpPatience {
		n := p.got.Load()
		time.Sleep(pumpQuiet)
		switch now := p.got.Load(); {
		case now != n:
			since = time.Now()
			continue
		case p.agrees == nil:
			return nil
		}
		if err = p.agrees(p.sent.Load(), n); err == nil {
			return nil
		}
		if err.Error() != said {
			said, since = err.Error(), time.Now()
		}
	}
	return err
}

// source sends until ctx ends.
func (p *pump) source(ctx context.Context) error {
	if err := pin(0); err != nil {
		return err
	}
	vectors := make([]mmsgVector, len(p.sources))
	poll := make([]unix.PollFd, len(p.sources))
	for i, s := range p.sources {
		vectors[i] = newVector(pumpBatch, func(int) []byte { return s.frame })
		poll[i] = unix.PollFd{Fd: int32(s.fd), Events: unix.POLLOUT}
	}
	for ctx.Err() == nil {
		took := 0
		for i := range vectors {
			n, err := vectors[i].call(unix.SYS_SENDMMSG, p.sources[i].fd, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
			if err != 0 && err != unix.EAGAIN && err != unix.ENOBUFS {
				return fmt.Errorf("sending frames: %w", err)
			}
			took += n
		}
		p.sent.Add(uint64(took))
		if took == 0 {
			_, _ = unix.Poll(poll, 10)
		}
	}
	return nil
}

// sink takes what comes until quit is set.
func (p *pump) sink(quit *atomic.Bool) error {
	if err := pin(1); err != nil {
		return err
	}
	v := newVector(pumpBatch, func(int) []byte { return make([]byte, 2048) })
	poll := make([]unix.PollFd, len(p.sinks))
	for i, fd := range p.sinks {
		poll[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	}
	for !quit.Load() {
		if n, _ := unix.Poll(poll, 10); n <= 0 {
			continue
		}
		for i := range poll {
			if poll[i].Revents == 0 {
				continue
			}
			n, err := v.call(unix.SYS_RECVMMSG, p.sinks[i], unix.MSG_DONTWAIT)
			if err != 0 && err != unix.EAGAIN {
				return fmt.Errorf("taking frames: %w", err)
			}
			frames := v.sized(n, pumpFrame)
			if n > 0 && frames == 0 && v.msgs[0].len == 0 {
				return errors.New("taking frames: the switch closed the line")
			}
			p.got.Add(uint64(frames))
		}
	}
	return nil
}

// pin keeps the calling goroutine on a thread of its own, which ends with it,
// and the thread on a CPU as a rack does with guests.
func pin(n int) error {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(n % runtime.NumCPU())
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("moving to CPU %d: %w", n, err)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// mmsgVector is what sendmmsg and recvmmsg work on.
type mmsgVector struct {
	bufs [][]byte
	iovs []unix.Iovec
	msgs []mmsghdr
}

// mmsghdr is the kernel's struct of that name.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

func newVector(n int, buf func(i int) []byte) mmsgVector {
	v := mmsgVector{bufs: make([][]byte, n), iovs: make([]unix.Iovec, n), msgs: make([]mmsghdr, n)}
	for i := range v.msgs {
		v.bufs[i] = buf(i)
		v.iovs[i].Base = &v.bufs[i][0]
		v.iovs[i].SetLen(len(v.bufs[i]))
		v.msgs[i].hdr.Iov = &v.iovs[i]
		v.msgs[i].hdr.SetIovlen(1)
	}
	return v
}

// call makes one of the two system calls and returns how many records it moved.
func (v *mmsgVector) call(number uintptr, fd, flags int) (int, unix.Errno) {
	for {
		n, _, err := unix.Syscall6(number, uintptr(fd), uintptr(unsafe.Pointer(&v.msgs[0])), uintptr(len(v.msgs)), uintptr(flags), 0, 0)
		switch err {
		case 0:
			return int(n), 0
		case unix.EINTR:
		default:
			return 0, err
		}
	}
}

// sized counts the records among the first n that have the length.
func (v *mmsgVector) sized(n, length int) (count int) {
	for _, m := range v.msgs[:n] {
		if int(m.len) == length {
			count++
		}
	}
	return count
}
