//go:build !race

package record

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Resident is how many bytes of the memory have been touched.
func (r *Ring) Resident() (n int) {
	b := r.memory.buf
	pages := make([]byte, (len(b)+4095)/4096)
	unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(unsafe.Pointer(&pages[0])))
	for _, p := range pages {
		n += int(p&1) * 4096
	}
	return n
}
