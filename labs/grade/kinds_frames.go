package grade

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Frames: see Kinds.
type Frames struct {
	On        string   `json:"on" yaml:"on" doc:"Where: a segment (frames that the lab's nodes send into it), NODE, or NODE/INTERFACE."`
	Filter    string   `json:"filter,omitempty" yaml:"filter" doc:"Which frames, in tcpdump's language; all when nothing is said."`
	Direction string   `json:"direction,omitempty" yaml:"direction" doc:"On a node or interface: from it (when nothing is said), to it, or any."`
	Contains  []string `json:"contains,omitempty" yaml:"contains" doc:"Texts that the frame holds behind its Ethernet header, each of them. {nonce} stands for a word that is drawn anew for each try, here and in what the cause runs, so that no frame can be made ready for it."`
	Regex     string   `json:"regex,omitempty" yaml:"regex" doc:"A regular expression that matches in it."`
	Min       int      `json:"min,omitempty" yaml:"min" doc:"How many there are at least; 1 when neither min nor max is given."`
	Max       *int     `json:"max,omitempty" yaml:"max" doc:"How many there are at most; the frames are then watched until the cause is done, and then for all of the check's “for”."`
	Cause     *Cause   `json:"cause,omitempty" yaml:"cause" doc:"What is done to have the frames come."`
}

// Cause is what a check does so that there is something to see. One of Ping,
// Connect and Run is set.
type Cause struct {
	At      `yaml:",inline"`
	Ping    string   `json:"ping,omitempty" yaml:"ping" doc:"A probe host at the segment pings this address."`
	Connect string   `json:"connect,omitempty" yaml:"connect" doc:"A probe host at the segment opens a TCP connection to this ADDRESS:PORT."`
	Node    string   `json:"node,omitempty" yaml:"node" doc:"The node that runs a program."`
	Run     []string `json:"run,omitempty" yaml:"run" doc:"The program of the pristine image and its arguments. How it fares does not matter."`
}

// Nodes is part of Kind.
func (k *Frames) Nodes() []string {
	var list []string
	if strings.Contains(k.On, "/") {
		list = nodesOf(k.On)
	}
	if k.Cause != nil && k.Cause.Node != "" {
		list = append(list, k.Cause.Node)
	}
	return list
}

// Segments is part of Kind. On may also be a node, see Where.
func (k *Frames) Segments() []string { return k.Probes() }

// Interfaces is part of Placer.
func (k *Frames) Interfaces() []string { return interfacesOf(k.On) }

// Where is a segment or a node, which the lab tells apart; empty when it is an
// interface.
func (k *Frames) Where() string {
	if strings.Contains(k.On, "/") {
		return ""
	}
	return k.On
}

// Probes is part of Prober.
func (k *Frames) Probes() []string {
	if k.Cause == nil {
		return nil
	}
	return k.Cause.probes()
}

// Validate is part of Kind.
func (k *Frames) Validate(report report) {
	if k.On == "" {
		report("on", "name a segment, NODE or NODE/INTERFACE", "it is not said where the frames are looked for")
	}
	validatePlace(report, "on", k.On)
	validateFilter(report, "filter", k.Filter)
	oneOf(report, "direction", k.Direction, "from", "to", "any")
	for i, s := range k.Contains {
		validateLength(report, "contains["+itoa(i)+"]", s)
		if strings.Contains(s, Nonce) && (k.Cause == nil || !strings.Contains(strings.Join(k.Cause.Run, " "), Nonce)) {
			report("contains["+itoa(i)+"]", "write it in the cause's run too", "nobody sends %s", Nonce)
		}
		if s == "" {
			report("contains["+itoa(i)+"]", "", "an empty text is in every frame")
		}
	}
	validateRegex(report, "regex", k.Regex)
	if k.Min < 0 || k.Max != nil && *k.Max < k.Min {
		report("min", "", "there cannot be at least %d and at most %s frames", k.Min, atMost(k.Max))
	}
	if c := k.Cause; c != nil {
		c.validateCause(report)
	}
}

// Nonce stands for a word of each try's own.
const Nonce = "{nonce}"

// With returns the check with a word in place of Nonce.
func (k *Frames) With(word string) *Frames {
	out := *k
	put := func(list []string) (texts []string) {
		for _, s := range list {
			texts = append(texts, strings.ReplaceAll(s, Nonce, word))
		}
		return texts
	}
	out.Contains = put(k.Contains)
	if k.Cause != nil {
		cause := *k.Cause
		cause.Run = put(cause.Run)
		out.Cause = &cause
	}
	return &out
}

func atMost(n *int) string {
	if n == nil {
		return "any number of"
	}
	return strconv.Itoa(*n)
}

func (c *Cause) validateCause(report report) {
	within := func(field, fix, format string, args ...any) { report("cause."+field, fix, format, args...) }
	set := 0
	if c.Ping != "" {
		set++
		validateAddress(within, "ping", c.Ping)
	}
	if c.Connect != "" {
		set++
		validateTarget(within, "connect", c.Connect)
	}
	if len(c.Run) > 0 {
		set++
		if c.Node == "" {
			within("node", "name the node that runs it", "no node is to run the program")
		}
	}
	if set != 1 {
		report("cause", "set one of ping, connect and run", "a cause is one thing that is done; %d are set", set)
	}
	if len(c.Run) == 0 {
		c.validate(within)
	}
}

// Least is how many frames there must be.
func (k *Frames) Least() int {
	if k.Min == 0 && k.Max == nil {
		return 1
	}
	return k.Min
}

// Expect is part of Kind.
func (k *Frames) Expect() string {
	count := ""
	switch least := k.Least(); {
	case k.Max == nil:
		count = "at least " + several(least, "frame")
	case *k.Max == 0:
		count = "no frame"
	case *k.Max == least:
		count = "exactly " + several(least, "frame")
	default:
		count = fmt.Sprintf("%d to %d frames", least, *k.Max)
	}
	what := ""
	if k.Filter != "" {
		what = " of “" + k.Filter + "”"
	}
	for _, s := range k.Contains {
		what += " with " + strconv.Quote(s)
	}
	if k.Regex != "" {
		what += " that matches " + k.Regex
	}
	where := " on " + k.On
	switch {
	case strings.Contains(k.On, "/") && (k.Direction == "" || k.Direction == "from"):
		where = " sent by " + k.On
	case strings.Contains(k.On, "/") && k.Direction == "to":
		where = " sent to " + k.On
	}
	return "there is " + count + what + where
}

// Answers: see Kinds.
type Answers struct {
	At `yaml:",inline"`
	To netip.Addr `json:"to" yaml:"to" doc:"The address that is asked for. Linux answers for those of all its interfaces: where a node has several, an answer says that it is on the wire, and only a ping that it can use it."`
	By string     `json:"by,omitempty" yaml:"by" doc:"Whose interface is to answer, and no other: NODE/INTERFACE, or NODE for any of its. When nothing is said, whoever answers has to be the only one."`
}

// Nodes is part of Kind.
func (k *Answers) Nodes() []string { return nodesOf(k.By) }

// Segments is part of Kind.
func (k *Answers) Segments() []string { return k.probes() }

// Probes is part of Prober.
func (k *Answers) Probes() []string { return k.probes() }

// Interfaces is part of Placer.
func (k *Answers) Interfaces() []string { return interfacesOf(k.By) }

// Validate is part of Kind.
func (k *Answers) Validate(report report) {
	k.validate(report)
	if !k.To.IsValid() {
		report("to", "write the address that is asked for", "there is no address")
	}
	validatePlace(report, "by", k.By)
}

// Expect is part of Kind.
func (k *Answers) Expect() string {
	if k.By == "" {
		return fmt.Sprintf("exactly one machine on %s answers for %s", k.Segment, k.To)
	}
	return fmt.Sprintf("%s and nobody else on %s answers for %s", k.By, k.Segment, k.To)
}

func several(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func itoa(n int) string { return strconv.Itoa(n) }
