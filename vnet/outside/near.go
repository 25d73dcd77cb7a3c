package outside

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// never are the addresses that no rule opens.
var never = prefixes(
	"0.0.0.0/8",          // this host
	"127.0.0.0/8",        // the host's loopback
	"169.254.0.0/16",     // link-local; 169.254.169.254 has a cloud machine's secrets
	"168.63.129.16/32",   // the same in Azure,
	"100.100.100.200/32", // in Alibaba's cloud
	"192.0.0.0/24",       // and in Oracle's; set aside for protocols
	"224.0.0.0/4",        // multicast
	"240.0.0.0/4",        // reserved, and broadcast
)

// private are the networks that are near for every host.
var private = prefixes(
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
	"100.64.0.0/10", // between a provider and its customers
	"198.18.0.0/15", // for measurements
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		list[i] = netip.MustParsePrefix(t)
	}
	return list
}

// Never finds the forbidden network, one that no rule opens, that p lies in as a whole; the zero
// Prefix when there is none.
func Never(p netip.Prefix) netip.Prefix {
	for _, n := range never {
		if inside(p, n) {
			return n
		}
	}
	return netip.Prefix{}
}

// inside says whether all of p is in q.
func inside(p, q netip.Prefix) bool { return p.Bits() >= q.Bits() && q.Contains(p.Addr()) }

// Near lists what only a rule that names it reaches: the private networks, the
// networks that this machine is on, and its own addresses.
func Near() ([]netip.Prefix, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("listing the host's networks: %w", err)
	}
	near := slices.Clone(private)
	for _, a := range addrs {
		ip, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		addr, ok := netip.AddrFromSlice(ip.IP)
		if addr = addr.Unmap(); !ok || !addr.Is4() {
			continue
		}
		ones, _ := ip.Mask.Size()
		near = append(near, netip.PrefixFrom(addr, 32))
		if p := netip.PrefixFrom(addr, ones).Masked(); ones > 0 && ones < 32 {
			near = append(near, p)
		}
	}
	return near, nil
}

// named says whether a rule for the network by, which is the zero Prefix when
// it names none, may reach what: it may, when that is not near, or when by is
// one of the near networks that what is in, or a part of it. To name the
// network that the host is on does not open the host's own address: services
// that hide from the outside behind that network would not hide from a guest.
func named(by, what netip.Prefix, near []netip.Prefix) bool {
	isNear, opened := false, false
	for _, n := range near {
		if !inside(what, n) {
			continue
		}
		isNear = true
		names := by.IsValid() && inside(by, n)
		if n.IsSingleIP() && !names {
			return false
		}
		opened = opened || names
	}
	return !isNear || opened
}

// barred says whether an address is kept from a rule of the administrator's for
// the network by, where that is valid, by being the host's own or near.
func barred(addr netip.Addr, by netip.Prefix, near []netip.Prefix) bool {
	if !addr.Is4() {
		return true
	}
	only := netip.PrefixFrom(addr, 32)
	return Never(only).IsValid() || !named(by, only, near)
}
