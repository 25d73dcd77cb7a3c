package record

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"
)

// What follows answers questions about the wire. All of them see what left a
// guest's port as the switch saw it, which nothing that runs in a guest can
// forge. A question whose Query has no From is about what comes after the call;
// who wants to ask about what an action of his own brings about notes the time
// before it and asks From then.

// ErrNone says that no frame matched in time.
var ErrNone = errors.New("no such frame")

// ErrMissed says that a question about all frames has no answer, because some
// were overwritten before they were looked at.
var ErrMissed = errors.New("frames went by unseen")

// Expect waits for a frame that a Query asks for, such as an OSPF hello on a
// segment, for as long as within says, and returns a copy of it. It is ErrNone
// when none comes.
func (r *Ring) Expect(ctx context.Context, q Query, within time.Duration) (Frame, error) {
	var found *Frame
	_, err := r.each(ctx, q, within, func(f Frame) bool {
		f.Data = bytes.Clone(f.Data)
		found = &f
		return false
	})
	switch {
	case err != nil:
		return Frame{}, fmt.Errorf("waiting for a frame: %w", err)
	case found == nil:
		return Frame{}, fmt.Errorf("waiting %v for a frame that matches %q: %w", within, q.Filter, ErrNone)
	}
	return *found, nil
}

// Tally is a number of frames.
type Tally struct {
	Frames, Bytes uint64
	First, Last   time.Time
	Missed        uint64 // records that were not looked at: there may be more
}

// Count counts the frames that a Query asks for, for as long as during says.
func (r *Ring) Count(ctx context.Context, q Query, during time.Duration) (t Tally, err error) {
	t.Missed, err = r.each(ctx, q, during, func(f Frame) bool {
		if t.Frames++; t.Frames == 1 {
			t.First = f.Time
		}
		t.Last = f.Time
		t.Bytes += uint64(len(f.Data))
		return true
	})
	if err != nil {
		return t, fmt.Errorf("counting frames: %w", err)
	}
	return t, nil
}

// Never makes sure that for as long as during says no frame comes that a Query
// asks for. It returns a copy of the first that does, and ErrMissed when it
// cannot tell.
func (r *Ring) Never(ctx context.Context, q Query, during time.Duration) (*Frame, error) {
	var found *Frame
	missed, err := r.each(ctx, q, during, func(f Frame) bool {
		f.Data = bytes.Clone(f.Data)
		found = &f
		return false
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("watching for frames: %w", err)
	case found == nil && missed > 0:
		return nil, fmt.Errorf("watching for frames that match %q: %d: %w", q.Filter, missed, ErrMissed)
	}
	return found, nil
}

// MAC is an Ethernet address.
type MAC [6]byte

func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// Claim is an Ethernet address that said it had an IP address, and the port
// from which it said so.
type Claim struct {
	MAC  MAC
	Port string
}

// Answers returns who answered requests for an IPv4 (ARP) or IPv6 (neighbour
// discovery) address, each once, in the order in which they first did, for as
// long as during says. What is announced without having been asked for counts
// too. Exactly one Claim is what a healthy network has.
func (r *Ring) Answers(ctx context.Context, q Query, addr netip.Addr, during time.Duration) ([]Claim, error) {
	q.Dir = FromGuest
	var all []Claim
	missed, err := r.each(ctx, q, during, func(f Frame) bool {
		if mac, ok := claims(f.Data, addr); ok {
			if c := (Claim{MAC: mac, Port: f.Port}); !slices.Contains(all, c) && len(all) < 1000 {
				all = append(all, c)
			}
		}
		return true
	})
	switch {
	case err != nil:
		return all, fmt.Errorf("watching who answers for %s: %w", addr, err)
	case missed > 0:
		return all, fmt.Errorf("watching who answers for %s: %d: %w", addr, missed, ErrMissed)
	}
	return all, nil
}

// claims returns the Ethernet address that a frame says addr belongs to.
func claims(frame []byte, addr netip.Addr) (mac MAC, ok bool) {
	typ, b := payload(frame)
	addr = addr.Unmap()
	switch {
	case typ == 0x0806 && addr.Is4():
		// An answer, or an announcement: a request for one's own address.
		if len(b) < 28 || [8]byte(b) != [8]byte{0, 1, 8, 0, 6, 4, 0, b[7]} || b[7] != 1 && b[7] != 2 {
			return mac, false
		}
		spa, tpa := netip.AddrFrom4([4]byte(b[14:])), netip.AddrFrom4([4]byte(b[24:]))
		return MAC(b[8:]), spa == addr && (b[7] == 2 || tpa == spa)
	case typ == 0x86dd && addr.Is6():
		const advertisement = 136
		if len(b) < 64 || b[6] != 58 || b[40] != advertisement || netip.AddrFrom16([16]byte(b[48:])) != addr {
			return mac, false
		}
		for opts := b[64:]; len(opts) >= 8; opts = opts[8*int(opts[1]):] {
			if opts[0] == 2 { // the target's address
				return MAC(opts[2:]), true
			}
			if opts[1] == 0 || 8*int(opts[1]) > len(opts) {
				break
			}
		}
		return MAC(frame[6:]), true
	}
	return mac, false
}

// payload is what lies behind an Ethernet header and up to two VLAN tags, and
// what it is.
func payload(frame []byte) (typ uint16, b []byte) {
	for off := 12; off <= 20 && len(frame) >= off+2; off += 4 {
		typ = binary.BigEndian.Uint16(frame[off:])
		if typ != 0x8100 && typ != 0x88a8 {
			return typ, frame[off+2:]
		}
	}
	return 0, nil
}

// each calls f with the frames that come within a time, until it says no.
func (r *Ring) each(ctx context.Context, q Query, within time.Duration, f func(Frame) bool) (missed uint64, err error) {
	now := time.Now()
	if q.From.IsZero() {
		q.From = now
	}
	if until := now.Add(within); q.To.IsZero() || q.To.After(until) {
		q.To = until
	}
	q.Follow = true
	rd := r.Reader(q)
	for {
		frames, err := rd.Batch(ctx)
		switch {
		case err == io.EOF && r.closed.Load():
			return rd.missed, ErrClosed
		case err == io.EOF:
			return rd.missed, nil
		case err != nil:
			return rd.missed, err
		}
		for _, fr := range frames {
			if !f(fr) {
				return rd.missed, nil
			}
		}
	}
}
