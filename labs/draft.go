package labs

import "github.com/patchbay/patchbay/vnet/impair"

// A draft is a lab.yaml as it stands in its file: every value with its place,
// names not yet resolved. Drafts are merged along "extends", then checked.
type draft struct {
	title, summary, author, licence text
	description                     text
	difficulty                      text
	topic                           text
	minutes                         number
	tags, requires                  []string

	nodes    []*draftNode
	segments []*draftSegment
	events   []*draftEvent // nil leaves them to the lab that is extended
	seed     number

	checks  []*draftCheck
	mutants []*draftMutant
}

// number is a number and where it stands; the zero value was not given.
type number struct {
	mark
	n     int
	given bool
}

type draftNode struct {
	name text
	node Node // without Name, Interfaces, Files

	interfaces []*draftInterface
	files      []draftFile
}

type draftInterface struct {
	name      text
	segment   text // s is empty for an unplugged one
	mac       text
	mtu       number
	addresses []text // valid CIDR
	gateway   text   // a valid address

	vlan, native number
	trunk        []number
	trunkMark    mark // of the key's value; given when line is not 0
	out, in      *impair.Config
}

type draftSegment struct {
	name   text
	kind   SegmentKind // "" leaves it to the lab that is extended, or "switch"
	mtu    number
	mirror text
	storm  number
	impair *impair.Config
	allow  []text // nil leaves it to the lab that is extended
	x, y   float64
	placed bool
}

// draftEvent is one event; what it names is not yet resolved.
type draftEvent struct {
	mark
	event Event
	on    text
}

// draftFile is one file for a node, its content in the YAML or in the folder.
type draftFile struct {
	path text
	mode uint32
	data []byte
}

// merge lays child over parent. What a child says of itself (title, summary,
// guide) is its own; nodes and segments are joined by name, in them single
// values replace single values, sysctls and files join by key, interfaces by
// name, and the startup commands and events as a whole. Checks are joined by
// name like nodes; a mutant of the same name replaces its parent's.
func merge(parent, child *draft) *draft {
	out := *child
	setIf(&out.author, parent.author)
	setIf(&out.licence, parent.licence)
	setIf(&out.difficulty, parent.difficulty)
	setIf(&out.topic, parent.topic)
	setIf(&out.minutes, parent.minutes)
	if out.tags == nil {
		out.tags = parent.tags
	}
	if out.requires == nil {
		out.requires = parent.requires
	}
	out.nodes = mergeNamed(parent.nodes, child.nodes, func(n *draftNode) string { return n.name.s }, mergeNode)
	out.segments = mergeNamed(parent.segments, child.segments, func(s *draftSegment) string { return s.name.s }, mergeSegment)
	if out.events == nil {
		out.events = parent.events
	}
	setIf(&out.seed, parent.seed)
	out.checks = mergeNamed(parent.checks, child.checks, func(c *draftCheck) string { return c.name.s }, mergeCheck)
	out.mutants = mergeNamed(parent.mutants, child.mutants, func(m *draftMutant) string { return m.name.s },
		func(_, b *draftMutant) *draftMutant { return b })
	return &out
}

func mergeNode(parent, child *draftNode) *draftNode {
	out := *child
	p, n := parent.node, &out.node
	setIf(&n.Image, p.Image)
	setIf(&n.Kernel, p.Kernel)
	setIf(&n.Mode, p.Mode)
	setIf(&n.MemoryBytes, p.MemoryBytes)
	setIf(&n.DiskBytes, p.DiskBytes)
	if n.Startup == nil {
		n.Startup = p.Startup
	}
	if n.Publish == nil {
		n.Publish = p.Publish
	}
	if !n.Placed {
		n.X, n.Y, n.Placed = p.X, p.Y, p.Placed
	}
	last := func(_, b Sysctl) Sysctl { return b }
	n.Sysctls = mergeNamed(p.Sysctls, n.Sysctls, func(s Sysctl) string { return s.Key }, last)
	out.interfaces = mergeNamed(parent.interfaces, child.interfaces,
		func(i *draftInterface) string { return i.name.s },
		func(_, b *draftInterface) *draftInterface { return b })
	out.files = mergeNamed(parent.files, child.files,
		func(f draftFile) string { return f.path.s },
		func(_, b draftFile) draftFile { return b })
	return &out
}

func mergeSegment(parent, child *draftSegment) *draftSegment {
	out := *child
	setIf(&out.kind, parent.kind)
	setIf(&out.mtu, parent.mtu)
	setIf(&out.mirror, parent.mirror)
	setIf(&out.storm, parent.storm)
	setIf(&out.impair, parent.impair)
	if out.allow == nil {
		out.allow = parent.allow
	}
	if !out.placed {
		out.x, out.y, out.placed = parent.x, parent.y, parent.placed
	}
	return &out
}

// mergeNamed keeps the parent's order; what only the child has comes after.
func mergeNamed[T any](parent, child []T, name func(T) string, both func(p, c T) T) []T {
	out := make([]T, 0, len(parent)+len(child))
	place := map[string]int{}
	for _, p := range parent {
		place[name(p)] = len(out)
		out = append(out, p)
	}
	for _, c := range child {
		if i, ok := place[name(c)]; ok {
			out[i] = both(out[i], c)
			continue
		}
		out = append(out, c)
	}
	return out
}

// setIf sets *v when it is not set.
func setIf[T comparable](v *T, parent T) {
	var zero T
	if *v == zero {
		*v = parent
	}
}
