package rack

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
)

// Limits of what a client may send.
const (
	maxClientMessage = 64 << 10 // bytes of one websocket message
	maxChannels      = 64       // per connection
	maxCols, maxRows = 1000, 1000
)

// InputWindow is how many typed bytes a rack holds for one console that does
// not take them. What goes beyond closes the connection; a client that pastes
// more waits for acks, or connects again and goes on where the rack says.
const InputWindow = 1 << 20

// headerLen is the length of kind, channel and position.
const headerLen = 1 + 2 + 8

// frame is a decoded binary message.
type frame struct {
	kind     byte
	channel  uint16
	position int64
	data     []byte // aliases the message
}

// putHeader writes a binary message's first bytes into p.
func putHeader(p []byte, kind byte, channel uint16, position int64) {
	p[0] = kind
	binary.BigEndian.PutUint16(p[1:], channel)
	binary.BigEndian.PutUint64(p[3:], uint64(position))
}

// appendFrame appends a binary message to p.
func appendFrame(p []byte, kind byte, channel uint16, position int64, data []byte) []byte {
	var h [headerLen]byte
	putHeader(h[:], kind, channel, position)
	return append(append(p, h[:]...), data...)
}

// parseFrame decodes a binary message of either direction.
func parseFrame(p []byte) (frame, error) {
	if len(p) < headerLen {
		return frame{}, fmt.Errorf("a binary message of %d bytes is too short", len(p))
	}
	f := frame{
		kind:    p[0],
		channel: binary.BigEndian.Uint16(p[1:]),
		data:    p[headerLen:],
	}
	position := binary.BigEndian.Uint64(p[3:])
	if position > 1<<53 { // what a browser counts exactly
		return frame{}, fmt.Errorf("position %d is beyond 2^53", position)
	}
	f.position = int64(position)
	switch f.kind {
	case MsgOutput, MsgInput:
	case MsgAck, MsgInputAck:
		if len(f.data) > 0 {
			return frame{}, errors.New("an ack carries no bytes")
		}
	default:
		return frame{}, fmt.Errorf("unknown binary message %#02x", f.kind)
	}
	return f, nil
}

// parseClient decodes and checks a text message from a client.
func parseClient(p []byte) (ClientMessage, error) {
	var m ClientMessage
	if err := json.Unmarshal(p, &m); err != nil {
		return m, fmt.Errorf("reading a message: %w", err)
	}
	switch m.T {
	case "attach":
		if m.Console < 0 || m.Console >= consoleLines {
			return m, fmt.Errorf("console %d: a node has consoles 0 to %d", m.Console, consoleLines-1)
		}
	case "detach":
	case "resize":
		if m.Cols == 0 || m.Rows == 0 {
			return m, errors.New("a resize needs cols and rows")
		}
	case "do":
		if m.Op == nil {
			return m, errors.New(`a "do" message needs an op`)
		}
	default:
		return m, fmt.Errorf("unknown message %q", m.T)
	}
	if m.Cols > maxCols || m.Rows > maxRows {
		return m, fmt.Errorf("a terminal of %d by %d; %d by %d are possible", m.Cols, m.Rows, maxCols, maxRows)
	}
	return m, nil
}

var sessionPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{16,64}$`)

// Role says what a stream may do.
type Role string

// The roles.
const (
	Owner  Role = "owner"  // types and acts
	Viewer Role = "viewer" // looks on
)

// RoleHeader names the request header that carries the Role; whoever passes a
// browser's stream on sets it, a rack believes it.
const RoleHeader = "Patchbay-Role"
