package labs

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/patchbay/patchbay/labs/param"
)

// maxExtends is how many labs may lie between a lab and the first it builds on.
const maxExtends = 8

var slugRE = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Load reads the lab in folder dir of fsys:
//
//	lab.yaml            what is wired together, see below
//	guide.md            what a student reads; may come from the lab that is extended
//	nodes/NODE/…        files for a node, at the same path there
//	solution/NODE.sh    what solves the lab on that node
//	mutants/NAME/NODE.sh  what a wrong solution does there instead
//
// A lab.yaml with one of everything; only title and nodes are required:
//
//	title: Ping
//	summary: One sentence for lists.
//	description: Markdown for the lab's page.
//	author: A. Author
//	licence: CC-BY-4.0
//	tags: [arp, ping]
//	difficulty: beginner              # or intermediate, advanced
//	topic: basics                     # one of Topics
//	requires: [cables]                # labs to do before
//	minutes: 40                       # of a student's time
//	extends: ../two-hosts             # nodes and segments are added to, or changed by name
//	nodes:
//	  pc1:
//	    image: debian                 # patchbay image list
//	    kernel: debian-6.1            # patchbay kernel list
//	    mode: seccomp                 # faster than ptrace, without a border between root and others
//	    memory: 96M
//	    disk: 1G
//	    interfaces:
//	      eth0: lan                   # short for {segment: lan}
//	      eth1: {segment: wan, mac: 02:00:00:00:00:01, mtu: 1400, addresses: [10.0.0.1/24], gateway: 10.0.0.254}
//	      eth2:                       # no cable
//	      eth3: {segment: lan, vlan: 10}                              # an access port
//	      eth4: {segment: lan, trunk: [10, 20], native: 10}           # 802.1Q; untagged frames are of VLAN 10
//	      eth5: {segment: dmz, impair: {out: {loss: 5%}, in: {delay: 100ms}}}   # out: what pc1 sends
//	    sysctls: {net.ipv4.ip_forward: 1}
//	    startup: [ip addr add 10.255.0.1/32 dev lo]
//	    files:
//	      /etc/motd: {content: "Hello\n", mode: 0644}
//	      /etc/frr/daemons: {source: daemons}
//	    publish: [80]                 # TCP ports that the student's browser may open
//	    at: [0, 1.5]                  # place in the drawing, in nodes' widths
//	segments:
//	  lan: switch                     # short for {kind: switch}; or hub
//	  wan: {kind: link, at: [1, 0]}   # joins exactly two
//	  dmz: {kind: switch, mtu: 9000, mirror: ids/eth1, storm: 1000}
//	  far: {kind: link, impair: {delay: 20ms, jitter: 2ms, loss: 1%, rate: 10M, queue: 50}}   # once each way
//	  net: {kind: uplink, allow: ["www.example.com:80", "10.0.0.0/8:443"]}   # where the server's admin allows it
//	events:
//	  - {at: 30s, cut: far}           # since all nodes have come up; a segment, NODE or NODE/INTERFACE
//	  - {at: 60s, restore: far}
//	  - {at: 90s, on: lan, impair: {loss: 50%}}
//	  - {frame: "tcp[tcpflags] == tcp-syn", on: pc1/eth0, nth: 3, do: drop}   # or every: true, direction: in
//	seed: 7                           # of losses and all else that is left to chance
//	parameters:                       # drawn for each student; ((lan)) in every text: here, in the guide, in files and scripts
//	  lan: {network: 10.0.0.0/8, length: 24, distinct: true}   # ((lan.1)) ((lan.-1)) ((lan.length)) ((lan.mask))
//	  token: {secret: 16}
//	checks:                           # one of the kinds in grade.Kinds each; the rest is in grade.Check
//	  r1-knows-far: {points: 2, step: routes, needs: [r1-up], route: {node: r1, to: 10.0.3.0/24, via: 10.0.12.2}}
//	mutants:                          # wrong solutions, in mutants/NAME/NODE.sh
//	  no-forwarding: {about: "r2 does not forward", fails: [r1-knows-far]}
//
// An impairment has delay, jitter and distribution (uniform, normal, pareto),
// loss, burst ({good_to_bad, bad_to_good, loss_good, loss_bad}), duplicate,
// reorder, corrupt, rate in bits a second, and queue in frames. What a frame
// can set off is drop, delay (with delay: 200ms), duplicate, corrupt, cut,
// restore and impair (with impair: {…}).
//
// When the lab is not in order the error is a Problems with everything that
// was found. Load never writes, reads only within fsys, follows no symbolic
// links, and is bounded in time and memory whatever it is given.
func Load(fsys fs.FS, dir string) (*Lab, error) { return load(fsys, dir, nil) }

// load is Load with the values of parameters, or a specimen of them when
// values is nil.
func load(fsys fs.FS, dir string, values *param.Values) (*Lab, error) {
	return newLoader(fsys, dir).load(dir, values)
}

func newLoader(fsys fs.FS, dir string) *loader {
	l := &loader{sum: sha256.New(), kept: &kept{dir: dir, files: map[string]keptFile{}}}
	l.folder = folder{fsys: fsys, probs: &l.probs, hash: l.digest}
	return l
}

func (l *loader) load(dir string, values *param.Values) (*Lab, error) {
	slug := path.Base(dir)
	if !slugRE.MatchString(slug) {
		l.probs.add(mark{file: dir}, "rename the folder", "the folder's name is the lab's name, and has only a-z, 0-9 and -, at most 63")
		return nil, l.probs.err()
	}
	levels, whole := l.levels(dir, nil)
	decls := checkParams(mergeParams(levels), &l.probs)
	if values != nil {
		l.values = *values
	} else if len(decls) > 0 {
		l.values = param.Specimen(decls)
	}
	if l.complained(inParameters(levels)) {
		return nil, l.probs.err() // what their values go into would be wrong everywhere
	}
	dr, guide := l.decode(levels, whole)
	if !whole {
		return nil, l.probs.err()
	}
	file := path.Join(dir, "lab.yaml")
	lab := &Lab{
		Slug: slug, Title: dr.title.s, Summary: dr.summary.s, Description: dr.description.s,
		Author: dr.author.s, Licence: dr.licence.s, Tags: dr.tags, Difficulty: Difficulty(dr.difficulty.s),
		Topic: dr.topic.s, Requires: dr.requires, Minutes: dr.minutes.n,
		Parameters: decls, Values: l.values, Topology: check(file, dr, &l.probs),
	}
	if extends := levels[0].extends.s; extends != "" {
		lab.Extends = path.Base(path.Join(dir, extends))
	}
	if lab.Title == "" && !l.complained(dr.title.is) {
		l.probs.add(mark{file, 1, 1}, `begin with "title: …"`, "the lab has no title")
	}
	names := nodeNames(dr)
	switch {
	case guide.file == "":
		l.probs.add(mark{file: path.Join(dir, "guide.md")}, "write what a student is to do", "there is no guide")
	case !l.complained(func(p Problem) bool { return p.File == guide.file }):
		checkGuide(guide, names, &l.probs)
		if checkBounds(guide, &l.probs) {
			lab.Steps = stepsOf(guide.s)
		}
	}
	lab.Guide = guide.s
	lab.Solution = l.solution(levels, names)
	l.mutants(levels, dr.mutants, names)
	c := gradeChecker{probs: &l.probs, dr: dr, topo: &lab.Topology, file: file, steps: lab.Steps}
	lab.Checks = c.checks()
	lab.Mutants = c.mutants(lab.Solution)
	if err := l.probs.err(); err != nil {
		return nil, err
	}
	lab.Digest = hex.EncodeToString(l.sum.Sum(nil))
	if len(decls) > 0 {
		lab.kept = l.kept
	}
	return lab, nil
}

// loader is one Load.
type loader struct {
	folder
	probs  collector
	sum    hash.Hash
	kept   *kept
	prefix string // which lab of the chain is read, for the digest
}

// level is one lab of a chain of labs that extend one another.
type level struct {
	dir     string
	d       *decoder
	root    ast.Node
	extends text
	params  []*draftParam
	guide   text
}

// digest adds a file to the lab's version.
func (l *loader) digest(name string, mode uint32, data []byte) {
	l.kept.add(name, mode, data)
	var n [8]byte
	for _, part := range [][]byte{[]byte(strings.TrimPrefix(name, l.prefix+"/")), binary.BigEndian.AppendUint32(nil, mode), data} {
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		l.sum.Write(n[:])
		l.sum.Write(part)
	}
}

// complained says whether such a problem was reported.
func (l *loader) complained(such func(Problem) bool) bool {
	return slices.ContainsFunc(l.probs.list, such)
}

// levels reads the lab in dir and those that it extends, itself first: what
// they extend and their parameters, and of the rest the text. from are the
// folders that led here. whole is false when one is missing, which was
// complained of.
func (l *loader) levels(dir string, from []string) (levels []*level, whole bool) {
	file := path.Join(dir, "lab.yaml")
	l.prefix = dir
	data, _, err := l.read(file, maxYAML)
	if err != nil {
		l.probs.add(mark{file: file}, "a lab is a folder with lab.yaml and guide.md", "this %v", err)
		return nil, false
	}
	root := parseYAML(file, data, &l.probs)
	if root == nil {
		return nil, false
	}
	lv := &level{dir: dir, d: &decoder{file: file, probs: &l.probs}, root: root}
	if _, isMapping := root.(ast.MapNode); !isMapping {
		lv.d.bad(root, `begin with "title: …"`, "a lab is “key: value”, found %s", kindOf(root))
		return nil, false
	}
	lv.guide = l.guide(dir)
	lv.d.plain = true
	if n := valueOf(root, "extends"); n != nil {
		lv.extends = lv.d.line(n, "extends", 200)
	}
	if n := valueOf(root, "parameters"); n != nil {
		lv.params = lv.d.parameters(n)
	}
	lv.d.plain = false
	levels, whole = []*level{lv}, true
	if lv.extends.s != "" {
		var more []*level
		more, whole = l.parent(dir, lv.extends, append(slices.Clone(from), dir))
		levels = append(levels, more...)
	}
	return levels, whole
}

// valueOf is the value of a key of a mapping, or nil.
func valueOf(n ast.Node, key string) ast.Node {
	values := []*ast.MappingValueNode{}
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = append(values, n)
	}
	for _, v := range values {
		if k, ok := v.Key.(*ast.StringNode); ok && k.Value == key {
			return v.Value
		}
	}
	return nil
}

// guide reads the guide of the lab in dir; its file is empty when there is none.
func (l *loader) guide(dir string) (guide text) {
	file := path.Join(dir, "guide.md")
	data, _, err := l.read(file, maxGuide)
	if err != nil {
		if _, statErr := fs.Lstat(l.fsys, file); statErr == nil { // it is there
			guide.file = file
			l.probs.add(mark{file: file}, "", "this %v", err)
		}
		return guide
	}
	guide.file = file
	if data, ok := cleanText(file, data, maxGuide, &l.probs); ok {
		guide.s = string(data)
	}
	return guide
}

// mergeParams lays the parameters of each lab over those that it extends; one
// of the same name replaces another.
func mergeParams(levels []*level) (params []*draftParam) {
	for _, lv := range slices.Backward(levels) {
		params = mergeNamed(params, lv.params, func(p *draftParam) string { return p.name.s },
			func(_, p *draftParam) *draftParam { return p })
	}
	return params
}

// inParameters says of a problem whether it is one of the parameters' own.
func inParameters(levels []*level) func(Problem) bool {
	return func(p Problem) bool {
		for _, lv := range levels {
			for _, dp := range lv.params {
				if dp.name.is(p) {
					return true
				}
				for _, t := range dp.at {
					if t.is(p) {
						return true
					}
				}
			}
		}
		return false
	}
}

// decode decodes the levels, with the values of all parameters, and merges
// them from the first that is built on. whole is false when a lab of the chain
// is missing, and perhaps its parameters.
func (l *loader) decode(levels []*level, whole bool) (dr *draft, guide text) {
	for _, lv := range slices.Backward(levels) {
		l.prefix = lv.dir
		lv.d.values, lv.d.quiet = l.values, !whole
		own := decodeLab(lv.d, lv.root, func(source text) ([]byte, uint32, bool) { return l.source(lv.dir, source) })
		for _, m := range own.mutants {
			m.dir = lv.dir
		}
		if dr != nil {
			own = merge(dr, own)
		}
		dr = own
		if whole {
			l.addFolders(lv.dir, dr)
		}
		if lv.guide.file != "" {
			guide = lv.guide
		}
	}
	guide.s, _ = l.values.Expand(guide.s)
	return dr, guide
}

// parent loads the lab that one in dir extends.
func (l *loader) parent(dir string, extends text, from []string) ([]*level, bool) {
	target := path.Join(dir, extends.s)
	switch {
	case path.IsAbs(extends.s) || !fs.ValidPath(target) || target == ".":
		l.probs.add(extends.mark, "write a relative path like ../two-hosts", "extends %s leads out of the folder that the labs lie in", quoteShort(extends.s))
	case slices.Contains(from, target):
		loop := slices.Clone(from[slices.Index(from, target):])
		for i := range loop {
			loop[i] = path.Base(loop[i])
		}
		l.probs.add(extends.mark, "remove one of the extends", "extends goes round in a loop: %s → %s", strings.Join(loop, " → "), path.Base(target))
	case len(from) > maxExtends:
		l.probs.add(extends.mark, "extend an earlier one", "more than %d labs extend one another", maxExtends)
	default:
		if _, err := l.stat(path.Join(target, "lab.yaml")); err != nil {
			l.probs.add(extends.mark, "write the path of another lab, like ../two-hosts", "there is no lab in %s: lab.yaml %v", target, err)
			return nil, false
		}
		return l.levels(target, from)
	}
	return nil, false
}

// addFolders adds the files below nodes/ of the lab in dir.
func (l *loader) addFolders(dir string, dr *draft) {
	names := nodeNames(dr)
	byNode := l.nodeFolders(dir, names)
	for _, n := range dr.nodes {
		// What lab.yaml of this very folder names comes last and wins.
		named := func(f draftFile) bool { return path.Dir(f.path.file) == dir && f.path.line > 0 }
		var earlier, own []draftFile
		for _, f := range n.files {
			if named(f) {
				own = append(own, f)
			} else {
				earlier = append(earlier, f)
			}
		}
		key := func(f draftFile) string { return f.path.s }
		last := func(_, b draftFile) draftFile { return b }
		n.files = mergeNamed(mergeNamed(earlier, byNode[n.name.s], key, last), own, key, last)
	}
}

// source reads the file that a node's file names as its source.
func (l *loader) source(dir string, source text) (data []byte, mode uint32, ok bool) {
	name, ok := within(dir, source.s)
	if !ok {
		l.probs.add(source.mark, "copy the file into the lab's folder and write its path from there", "source %s leads out of the lab's folder", quoteShort(source.s))
		return nil, 0, false
	}
	data, mode, err := l.read(name, maxFile)
	if err == nil && len(data) > maxFile {
		err = errorText("is larger than " + byteSize(maxFile))
	}
	if err == nil {
		data, err = l.filled(data)
	}
	if err != nil {
		l.probs.add(source.mark, "put an ordinary file there", "source %s %v", quoteShort(source.s), err)
		return nil, 0, false
	}
	return data, mode, true
}

// solution reads solution/NODE.sh, where a lab's own come over those of the
// lab that it extends.
func (l *loader) solution(levels []*level, names []string) []Script {
	byNode := map[string]string{}
	for _, lv := range slices.Backward(levels) {
		l.prefix = lv.dir
		maps.Copy(byNode, l.scripts(path.Join(lv.dir, "solution"), names))
	}
	var out []Script
	for _, name := range names {
		if s, ok := byNode[name]; ok {
			out = append(out, Script{Node: name, Text: s})
		}
	}
	return out
}

// mutants reads mutants/MUTANT/NODE.sh of those that are left after merging.
func (l *loader) mutants(levels []*level, mutants []*draftMutant, names []string) {
	for _, m := range mutants {
		l.prefix = m.dir
		m.scripts = l.scripts(path.Join(m.dir, "mutants", m.name.s), names)
	}
	root := path.Join(levels[0].dir, "mutants")
	if _, err := fs.Lstat(l.fsys, root); err != nil {
		return
	}
	declared := make([]string, len(mutants))
	for i, m := range mutants {
		declared[i] = m.name.s
	}
	for _, e := range l.readDir(root) {
		if !slices.Contains(declared, e.Name()) {
			l.probs.add(mark{file: path.Join(root, e.Name())}, didYouMean(e.Name(), declared, "declare it below mutants in lab.yaml, or remove it"), "there is no mutant %s", quoteShort(e.Name()))
		}
	}
}

// scripts reads NODE.sh in a folder, which may be missing.
func (l *loader) scripts(root string, names []string) map[string]string {
	if _, err := fs.Lstat(l.fsys, root); err != nil {
		return nil
	}
	byNode := map[string]string{}
	for _, e := range l.readDir(root) {
		node, isScript := strings.CutSuffix(e.Name(), ".sh")
		if !isScript {
			continue
		}
		p := path.Join(root, e.Name())
		if !slices.Contains(names, node) {
			l.probs.add(mark{file: p}, didYouMean(node, names, "name the script after a node"), "there is no node %s", quoteShort(node))
			continue
		}
		data, _, err := l.read(p, maxSolution)
		if err != nil {
			l.probs.add(mark{file: p}, "", "this %v", err)
			continue
		}
		if data, ok := cleanText(p, data, maxSolution, &l.probs); ok {
			byNode[node], _ = l.values.Expand(string(data))
		}
	}
	return byNode
}

func nodeNames(dr *draft) []string {
	names := make([]string, len(dr.nodes))
	for i, n := range dr.nodes {
		names[i] = n.name.s
	}
	return names
}
