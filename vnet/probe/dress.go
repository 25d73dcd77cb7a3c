package probe

import (
	"encoding/binary"
	"hash/maphash"
	"math/rand/v2"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// dress gives the stack's packets the looks of Linux's where gVisor's differ:
// identifications that count up for each flow beside "don't fragment" (gVisor
// has 0), no "don't fragment" on fragments and echoes, flow labels of IPv6, the type of
// service of ICMP errors, the window of a SYN.
type dress struct {
	seed  maphash.Seed
	start uint16

	mu  sync.Mutex
	ids map[flow]uint16 // guarded by mu
}

// flow is what Linux would hold a socket for.
type flow struct {
	to       [4]byte
	proto    uint8
	src, dst uint16
}

type flow6 struct {
	to    [16]byte
	ports [4]byte
}

// flows is how many are remembered; a flow that was forgotten starts anew.
const flows = 1024

func newDress() *dress {
	return &dress{seed: maphash.MakeSeed(), start: uint16(rand.Uint32()), ids: map[flow]uint16{}}
}

func (d *dress) finish(frame []byte) {
	if len(frame) < header.EthernetMinimumSize {
		return
	}
	body := frame[header.EthernetMinimumSize:]
	switch binary.BigEndian.Uint16(frame[12:]) {
	case uint16(header.IPv4ProtocolNumber):
		d.ipv4(body)
	case uint16(header.IPv6ProtocolNumber):
		d.ipv6(body)
	}
}

func (d *dress) ipv4(b []byte) {
	h := header.IPv4(b)
	if len(b) < header.IPv4MinimumSize || int(h.HeaderLength()) > len(b) {
		return
	}
	payload := b[h.HeaderLength():]
	flags, offset := h.Flags(), h.FragmentOffset()
	first := offset == 0
	id, tos := h.ID(), b[1]
	switch proto := h.Protocol(); {
	case flags&header.IPv4FlagMoreFragments != 0 || !first:
		flags &^= header.IPv4FlagDontFragment
		if id == 0 { // gVisor has taken it for one that would not be cut
			id = d.next(flow{to: [4]byte(b[16:20]), proto: proto}, first)
		}
	case proto == protoTCP && len(payload) >= header.TCPMinimumSize:
		t := header.TCP(payload)
		switch f := t.Flags(); {
		case f&header.TCPFlagRst != 0, f&(header.TCPFlagSyn|header.TCPFlagAck) == header.TCPFlagSyn|header.TCPFlagAck:
			// Linux sends these without a socket that could count.
			flags, id = flags|header.IPv4FlagDontFragment, 0
		default:
			id = d.next(flow{[4]byte(b[16:20]), proto, t.SourcePort(), t.DestinationPort()}, true)
		}
		window(t)
	case proto == protoICMP && len(payload) >= 8 && payload[0] != byte(header.ICMPv4Echo):
		flags &^= header.IPv4FlagDontFragment
		id = d.next(flow{to: [4]byte(b[16:20]), proto: proto}, true)
		if payload[0] != byte(header.ICMPv4EchoReply) {
			tos = 0xc0 // as routers' own messages
		}
	case flags&header.IPv4FlagDontFragment != 0 && len(payload) >= 8:
		f := flow{to: [4]byte(b[16:20]), proto: proto, src: binary.BigEndian.Uint16(payload), dst: binary.BigEndian.Uint16(payload[2:])}
		if proto == protoICMP {
			f.src, f.dst = binary.BigEndian.Uint16(payload[4:]), 0
		}
		id = d.next(f, true)
	}
	h.SetFlagsFragmentOffset(flags, offset)
	h.SetID(id)
	b[1] = tos
	h.SetChecksum(0)
	h.SetChecksum(^h.CalculateChecksum())
}

// next is the identification of a flow's next packet, or of its last again.
func (d *dress) next(f flow, another bool) uint16 {
	d.mu.Lock()
	defer d.mu.Unlock()
	id, known := d.ids[f]
	switch {
	case !known:
		if len(d.ids) >= flows {
			clear(d.ids)
		}
		id = d.start + uint16(maphash.Comparable(d.seed, f))
	case another:
		id++
	}
	d.ids[f] = id
	return id
}

func (d *dress) ipv6(b []byte) {
	if len(b) < header.IPv6MinimumSize {
		return
	}
	h := header.IPv6(b)
	payload := b[header.IPv6MinimumSize:]
	var ports [4]byte
	switch {
	case b[6] == protoTCP && len(payload) >= header.TCPMinimumSize:
		copy(ports[:], payload)
		window(header.TCP(payload))
	case b[6] == protoUDP && len(payload) >= 4:
		copy(ports[:], payload)
	case b[6] == protoICMPv6 && len(payload) >= 8 && payload[0] < 130:
		// errors and echoes, but not neighbour discovery
	default:
		return
	}
	label := uint32(maphash.Comparable(d.seed, flow6{[16]byte(b[24:40]), ports})) & 0xfffff
	class, _ := h.TOS()
	h.SetTOS(class, label)
}

// window puts Linux's first window on a SYN: as many whole segments as 64 KiB
// hold, of those that carry a timestamp in the answer to one. The other end
// cannot have sent as much before it learns the real one.
func window(t header.TCP) {
	n := int(t.DataOffset())
	if t.Flags()&header.TCPFlagSyn == 0 || n > len(t) || n < header.TCPMinimumSize {
		return
	}
	answer := t.Flags()&header.TCPFlagAck != 0
	opts := header.ParseSynOptions(t[header.TCPMinimumSize:n], answer)
	segment := opts.MSS
	if answer && opts.TS {
		segment -= 12
	}
	if segment == 0 || segment > 0xffff/2 {
		return
	}
	was, is := t.WindowSize(), 0xffff/segment*segment
	t.SetWindowSize(is)
	t.SetChecksum(^checksum.Combine(checksum.Combine(^t.Checksum(), ^was), is))
}
