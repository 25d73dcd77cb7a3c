package vnet

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/patchbay/patchbay/vnet/offload"
	"golang.org/x/sys/unix"
)

// loop is the switch's thread and all that belongs to it.
type loop struct {
	log   *slog.Logger
	links *linkTeller
	now   func() time.Time
	start time.Time
	at    int64  // the time of this round, in ns since start
	tick  uint32 // the same, in macTicks
	sndbf int

	epfd, evfd int
	events     []unix.EpollEvent
	entries    []entry
	free       []int32 // indices of entries not in use
	resting    []int32 // listeners that ran out of descriptors
	restedAt   uint32  // tick at which the last of them began to rest
	ports      []*port // by id, nil where one was removed

	rx     rxRing
	got    int     // records of this round
	frames []frame // for each record in rx
	arena  arena
	tape   tape
	place  *place // set by run
	cutter offload.Cutter
	dirty  []*port // ports with queued frames; room for all of them

	air    air // what is under way on impaired cables
	script script
	seed   uint64

	quitted bool          // the loop is to end
	ended   chan struct{} // closed when it has let go of everything

	mu     sync.Mutex
	asked  []func() // for the loop to run between two rounds
	closed bool     // nothing more is taken into the queue
}

// entry is one descriptor in the epoll set. An event names it by index and
// generation, so that one for a descriptor closed in the same round hits
// nothing.
type entry struct {
	kind entryKind
	gen  int32
	fd   int
	port *port // nil for the wake-up and for a removed port's connections
}

type entryKind uint8

const (
	unused    entryKind = iota
	wakeUp              // the eventfd: there are functions to run
	listening           // a port's listener
	current             // a port's connection
	old                 // a superseded connection: read until it ends
	ringing             // the timer of what is under way
)

func newLoop(o Options, links *linkTeller) (_ *loop, err error) {
	l := &loop{
		log: o.Log, links: links, tape: tape{ring: o.Record}, now: o.Now, start: o.Now(), sndbf: o.SendBuffer,
		epfd: -1, evfd: -1, seed: o.Seed,
		events: make([]unix.EpollEvent, 64),
		frames: make([]frame, ringFrames),
		arena:  newArena(),
		ended:  make(chan struct{}),
	}
	if l.rx, err = newRxRing(); err != nil {
		return nil, err
	}
	if l.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		l.rx.release()
		return nil, fmt.Errorf("making an epoll set: %w", err)
	}
	if l.evfd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		unix.Close(l.epfd)
		l.rx.release()
		return nil, fmt.Errorf("making an eventfd: %w", err)
	}
	if l.air, err = newAir(o); err == nil {
		if _, err = l.watch(wakeUp, l.evfd, nil); err == nil {
			_, err = l.watch(ringing, l.air.timer.fd, nil)
		}
	}
	if err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

// run is the loop's goroutine.
func (l *loop) run() {
	// Never unlocked: the thread ends with the goroutine.
	runtime.LockOSThread()
	defer l.release()
	l.place = newPlace() // the thread's own, and threads that Go makes do not come from a locked one
	for !l.quitted {
		wait := -1
		if len(l.resting) > 0 {
			wait = retryAccept
		}
		if err := l.round(wait); err != nil {
			l.log.Error("the switch ended", "err", err)
			return
		}
	}
}

// release lets go of everything. No function is taken after it.
func (l *loop) release() {
	l.mu.Lock()
	l.closed = true
	l.asked = nil
	unix.Close(l.evfd) // under the lock: do writes to it
	l.mu.Unlock()
	unix.Close(l.epfd)
	for i := range l.entries {
		if k := l.entries[i].kind; k == current || k == old {
			unix.Close(l.entries[i].fd)
		}
	}
	for _, p := range l.ports {
		if p != nil {
			p.up.Store(false)
			p.listener.close()
		}
	}
	l.air.close()
	l.rx.release()
	close(l.ended)
}

// do has the loop run f between two rounds and waits until it has.
func (l *loop) do(f func()) error {
	done := make(chan struct{})
	if !l.enqueue(func() { f(); close(done) }) {
		return ErrClosed
	}
	select {
	case <-done:
		return nil
	case <-l.ended:
		select { // it may have been the last to run
		case <-done:
			return nil
		default:
			return ErrClosed
		}
	}
}

// quit has the loop end after what was asked of it before. It does not wait.
func (l *loop) quit() {
	l.enqueue(func() { l.quitted = true })
}

func (l *loop) enqueue(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.asked = append(l.asked, f)
	one := [8]byte{7: 1} // any number but zero, in any byte order
	unix.Write(l.evfd, one[:])
	return true
}

func (l *loop) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

func (l *loop) runQueue() {
	var b [8]byte
	unix.Read(l.evfd, b[:])
	l.mu.Lock()
	todo := l.asked
	l.asked = nil
	l.mu.Unlock()
	for _, f := range todo {
		f()
	}
}

func (l *loop) setTime() {
	d := l.now().Sub(l.start)
	l.at, l.tick = int64(d), uint32(d/macTick)
}

// round waits up to wait ms (-1: for good) for something to happen and does
// all that did: at most one batch of frames from each connection.
func (l *loop) round(wait int) error {
	n, err := l.poll(wait)
	if err != nil {
		return err
	}
	l.got = 0
	l.setTime()
	l.place.look(l.at)
	l.tape.tick()
	if l.air.mem != nil {
		l.land()
	}
	commands := false
	for _, ev := range l.events[:n] {
		e := &l.entries[ev.Fd]
		if e.gen != ev.Pad {
			continue
		}
		switch e.kind {
		case wakeUp:
			commands = true
		case ringing:
			l.air.timer.ring()
		case listening:
			l.accept(ev.Fd)
		case current, old:
			if ev.Events&unix.EPOLLOUT != 0 && e.kind == current {
				l.tellCarrier(e.port)
			}
			l.read(ev.Fd, ev.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP) != 0)
		}
	}
	l.flush()
	if commands {
		l.tape.show() // who waits for a command sees what came before it
		l.runQueue()
	}
	if l.air.mem != nil {
		l.takeOff()
	}
	if len(l.resting) > 0 && (n == 0 || l.tick != l.restedAt) {
		l.wakeListeners()
	}
	l.tape.show()
	return nil
}

// busyRound is how many records make a round a busy one.
const busyRound = 16

// poll asks without waiting first after a busy round: that spares telling the
// Go scheduler about a call that returns at once. After others there is most
// likely nothing yet, and the guest that was just sent a frame may wait for this
// very CPU, so a call in vain would only keep it waiting. For the same reason the
// loop does not spin for a while: a thread that sleeps gets the CPU from a guest
// when its frame comes, one that shares it with the guest waits for its turn.
func (l *loop) poll(wait int) (int, error) {
	if wait == 0 || l.got >= busyRound {
		n, err := epollPoll(l.epfd, l.events)
		switch {
		case err != 0 && err != unix.EINTR:
			return 0, fmt.Errorf("polling for frames: %w", err)
		case n > 0 || wait == 0:
			return n, nil
		}
	}
	n, err := unix.EpollWait(l.epfd, l.events, wait)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, unix.EINTR):
		return 0, nil
	}
	return 0, fmt.Errorf("waiting for frames: %w", err)
}

// read takes a batch of frames from a connection. ending says that its other
// end will send no more than what is queued.
func (l *loop) read(slot int32, ending bool) {
	if l.rx.full() {
		l.flush()
	}
	e := &l.entries[slot]
	most := batch
	if e.port != nil {
		most = e.port.most
	}
	first, n, errno := l.rx.read(e.fd, most)
	switch errno {
	case 0:
	case unix.EAGAIN, unix.ECONNRESET: // reset: it closed with frames unread; what it sent may still be there
		return
	default:
		l.log.Error("reading from a guest", "port", portName(e.port), "err", errno)
		l.hangUp(slot)
		return
	}
	l.tape.tick()
	l.got += n
	p, records := e.port, uint64(0)
	for i := first; i < first+n; i++ {
		if l.rx.msgs[i].len == 0 { // at the end of file every record is one of these
			continue
		}
		records++
		if e.kind == current {
			l.receive(p, i)
		}
	}
	switch {
	case e.kind == current:
		p.pace()
		p.publish()
	case p != nil:
		p.n.cut.Add(records)
	}
	if ending && records == 0 {
		l.hangUp(slot)
	}
}

// flush sends all queued frames and so frees the receive ring.
func (l *loop) flush() {
	l.sendAll()
	l.rx.used = 0
	l.air.flushed()
}

// sendAll sends all queued frames and so frees the arena.
func (l *loop) sendAll() {
	for i, p := range l.dirty {
		l.send(p)
		p.dirty = false
		l.dirty[i] = nil
	}
	l.dirty = l.dirty[:0]
	l.arena.reset()
}

// readable is what the loop wants to hear of every descriptor.
const readable = unix.EPOLLIN | unix.EPOLLRDHUP

// watch puts a descriptor into the epoll set.
func (l *loop) watch(kind entryKind, fd int, p *port) (int32, error) {
	if len(l.free) == 0 {
		l.entries = append(l.entries, entry{})
		l.free = append(l.free, int32(len(l.entries)-1))
	}
	slot := l.free[len(l.free)-1]
	e := &l.entries[slot]
	ev := unix.EpollEvent{Events: readable, Fd: slot, Pad: e.gen}
	if err := unix.EpollCtl(l.epfd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return -1, fmt.Errorf("watching a descriptor: %w", err)
	}
	l.free = l.free[:len(l.free)-1]
	e.kind, e.fd, e.port = kind, fd, p
	return slot, nil
}

// unwatch takes a descriptor, still open, out of the epoll set.
func (l *loop) unwatch(slot int32) {
	e := &l.entries[slot]
	unix.EpollCtl(l.epfd, unix.EPOLL_CTL_DEL, e.fd, nil)
	*e = entry{gen: e.gen + 1}
	l.free = append(l.free, slot)
}
