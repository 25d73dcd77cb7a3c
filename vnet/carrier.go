package vnet

import "golang.org/x/sys/unix"

// carrierMessage is a record of one byte, which no frame is.
func carrierMessage(on bool) [1]byte {
	if on {
		return [1]byte{1}
	}
	return [1]byte{0}
}

// hasCarrier says whether p's guest is to see a cable with something at its
// other end: a switch, a hub, or, on a link, a cable that is in there too. A
// neighbour that is off takes no carrier away.
func (p *port) hasCarrier() bool {
	if p.segment == nil || !p.plugged.Load() {
		return false
	}
	if p.segment.Kind == Link && !p.mirror {
		for _, q := range p.segment.ports {
			if !q.plugged.Load() {
				return false
			}
		}
	}
	return true
}

// tellCarrier tells p's guest about its carrier, if that is not what it
// believes. A guest whose socket is full is told when there is room.
func (l *loop) tellCarrier(p *port) {
	if !p.carries || p.fd < 0 {
		return
	}
	now := p.hasCarrier()
	owed := false
	if now != p.carrier.told {
		m := carrierMessage(now)
		err := unix.Sendto(p.fd, m[:], unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil)
		if owed = err == unix.EAGAIN; !owed {
			p.carrier.told = now // or its end is gone, and the next one begins anew
		}
	}
	if owed != p.carrier.owed {
		p.carrier.owed = owed
		l.interest(p.entry, owed)
	}
}

// tellCarriers does so for all ports of a segment.
func (l *loop) tellCarriers(g *segment) {
	if g == nil {
		return
	}
	for _, p := range g.ports {
		l.tellCarrier(p)
	}
}

// interest has the loop hear of a connection when it may be written to, or no
// longer.
func (l *loop) interest(slot int32, out bool) {
	ev := unix.EpollEvent{Events: readable, Fd: slot, Pad: l.entries[slot].gen}
	if out {
		ev.Events |= unix.EPOLLOUT
	}
	unix.EpollCtl(l.epfd, unix.EPOLL_CTL_MOD, l.entries[slot].fd, &ev)
}
