package lint

import (
	"slices"
	"sort"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	gmtext "github.com/yuin/goldmark/text"

	"github.com/patchbay/patchbay/labs"
)

// guide is what the rules need of a guide.
type guide struct {
	headings []heading
	blocks   []block
	spans    []piece // inline code
	links    []piece // where they lead
	pictures []picture
	words    int // of prose
	ids      map[string]bool
}

// heading is one of the guide's, with what stands between it and the next.
type heading struct {
	level, line int
	id, title   string
	look        bool // {.look}
	commands    bool // a block for a node
}

// block holds commands for a node.
type block struct {
	node string
	line int // of the first command
	text string
}

type piece struct {
	text string
	line int
}

type picture struct {
	alt, source string
	line        int
}

// readGuide parses a guide, whose bounds labs.Load has seen to.
func readGuide(markdown string) *guide {
	source := []byte(markdown)
	r := &guideReader{source: source, guide: &guide{ids: map[string]bool{}}}
	for i, c := range source {
		if c == '\n' {
			r.ends = append(r.ends, i)
		}
	}
	doc := goldmark.New(labs.Markdown()...).Parser().Parse(gmtext.NewReader(source))
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // it gives no error
		if !entering {
			return ast.WalkContinue, nil
		}
		return r.read(n), nil
	})
	return r.guide
}

type guideReader struct {
	*guide
	source []byte
	ends   []int // offsets of line ends
}

func (r *guideReader) read(n ast.Node) ast.WalkStatus {
	switch n := n.(type) {
	case *ast.Heading:
		r.heading(n)
	case *ast.FencedCodeBlock:
		r.block(n)
		return ast.WalkSkipChildren
	case *ast.CodeBlock:
		return ast.WalkSkipChildren
	case *ast.CodeSpan:
		r.spans = append(r.spans, piece{r.plain(n), r.line(n)})
		r.words += len(strings.Fields(r.plain(n)))
		return ast.WalkSkipChildren
	case *ast.Link:
		r.links = append(r.links, piece{string(n.Destination), r.line(n)})
	case *ast.Image:
		r.pictures = append(r.pictures, picture{strings.TrimSpace(r.plain(n)), string(n.Destination), r.line(n)})
		return ast.WalkSkipChildren
	case *ast.Text:
		r.words += len(strings.Fields(string(n.Segment.Value(r.source))))
	}
	return ast.WalkContinue
}

func (r *guideReader) heading(n *ast.Heading) {
	h := heading{level: n.Level, line: r.line(n), title: r.plain(n)}
	if id, ok := n.AttributeString("id"); ok {
		b, _ := id.([]byte)
		h.id = string(b)
		r.ids[h.id] = true
	}
	if class, ok := n.AttributeString("class"); ok {
		b, _ := class.([]byte)
		h.look = slices.Contains(strings.Fields(string(b)), "look")
	}
	r.headings = append(r.headings, h)
}

func (r *guideReader) block(n *ast.FencedCodeBlock) {
	if n.Info == nil || n.Lines().Len() == 0 {
		return
	}
	info := strings.Fields(string(n.Info.Segment.Value(r.source)))
	if len(info) != 2 || info[0] != "sh" {
		return
	}
	b := block{node: info[1], line: r.lineAt(n.Lines().At(0).Start), text: string(n.Lines().Value(r.source))}
	r.blocks = append(r.blocks, b)
	if len(r.headings) > 0 {
		r.headings[len(r.headings)-1].commands = true
	}
}

// plain is the text below n without markup.
func (r *guideReader) plain(n ast.Node) string {
	var b strings.Builder
	_ = ast.Walk(n, func(c ast.Node, entering bool) (ast.WalkStatus, error) { // it gives no error
		if !entering {
			return ast.WalkContinue, nil
		}
		switch c := c.(type) {
		case *ast.Text:
			b.Write(c.Segment.Value(r.source))
			if c.SoftLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(c.Value)
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// line is the one that n begins on, as well as that can be told.
func (r *guideReader) line(n ast.Node) int {
	if t, ok := firstText(n); ok {
		return r.lineAt(t)
	}
	for ; n != nil; n = n.Parent() {
		if prev := n.PreviousSibling(); prev != nil && prev.Type() == ast.TypeInline {
			if t, ok := firstText(prev); ok {
				return r.lineAt(t)
			}
		}
		if n.Type() == ast.TypeBlock && n.Lines().Len() > 0 {
			return r.lineAt(n.Lines().At(0).Start)
		}
	}
	return 1
}

func firstText(n ast.Node) (offset int, ok bool) {
	_ = ast.Walk(n, func(c ast.Node, entering bool) (ast.WalkStatus, error) { // it gives no error
		if t, is := c.(*ast.Text); is && entering {
			offset, ok = t.Segment.Start, true
			return ast.WalkStop, nil
		}
		return ast.WalkContinue, nil
	})
	return offset, ok
}

func (r *guideReader) lineAt(offset int) int { return sort.SearchInts(r.ends, offset) + 1 }
