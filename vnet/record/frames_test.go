package record_test

import (
	"net"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

var (
	mac1 = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	mac2 = net.HardwareAddr{2, 0, 0, 0, 0, 2}
	ip1  = net.IP{10, 0, 0, 1}
	ip2  = net.IP{10, 0, 0, 2}
	six1 = net.ParseIP("fe80::1")
	six2 = net.ParseIP("fe80::2")
)

// build makes a frame of layers, lengths and checksums done.
func build(t testing.TB, all ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func eth(typ layers.EthernetType) *layers.Ethernet {
	return &layers.Ethernet{SrcMAC: mac1, DstMAC: mac2, EthernetType: typ}
}

func ipv4(proto layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, TTL: 64, Protocol: proto, SrcIP: ip1, DstIP: ip2}
}

func ipv6(proto layers.IPProtocol) *layers.IPv6 {
	return &layers.IPv6{Version: 6, HopLimit: 255, NextHeader: proto, SrcIP: six1, DstIP: six2}
}

func tcpFrame(t testing.TB, l layers.TCP, data string) []byte {
	ip := ipv4(layers.IPProtocolTCP)
	l.SetNetworkLayerForChecksum(ip)
	return build(t, eth(layers.EthernetTypeIPv4), ip, &l, gopacket.Payload(data))
}

func udpFrame(t testing.TB, src, dst layers.UDPPort, more gopacket.SerializableLayer) []byte {
	ip := ipv4(layers.IPProtocolUDP)
	l := &layers.UDP{SrcPort: src, DstPort: dst}
	l.SetNetworkLayerForChecksum(ip)
	return build(t, eth(layers.EthernetTypeIPv4), ip, l, more)
}

func ipFrame(t testing.TB, proto layers.IPProtocol, data string) []byte {
	return build(t, eth(layers.EthernetTypeIPv4), ipv4(proto), gopacket.Payload(data))
}

func arpFrame(t testing.TB, op uint16, sender net.HardwareAddr, spa, tpa net.IP) []byte {
	return build(t, eth(layers.EthernetTypeARP), &layers.ARP{
		AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4,
		Operation: op, SourceHwAddress: sender, SourceProtAddress: spa, DstHwAddress: make([]byte, 6), DstProtAddress: tpa,
	})
}

// neighbour is an advertisement that addr belongs to mac.
func neighbour(t testing.TB, addr net.IP, mac net.HardwareAddr) []byte {
	ip := ipv6(layers.IPProtocolICMPv6)
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeNeighborAdvertisement, 0)}
	icmp.SetNetworkLayerForChecksum(ip)
	return build(t, eth(layers.EthernetTypeIPv6), ip, icmp, &layers.ICMPv6NeighborAdvertisement{
		TargetAddress: addr,
		Options:       layers.ICMPv6Options{{Type: layers.ICMPv6OptTargetAddress, Data: mac}},
	})
}

// tagged puts VLAN tags into a frame, the outermost last.
func tagged(frame []byte, ids ...byte) []byte {
	for _, id := range ids {
		frame = append(append(append([]byte{}, frame[:12]...), 0x81, 0, 0, id), frame[12:]...)
	}
	return frame
}
