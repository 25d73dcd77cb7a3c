package stackport

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/patchbay/patchbay/vnet/offload"
)

const (
	tagSize   = 4
	tpid      = 0x8100
	vlanMask  = 0x0fff
	addresses = 2 * header.EthernetAddressSize // what comes before a tag
	maxSuper  = header.EthernetMinimumSize + 2*tagSize + 1<<16
)

// tagged puts a tag behind a frame's addresses, in the frame's own memory where
// that has room.
func tagged(frame []byte, vlan uint16) []byte {
	frame = append(frame, 0, 0, 0, 0)
	copy(frame[addresses+tagSize:], frame[addresses:len(frame)-tagSize])
	binary.BigEndian.PutUint16(frame[addresses:], tpid)
	binary.BigEndian.PutUint16(frame[addresses+2:], vlan)
	return frame
}

// untagged returns the frame as the stack should see it, in place, and whether
// it belongs to the VLAN. A priority tag (VLAN 0) is no VLAN.
func untagged(frame []byte, vlan uint16) ([]byte, bool) {
	if len(frame) < header.EthernetMinimumSize {
		return nil, false
	}
	if binary.BigEndian.Uint16(frame[addresses:]) != tpid {
		return frame, vlan == 0
	}
	if len(frame) < header.EthernetMinimumSize+tagSize || binary.BigEndian.Uint16(frame[addresses+2:])&vlanMask != vlan {
		return nil, false
	}
	copy(frame[tagSize:], frame[:addresses])
	return frame[tagSize:], true
}

// take gives one record to the stack. It may be anything.
func (p *Port) take(record []byte) {
	if !p.offload {
		p.deliver(record, int(p.MTU()))
		return
	}
	h, err := offload.Parse(record)
	if err != nil {
		return
	}
	frame := record[offload.Size:]
	if h.Check(frame) != nil {
		return
	}
	most := int(p.MTU())
	switch h.GSOType {
	case offload.GSONone:
	case offload.GSOUDP: // the stack would take them for one datagram
		scratch := make([]byte, maxSuper)
		offload.Segments(h, frame, scratch, func(wire []byte) { p.deliver(wire, most) })
		return
	default:
		most = maxSuper
	}
	h.Complete(frame)
	p.deliver(frame, most)
}

// deliver gives one frame to the stack, when it belongs to the Port and its
// packet is no longer than most.
func (p *Port) deliver(frame []byte, most int) {
	frame, ours := untagged(frame, p.tag)
	if !ours || len(frame) > header.EthernetMinimumSize+most {
		return
	}
	var kind tcpip.PacketType
	switch dst := tcpip.LinkAddress(frame[:header.EthernetAddressSize]); {
	case dst == header.EthernetBroadcastAddress:
		kind = tcpip.PacketBroadcast
	case header.IsMulticastEthernetAddress(dst):
		kind = tcpip.PacketMulticast
	case dst == p.LinkAddress():
		kind = tcpip.PacketHost
	default:
		return
	}
	if p.observe != nil {
		p.observe(frame)
	}
	p.mu.Lock()
	d := p.dispatcher
	p.mu.Unlock()
	if d == nil {
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(frame)})
	defer pkt.DecRef()
	if !p.ParseHeader(pkt) {
		return
	}
	pkt.PktType = kind
	pkt.NetworkProtocolNumber = header.Ethernet(pkt.LinkHeader().Slice()).Type()
	d.DeliverNetworkPacket(pkt.NetworkProtocolNumber, pkt)
}

// WritePackets implements stack.LinkWriter.
func (p *Port) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	n := 0
	for _, pkt := range pkts.AsSlice() {
		record := p.record(pkt.Size())
		at := len(record)
		for _, b := range pkt.AsSlices() {
			record = append(record, b...)
		}
		if p.finish != nil {
			p.finish(record[at:])
		}
		if p.write(record, super(pkt)) != nil {
			return n, &tcpip.ErrClosedForSend{}
		}
		n++
	}
	return n, nil
}

// super is the header for a packet that the stack left work for.
func super(pkt *stack.PacketBuffer) (h offload.Header) {
	o := pkt.GSOOptions
	if o.Type == stack.GSONone || !o.NeedsCsum {
		return h
	}
	h.Flags = offload.NeedsCsum
	h.CsumStart, h.CsumOffset = header.EthernetMinimumSize+o.L3HdrLen, o.CsumOffset
	if pkt.Data().Size() <= int(o.MSS) {
		return h
	}
	h.GSOSize, h.HdrLen = o.MSS, uint16(pkt.HeaderSize())
	if h.GSOType = offload.GSOTCPv4; o.Type == stack.GSOTCPv6 {
		h.GSOType = offload.GSOTCPv6
	}
	return h
}

// SupportedGSO implements stack.GSOEndpoint.
func (p *Port) SupportedGSO() stack.SupportedGSO {
	if p.offload {
		return stack.HostGSOSupported
	}
	return stack.GSONotSupported
}

// GSOMaxSize implements stack.GSOEndpoint: with all headers it fits IPv4's
// total length.
func (p *Port) GSOMaxSize() uint32 { return 1<<16 - 256 }

// Attach implements stack.NetworkLinkEndpoint.
func (p *Port) Attach(d stack.NetworkDispatcher) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dispatcher = d
}

// IsAttached implements stack.NetworkLinkEndpoint.
func (p *Port) IsAttached() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dispatcher != nil
}

// Wait implements stack.NetworkLinkEndpoint. The stack calls it under a lock
// that the reader may need, before it calls Close, so it waits for nothing:
// Close does.
func (p *Port) Wait() {}

// MTU implements stack.NetworkLinkEndpoint.
func (p *Port) MTU() uint32 { return p.mtu.Load() }

// SetMTU implements stack.NetworkLinkEndpoint.
func (p *Port) SetMTU(mtu uint32) { p.mtu.Store(mtu) }

// LinkAddress implements stack.NetworkLinkEndpoint.
func (p *Port) LinkAddress() tcpip.LinkAddress { return *p.mac.Load() }

// SetLinkAddress implements stack.NetworkLinkEndpoint.
func (p *Port) SetLinkAddress(a tcpip.LinkAddress) { p.mac.Store(&a) }

// MaxHeaderLength implements stack.NetworkLinkEndpoint.
func (p *Port) MaxHeaderLength() uint16 { return header.EthernetMinimumSize }

// Capabilities implements stack.NetworkLinkEndpoint.
func (p *Port) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityResolutionRequired
}

// ARPHardwareType implements stack.NetworkLinkEndpoint.
func (p *Port) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareEther }

// AddHeader implements stack.NetworkLinkEndpoint.
func (p *Port) AddHeader(pkt *stack.PacketBuffer) {
	header.Ethernet(pkt.LinkHeader().Push(header.EthernetMinimumSize)).Encode(&header.EthernetFields{
		SrcAddr: pkt.EgressRoute.LocalLinkAddress,
		DstAddr: pkt.EgressRoute.RemoteLinkAddress,
		Type:    pkt.NetworkProtocolNumber,
	})
}

// ParseHeader implements stack.NetworkLinkEndpoint.
func (p *Port) ParseHeader(pkt *stack.PacketBuffer) bool {
	_, ok := pkt.LinkHeader().Consume(header.EthernetMinimumSize)
	return ok
}

// SetOnCloseAction implements stack.NetworkLinkEndpoint.
func (p *Port) SetOnCloseAction(func()) {}
