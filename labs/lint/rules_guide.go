package lint

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/patchbay/patchbay/labs"
)

// readings are what headings begin with below which nothing is checked.
var readings = []string{"background", "goal", "questions", "question", "stretch goal", "stretch goals", "further reading", "summary", "in short"}

// step says whether a heading is a step that a check is to tick: one whose
// title begins with “Step”, or with commands for a node beneath it. Not so what
// is for looking and thinking alone, which its author marks with {.look}, and
// what readings names.
func (h *heading) step() bool {
	if h.look || h.level == 1 || h.reading() {
		return false
	}
	return h.commands || strings.HasPrefix(strings.ToLower(h.title), "step ")
}

func (h *heading) reading() bool {
	title := strings.ToLower(h.title)
	return slices.ContainsFunc(readings, func(r string) bool {
		return title == r || strings.HasPrefix(title, r+" ") || strings.HasPrefix(title, r+":")
	})
}

// below is the heading that a line stands below, or nil.
func (g *guide) below(line int) (h *heading) {
	for i := range g.headings {
		if g.headings[i].line <= line {
			h = &g.headings[i]
		}
	}
	return h
}

// steps looks for steps that no check ticks.
func (l *linter) steps() {
	checked := map[string]bool{}
	for i := range l.lab.Checks {
		checked[l.lab.Checks[i].Step] = true
	}
	for i := range l.guide.headings {
		h := &l.guide.headings[i]
		if !h.step() || checked[h.id] {
			continue
		}
		// A smaller heading may belong to a step that is checked.
		part := false
		for j := i - 1; j >= 0 && h.level > 2 && !part; j-- {
			up := &l.guide.headings[j]
			part = up.level < h.level && (checked[up.id] || !up.step() && up.level > 1)
		}
		if !part {
			l.inGuide(h.line, "step-check", fmt.Sprintf("let a check have “step: %s”; if there is nothing to check, mark the heading {.look}", h.id), "no check belongs to the step “%s”", h.title)
		}
	}
}

// How long a guide takes: prose that explains something is read at some 150
// words a minute, and commands are typed, waited for and looked at.
const (
	wordsAMinute  = 150
	blocksAMinute = 2
	mostMinutes   = 60
)

func (l *linter) length() {
	minutes := l.guide.words/wordsAMinute + len(l.guide.blocks)/blocksAMinute
	what := fmt.Sprintf("%d words and %d blocks of commands take about %d minutes", l.guide.words, len(l.guide.blocks), minutes)
	switch {
	case minutes > mostMinutes:
		l.inGuide(1, "length", "shorten it, or make two labs of it", "the guide is longer than an hour: %s", what)
	case l.lab.Minutes > 0 && minutes > l.lab.Minutes:
		l.inGuide(1, "length", "shorten it, or say more minutes", "the guide is longer than the %d minutes of the lab: %s", l.lab.Minutes, what)
	}
}

// links looks for links that lead nowhere and pictures that say nothing.
func (l *linter) links() {
	for _, p := range l.guide.pictures {
		if p.alt == "" {
			l.inGuide(p.line, "alt", "write what it shows: ![A switch with two machines](…)", "a picture has no text for those who do not see it")
		}
		l.leads(p.line, p.source, "picture")
	}
	for _, k := range l.guide.links {
		l.leads(k.line, k.text, "link")
	}
}

func (l *linter) leads(line int, to, what string) {
	u, err := url.Parse(to)
	slug, isLab := "", false
	if err == nil {
		slug, isLab = strings.CutPrefix(u.Path, "/labs/")
	}
	bad := func(fix, format string, args ...any) { l.inGuide(line, "link", fix, format, args...) }
	switch {
	case to == "" || to == "#":
		bad("write where it leads", "a %s leads to nothing", what)
	case err != nil:
		bad("write it like https://example.org/page", "a %s leads to “%s”, which is no address", what, to)
	case strings.HasPrefix(to, "#"):
		if !l.guide.ids[to[1:]] {
			bad("write {#"+to[1:]+"} behind a heading, or name one that is there", "a %s leads to “%s”, and no heading has this name", what, to)
		}
	case u.Scheme == "http" || u.Scheme == "https":
		if u.Host == "" {
			bad("write it like https://example.org/page", "a %s leads to “%s”, which names no server", what, to)
		}
	case u.Scheme == "mailto" || what == "picture" && u.Scheme == "data":
	case u.Scheme != "":
		bad("write it like https://example.org/page", "a %s leads to “%s”, which the page leaves out", what, to)
	case isLab && what == "link":
		if slug != l.lab.Slug && !slices.Contains(l.options.Labs, slug) && !l.beside(slug) {
			bad("name a lab that is there", "a link leads to the lab %s, and there is no such lab", slug)
		}
	case strings.HasPrefix(to, "/docs") || strings.HasPrefix(to, "/api/docs"):
	default:
		bad("link to a heading (#name), to https://… or to /labs/NAME", "a %s leads to “%s”, and the page of a lab has no files beside it", what, to)
	}
}

var numbered = regexp.MustCompile(`^([a-z][a-z-]*?)([0-9]+)$`)

// nodes looks for nodes that are not there, which can be told of a name in code
// that is like a node's but for its number; and for commands on a node that has
// no interface.
func (l *linter) nodes() {
	kinds, names := map[string]string{}, map[string]bool{}
	for _, n := range l.lab.Topology.Nodes {
		names[n.Name] = true
		if m := numbered.FindStringSubmatch(n.Name); m != nil {
			kinds[m[1]] = n.Name
		}
	}
	for _, s := range l.lab.Topology.Segments {
		names[s.Name] = true
	}
	said := map[string]bool{}
	for _, s := range l.guide.spans {
		m := numbered.FindStringSubmatch(s.text)
		if h := l.guide.below(s.line); h != nil && h.reading() && !strings.HasPrefix(strings.ToLower(h.title), "background") && !strings.HasPrefix(strings.ToLower(h.title), "goal") {
			continue // where one may think of a machine that is not there
		}
		if m == nil || kinds[m[1]] == "" || names[s.text] || said[s.text] || strings.Contains(l.yaml.text, s.text) {
			continue
		}
		said[s.text] = true
		l.inGuide(s.line, "node", "name a node of the lab, or add it", "the guide names %s, and the lab has only nodes such as %s", s.text, kinds[m[1]])
	}
	for _, b := range l.guide.blocks {
		n := l.topologyNode(b.node)
		if n == nil || said["block "+b.node] || slices.ContainsFunc(n.Interfaces, func(f labs.Interface) bool { return f.Segment != "" }) {
			continue
		}
		said["block "+b.node] = true
		l.inGuide(b.line, "node-interface", "give it an interface on a segment", "commands are typed on %s, which is on no segment", b.node)
	}
}
