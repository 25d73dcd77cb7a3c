package param

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
)

// version is part of every draw: another way to draw must not look like this one.
const version = "patchbay parameters 1"

// derive makes a key of the server's secret for one purpose. The parts are
// marked off from each other by their lengths.
func derive(secret []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, secret)
	for _, p := range append([]string{version}, parts...) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return h.Sum(nil)
}

// source is a row of numbers that only who has the key can foretell.
type source struct {
	key []byte
	n   uint64
}

func newSource(key []byte) *source { return &source{key: key} }

// below draws from 0 to size-1. 128 bits more than needed are drawn, so that
// no number is likelier than another by more than 2^-128.
func (s *source) below(size *big.Int) *big.Int {
	var b []byte
	for len(b) < size.BitLen()/8+17 {
		h := hmac.New(sha256.New, s.key)
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], s.n)
		s.n++
		h.Write(n[:])
		b = h.Sum(b)
	}
	out := new(big.Int).SetBytes(b)
	return out.Mod(out, size)
}

// rounds of the Feistel network; four are enough for it to look random where
// the domain is large, and more help where it is small.
const rounds = 10

// permute is a permutation of the numbers below size, at most 2^128, one for
// each key: a Feistel network over the next even number of bits, walked on
// until it comes to a number below size (at most four steps on average).
func permute(key []byte, size, n *big.Int) *big.Int {
	half := uint(max(1, (new(big.Int).Sub(size, big.NewInt(1)).BitLen()+1)/2))
	mask := ^uint64(0) >> (64 - half)
	h := hmac.New(sha256.New, key)
	var b [9]byte
	var sum [sha256.Size]byte
	for {
		left := new(big.Int).Rsh(n, half).Uint64()
		right := new(big.Int).And(n, new(big.Int).SetUint64(mask)).Uint64()
		for i := range rounds {
			b[0] = byte(i)
			binary.BigEndian.PutUint64(b[1:], right)
			h.Reset()
			h.Write(b[:])
			left, right = right, left^(binary.BigEndian.Uint64(h.Sum(sum[:0]))&mask)
		}
		n = new(big.Int).SetUint64(left)
		n.Lsh(n, half).Or(n, new(big.Int).SetUint64(right))
		if n.Cmp(size) < 0 {
			return n
		}
	}
}
