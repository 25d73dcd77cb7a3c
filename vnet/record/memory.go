//go:build !race

package record

import "golang.org/x/sys/unix"

// memory is outside of Go's heap: 16 MiB in it would let a rack's garbage grow
// by as much before it is collected, and pages that were never used must not be
// zeroed.
type memory struct{ buf []byte }

func (m *memory) get(size int) (_ []byte, err error) {
	m.buf, err = unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	return m.buf, err
}

func (m *memory) release() error {
	buf := m.buf
	m.buf = nil
	return unix.Munmap(buf)
}
