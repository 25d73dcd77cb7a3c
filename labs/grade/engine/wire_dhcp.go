package engine

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/vnet/filter"
	"github.com/patchbay/patchbay/vnet/probe"
	"github.com/patchbay/patchbay/vnet/record"
)

func evalDHCP(ctx context.Context, t Target, k *grade.DHCP) (verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := hasRoom(t, k.Segment); err != nil {
		return verdict{}, err
	}
	// The same machine at each try, one at a time: a small pool is not to be
	// used up by a check.
	places := placesOf(t)
	key := fmt.Sprintf("dhcp %q %d", k.Segment, k.VLAN)
	mine := places.at(key)
	mine.mu.Lock()
	defer mine.mu.Unlock()
	at := k.At
	at.Seed = places.secret() + " " + key
	h, done, err := t.Attach(ctx, at)
	if err != nil {
		return verdict{}, fmt.Errorf("joining %s: %w", k.Segment, err)
	}
	defer done()
	from := time.Now()
	o := probe.DHCP{Timeout: time.Second, Tries: 2}
	if k.By != "" || k.Servers > 0 {
		o.Others = 500 * time.Millisecond
	}
	lease, err := h.DHCP(ctx, o)
	if err != nil {
		v, err := blame(err)
		v.evidence = probeFrames(ctx, t, h, from)
		return v, err
	}
	v, err := judgeLease(ctx, t, k, &lease, h, from)
	v.evidence = probeFrames(ctx, t, h, from)
	return v, err
}

func judgeLease(ctx context.Context, t Target, k *grade.DHCP, l *probe.Lease, h *probe.Host, from time.Time) (verdict, error) {
	var wrong []string
	miss := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	first, last, err := k.Bounds()
	if err != nil {
		return verdict{}, fmt.Errorf("the check's range: %w", err)
	}
	if a := l.Address.Addr(); first.IsValid() && (a.Less(first) || last.Less(a)) {
		miss("%s is not within %s", a, k.Range)
	}
	if k.Length != 0 && l.Address.Bits() != k.Length {
		miss("the prefix length is %d", l.Address.Bits())
	}
	if k.Router.IsValid() && !slices.Contains(l.Routers, k.Router) {
		miss("the routers are %s", addressList(l.Routers))
	}
	for _, a := range k.Names {
		if !slices.Contains(l.DNS, a) {
			miss("the name servers are %s", addressList(l.DNS))
			break
		}
	}
	if k.Domain != "" && !strings.EqualFold(strings.TrimSuffix(l.Domain, "."), strings.TrimSuffix(k.Domain, ".")) {
		miss("the domain is %s", quote(l.Domain))
	}
	if n := len(l.Offers); k.Servers > 0 && n != k.Servers {
		miss("%s answered", numberOf(n, "server"))
	}
	if k.By != "" {
		ports, err := dhcpPorts(ctx, t, k, h, from)
		if err != nil {
			return verdict{}, err
		}
		ours := portsOf(t, k.By)
		for _, p := range ports {
			if _, ok := ours[p]; !ok {
				miss("%s answered", p)
			}
		}
		if len(ports) == 0 {
			miss("no interface of the lab answered")
		}
	}
	if len(wrong) > 0 {
		return failed("%s was offered: %s", l.Address, strings.Join(wrong, "; ")), nil
	}
	return passed("%s offered %s, the routers %s, the name servers %s", l.Server, l.Address, addressList(l.Routers), addressList(l.DNS)), nil
}

// dhcpPorts are the lab's ports from which servers answered since a time.
func dhcpPorts(ctx context.Context, t Target, k *grade.DHCP, h *probe.Host, from time.Time) (ports []string, err error) {
	f, err := filter.Compile("udp src port 67 and (ether dst " + h.MAC().String() + " or ether broadcast)")
	if err != nil {
		return nil, fmt.Errorf("looking for servers: %w", err)
	}
	q := record.Query{Ports: segmentPorts(t, k.Segment), Dir: record.FromGuest, Delivered: true, Filter: f, From: from, To: time.Now()}
	for fr, err := range t.Ring().Read(ctx, q) {
		if err != nil {
			return nil, fmt.Errorf("looking for servers: %w", err)
		}
		if !slices.Contains(ports, fr.Port) {
			ports = append(ports, fr.Port)
		}
	}
	return ports, nil
}

func addressList(list []netip.Addr) string {
	if len(list) == 0 {
		return "none"
	}
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}
