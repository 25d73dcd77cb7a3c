package dissect_test

import (
	"net"
	"strings"
	"testing"
	"unicode"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/patchbay/patchbay/vnet/dissect"
)

var (
	macA, macB = net.HardwareAddr{2, 0, 0, 0, 0, 0xa}, net.HardwareAddr{2, 0, 0, 0, 0, 0xb}
	ipA, ipB   = net.IP{10, 0, 0, 1}, net.IP{10, 0, 0, 2}
)

func frame(tb testing.TB, ls ...gopacket.SerializableLayer) []byte {
	tb.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, ls...); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func eth(t layers.EthernetType) *layers.Ethernet {
	return &layers.Ethernet{SrcMAC: macA, DstMAC: macB, EthernetType: t}
}

func ip4(p layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: p, SrcIP: ipA, DstIP: ipB}
}

func samples(tb testing.TB) map[string][]byte {
	arp := &layers.ARP{AddrType: 1, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4,
		Operation: layers.ARPRequest, SourceHwAddress: macA, SourceProtAddress: ipA, DstHwAddress: make([]byte, 6), DstProtAddress: ipB}
	reply := *arp
	reply.Operation = layers.ARPReply
	echo := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeEchoRequest, 0), Id: 7, Seq: 1}
	gone := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeDestinationUnreachable, layers.ICMPv4CodePort)}
	ip6 := &layers.IPv6{Version: 6, HopLimit: 255, NextHeader: layers.IPProtocolICMPv6, SrcIP: net.ParseIP("fe80::1"), DstIP: net.ParseIP("ff02::1:ff00:2")}
	udp := &layers.UDP{SrcPort: 40000, DstPort: 53}
	query := &layers.DNS{ID: 9, QDCount: 1, Questions: []layers.DNSQuestion{{Name: []byte("evil\x1b[31m.example"), Type: layers.DNSTypeA, Class: layers.DNSClassIN}}}
	hello := append([]byte{2, 1, 0, 44, 1, 1, 1, 1, 0, 0, 0, 0}, make([]byte, 32)...)
	return map[string][]byte{
		"ARP, who has 10.0.0.2, tell 10.0.0.1":                                     frame(tb, eth(layers.EthernetTypeARP), arp),
		"ARP, 10.0.0.1 is at 02:00:00:00:00:0a":                                    frame(tb, eth(layers.EthernetTypeARP), &reply),
		"10.0.0.1 > 10.0.0.2: ICMP echo request, id 7, seq 1, length 12":           frame(tb, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolICMPv4), echo, gopacket.Payload("ping")),
		"10.0.0.1 > 10.0.0.2: ICMP destination unreachable, port, length 8":        frame(tb, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolICMPv4), gone),
		"10.0.0.1.40000 > 10.0.0.2.80: TCP [S.], seq 5, ack 6, win 100, length 2":  frame(tb, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolTCP), &layers.TCP{SrcPort: 40000, DstPort: 80, Seq: 5, Ack: 6, SYN: true, ACK: true, Window: 100}, gopacket.Payload("hi")),
		"10.0.0.1.40000 > 10.0.0.2.9: UDP, length 2":                               frame(tb, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolUDP), &layers.UDP{SrcPort: 40000, DstPort: 9}, gopacket.Payload("hi")),
		"10.0.0.1.40000 > 10.0.0.2.53: DNS query 9, A evil?[31m.example":           frame(tb, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolUDP), udp, query),
		"10.0.0.1 > 10.0.0.2: OSPFv2 hello, router 1.1.1.1, area 0.0.0.0":          frame(tb, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolOSPF), gopacket.Payload(hello)),
		"fe80::1 > ff02::1:ff00:2: ICMPv6 neighbour solicitation, who has fe80::2": frame(tb, eth(layers.EthernetTypeIPv6), ip6, &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeNeighborSolicitation, 0)}, &layers.ICMPv6NeighborSolicitation{TargetAddress: net.ParseIP("fe80::2")}),
		"vlan 10, 10.0.0.1 > 10.0.0.2: ICMP echo request, id 7, seq 1, length 8":   frame(tb, eth(layers.EthernetTypeDot1Q), &layers.Dot1Q{VLANIdentifier: 10, Type: layers.EthernetTypeIPv4}, ip4(layers.IPProtocolICMPv4), echo),
		"02:00:00:00:00:0a > 02:00:00:00:00:0b: ethertype 0x88b5, length 60":       frame(tb, eth(0x88b5), gopacket.Payload("abc")),
		"runt of 3 bytes": []byte("abc"),
	}
}

func TestLine(t *testing.T) {
	for want, b := range samples(t) {
		if got := dissect.Line(b); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, b := range samples(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := dissect.Line(b)
		if s == "" || len([]rune(s)) > 200 || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("Line(%x) = %q", b, s)
		}
	})
}
