package impair

// line is a sender of limited speed with a queue before it. The zero line is
// infinitely fast.
type line struct {
	rate int64 // bit/s
	busy int64 // when it will have sent all that it was given
	part int64 // of a ns beyond busy, in 1/rate ns: without it 1 Gbit/s would be up to 0.07 % off

	// starts holds when each frame that waits begins to be sent: a ring.
	starts []int64
	head   int
	n      int
	limit  int // of n, for new frames
}

func (l *line) set(rate int64, queue int) {
	if queue == 0 {
		queue = DefaultQueue
	}
	if rate != l.rate {
		l.rate, l.part = rate, 0
	}
	if rate == 0 {
		*l = line{busy: l.busy}
		return
	}
	l.limit = queue
	if size := max(queue, l.n); size != len(l.starts) {
		l.resize(size) // those that wait keep their places, be they more than may wait now
	}
}

func (l *line) resize(size int) {
	ring := make([]int64, size)
	for i := range l.n {
		ring[i] = l.starts[(l.head+i)%len(l.starts)]
	}
	l.starts, l.head = ring, 0
}

// clear forgets all frames.
func (l *line) clear() { l.busy, l.part, l.head, l.n = 0, 0, 0, 0 }

// send gives a frame of size bytes to the line at now. It returns when its last
// bit will have been sent, or that there was no room for it in the queue.
func (l *line) send(now int64, size int) (done int64, room bool) {
	if l.rate == 0 {
		return max(now, l.busy), true
	}
	for l.n > 0 && l.starts[l.head] <= now {
		if l.head++; l.head == len(l.starts) {
			l.head = 0
		}
		l.n--
	}
	if l.busy > now && l.n >= l.limit {
		return 0, false
	}
	return l.add(now, size), true
}

// resend is send for a frame that is in the queue already.
func (l *line) resend(now int64, size int) int64 {
	if l.rate == 0 {
		return max(now, l.busy)
	}
	if l.n == len(l.starts) {
		l.resize(2 * l.n)
	}
	return l.add(now, size)
}

// add has a frame sent at now, or after those before it.
func (l *line) add(now int64, size int) int64 {
	switch {
	case l.busy < now:
		l.busy, l.part = now, 0
	case l.busy > now:
		i := l.head + l.n
		if i >= len(l.starts) {
			i -= len(l.starts)
		}
		l.starts[i] = l.busy
		l.n++
	}
	bits := int64(max(size, minFrame)+overhead) * 8
	// At most 10^5 bits: far from what an int64 holds.
	ns := bits*1e9 + l.part
	l.busy += ns / l.rate
	l.part = ns % l.rate
	return l.busy
}
