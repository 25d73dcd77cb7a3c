package web

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/patchbay/patchbay/labs"
)

const (
	inviteFor = time.Minute
	visitFor  = 24 * time.Hour // after that, the way leads over Patchbay again
	// maxVisits is how many origins one person may have open; the oldest goes.
	maxVisits = 64
	// maxInvites bounds the tokens that nobody has used yet, of one person.
	maxInvites = 16
)

// visit is one person's way to one published port.
type visit struct {
	who   actor
	rack  string
	node  string
	port  int
	label string // of the origin
	home  string // the lab's page
	ends  time.Time
}

// visits holds who may see which published page. They live in memory: after the
// server's restart a browser is sent over Patchbay, which it need not notice.
// The zero value is ready; it is safe for use by several goroutines.
type visits struct {
	mu      sync.Mutex
	invited map[[32]byte]visit // guarded by mu; by the token's hash
	open    map[[32]byte]visit // guarded by mu; by the cookie's hash
}

// secretOf makes a secret of 256 bits, and its hash. Only the hash is kept, so
// that what reads memory or a log cannot become somebody else.
func secretOf() (string, [32]byte) {
	secret := rand.Text() + rand.Text()
	return secret, sha256.Sum256([]byte(secret))
}

// invite makes a token for a visit.
func (v *visits) invite(to visit, now time.Time) (string, error) {
	token, hash := secretOf()
	to.ends = now.Add(inviteFor)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.invited == nil {
		v.invited, v.open = map[[32]byte]visit{}, map[[32]byte]visit{}
	}
	theirs := 0
	for h, other := range v.invited {
		if !other.ends.After(now) {
			delete(v.invited, h)
		} else if other.who.ID == to.who.ID {
			theirs++
		}
	}
	if theirs >= maxInvites {
		return "", errTooMany("You have opened many pages of labs in a short time. Please wait a minute.")
	}
	v.invited[hash] = to
	return token, nil
}

// enter uses a token up, and gives the cookie's secret for it.
func (v *visits) enter(token, label string, now time.Time) (string, error) {
	cookie, hash := secretOf()
	v.mu.Lock()
	defer v.mu.Unlock()
	at := sha256.Sum256([]byte(token))
	to, ok := v.invited[at]
	delete(v.invited, at)
	if !ok || to.label != label || !to.ends.After(now) {
		return "", labs.Errorf(labs.NotFound, "This link has been used, or it is too old. Open the page from its lab once more.")
	}
	var oldest [32]byte
	theirs := 0
	for h, other := range v.open {
		switch {
		case !other.ends.After(now) || other.who.ID == to.who.ID && other.who.token == to.who.token && other.label == to.label:
			delete(v.open, h)
		case other.who.ID == to.who.ID:
			if theirs++; theirs == 1 || other.ends.Before(v.open[oldest].ends) {
				oldest = h
			}
		}
	}
	if theirs >= maxVisits {
		delete(v.open, oldest)
	}
	to.ends = now.Add(visitFor)
	v.open[hash] = to
	return cookie, nil
}

// find finds the visit of a cookie on an origin.
func (v *visits) find(cookie, label string, now time.Time) (visit, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	to, ok := v.open[sha256.Sum256([]byte(cookie))]
	return to, ok && to.label == label && to.ends.After(now)
}

// leave ends the visit of a cookie.
func (v *visits) leave(cookie string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.open, sha256.Sum256([]byte(cookie)))
}
