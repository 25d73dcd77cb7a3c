package labs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/param"
)

// checkParams holds the parameters against each other and gives them as they
// are drawn from.
func checkParams(params []*draftParam, probs *collector) []param.Decl {
	if len(params) == 0 {
		return nil
	}
	decls := make([]param.Decl, len(params))
	for i, p := range params {
		decls[i] = p.decl
	}
	before := len(probs.list)
	param.Validate(decls, func(i int, field, fix, format string, args ...any) {
		p := params[min(i, len(params)-1)]
		at := p.at.at(field, p.name.mark)
		if !slices.ContainsFunc(probs.list[:before], at.is) { // it could not even be read
			probs.add(at, fix, format, args...)
		}
	})
	return decls
}

// gradeChecker holds checks and mutants against the lab that they are for.
type gradeChecker struct {
	probs *collector
	dr    *draft
	topo  *Topology
	file  string // the lab's own lab.yaml
	steps []Step
}

func (c *gradeChecker) checkNames() []string {
	names := make([]string, len(c.dr.checks))
	for i, dc := range c.dr.checks {
		names[i] = dc.name.s
	}
	return names
}

// checks completes the checks, and says what is wrong with them.
func (c *gradeChecker) checks() []grade.Check {
	if n := len(c.dr.checks); n > grade.MaxChecks {
		c.probs.add(c.dr.checks[grade.MaxChecks].name.mark, "split the lab", "more than %d checks", grade.MaxChecks)
	}
	var out []grade.Check
	for _, dc := range c.dr.checks {
		g := dc.check
		g.Name = dc.name.s
		c.complete(dc, &g)
		c.kind(dc, &g)
		c.step(dc, &g)
		for i, need := range g.Needs {
			at := dc.at.at(fmt.Sprintf("needs[%d]", i), dc.name.mark)
			if need == g.Name {
				c.probs.add(at, "remove it", "the check needs itself")
			} else if need != "" && !slices.Contains(c.checkNames(), need) {
				c.probs.add(at, didYouMean(need, c.checkNames(), "name another check of this lab"), "there is no check %s", quoteShort(need))
			}
		}
		out = append(out, g)
	}
	c.loops(out)
	c.hidden(out)
	return out
}

// hidden finds checks that need one which fewer people see: that it was not
// tried, and for want of what, would tell students of it.
func (c *gradeChecker) hidden(checks []grade.Check) {
	order := []grade.Visibility{grade.Always, grade.After, grade.Never}
	seen := map[string]int{}
	for i := range checks {
		seen[checks[i].Name] = slices.Index(order, checks[i].Visible)
	}
	for i := range checks {
		g := &checks[i]
		for k, need := range g.Needs {
			if hidden, ok := seen[need]; ok && seen[g.Name] >= 0 && hidden > seen[g.Name] {
				dc := c.dr.checks[i]
				c.probs.add(dc.at.at(fmt.Sprintf("needs[%d]", k), dc.name.mark), fmt.Sprintf("make this check visible: %s, too", order[hidden]),
					"the check needs %s, which is visible: %s, so students would read of it", need, order[hidden])
			}
		}
	}
}

// complete fills in what was not said, and checks what a check says whatever
// its kind.
func (c *gradeChecker) complete(dc *draftCheck, g *grade.Check) {
	given := func(key string) bool { _, ok := dc.at[key]; return ok }
	bad := func(key, fix, format string, args ...any) {
		c.probs.add(dc.at.at(key, dc.name.mark), fix, format, args...)
	}
	if !given("points") {
		g.Points = 1
	}
	if !given("within") {
		g.Within = defaultWithin
	}
	if !given("for") {
		g.For = defaultFor
	}
	visible := []string{string(grade.Always), string(grade.After), string(grade.Never)}
	switch {
	case g.Visible == "":
		g.Visible = grade.Always
	case !slices.Contains(visible, string(g.Visible)):
		bad("visible", didYouMean(string(g.Visible), visible, "choose always, after or never"), "visible is always, after or never, not %s", quoteShort(string(g.Visible)))
	}
	switch {
	case g.Points < 0 || g.Points > maxPoints:
		bad("points", "1 is usual", "points are from 0 to %d", maxPoints)
	case g.Within > grade.MaxWithin:
		bad("within", "shorten it", "a check is tried for at most %v", grade.MaxWithin)
	case g.For > grade.MaxFor:
		bad("for", "shorten it", "a check watches for at most %v", grade.MaxFor)
	}
	for _, t := range []struct {
		key, s string
		limit  int
	}{{"title", g.Title, 200}, {"hint", g.Hint, 1000}, {"look", g.Look, 300}} {
		if len(t.s) > t.limit {
			bad(t.key, "shorten it", "the %s of a check is longer than %d bytes", t.key, t.limit)
		} else if t.key != "hint" && t.s != "" && !printable(t.s) {
			bad(t.key, "keep it to one line of text", "the %s of a check has a line break or a character that cannot be printed", t.key)
		}
	}
}

// kind checks that a check has one kind, that it is in order, and that the lab
// has what it names.
func (c *gradeChecker) kind(dc *draftCheck, g *grade.Check) {
	var kinds []string
	for _, k := range kindNames {
		if _, ok := dc.at[k]; ok {
			kinds = append(kinds, k)
		}
	}
	switch {
	case len(kinds) == 0:
		c.probs.add(dc.name.mark, "give it one of "+strings.Join(kindNames, ", "), "the check does not say what it checks")
		return
	case len(kinds) > 1:
		c.probs.add(dc.at.at(kinds[1], dc.name.mark), "make a check of each", "a check is of one kind, found %s and %s", kinds[0], kinds[1])
		return
	}
	name, _, kind := g.Kind()
	known := func(what string, named, there []string) {
		for _, x := range named {
			if x != "" && !slices.Contains(there, x) {
				c.probs.add(c.find(dc, name, what, x), didYouMean(x, there, "name one of "+strings.Join(there, ", ")), "there is no %s %s", what, quoteShort(x))
			}
		}
	}
	var nodes, segments []string
	for i := range c.topo.Nodes {
		nodes = append(nodes, c.topo.Nodes[i].Name)
	}
	for i := range c.topo.Segments {
		segments = append(segments, c.topo.Segments[i].Name)
	}
	before := len(c.probs.list)
	known("node", kind.Nodes(), nodes)
	known("segment", kind.Segments(), segments)
	c.places(dc, name, kind, append(nodes, segments...))
	kind.Validate(func(field, fix, format string, args ...any) {
		path := name
		if field != "" {
			path += "." + field
		}
		at := dc.at.at(path, dc.name.mark)
		if !slices.ContainsFunc(c.probs.list, at.is) { // it could not even be read
			c.probs.add(at, fix, format, args...)
		}
	})
	if len(c.probs.list) > before || g.Title != "" {
		return
	}
	g.Title = kind.Expect()
	if g.Not {
		g.Title = "It is not so that " + g.Title
	}
	if kind.Expect() == "" {
		g.Title = g.Name
	}
}

// places checks what a kind names besides nodes and segments.
func (c *gradeChecker) places(dc *draftCheck, name string, kind grade.Kind, there []string) {
	if p, ok := kind.(grade.Prober); ok {
		for _, x := range p.Probes() {
			if slices.ContainsFunc(c.topo.Segments, func(s Segment) bool { return s.Name == x && s.Kind == Link }) {
				c.probs.add(c.find(dc, name, "segment", x), "", "segment %q is a link: %s", x, grade.NoRoom)
			}
		}
	}
	if p, ok := kind.(grade.Placer); ok {
		for _, x := range p.Interfaces() {
			node, iface, _ := strings.Cut(x, "/")
			i := slices.IndexFunc(c.topo.Nodes, func(n Node) bool { return n.Name == node })
			if i < 0 {
				continue // said of the node
			}
			var names []string
			for _, f := range c.topo.Nodes[i].Interfaces {
				names = append(names, f.Name)
			}
			if !slices.Contains(names, iface) {
				c.probs.add(c.find(dc, name, "node", x), didYouMean(iface, names, "name one of its interfaces"), "%s has no interface %s", node, quoteShort(iface))
			}
		}
	}
	if p, ok := kind.(grade.Locator); ok {
		if x := p.Where(); x != "" && !slices.Contains(there, x) {
			c.probs.add(c.find(dc, name, "on", x), didYouMean(x, there, "name a segment, a node, or NODE/INTERFACE"), "there is no segment or node %s", quoteShort(x))
		}
	}
}

// find is where a check's kind names a node or segment: below a key called
// what when there is one, else wherever it is written.
func (c *gradeChecker) find(dc *draftCheck, kind, what, name string) mark {
	var best string
	for path, t := range dc.at {
		if t.s != name && !strings.HasPrefix(t.s, name+"/") || !strings.HasPrefix(path, kind+".") {
			continue
		}
		better := strings.Contains(path, "."+what)
		worse := strings.Contains(best, "."+what)
		if best == "" || better && !worse || better == worse && path < best {
			best = path
		}
	}
	if best == "" {
		best = kind
	}
	return dc.at.at(best, dc.name.mark)
}

// step checks that the guide has the step that a check belongs to. A lab that
// has a guide of its own need not have the steps of the one that it extends:
// checks from there then belong to none.
func (c *gradeChecker) step(dc *draftCheck, g *grade.Check) {
	if g.Step == "" || slices.ContainsFunc(c.steps, func(s Step) bool { return s.ID == g.Step }) {
		return
	}
	if dc.name.file != c.file {
		g.Step = ""
		return
	}
	var ids []string
	for _, s := range c.steps {
		ids = append(ids, s.ID)
	}
	c.probs.add(dc.at.at("step", dc.name.mark), didYouMean(g.Step, ids, "write “## Heading {#"+g.Step+"}” in guide.md, or name one of "+strings.Join(ids, ", ")),
		"the guide has no heading %s", quoteShort(g.Step))
}

// loops finds checks that need each other in a round.
func (c *gradeChecker) loops(checks []grade.Check) {
	byName := map[string]int{}
	for i := range checks {
		byName[checks[i].Name] = i
	}
	state := make([]int, len(checks)) // 1 while on the way, 2 when done
	var visit func(i int, way []string)
	visit = func(i int, way []string) {
		state[i] = 1
		way = append(way, checks[i].Name)
		for k, need := range checks[i].Needs {
			j, ok := byName[need]
			switch {
			case !ok || i == j: // said already
			case state[j] == 1:
				round := append(slices.Clone(way[slices.Index(way, need):]), need)
				dc := c.dr.checks[i]
				c.probs.add(dc.at.at(fmt.Sprintf("needs[%d]", k), dc.name.mark), "remove one of the needs", "needs go round in a loop: %s", strings.Join(round, " → "))
			case state[j] == 0:
				visit(j, way)
			}
		}
		state[i] = 2
	}
	for i := range checks {
		if state[i] == 0 {
			visit(i, nil)
		}
	}
}

// mutants gives the wrong solutions with a script for each node that has one:
// its own, or else the solution's.
func (c *gradeChecker) mutants(solution []Script) []Mutant {
	var out []Mutant
	for _, dm := range c.dr.mutants {
		m := Mutant{Name: dm.name.s, About: dm.about.s}
		for _, f := range dm.fails {
			if !slices.Contains(c.checkNames(), f.s) {
				c.probs.add(f.mark, didYouMean(f.s, c.checkNames(), "name a check of this lab"), "there is no check %s", quoteShort(f.s))
			}
			m.Fails = append(m.Fails, f.s)
		}
		if len(dm.fails) == 0 {
			c.probs.add(dm.name.mark, `add "fails: [CHECK]"`, "the mutant does not say which checks it fails")
		}
		if len(dm.scripts) == 0 {
			c.probs.add(dm.name.mark, fmt.Sprintf("put what it does otherwise on a node into mutants/%s/NODE.sh", dm.name.s), "the mutant %s has no scripts, so it is the solution", dm.name.s)
		}
		for i := range c.topo.Nodes {
			node := c.topo.Nodes[i].Name
			text, own := dm.scripts[node]
			if !own {
				j := slices.IndexFunc(solution, func(s Script) bool { return s.Node == node })
				if j < 0 {
					continue
				}
				text = solution[j].Text
			}
			m.Scripts = append(m.Scripts, Script{Node: node, Text: text})
		}
		out = append(out, m)
	}
	return out
}
