package probe_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/probe"
	"github.com/patchbay/patchbay/vnet/stackport"
)

// seeds are frames of the kinds that a probe looks at.
func seeds() [][]byte {
	mac := stackport.MAC("x")
	eth := func(kind uint16, rest ...byte) []byte {
		return append(binary.BigEndian.AppendUint16(append(append([]byte(nil), mac...), mac...), kind), rest...)
	}
	ip4 := func(proto byte, body ...byte) []byte {
		return udpFrame(mac, mac, "10.0.0.1", "10.0.0.2", 0, 0, body)[:34:34]
	}
	quote := append(ip4(6), 0, 80, 0, 80, 0, 0, 0, 0)
	ns := eth(0x86dd, append([]byte{0x60, 0, 0, 0, 0, 32, 58, 255}, make([]byte, 64)...)...)
	ra := bytes.Clone(ns)
	ra[54] = 134
	return [][]byte{
		eth(0x0806, 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 2, 0, 0, 0, 0, 2, 10, 0, 0, 2),
		append(ip4(1), append([]byte{3, 1, 0, 0, 0, 0, 0, 0}, quote[14:]...)...),
		udpFrame(mac, mac, "10.0.0.1", "10.0.0.2", 67, 68, make([]byte, 300)),
		ns, ra,
		eth(0x86dd, append([]byte{0x60, 0, 0, 0, 0, 16, 44, 64}, make([]byte, 48)...)...),
		eth(0x86dd, append([]byte{0x60, 0, 0, 0, 0, 16, 0, 64}, make([]byte, 48)...)...),
	}
}

// Whatever comes, looking at it ends and breaks nothing.
func FuzzFrames(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		was := bytes.Clone(frame)
		probe.LookAt(frame)
		if !bytes.Equal(frame, was) {
			t.Error("looking at a frame changed it")
		}
		probe.Dress(frame)
		if len(frame) != len(was) || !bytes.Equal(frame[:min(14, len(frame))], was[:min(14, len(was))]) {
			t.Error("dressing a frame changed its addresses")
		}
	})
}

// A probe under a hail of frames, spoilt ones and well-formed ones of its own
// conversation among them, still gets its answers and ends.
func TestHail(t *testing.T) {
	sw := newSwitch(t, "lan")
	h := attachWith(t, sw, "lan", probe.Options{Seed: "h"}, "10.0.0.1/24", "fd00::1/64")
	attach(t, sw, "lan", "10.0.0.2/24", "fd00::2/64")
	w := newWire(t, sw, "lan", "wire")
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		r := rand.New(rand.NewPCG(1, 2))
		for {
			select {
			case <-stop:
				return
			default:
			}
			f := slices.Clone(seeds()[r.IntN(len(seeds()))])
			for range r.IntN(4) {
				f[14+r.IntN(len(f)-14)] = byte(r.Uint32())
			}
			f = f[:14+r.IntN(len(f)-13)]
			copy(f, h.MAC())
			if w.Send(f) != nil {
				return
			}
			if r.IntN(50) == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	for _, to := range []string{"10.0.0.2", "fd00::2"} {
		got, err := h.Ping(within(t), ip(to), probe.Ping{Count: 20, Interval: 10 * time.Millisecond})
		if err != nil || got.Received == 0 {
			t.Errorf("ping %s: %+v, %v", to, got, err)
		}
		for _, r := range got.Replies {
			if r.ICMP == nil && (r.From != ip(to) || r.Altered) {
				t.Errorf("ping %s: reply %+v", to, r)
			}
		}
	}
	h.Close()
	close(stop)
	<-done
}

// A machine that answers pings for another, twice over or altered, shows.
func TestForgedEchoes(t *testing.T) {
	sw := newSwitch(t, "lan")
	h := attachWith(t, sw, "lan", probe.Options{Seed: "h"}, "10.0.0.1/24")
	b := attachWith(t, sw, "lan", probe.Options{Seed: "b"}, "10.0.0.2/24")
	mac := stackport.MAC("forger")
	p, err := stackport.Join(sw, vnet.PortConfig{Name: "forger", Segment: "lan"}, stackport.Options{MAC: mac})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	m := newMirror(t, sw, "lan")
	forged := make(chan struct{})
	go func() {
		defer close(forged)
		for {
			m.mu.Lock()
			frames := slices.Clone(m.frames)
			m.mu.Unlock()
			for _, f := range frames {
				if len(f) < 50 || f[23] != 1 || f[34] != 8 {
					continue
				}
				echo := bytes.Clone(f[34:])
				echo[0], echo[2], echo[3] = 0, 0, 0
				echo[len(echo)-1] ^= 1
				sum := uint32(0)
				for i := 0; i+1 < len(echo); i += 2 {
					sum += uint32(echo[i])<<8 | uint32(echo[i+1])
				}
				for sum > 0xffff {
					sum = sum&0xffff + sum>>16
				}
				binary.BigEndian.PutUint16(echo[2:], ^uint16(sum))
				r := udpFrame(h.MAC(), mac, "10.0.0.2", "10.0.0.1", 0, 0, echo)
				r = append(r[:34], echo...) // an IP header of UDP, made one of ICMP
				r[17] -= 8
				r[23] = 1
				sum = uint32(binary.BigEndian.Uint16(r[24:])) + 16 + 8
				binary.BigEndian.PutUint16(r[24:], uint16(sum))
				p.Send(r)
				return
			}
			time.Sleep(100 * time.Microsecond)
		}
	}()
	got, err := h.Ping(within(t), ip("10.0.0.2"), probe.Ping{Count: 2, Interval: 300 * time.Millisecond})
	<-forged
	if err != nil {
		t.Fatal(err)
	}
	var honest, false_ int
	for _, r := range got.Replies {
		switch r.MAC.String() {
		case b.MAC().String():
			honest++
		case mac.String():
			false_++
			if !r.Altered {
				t.Errorf("the forged echo is not told of: %+v", r)
			}
		}
	}
	if honest != 2 || false_ != 1 || got.Received != 2 {
		t.Errorf("%+v; want 2 echoes and a forged one", got)
	}
}

func TestVLANs(t *testing.T) {
	sw := newSwitch(t, "lan")
	access := func(vlan uint16) probe.Options { return probe.Options{VLAN: vnet.VLANConfig{Access: vlan}} }
	a := attachWith(t, sw, "lan", access(10), "10.0.0.1/24")
	attachWith(t, sw, "lan", access(20), "10.0.0.2/24")
	attachWith(t, sw, "lan", probe.Options{VLAN: vnet.VLANConfig{Trunk: []uint16{10, 20}}, Tag: 10}, "10.0.0.3/24")
	trunk := attachWith(t, sw, "lan", probe.Options{VLAN: vnet.VLANConfig{Trunk: []uint16{10, 20}}, Tag: 20}, "10.0.0.4/24")
	if _, err := a.Ping(within(t), ip("10.0.0.3"), probe.Ping{Size: 1472}); err != nil {
		t.Error(err)
	}
	if _, err := trunk.Ping(within(t), ip("10.0.0.2"), probe.Ping{Size: 1472}); err != nil {
		t.Error(err)
	}
	for _, to := range []string{"10.0.0.2", "10.0.0.4"} {
		_, err := a.Neighbours(within(t), ip(to), probe.Ask{Wait: 100 * time.Millisecond})
		fails(t, err, probe.NoNeighbour)
	}
}

func TestRouters(t *testing.T) {
	sw := newSwitch(t, "lan")
	h := attach(t, sw, "lan")
	_, err := h.Routers(within(t), probe.Ask{Wait: time.Millisecond})
	fails(t, err, probe.Silence, "ask for IPv6 routers: no router answered 1 solicitations within")
	r1 := boot(t, sw, "r1", "lan")
	r1.sh(t, `sysctl -qw net.ipv6.conf.all.forwarding=1
		ip addr add fd00::1/64 dev eth0 nodad
		(nohup dnsmasq --no-daemon --port=0 --enable-ra --dhcp-range=fd00::,ra-only,64,1h --dhcp-range=10.0.0.50,10.0.0.60 --interface=eth0 >/tmp/log 2>&1 &)
		ip addr add 10.0.0.1/24 dev eth0; until pidof dnsmasq; do sleep 0.05; done`)
	var got []probe.Advert
	eventually(t, "the router answers", func() bool {
		got, err = h.Routers(within(t), probe.Ask{Wait: 300 * time.Millisecond})
		return err == nil
	})
	if len(got) != 1 || got[0].MAC.String() != stackport.MAC("r1/eth0").String() || !got[0].Router.IsLinkLocalUnicast() || got[0].Lifetime <= 0 ||
		len(got[0].Prefixes) != 1 || got[0].Prefixes[0].Prefix != netip.MustParsePrefix("fd00::/64") || !got[0].Prefixes[0].Autonomous || got[0].Prefixes[0].Valid != time.Hour {
		t.Errorf("the routers: %+v", got)
	}
	lease, err := h.DHCP(within(t), probe.DHCP{})
	if err != nil || lease.Server != ip("10.0.0.1") || lease.Address.Bits() != 24 {
		t.Errorf("the lease: %+v, %v", lease, err)
	}
}
