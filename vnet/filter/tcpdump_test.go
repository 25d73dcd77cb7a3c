package filter_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/patchbay/patchbay/vnet/filter"
)

// asTcpdump are expressions that must match what they match in tcpdump.
var asTcpdump = strings.Split(strings.TrimSpace(`
ip
ip6
arp
rarp
tcp
udp
sctp
icmp
icmp6
igmp
igrp
pim
vrrp
carp
ah
esp
stp
iso
isis
clnp
esis
netbeui
aarp
host 10.0.0.1
src 10.0.0.1
dst host 10.0.0.1
src and dst host 10.0.0.1
src or dst 10.0.0.2
ip host 10.0.0.1
arp host 10.0.0.1
rarp src host 10.0.0.1
arp src 10.0.0.2
host 10.0.0.1 and 10.0.0.2
host 10.0.0.1 or 192.168.1.2 or 10.1.0.2
host (10.0.0.2 or 10.1.0.2)
not host 10.0.0.2
host 2001:db8::1
src host 2001:db8::1
ip6 host fe80::1
ip6 dst host ff02::1
net 10
net 10.0
net 10.0.0.0/8
net 10.0.0.0/15
src net 192.168.1
dst net 192.168.1.0 mask 255.255.255.0
net 192.168.1/24
net 0.0.0.0/0
net 2001:db8::/48
src net 2001:db8::/32
ip6 net fe80::/10
arp net 10.0.0.0/8
port 53
tcp port 80
tcp port http
udp port domain
src port 80
tcp dst port 80
src and dst port 53
udp port 53 or 67
port 80 or 53 or 67
port (80 or 53)
sctp port 80
portrange 50-70
udp src portrange 60-70
tcp portrange 80-40000
portrange 53
ip proto 1
ip proto ospf
ip proto \icmp
ip6 proto 58
ip6 proto 17
ip6 proto \udp
proto 17
proto \tcp
ether proto 0x806
ether proto \ip
ether proto \arp
ether proto 0x88cc
ether proto 0x42
ether proto 0xfe
ether host 02:00:00:00:00:01
ether src 02:00:00:00:00:02
ether dst host ff:ff:ff:ff:ff:ff
ether src 2:0:0:0:0:1 and ip
ether broadcast
broadcast
ether multicast
multicast
ip multicast
ip6 multicast
less 60
greater 60
len > 60
len != 60 and len <= 1000
len - 14 = ip[2:2]
ip[8] = 64
ip[8]=64
ip[0] & 0xf > 5
ip[0] & 0xf != 5 and udp
ip[6:2] & 0x1fff = 0
(ip[6:2] & 0x3fff) != 0
ip[2:2] - ((ip[0]&0xf)<<2) > 20
not ip[6:2] & 0x4000 = 0
tcp[tcpflags] & (tcp-syn|tcp-ack) == (tcp-syn|tcp-ack)
tcp[tcpflags] & tcp-syn != 0
tcp[13] = 2
tcp[0:2] = 80 or tcp[2:2] = 80
tcp[((tcp[12] & 0xf0) >> 2)] = 1
not tcp[13] = 2
udp[4:2] > 8
icmp[icmptype] = icmp-echo
icmp[0] == 8 && icmp[icmpcode] == 0
icmp6[icmp6type] = icmp6-neighborsolicit
icmp6[0] = 135
ip6[6] = 17
ip6[4:2] < 20
arp[6:2] = 1
arp[7] = 2
ether[0] & 1 = 0 and ip[16] >= 224
ether[12:2] = 0x800
ether[60] = 0
not ether[60] = 0
ether[60] = 0 or arp
arp or ether[60] = 0
ether[5] = 10 / 5
ether[11] = 7 % 3
ether[11] ^ 3 = 2
ether[11] << 2 = 4
ether[11] * 3 + 1 = 4
1 + ether[11] * 3 = 4
ether[11] | 4 & 1 = 1
ether[11] & 4 | 1 = 1
ether[11] & 3 & 2 = 2
ether[11] ^ 4 ^ 2 = 7
ether[11] + 7 % 3 = 2
ether[11] & 1 << 1 = 2
ether[11] << 1 + 1 = 4
9 - ether[11] - 3 = 5
-ether[11] = 0xffffffff
ether[11] > -1
8 / ether[11] = 8
ether[0:4] = 0x02000000
len < 100 and (tcp or udp) and not port 53
tcp or udp and port 80
tcp and port 80 or arp
not tcp and not udp
not (tcp or udp)
! ( arp || icmp ) && ip
not host 10.0.0.1 and 10.0.0.2
tcp port 80 and host 10.0.0.1
(host 10.0.0.1 or host 10.1.0.2) and (port 53 or icmp)
igmp or ip proto ospf
mpls
mpls 16
mpls and ip
mpls and icmp
mpls and not icmp
mpls 16 and ip host 10.0.0.1
mpls 17 and icmp
mpls and ip src 10.0.0.2
mpls and icmp[icmptype] = icmp-echo
mpls and ip[8] = 64 and icmp
mpls and mpls and icmp
mpls 16 and mpls 32 and ip dst 10.0.0.2
mpls and ether src 02:00:00:00:00:01 and icmp
icmp and not mpls
mpls and ip6
mpls and ip6 dst host 2001:db8::2
mpls and tcp
port bootps or port bootpc
`), "\n")

// onTrunk are expressions that must match on a trunk what they do in tcpdump.
var onTrunk = strings.Split(strings.TrimSpace(`
vlan
vlan 10
vlan 10 and ip
vlan 20 and host 10.0.0.1
vlan and tcp port 80
vlan and (udp or icmp)
vlan 30 and not arp
not vlan
not vlan 10
ether proto 0x8100
ether src 02:00:00:00:00:01
ether[14:2] = 10
less 60
`), "\n")

func TestAsTcpdump(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	for _, tt := range []struct {
		name   string
		exprs  []string
		frames [][]byte
	}{
		{"plain", asTcpdump, corpus()},
		{"trunk", onTrunk, append(tags(), corpus()...)},
	} {
		file := pcap(t, tt.frames)
		for _, expr := range tt.exprs {
			t.Run(tt.name+"/"+expr, func(t *testing.T) {
				t.Parallel()
				f, err := filter.Compile(expr)
				if err != nil {
					t.Fatal(err)
				}
				want := tcpdump(t, file, expr)
				for i, frame := range tt.frames {
					if got := f.Match(frame); got != want[i] {
						t.Errorf("frame %d: %v; tcpdump says %v: % x", i, got, want[i], frame)
					}
				}
			})
		}
	}
}

// pcap is a file of frames, the time of each being its number.
func pcap(t *testing.T, frames [][]byte) []byte {
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	if err := w.WriteFileHeader(65536, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	for i, f := range frames {
		ci := gopacket.CaptureInfo{CaptureLength: len(f), Length: len(f)}
		if err := w.WritePacket(ci, f); err != nil {
			t.Fatal(err)
		}
		binary.LittleEndian.PutUint32(b.Bytes()[b.Len()-len(f)-16:], uint32(i))
	}
	return b.Bytes()
}

// tcpdump says which frames of a file match an expression. Its optimiser (-O
// turns it off) leaves out some looks at bytes that a short frame lacks.
func tcpdump(t *testing.T, file []byte, expr string) map[int]bool {
	cmd := exec.Command("tcpdump", "-O", "-r", "-", "-w", "-", "--", expr)
	cmd.Stdin = bytes.NewReader(file)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("tcpdump: %v: %s", err, errs.String())
	}
	r, err := pcapgo.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	got := map[int]bool{}
	for {
		_, ci, err := r.ReadPacketData()
		if err != nil {
			return got
		}
		got[int(ci.Timestamp.Unix())] = true
	}
}
