package param

import (
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
)

// alphabet of secrets: 32 characters, so that each is five bits. It lacks what
// is taken for another when it is read from a screen: 0, 1, l and o.
const alphabet = "abcdefghijkmnpqrstuvwxyz23456789"

// numbered is how many characters of a secret its number says: 120 bits, as
// many as permute takes. The rest is drawn.
const numbered = 24

// space is what a parameter is drawn from, its values numbered from 0.
type space struct {
	name string // the same for declarations that draw from the same
	size *big.Int
	// at is the value with a number. What the number does not say comes from src.
	at func(number *big.Int, src *source) drawn
}

// drawn is a value with what can be said of it.
type drawn struct {
	Value
	kind   Kind
	prefix netip.Prefix // of a network: itself; of an address: what it lies in
	items  []string     // of a shuffle
}

// apart says whether two parameters of this kind differ within a lab.
func (d *Decl) apart() bool {
	k := d.Kind()
	return k != KindChoice && k != KindShuffle
}

// space of a declaration that is in order.
func (d *Decl) space() space {
	kind := d.Kind()
	text := func(s string) drawn { return drawn{Value: Value{Text: s}, kind: kind} }
	switch kind {
	case KindNetwork:
		l := d.length()
		return space{
			name: fmt.Sprintf("network %s %d", d.Network, l),
			size: power(l - d.Network.Bits()),
			at: func(n *big.Int, _ *source) drawn {
				p := netip.PrefixFrom(offset(d.Network.Addr(), new(big.Int).Lsh(n, uint(d.Network.Addr().BitLen()-l))), l)
				v := text(p.String())
				v.prefix = p
				return v
			},
		}
	case KindAddress:
		first, size := hosts(d.Address)
		return space{
			name: "address " + d.Address.String(),
			size: size,
			at: func(n *big.Int, _ *source) drawn {
				v := text(offset(first, n).String())
				v.prefix = d.Address
				return v
			},
		}
	case KindNumber:
		size := new(big.Int).SetUint64(d.Number.Last - d.Number.First)
		return space{
			name: fmt.Sprintf("number %d..%d", d.Number.First, d.Number.Last),
			size: size.Add(size, big.NewInt(1)),
			at: func(n *big.Int, _ *source) drawn {
				return text(strconv.FormatUint(d.Number.First+n.Uint64(), 10))
			},
		}
	case KindSecret:
		own := min(d.Secret, numbered)
		return space{
			name: fmt.Sprintf("secret %d", d.Secret),
			size: power(5 * own),
			at:   func(n *big.Int, src *source) drawn { return text(secret(n, own, d.Secret, src)) },
		}
	case KindMAC:
		return space{name: "mac", size: power(40), at: func(n *big.Int, _ *source) drawn {
			b := n.FillBytes(make([]byte, 5))
			return text(fmt.Sprintf("02:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4]))
		}}
	case KindName:
		return space{name: "name " + strings.Join(d.Words, "\x00"), size: big.NewInt(int64(len(d.Words))),
			at: func(n *big.Int, _ *source) drawn { return text(d.Words[n.Int64()]) }}
	case KindChoice:
		return space{name: "choice " + d.Name, size: big.NewInt(int64(len(d.Choice))),
			at: func(n *big.Int, _ *source) drawn { return text(d.Choice[n.Int64()]) }}
	default: // a shuffle
		return shuffleSpace(d)
	}
}

// maxOrders is how many items of a shuffle its number says the order of: 33!
// is less than 2^128, which permute takes. The others are drawn.
const maxOrders = 33

func shuffleSpace(d *Decl) space {
	n := len(d.Shuffle)
	own := min(n, maxOrders)
	size := new(big.Int).MulRange(int64(n-own+1), int64(n)) // of the first own places
	for size.BitLen() > 128 {
		own--
		size.MulRange(int64(n-own+1), int64(n))
	}
	return space{name: "shuffle " + d.Name, size: size, at: func(number *big.Int, src *source) drawn {
		items := append([]string(nil), d.Shuffle...)
		number = new(big.Int).Set(number)
		rest := new(big.Int)
		for i := range items[:n-1] {
			left := big.NewInt(int64(n - i))
			if i < own {
				number.DivMod(number, left, rest)
			} else {
				rest = src.below(left)
			}
			j := i + int(rest.Int64())
			items[i], items[j] = items[j], items[i]
		}
		return drawn{Value: Value{Text: strings.Join(items, " ")}, kind: KindShuffle, items: items}
	}}
}

// secret writes a number in the alphabet, own characters long, and draws the
// rest up to length.
func secret(n *big.Int, own, length int, src *source) string {
	out := make([]byte, 0, length)
	b := new(big.Int).Set(n)
	rest, base := new(big.Int), big.NewInt(int64(len(alphabet)))
	for len(out) < length {
		if len(out) < own {
			b.DivMod(b, base, rest)
		} else {
			rest = src.below(base)
		}
		out = append(out, alphabet[rest.Int64()])
	}
	return string(out)
}

// hosts are the addresses of a network that a host may have: not the network's
// own, which in IPv6 is that of its routers, nor IPv4's broadcast. A network
// of one or two addresses has no such.
func hosts(p netip.Prefix) (first netip.Addr, n *big.Int) {
	bits := p.Addr().BitLen() - p.Bits()
	n = power(bits)
	first = p.Masked().Addr()
	if bits < 2 {
		return first, n
	}
	reserved := int64(1)
	if p.Addr().Is4() {
		reserved = 2
	}
	return first.Next(), n.Sub(n, big.NewInt(reserved))
}

// offset is the address n behind a.
func offset(a netip.Addr, n *big.Int) netip.Addr {
	sum := new(big.Int).SetBytes(a.AsSlice())
	sum.Add(sum, n)
	b := make([]byte, a.BitLen()/8)
	out, _ := netip.AddrFromSlice(sum.FillBytes(b))
	return out
}

// power is 2^bits.
func power(bits int) *big.Int { return new(big.Int).Lsh(big.NewInt(1), uint(bits)) }
