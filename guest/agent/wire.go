package agent

import (
	"encoding/binary"
	"errors"
)

// Bodies are written by hand: integers big-endian, strings and byte strings
// with their length as u32 before them, lists with their count as u32. There is
// no reflection in it, which guestd's size and start would pay for.

var errMalformed = errors.New("malformed message")

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

func appendStrings(b []byte, list []string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(list)))
	for _, s := range list {
		b = appendString(b, s)
	}
	return b
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// decoder takes a body apart. After the first thing that is wrong it yields
// zeroes, and err tells. Nothing is allocated that the body's own length does
// not justify.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n int) []byte {
	if d.bad || n < 0 || n > len(d.b) {
		d.bad = true
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) u8() uint8 {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) u16() uint16 {
	if b := d.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) u32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) u64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// bool is strict, so that a message has one encoding only.
func (d *decoder) bool() bool {
	v := d.u8()
	if v > 1 {
		d.bad = true
	}
	return v == 1
}

// bytes copies, since a body is valid only until the next frame.
func (d *decoder) bytes() []byte {
	b := d.take(int(d.u32()))
	if len(b) == 0 {
		return nil
	}
	return append([]byte(nil), b...)
}

func (d *decoder) string() string { return string(d.take(int(d.u32()))) }

// count reads a list's length; each element takes at least size bytes.
func (d *decoder) count(size int) int {
	n := d.u32()
	if d.bad || uint64(n)*uint64(size) > uint64(len(d.b)) {
		d.bad = true
		return 0
	}
	return int(n)
}

func (d *decoder) strings() []string {
	n := d.count(4)
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = d.string()
	}
	return list
}

// end is called when all has been taken.
func (d *decoder) end() error {
	if d.bad || len(d.b) != 0 {
		return errMalformed
	}
	return nil
}
