package leak

import (
	"context"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/patchbay/patchbay/vnet/record"
)

// EtherTypes.
const (
	typeIPv4 = 0x0800
	typeARP  = 0x0806
	typeIPv6 = 0x86dd
	typeVLAN = 0x8100
	typeQinQ = 0x88a8
)

// share is how many times as long as it looked the Watcher then rests, so that
// it takes a tenth of a CPU at most.
const share = 9

// Frames follows the recording of a lab's ports until ctx ends or the
// recording is closed. It never makes the switch wait; frames that come faster
// than it may look are missed and counted.
func (w *Watcher) Frames(ctx context.Context, ring *record.Ring, ports []string) {
	for w.set.Load() == nil {
		select {
		case <-ctx.Done():
			return
		case <-w.given:
		}
	}
	r := ring.Reader(record.Query{Ports: ports, Once: true, Follow: true})
	var missed uint64
	for {
		frames, err := r.Batch(ctx)
		if err != nil {
			return
		}
		began := time.Now()
		if set := w.set.Load(); set != nil {
			for i := range frames {
				f := &frames[i]
				w.frame(set, f.Data, f.Time, f.Port)
			}
		}
		w.missed.Add(r.Missed() - missed)
		missed = r.Missed()
		if took := time.Since(began); took > 100*time.Microsecond {
			select {
			case <-ctx.Done():
				return
			case <-time.After(min(share*took, time.Second)):
			}
		}
	}
}

// frame looks at one frame, from its Ethernet header on.
func (w *Watcher) frame(s *set, data []byte, at time.Time, port string) {
	if len(data) < 14 {
		return
	}
	if i, ok := s.macs[[6]byte(data[6:12])]; ok {
		w.saw(s, i, at, port, "source MAC")
	}
	kind, rest := binary.BigEndian.Uint16(data[12:]), data[14:]
	for range 2 {
		if kind != typeVLAN && kind != typeQinQ || len(rest) < 4 {
			break
		}
		kind, rest = binary.BigEndian.Uint16(rest[2:]), rest[4:]
	}
	address := func(b []byte, how string) {
		a, _ := netip.AddrFromSlice(b)
		if i, ok := s.address(a); ok {
			w.saw(s, i, at, port, how)
		}
	}
	switch {
	case kind == typeARP && len(rest) >= 28 && binary.BigEndian.Uint16(rest[2:]) == typeIPv4:
		if i, ok := s.macs[[6]byte(rest[8:14])]; ok {
			w.saw(s, i, at, port, "sender MAC of ARP")
		}
		address(rest[14:18], "sender of ARP")
		address(rest[24:28], "target of ARP")
	case kind == typeIPv4 && len(rest) >= 20 && rest[0]>>4 == 4:
		address(rest[12:16], "source address")
		address(rest[16:20], "destination address")
	case kind == typeIPv6 && len(rest) >= 40 && rest[0]>>4 == 6:
		address(rest[8:24], "source address")
		address(rest[24:40], "destination address")
		const icmpv6, solicitation, advertisement = 58, 135, 136
		if rest[6] == icmpv6 && len(rest) >= 64 && (rest[40] == solicitation || rest[40] == advertisement) {
			address(rest[48:64], "target of neighbour discovery")
		}
	}
	s.payload.find(rest, false, func(i int) { w.saw(s, i, at, port, "payload") })
}
