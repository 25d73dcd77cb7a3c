package stackport

import (
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/patchbay/patchbay/vnet"
)

type nowhere struct{}

func (nowhere) AddPort(vnet.PortConfig) error { return nil }
func (nowhere) RemovePort(string) error       { return nil }

// NewLoose is a Port that no switch knows, for giving it frames.
func NewLoose(t testing.TB, mac tcpip.LinkAddress, observe func([]byte)) *Port {
	ours, theirs, err := socketpair()
	if err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	p := &Port{sw: nowhere{}, conn: ours, observe: observe, reader: make(chan struct{})}
	close(p.reader)
	t.Cleanup(p.Close)
	p.mtu.Store(1500)
	p.SetLinkAddress(mac)
	return p
}

// Take is what the reader does with a record.
func (p *Port) Take(record []byte, vlan uint16, offload bool) {
	p.tag, p.offload = vlan, offload
	p.take(record)
}

var Tagged = tagged
