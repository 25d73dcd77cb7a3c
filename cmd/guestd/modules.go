package main

import (
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// insertModules loads the modules that dir/order lists, one file name a line,
// for kernels that need them to mount the root. Without that file there are
// none. They are removed afterwards, to give their memory back.
func insertModules(dir string) error {
	order, err := os.ReadFile(dir + "/order")
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(string(order)) {
		path := dir + "/" + name
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
