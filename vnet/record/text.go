package record

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

// Cleartext looks for a text, such as a password, in what guests send, for as
// long as during says, and returns a copy of the frame in which it ended, or
// nil. A text that a TCP connection carries in several segments is found when
// they come in order. It is ErrMissed when it cannot tell.
func (r *Ring) Cleartext(ctx context.Context, q Query, text []byte, during time.Duration) (*Frame, error) {
	if len(text) == 0 || len(text) > maxText {
		return nil, fmt.Errorf("looking for a text: it must have 1 to %d bytes", maxText)
	}
	q.Dir = FromGuest
	s := seeker{text: text, flows: map[flow]*tail{}}
	var found *Frame
	missed, err := r.each(ctx, q, during, func(f Frame) bool {
		if !s.sees(f.Data) {
			return true
		}
		f.Data = bytes.Clone(f.Data)
		found = &f
		return false
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("looking for a text: %w", err)
	case found == nil && missed > 0:
		return nil, fmt.Errorf("looking for a text: %d: %w", missed, ErrMissed)
	}
	return found, nil
}

const (
	maxText  = 1024
	maxFlows = 1024 // whose ends are remembered; beyond them others are forgotten
)

// flow is one direction of a TCP connection.
type flow struct {
	src, dst [16]byte
	ports    [4]byte
}

// tail is the end of what a flow has carried.
type tail struct {
	next  uint32 // the sequence number that is to follow
	bytes []byte
}

// seeker looks for a text in frames.
type seeker struct {
	text  []byte
	flows map[flow]*tail
}

func (s *seeker) sees(frame []byte) bool {
	if bytes.Contains(frame, s.text) {
		return true
	}
	f, seq, data := segment(frame)
	if len(data) == 0 {
		return false
	}
	t := s.flows[f]
	if t == nil {
		if len(s.flows) >= maxFlows {
			for old := range s.flows {
				delete(s.flows, old)
				break
			}
		}
		t = &tail{}
		s.flows[f] = t
	}
	// Of a segment that was sent again only what is new counts; after a gap the
	// past is worth nothing.
	if old := int32(t.next - seq); len(t.bytes) > 0 && old > 0 {
		if int(old) >= len(data) {
			return false
		}
		data, seq = data[old:], t.next
	} else if old < 0 {
		t.bytes = t.bytes[:0]
	}
	t.next = seq + uint32(len(data))
	joined := append(t.bytes, data[:min(len(data), len(s.text)-1)]...)
	if bytes.Contains(joined, s.text) {
		return true
	}
	t.bytes = append(joined, data[min(len(data), len(s.text)-1):]...)
	t.bytes = append(t.bytes[:0], t.bytes[max(0, len(t.bytes)-len(s.text)+1):]...)
	return false
}

// segment is what a TCP segment carries; nothing, when a frame is none.
func segment(frame []byte) (f flow, seq uint32, data []byte) {
	typ, b := payload(frame)
	switch {
	case typ == 0x0800 && len(b) >= 20 && b[9] == 6 && binary.BigEndian.Uint16(b[6:])&0x3fff == 0:
		copy(f.src[:], b[12:16])
		copy(f.dst[:], b[16:20])
		total, head := int(binary.BigEndian.Uint16(b[2:])), 4*int(b[0]&0xf)
		if total > len(b) || head > total {
			return f, 0, nil
		}
		b = b[head:total]
	case typ == 0x86dd && len(b) >= 40 && b[6] == 6:
		copy(f.src[:], b[8:24])
		copy(f.dst[:], b[24:40])
		total := 40 + int(binary.BigEndian.Uint16(b[4:]))
		if total > len(b) {
			return f, 0, nil
		}
		b = b[40:total]
	default:
		return f, 0, nil
	}
	if len(b) < 20 || 4*int(b[12]>>4) > len(b) {
		return f, 0, nil
	}
	copy(f.ports[:], b)
	return f, binary.BigEndian.Uint32(b[4:]), b[4*int(b[12]>>4):]
}
