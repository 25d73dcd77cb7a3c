package lint

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/patchbay/patchbay/labs"
)

// about looks at what lists of labs show.
func (l *linter) about() {
	for _, f := range []struct{ key, value, fix string }{
		{"summary", l.lab.Summary, "say in one sentence what the lab is about"},
		{"author", l.lab.Author, "say who wrote it"},
		{"licence", l.lab.Licence, "say how others may use it, like CC-BY-4.0"},
		{"difficulty", string(l.lab.Difficulty), "choose beginner, intermediate or advanced"},
		{"topic", l.lab.Topic, "choose one of " + strings.Join(labs.Topics(), ", ")},
	} {
		if strings.TrimSpace(f.value) == "" {
			l.find("lab.yaml", 1, "about", fmt.Sprintf("add “%s:”: %s", f.key, f.fix), "the lab has no %s", f.key)
		}
	}
	if l.lab.Minutes == 0 {
		l.find("lab.yaml", 1, "minutes", "add “minutes: 45”", "the lab does not say how long it takes")
	}
	for _, slug := range l.lab.Requires {
		if slices.Contains(l.options.Labs, slug) || l.beside(slug) {
			continue
		}
		l.inYAML("requires", "name a built-in lab (patchbay lab list) or one whose folder lies beside this one", fmt.Sprintf("the lab requires %s, and there is no such lab", slug), "requires")
	}
}

// beside says whether a lab's folder lies beside this one.
func (l *linter) beside(slug string) bool {
	_, err := fs.Stat(l.fsys, path.Join(path.Dir(l.dir), slug, "lab.yaml"))
	return err == nil
}

// drawing looks at the places of nodes, and for segments that nothing needs.
func (l *linter) drawing() {
	t := &l.lab.Topology
	placed := func(n labs.Node) bool { return n.Placed }
	if slices.ContainsFunc(t.Nodes, placed) {
		for _, n := range t.Nodes {
			if !n.Placed {
				l.inYAML("place", "add “at: [X, Y]”", fmt.Sprintf("%s has no place in the drawing, and other nodes have", n.Name), "nodes", n.Name)
			}
		}
	}
	asked := map[string]bool{}
	for i := range l.lab.Checks {
		c := &l.lab.Checks[i]
		if _, _, kind := c.Kind(); kind != nil {
			for _, s := range kind.Segments() {
				asked[s] = true
			}
		}
		if c.Frames != nil {
			asked[c.Frames.On] = true
		}
	}
	for _, e := range t.Events {
		asked[e.On] = true
	}
	for _, s := range t.Segments {
		members := 0
		for _, n := range t.Nodes {
			for _, f := range n.Interfaces {
				if f.Segment == s.Name {
					members++
				}
			}
		}
		if members > 1 || s.Kind == labs.Uplink || asked[s.Name] || hasWord(l.lab.Guide, s.Name) {
			continue
		}
		l.inYAML("segment-unused", "join another interface to it, say in the guide what it is for, or remove it",
			fmt.Sprintf("segment %s has one interface, and neither guide nor checks name it", s.Name), "segments", s.Name)
	}
}

// solutions looks for what checks are tried out with.
func (l *linter) solutions() {
	if len(l.lab.Solution) == 0 {
		l.find("lab.yaml", 1, "solution", "write solution/NODE.sh", "the lab has no solution")
	}
	if n := len(l.lab.Mutants); n < 2 {
		line, _ := l.yaml.line("mutants")
		l.find("lab.yaml", max(line, 1), "wrong-solutions", "declare below “mutants:” what students get wrong, and write mutants/NAME/NODE.sh",
			"the lab has %d of the two wrong solutions that show whether its checks see through them", n)
	}
	for i := range l.lab.Mutants {
		if m := &l.lab.Mutants[i]; strings.TrimSpace(m.About) == "" {
			l.inYAML("mutant-about", "add “about:” with a sentence", fmt.Sprintf("the wrong solution %s does not say what is wrong with it", m.Name), "mutants", m.Name)
		}
	}
}

// unused looks for parameters that no text mentions.
func (l *linter) unused() {
	if len(l.lab.Parameters) == 0 {
		return
	}
	var all strings.Builder
	err := fs.WalkDir(l.fsys, l.dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		if info, err := e.Info(); err != nil || info.Size() > 1<<20 {
			return err // no text
		}
		data, err := fs.ReadFile(l.fsys, name)
		all.Write(data)
		return err
	})
	if err != nil {
		l.note("parameters were not looked for: %v", err)
		return
	}
	texts := all.String()
	for _, p := range l.lab.Parameters {
		if !strings.Contains(texts, "(("+p.Name+"))") && !strings.Contains(texts, "(("+p.Name+".") {
			l.inYAML("parameter-unused", fmt.Sprintf("write ((%s)) where it is meant, or remove it", p.Name), fmt.Sprintf("nothing uses the parameter %s", p.Name), "parameters", p.Name)
		}
	}
}

// hasWord says whether text has word with nothing of a name before or behind it.
func hasWord(text, word string) bool {
	for from := 0; word != ""; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		i += from
		if (i == 0 || !nameByte(text[i-1])) && (i+len(word) == len(text) || !nameByte(text[i+len(word)])) {
			return true
		}
		from = i + 1
	}
	return false
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}
