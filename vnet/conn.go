package vnet

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

const (
	// oldConns is how many superseded connections of one port are kept until
	// they end. A guest has one and, restarted in a hurry, two; a process that
	// opens more is not a guest to be spared.
	oldConns = 8
	// retryAccept is how long listeners rest, in ms, when descriptors ran out.
	retryAccept = 100
)

// accept takes one connection to a port's listener. It becomes the port's
// connection: a guest that comes again has been restarted.
func (l *loop) accept(slot int32) {
	e := l.entries[slot]
	fd, _, err := unix.Accept4(e.fd, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	switch {
	case err == nil:
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
		l.log.Error("accepting a guest's connection, trying again", "port", e.port.name, "err", err)
		l.rest(slot)
		return
	default: // it went away again
		return
	}
	if err := l.connect(e.port, fd); err != nil {
		l.log.Error("taking a guest's connection", "port", e.port.name, "err", err)
		unix.Close(fd)
	}
}

// connect makes fd the connection of p.
func (l *loop) connect(p *port, fd int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, l.sndbf); err != nil {
		return fmt.Errorf("setting the send buffer: %w", err)
	}
	slot, err := l.watch(current, fd, p)
	if err != nil {
		return err
	}
	if p.fd >= 0 {
		l.supersede(p)
	}
	p.fd, p.entry = fd, slot
	p.carrier.told, p.carrier.owed = true, false // what an interface believes that is set up
	l.tellCarrier(p)
	p.up.Store(true)
	l.links.changed(p)
	return nil
}

// supersede makes p's connection an old one, which is read until it ends.
func (l *loop) supersede(p *port) {
	l.flushMACs(p)
	if p.carrier.owed {
		l.interest(p.entry, false)
	}
	l.entries[p.entry].kind = old
	p.old = append(p.old, p.entry)
	if len(p.old) > oldConns {
		l.hangUp(p.old[0])
	}
}

// refit has p be spoken to as its next guest understands it.
func (l *loop) refit(p *port, offload, carrier bool) {
	if p.offload == offload && p.carries == carrier {
		return
	}
	if p.fd >= 0 {
		l.supersede(p)
		p.fd, p.entry = -1, -1
		p.up.Store(false)
		l.links.changed(p)
	}
	p.speak(offload, carrier)
}

// hangUp closes a connection whose other end is gone.
func (l *loop) hangUp(slot int32) {
	e := l.entries[slot]
	l.unwatch(slot)
	unix.Close(e.fd)
	switch p := e.port; {
	case p == nil:
	case e.kind == old:
		p.old = slices.DeleteFunc(p.old, func(s int32) bool { return s == slot })
	default:
		p.fd, p.entry = -1, -1
		p.up.Store(false)
		l.flushMACs(p)
		l.links.changed(p)
	}
}

func (l *loop) flushMACs(p *port) {
	if p.segment != nil && p.segment.macs != nil {
		p.segment.macs.flush(p.id)
	}
}

// addPort lets a port take part. conn is its connection, or -1.
func (l *loop) addPort(p *port, conn int) (err error) {
	if id := slices.Index(l.ports, nil); id >= 0 {
		p.id = int32(id)
	} else {
		p.id = int32(len(l.ports))
		l.ports = append(l.ports, nil)
	}
	if p.listener != nil {
		if p.ear, err = l.watch(listening, p.listener.fd, p); err != nil {
			return err
		}
	}
	if p.segment != nil {
		p.segment.join(p) // first: its carrier depends on it
	}
	defer func() {
		if err != nil && p.segment != nil {
			p.segment.leave(p)
		}
	}()
	if conn >= 0 {
		if err = l.connect(p, conn); err != nil {
			return err
		}
	}
	l.ports[p.id] = p
	l.attach(p)
	l.dirty = slices.Grow(l.dirty, len(l.ports))
	return nil
}

// removePort forgets a port. Its connections stay, for nobody, until they end,
// unless its guest understands the end of one.
func (l *loop) removePort(p *port) {
	l.links.forget(p)
	l.flushMACs(p)
	l.sweep(p)
	if p.segment != nil {
		p.segment.leave(p)
		l.tellCarriers(p.segment)
	}
	if p.carries && p.entry >= 0 {
		slot := p.entry
		l.entries[slot].port = nil
		l.hangUp(slot)
		p.fd, p.entry = -1, -1
	}
	if p.ear >= 0 {
		l.resting = slices.DeleteFunc(l.resting, func(s int32) bool { return s == p.ear })
		l.unwatch(p.ear)
		p.listener.close()
	}
	if p.entry >= 0 {
		p.old = append(p.old, p.entry)
	}
	for _, slot := range p.old {
		l.entries[slot].kind = old
		l.entries[slot].port = nil
	}
	l.ports[p.id] = nil
}

func (l *loop) setPlugged(p *port, plugged bool) {
	p.plugged.Store(plugged)
	if !plugged {
		l.flushMACs(p)
		l.sweep(p)
	}
	if l.tellCarrier(p); p.segment != nil && p.segment.Kind == Link {
		l.tellCarriers(p.segment)
	}
}

// rest stops asking a listener for connections that cannot be taken, for
// otherwise the loop would spin on it.
func (l *loop) rest(slot int32) {
	ev := unix.EpollEvent{Fd: slot, Pad: l.entries[slot].gen}
	unix.EpollCtl(l.epfd, unix.EPOLL_CTL_MOD, l.entries[slot].fd, &ev)
	l.resting = append(l.resting, slot)
	l.restedAt = l.tick
}

func (l *loop) wakeListeners() {
	for _, slot := range l.resting {
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: slot, Pad: l.entries[slot].gen}
		unix.EpollCtl(l.epfd, unix.EPOLL_CTL_MOD, l.entries[slot].fd, &ev)
	}
	l.resting = l.resting[:0]
}

func portName(p *port) string {
	if p == nil {
		return "removed"
	}
	return p.name
}
