package rack

import "bytes"

// ringSize is how much of a console's history is kept: about 3000 full lines.
const ringSize = 256 << 10

// ring keeps the last bytes that a console wrote and numbers every byte since
// it was made or cleared. Its memory grows with what was written, up to its
// limit, since most consoles of a lab never see more than a prompt. The zero
// value is ready for use and keeps ringSize bytes. Not safe for concurrent use.
type ring struct {
	buf   []byte
	limit int   // 0 means ringSize; a power of two
	head  int64 // bytes ever written
}

func (r *ring) max() int {
	if r.limit > 0 {
		return r.limit
	}
	return ringSize
}

// tail is the offset of the oldest byte that is still kept.
func (r *ring) tail() int64 {
	return max(0, r.head-int64(len(r.buf)))
}

// write appends p.
func (r *ring) write(p []byte) {
	if len(p) > r.max() { // only the end of it will stay
		cut := len(p) - r.max()
		r.head += int64(cut)
		p = p[cut:]
		if len(r.buf) < r.max() {
			r.buf = make([]byte, r.max())
		}
	}
	r.grow(len(p))
	for len(p) > 0 {
		n := copy(r.buf[r.head%int64(len(r.buf)):], p)
		r.head += int64(n)
		p = p[n:]
	}
}

// grow makes room for n bytes more, as far as the limit allows. Below the
// limit the ring has never wrapped, so what it holds starts at buf[0].
func (r *ring) grow(n int) {
	size := max(len(r.buf), 4<<10)
	size = min(size, r.max())
	for size < r.max() && r.head+int64(n) > int64(size) {
		size *= 2
	}
	if size > len(r.buf) {
		buf := make([]byte, size)
		copy(buf, r.buf)
		r.buf = buf
	}
}

// read copies bytes from offset on into p and returns how many. The offset
// must lie between tail and head.
func (r *ring) read(offset int64, p []byte) int {
	if left := r.head - offset; int64(len(p)) > left {
		p = p[:left]
	}
	n := 0
	for n < len(p) {
		n += copy(p[n:], r.buf[(offset+int64(n))%int64(len(r.buf)):])
	}
	return n
}

// lineAfter moves an offset forward to the next start of a line, so that a
// screen does not begin within an escape sequence or a character. It looks no
// further than 4 KiB: a line longer than that is cut where it is.
func (r *ring) lineAfter(offset int64) int64 {
	if offset == 0 {
		return 0
	}
	var look [4 << 10]byte
	n := r.read(offset, look[:])
	if i := bytes.IndexByte(look[:n], '\n'); i >= 0 {
		return offset + int64(i) + 1
	}
	return offset
}

// last returns the last n bytes kept, or fewer.
func (r *ring) last(n int) []byte {
	from := max(r.tail(), r.head-int64(n))
	p := make([]byte, r.head-from)
	r.read(from, p)
	return p
}

// clear forgets everything; offsets start at 0 again.
func (r *ring) clear() { *r = ring{limit: r.limit} }
