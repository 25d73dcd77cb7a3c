package probe_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/patchbay/patchbay/vnet"
	"github.com/patchbay/patchbay/vnet/stackport"
)

// newBlackHole answers ARP for every address but those of the real machines,
// and swallows what comes: the wire's own port is asked for all of it.
func newBlackHole(t testing.TB, sw *vnet.Switch, segment, name string, addresses ...string) *wire {
	t.Helper()
	w := &wire{}
	ready := make(chan struct{})
	p, err := stackport.Join(sw, vnet.PortConfig{Name: name, Segment: segment}, stackport.Options{
		MAC: stackport.MAC(name),
		Observe: func(f []byte) {
			<-ready
			if len(f) < 42 || binary.BigEndian.Uint16(f[12:]) != 0x0806 || f[21] != 1 {
				return
			}
			asked, _ := netip.AddrFromSlice(f[38:42])
			for _, a := range addresses {
				if asked == ip(a) {
					w.Send(arpReply(name, a, f))
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Port = p
	close(ready)
	t.Cleanup(p.Close)
	return w
}

// arpReply is the answer of a name's machine to a request: "address is mine".
func arpReply(name, address string, request []byte) []byte {
	mac := stackport.MAC(name)
	f := append(append([]byte(nil), request[6:12]...), mac...)
	f = append(f, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2)
	f = append(append(f, mac...), ip(address).AsSlice()...)
	return append(append(f, request[22:28]...), request[28:32]...)
}
