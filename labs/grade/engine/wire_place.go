package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/vnet/probe"
)

// places are where the probes of one run stand: the addresses that were drawn
// for them. The zero value is ready.
type places struct {
	mu    sync.Mutex
	drawn map[string]*place // by who asks and for what network
	seed  string
}

// place is one address that is drawn once.
type place struct {
	mu   sync.Mutex // held while it is drawn, or while the place is somebody's alone
	addr netip.Prefix
}

// placed is a Target that keeps places for a run; with another each try draws
// for itself.
type placed interface{ placesOf() *places }

func placesOf(t Target) *places {
	if p, ok := t.(placed); ok {
		return p.placesOf()
	}
	return &places{}
}

func (p *places) at(key string) *place {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn == nil {
		p.drawn = map[string]*place{}
	}
	if p.drawn[key] == nil {
		p.drawn[key] = &place{}
	}
	return p.drawn[key]
}

// secret is the run's own, for probes that come again as the same machine.
func (p *places) secret() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seed == "" {
		p.seed = rand.Text()
	}
	return p.seed
}

// claimedError is a finding: somebody has all of a network's addresses.
type claimedError struct {
	network netip.Prefix
	segment string
}

func (e *claimedError) Error() string {
	return fmt.Sprintf("something on %s answers for every address of %s, so that no machine can join", e.segment, e.network)
}

const (
	maxDraws  = 8
	drawWait  = 120 * time.Millisecond
	drawAgain = 80 * time.Millisecond
)

// join has a probe host join where a check says. Without an address of its own
// the probe gets one that nobody has, drawn by chance: a student can neither
// know it before nor tell its machine from any other that might come. An error
// that is a *claimedError is a finding.
func join(ctx context.Context, t Target, at grade.At) (*probe.Host, func(), error) {
	if err := hasRoom(t, at.Segment); err != nil {
		return nil, nil, err
	}
	networks, err := networksOf(t, at)
	if err != nil {
		return nil, nil, err
	}
	who := at // of which one address each is drawn
	at.Address = nil
	for _, n := range networks {
		if !isNetwork(n) {
			at.Address = append(at.Address, n.String())
			continue
		}
		a, err := draw(ctx, t, who, n)
		if err != nil {
			return nil, nil, err
		}
		at.Address = append(at.Address, a.String())
	}
	h, done, err := t.Attach(ctx, at)
	if err != nil {
		return nil, nil, fmt.Errorf("joining %s: %w", at.Segment, err)
	}
	return h, done, nil
}

// hasRoom says why a probe cannot join a segment.
func hasRoom(t Target, segment string) error {
	for _, g := range t.Topology().Segments {
		if g.Name == segment && g.Kind == labs.Link {
			return errors.New(segment + ": " + grade.NoRoom)
		}
	}
	return nil
}

// isNetwork says whether a prefix stands for any of its addresses.
func isNetwork(p netip.Prefix) bool {
	return p == p.Masked() && p.Addr().BitLen()-p.Bits() >= 2
}

// networksOf is what a check says of its probe's addresses, or the networks of
// the lab's own interfaces there.
func networksOf(t Target, at grade.At) ([]netip.Prefix, error) {
	var list []netip.Prefix
	add := func(s string, network bool) error {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return fmt.Errorf("the address of a probe or an interface: %w", err)
		}
		if network {
			p = p.Masked()
		}
		if !slices.Contains(list, p) {
			list = append(list, p)
		}
		return nil
	}
	for _, s := range at.Address {
		if err := add(s, false); err != nil {
			return nil, err
		}
	}
	if len(list) > 0 {
		return list, nil
	}
	for _, n := range t.Topology().Nodes {
		for _, f := range n.Interfaces {
			if f.Segment != at.Segment || f.VLAN != at.VLAN {
				continue
			}
			for _, s := range f.Addresses {
				if err := add(s, true); err != nil {
					return nil, err
				}
			}
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("the lab gives no address to any interface on %s, so the check has to say “address: NETWORK” of its probe", at.Segment)
	}
	return list[:min(len(list), 4)], nil
}

// draw returns an address of a network that nobody on the segment answers for,
// the same one for the same place during a run.
func draw(ctx context.Context, t Target, at grade.At, network netip.Prefix) (netip.Prefix, error) {
	p := placesOf(t).at(fmt.Sprintf("%q %s", []any{at.Segment, at.VLAN, at.Gateway, at.DNS}, network))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.addr.IsValid() {
		return p.addr, nil
	}
	h, done, err := t.Attach(ctx, grade.At{Segment: at.Segment, VLAN: at.VLAN})
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("joining %s: %w", at.Segment, err)
	}
	defer done()
	taken := known(t, at)
	tried := 0
	for range 20 * maxDraws {
		a := someAddress(network)
		if taken[a] {
			continue
		}
		if tried == maxDraws {
			return netip.Prefix{}, &claimedError{network, at.Segment}
		}
		tried++
		_, err := h.Neighbours(ctx, a, probe.Ask{Count: 2, Interval: drawAgain, Wait: drawWait})
		switch {
		case probe.CauseOf(err) == probe.NoNeighbour:
			p.addr = netip.PrefixFrom(a, network.Bits())
			return p.addr, nil
		case err != nil && probe.Ours(err):
			return netip.Prefix{}, fmt.Errorf("looking for a free address on %s: %w", at.Segment, err)
		}
	}
	if tried == 0 {
		return netip.Prefix{}, fmt.Errorf("the lab leaves no address of %s on %s for a probe: let the check say “address:”", network, at.Segment)
	}
	return netip.Prefix{}, &claimedError{network, at.Segment}
}

// known are the addresses that the lab gives away.
func known(t Target, at grade.At) map[netip.Addr]bool {
	taken := map[netip.Addr]bool{}
	for _, s := range []string{at.Gateway, at.DNS} {
		if a, err := netip.ParseAddr(s); err == nil {
			taken[a] = true
		}
	}
	for _, n := range t.Topology().Nodes {
		for _, f := range n.Interfaces {
			for _, s := range f.Addresses {
				if p, err := netip.ParsePrefix(s); err == nil {
					taken[p.Addr()] = true
				}
			}
			if a, err := netip.ParseAddr(f.Gateway); err == nil {
				taken[a] = true
			}
		}
	}
	return taken
}

// someAddress draws a host of a network, neither the first nor the last.
func someAddress(network netip.Prefix) netip.Addr {
	for {
		b := network.Masked().Addr().AsSlice()
		bits := make([]byte, len(b))
		_, _ = rand.Read(bits) // never fails
		zeroes, ones := true, true
		for i := network.Bits(); i < len(b)*8; i++ {
			bit := bits[i/8] & (0x80 >> (i % 8))
			b[i/8] |= bit
			zeroes, ones = zeroes && bit == 0, ones && bit != 0
		}
		if a, ok := netip.AddrFromSlice(b); ok && !zeroes && !ones {
			return a
		}
	}
}

// nonce is what a check's own frames are known by.
func nonce() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
