package uplink

import (
	"net/netip"
	"time"
)

// leaseTime is how long an address is given for. A guest that is started again
// finds its address by its card's, however long it was off.
const leaseTime = time.Hour

// declined is how long an address is not given out that a guest found in use.
const declined = 10 * time.Minute

// lease is an address that belongs to a card until it ends, or to none.
type lease struct {
	mac  string // empty: nobody's, but not to be given out
	ends time.Time
}

// leases is who has which address of the upper half of a network. It is for one
// goroutine, and bounded by the network.
type leases struct {
	first, last netip.Addr
	byAddr      map[netip.Addr]lease
	byMAC       map[string]netip.Addr // as long as nobody else has the address
	next        netip.Addr            // where the search for a free one goes on
	full        bool                  // somebody got none, which the log knows
}

func newLeases(p netip.Prefix) *leases {
	top := last(p).As4()
	half := top
	bit := p.Bits() // the first of the host's own
	for b := bit; b < 32; b++ {
		half[b/8] &^= 0x80 >> (b % 8)
	}
	half[bit/8] |= 0x80 >> (bit % 8)
	l := &leases{first: netip.AddrFrom4(half), last: netip.AddrFrom4(top).Prev(), byAddr: map[netip.Addr]lease{}, byMAC: map[string]netip.Addr{}}
	l.next = l.first
	return l
}

// offer finds an address for a card: the one it had, the one it wishes, or any
// that is free. ok is false when there is none.
func (l *leases) offer(mac string, wish netip.Addr, now time.Time) (a netip.Addr, ok bool) {
	if a, ok := l.byMAC[mac]; ok && l.may(mac, a, now) {
		return a, true
	}
	if l.may(mac, wish, now) {
		return wish, true
	}
	// Never used before used and over, so that a guest that was off finds its
	// address again; then whichever has been over.
	for _, over := range []bool{false, true} {
		for range int(l.size()) {
			a := l.next
			if l.next = a.Next(); a == l.last {
				l.next = l.first
			}
			old, used := l.byAddr[a]
			if !used || over && !old.ends.After(now) {
				return a, true
			}
		}
	}
	return netip.Addr{}, false
}

func (l *leases) size() uint32 {
	a, b := l.first.As4(), l.last.As4()
	n := func(x [4]byte) uint32 {
		return uint32(x[0])<<24 | uint32(x[1])<<16 | uint32(x[2])<<8 | uint32(x[3])
	}
	return n(b) - n(a) + 1
}

// may says whether a card may have an address.
func (l *leases) may(mac string, a netip.Addr, now time.Time) bool {
	if !a.IsValid() || a.Less(l.first) || l.last.Less(a) {
		return false
	}
	old, used := l.byAddr[a]
	return !used || old.mac == mac || !old.ends.After(now)
}

// grant gives a card an address that it may have.
func (l *leases) grant(mac string, a netip.Addr, ends time.Time) {
	if had, ok := l.byMAC[mac]; ok && had != a {
		delete(l.byAddr, had)
	}
	if old, ok := l.byAddr[a]; ok && old.mac != mac {
		delete(l.byMAC, old.mac)
	}
	l.byAddr[a] = lease{mac, ends}
	l.byMAC[mac] = a
}

// release ends a card's lease; the address stays with it as long as there are
// others.
func (l *leases) release(mac string, now time.Time) {
	if a, ok := l.byMAC[mac]; ok {
		l.byAddr[a] = lease{mac, now}
	}
}

// decline takes an address out of use for a while: its card's, since somebody
// else has taken it by hand.
func (l *leases) decline(mac string, now time.Time) {
	if a, ok := l.byMAC[mac]; ok {
		delete(l.byMAC, mac)
		l.byAddr[a] = lease{"", now.Add(declined)}
	}
}
