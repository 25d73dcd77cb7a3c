package uplink

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// answerTTL is said with every answer of DNS: the host's resolver does not
	// tell how long its own are good.
	answerTTL = time.Minute
	// grace is how much longer an answer opens the way: programs look up once
	// and connect again and again.
	grace = 5 * time.Minute

	maxAnswers = 4096 // a name with an address; some 150 bytes each
	maxPerName = 16   // addresses, so that an answer fits into 512 bytes
)

// answers remembers which addresses were given for which names.
type answers struct {
	mu     sync.Mutex
	byAddr map[netip.Addr]map[string]time.Time // guarded by mu; until when
	count  int                                 // guarded by mu
}

func newAnswers() *answers { return &answers{byAddr: map[netip.Addr]map[string]time.Time{}} }

// add notes that a name was answered with addresses.
func (t *answers) add(name string, addrs []netip.Addr, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count+len(addrs) > maxAnswers {
		t.sweep(now)
	}
	for _, a := range addrs {
		names := t.byAddr[a]
		if names == nil {
			names = map[string]time.Time{}
			t.byAddr[a] = names
		}
		if _, known := names[name]; !known {
			t.count++
		}
		names[name] = now.Add(answerTTL + grace)
	}
}

// sweep forgets what is over, and all when that is not enough: a guest that
// asks for thousands of names a minute asks again. mu is held.
func (t *answers) sweep(now time.Time) {
	for a, names := range t.byAddr {
		for name, until := range names {
			if !until.After(now) {
				delete(names, name)
				t.count--
			}
		}
		if len(names) == 0 {
			delete(t.byAddr, a)
		}
	}
	if t.count > maxAnswers/2 {
		clear(t.byAddr)
		t.count = 0
	}
}

// names lists, in order, the names for which an address was given and which
// still hold.
func (t *answers) names(a netip.Addr, now time.Time) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []string
	for name, until := range t.byAddr[a] {
		if until.After(now) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}
