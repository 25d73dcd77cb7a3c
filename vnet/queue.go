package vnet

import "golang.org/x/sys/unix"

// A txQueue holds up to a batch of records, by reference, for one sendmmsg.
type txQueue struct {
	n    int
	iovs []unix.Iovec // two for each record
	msgs []mmsghdr
	what []outgoing
}

// outgoing is what a record in a queue is.
type outgoing struct {
	frame *frame
	wires int32  // frames that a wire would carry for it
	bytes uint64 // in them
	piece int32  // which of frame's pieces it is, when it is not all of it
}

func newTxQueue() txQueue {
	q := txQueue{iovs: make([]unix.Iovec, 2*batch), msgs: make([]mmsghdr, batch), what: make([]outgoing, batch)}
	for i := range q.msgs {
		q.msgs[i].hdr.Iov = &q.iovs[2*i]
	}
	return q
}

func (q *txQueue) full() bool { return q.n == len(q.msgs) }

// push queues w, which is what r says.
func (q *txQueue) push(w piece, r outgoing) {
	v := q.iovs[2*q.n : 2*q.n+2]
	v[0].Base = &w.head[0]
	v[0].SetLen(len(w.head))
	parts := 1
	if len(w.tail) > 0 {
		v[1].Base = &w.tail[0]
		v[1].SetLen(len(w.tail))
		parts = 2
	}
	q.msgs[q.n].hdr.SetIovlen(parts)
	q.what[q.n] = r
	q.n++
}

// send hands a port's queued records to its guest's socket. What does not fit
// there is dropped. Here a frame's fate is known: records up to sent are
// delivered, the others dropped; the pieces of one frame follow each other.
func (l *loop) send(p *port) {
	q := &p.out
	if q.n == 0 {
		return
	}
	sent := 0
	if p.fd >= 0 {
		// Less than all means that the socket is full or its other end gone:
		// the next frame would fare no better.
		sent, _ = sendmmsg(p.fd, q.msgs[:q.n])
	}
	var frames, bytes, drops uint64
	for i := range q.what[:sent] {
		r := &q.what[i]
		frames += uint64(r.wires)
		bytes += r.bytes
	}
	for i := range q.what[sent:q.n] {
		drops += uint64(q.what[sent+i].wires)
	}
	if sent > 0 {
		p.n.rxFrames.Add(frames)
		p.n.rxBytes.Add(bytes)
		l.place.took(p, bytes)
	}
	if drops > 0 {
		p.n.drops.Add(drops)
	}
	l.tape.left(p, sent)
	q.n = 0
}
