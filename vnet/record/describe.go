package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/gopacket/gopacket/layers"
)

func (d *describer) arp(l *layers.ARP) {
	if len(l.SourceProtAddress) != 4 || len(l.DstProtAddress) != 4 {
		d.say("ARP", "Operation %d", l.Operation)
		return
	}
	spa, tpa := netip.AddrFrom4([4]byte(l.SourceProtAddress)), netip.AddrFrom4([4]byte(l.DstProtAddress))
	mac := net.HardwareAddr(l.SourceHwAddress)
	switch {
	case l.Operation == layers.ARPRequest && spa == tpa:
		d.say("ARP", "ARP Announcement for %s", spa)
	case l.Operation == layers.ARPRequest && spa.IsUnspecified():
		d.say("ARP", "Who has %s? (ARP Probe)", tpa)
	case l.Operation == layers.ARPRequest:
		d.say("ARP", "Who has %s? Tell %s", tpa, spa)
	case l.Operation == layers.ARPReply:
		d.say("ARP", "%s is at %s", spa, mac)
	default:
		d.say("ARP", "Operation %d from %s", l.Operation, mac)
	}
}

func (d *describer) lldp(l *layers.LinkLayerDiscovery) {
	name := func(subtype byte, id []byte) string {
		if (subtype == 4 || subtype == 3) && len(id) == 6 {
			return net.HardwareAddr(id).String()
		}
		return string(id)
	}
	d.say("LLDP", "Chassis %s, port %s, TTL %d",
		name(byte(l.ChassisID.Subtype), l.ChassisID.ID), name(byte(l.PortID.Subtype), l.PortID.ID), l.TTL)
}

// llc says what 802.2 carries: spanning tree and IS-IS.
func (d *describer) llc(data []byte) {
	typ, b := payload(data)
	b = b[:min(len(b), int(typ))]
	if len(b) < 4 {
		d.say("LLC", "%d bytes", typ)
		return
	}
	switch {
	case b[0] == 0x42:
		d.stp(b[3:])
	case b[0] == 0xfe && b[1] == 0xfe:
		d.iso(b[3:])
	default:
		d.say("LLC", "DSAP 0x%02x, SSAP 0x%02x", b[0], b[1])
	}
}

func (d *describer) stp(b []byte) {
	d.say("STP", "Spanning tree")
	if len(b) < 4 {
		return
	}
	const tcn = 0x80
	if b[3] == tcn {
		d.say("STP", "Topology Change Notification")
		return
	}
	if len(b) < 35 {
		return
	}
	kind := "Conf."
	if b[2] >= 2 {
		d.Protocol, kind = "RSTP", "RST."
	}
	root := binary.BigEndian.Uint16(b[5:])
	tc := ""
	if b[4]&1 != 0 {
		tc = " TC +"
	}
	d.Info = fmt.Sprintf("%s%s Root = %d/%d/%s  Cost = %d  Port = 0x%04x", kind, tc,
		root&0xf000, root&0xfff, MAC(b[7:]), binary.BigEndian.Uint32(b[13:]), binary.BigEndian.Uint16(b[25:]))
}

func (d *describer) iso(b []byte) {
	if len(b) < 5 || b[0] != 0x83 {
		d.say("OSI", "Network layer 0x%02x", b[0])
		return
	}
	kinds := map[byte]string{
		15: "L1 HELLO", 16: "L2 HELLO", 17: "P2P HELLO", 18: "L1 LSP", 20: "L2 LSP",
		24: "L1 CSNP", 25: "L2 CSNP", 26: "L1 PSNP", 27: "L2 PSNP",
	}
	kind, ok := kinds[b[4]&0x1f]
	if !ok {
		kind = fmt.Sprintf("type %d", b[4]&0x1f)
	}
	d.say("IS-IS", "%s", kind)
}

func (d *describer) ip4(l *layers.IPv4) {
	d.Src, d.Dst = l.SrcIP.String(), l.DstIP.String()
	d.ttl, d.frag = l.TTL, l.FragOffset > 0
	if d.frag {
		d.say("IPv4", "Fragmented IP protocol (proto=%v, off=%d, ID=%04x)", l.Protocol, 8*int(l.FragOffset), l.Id)
		return
	}
	d.ipProto(uint8(l.Protocol), l.LayerPayload())
}

// ipProto says what IP carries, as far as it needs no decoder.
func (d *describer) ipProto(proto uint8, b []byte) {
	switch proto {
	case 2:
		d.igmp(b)
	case 89:
		d.ospf(b)
	case 112:
		if len(b) >= 8 {
			d.say("VRRP", "Announcement (v%d), VRID %d, priority %d", b[0]>>4, b[1], b[2])
			return
		}
		d.say("VRRP", "%d bytes", len(b))
	case 50:
		d.say("ESP", "ESP%s", spi(b, 0))
	case 51:
		d.say("AH", "AH%s", spi(b, 4))
	case 103:
		d.say("PIM", "%d bytes", len(b))
	case 88:
		d.say("EIGRP", "%d bytes", len(b))
	default:
		d.say("IP", "IP protocol %v", layers.IPProtocol(proto))
	}
}

func spi(b []byte, off int) string {
	if len(b) < off+4 {
		return ""
	}
	return fmt.Sprintf(" (SPI=0x%08x)", binary.BigEndian.Uint32(b[off:]))
}

func (d *describer) igmp(b []byte) {
	if len(b) < 8 {
		d.say("IGMP", "%d bytes", len(b))
		return
	}
	group := netip.AddrFrom4([4]byte(b[4:]))
	switch b[0] {
	case 0x11:
		if group.IsUnspecified() {
			d.say("IGMP", "Membership Query, general")
		} else {
			d.say("IGMP", "Membership Query, specific for group %s", group)
		}
	case 0x12:
		d.say("IGMPv1", "Membership Report group %s", group)
	case 0x16:
		d.say("IGMPv2", "Membership Report group %s", group)
	case 0x17:
		d.say("IGMPv2", "Leave Group %s", group)
	case 0x22:
		d.say("IGMPv3", "Membership Report, %d groups", binary.BigEndian.Uint16(b[6:]))
	default:
		d.say("IGMP", "Type 0x%02x", b[0])
	}
}

func (d *describer) ospf(b []byte) {
	kinds := [...]string{1: "Hello Packet", 2: "DB Description", 3: "LS Request", 4: "LS Update", 5: "LS Acknowledge"}
	switch {
	case len(b) < 12:
		d.say("OSPF", "%d bytes", len(b))
	case b[1] == 0 || int(b[1]) >= len(kinds):
		d.say("OSPF", "Type %d", b[1])
	default:
		d.say("OSPF", "%s, router %s, area %s", kinds[b[1]],
			netip.AddrFrom4([4]byte(b[4:])), netip.AddrFrom4([4]byte(b[8:])))
	}
}

func (d *describer) icmp4(l *layers.ICMPv4) {
	kind := map[uint8]string{layers.ICMPv4TypeEchoRequest: "request", layers.ICMPv4TypeEchoReply: "reply"}[l.TypeCode.Type()]
	if kind != "" {
		d.say("ICMP", "Echo (ping) %s  id=0x%04x, seq=%d, ttl=%d", kind, l.Id, l.Seq, d.ttl)
		return
	}
	d.say("ICMP", "%s", strings.ReplaceAll(l.TypeCode.String(), "(", " ("))
}

// linkAddress is the link-layer address among the options of neighbour
// discovery.
func linkAddress(opts layers.ICMPv6Options, typ layers.ICMPv6Opt, before string) string {
	for _, o := range opts {
		if o.Type == typ && len(o.Data) == 6 {
			return before + net.HardwareAddr(o.Data).String()
		}
	}
	return ""
}

func (d *describer) tcp(l *layers.TCP) {
	if d.frag {
		return
	}
	var flags []string
	for _, f := range []struct {
		set  bool
		name string
	}{
		{l.FIN, "FIN"}, {l.SYN, "SYN"}, {l.RST, "RST"}, {l.PSH, "PSH"}, {l.ACK, "ACK"}, {l.URG, "URG"}, {l.ECE, "ECE"}, {l.CWR, "CWR"},
	} {
		if f.set {
			flags = append(flags, f.name)
		}
	}
	info := fmt.Sprintf("%d → %d [%s] Seq=%d", l.SrcPort, l.DstPort, strings.Join(flags, ", "), l.Seq)
	if l.ACK {
		info += fmt.Sprintf(" Ack=%d", l.Ack)
	}
	info += fmt.Sprintf(" Win=%d Len=%d", l.Window, len(l.Payload))
	for _, o := range l.Options {
		if o.OptionType == layers.TCPOptionKindMSS && len(o.OptionData) == 2 {
			info += fmt.Sprintf(" MSS=%d", binary.BigEndian.Uint16(o.OptionData))
		}
	}
	d.say("TCP", "%s", info)
	if len(l.Payload) > 0 {
		d.stream(l)
	}
}

// stream says what a TCP segment carries, where its begin tells.
func (d *describer) stream(l *layers.TCP) {
	b := l.Payload
	is := func(port layers.TCPPort) bool { return l.SrcPort == port || l.DstPort == port }
	line, _, _ := bytes.Cut(b[:min(len(b), 200)], []byte("\r\n"))
	word, _, _ := bytes.Cut(line, []byte(" "))
	switch string(word) {
	case "GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "CONNECT", "HTTP/1.0", "HTTP/1.1":
		d.say("HTTP", "%s", line)
		return
	}
	switch {
	case bytes.HasPrefix(b, []byte("SSH-")):
		d.say("SSH", "%s", line)
	case is(179) && len(b) >= 19 && bytes.Count(b[:16], []byte{0xff}) == 16:
		kinds := map[byte]string{1: "OPEN", 2: "UPDATE", 3: "NOTIFICATION", 4: "KEEPALIVE", 5: "ROUTE-REFRESH"}
		d.say("BGP", "%s Message", kinds[b[18]])
	case len(b) >= 6 && b[0] == 22 && b[1] == 3:
		kinds := map[byte]string{1: "Client Hello", 2: "Server Hello", 11: "Certificate"}
		if kind := kinds[b[5]]; kind != "" {
			d.say("TLS", "%s", kind)
		} else {
			d.say("TLS", "Handshake")
		}
	case len(b) >= 5 && b[0] == 23 && b[1] == 3:
		d.say("TLS", "Application Data")
	case is(23):
		d.say("TELNET", "%q", line)
	case is(21), is(25):
		d.say(map[bool]string{true: "FTP", false: "SMTP"}[is(21)], "%s", line)
	}
}

func (d *describer) udp(l *layers.UDP) {
	if d.frag {
		return
	}
	d.say("UDP", "%d → %d Len=%d", l.SrcPort, l.DstPort, len(l.Payload))
	b := l.Payload
	is := func(port layers.UDPPort) bool { return l.SrcPort == port || l.DstPort == port }
	switch {
	case is(520) && len(b) >= 4:
		d.say(fmt.Sprintf("RIPv%d", b[1]), "%s", map[byte]string{1: "Request", 2: "Response"}[b[0]])
	case is(521) && len(b) >= 4:
		d.say("RIPng", "%s", map[byte]string{1: "Request", 2: "Response"}[b[0]])
	case is(646):
		d.say("LDP", "%d bytes", len(b))
	case is(514):
		d.say("Syslog", "%s", b)
	case is(69) && len(b) >= 4:
		kinds := map[byte]string{1: "Read Request", 2: "Write Request", 3: "Data Packet", 4: "Acknowledgement", 5: "Error Code"}
		d.say("TFTP", "%s", kinds[b[1]])
	}
}

func (d *describer) dns(l *layers.DNS) {
	protocol := "DNS"
	if strings.Contains(d.Info, "5353") {
		protocol = "MDNS"
	}
	kind := "Standard query"
	if l.OpCode != layers.DNSOpCodeQuery {
		kind = l.OpCode.String()
	}
	if l.QR {
		kind += " response"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s 0x%04x", kind, l.ID)
	if l.QR && l.ResponseCode != layers.DNSResponseCodeNoErr {
		fmt.Fprintf(&b, " %s", l.ResponseCode)
	}
	for _, q := range l.Questions {
		if b.Len() > 300 {
			break
		}
		fmt.Fprintf(&b, " %s %s", q.Type, q.Name)
	}
	for _, a := range l.Answers {
		if b.Len() > 300 {
			break
		}
		switch a.Type {
		case layers.DNSTypeA, layers.DNSTypeAAAA:
			fmt.Fprintf(&b, " %s %s", a.Type, a.IP)
		case layers.DNSTypeCNAME:
			fmt.Fprintf(&b, " CNAME %s", a.CNAME)
		case layers.DNSTypeNS:
			fmt.Fprintf(&b, " NS %s", a.NS)
		case layers.DNSTypePTR:
			fmt.Fprintf(&b, " PTR %s", a.PTR)
		case layers.DNSTypeMX:
			fmt.Fprintf(&b, " MX %d %s", a.MX.Preference, a.MX.Name)
		default:
			fmt.Fprintf(&b, " %s", a.Type)
		}
	}
	d.say(protocol, "%s", b.String())
}

func (d *describer) dhcp(l *layers.DHCPv4) {
	kind := "Request"
	if l.Operation == layers.DHCPOpReply {
		kind = "Reply"
	}
	protocol := "BOOTP"
	for _, o := range l.Options {
		if o.Type == layers.DHCPOptMessageType && len(o.Data) == 1 {
			protocol = "DHCP"
			kind = layers.DHCPMsgType(o.Data[0]).String()
		}
	}
	d.say(protocol, "%s - Transaction ID 0x%x", kind, l.Xid)
}
