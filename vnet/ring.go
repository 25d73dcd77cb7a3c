package vnet

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/vnet/offload"
)

const (
	ringFrames = 4 * batch // frames that may wait for one flush

	// bufSize holds the longest frame of an offload port: IP's 64 KiB, an
	// Ethernet header and two tags, with an offload header. An odd number of cache
	// lines spreads buffers over the cache's sets.
	bufSize = 1025 * 64
)

// rxRing is where records arrive, and stay until they are sent. 16 MiB of
// addresses outside of Go's heap, of which a quiet switch touches the first few
// pages and a busy one without offloads 1 MiB.
type rxRing struct {
	buf  []byte
	iovs []unix.Iovec
	msgs []mmsghdr
	used int // buffers that hold frames not yet flushed
}

func newRxRing() (rxRing, error) {
	buf, err := unix.Mmap(-1, 0, ringFrames*bufSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return rxRing{}, fmt.Errorf("making the receive ring: %w", err)
	}
	r := rxRing{buf: buf, iovs: make([]unix.Iovec, ringFrames), msgs: make([]mmsghdr, ringFrames)}
	for i := range r.msgs {
		r.iovs[i].Base = &r.buf[i*bufSize]
		r.iovs[i].SetLen(bufSize)
		r.msgs[i].hdr.Iov = &r.iovs[i]
		r.msgs[i].hdr.SetIovlen(1)
	}
	return r, nil
}

func (r *rxRing) release() {
	unix.Munmap(r.buf)
	*r = rxRing{}
}

// full says that there is no room for another batch.
func (r *rxRing) full() bool { return r.used+batch > ringFrames }

// read takes up to max records, at most a batch, from fd. They stay until used
// is reset.
func (r *rxRing) read(fd, max int) (first, n int, err unix.Errno) {
	first = r.used
	n, err = recvmmsg(fd, r.msgs[first:first+max])
	r.used += n
	return first, n, err
}

// record is the i-th record of the ring, and whether it was longer than shown.
func (r *rxRing) record(i int) (b []byte, truncated bool) {
	m := &r.msgs[i]
	off := i * bufSize
	return r.buf[off : off+int(m.len) : off+bufSize], m.hdr.Flags&unix.MSG_TRUNC != 0
}

// A piece is one record for a guest's socket, in two parts: head, and tail,
// which may be empty. Both stay until the next flush.
type piece struct{ head, tail []byte }

func (w piece) len() int { return len(w.head) + len(w.tail) }

// arena is where what must be written for a frame to leave is kept until the
// next flush: headers and pieces. Payloads stay where they are.
type arena struct {
	buf    []byte
	pieces []piece
	used   int    // bytes
	cut    int    // pieces
	gen    uint32 // counts the flushes, so that a frame knows what is left of its forms
}

const (
	spare      = offload.Size + 4 // room before a head for a header and a tag
	arenaBytes = offload.MaxSegments * (offload.MaxHead + spare)
)

func newArena() arena {
	return arena{buf: make([]byte, arenaBytes), pieces: make([]piece, offload.MaxSegments), gen: 1}
}

// room says whether so much more fits.
func (a *arena) room(bytes, pieces int) bool {
	return a.used+bytes <= len(a.buf) && a.cut+pieces <= len(a.pieces)
}

func (a *arena) alloc(n int) []byte {
	a.used += n
	return a.buf[a.used-n : a.used : a.used]
}

func (a *arena) push(w piece) {
	a.pieces[a.cut] = w
	a.cut++
}

func (a *arena) reset() { a.used, a.cut, a.gen = 0, 0, a.gen+1 }
