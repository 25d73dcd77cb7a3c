package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/vnet/probe"
)

// shared is a Target for the checks of one run: they share probe hosts and
// disks, which end with the run.
type shared struct {
	Target
	ctx context.Context // the run's

	mu    sync.Mutex
	hosts map[string]*lentHost // by place and addresses
	freed chan struct{}        // closed, and made anew, when somebody is done with a host
	disks map[string]*oneDisk  // by node

	places places // what evaluators drew for their probes
}

// lentHost is a probe host that may be had by several checks.
type lentHost struct {
	at    grade.At
	ready chan struct{} // closed when the rest is set
	host  *probe.Host
	done  func()
	err   error
	users int // guarded by shared.mu
}

// oneDisk is a node's disk for all checks of a run.
type oneDisk struct {
	ready chan struct{}
	disk  Disk
	err   error
}

var errBroke = errors.New("making it broke off")

func share(ctx context.Context, t Target) *shared {
	return &shared{Target: t, ctx: ctx, hosts: map[string]*lentHost{}, freed: make(chan struct{}), disks: map[string]*oneDisk{}}
}

func (s *shared) placesOf() *places { return &s.places }

// Attach lends a host out. Two machines with one address on a segment would
// each take the other's answers, so whoever asks for an address that another
// host has waits until nobody needs that one.
func (s *shared) Attach(ctx context.Context, at grade.At) (*probe.Host, func(), error) {
	if len(at.Address) == 0 { // nothing to be shared, and DHCP may give it an address
		return s.Target.Attach(ctx, at)
	}
	if at.Seed == "" { // the same machine during the run, whatever its router is, and another in the next
		at.Seed = fmt.Sprintf("%s %q %d %q", s.places.secret(), at.Segment, at.VLAN, at.Address)
	}
	key := fmt.Sprintf("%s %q %q", at.Seed, at.Gateway, at.DNS)
	for {
		s.mu.Lock()
		if h := s.hosts[key]; h != nil {
			h.users++
			s.mu.Unlock()
			return s.lend(ctx, key, h)
		}
		idle, busy := s.rivals(at)
		if !busy {
			h := &lentHost{at: at, ready: make(chan struct{}), users: 1}
			s.hosts[key] = h
			s.mu.Unlock()
			for _, old := range idle {
				<-old.ready
				if old.done != nil {
					old.done()
				}
			}
			s.join(h)
			return s.lend(ctx, key, h)
		}
		freed := s.freed
		s.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("waiting for another check's probe at %s to go: %w", at.Segment, ctx.Err())
		}
	}
}

// join makes a host, or says in it why not, whatever happens.
func (s *shared) join(h *lentHost) {
	defer close(h.ready)
	h.err = errBroke
	h.host, h.done, h.err = s.Target.Attach(s.ctx, h.at)
}

// open does the same for a disk, which is forgotten when there is none.
func (s *shared) open(node string, d *oneDisk) {
	defer close(d.ready)
	d.err = errBroke
	defer func() {
		if d.err != nil {
			s.mu.Lock()
			delete(s.disks, node) // the next try makes another
			s.mu.Unlock()
		}
	}()
	d.disk, d.err = s.Target.Disk(s.ctx, node)
}

// rivals are the hosts that have one of at's addresses where it wants to be:
// those that nobody needs, taken out of the list, and whether there are others.
// s.mu is held.
func (s *shared) rivals(at grade.At) (idle []*lentHost, busy bool) {
	var keys []string
	for key, h := range s.hosts {
		if h.at.Segment != at.Segment || h.at.VLAN != at.VLAN || !overlap(h.at.Address, at.Address) {
			continue
		}
		busy = busy || h.users > 0
		keys = append(keys, key)
	}
	if busy {
		return nil, true
	}
	for _, key := range keys {
		idle = append(idle, s.hosts[key])
		delete(s.hosts, key)
	}
	return idle, false
}

func overlap(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}

// lend waits for a host that is counted as used already.
func (s *shared) lend(ctx context.Context, key string, h *lentHost) (*probe.Host, func(), error) {
	back := sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		h.users--
		close(s.freed)
		s.freed = make(chan struct{})
	})
	select {
	case <-h.ready:
	case <-ctx.Done():
		back()
		return nil, nil, ctx.Err()
	}
	if h.err != nil {
		s.mu.Lock()
		if s.hosts[key] == h {
			delete(s.hosts, key) // the next try makes another
		}
		s.mu.Unlock()
		back()
		return nil, nil, h.err
	}
	return h.host, back, nil
}

// Disk hands out the node's disk, which stays open until the run ends.
func (s *shared) Disk(ctx context.Context, node string) (Disk, error) {
	s.mu.Lock()
	d := s.disks[node]
	if d == nil {
		d = &oneDisk{ready: make(chan struct{})}
		s.disks[node] = d
		s.mu.Unlock()
		s.open(node, d)
	} else {
		s.mu.Unlock()
	}
	select {
	case <-d.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if d.err != nil {
		return nil, d.err
	}
	return kept{d.disk}, nil
}

// kept is a Disk that others use too.
type kept struct{ Disk }

// Close leaves it open.
func (kept) Close() error { return nil }

// close lets go of all that was lent out; nobody has any of it.
func (s *shared) close() {
	for _, h := range s.hosts {
		<-h.ready
		if h.done != nil {
			h.done()
		}
	}
	for _, d := range s.disks {
		_ = d.disk.Close() // a helper that does not end well has told what it knew
	}
}
