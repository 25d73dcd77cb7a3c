package kathara

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/patchbay/patchbay/labs"
)

// Dialect is whose lab.conf it is.
type Dialect string

// The dialects. Kathará refuses a line that it does not understand; for Netkit
// it is a comment.
const (
	Kathara Dialect = "Kathará"
	Netkit  Dialect = "Netkit"
)

// Bounds of what is read: a lab.conf comes from a stranger.
const (
	maxConf    = 1 << 20
	maxDevices = 256
)

// Conf is a lab.conf.
type Conf struct {
	Dialect  Dialect
	Meta     map[string]Value // LAB_NAME and its like, by what follows LAB_ in small letters
	Machines []string         // Netkit's machines=; nil when there is none
	Devices  []*Device        // in the order of the file
}

// Value is a text and the line that it stands in.
type Value struct {
	Text string
	Line int
}

// Device is a machine of theirs.
type Device struct {
	Name       string
	Line       int
	Interfaces []Interface // by number
	Options    []Option    // in the order of the file
}

// Interface is ethN of a device.
type Interface struct {
	Number int
	Domain string // the collision domain
	MAC    string // empty for one of its own
	Line   int
}

// Option is NAME[option]=value.
type Option struct {
	Name, Value string
	Line        int
}

var (
	metaRE    = regexp.MustCompile(`^LAB_(NAME|DESCRIPTION|VERSION|AUTHOR|EMAIL|WEB)=(.*)$`)
	deviceRE  = regexp.MustCompile(`^([a-z0-9_]{1,30})\[(\w+)\]=(?:"([^"']+)"|'([^"']+)'|([^"']+?))(\s+#.*)?$`)
	netkitRE  = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9_-]{0,62})\[\s*([A-Za-z0-9_-]+)\s*\]=\s*(?:"([^"]*)"|'([^']*)'|([^\s#"']+))\s*(#.*)?$`)
	machineRE = regexp.MustCompile(`^machines=\s*["']?([^"'#]*)["']?\s*(#.*)?$`)
	domainRE  = regexp.MustCompile(`^\w+$`)
	numberRE  = regexp.MustCompile(`^[0-9]{1,6}$`)
)

// vstart are options that Netkit alone has: a lab.conf with one is Netkit's.
var vstart = []string{"con0", "con1", "console", "xterm", "append", "filesystem", "f", "kernel", "k", "modules", "D", "M", "W", "hosthome", "H", "no-hosthome", "mconsole", "tap"}

// find is what reading has found so far.
type findings struct {
	problems labs.Problems
	notes    []Note
}

func (f *findings) note(file string, line int, format string, args ...any) {
	f.notes = append(f.notes, Note{file, line, fmt.Sprintf(format, args...)})
}

func (f *findings) bad(file string, line int, fix, format string, args ...any) {
	const most = 100 // nobody reads more
	if len(f.problems) < most {
		col := 0
		if line > 0 {
			col = 1
		}
		f.problems = append(f.problems, labs.Problem{File: file, Line: line, Col: col, Message: fmt.Sprintf(format, args...), Fix: fix})
	}
}

func (f *findings) err() error {
	if len(f.problems) == 0 {
		return nil
	}
	return f.problems
}

// ReadConf reads a lab.conf; file is its name for messages. Its error is a
// labs.Problems.
func ReadConf(file string, data []byte) (*Conf, []Note, error) {
	var f findings
	if len(data) > maxConf {
		f.bad(file, 0, "a lab.conf has some lines for each device", "this is larger than %d MiB", maxConf>>20)
		return nil, nil, f.err()
	}
	lines := linesOf(data)
	c := &confReader{findings: &f, file: file, conf: &Conf{Dialect: dialect(lines), Meta: map[string]Value{}}, devices: map[string]*Device{}}
	for i, line := range lines {
		c.line(i+1, line)
	}
	c.finish()
	return c.conf, f.notes, f.err()
}

// linesOf takes a text apart, with line ends and the mark at its beginning as
// Windows writes them or not.
func linesOf(data []byte) []string {
	s := strings.TrimPrefix(string(data), "\ufeff")
	return strings.Split(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n"), "\n")
}

// dialect tells Netkit's by what only Netkit understands.
func dialect(lines []string) Dialect {
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if machineRE.MatchString(line) {
			return Netkit
		}
		if m := netkitRE.FindStringSubmatch(line); m != nil {
			value := m[3] + m[4] + m[5]
			switch {
			case slices.Contains(vstart, m[2]),
				numberRE.MatchString(m[2]) && strings.HasPrefix(value, "tap,"),
				m[2] == "mem" && numberRE.MatchString(value):
				return Netkit
			}
		}
	}
	return Kathara
}

type confReader struct {
	*findings
	file    string
	conf    *Conf
	devices map[string]*Device
}

func (c *confReader) line(n int, raw string) {
	line := strings.TrimSpace(raw)
	if line == "" || strings.HasPrefix(line, "#") {
		return
	}
	if m := metaRE.FindStringSubmatch(line); m != nil {
		c.conf.Meta[strings.ToLower(m[1])] = Value{plainText(strings.Trim(m[2], `"' `)), n}
		return
	}
	re := deviceRE
	if c.conf.Dialect == Netkit {
		re = netkitRE
		if m := machineRE.FindStringSubmatch(line); m != nil {
			c.conf.Machines = append([]string{}, strings.Fields(m[1])...)
			return
		}
	}
	m := re.FindStringSubmatch(line)
	if m == nil {
		if c.conf.Dialect == Netkit {
			c.note(c.file, n, "Netkit takes this line for a comment, and so it is one here.")
			return
		}
		c.bad(c.file, n, `write device[0]="A", device[option]="value" or LAB_NAME="…"; a comment begins with #`, "this line of lab.conf is not understood: %s", quoted(line))
		return
	}
	name, arg, value := m[1], m[2], strings.TrimSpace(m[3]+m[4]+m[5])
	if name == "shared" || name == "_test" {
		c.bad(c.file, n, "choose another name", "%q cannot be the name of a device: it has a meaning of its own", name)
		return
	}
	d := c.devices[name]
	if d == nil {
		if len(c.conf.Devices) == maxDevices {
			c.bad(c.file, n, "split the lab", "more than %d devices", maxDevices)
			return
		}
		d = &Device{Name: name, Line: n}
		c.devices[name] = d
		c.conf.Devices = append(c.conf.Devices, d)
	}
	if numberRE.MatchString(arg) {
		c.iface(n, d, arg, value)
		return
	}
	d.Options = append(d.Options, Option{arg, plainText(value), n})
}

func (c *confReader) iface(n int, d *Device, arg, value string) {
	number, _ := strconv.Atoi(arg)
	domain, mac, hasMAC := strings.Cut(value, "/")
	if c.conf.Dialect == Netkit && strings.HasPrefix(value, "tap,") {
		c.note(c.file, n, "%s's eth%d is a tap to the machine that the lab runs on, which there is not here: it has no cable. See “uplink” for a way out.", d.Name, number)
		domain, hasMAC = "", false
	} else if !domainRE.MatchString(domain) {
		c.bad(c.file, n, "name it by letters, digits and _, and a MAC address after / if you like", "%s is not the name of a collision domain", quoted(domain))
		return
	}
	if hasMAC {
		hw, err := net.ParseMAC(mac)
		if err != nil || len(hw) != 6 || hw[0]&1 != 0 {
			c.bad(c.file, n, "write it like 02:00:00:00:00:01", "%s is not the MAC address of an interface", quoted(mac))
			return
		}
		mac = hw.String()
	}
	for _, i := range d.Interfaces {
		switch {
		case i.Number == number && c.conf.Dialect == Netkit:
			c.note(c.file, n, "eth%d of %s is in line %d already: that one holds.", number, d.Name, i.Line)
			return
		case i.Number == number:
			c.bad(c.file, n, "number it anew", "eth%d of %s is in line %d already", number, d.Name, i.Line)
			return
		case i.Domain == domain && domain != "" && c.conf.Dialect == Kathara:
			c.bad(c.file, n, "join it to another one", "%s is on collision domain %s already, by eth%d in line %d", d.Name, domain, i.Number, i.Line)
			return
		}
	}
	d.Interfaces = append(d.Interfaces, Interface{number, domain, mac, n})
}

func (c *confReader) finish() {
	for _, d := range c.conf.Devices {
		slices.SortFunc(d.Interfaces, func(a, b Interface) int { return a.Number - b.Number })
		for i, f := range d.Interfaces {
			if f.Number != i && c.conf.Dialect == Kathara {
				c.bad(c.file, f.Line, fmt.Sprintf("number the interfaces from 0: this one is %d", i), "%s has eth%d and no eth%d", d.Name, f.Number, i)
				break
			}
		}
	}
	if len(c.conf.Devices) == 0 && c.conf.Machines == nil && c.conf.Dialect == Kathara {
		c.bad(c.file, 0, `write device[0]="A" for each interface of each device`, "there is no device in this lab.conf")
	}
}

// quoted is a text for a message.
func quoted(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.Quote(s)
}

// plainText is s without what cannot be printed.
func plainText(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
}

// NodeName is what a node is called after a device of theirs: of a-z, 0-9 and
// -, a letter first. Two devices of one lab may come out alike; Import.Nodes
// tells them apart.
func NodeName(device string) string {
	s := strings.Trim(strings.Map(hyphen, strings.ToLower(device)), "-")
	if s == "" || s[0] < 'a' || s[0] > 'z' || slices.Contains([]string{"all", "host", "localhost", "none", "rack"}, s) {
		s = "n-" + s
	}
	return strings.TrimRight(s[:min(len(s), 31)], "-")
}

// SegmentName is what a segment is called after a collision domain of theirs.
func SegmentName(domain string) string {
	s := strings.Trim(strings.Map(hyphen, strings.ToLower(domain)), "-")
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		s = "lan-" + s
	}
	return strings.TrimRight(s[:min(len(s), 31)], "-")
}

func hyphen(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return '-'
}

// distinct gives each of the names one by rule that no other has.
func distinct(names []string, rule func(string) string) map[string]string {
	out, taken := map[string]string{}, map[string]bool{}
	for _, name := range names {
		if _, again := out[name]; again {
			continue
		}
		s := rule(name)
		for n := 2; taken[s]; n++ {
			s = rule(name)
			suffix := "-" + strconv.Itoa(n)
			s = s[:min(len(s), 31-len(suffix))] + suffix
		}
		taken[s], out[name] = true, s
	}
	return out
}
