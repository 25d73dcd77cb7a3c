package web

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxLimited bounds how many keys a limiter remembers: at some 150 bytes each,
// 16384 are 2.5 MiB.
const maxLimited = 16384

// limiter says no to who asks too often, per key. It is safe for use by
// several goroutines.
type limiter struct {
	rate  rate.Limit
	burst int

	mu   sync.Mutex
	keys map[string]*rate.Limiter // guarded by mu
}

// newLimiter allows burst at once and perSecond after that.
func newLimiter(perSecond float64, burst int) *limiter {
	return &limiter{rate: rate.Limit(perSecond), burst: burst, keys: make(map[string]*rate.Limiter)}
}

// allow takes one of key's tokens, and says whether there was one.
func (l *limiter) allow(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k, ok := l.keys[key]
	if !ok {
		l.makeRoom()
		k = rate.NewLimiter(l.rate, l.burst)
		l.keys[key] = k
	}
	return k.Allow()
}

// forget gives key all its tokens back.
func (l *limiter) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.keys, key)
}

// makeRoom drops the keys that have all their tokens again, which changes
// nothing for them, and when there are none the half that Go's map gives
// first, which is no order that an attacker could choose. l.mu is held.
func (l *limiter) makeRoom() {
	if len(l.keys) < maxLimited {
		return
	}
	now := time.Now()
	for key, k := range l.keys {
		if k.TokensAt(now) >= float64(l.burst) {
			delete(l.keys, key)
		}
	}
	for key := range l.keys {
		if len(l.keys) <= maxLimited/2 {
			break
		}
		delete(l.keys, key)
	}
}
