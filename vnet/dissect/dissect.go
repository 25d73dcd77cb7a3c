// Package dissect says in one line what an Ethernet frame is, about as tcpdump
// does. It is fed by guests: whatever the bytes are, it returns a short line of
// printable characters.
package dissect

import (
	"fmt"
	"net"
	"strings"
	"unicode"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// maxLine bounds a line, in characters: names in DNS are the guest's to choose.
const maxLine = 200

// Line describes a frame, from its Ethernet header on:
//
//	ARP, who has 10.0.0.2, tell 10.0.0.1
//	vlan 10, 10.0.0.1 > 10.0.0.2: ICMP echo request, id 7, seq 1, length 64
//	10.0.0.1.40000 > 10.0.0.2.80: TCP [S], seq 1, win 64240, length 0
func Line(frame []byte) string {
	if len(frame) < 14 {
		return fmt.Sprintf("runt of %d bytes", len(frame))
	}
	// Lazy and NoCopy: the frame is not kept, and decoding ends at what is said.
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.DecodeOptions{Lazy: true, NoCopy: true})
	var l line
	for _, layer := range p.Layers() {
		if l.add(layer) {
			break
		}
	}
	return clean(l.text(frame))
}

// clean leaves what moves no terminal's cursor and is not too long.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if r := []rune(s); len(r) > maxLine {
		return string(r[:maxLine-1]) + "…"
	}
	return s
}

// line is what was found so far.
type line struct {
	tags     string // of VLANs
	src, dst string // addresses, with ports where there are any
	length   int    // of the payload
	what     string
}

func (l *line) text(frame []byte) string {
	if l.what == "" {
		l.what = fmt.Sprintf("ethertype 0x%02x%02x, length %d", frame[12], frame[13], len(frame))
	}
	if l.src == "" {
		return l.tags + l.what
	}
	return l.tags + l.src + " > " + l.dst + ": " + l.what
}

// add takes a layer in and says whether nothing behind it is of interest.
func (l *line) add(layer gopacket.Layer) (done bool) {
	switch v := layer.(type) {
	case *layers.Ethernet:
		l.src, l.dst = v.SrcMAC.String(), v.DstMAC.String()
	case *layers.Dot1Q:
		l.tags += fmt.Sprintf("vlan %d, ", v.VLANIdentifier)
		l.what = fmt.Sprintf("ethertype 0x%04x, length %d", uint16(v.Type), len(v.Payload))
	case *layers.ARP:
		l.src, l.what = "", arp(v)
		return true
	case *layers.STP:
		l.src, l.what = "", fmt.Sprintf("STP, root %04x.%s, bridge %04x.%s, port %04x", v.RouteID.Priority, v.RouteID.HwAddr, v.BridgeID.Priority, v.BridgeID.HwAddr, v.PortID)
		return true
	case *layers.LinkLayerDiscovery:
		l.src, l.what = "", fmt.Sprintf("LLDP, chassis %s, port %s", v.ChassisID.ID, v.PortID.ID)
		return true
	case *layers.IPv4:
		l.src, l.dst, l.length = v.SrcIP.String(), v.DstIP.String(), len(v.Payload)
		l.what = fmt.Sprintf("IP %s, length %d", v.Protocol, len(v.Payload))
		if v.FragOffset > 0 {
			l.what = fmt.Sprintf("IP fragment at %d of %s, length %d", 8*int(v.FragOffset), v.Protocol, len(v.Payload))
			return true
		}
	case *layers.IPv6:
		l.src, l.dst, l.length = v.SrcIP.String(), v.DstIP.String(), len(v.Payload)
		l.what = fmt.Sprintf("IPv6 %s, length %d", v.NextHeader, len(v.Payload))
	default:
		return l.addInner(layer)
	}
	return false
}

// addInner takes in what lies in an IP packet.
func (l *line) addInner(layer gopacket.Layer) (done bool) {
	switch v := layer.(type) {
	case *layers.ICMPv4:
		l.what = icmp4(v, l.length)
	case *layers.ICMPv6:
		l.what = fmt.Sprintf("ICMPv6 %s, length %d", spaced(v.TypeCode.String()), l.length)
		return false
	case *layers.ICMPv6Echo:
		l.what = fmt.Sprintf("%s, id %d, seq %d", l.what, v.Identifier, v.SeqNumber)
	case *layers.ICMPv6NeighborSolicitation:
		l.what = fmt.Sprintf("ICMPv6 neighbour solicitation, who has %s", v.TargetAddress)
	case *layers.ICMPv6NeighborAdvertisement:
		l.what = fmt.Sprintf("ICMPv6 neighbour advertisement, target is %s", v.TargetAddress)
	case *layers.TCP:
		l.ports(uint16(v.SrcPort), uint16(v.DstPort))
		l.what = tcp(v)
		return false
	case *layers.UDP:
		l.ports(uint16(v.SrcPort), uint16(v.DstPort))
		l.what = fmt.Sprintf("UDP, length %d", len(v.Payload))
		return false
	case *layers.OSPFv2:
		l.what = ospf(&v.OSPF)
	case *layers.OSPFv3:
		l.what = ospf(&v.OSPF)
	case *layers.DNS:
		l.what = dns(v)
	case *layers.DHCPv4:
		l.what = dhcp(v)
	default:
		return false // options and tunnels: what is in them is said
	}
	return true
}

func (l *line) ports(src, dst uint16) {
	l.src = fmt.Sprintf("%s.%d", l.src, src)
	l.dst = fmt.Sprintf("%s.%d", l.dst, dst)
}

func arp(a *layers.ARP) string {
	ip := func(b []byte) string { return net.IP(b).String() }
	switch a.Operation {
	case layers.ARPRequest:
		if string(a.SourceProtAddress) == string(a.DstProtAddress) {
			return fmt.Sprintf("ARP, announcement of %s at %s", ip(a.SourceProtAddress), net.HardwareAddr(a.SourceHwAddress))
		}
		return fmt.Sprintf("ARP, who has %s, tell %s", ip(a.DstProtAddress), ip(a.SourceProtAddress))
	case layers.ARPReply:
		return fmt.Sprintf("ARP, %s is at %s", ip(a.SourceProtAddress), net.HardwareAddr(a.SourceHwAddress))
	}
	return fmt.Sprintf("ARP, operation %d", a.Operation)
}

func icmp4(v *layers.ICMPv4, length int) string {
	switch v.TypeCode.Type() {
	case layers.ICMPv4TypeEchoRequest:
		return fmt.Sprintf("ICMP echo request, id %d, seq %d, length %d", v.Id, v.Seq, length)
	case layers.ICMPv4TypeEchoReply:
		return fmt.Sprintf("ICMP echo reply, id %d, seq %d, length %d", v.Id, v.Seq, length)
	}
	return fmt.Sprintf("ICMP %s, length %d", spaced(v.TypeCode.String()), length)
}

func tcp(v *layers.TCP) string {
	flags := ""
	for _, f := range []struct {
		set  bool
		sign string
	}{{v.SYN, "S"}, {v.FIN, "F"}, {v.RST, "R"}, {v.PSH, "P"}, {v.URG, "U"}, {v.ECE, "E"}, {v.CWR, "W"}, {v.ACK, "."}} {
		if f.set {
			flags += f.sign
		}
	}
	s := fmt.Sprintf("TCP [%s], seq %d", flags, v.Seq)
	if v.ACK {
		s += fmt.Sprintf(", ack %d", v.Ack)
	}
	return s + fmt.Sprintf(", win %d, length %d", v.Window, len(v.Payload))
}

func ospf(v *layers.OSPF) string {
	kinds := map[layers.OSPFType]string{
		layers.OSPFHello: "hello", layers.OSPFDatabaseDescription: "database description",
		layers.OSPFLinkStateRequest: "link state request", layers.OSPFLinkStateUpdate: "link state update",
		layers.OSPFLinkStateAcknowledgment: "link state acknowledgment",
	}
	return fmt.Sprintf("OSPFv%d %s, router %s, area %s", v.Version, kinds[v.Type], quad(v.RouterID), quad(v.AreaID))
}

func quad(n uint32) string {
	return net.IPv4(byte(n>>24), byte(n>>16), byte(n>>8), byte(n)).String()
}

func dns(v *layers.DNS) string {
	s := fmt.Sprintf("DNS query %d", v.ID)
	if v.QR {
		s = fmt.Sprintf("DNS answer %d, %s", v.ID, v.ResponseCode)
	}
	for _, q := range v.Questions {
		s += fmt.Sprintf(", %s %s", q.Type, q.Name)
	}
	for i, a := range v.Answers {
		if i == 3 {
			s += ", …"
			break
		}
		switch {
		case a.IP != nil:
			s += ", is " + a.IP.String()
		case len(a.CNAME) > 0:
			s += fmt.Sprintf(", is %s", a.CNAME)
		}
	}
	return s
}

func dhcp(v *layers.DHCPv4) string {
	for _, o := range v.Options {
		if o.Type == layers.DHCPOptMessageType && len(o.Data) == 1 {
			s := fmt.Sprintf("DHCP %s from %s", strings.ToLower(layers.DHCPMsgType(o.Data[0]).String()), v.ClientHWAddr)
			if !v.YourClientIP.IsUnspecified() {
				s += ", your address is " + v.YourClientIP.String()
			}
			return s
		}
	}
	return "BOOTP from " + v.ClientHWAddr.String()
}

// spaced makes "destination unreachable, port" of "DestinationUnreachable(Port)".
func spaced(s string) string {
	s = strings.TrimSuffix(s, ")")
	s = strings.Replace(s, "(", ", ", 1)
	var b strings.Builder
	for i, r := range s {
		if unicode.IsUpper(r) && i > 0 && s[i-1] >= 'a' && s[i-1] <= 'z' {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
