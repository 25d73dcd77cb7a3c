// Package param draws what differs from student to student in a lab: addresses,
// names, secrets, faults to find. A draw depends on the server's secret, the
// lab, the student and the declaration alone, so it is the same each time, and
// nobody without the secret can foretell another's.
package param

import (
	"encoding"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Decl declares a parameter. Exactly one of its kinds is set: Network, Address,
// Number, Secret, Words, MAC, Choice or Shuffle.
//
// The tags say what a lab.yaml may hold: yaml names the key, doc describes it.
type Decl struct {
	Name string `json:"name" yaml:"-"` // its key in the lab file, ^[a-z][a-z0-9-]{0,30}$

	Network netip.Prefix `json:"network,omitzero" yaml:"network" doc:"A network within this one, IPv4 or IPv6. ((x)) is 10.3.7.0/24, ((x.1)) its first address, ((x.-1)) the last one for a host, ((x.network)) 10.3.7.0, ((x.length)) 24, ((x.mask)) 255.255.255.0, ((x.broadcast)) 10.3.7.255."`
	Length  int          `json:"length,omitempty" yaml:"length" doc:"The prefix length of the drawn network; 24, or 64 for IPv6, when nothing is said."`
	Address netip.Prefix `json:"address,omitzero" yaml:"address" doc:"One host's address in this network, never the network's own or its broadcast address. ((x.length)) and ((x.mask)) are the network's."`
	Number  Range        `json:"number,omitzero" yaml:"number" doc:"A number from FIRST..LAST, both included."`
	Secret  int          `json:"secret,omitempty" yaml:"secret" doc:"A secret of so many characters, from 8 to 64, of a-z and 2-9."`
	Words   []string     `json:"name_of,omitempty" yaml:"name" doc:"One of these names."`
	MAC     bool         `json:"mac,omitempty" yaml:"mac" doc:"A MAC address that begins with 02."`
	Choice  []string     `json:"choice,omitempty" yaml:"choice" doc:"One of these, drawn for itself: two choices of one lab may be alike."`
	Shuffle []string     `json:"shuffle,omitempty" yaml:"shuffle" doc:"All of these in an order of the student's: ((x.1)), ((x.2)) and so on."`

	Distinct bool  `json:"distinct,omitempty" yaml:"distinct" doc:"No two students get the same."`
	Watch    *bool `json:"watch,omitempty" yaml:"watch" doc:"Tell the staff when it is seen in another student's lab. Secrets are watched when nothing is said, and networks, addresses and MACs that are distinct."`
}

// Limits of what may be declared.
const (
	MaxDecls  = 64
	MaxItems  = 1000 // of name, choice and shuffle
	MaxItem   = 200  // bytes of one of them
	MinSecret = 8
	MaxSecret = 64
)

// Kind of a parameter: its key in the lab file.
type Kind string

// The kinds.
const (
	KindNetwork Kind = "network"
	KindAddress Kind = "address"
	KindNumber  Kind = "number"
	KindSecret  Kind = "secret"
	KindName    Kind = "name"
	KindMAC     Kind = "mac"
	KindChoice  Kind = "choice"
	KindShuffle Kind = "shuffle"
)

// Kinds lists the kinds that are set, in the order of the fields; a Decl that
// is in order has one.
func (d *Decl) Kinds() []Kind {
	var set []Kind
	for _, k := range []struct {
		kind Kind
		set  bool
	}{
		{KindNetwork, d.Network.IsValid()},
		{KindAddress, d.Address.IsValid()},
		{KindNumber, d.Number != Range{}},
		{KindSecret, d.Secret != 0},
		{KindName, d.Words != nil},
		{KindMAC, d.MAC},
		{KindChoice, d.Choice != nil},
		{KindShuffle, d.Shuffle != nil},
	} {
		if k.set {
			set = append(set, k.kind)
		}
	}
	return set
}

// Kind is the first kind that is set; empty when none is.
func (d *Decl) Kind() Kind {
	if set := d.Kinds(); len(set) > 0 {
		return set[0]
	}
	return ""
}

// Watched says whether the parameter's value is looked for in the labs of
// other students.
func (d *Decl) Watched() bool {
	if d.Watch != nil {
		return *d.Watch
	}
	switch d.Kind() {
	case KindSecret:
		return true
	case KindNetwork, KindAddress, KindMAC:
		return d.Distinct // of others one cannot say whose they are
	}
	return false
}

// length is the prefix length of a drawn network.
func (d *Decl) length() int {
	switch {
	case d.Length != 0:
		return d.Length
	case d.Network.Addr().Is4():
		return max(24, d.Network.Bits())
	}
	return max(64, d.Network.Bits())
}

// Range is the numbers from First to Last, both included; in text FIRST..LAST.
type Range struct {
	First, Last uint64
}

var (
	_ encoding.TextUnmarshaler = (*Range)(nil)
	_ encoding.TextMarshaler   = Range{}
)

// UnmarshalText reads FIRST..LAST. The error is a phrase for the author.
func (r *Range) UnmarshalText(text []byte) error {
	first, last, ok := strings.Cut(string(text), "..")
	a, errA := strconv.ParseUint(strings.TrimSpace(first), 10, 64)
	b, errB := strconv.ParseUint(strings.TrimSpace(last), 10, 64)
	if !ok || errA != nil || errB != nil {
		return fmt.Errorf("%.40q is no range of numbers: write it like 2000..2999", text)
	}
	if a > b {
		return fmt.Errorf("the range %d..%d ends before it begins: write the smaller number first", a, b)
	}
	if a == 0 && b == 0 {
		return fmt.Errorf("the range 0..0 has nothing to draw: write it like 2000..2999")
	}
	*r = Range{a, b}
	return nil
}

// MarshalText writes FIRST..LAST.
func (r Range) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d..%d", r.First, r.Last), nil
}
