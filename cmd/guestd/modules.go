package main

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// insertModules loads the modules in dir in the order of their names, for
// kernels that need some to mount the root. They are removed afterwards, to
// give their memory back. Without that folder there are none.
func insertModules(dir string) error {
	fd, err := syscall.Open(dir, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err == syscall.ENOENT {
		return nil // the usual case, for one system call
	}
	if err != nil {
		return wrap("opening "+dir, err)
	}
	syscall.Close(fd)
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := dir + "/" + e.Name()
		fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			return wrap("opening "+path, err)
		}
		err = unix.FinitModule(fd, "", 0)
		syscall.Close(fd)
		if err != nil && err != syscall.EEXIST {
			return wrap("inserting "+path, err)
		}
		_ = syscall.Unlink(path)
	}
	return nil
}
