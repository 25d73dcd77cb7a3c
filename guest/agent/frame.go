package agent

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// A frame, all integers big-endian:
//
//	 0  magic    2 bytes
//	 2  kind     u8
//	 3  flags    u8   bit 0: more frames of this message follow
//	 4  id       u32  the request this belongs to; 0 for none
//	 8  length   u32  of the body
//	12  sum      u32  CRC-32 of the body
//	16  check    u32  CRC-32 of the 16 bytes before
//	20  body
//
// The line itself loses nothing, but root in the guest may write to it or read
// from it (echo hello >/dev/ttyS0). The sums let both ends step over such bytes
// and find the next frame instead of giving the guest up. A frame whose body is
// damaged is stepped over as a whole: to look for others within it would let a
// guest buy a sum over 64 KiB, 10 µs of the host's, with every 20 bytes.
const (
	headerSize = 20
	magic0     = 0xB7
	magic1     = 0x50
	flagMore   = 1
)

// MaxBody is how many bytes one frame carries at most. A reader buffers no more
// than that and a header.
const MaxBody = 64 << 10

// chunk is the body that senders of bulk data use: small enough that a ping
// behind it waits about a millisecond on a line of 10 MB/s.
const chunk = 16 << 10

type frame struct {
	kind kind
	more bool
	id   uint32
	body []byte // the reader's; valid until its next call
}

// appendFrame appends f to dst. A body longer than MaxBody is a mistake of the
// caller, who must cut it into several frames.
func appendFrame(dst []byte, f frame) []byte {
	if len(f.body) > MaxBody {
		panic("agent: frame body too long")
	}
	at := len(dst)
	var flags byte
	if f.more {
		flags = flagMore
	}
	dst = append(dst, magic0, magic1, byte(f.kind), flags)
	dst = binary.BigEndian.AppendUint32(dst, f.id)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(f.body)))
	dst = binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(f.body))
	dst = binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[at:at+16]))
	return append(dst, f.body...)
}

// frameReader finds frames in a stream of bytes. It is for one goroutine.
type frameReader struct {
	src     io.Reader
	buf     []byte // grows to what the longest frame so far needed
	r, w    int    // unread bytes are buf[r:w]
	skipped int64  // bytes that belonged to no frame
}

// next returns the next frame. At the end of the stream it returns io.EOF,
// whatever was left over: a line is simply cut when its guest ends.
func (fr *frameReader) next() (frame, error) {
	for {
		if err := fr.fill(headerSize); err != nil {
			return frame{}, err
		}
		h := fr.buf[fr.r : fr.r+headerSize]
		length := binary.BigEndian.Uint32(h[8:])
		if h[0] != magic0 || h[1] != magic1 || length > MaxBody ||
			binary.BigEndian.Uint32(h[16:]) != crc32.ChecksumIEEE(h[:16]) {
			fr.skip()
			continue
		}
		size := headerSize + int(length)
		if err := fr.fill(size); err != nil {
			return frame{}, err
		}
		h = fr.buf[fr.r : fr.r+size] // fill may have moved it
		fr.r += size
		if crc32.ChecksumIEEE(h[headerSize:]) != binary.BigEndian.Uint32(h[12:]) {
			fr.skipped += int64(size)
			continue
		}
		return frame{
			kind: kind(h[2]),
			more: h[3]&flagMore != 0,
			id:   binary.BigEndian.Uint32(h[4:]),
			body: h[headerSize:],
		}, nil
	}
}

// skip steps over one byte and on to the next that could start a frame.
func (fr *frameReader) skip() {
	at := fr.r
	for fr.r++; fr.r < fr.w && fr.buf[fr.r] != magic0; fr.r++ {
	}
	fr.skipped += int64(fr.r - at)
}

// fill reads until n bytes are unread.
func (fr *frameReader) fill(n int) error {
	if fr.w-fr.r >= n {
		return nil
	}
	if fr.r > 0 {
		fr.w = copy(fr.buf, fr.buf[fr.r:fr.w])
		fr.r = 0
	}
	if len(fr.buf) < n {
		// Powers of two from one page: a guest's reader mostly stays at that.
		size := 4096
		for size < n {
			size *= 2
		}
		buf := make([]byte, size)
		copy(buf, fr.buf[:fr.w])
		fr.buf = buf
	}
	for idle := 0; fr.w < n; {
		got, err := fr.src.Read(fr.buf[fr.w:])
		if got < 0 || got > len(fr.buf)-fr.w {
			return errors.New("reading a frame: impossible count")
		}
		fr.w += got
		if fr.w >= n {
			return nil
		}
		if err != nil {
			return err
		}
		if got > 0 {
			idle = 0
		} else if idle++; idle > 100 {
			return io.ErrNoProgress
		}
	}
	return nil
}
