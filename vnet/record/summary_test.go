package record_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/patchbay/patchbay/vnet/record"
)

func samples(t testing.TB) map[string]struct{ data, want string } {
	icmp6 := func() (*layers.IPv6, *layers.ICMPv6) {
		ip := ipv6(layers.IPProtocolICMPv6)
		l := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeNeighborSolicitation, 0)}
		l.SetNetworkLayerForChecksum(ip)
		return ip, l
	}
	six, ns := icmp6()
	fragment := ipv4(layers.IPProtocolUDP)
	fragment.FragOffset = 185
	dns := &layers.DNS{
		ID: 0x1234, QR: true, Questions: []layers.DNSQuestion{{Name: []byte("www.lab"), Type: layers.DNSTypeA, Class: layers.DNSClassIN}},
		Answers: []layers.DNSResourceRecord{{Name: []byte("www.lab"), Type: layers.DNSTypeA, Class: layers.DNSClassIN, IP: ip2}},
	}
	dhcp := &layers.DHCPv4{
		Operation: layers.DHCPOpRequest, HardwareType: layers.LinkTypeEthernet, Xid: 0xabc, ClientHWAddr: mac1,
		Options: layers.DHCPOptions{layers.NewDHCPOption(layers.DHCPOptMessageType, []byte{byte(layers.DHCPMsgTypeDiscover)})},
	}
	stp := "\x00\x26\x42\x42\x03" + "\x00\x00\x02\x02\x3c" + "\x80\x00\x02\x00\x00\x00\x00\x01" + "\x00\x00\x00\x04" +
		"\x80\x00\x02\x00\x00\x00\x00\x02" + "\x80\x01" + strings.Repeat("\x00", 8)
	addresses := string(mac2) + string(mac1)
	all := map[string]struct{ data, want string }{}
	add := func(name string, data []byte, want string) {
		all[name] = struct{ data, want string }{string(data), want}
	}
	add("arp request", arpFrame(t, 1, mac1, ip1, ip2), "02:00:00:00:00:01 > 02:00:00:00:00:02 ARP: Who has 10.0.0.2? Tell 10.0.0.1")
	add("arp reply", arpFrame(t, 2, mac1, ip1, ip2), "02:00:00:00:00:01 > 02:00:00:00:00:02 ARP: 10.0.0.1 is at 02:00:00:00:00:01")
	add("arp announcement", arpFrame(t, 1, mac1, ip1, ip1), "02:00:00:00:00:01 > 02:00:00:00:00:02 ARP: ARP Announcement for 10.0.0.1")
	add("ping", build(t, eth(layers.EthernetTypeIPv4), ipv4(layers.IPProtocolICMPv4),
		&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: 7, Seq: 1}),
		"10.0.0.1 > 10.0.0.2 ICMP: Echo (ping) request  id=0x0007, seq=1, ttl=64")
	add("unreachable", build(t, eth(layers.EthernetTypeIPv4), ipv4(layers.IPProtocolICMPv4),
		&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 1)}), "10.0.0.1 > 10.0.0.2 ICMP: DestinationUnreachable (Host)")
	add("syn", tcpFrame(t, layers.TCP{
		SrcPort: 40000, DstPort: 80, SYN: true, Seq: 9, Window: 1000,
		Options: []layers.TCPOption{{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{5, 0xb4}}},
	}, ""), "10.0.0.1 > 10.0.0.2 TCP: 40000 → 80 [SYN] Seq=9 Win=1000 Len=0 MSS=1460")
	add("http", tcpFrame(t, layers.TCP{SrcPort: 40000, DstPort: 80, ACK: true, PSH: true}, "GET / HTTP/1.1\r\nHost: x\r\n"), "10.0.0.1 > 10.0.0.2 HTTP: GET / HTTP/1.1")
	add("telnet", tcpFrame(t, layers.TCP{SrcPort: 40000, DstPort: 23, ACK: true}, "se\x1b[cret"), `10.0.0.1 > 10.0.0.2 TELNET: "se\x1b[cret"`)
	add("bgp", tcpFrame(t, layers.TCP{SrcPort: 40000, DstPort: 179, ACK: true}, strings.Repeat("\xff", 16)+"\x00\x13\x04"), "10.0.0.1 > 10.0.0.2 BGP: KEEPALIVE Message")
	add("udp", udpFrame(t, 1000, 2000, gopacket.Payload("hello")), "10.0.0.1 > 10.0.0.2 UDP: 1000 → 2000 Len=5")
	add("dns", udpFrame(t, 53, 2000, dns), "10.0.0.1 > 10.0.0.2 DNS: Standard query response 0x1234 A www.lab A 10.0.0.2")
	add("dhcp", udpFrame(t, 68, 67, dhcp), "10.0.0.1 > 10.0.0.2 DHCP: Discover - Transaction ID 0xabc")
	add("rip", udpFrame(t, 520, 520, gopacket.Payload("\x02\x02\x00\x00")), "10.0.0.1 > 10.0.0.2 RIPv2: Response")
	add("fragment", build(t, eth(layers.EthernetTypeIPv4), fragment, gopacket.Payload("xxxxxxxxx")), "10.0.0.1 > 10.0.0.2 IPv4: Fragmented IP protocol (proto=UDP, off=1480, ID=0000)")
	add("ospf", ipFrame(t, 89, "\x02\x01\x00\x2c\x01\x01\x01\x01\x00\x00\x00\x00\x00\x00"), "10.0.0.1 > 10.0.0.2 OSPF: Hello Packet, router 1.1.1.1, area 0.0.0.0")
	add("igmp", ipFrame(t, 2, "\x16\x00\x00\x00\xe0\x01\x02\x03"), "10.0.0.1 > 10.0.0.2 IGMPv2: Membership Report group 224.1.2.3")
	add("vrrp", ipFrame(t, 112, "\x21\x07\x64\x01\x00\x01\x00\x00\x0a\x00\x00\x01"), "10.0.0.1 > 10.0.0.2 VRRP: Announcement (v2), VRID 7, priority 100")
	add("esp", ipFrame(t, 50, "\x00\x00\x10\x00\x00\x00\x00\x01"), "10.0.0.1 > 10.0.0.2 ESP: ESP (SPI=0x00001000)")
	add("solicitation", build(t, eth(layers.EthernetTypeIPv6), six, ns, &layers.ICMPv6NeighborSolicitation{
		TargetAddress: six2, Options: layers.ICMPv6Options{{Type: layers.ICMPv6OptSourceAddress, Data: mac1}},
	}), "fe80::1 > fe80::2 ICMPv6: Neighbor Solicitation for fe80::2 from 02:00:00:00:00:01")
	add("advertisement", neighbour(t, six1, mac1), "fe80::1 > fe80::2 ICMPv6: Neighbor Advertisement fe80::1 is at 02:00:00:00:00:01")
	add("stp", []byte(addresses+stp), "02:00:00:00:00:01 > 02:00:00:00:00:02 RSTP: RST. Root = 32768/0/02:00:00:00:00:01  Cost = 4  Port = 0x8001")
	add("isis", []byte(addresses+"\x00\x20\xfe\xfe\x03\x83\x1b\x01\x00\x0f"+strings.Repeat("\x00", 30)), "02:00:00:00:00:01 > 02:00:00:00:00:02 IS-IS: L1 HELLO")
	add("lldp", []byte(addresses+"\x88\xcc\x02\x07\x04\x02\x00\x00\x00\x00\x01\x04\x05\x05eth0\x06\x02\x00\x78\x00\x00"), "02:00:00:00:00:01 > 02:00:00:00:00:02 LLDP: Chassis 02:00:00:00:00:01, port eth0, TTL 120")
	add("vlan", tagged(arpFrame(t, 2, mac1, ip1, ip2), 10, 20), "[20 10] 02:00:00:00:00:01 > 02:00:00:00:00:02 ARP: 10.0.0.1 is at 02:00:00:00:00:01")
	add("unknown", []byte(addresses+"\x88\xb5hello"), "02:00:00:00:00:01 > 02:00:00:00:00:02 0x88b5: Ethernet II, type 0x88b5")
	add("runt", []byte("x"), " >  Ethernet: 1 bytes")
	return all
}

func TestSummarise(t *testing.T) {
	for name, tt := range samples(t) {
		t.Run(name, func(t *testing.T) {
			at := time.Unix(1, 2)
			s := record.Summarise(record.Frame{Data: []byte(tt.data), Time: at, Port: "a", Dir: record.ToGuest, Fate: record.Lost})
			got := s.Src + " > " + s.Dst + " " + s.Protocol + ": " + s.Info
			if len(s.VLAN) > 0 {
				got = fmt.Sprint(s.VLAN) + " " + got
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if s.Length != len(tt.data) || s.Time != at || s.Port != "a" || s.Dir != "to" || s.Fate != "lost" {
				t.Errorf("%+v", s)
			}
		})
	}
}

// FuzzSummarise: no frame makes it panic, or say what does not fit on a line.
func FuzzSummarise(f *testing.F) {
	for _, s := range samples(f) {
		f.Add([]byte(s.data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := record.Summarise(record.Frame{Data: data})
		for _, text := range []string{s.Info, s.Protocol, s.Src, s.Dst} {
			if n := utf8.RuneCountInString(text); n > 200 || !utf8.ValidString(text) {
				t.Errorf("%q has %d characters", text, n)
			}
			for _, r := range text {
				if !unicode.IsPrint(r) {
					t.Errorf("%q is not printable", text)
				}
			}
		}
	})
}
