package agent

import (
	"errors"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// dialWithin bounds a connection within the guest itself, where only a packet
// filter that drops, or a program that does not accept, takes time.
const dialWithin = 5 * time.Second

// dialSelf connects to a port of this machine: at 127.0.0.1, and where nothing
// listens there, at ::1. It does without package net, which would cost guestd a
// third of its size and a part of its start. It ends early when gone is closed.
func dialSelf(port uint16, gone <-chan struct{}) (*os.File, error) {
	four := &syscall.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}}
	file, err := dialTCP(syscall.AF_INET, four, gone)
	if err == syscall.ECONNREFUSED || err == syscall.ENETUNREACH || err == syscall.EADDRNOTAVAIL {
		six := &syscall.SockaddrInet6{Port: int(port), Addr: [16]byte{15: 1}}
		if file6, err6 := dialTCP(syscall.AF_INET6, six, gone); err6 == nil {
			return file6, nil
		}
	}
	switch {
	case err == nil:
		return file, nil
	case err == syscall.ECONNREFUSED:
		return nil, errors.New("nothing listens on port " + strconv.Itoa(int(port)))
	case err == syscall.ENETUNREACH || err == syscall.EADDRNOTAVAIL:
		return nil, errors.New("the machine's loopback interface is down, so that port " + strconv.Itoa(int(port)) + " cannot be reached")
	case errors.Is(err, os.ErrDeadlineExceeded) || err == syscall.ETIMEDOUT:
		return nil, errors.New("port " + strconv.Itoa(int(port)) + " does not answer")
	}
	return nil, wrap("connecting to port "+strconv.Itoa(int(port)), err)
}

func dialTCP(family int, to syscall.Sockaddr, gone <-chan struct{}) (_ *os.File, err error) {
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	// A descriptor that does not block goes through the runtime's poller.
	file := os.NewFile(uintptr(fd), "connection")
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	switch err := syscall.Connect(fd, to); err {
	case nil:
		return file, nil
	case syscall.EINPROGRESS, syscall.EINTR:
	default:
		return nil, err
	}
	if err := file.SetWriteDeadline(time.Now().Add(dialWithin)); err != nil {
		return nil, err
	}
	over := make(chan struct{})
	var wg sync.WaitGroup
	defer func() { close(over); wg.Wait() }()
	wg.Go(func() {
		select {
		case <-gone:
			_ = file.SetWriteDeadline(time.Unix(1, 0))
		case <-over:
		}
	})
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		code, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR)
		if err == nil && code != 0 {
			err = syscall.Errno(code)
		}
		if err == nil {
			if _, notYet := syscall.Getpeername(int(fd)); notYet != nil {
				return false
			}
		}
		failed = err
		return true
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, err
	}
	return file, file.SetWriteDeadline(time.Time{})
}
