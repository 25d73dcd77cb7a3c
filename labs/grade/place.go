package grade

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/patchbay/patchbay/vnet/filter"
)

// Prober is a Kind that has a probe host join segments; the lab refuses those
// that are links, with NoRoom.
type Prober interface{ Probes() []string }

// Placer is a Kind that names interfaces, as NODE/INTERFACE; the lab has to
// have them.
type Placer interface{ Interfaces() []string }

// NoRoom says why a probe cannot join a link, and what to do instead.
const NoRoom = "a link has room for its two ends alone, and none for a probe host; " +
	"let the probe join a switch, make this segment one, or, for ping, say “from: NODE” to have a node ping and its frames watched"

// report is what Kind.Validate is given.
type report = func(field, fix, format string, args ...any)

// Anybody is the place of who answers when it may be any machine.
const Anybody = "*"

// maxText bounds what a check compares with, in bytes.
const maxText = 16 << 10

var typePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,9}$`)

// probes is the segment of a place, if it is one.
func (a *At) probes() []string {
	if a.Segment == "" {
		return nil
	}
	return []string{a.Segment}
}

func (a *At) validate(report report) {
	if a.Segment == "" {
		report("segment", "name a switch, hub or uplink of the lab", "there is no segment for the probe host to join")
	}
	if a.VLAN > 4094 {
		report("vlan", "", "VLAN %d is not within 1 to 4094", a.VLAN)
	}
	if len(a.Address) > 4 {
		report("address", "", "%d addresses are more than the 4 that a probe host can have", len(a.Address))
	}
	for i, s := range a.Address {
		if _, err := netip.ParsePrefix(s); err != nil {
			report("address["+itoa(i)+"]", "write it with its prefix length, such as 10.0.0.200/24, or as a network, such as 10.0.0.0/24",
				"%q is no address with a prefix length", s)
		}
	}
	validateAddress(report, "gateway", a.Gateway)
	validateAddress(report, "dns", a.DNS)
}

func validateAddress(report report, field, s string) {
	if s == "" {
		return
	}
	if a, err := netip.ParseAddr(s); err != nil || a.Zone() != "" {
		report(field, "write an address, such as 10.0.0.1", "%q is no address", s)
	}
}

// NodeOf is the node of NODE or NODE/INTERFACE, and the interface, if any.
func NodeOf(place string) (node, iface string) {
	node, iface, _ = strings.Cut(place, "/")
	return node, iface
}

// answering is the end of a sentence that says who is to answer.
func answering(by string) string {
	if by == "" || by == Anybody {
		return ""
	}
	return ", and " + by + " answers"
}

// nodesOf are the nodes of places, each once.
func nodesOf(places ...string) (nodes []string) {
	for _, p := range places {
		if n, _ := NodeOf(p); n != "" && n != Anybody && !slices.Contains(nodes, n) {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// interfacesOf are those places that name an interface.
func interfacesOf(places ...string) (list []string) {
	for _, p := range places {
		if strings.Contains(p, "/") && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}

func validatePlace(report report, field, place string) {
	node, iface, both := strings.Cut(place, "/")
	if place != "" && (node == "" || both && iface == "" || strings.Contains(iface, "/")) {
		report(field, "write NODE or NODE/INTERFACE, such as r1/eth0", "%q is no place", place)
	}
}

func validateRegex(report report, field, expr string) {
	if _, err := regexp.Compile(expr); err != nil {
		report(field, "regular expressions are those of RE2", "%q is no regular expression: %v", expr, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	validateLength(report, field, expr)
}

func validateLength(report report, field, text string) {
	if len(text) > maxText {
		report(field, "", "%d bytes are more than the %d that can be compared with", len(text), maxText)
	}
}

func validateFilter(report report, field, expr string) {
	if _, err := filter.Compile(expr); err != nil {
		report(field, "filters are those of tcpdump, such as “icmp and host 10.0.0.1”", "%v", err)
	}
}

// validateTarget wants an address with a port.
func validateTarget(report report, field, s string) {
	if a, err := netip.ParseAddrPort(s); err != nil || a.Port() == 0 {
		report(field, "write ADDRESS:PORT, such as 10.0.0.1:22 or [fd00::1]:22", "%q is no address with a port", s)
	}
}

func oneOf(report report, field, value string, list ...string) {
	if value != "" && !slices.Contains(list, value) {
		report(field, "", "%q is none of %s", value, strings.Join(list, ", "))
	}
}

// Locator is a Kind that names a place which is a segment or a node; the lab
// has to have one of that name. It is empty when the kind names none.
type Locator interface{ Where() string }
