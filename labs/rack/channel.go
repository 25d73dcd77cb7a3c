package rack

// A channel is one client's view of a console: a cursor in its output, and
// what it is owed besides. All of it but the constants is guarded by the
// console's lock, and all of it is of fixed size: what a client does not fetch
// in time is merged or skipped, never kept.
type channel struct {
	id      uint16
	console *console
	wake    func() // does not block

	epoch int64 // of the cursor
	sent  int64 // the next offset to send
	acked int64 // shown by the client up to here

	typist     *typist // nil for those who only look
	inputAcked int64   // told to the client
	attachID   int64   // the request that is owed an answer
	attachDue  bool
	gap        bool // the answer's
	sizeDue    bool
	inputDue   bool
}

// attach opens a channel at an offset of an epoch; from -1, or an epoch that
// has passed, means all that is kept.
func (c *console) attach(m *ClientMessage, session string, viewer bool, wake func()) *channel {
	ch := &channel{id: m.Channel, console: c, wake: wake, attachID: m.ID, attachDue: true}
	c.mu.Lock()
	defer c.mu.Unlock()
	ch.epoch = c.epoch
	tail := c.ring.tail()
	switch {
	case m.Epoch == c.epoch && m.From >= tail && m.From <= c.ring.head:
		ch.sent = m.From
	case m.From >= 0 && m.Epoch == c.epoch: // lost, or never written
		ch.sent, ch.gap = c.ring.lineAfter(tail), true
	default:
		ch.sent, ch.gap = c.ring.lineAfter(tail), m.From > 0
	}
	ch.acked = ch.sent
	if !viewer {
		ch.typist = c.typist(session)
		ch.inputAcked = ch.typist.have
	}
	if c.cols > 0 && (c.cols != m.Cols || c.rows != m.Rows) && (viewer || m.Cols == 0) {
		ch.sizeDue = true // it shall draw what the others see
	}
	c.channels[ch] = struct{}{}
	c.changed.Broadcast()
	return ch
}

// detach ends the channel.
func (ch *channel) detach() {
	c := ch.console
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.channels, ch)
	c.changed.Broadcast()
}

// ack notes that the client has shown output up to offset. Offsets that were
// never sent, and late ones of an epoch or a gap that has passed, do no harm:
// the cursor stays within what was sent.
func (ch *channel) ack(offset int64) {
	c := ch.console
	c.mu.Lock()
	defer c.mu.Unlock()
	if offset = min(offset, ch.sent); offset > ch.acked {
		ch.acked = offset
		c.changed.Broadcast()
		ch.wake()
	}
}

// next returns what to send next on this channel: a text message, or a binary
// one in buf, or neither when the client is owed nothing now. buf has room for
// headerLen and at least one byte.
func (ch *channel) next(buf []byte) (*ServerMessage, []byte) {
	c := ch.console
	c.mu.Lock()
	defer c.mu.Unlock()
	head, tail := c.ring.head, c.ring.tail()
	switch {
	case ch.attachDue:
		ch.attachDue = false
		m := &ServerMessage{T: "attached", ID: ch.attachID, Channel: ch.id, Epoch: ch.epoch,
			Offset: ch.sent, Head: head, Input: ch.inputAcked, Gap: ch.gap}
		return m, nil
	case ch.epoch != c.epoch:
		ch.epoch, ch.sent, ch.acked = c.epoch, 0, 0
		c.changed.Broadcast()
		return &ServerMessage{T: "epoch", Channel: ch.id, Epoch: c.epoch}, nil
	case ch.sizeDue:
		ch.sizeDue = false
		return &ServerMessage{T: "size", Channel: ch.id, Cols: c.cols, Rows: c.rows}, nil
	case ch.inputDue:
		ch.inputDue = false
		ch.inputAcked = ch.typist.written
		putHeader(buf, MsgInputAck, ch.id, ch.inputAcked)
		return nil, buf[:headerLen]
	case ch.sent < tail && ch.acked+Window > ch.sent:
		unacked := ch.sent - ch.acked // still counts against its window
		ch.sent = c.ring.lineAfter(max(tail, head-resyncBack))
		ch.acked = ch.sent - unacked
		c.changed.Broadcast()
		return &ServerMessage{T: "gap", Channel: ch.id, Offset: ch.sent}, nil
	}
	most := min(head-ch.sent, ch.acked+Window-ch.sent, maxChunk, int64(len(buf)-headerLen))
	if most <= 0 || ch.sent < tail {
		return nil, nil
	}
	putHeader(buf, MsgOutput, ch.id, ch.sent)
	n := c.ring.read(ch.sent, buf[headerLen:headerLen+int(most)])
	ch.sent += int64(n)
	return nil, buf[:headerLen+n]
}
