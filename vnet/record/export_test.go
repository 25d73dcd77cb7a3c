package record

import "net/netip"

// Spares is how many chunks may be held beyond the ring's size.
const Spares = spares

// Chunks is how many chunks a ring has that is full.
func (r *Ring) Chunks() int { return r.w.live }

// ChunkSize in bytes.
func (r *Ring) ChunkSize() int { return 1 << r.shift }

// Newest is the serial of the chunk being written.
func (r *Ring) Newest() uint64 { return r.newest.Load() }

// Hold pins a chunk as a reader does, and returns how to let go; nil when the
// chunk is gone.
func (r *Ring) Hold(serial uint64) func() {
	c := r.pin(serial)
	if c == nil {
		return nil
	}
	return c.unpin
}

// Clean makes a string fit for a capture file.
func Clean(s string) string { return clean(s) }

// Held is how many chunks readers hold now.
func (r *Ring) Held() (n int) {
	for i := range r.chunks {
		if r.chunks[i].pins.Load() > 0 {
			n++
		}
	}
	return n
}

// Claims returns the Ethernet address that a frame says addr belongs to.
func Claims(frame []byte, addr netip.Addr) (MAC, bool) { return claims(frame, addr) }

// Sees looks for a text in frames.
func Sees(text []byte) (sees func(frame []byte) bool, flows func() int) {
	s := seeker{text: text, flows: map[flow]*tail{}}
	return s.sees, func() int { return len(s.flows) }
}

// Put is put.
var Put = put
