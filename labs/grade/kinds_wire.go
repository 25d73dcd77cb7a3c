package grade

import (
	"fmt"
	"net/netip"
	"strings"
)

// Ping: see Kinds.
type Ping struct {
	At      `yaml:",inline"`
	From    string     `json:"from,omitempty" yaml:"from" doc:"In place of a probe at a segment: the node that pings, as NODE or NODE/INTERFACE. What it says of it is not asked; its request and the answer have to be seen at its port of the switch, and at the port of whoever answers."`
	To      netip.Addr `json:"to" yaml:"to" doc:"The address that is pinged."`
	By      string     `json:"by,omitempty" yaml:"by" doc:"Who has to answer: NODE/INTERFACE or NODE. When nothing is said it is the node that the lab gives the address to, if there is one; * lets anybody answer, but not with from."`
	Count   int        `json:"count,omitempty" yaml:"count" doc:"How many requests; 3 when nothing is said."`
	Answers int        `json:"answers,omitempty" yaml:"answers" doc:"How many have to be answered; 1 when nothing is said."`
	TTL     uint8      `json:"ttl,omitempty" yaml:"ttl" doc:"The TTL, or hop limit, that answers arrive with."`
	Size    int        `json:"size,omitempty" yaml:"size" doc:"Bytes of data in a request; 56 when nothing is said."`
	NAT     bool       `json:"nat,omitempty" yaml:"nat" doc:"With from: addresses may be translated on the way, so that requests are known again by their data alone."`
}

// Nodes is part of Kind.
func (k *Ping) Nodes() []string { return nodesOf(k.From, k.By) }

// Segments is part of Kind.
func (k *Ping) Segments() []string { return k.probes() }

// Probes is part of Prober.
func (k *Ping) Probes() []string { return k.probes() }

// Interfaces is part of Placer.
func (k *Ping) Interfaces() []string { return interfacesOf(k.From, k.By) }

// Validate is part of Kind.
func (k *Ping) Validate(report report) {
	switch {
	case k.From == "":
		k.validate(report)
	case k.Segment != "":
		report("from", "leave one of them out", "a ping comes from a probe at a segment or from a node, not from both")
	}
	validatePlace(report, "from", k.From)
	validatePlace(report, "by", k.By)
	if !k.To.IsValid() {
		report("to", "write the address that is pinged", "there is no address")
	}
	if k.Count < 0 || k.Count > 20 {
		report("count", "", "%d requests are not within 1 to 20", k.Count)
	}
	if k.Answers < 0 || k.Answers > k.Requests() {
		report("answers", "", "%d requests cannot have %d answers", k.Requests(), k.Answers)
	}
	if k.Size < 0 || k.Size > 8000 || k.From != "" && k.Size != 0 && k.Size < 56 {
		report("size", "", "%d bytes are not within 1 to 8000, or 56 to 8000 from a node", k.Size)
	}
	if k.By == Anybody && k.From != "" {
		report("by", "name the node", "of a node's ping it has to be known where it is to arrive")
	}
	if k.NAT && k.From == "" {
		report("nat", "name the node that pings with from", "only a node's ping can be watched on its way through a translation")
	}
}

// Requests is how many are sent.
func (k *Ping) Requests() int {
	if k.Count == 0 {
		return 3
	}
	return k.Count
}

// Least is how many have to be answered.
func (k *Ping) Least() int { return max(k.Answers, 1) }

// Expect is part of Kind.
func (k *Ping) Expect() string {
	who := "a machine on " + k.Segment
	if k.From != "" {
		who = k.From
	}
	s := fmt.Sprintf("%s reaches %s", who, k.To)
	s += answering(k.By)
	if k.Answers > 1 {
		s += fmt.Sprintf(", %d of %d times", k.Answers, k.Requests())
	}
	if k.TTL != 0 {
		s += fmt.Sprintf(", with a TTL of %d left", k.TTL)
	}
	return s
}

// Trace: see Kinds.
type Trace struct {
	At    `yaml:",inline"`
	To    netip.Addr   `json:"to" yaml:"to" doc:"The address that the way leads to."`
	Hops  []string     `json:"hops,omitempty" yaml:"hops" doc:"The addresses that answer at each distance, the target last; * for any."`
	Via   []netip.Addr `json:"via,omitempty" yaml:"via" doc:"Routers that have to be on the way, wherever."`
	Avoid []netip.Addr `json:"avoid,omitempty" yaml:"avoid" doc:"Routers that must not be on it."`
	ICMP  bool         `json:"icmp,omitempty" yaml:"icmp" doc:"Send echo requests instead of UDP datagrams."`
}

// Nodes is part of Kind.
func (k *Trace) Nodes() []string { return nil }

// Segments is part of Kind.
func (k *Trace) Segments() []string { return k.probes() }

// Probes is part of Prober.
func (k *Trace) Probes() []string { return k.probes() }

// Validate is part of Kind.
func (k *Trace) Validate(report report) {
	k.validate(report)
	if !k.To.IsValid() {
		report("to", "write the address that the way leads to", "there is no address")
	}
	if len(k.Hops) > 30 {
		report("hops", "", "%d hops are more than 30", len(k.Hops))
	}
	for i, s := range k.Hops {
		if s != "*" {
			validateAddress(report, "hops["+itoa(i)+"]", s)
		}
	}
}

// Expect is part of Kind.
func (k *Trace) Expect() string {
	s := fmt.Sprintf("the way from %s to %s", k.Segment, k.To)
	var parts []string
	if len(k.Hops) > 0 {
		parts = append(parts, "is "+strings.Join(k.Hops, ", "))
	}
	if len(k.Via) > 0 {
		parts = append(parts, "leads over "+addresses(k.Via))
	}
	if len(k.Avoid) > 0 {
		parts = append(parts, "avoids "+addresses(k.Avoid))
	}
	if len(parts) == 0 {
		return s + " leads there"
	}
	return s + " " + strings.Join(parts, " and ")
}

func addresses(list []netip.Addr) string {
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}

// Connect: see Kinds.
type Connect struct {
	At       `yaml:",inline"`
	To       string `json:"to" yaml:"to" doc:"ADDRESS:PORT of TCP."`
	State    string `json:"state,omitempty" yaml:"state" doc:"open (when nothing is said); refused: a reset comes; filtered: nothing comes, or a router says that it is forbidden; closed: not open."`
	Send     string `json:"send,omitempty" yaml:"send" doc:"What is sent once it is open."`
	Contains string `json:"contains,omitempty" yaml:"contains" doc:"A text in the first 4 KiB that come back."`
	Regex    string `json:"regex,omitempty" yaml:"regex" doc:"A regular expression that matches in them."`
	By       string `json:"by,omitempty" yaml:"by" doc:"Whose port the answer has to leave: NODE or NODE/INTERFACE. When nothing is said it is the node that the lab gives the address to, if there is one; * lets anybody answer."`
}

// Nodes is part of Kind.
func (k *Connect) Nodes() []string { return nodesOf(k.By) }

// Interfaces is part of Placer.
func (k *Connect) Interfaces() []string { return interfacesOf(k.By) }

// Segments is part of Kind.
func (k *Connect) Segments() []string { return k.probes() }

// Probes is part of Prober.
func (k *Connect) Probes() []string { return k.probes() }

// Validate is part of Kind.
func (k *Connect) Validate(report report) {
	k.validate(report)
	validateTarget(report, "to", k.To)
	validatePlace(report, "by", k.By)
	if k.By != "" && k.Wanted() != "open" && k.Wanted() != "refused" {
		report("by", "leave it out", "nobody answers for a port that is %s", k.Wanted())
	}
	oneOf(report, "state", k.State, "open", "refused", "filtered", "closed")
	validateRegex(report, "regex", k.Regex)
	validateLength(report, "contains", k.Contains)
	validateLength(report, "send", k.Send)
	if k.Wanted() != "open" && k.Send+k.Contains+k.Regex != "" {
		report("state", "", "a port that is %s sends nothing", k.State)
	}
}

// Wanted is the state that is expected.
func (k *Connect) Wanted() string {
	if k.State == "" {
		return "open"
	}
	return k.State
}

// Expect is part of Kind.
func (k *Connect) Expect() string {
	s := fmt.Sprintf("port %s is %s for a machine on %s", k.To, k.Wanted(), k.Segment)
	if k.Contains != "" {
		s += fmt.Sprintf(" and says %q", k.Contains)
	}
	if k.Regex != "" {
		s += " and what it says matches " + k.Regex
	}
	return s + answering(k.By)
}

// DHCP: see Kinds.
type DHCP struct {
	At      `yaml:",inline"`
	Range   string       `json:"range,omitempty" yaml:"range" doc:"Where the address comes from: a network, or FIRST-LAST."`
	Router  netip.Addr   `json:"router,omitempty" yaml:"router" doc:"The default router that is told."`
	Names   []netip.Addr `json:"names,omitempty" yaml:"names" doc:"Name servers that are told, each of them."`
	Domain  string       `json:"domain,omitempty" yaml:"domain" doc:"The domain that is told."`
	Length  int          `json:"length,omitempty" yaml:"length" doc:"The network's prefix length."`
	By      string       `json:"by,omitempty" yaml:"by" doc:"Whose server it is: NODE or NODE/INTERFACE; no other may answer."`
	Servers int          `json:"servers,omitempty" yaml:"servers" doc:"How many servers answer; any number when nothing is said, one with by."`
}

// Nodes is part of Kind.
func (k *DHCP) Nodes() []string { return nodesOf(k.By) }

// Segments is part of Kind.
func (k *DHCP) Segments() []string { return k.probes() }

// Probes is part of Prober.
func (k *DHCP) Probes() []string { return k.probes() }

// Interfaces is part of Placer.
func (k *DHCP) Interfaces() []string { return interfacesOf(k.By) }

// Validate is part of Kind.
func (k *DHCP) Validate(report report) {
	k.validate(report)
	if len(k.Address) > 0 {
		report("address", "leave it out", "a probe that asks for an address has none")
	}
	if _, _, err := k.Bounds(); err != nil {
		report("range", "write a network, such as 10.0.0.0/24, or 10.0.0.100-10.0.0.200", "%v", err)
	}
	validatePlace(report, "by", k.By)
	if k.Length < 0 || k.Length > 32 {
		report("length", "", "a prefix length of %d is not within 0 to 32", k.Length)
	}
	if k.Servers < 0 || k.Servers > 16 {
		report("servers", "", "%d servers are not within 0 to 16", k.Servers)
	}
}

// Bounds are the first and the last address of the range, invalid without one.
func (k *DHCP) Bounds() (first, last netip.Addr, err error) {
	if k.Range == "" {
		return
	}
	if p, err := netip.ParsePrefix(k.Range); err == nil {
		p = p.Masked()
		last = p.Addr()
		b := last.AsSlice()
		for i := p.Bits(); i < len(b)*8; i++ {
			b[i/8] |= 0x80 >> (i % 8)
		}
		last, _ = netip.AddrFromSlice(b)
		return p.Addr(), last, nil
	}
	a, b, _ := strings.Cut(k.Range, "-")
	first, err1 := netip.ParseAddr(strings.TrimSpace(a))
	last, err2 := netip.ParseAddr(strings.TrimSpace(b))
	if err1 != nil || err2 != nil || last.Less(first) || first.Is4() != last.Is4() {
		return first, last, fmt.Errorf("%q is no range of addresses", k.Range)
	}
	return first, last, nil
}

// Expect is part of Kind.
func (k *DHCP) Expect() string {
	s := "a machine on " + k.Segment + " gets an address"
	if k.By != "" {
		s += " from " + k.By
	}
	if k.Range != "" {
		s += " of " + k.Range
	}
	if k.Router.IsValid() {
		s += ", the router " + k.Router.String()
	}
	if len(k.Names) > 0 {
		s += ", the name servers " + addresses(k.Names)
	}
	if k.Domain != "" {
		s += ", the domain " + k.Domain
	}
	return s
}
