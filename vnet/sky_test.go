package vnet_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet"
	"golang.org/x/sys/unix"
)

const ms = time.Millisecond

// sky is a switch whose time a test turns, and the guests' ends of its ports.
type sky struct {
	*vnet.Air
	t   testing.TB
	fds []int
}

func newSky(t testing.TB, kind vnet.Kind, ports int) *sky { return newSkyOf(t, kind, ports, 4<<20, 7) }

func newSkyOf(t testing.TB, kind vnet.Kind, ports, memory int, seed uint64) *sky {
	t.Helper()
	return skyOf(t, kind, memory, seed, make([]vnet.PortConfig, ports)...)
}

func skyOf(t testing.TB, kind vnet.Kind, memory int, seed uint64, ports ...vnet.PortConfig) *sky {
	t.Helper()
	m, fds := manualOf(t, kind, ports...)
	a, err := m.Air(memory, seed)
	if err != nil {
		t.Fatal(err)
	}
	return &sky{a, t, fds}
}

// send has a guest send a frame that carries a number, and the switch take it.
func (s *sky) send(port int, number int) {
	s.t.Helper()
	s.sendFrame(port, numbered(number))
}

func (s *sky) sendFrame(port int, f []byte) {
	s.t.Helper()
	if err := unix.Sendto(s.fds[port], f, 0, nil); err != nil {
		s.t.Fatal(err)
	}
	s.after(0)
}

// after lets time pass.
func (s *sky) after(d time.Duration) {
	s.t.Helper()
	if err := s.Advance(d); err != nil {
		s.t.Fatal(err)
	}
}

// numbered is a frame of 64 bytes to everybody with a number in it, three times.
func numbered(n int) []byte {
	f := frame(0xff, 1)
	for i := range 3 {
		binary.BigEndian.PutUint32(f[14+4*i:], uint32(n))
	}
	return f
}

// number reads it, whatever one bit was inverted.
func number(f []byte) int {
	a, b, c := binary.BigEndian.Uint32(f[14:]), binary.BigEndian.Uint32(f[18:]), binary.BigEndian.Uint32(f[22:])
	return int(a&b | b&c | a&c)
}

// got returns the numbers of the frames that have come to a guest.
func (s *sky) got(port int) (numbers []int) {
	for _, f := range s.frames(port) {
		numbers = append(numbers, number(f))
	}
	return numbers
}

func (s *sky) frames(port int) (all [][]byte) {
	b := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(s.fds[port], b, unix.MSG_DONTWAIT)
		if err != nil || n == 0 {
			return all
		}
		all = append(all, bytes.Clone(b[:n]))
	}
}

func (s *sky) want(port int, want ...int) {
	s.t.Helper()
	if got := s.got(port); !slices.Equal(got, want) {
		s.t.Errorf("port %d got %v; want %v", port, got, want)
	}
}

func upTo(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

// differing counts the bits in which two frames differ.
func differing(a, b []byte) (n int) {
	for i := range a {
		for x := a[i] ^ b[i]; x != 0; x &= x - 1 {
			n++
		}
	}
	return n
}

// missing are the numbers below n that are not in got.
func missing(got []int, n int) (all []int) {
	for i := range n {
		if !slices.Contains(got, i) {
			all = append(all, i)
		}
	}
	return all
}

func sendRecord(fd int, f []byte) error { return unix.Sendto(fd, f, 0, nil) }
