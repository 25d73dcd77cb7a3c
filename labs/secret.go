package labs

import (
	"crypto/rand"
	"crypto/sha256"
	"strings"
)

// codeAlphabet has no letters that are mistaken for another or for a digit,
// and no vowels, so that no code spells a word: 20 remain, 4.3 bits each.
const codeAlphabet = "BCDFGHJKMNPQRSTVWXYZ"

// joinCodeLen is the length of a join code without its hyphen: 20^8 = 2.6e10,
// enough against guessing through a rate-limited form.
const joinCodeLen = 8

// NewSecret makes a secret for an API token or a one-time link: 26 characters,
// 130 random bits. Store HashSecret of it, never the secret.
func NewSecret() string { return rand.Text() }

// HashSecret is what is kept of a secret. Secrets have 130 random bits, so one
// SHA-256 is enough; passwords go through Passwords instead.
func HashSecret(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// NewJoinCode makes a code to write on a blackboard: XXXX-XXXX.
func NewJoinCode() string {
	s := randomFrom(codeAlphabet, joinCodeLen)
	return s[:joinCodeLen/2] + "-" + s[joinCodeLen/2:]
}

// CleanJoinCode gives a code the form that NewJoinCode gave it, however it was
// typed: "bcdf ghjk" is BCDF-GHJK. What cannot be a code comes back empty.
func CleanJoinCode(s string) string {
	var b strings.Builder
	for _, r := range strings.ToUpper(s) {
		switch {
		case strings.ContainsRune(codeAlphabet, r):
			if b.Len() == joinCodeLen/2 {
				b.WriteByte('-')
			}
			b.WriteRune(r)
		case r == '-' || r == ' ' || r == '\t' || r == '\r' || r == '\n':
		default:
			return ""
		}
	}
	if b.Len() != joinCodeLen+1 {
		return ""
	}
	return b.String()
}

// NewRackID makes a rack's identifier: 12 characters of a-z and 2-7, 60 random
// bits, short enough for the paths of unix sockets (107 bytes in all).
func NewRackID() string { return strings.ToLower(rand.Text()[:12]) }

// randomFrom draws n letters of an alphabet of at most 256, each as likely as
// the others: bytes beyond the last whole multiple are drawn again.
func randomFrom(alphabet string, n int) string {
	limit := 256 - 256%len(alphabet)
	out := make([]byte, 0, n)
	var b [1]byte
	for len(out) < n {
		rand.Read(b[:]) // never fails since Go 1.24
		if int(b[0]) < limit {
			out = append(out, alphabet[int(b[0])%len(alphabet)])
		}
	}
	return string(out)
}
