package rack

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	statePeriod  = 100 * time.Millisecond // at least, between two states
	pingPeriod   = 20 * time.Second
	pongTimeout  = 45 * time.Second // two pings and a bit
	writeTimeout = 10 * time.Second
	maxDoing     = 16 // operations of one connection at a time
)

// conn is one client's stream. Its reader hands input on and never waits for a
// guest or for the writer; its writer fetches what the client is owed, a piece
// of each channel in turn, and keeps no queue but the answers to operations,
// which are bounded by maxDoing and maxChannels.
type conn struct {
	rack    *Rack
	ws      *websocket.Conn
	session string
	viewer  bool
	woken   chan struct{} // of capacity 1
	ops     sync.WaitGroup

	mu       sync.Mutex
	channels map[uint16]*channel
	order    []*channel // round robin
	answers  []ServerMessage
	doing    int
	ended    bool // the rack ends
}

// accept runs a connection until either side ends it.
func (r *Rack) accept(ws *websocket.Conn, session string, viewer bool) {
	c := &conn{rack: r, ws: ws, session: session, viewer: viewer,
		woken: make(chan struct{}, 1), channels: map[uint16]*channel{}}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		ws.Close()
		return
	}
	r.conns[c] = struct{}{}
	r.wg.Add(1)
	r.mu.Unlock()
	defer r.wg.Done()

	gone := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() { c.write(gone) })
	err := c.read()
	r.log.Debug("stream ends", "err", err)
	close(gone)
	writer.Wait()
	ws.Close()

	r.mu.Lock()
	delete(r.conns, c)
	r.mu.Unlock()
	for _, ch := range c.channels {
		ch.detach()
	}
	c.ops.Wait()
}

// closeConns ends every connection and waits for that.
func (r *Rack) closeConns() {
	r.mu.Lock()
	r.closed = true
	for c := range r.conns {
		c.mu.Lock()
		c.ended = true
		c.mu.Unlock()
		c.wake()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

// wake makes the writer look again.
func (c *conn) wake() {
	select {
	case c.woken <- struct{}{}:
	default:
	}
}

// read takes messages until the connection ends or the client breaks the rules.
func (c *conn) read() error {
	c.ws.SetReadLimit(maxClientMessage)
	alive := func() { _ = c.ws.SetReadDeadline(time.Now().Add(pongTimeout)) }
	alive()
	c.ws.SetPongHandler(func(string) error { alive(); return nil })
	for {
		kind, data, err := c.ws.ReadMessage()
		if err != nil {
			return err
		}
		alive()
		switch kind {
		case websocket.BinaryMessage:
			err = c.takeFrame(data)
		case websocket.TextMessage:
			err = c.takeText(data)
		}
		if err != nil {
			code := websocket.ClosePolicyViolation
			if errors.Is(err, errInputFlood) {
				code = websocket.CloseTryAgainLater
			}
			// A close frame holds 125 bytes, all of them UTF-8, even where it was cut.
			reason := err.Error()
			reason = strings.ToValidUTF8(reason[:min(len(reason), 120)], "")
			_ = c.ws.WriteControl(websocket.CloseMessage, // the client may be gone
				websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second))
			return err
		}
	}
}

func (c *conn) takeFrame(data []byte) error {
	f, err := parseFrame(data)
	if err != nil {
		return err
	}
	c.mu.Lock()
	ch := c.channels[f.channel]
	c.mu.Unlock()
	if ch == nil {
		return nil // detached meanwhile
	}
	switch f.kind {
	case MsgAck:
		ch.ack(f.position)
		return nil
	case MsgInput:
		if c.viewer || len(f.data) == 0 {
			return nil
		}
		if c.rack.icy() != nil {
			ch.console.discard(ch, f.position, f.data)
			return nil
		}
		return ch.console.input(ch, f.position, f.data)
	}
	return fmt.Errorf("binary message %#02x goes from rack to client", f.kind)
}

func (c *conn) takeText(data []byte) error {
	m, err := parseClient(data)
	if err != nil {
		return err
	}
	switch m.T {
	case "attach":
		if err := c.attach(&m); err != nil {
			c.reply(ServerMessage{T: "done", ID: m.ID, Channel: m.Channel, Error: sentence(err)})
		}
	case "detach":
		c.detach(m.Channel)
	case "resize":
		c.mu.Lock()
		ch := c.channels[m.Channel]
		c.mu.Unlock()
		if ch != nil && !c.viewer {
			ch.console.resize(ch, m.Cols, m.Rows)
		}
	case "do":
		c.do(m.ID, *m.Op)
	}
	return nil
}

func (c *conn) attach(m *ClientMessage) error {
	n, err := c.rack.node(m.Node)
	if err != nil {
		return err
	}
	con := n.consoles[m.Console]
	c.detach(m.Channel)
	c.mu.Lock()
	if len(c.channels) >= maxChannels {
		c.mu.Unlock()
		return fmt.Errorf("opening another console: %w: %d are open", ErrBadOp, maxChannels)
	}
	ch := con.attach(m, c.session, c.viewer, c.wake)
	c.channels[m.Channel] = ch
	c.order = append(c.order, ch)
	c.mu.Unlock()
	c.wake()
	if m.Cols > 0 && m.Rows > 0 && !c.viewer {
		con.resize(ch, m.Cols, m.Rows)
	}
	con.touched()
	return nil
}

func (c *conn) detach(id uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := c.channels[id]
	if ch == nil {
		return
	}
	ch.detach()
	delete(c.channels, id)
	for i := range c.order {
		if c.order[i] == ch {
			c.order = append(c.order[:i:i], c.order[i+1:]...) // the writer may hold the old one
			break
		}
	}
}

// do carries an operation out beside the stream and answers when it is done.
func (c *conn) do(id int64, op Op) {
	if c.viewer {
		c.reply(ServerMessage{T: "done", ID: id, Error: "You are looking on; only the owner can do that."})
		return
	}
	if err := c.rack.icy(); err != nil { // to end it as well, which those who froze it may
		c.reply(ServerMessage{T: "done", ID: id, Error: sentence(err)})
		return
	}
	c.mu.Lock()
	busy := c.doing >= maxDoing
	if !busy {
		c.doing++
	}
	c.mu.Unlock()
	if busy {
		c.reply(ServerMessage{T: "done", ID: id, Error: "Too much is being done already; wait for it."})
		return
	}
	c.ops.Go(func() {
		m := ServerMessage{T: "done", ID: id}
		if err := c.rack.Do(op); err != nil {
			m.Error = sentence(err)
		}
		c.mu.Lock()
		c.doing--
		c.mu.Unlock()
		c.reply(m)
	})
}

// reply queues an answer. A client that asks and does not read is cut off by
// the writer's deadline; until then only the newest answers are kept.
func (c *conn) reply(m ServerMessage) {
	c.mu.Lock()
	if len(c.answers) >= 4*maxChannels {
		c.answers = c.answers[1:]
	}
	c.answers = append(c.answers, m)
	c.mu.Unlock()
	c.wake()
}

// write sends until gone is closed or the client takes no more.
func (c *conn) write(gone <-chan struct{}) {
	defer c.ws.Close() // ends read as well
	ping := time.NewTicker(pingPeriod)
	defer ping.Stop()
	later := time.NewTimer(0) // for a state that came too early
	defer later.Stop()
	ready := make(chan struct{}) // stands in for woken while there is more
	close(ready)
	var stateAt time.Time
	var stateVersion uint64
	buf := make([]byte, headerLen+maxChunk)
	for {
		if v := c.rack.stateVersion(); v != stateVersion {
			if wait := time.Until(stateAt.Add(statePeriod)); wait > 0 {
				later.Reset(wait)
			} else {
				var data []byte
				data, stateVersion = c.rack.stateMessage()
				stateAt = time.Now()
				if c.send(websocket.TextMessage, data) != nil {
					return
				}
			}
		}
		more, ended, err := c.writeRound(buf)
		if err != nil {
			return
		}
		if ended && !more {
			_ = c.ws.WriteControl(websocket.CloseMessage, // the client may be gone
				websocket.FormatCloseMessage(websocket.CloseGoingAway, "the rack has ended"), time.Now().Add(time.Second))
			return
		}
		idle := c.woken
		if more {
			idle = ready
		}
		select {
		case <-gone:
			return
		case <-ping.C:
			if c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTimeout)) != nil {
				return
			}
		case <-idle:
		case <-later.C:
		}
	}
}

// writeRound sends the answers and at most one message of each channel. It
// says whether there may be more, and whether the rack ends.
func (c *conn) writeRound(buf []byte) (more, ended bool, err error) {
	c.mu.Lock()
	answers, order := c.answers, c.order
	c.answers = nil
	ended = c.ended
	c.mu.Unlock()
	for _, a := range answers {
		if err := c.sendJSON(&a); err != nil {
			return false, ended, err
		}
	}
	for _, ch := range order {
		text, binary := ch.next(buf)
		switch {
		case text != nil:
			err = c.sendJSON(text)
		case binary != nil:
			err = c.send(websocket.BinaryMessage, binary)
		default:
			continue
		}
		if err != nil {
			return false, ended, err
		}
		more = true
	}
	return more, ended, nil
}

func (c *conn) sendJSON(m *ServerMessage) error {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("marshalling a message: %w", err)
	}
	return c.send(websocket.TextMessage, data)
}

func (c *conn) send(kind int, data []byte) error {
	if err := c.ws.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return c.ws.WriteMessage(kind, data)
}
