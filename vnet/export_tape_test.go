package vnet

import (
	"fmt"

	"github.com/patchbay/patchbay/vnet/record"
)

// Record has a switch that is turned by hand record what passes.
func (m *Manual) Record(r *record.Ring) {
	m.l.tape.ring = r
	for i, p := range m.ports {
		p.tape = r.Port(fmt.Sprint(i), m.seg.Name)
	}
}
