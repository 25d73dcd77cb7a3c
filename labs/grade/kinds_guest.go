package grade

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Command: see Kinds.
type Command struct {
	Node     string        `json:"node" yaml:"node" doc:"The node."`
	Run      string        `json:"run,omitempty" yaml:"run" doc:"A line for the shell. It is run with the image's own programs, not the student's; the student's files lie below /student."`
	Args     []string      `json:"args,omitempty" yaml:"args" doc:"In place of run: a program and its arguments."`
	Exit     *int          `json:"exit,omitempty" yaml:"exit" doc:"The exit code; 0 when nothing is said. -1 takes any."`
	Output   *string       `json:"output,omitempty" yaml:"output" doc:"What it prints, white space at both ends left aside."`
	Contains []string      `json:"contains,omitempty" yaml:"contains" doc:"Texts that are in what it prints; with “!” in front, that are not."`
	Matches  []string      `json:"matches,omitempty" yaml:"matches" doc:"Regular expressions that match what it prints; (?m) makes ^ and $ match at lines."`
	Stream   string        `json:"stream,omitempty" yaml:"stream" doc:"What is looked at: stdout, stderr, both, or either (stdout, and stderr when stdout is empty); stdout when nothing is said."`
	Timeout  time.Duration `json:"timeout,omitempty" yaml:"timeout" doc:"How long it may run; 10 s when nothing is said."`
}

func (k *Command) Nodes() []string    { return []string{k.Node} }
func (k *Command) Segments() []string { return nil }

// Words is the program and its arguments.
func (k *Command) Words() []string {
	if k.Run != "" {
		return []string{"sh", "-c", k.Run}
	}
	return k.Args
}

func (k *Command) Validate(report func(field, fix, format string, args ...any)) {
	askNode(report, k.Node)
	switch {
	case k.Run == "" && len(k.Args) == 0:
		report("run", "write the command", "there is nothing to run")
	case k.Run != "" && len(k.Args) != 0:
		report("args", "keep one of them", "run and args cannot both be given")
	}
	if k.Exit != nil && (*k.Exit < -1 || *k.Exit > 255) {
		report("exit", "", "%d is no exit code", *k.Exit)
	}
	for i, e := range k.Matches {
		askRegex(report, fmt.Sprintf("matches[%d]", i), e)
	}
	askOneOf(report, "stream", k.Stream, "stdout", "stderr", "both", "either")
	if k.Timeout < 0 || k.Timeout > MaxTimeout {
		report("timeout", "", "a command may run for up to %v", MaxTimeout)
	}
}

func (k *Command) Expect() string {
	name := k.Run
	if name == "" {
		name = strings.Join(k.Args, " ")
	}
	exit := "ends with exit code 0"
	if k.Exit != nil && *k.Exit >= 0 {
		exit = "ends with exit code " + strconv.Itoa(*k.Exit)
	} else if k.Exit != nil {
		exit = ""
	}
	output := ""
	if k.Output != nil {
		output = fmt.Sprintf("prints %q", strings.TrimSpace(*k.Output))
	}
	var contains []string
	for _, c := range k.Contains {
		rest, barred := Barred(c)
		if barred {
			contains = append(contains, fmt.Sprintf("does not print %q", rest))
		} else {
			contains = append(contains, fmt.Sprintf("prints %q", rest))
		}
	}
	return "“" + name + "” on " + k.Node + " " + parts(exit, output, strings.Join(contains, ", "), say("prints what matches ", strings.Join(k.Matches, " and ")))
}

// Sysctl: see Kinds.
type Sysctl struct {
	Node   string            `json:"node" yaml:"node" doc:"The node."`
	Key    string            `json:"key,omitempty" yaml:"key" doc:"The setting, such as net.ipv4.ip_forward; a slash stands for a dot within a name: net.ipv4.conf.eth0/10.rp_filter."`
	Value  []string          `json:"value,omitempty" yaml:"value" doc:"Its value, or several of which one will do."`
	Values map[string]string `json:"values,omitempty" yaml:"values" doc:"Several settings with the value of each."`
}

func (k *Sysctl) Nodes() []string    { return []string{k.Node} }
func (k *Sysctl) Segments() []string { return nil }

// All are the settings with the values of which one will do.
func (k *Sysctl) All() map[string][]string {
	all := map[string][]string{}
	for key, v := range k.Values {
		all[key] = []string{v}
	}
	if k.Key != "" {
		all[k.Key] = k.Value
	}
	return all
}

func (k *Sysctl) Validate(report func(field, fix, format string, args ...any)) {
	askNode(report, k.Node)
	all := k.All()
	if len(all) == 0 {
		report("key", "write the setting's name", "there is no setting")
	}
	if k.Key != "" && len(k.Value) == 0 {
		report("value", "write the value that is expected", "the setting has no value")
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		field := "values." + key
		if key == k.Key {
			field = "key"
		}
		if strings.Contains(key, "..") || strings.HasPrefix(key, "/") || !strings.Contains(key, ".") || strings.ContainsAny(key, " \n'\"") {
			report(field, "write it like net.ipv4.ip_forward", "%q is no kernel setting", key)
		}
	}
}

func (k *Sysctl) Expect() string {
	var list []string
	all := k.All()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		list = append(list, key+" is "+strings.Join(all[key], " or "))
	}
	return "on " + k.Node + " " + listed(list)
}

// Process: see Kinds.
type Process struct {
	Node  string   `json:"node" yaml:"node" doc:"The node."`
	Name  []string `json:"name" yaml:"name" doc:"Names of programs that run; with “!” in front, that do not."`
	User  string   `json:"user,omitempty" yaml:"user" doc:"Whose they are."`
	Args  string   `json:"args,omitempty" yaml:"args" doc:"A regular expression that the command line matches."`
	Like  bool     `json:"like,omitempty" yaml:"like" doc:"Names are regular expressions, which match anywhere in a program's name, as pgrep's do: frr finds watchfrr."`
	Count int      `json:"count,omitempty" yaml:"count" doc:"How many of each; one or more when nothing is said."`
}

func (k *Process) Nodes() []string    { return []string{k.Node} }
func (k *Process) Segments() []string { return nil }

func (k *Process) Validate(report func(field, fix, format string, args ...any)) {
	askNode(report, k.Node)
	if len(k.Name) == 0 {
		report("name", "write the program's name", "there is no program")
	}
	for i, n := range k.Name {
		rest, _ := Barred(n)
		if k.Like {
			askRegex(report, fmt.Sprintf("name[%d]", i), rest)
		}
		if rest == "" || strings.ContainsAny(rest, "/ ") {
			report(fmt.Sprintf("name[%d]", i), "write the name alone, without folders and arguments", "%q is no program's name", n)
		}
	}
	askRegex(report, "args", k.Args)
	if k.Count < 0 {
		report("count", "", "%d is no number of programs", k.Count)
	}
}

func (k *Process) Expect() string {
	count := ""
	if k.Count > 0 {
		count = fmt.Sprintf("%d of each", k.Count)
	}
	return parts("on "+k.Node+" these run: "+wanted(k.Name), count, say("as ", k.User), say("with arguments like ", k.Args))
}

// Socket: see Kinds.
type Socket struct {
	Node     string `json:"node" yaml:"node" doc:"The node."`
	Protocol string `json:"protocol,omitempty" yaml:"protocol" doc:"tcp, udp, sctp or raw; tcp when nothing is said."`
	State    string `json:"state,omitempty" yaml:"state" doc:"listen (when nothing is said), established, or any."`
	Port     int    `json:"port,omitempty" yaml:"port" doc:"Its own port."`
	Address  string `json:"address,omitempty" yaml:"address" doc:"Its own address; “any” for one that is bound to none."`
	Peer     string `json:"peer,omitempty" yaml:"peer" doc:"The other end's address."`
	PeerPort int    `json:"peer_port,omitempty" yaml:"peer_port" doc:"The other end's port."`
	Process  string `json:"process,omitempty" yaml:"process" doc:"The program that has it."`
}

func (k *Socket) Nodes() []string    { return []string{k.Node} }
func (k *Socket) Segments() []string { return nil }

func (k *Socket) Validate(report func(field, fix, format string, args ...any)) {
	askNode(report, k.Node)
	askOneOf(report, "protocol", k.Protocol, "tcp", "udp", "sctp", "raw")
	askOneOf(report, "state", k.State, "listen", "established", "any")
	if k.Address != "any" {
		askAddr(report, "address", k.Address)
	}
	askAddr(report, "peer", k.Peer)
	for field, port := range map[string]int{"port": k.Port, "peer_port": k.PeerPort} {
		if port < 0 || port > 65535 {
			report(field, "", "%d is no port", port)
		}
	}
}

func (k *Socket) Expect() string {
	protocol, state := k.Protocol, k.State
	if protocol == "" {
		protocol = "tcp"
	}
	switch state {
	case "", "listen":
		state = "listens"
	case "established":
		state = "is connected"
	default:
		state = "is open"
	}
	return parts(fmt.Sprintf("on %s a %s socket %s", k.Node, protocol, state), sayInt("port ", k.Port), say("address ", k.Address),
		say("to ", k.Peer), sayInt("to port ", k.PeerPort), say("of ", k.Process))
}

// Reach: see Kinds.
type Reach struct {
	Node  string   `json:"node" yaml:"node" doc:"The node that pings."`
	To    []string `json:"to" yaml:"to" doc:"Addresses or names; with “!” in front, that must not answer."`
	From  string   `json:"from,omitempty" yaml:"from" doc:"The address or interface that it pings from."`
	Count int      `json:"count,omitempty" yaml:"count" doc:"How many pings of which one has to be answered; 2 when nothing is said."`
	Size  int      `json:"size,omitempty" yaml:"size" doc:"Bytes of data in each."`
	Whole bool     `json:"whole,omitempty" yaml:"whole" doc:"The pings must not be fragmented on their way."`
}

func (k *Reach) Nodes() []string    { return []string{k.Node} }
func (k *Reach) Segments() []string { return nil }

func (k *Reach) Validate(report func(field, fix, format string, args ...any)) {
	askNode(report, k.Node)
	if len(k.To) == 0 {
		report("to", "write an address or a name", "there is nothing to reach")
	}
	for i, to := range k.To {
		if rest, _ := Barred(to); rest == "" || strings.HasPrefix(rest, "-") || strings.ContainsAny(rest, " /") {
			report(fmt.Sprintf("to[%d]", i), "write an address or a name", "%q cannot be pinged", to)
		}
	}
	if strings.HasPrefix(k.From, "-") {
		report("from", "write an address or an interface", "%q is neither", k.From)
	}
	if k.Count < 0 || k.Count > 20 {
		report("count", "", "%d pings are not within 1 to 20", k.Count)
	}
	if k.Size < 0 || k.Size > 65000 {
		report("size", "", "%d bytes are not within 0 to 65000", k.Size)
	}
}

func (k *Reach) Expect() string {
	return parts(k.Node+" reaches "+wanted(k.To), say("from ", k.From), sayInt("with bytes of data: ", k.Size))
}
