package probe

import (
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// LookAt does with a frame all that any operation would.
func LookAt(frame []byte) {
	p, ok := dissect(frame, time.Time{})
	if !ok {
		return
	}
	m, quoted, ok := p.icmp()
	_ = m.String()
	if ok {
		quoted.ports()
		quoted.echo(false)
	}
	p.ports()
	p.echo(true)
	arpClaim(&p, netip.AddrFrom4([4]byte{10, 0, 0, 1}))
	ndpClaim(&p, netip.AddrFrom16([16]byte{15: 1}))
	complaint(&p, protoTCP, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), 80))
	if l, ok := hear(&p, dhcpv4.TransactionID{}, []byte{2, 0, 0, 0, 0, 1}); ok && !l.odd {
		l.offer().sound()
	}
	advert(&p)
}

// Dress does with a frame what is done before it is sent.
func Dress(frame []byte) { newDress().finish(frame) }
