package record

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// Summary is a frame in one line, about as Wireshark says it.
type Summary struct {
	Time     time.Time `json:"time"`
	Src      string    `json:"src"` // an IP address if there is one, else an Ethernet address
	Dst      string    `json:"dst"`
	Protocol string    `json:"protocol"`
	Length   int       `json:"length"` // of the frame, in bytes
	Info     string    `json:"info"`   // printable, at most 200 characters
	VLAN     []uint16  `json:"vlan,omitempty"`
	Port     string    `json:"port"`
	Dir      string    `json:"dir"`            // "from" the guest or "to" it
	Fate     string    `json:"fate,omitempty"` // when it is not "delivered"
}

// Summarise says a frame in one line. It is safe with any bytes.
func Summarise(f Frame) Summary {
	s := Summary{Time: f.Time, Length: len(f.Data), Port: f.Port, Dir: f.Dir.String()}
	if f.Fate != Delivered {
		s.Fate = f.Fate.String()
	}
	d := describer{Summary: &s}
	d.describe(f.Data)
	s.Info = shorten(s.Info)
	return s
}

// shorten makes text of a guest's fit for a line.
func shorten(s string) string {
	const most = 200
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n == most {
			b.WriteRune('…')
			break
		}
		if !unicode.IsPrint(r) {
			r = '·'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// describer goes through a frame's layers. The innermost that it knows has the
// last word.
type describer struct {
	*Summary
	ttl  uint8
	frag bool // what follows is a later piece of something
}

func (d *describer) say(protocol, format string, args ...any) {
	d.Protocol, d.Info = protocol, fmt.Sprintf(format, args...)
}

func (d *describer) describe(data []byte) {
	d.say("Ethernet", "%d bytes", len(data))
	if len(data) < 14 {
		return
	}
	d.Src, d.Dst = MAC(data[6:]).String(), MAC(data).String()
	typ, _ := payload(data)
	d.say(fmt.Sprintf("0x%04x", typ), "Ethernet II, type 0x%04x", typ)
	if typ <= 1500 {
		d.llc(data)
	}
	// A decoder that panics is caught in gopacket, and leaves the layers that
	// there were.
	p := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.DecodeOptions{NoCopy: true})
	for _, l := range p.Layers() {
		d.layer(l)
	}
}

func (d *describer) layer(l gopacket.Layer) {
	switch l := l.(type) {
	case *layers.Dot1Q:
		if len(d.VLAN) < 8 {
			d.VLAN = append(d.VLAN, l.VLANIdentifier)
		}
	case *layers.ARP:
		d.arp(l)
	case *layers.MPLS:
		d.say("MPLS", "Label %d, TTL %d", l.Label, l.TTL)
	case *layers.LinkLayerDiscovery:
		d.lldp(l)
	case *layers.IPv4:
		d.ip4(l)
	case *layers.IPv6:
		d.Src, d.Dst = l.SrcIP.String(), l.DstIP.String()
		d.ttl, d.frag = l.HopLimit, false
		d.ipProto(uint8(l.NextHeader), l.LayerPayload())
	case *layers.IPv6Fragment:
		d.frag = l.FragmentOffset > 0
		if d.frag {
			d.say("IPv6", "Fragment, offset %d, ID 0x%08x", 8*int(l.FragmentOffset), l.Identification)
		}
	case *layers.GRE:
		d.say("GRE", "Encapsulated %v", l.Protocol)
	case *layers.ICMPv4:
		d.icmp4(l)
	case *layers.ICMPv6:
		d.say("ICMPv6", "%s", l.TypeCode)
	case *layers.ICMPv6Echo:
		d.Info += fmt.Sprintf(" id=0x%04x, seq=%d, hop limit=%d", l.Identifier, l.SeqNumber, d.ttl)
	case *layers.ICMPv6NeighborSolicitation:
		d.say("ICMPv6", "Neighbor Solicitation for %s%s", l.TargetAddress, linkAddress(l.Options, layers.ICMPv6OptSourceAddress, " from "))
	case *layers.ICMPv6NeighborAdvertisement:
		d.say("ICMPv6", "Neighbor Advertisement %s%s", l.TargetAddress, linkAddress(l.Options, layers.ICMPv6OptTargetAddress, " is at "))
	case *layers.ICMPv6RouterSolicitation:
		d.say("ICMPv6", "Router Solicitation%s", linkAddress(l.Options, layers.ICMPv6OptSourceAddress, " from "))
	case *layers.ICMPv6RouterAdvertisement:
		d.say("ICMPv6", "Router Advertisement%s", linkAddress(l.Options, layers.ICMPv6OptSourceAddress, " from "))
	case *layers.TCP:
		d.tcp(l)
	case *layers.UDP:
		d.udp(l)
	case *layers.DNS:
		d.dns(l)
	case *layers.DHCPv4:
		d.dhcp(l)
	case *layers.DHCPv6:
		d.say("DHCPv6", "%v XID 0x%x", l.MsgType, l.TransactionID)
	case *layers.NTP:
		d.say("NTP", "NTP Version %d, mode %d", l.Version, l.Mode)
	case *layers.VXLAN:
		d.say("VXLAN", "VNI %d", l.VNI)
	}
}
