package labs

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Bounds of a lab. They are far beyond what can be taught in an hour and well
// within what a server can bear.
const (
	maxNodes      = 64
	maxSegments   = 256
	maxInterfaces = 16 // of a node
	maxAddresses  = 16 // of an interface
	maxStartup    = 64 // commands of a node
	maxCommand    = 4096
	maxSysctls    = 64
	maxTags       = 16
	maxRequires   = 8

	minMinutes, maxMinutes = 5, 480

	minMemory, maxMemory = 48 << 20, 2 << 30 // with 40 MiB guestd's Go runtime finds no room
	minDisk, maxDisk     = 16 << 20, 16 << 30
	minMTU, maxMTU       = 68, 9000 // RFC 791's least; jumbo frames as real switches pass them
	defaultMTU           = 1500
)

var (
	nameRE      = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)
	interfaceRE = regexp.MustCompile(`^[a-z][a-z0-9]{0,14}$`)
	artefactRE  = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
	sysctlRE    = regexp.MustCompile(`^[a-z][a-zA-Z0-9_-]*([./][a-zA-Z0-9_-]+)+$`)
	sizeRE      = regexp.MustCompile(`^([0-9]{1,9})([MG])(iB)?$`)
	modeRE      = regexp.MustCompile(`^0?o?[0-7]{3,4}$`)
)

// reservedNames are words with a meaning of their own where a node is named.
var reservedNames = []string{"all", "host", "localhost", "none", "rack"}

// decodeLab decodes a lab.yaml. content resolves a file's source.
func decodeLab(d *decoder, root ast.Node, content func(source text) ([]byte, uint32, bool)) *draft {
	dr := &draft{}
	d.object(root, labForm, []field{
		{"title", func(n ast.Node) { dr.title = d.line(n, "the title", 100) }},
		{"summary", func(n ast.Node) { dr.summary = d.line(n, "the summary", 300) }},
		{"description", func(n ast.Node) { dr.description, _ = d.str(n, "the description", 16<<10) }},
		{"author", func(n ast.Node) { dr.author = d.line(n, "the author", 200) }},
		{"licence", func(n ast.Node) { dr.licence = d.line(n, "the licence", 100) }},
		{"tags", func(n ast.Node) { dr.tags = d.tags(n) }},
		{"difficulty", func(n ast.Node) {
			dr.difficulty = d.choice(n, "difficulty", string(Beginner), string(Intermediate), string(Advanced))
		}},
		{"topic", func(n ast.Node) { dr.topic = d.choice(n, "the topic", Topics()...) }},
		{"requires", func(n ast.Node) { dr.requires = d.requires(n) }},
		{"minutes", func(n ast.Node) {
			dr.minutes = d.number(n, "minutes", "write how long it takes, like 40", minMinutes, maxMinutes)
		}},
		{"extends", func(ast.Node) {}},    // decoded before, see loader.levels
		{"parameters", func(ast.Node) {}}, // as well
		{"nodes", func(n ast.Node) {
			for i, e := range d.entries(n, "node", "write the node's name, a colon, and its settings below it") {
				if i == maxNodes {
					d.probs.add(e.key.mark, "split the lab", "more than %d nodes", maxNodes)
					break
				}
				dr.nodes = append(dr.nodes, d.node(e, content))
			}
		}},
		{"segments", func(n ast.Node) {
			for i, e := range d.entries(n, "segment", `write "lan: switch"`) {
				if i == maxSegments {
					d.probs.add(e.key.mark, "split the lab", "more than %d segments", maxSegments)
					break
				}
				dr.segments = append(dr.segments, d.segment(e))
			}
		}},
		{"events", func(n ast.Node) { dr.events = d.events(n) }},
		{"seed", func(n ast.Node) { dr.seed = d.number(n, "seed", "write any number, like 7", 1, math.MaxInt32) }},
		{"checks", func(n ast.Node) { dr.checks = d.checks(n) }},
		{"mutants", func(n ast.Node) { dr.mutants = d.mutants(n) }},
	})
	return dr
}

func (d *decoder) tags(n ast.Node) []string {
	tags := []string{}
	for _, item := range d.list(n, "tags", maxTags) {
		if t := d.name(d.line(item, "a tag", 31), "tag"); t != "" && !slices.Contains(tags, t) {
			tags = append(tags, t)
		}
	}
	return tags
}

// requires are the slugs of other labs. Whether a server has them is not looked
// at here: a lab is moved from one to another.
func (d *decoder) requires(n ast.Node) []string {
	slugs := []string{}
	for _, item := range d.list(n, "requires", maxRequires) {
		t := d.line(item, "a lab", 63)
		if t.s != "" && !slugRE.MatchString(t.s) {
			d.probs.add(t.mark, "write the name of its folder, like two-hosts", "%s cannot be the name of a lab", quoteShort(t.s))
		} else if t.s != "" && !slices.Contains(slugs, t.s) {
			slugs = append(slugs, t.s)
		}
	}
	return slugs
}

// name checks a name by nameRE; it is returned however it is, for what follows.
func (d *decoder) name(t text, what string) string {
	if t.s != "" && !nameRE.MatchString(t.s) {
		d.probs.add(t.mark, "use a-z, 0-9 and -, at most 31, a letter first", "%s cannot be the name of a %s", quoteShort(t.s), what)
	}
	return t.s
}

func (d *decoder) choice(n ast.Node, what string, choices ...string) text {
	t, ok := d.str(n, what, 100)
	if !ok || slices.Contains(choices, t.s) {
		return t
	}
	all := strings.Join(choices[:len(choices)-1], ", ") + " or " + choices[len(choices)-1]
	d.bad(n, didYouMean(t.s, choices, "choose "+all), "%s is %s, not %s", what, all, quoteShort(t.s))
	return text{mark: t.mark}
}

func (d *decoder) node(e entry, content func(text) ([]byte, uint32, bool)) *draftNode {
	dn := &draftNode{name: e.key}
	d.name(e.key, "node")
	if slices.Contains(reservedNames, e.key.s) {
		d.probs.add(e.key.mark, "choose another name", "%q cannot be the name of a node: it has a meaning of its own", e.key.s)
	}
	nd := &dn.node
	d.object(e.value, nodeForm, []field{
		{"image", func(n ast.Node) { nd.Image = d.artefact(n, "image") }},
		{"kernel", func(n ast.Node) { nd.Kernel = d.artefact(n, "kernel") }},
		{"mode", func(n ast.Node) { nd.Mode = d.choice(n, "mode", "ptrace", "seccomp").s }},
		{"memory", func(n ast.Node) { nd.MemoryBytes = d.size(n, "memory", "64M", minMemory, maxMemory) }},
		{"disk", func(n ast.Node) { nd.DiskBytes = d.size(n, "disk", "1G", minDisk, maxDisk) }},
		{"interfaces", func(n ast.Node) {
			for i, e := range d.entries(n, "interface", `write "eth0: lan"`) {
				if i == maxInterfaces {
					d.probs.add(e.key.mark, "spread them over more nodes", "more than %d interfaces on one node", maxInterfaces)
					break
				}
				dn.interfaces = append(dn.interfaces, d.iface(e))
			}
		}},
		{"sysctls", func(n ast.Node) { nd.Sysctls = d.sysctls(n) }},
		{"startup", func(n ast.Node) {
			nd.Startup = []string{}
			for _, item := range d.list(n, "startup", maxStartup) {
				if t, ok := d.str(item, "a startup command", maxCommand); ok {
					nd.Startup = append(nd.Startup, t.s)
				}
			}
		}},
		{"files", func(n ast.Node) {
			for _, e := range d.entries(n, "file", "write the file's path, a colon, and source or content below it") {
				if f, ok := d.nodeFile(e, content); ok {
					dn.files = append(dn.files, f)
				}
			}
		}},
		{"publish", func(n ast.Node) { nd.Publish = d.publish(n) }},
		{"at", func(n ast.Node) { nd.X, nd.Y, nd.Placed = d.place(n) }},
	})
	return dn
}

func (d *decoder) artefact(n ast.Node, what string) string {
	t, ok := d.str(n, what, 100)
	if ok && !artefactRE.MatchString(t.s) {
		d.bad(n, "patchbay "+what+" list shows those there are", "%s cannot be the name of %s %s", quoteShort(t.s), article(what), what)
	}
	return t.s
}

func article(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an"
	}
	return "a"
}

func (d *decoder) size(n ast.Node, what, example string, least, most int64) int64 {
	fix := "write it as " + example
	t, ok := d.scalar(n, what, 100)
	if !ok {
		return 0
	}
	m := sizeRE.FindStringSubmatch(t.s)
	if m == nil {
		d.bad(n, fix, "%s is a size in M or G, found %s", what, quoteShort(t.s))
		return 0
	}
	size, _ := strconv.ParseInt(m[1], 10, 64) // at most 9 digits
	size <<= 20
	if m[2] == "G" {
		size <<= 10
	}
	if size < least {
		d.bad(n, fix, "%s of %s is too small, the least is %s", what, t.s, byteSize(least))
		return 0
	}
	if size > most {
		d.bad(n, fix, "%s of %s is too large, the most is %s", what, t.s, byteSize(most))
		return 0
	}
	return size
}

func (d *decoder) sysctls(n ast.Node) []Sysctl {
	var out []Sysctl
	for i, e := range d.entries(n, "sysctl", `write "net.ipv4.ip_forward: 1"`) {
		if i == maxSysctls {
			d.probs.add(e.key.mark, "shorten the list", "more than %d sysctls", maxSysctls)
			break
		}
		e.key = d.expand(e.key)
		if len(e.key.s) > 128 || !sysctlRE.MatchString(e.key.s) {
			d.probs.add(e.key.mark, "write it like net.ipv4.ip_forward", "%s cannot be the name of a sysctl", quoteShort(e.key.s))
			continue
		}
		if t, ok := d.scalar(e.value, "the value of "+e.key.s, 256); ok {
			out = append(out, Sysctl{Key: e.key.s, Value: t.s})
		}
	}
	return out
}

func (d *decoder) place(n ast.Node) (x, y float64, ok bool) {
	var xy []float64
	items, isList := n.(*ast.SequenceNode)
	if isList {
		for _, item := range items.Values {
			switch item.(type) {
			case *ast.IntegerNode, *ast.FloatNode:
				if f, err := strconv.ParseFloat(item.GetToken().Value, 64); err == nil && math.Abs(f) <= 1000 {
					xy = append(xy, f)
				}
			}
		}
	}
	if !isList || len(xy) != 2 || len(items.Values) != 2 {
		d.bad(n, "write it like [1, 0.5]", "at is two numbers from -1000 to 1000: how far right and how far down")
		return 0, 0, false
	}
	return xy[0], xy[1], true
}
