package offload

import "encoding/binary"

const (
	tcpFIN = 0x01
	tcpPSH = 0x08
	tcpCWR = 0x80
)

// A Cutter cuts one super-frame. It refers to the frame, which must not change
// meanwhile, and copies nothing of its payload. The zero Cutter has nothing to
// cut; one may be used again and again.
type Cutter struct {
	layout
	frame []byte
	next  int // where the next piece's payload begins
	size  int // payload of a piece
	first bool
	id    uint16
	seq   uint32
	sum   uint64 // of the pseudo-header without its length
}

// Start begins to cut frame as h asks. It checks what Check checks of a frame
// that is to be cut.
func (c *Cutter) Start(h Header, frame []byte) error {
	l, err := h.layout(frame)
	if err != nil {
		c.frame = nil
		return err
	}
	*c = Cutter{layout: l, frame: frame, next: l.payload, size: int(h.GSOSize), first: true}
	if !c.v6 {
		c.id = binary.BigEndian.Uint16(frame[c.l3+4:])
	}
	if !c.udp {
		c.seq = binary.BigEndian.Uint32(frame[c.l4+4:])
	}
	// The checksum's field holds the sum of the pseudo-header of the whole,
	// and that differs from a piece's in the length alone. So the addresses
	// need no look, which a routing header of IPv6 would make a long one.
	whole := len(frame) - c.l4
	c.sum = addUint16(0, binary.BigEndian.Uint16(frame[c.l4+int(h.CsumOffset):]))
	c.sum = addUint16(c.sum, ^uint16(whole))
	c.sum = addUint16(c.sum, ^uint16(whole>>16))
	return nil
}

// Head is how many bytes of headers each piece has; at most MaxHead.
func (c *Cutter) Head() int { return c.payload }

// Next writes the headers of the next piece to the first Head bytes of head
// and returns its payload, which lies in the frame. There is at least one piece
// and none after the one that ends the payload.
func (c *Cutter) Next(head []byte) (payload []byte, ok bool) {
	if c.frame == nil {
		return nil, false
	}
	end := min(c.next+c.size, len(c.frame))
	payload = c.frame[c.next:end:end]
	last := end == len(c.frame)
	head = head[:c.payload]
	copy(head, c.frame)

	ip := head[c.l3:]
	if c.v6 {
		binary.BigEndian.PutUint16(ip[4:], uint16(len(ip)-40+len(payload)))
	} else {
		binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+len(payload)))
		binary.BigEndian.PutUint16(ip[4:], c.id)
		ip[10], ip[11] = 0, 0
		binary.BigEndian.PutUint16(ip[10:], ^fold(add(0, ip[:c.l4-c.l3])))
	}
	l4 := head[c.l4:]
	length := len(l4) + len(payload)
	var check []byte
	if c.udp {
		check = l4[6:8]
		binary.BigEndian.PutUint16(l4[4:], uint16(length))
	} else {
		check = l4[16:18]
		binary.BigEndian.PutUint32(l4[4:], c.seq)
		if !c.first {
			l4[13] &^= tcpCWR
		}
		if !last {
			l4[13] &^= tcpFIN | tcpPSH
		}
	}
	check[0], check[1] = 0, 0
	sum := add(addUint16(c.sum, uint16(length)), l4)
	binary.BigEndian.PutUint16(check, finish(add(sum, payload)))

	c.id++
	c.seq += uint32(len(payload))
	c.first = false
	c.next = end
	if last {
		c.frame = nil
	}
	return payload, true
}

// Segments calls emit with every frame that a wire would carry for frame: with
// itself when h asks for nothing, and otherwise with copies in scratch, whose
// checksums are done and which are valid only during the call. Scratch must be
// as long as the frame. The header is checked.
func Segments(h Header, frame, scratch []byte, emit func(wire []byte)) error {
	if err := h.Check(frame); err != nil {
		return err
	}
	switch {
	case h.Plain():
		emit(frame)
	case !h.GSO():
		wire := scratch[:copy(scratch[:len(frame)], frame)]
		h.Complete(wire)
		emit(wire)
	default:
		var c Cutter
		if err := c.Start(h, frame); err != nil {
			return err
		}
		for {
			payload, ok := c.Next(scratch)
			if !ok {
				return nil
			}
			n := c.Head() + copy(scratch[c.Head():], payload)
			emit(scratch[:n])
		}
	}
	return nil
}
