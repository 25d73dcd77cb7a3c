package labs

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// argonParams is the cost of a password. 19 MiB, two passes, one lane is the
// smallest setting that OWASP's cheat sheet recommends for Argon2id; it takes
// some 20 ms of one core.
type argonParams struct {
	memory uint32 // KiB
	time   uint32
	lanes  uint8
}

var currentParams = argonParams{memory: 19 << 10, time: 2, lanes: 1}

const (
	saltLen = 16
	keyLen  = 32
	// Bounds of what a stored hash may demand: a database from elsewhere
	// must not make a login take a gigabyte.
	maxArgonMemory = 256 << 10
	maxArgonTime   = 16
)

// Password lengths: the lower bound is NIST SP 800-63B's, the upper one keeps
// the hash from being fed megabytes.
const (
	MinPasswordLen = 8    // characters
	MaxPasswordLen = 1024 // bytes
)

// CheckPassword says what is wrong with a new password. The error has code Invalid.
func CheckPassword(password string) error {
	if utf8.RuneCountInString(password) < MinPasswordLen {
		return Errorf(Invalid, "A password has at least %d characters.", MinPasswordLen)
	}
	if len(password) > MaxPasswordLen {
		return Errorf(Invalid, "A password has at most %d bytes.", MaxPasswordLen)
	}
	return nil
}

// Passwords hashes and verifies passwords with Argon2id, a few at a time, so
// that a flood of logins takes neither all memory nor all cores. It is safe
// for use by several goroutines.
type Passwords struct {
	slots chan struct{}
}

// NewPasswords makes a Passwords that works on at most n at once (19 MiB each).
func NewPasswords(n int) *Passwords {
	return &Passwords{slots: make(chan struct{}, max(n, 1))}
}

// Hash turns a password into the PHC string to keep. It waits for a slot until
// ctx ends.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	if err := CheckPassword(password); err != nil {
		return "", err
	}
	salt := make([]byte, saltLen)
	rand.Read(salt)
	key, err := p.derive(ctx, password, salt, currentParams, keyLen)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		currentParams.memory, currentParams.time, currentParams.lanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}

// Verify says whether password is the one that was hashed, and whether the
// hash is older than today's cost and should be made anew. An empty hash, for
// a login that does not exist or has no password yet, takes as long as a real
// one and is never ok.
func (p *Passwords) Verify(ctx context.Context, hash, password string) (ok, upgrade bool, err error) {
	if len(password) > MaxPasswordLen {
		return false, false, nil
	}
	if hash == "" {
		_, err := p.derive(ctx, password, make([]byte, saltLen), currentParams, keyLen)
		return false, false, err
	}
	params, salt, want, err := parseHash(hash)
	if err != nil {
		return false, false, err
	}
	got, err := p.derive(ctx, password, salt, params, uint32(len(want)))
	if err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(got, want) == 1
	return ok, ok && (params != currentParams || len(want) != keyLen), nil
}

func (p *Passwords) derive(ctx context.Context, password string, salt []byte, a argonParams, n uint32) ([]byte, error) {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to hash a password: %w", ctx.Err())
	}
	return argon2.IDKey([]byte(password), salt, a.time, a.memory, a.lanes, n), nil
}

func parseHash(hash string) (a argonParams, salt, key []byte, err error) {
	bad := func(why string) (argonParams, []byte, []byte, error) {
		return argonParams{}, nil, nil, fmt.Errorf("reading a stored password hash: %s", why)
	}
	f := strings.Split(hash, "$")
	if len(f) != 6 || f[0] != "" || f[1] != "argon2id" {
		return bad("not an argon2id PHC string")
	}
	if f[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return bad("unknown argon2 version")
	}
	if _, err := fmt.Sscanf(f[3], "m=%d,t=%d,p=%d", &a.memory, &a.time, &a.lanes); err != nil {
		return bad("parameters are not m=,t=,p=")
	}
	if a.memory < 8 || a.memory > maxArgonMemory || a.time < 1 || a.time > maxArgonTime || a.lanes < 1 {
		return bad("parameters out of bounds")
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(f[4])
	key, err2 := base64.RawStdEncoding.DecodeString(f[5])
	if err1 != nil || err2 != nil || len(salt) < 8 || len(key) < 16 || len(key) > 64 {
		return bad("salt or key malformed")
	}
	return a, salt, key, nil
}
