package labs

import (
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	gmtext "github.com/yuin/goldmark/text"
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
	doc := goldmark.New(Markdown()...).Parser().Parse(gmtext.NewReader(source))
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

// words is the text in a node, without markup.
func words(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			switch n := n.(type) {
			case *ast.Text:
				b.Write(n.Value(source))
			case *ast.String:
				b.Write(n.Value)
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}
