package labs

import (
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	gmtext "github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Step is a heading of a guide.
type Step struct {
	ID    string // as in the page: written {#id} behind the heading, or made from its words
	Title string
}

// Markdown is the dialect that guides are written in: GitHub's, with
// “## Heading {#id}”. Whoever renders a guide adds to it.
func Markdown() []goldmark.Option {
	return []goldmark.Option{
		goldmark.WithExtensions(extension.GFM),
		goldmark.WithParserOptions(parser.WithAutoHeadingID(), parser.WithHeadingAttribute()),
	}
}

// stepsOf lists the headings of a guide.
func stepsOf(guide string) []Step {
	source := []byte(guide)
	// Headings alone: what may be nested, and links, take a time that grows with
	// the square of what a stranger writes.
	doc := parser.NewParser(parser.WithBlockParsers(
		util.Prioritized(parser.NewSetextHeadingParser(), 100),
		util.Prioritized(parser.NewThematicBreakParser(), 200),
		util.Prioritized(parser.NewCodeBlockParser(), 500),
		util.Prioritized(parser.NewATXHeadingParser(), 600),
		util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
		util.Prioritized(parser.NewHTMLBlockParser(), 900),
		util.Prioritized(parser.NewParagraphParser(), 1000),
	), parser.WithAutoHeadingID(), parser.WithHeadingAttribute()).Parse(gmtext.NewReader(source))
	var steps []Step
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		h, ok := n.(*ast.Heading)
		if !ok {
			continue
		}
		id, _ := h.AttributeString("id")
		b, _ := id.([]byte)
		if len(b) == 0 {
			continue
		}
		steps = append(steps, Step{ID: string(b), Title: words(h, source)})
	}
	return steps
}

// words is the text of a heading, without the signs of markup.
func words(h *ast.Heading, source []byte) string {
	return strings.TrimSpace(strings.NewReplacer("`", "", "*", "").Replace(string(h.Lines().Value(source))))
}
