package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
)

// checks looks at what each check says to a student.
func (l *linter) checks() {
	if len(l.lab.Checks) == 0 {
		l.find("lab.yaml", 1, "step-check", "write one below “checks:”", "the lab has no checks")
	}
	for i := range l.lab.Checks {
		c := &l.lab.Checks[i]
		if _, ok := l.yaml.line("checks", c.Name, "title"); !ok {
			l.inYAML("check-title", "add “title:”, a statement such as “r1 reaches r2”", fmt.Sprintf("the check %s has no title", c.Name), "checks", c.Name)
		}
		if strings.TrimSpace(c.Hint) == "" {
			l.inYAML("check-hint", "add “hint:”, a sentence that says where to look and not what to type", fmt.Sprintf("the check %s has no hint", c.Name), "checks", c.Name)
		}
		if c.Step == "" {
			l.inYAML("check-step", "add “step:” with the {#id} of a heading of the guide", fmt.Sprintf("the check %s belongs to no step", c.Name), "checks", c.Name)
		}
	}
}

// untouched looks for checks that pass before anybody has worked, as far as
// the text of the lab tells.
func (l *linter) untouched() {
	for i := range l.lab.Checks {
		c := &l.lab.Checks[i]
		if len(c.Needs) > 0 {
			continue
		}
		if why := l.passes(c); why != "" {
			l.inYAML("untouched", "let it need a check that fails before the work, or ask for what only a working network shows",
				fmt.Sprintf("the check %s passes on the untouched lab: %s", c.Name, why), "checks", c.Name)
		}
	}
}

// passes says why a check that needs no other would pass at once; empty when
// that cannot be told, as of what a lab's own commands and files may do.
func (l *linter) passes(c *grade.Check) string {
	f := c.Frames
	switch {
	case c.Not:
		if l.blank() {
			return "where nothing is set up, nothing is so"
		}
	case c.File != nil && c.File.Absent && l.blank():
		return "the file is not there yet"
	case f != nil && f.Max != nil && f.Least() == 0 && l.blank():
		return "no frame is there yet"
	case c.Address != nil && l.hasAddresses(c.Address):
		return "the lab gives the address"
	case c.Sysctl != nil && l.hasSysctls(c.Sysctl):
		return "the lab sets it"
	}
	return ""
}

// blank says whether the lab leaves all of its machines' set-up to the student.
func (l *linter) blank() bool {
	return !slices.ContainsFunc(l.lab.Topology.Nodes, func(n labs.Node) bool {
		return len(n.Startup)+len(n.Files)+len(n.Sysctls) > 0 || slices.ContainsFunc(n.Interfaces, func(f labs.Interface) bool { return len(f.Addresses) > 0 })
	})
}

func (l *linter) topologyNode(name string) *labs.Node {
	nodes := l.lab.Topology.Nodes
	i := slices.IndexFunc(nodes, func(n labs.Node) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return &nodes[i]
}

func (l *linter) hasAddresses(a *grade.Address) bool {
	n := l.topologyNode(a.Node)
	if n == nil {
		return false
	}
	for _, want := range a.Address {
		if !slices.ContainsFunc(n.Interfaces, func(f labs.Interface) bool {
			return (a.Interface == "" || a.Interface == f.Name) && slices.ContainsFunc(f.Addresses, func(has string) bool {
				bare, _, _ := strings.Cut(has, "/")
				return has == want || bare == want
			})
		}) {
			return false
		}
	}
	return true
}

func (l *linter) hasSysctls(k *grade.Sysctl) bool {
	n := l.topologyNode(k.Node)
	all := k.All()
	if n == nil || len(all) == 0 {
		return false
	}
	for key, values := range all {
		if !slices.ContainsFunc(n.Sysctls, func(s labs.Sysctl) bool { return s.Key == key && slices.Contains(values, s.Value) }) {
			return false
		}
	}
	return true
}
