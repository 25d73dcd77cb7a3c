package probe

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// targets are the addresses that an address or name with a port stands for.
func (h *Host) targets(ctx context.Context, a asked, network, address string) ([]netip.AddrPort, error) {
	switch network {
	case "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6":
	default:
		return nil, a.fault(nil, "the network %q is not known", network)
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, a.fault(err, "reading the address")
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil || port == 0 {
		return nil, a.fault(nil, "%q is no port number", service)
	}
	want4, want6 := !strings.HasSuffix(network, "6"), !strings.HasSuffix(network, "4")
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.Unmap().WithZone("")
		if addr.Is4() && !want4 || addr.Is6() && !want6 {
			return nil, a.fault(nil, "%s is not of the network %s", addr, network)
		}
		return []netip.AddrPort{netip.AddrPortFrom(addr, uint16(port))}, nil
	}
	var found []netip.AddrPort
	for _, t := range []struct {
		kind string
		want bool
	}{{"A", want4}, {"AAAA", want6}} {
		if !t.want || !h.speaks(t.kind == "A") {
			continue
		}
		ans, err := h.resolve(ctx, Query{Name: host, Type: t.kind})
		if err != nil {
			return nil, err
		}
		if ans.Code != "NOERROR" && ans.Code != "NXDOMAIN" {
			return nil, asked{"resolve", host}.found(Refused, ans.Server.Addr(), "the DNS server %s answered %s", ans.Server.Addr(), ans.Code)
		}
		for _, r := range ans.Records {
			if r.Addr.IsValid() {
				found = append(found, netip.AddrPortFrom(r.Addr, uint16(port)))
			}
		}
	}
	if len(found) == 0 {
		return nil, asked{"resolve", host}.found(Refused, h.server(), "the DNS server %s knows no address of that name", h.server())
	}
	return found, nil
}

// speaks says that the Host has an address of a version of IP.
func (h *Host) speaks(v4 bool) bool {
	for _, p := range h.Addresses() {
		if p.Addr().Is4() == v4 {
			return true
		}
	}
	return false
}
