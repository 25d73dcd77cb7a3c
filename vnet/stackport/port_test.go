package stackport_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/stackport"
)

func newSwitch(t testing.TB) *vnet.Switch {
	t.Helper()
	sw, err := vnet.New(vnet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sw.Close() })
	if err := sw.AddSegment(vnet.SegmentConfig{Name: "lan", Kind: vnet.SwitchKind}); err != nil {
		t.Fatal(err)
	}
	return sw
}

func join(t testing.TB, sw *vnet.Switch, name string, o stackport.Options) *stackport.Port {
	t.Helper()
	if o.MAC == nil {
		o.MAC = stackport.MAC(name)
	}
	p, err := stackport.Join(sw, vnet.PortConfig{Name: name, Segment: "lan"}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func newStack(t testing.TB, p *stackport.Port, addr [4]byte) *stack.Stack {
	t.Helper()
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{arp.NewProtocol, ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	if err := s.CreateNIC(1, p); err != nil {
		t.Fatal(err)
	}
	a := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(addr), PrefixLen: 24}}
	if err := s.AddProtocolAddress(1, a, stack.AddressProperties{}); err != nil {
		t.Fatal(err)
	}
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: 1}})
	return s
}

func openFDs(t testing.TB) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// Two stacks talk TCP through the switch, and nothing of them is left.
func TestTwoStacks(t *testing.T) {
	sw := newSwitch(t)
	transfer := func(vlan uint16, from, to bool) {
		longest := 0
		pa := join(t, sw, "a", stackport.Options{VLAN: vlan, Offload: to, Observe: func(f []byte) { longest = max(longest, len(f)) }})
		pb := join(t, sw, "b", stackport.Options{VLAN: vlan, Offload: from})
		a, b := newStack(t, pa, [4]byte{10, 0, 0, 1}), newStack(t, pb, [4]byte{10, 0, 0, 2})
		at := tcpip.FullAddress{Addr: tcpip.AddrFrom4([4]byte{10, 0, 0, 2}), Port: 80}
		l, err := gonet.ListenTCP(b, at, ipv4.ProtocolNumber)
		if err != nil {
			t.Fatal(err)
		}
		want := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
		sent := make(chan error, 1)
		go func() {
			c, err := l.Accept()
			if err != nil {
				sent <- err
				return
			}
			_, err = c.Write(want)
			sent <- errors.Join(err, c.Close())
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		c, err := gonet.DialContextTCP(ctx, a, at, ipv4.ProtocolNumber)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c)
		if err := errors.Join(err, <-sent); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes arrived, other than the %d sent", len(got), len(want))
		}
		c.Close()
		for _, p := range []*stackport.Port{pa, pb} {
			p.Close()
			p.Close()
			if !errors.Is(p.Err(), stackport.ErrClosed) {
				t.Errorf("a closed port's Err() = %v; want ErrClosed", p.Err())
			}
		}
		a.Destroy()
		b.Destroy()
		if super := from && to; super && longest < 5000 || !super && longest > 1514 {
			t.Errorf("offloads %v at the sender, %v at the receiver: the longest frame has %d bytes", from, to, longest)
		}
	}
	transfer(0, false, false)
	fds, goroutines := openFDs(t), runtime.NumGoroutine()
	for _, vlan := range []uint16{0, 7} {
		for _, from := range []bool{false, true} {
			transfer(vlan, from, false)
			transfer(vlan, from, true)
		}
	}
	if n := len(sw.Ports()); n != 0 {
		t.Errorf("%d ports are left; want none", n)
	}
	eventually(t, "goroutines are gone", func() bool { return runtime.NumGoroutine() <= goroutines })
	eventually(t, "descriptors are closed", func() bool { return openFDs(t) <= fds })
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestSend(t *testing.T) {
	macA, macB := stackport.MAC("a"), stackport.MAC("b")
	frame := func(dst net.HardwareAddr, rest ...byte) []byte {
		return append(append(append([]byte(nil), dst...), macA...), rest...)
	}
	everyone := net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	group := net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}
	plain := []byte{0x88, 0xb5, 1, 2, 3}
	for _, tt := range []struct {
		name     string
		from, to uint16 // VLANs of the ports
		frame    []byte
		comes    bool
	}{
		{"unicast", 0, 0, frame(macB, plain...), true},
		{"broadcast", 0, 0, frame(everyone, plain...), true},
		{"group", 0, 0, frame(group, plain...), true},
		{"header alone", 0, 0, frame(macB, 0x88, 0xb5), true},
		{"as long as can be", 0, 0, frame(macB, append([]byte{0x88, 0xb5}, make([]byte, 1500)...)...), true},
		{"too long", 0, 0, frame(macB, append([]byte{0x88, 0xb5}, make([]byte, 1501)...)...), false},
		{"another's", 0, 0, frame(net.HardwareAddr{2, 9, 9, 9, 9, 9}, plain...), false},
		{"tagged both", 9, 9, frame(macB, plain...), true},
		{"tagged, full", 9, 9, frame(macB, append([]byte{0x88, 0xb5}, make([]byte, 1500)...)...), true},
		{"other VLAN", 9, 10, frame(macB, plain...), false},
		{"tagged to untagged", 9, 0, frame(macB, plain...), false},
		{"untagged to tagged", 0, 9, frame(macB, plain...), false},
		{"priority tag", 0, 0, frame(macB, 0x81, 0, 0x60, 0, 0x88, 0xb5, 7), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sw := newSwitch(t)
			got := make(chan []byte, 8)
			a := join(t, sw, "a", stackport.Options{VLAN: tt.from})
			join(t, sw, "b", stackport.Options{VLAN: tt.to, Observe: func(f []byte) { got <- bytes.Clone(f) }})
			was := bytes.Clone(tt.frame)
			last := frame(everyone, 0x88, 0xb6)
			if tt.to != tt.from { // so that a frame of the right kind follows
				c := join(t, sw, "c", stackport.Options{VLAN: tt.to})
				defer func() { c.Close() }()
				if err := a.Send(tt.frame); err != nil {
					t.Fatal(err)
				}
				sw.Segments() // the switch has passed it on
				if err := c.Send(last); err != nil {
					t.Fatal(err)
				}
			} else {
				for _, f := range [][]byte{tt.frame, last} {
					if err := a.Send(f); err != nil {
						t.Fatal(err)
					}
				}
			}
			if !bytes.Equal(tt.frame, was) {
				t.Error("Send changed the frame")
			}
			f := <-got
			if tt.comes {
				if want := bytes.Replace(tt.frame, []byte{0x81, 0, 0x60, 0}, nil, 1); !bytes.Equal(f, want) {
					t.Errorf("got %x; want %x", f, want)
				}
				f = <-got
			}
			if !bytes.Equal(f, last) {
				t.Errorf("got %x; want %x", f, last)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	sw := newSwitch(t)
	fds := openFDs(t)
	good := stackport.MAC("x")
	for name, o := range map[string]stackport.Options{
		"no MAC":     {},
		"group":      {MAC: net.HardwareAddr{1, 0, 0, 0, 0, 1}},
		"short MAC":  {MAC: good[:5]},
		"tiny MTU":   {MAC: good, MTU: 67},
		"large MTU":  {MAC: good, MTU: 9001},
		"large VLAN": {MAC: good, VLAN: 4095},
	} {
		if _, err := stackport.Join(sw, vnet.PortConfig{Name: "x", Segment: "lan"}, o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := stackport.Join(sw, vnet.PortConfig{Name: "x", Segment: "nowhere"}, stackport.Options{MAC: good}); err == nil {
		t.Error("a segment that there is not: no error")
	}
	p := join(t, sw, "p", stackport.Options{})
	if err := p.Send(make([]byte, 13)); err == nil {
		t.Error("13 bytes were sent")
	}
	p.Close()
	if err := p.Send(make([]byte, 14)); !errors.Is(err, stackport.ErrClosed) {
		t.Errorf("sending by a closed port: %v; want ErrClosed", err)
	}
	eventually(t, "descriptors are closed", func() bool { return openFDs(t) <= fds })
}

// When the switch ends under a port, the port says so.
func TestHungUp(t *testing.T) {
	sw := newSwitch(t)
	p := join(t, sw, "p", stackport.Options{})
	if err := p.Err(); err != nil {
		t.Errorf("Err() of a port that works = %v", err)
	}
	sw.Close()
	<-p.Done()
	if !errors.Is(p.Err(), stackport.ErrHungUp) {
		t.Errorf("Err() = %v; want ErrHungUp", p.Err())
	}
	if err := p.Send(make([]byte, 14)); !errors.Is(err, stackport.ErrHungUp) {
		t.Errorf("Send: %v; want ErrHungUp", err)
	}
	p.Close()
}

// What is sent just before the end arrives.
func TestLastWords(t *testing.T) {
	sw := newSwitch(t)
	got := make(chan byte, 64)
	join(t, sw, "b", stackport.Options{Observe: func(f []byte) { got <- f[14] }})
	a := join(t, sw, "a", stackport.Options{})
	const n = 50
	for i := range n {
		if err := a.Send(append(append(bytes.Repeat([]byte{0xff}, 6), stackport.MAC("a")...), 0x88, 0xb5, byte(i))); err != nil {
			t.Fatal(err)
		}
	}
	a.Close()
	for i := range n {
		if b := <-got; b != byte(i) {
			t.Fatalf("frame %d came; want %d", b, i)
		}
	}
}

// Whatever comes from a socket, what is observed belongs to the port.
func FuzzDeliver(f *testing.F) {
	mac := tcpip.LinkAddress(stackport.MAC("p"))
	f.Add([]byte{}, uint16(0), false)
	f.Add(append([]byte(mac), make([]byte, 8)...), uint16(0), false)
	f.Add(append([]byte(mac), 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 7, 8, 0, 0x45), uint16(7), false)
	f.Add(append([]byte(mac), 2, 0, 0, 0, 0, 1, 0x81, 0, 0), uint16(7), false)
	super := append([]byte{1, 5, 0, 0, 2, 0, 34, 0, 6, 0}, mac...)
	super = append(super, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 38, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1, 0, 80, 0, 80, 0, 18, 0, 0)
	f.Add(append(super, make([]byte, 10)...), uint16(0), true)
	var observe func([]byte)
	p := stackport.NewLoose(f, mac, func(frame []byte) { observe(frame) })
	s := newStack(f, p, [4]byte{10, 0, 0, 1})
	defer s.Destroy()
	f.Fuzz(func(t *testing.T, record []byte, vlan uint16, offload bool) {
		if len(record) > 1<<16 {
			return
		}
		vlan &= 0x0fff
		was := bytes.Clone(record)
		observe = func(frame []byte) {
			if len(frame) < 14 || len(frame) > 1514 && !offload || frame[0]&1 == 0 && string(frame[:6]) != string(mac) {
				t.Errorf("%x was observed", frame)
			}
			if vlan == 0 || offload {
				return
			}
			// Priority and drop eligibility, the tag's upper bits, may be any.
			if whole := stackport.Tagged(bytes.Clone(frame), vlan); !bytes.Equal(whole[:14], was[:14]) || !bytes.Equal(whole[16:], was[16:]) {
				t.Errorf("%x was observed of %x in VLAN %d", frame, was, vlan)
			}
		}
		p.Take(record, vlan, offload)
	})
}
