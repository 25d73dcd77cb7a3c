package outside

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Protocol is what carries a connection.
type Protocol string

// The protocols. The zero value of a Rule's stands for both of TCP and UDP.
const (
	TCP  Protocol = "tcp"
	UDP  Protocol = "udp"
	Echo Protocol = "icmp" // ping; never in a Rule: allowed where any port is
)

// Rule allows some destinations. It is written as text:
//
//	www.example.com:80             a host, a port
//	*.example.org:8000-8100       any name below a domain, a range of ports
//	198.51.100.0/24:53/udp        a network, a port of one protocol
//	198.51.100.7                  an address, every port
//	git.example.org@10.1.0.0/16   a host, as long as it is in a network
//	*:443                         any name and any address that is not near
//
// See the package on what no rule allows.
type Rule struct {
	// Name is a host's name in lower case, "*." and a domain, "*", or empty
	// when Within alone says what is meant.
	Name   string
	Within netip.Prefix // IPv4; the zero value allows any address
	Ports  Ports        // the zero value allows every port
	Proto  Protocol     // TCP, UDP, or empty for both

	// Of a rule of Effective's whose Within is a lab's choice: the administrator's
	// network around it, which may be none. It is for that alone to name what is near,
	// and what is may change while the rule holds.
	chosen bool
	by     netip.Prefix
}

// namedBy is the network by which the administrator named what the rule is for.
func (r *Rule) namedBy() netip.Prefix {
	if r.chosen {
		return r.by
	}
	return r.Within
}

// Ports is a range of ports, both ends in it.
type Ports struct{ First, Last uint16 }

func (p Ports) holds(port uint16) bool { return p == Ports{} || p.First <= port && port <= p.Last }

// meet is the ports that both have. ok is false when there are none.
func (p Ports) meet(q Ports) (both Ports, ok bool) {
	switch {
	case p == Ports{}:
		return q, true
	case q == Ports{}:
		return p, true
	}
	both = Ports{max(p.First, q.First), min(p.Last, q.Last)}
	return both, both.First <= both.Last
}

// maxRuleText bounds a rule's text: a name has 253 characters at most.
const maxRuleText = 320

// ParseRule reads a rule. Its error is a sentence's end, for whoever wrote it.
func ParseRule(text string) (Rule, error) {
	r, err := parseRule(strings.TrimSpace(text))
	if err != nil {
		if len(text) > 80 {
			text = text[:80] + "…"
		}
		return Rule{}, fmt.Errorf("uplink rule %q: %w", text, err)
	}
	return r, nil
}

func parseRule(s string) (r Rule, err error) {
	if len(s) > maxRuleText {
		return Rule{}, errors.New("it is too long")
	}
	if s == "" {
		return Rule{}, errors.New("it is empty; write a host and a port, such as www.example.com:80")
	}
	if strings.Contains(s, "://") {
		return Rule{}, errors.New("it is the address of a page; write the host and the port alone, such as www.example.com:80")
	}
	if strings.ContainsAny(s, "[]") || strings.Count(s, ":") > 1 {
		return Rule{}, errors.New("an uplink carries IPv4 alone; write a host, an IPv4 address or a network, and a port behind one colon")
	}
	for _, p := range []Protocol{TCP, UDP} {
		if before, ok := strings.CutSuffix(s, "/"+string(p)); ok {
			s, r.Proto = before, p
		}
	}
	s, ports, hasPorts := strings.Cut(s, ":")
	if hasPorts {
		if r.Ports, err = parsePorts(ports); err != nil {
			return Rule{}, err
		}
	}
	name, within, both := strings.Cut(s, "@")
	switch {
	case both:
		if r.Name, err = parseName(name); err != nil {
			return Rule{}, err
		}
		if r.Within, err = parsePrefix(within); err != nil {
			return Rule{}, err
		}
	case looksNumeric(s):
		if r.Within, err = parsePrefix(s); err != nil {
			return Rule{}, err
		}
	default:
		if r.Name, err = parseName(s); err != nil {
			return Rule{}, err
		}
	}
	return r, nil
}

func parsePorts(s string) (Ports, error) {
	first, last, ranged := strings.Cut(s, "-")
	if !ranged {
		last = first
	}
	a, errA := strconv.ParseUint(first, 10, 16)
	b, errB := strconv.ParseUint(last, 10, 16)
	if errA != nil || errB != nil || a == 0 || b < a {
		return Ports{}, fmt.Errorf("%q is no port; write one from 1 to 65535, or a range such as 8000-8100", s)
	}
	return Ports{uint16(a), uint16(b)}, nil
}

// looksNumeric says whether s is meant as an address or a network: no name's
// last label begins with a digit.
func looksNumeric(s string) bool {
	if strings.Contains(s, "/") {
		return true
	}
	last := s[strings.LastIndexByte(s, '.')+1:]
	return last != "" && last[0] >= '0' && last[0] <= '9'
}

func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		s += "/32"
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() {
		return netip.Prefix{}, fmt.Errorf("%q is no IPv4 network; write one such as 198.51.100.0/24", s)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%s has bits behind its prefix; write %s", p, p.Masked())
	}
	if in := Never(p); in.IsValid() {
		return netip.Prefix{}, fmt.Errorf("%s is in %s, which no uplink reaches", p, in)
	}
	return p, nil
}

// parseName reads a host's name, "*.domain" or "*".
func parseName(s string) (string, error) {
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	if s == "*" {
		return s, nil
	}
	host := strings.TrimPrefix(s, "*.")
	if strings.Contains(host, "*") {
		return "", fmt.Errorf("%q: a star stands for the names below a domain and comes first, such as *.example.org", s)
	}
	if !ValidName(host) {
		return "", fmt.Errorf("%q is no host name; use letters, digits, - and dots (names in other scripts as xn--…)", s)
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return "", errors.New("localhost is the server itself, which no uplink reaches")
	}
	return s, nil
}

// ValidName says whether s is a host name in lower case. Underscores are let
// through, as resolvers do.
func ValidName(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return !looksNumeric(s)
}

// String gives the rule as ParseRule reads it.
func (r Rule) String() string {
	var b strings.Builder
	b.WriteString(r.Name)
	if r.Within.IsValid() {
		if r.Name != "" {
			b.WriteByte('@')
		}
		if r.Within.IsSingleIP() {
			b.WriteString(r.Within.Addr().String())
		} else {
			b.WriteString(r.Within.String())
		}
	}
	switch {
	case r.Ports == Ports{}:
	case r.Ports.First == r.Ports.Last:
		fmt.Fprintf(&b, ":%d", r.Ports.First)
	default:
		fmt.Fprintf(&b, ":%d-%d", r.Ports.First, r.Ports.Last)
	}
	if r.Proto != "" {
		b.WriteString("/" + string(r.Proto))
	}
	return b.String()
}

// MarshalText writes the rule as text, for JSON and YAML.
func (r Rule) MarshalText() ([]byte, error) {
	if r.Name == "" && !r.Within.IsValid() {
		return nil, errors.New("marshalling an uplink rule that allows nothing")
	}
	return []byte(r.String()), nil
}

// UnmarshalText is ParseRule.
func (r *Rule) UnmarshalText(text []byte) error {
	parsed, err := ParseRule(string(text))
	if err != nil {
		return err
	}
	*r = parsed
	return nil
}
