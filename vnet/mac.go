package vnet

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"time"
)

// macTick is the resolution of ages. In a uint32 it lasts 13 years.
const macTick = 100 * time.Millisecond

// A macKey is an address in the low 48 bits, room for a VLAN in the next 12,
// and the top bit set, so that no key is the zero of an empty slot.
type macKey uint64

const macUsed macKey = 1 << 63

// keyOf reads the address at the start of b, which has at least 6 bytes.
func keyOf(b []byte) macKey {
	_ = b[5]
	return macUsed | macKey(binary.BigEndian.Uint16(b))<<32 | macKey(binary.BigEndian.Uint32(b[2:]))
}

func (k macKey) addr() (a [6]byte) {
	binary.BigEndian.PutUint16(a[:], uint16(k>>32))
	binary.BigEndian.PutUint32(a[2:], uint32(k))
	return a
}

// group says whether the address is multicast or broadcast.
func (k macKey) group() bool { return k&(1<<40) != 0 }

// in returns the address as a VLAN's own.
func (k macKey) in(vlan uint16) macKey { return k | macKey(vlan)<<48 }

func (k macKey) vlan() uint16 { return uint16(k>>48) & 0xfff }

// zero says whether the address is 00:00:00:00:00:00, which nobody has.
func (k macKey) zero() bool { return k<<16 == 0 }

// macTable maps addresses to ports: open addressing with linear probing, at
// most half full, 16 bytes a slot, allocated once. The hash is seeded, so that
// a guest cannot choose addresses that all fall into one place.
type macTable struct {
	slots  []macSlot // a power of two
	shift  uint      // 64 - log2(len(slots))
	seed   uint64
	used   int
	moves  int // how often an address was learned at another port than before
	limit  int
	maxAge uint32 // in ticks
	swept  uint32 // tick of the last expire that learn asked for
}

type macSlot struct {
	key  macKey
	port int32
	seen uint32 // tick of the last frame
}

func newMACTable(limit int, age time.Duration) *macTable {
	width := bits.Len(uint(2*limit - 1))
	return &macTable{
		slots:  make([]macSlot, 1<<width),
		shift:  uint(64 - width),
		seed:   rand.Uint64(),
		limit:  limit,
		maxAge: uint32(min((age+macTick-1)/macTick, 1<<31)),
	}
}

// home is where the search for k starts: a finaliser of the murmur kind over
// the seeded key.
func (t *macTable) home(k macKey) uint64 {
	h := uint64(k) ^ t.seed
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h >> t.shift
}

// find returns k's slot, or the empty one where it would go.
func (t *macTable) find(k macKey) *macSlot {
	mask := uint64(len(t.slots) - 1)
	for i := t.home(k); ; i++ {
		s := &t.slots[i&mask]
		if s.key == k || s.key == 0 {
			return s
		}
	}
}

// lookup returns the port where k was seen, or -1.
func (t *macTable) lookup(k macKey, now uint32) int32 {
	if s := t.find(k); s.key != 0 && now-s.seen <= t.maxAge {
		return s.port
	}
	return -1
}

// learn notes that k sent a frame through port. It returns false when there
// was no room for a new address.
func (t *macTable) learn(k macKey, port int32, now uint32) bool {
	s := t.find(k)
	if s.key == 0 {
		if t.used >= t.limit {
			// A flood of new addresses may cost a sweep only now and then.
			if now == t.swept {
				return false
			}
			t.swept = now
			t.expire(now)
			if t.used >= t.limit {
				return false
			}
			s = t.find(k) // the sweep moved slots
		}
		t.used++
		s.key, s.port = k, port
	}
	if s.port != port {
		t.moves++
	}
	if s.port != port || s.seen != now { // spares the cache line when nothing is new
		s.port, s.seen = port, now
	}
	return true
}

// flush forgets all addresses seen at port.
func (t *macTable) flush(port int32) {
	t.deleteFunc(func(s *macSlot) bool { return s.port == port })
}

// expire forgets all addresses that were silent for too long.
func (t *macTable) expire(now uint32) {
	t.deleteFunc(func(s *macSlot) bool { return now-s.seen > t.maxAge })
}

func (t *macTable) deleteFunc(unwanted func(*macSlot) bool) {
	if t.used == 0 {
		return
	}
	for i := range t.slots {
		// Closing the gap may bring another slot here: look again. What wraps
		// around from the start of the table has been looked at already.
		for t.slots[i].key != 0 && unwanted(&t.slots[i]) {
			t.deleteAt(uint64(i))
		}
	}
}

// deleteAt empties slot i and moves later slots of the same run back, so that
// none is cut off from its home.
func (t *macTable) deleteAt(i uint64) {
	mask := uint64(len(t.slots) - 1)
	for j := i; ; {
		j = (j + 1) & mask
		if t.slots[j].key == 0 {
			break
		}
		// j's slot may move to i unless its home lies in (i, j].
		if home := t.home(t.slots[j].key); (j-home)&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = macSlot{}
	t.used--
}
