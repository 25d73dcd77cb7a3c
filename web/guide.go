package web

import (
	"bytes"
	"fmt"
	"html/template"
	"regexp"
	"strings"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/patchbay/patchbay/labs"
)

// guides turns a lab's Markdown into HTML that can do nothing: goldmark leaves
// out raw HTML and links to scripts, and what it makes is cleaned by a list of
// what may be in it. It is safe for use by several goroutines.
type guides struct {
	markdown goldmark.Markdown
	policy   *bluemonday.Policy

	mu   sync.Mutex
	done map[*labs.Lab]func() (template.HTML, error) // guarded by mu; each renders once. Labs do not change, and a student's is one of its own
}

// maxGuides is how many rendered guides are kept.
const maxGuides = 500

func newGuides() *guides {
	p := bluemonday.UGCPolicy()
	p.RequireNoFollowOnLinks(false)
	p.AllowRelativeURLs(true)
	p.AddTargetBlankToFullyQualifiedLinks(true) // a lab's terminals are not left by a click
	name := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)
	p.AllowAttrs("data-node").Matching(name).OnElements("pre")
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^commands$`)).OnElements("pre")
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^language-[A-Za-z0-9+-]{1,30}$`)).OnElements("code")
	p.AllowAttrs("type").Matching(regexp.MustCompile(`^checkbox$`)).OnElements("input")
	p.AllowAttrs("checked", "disabled").Matching(regexp.MustCompile(`^$`)).OnElements("input")
	return &guides{
		markdown: goldmark.New(append(labs.Markdown(),
			goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(lowerHeadings{}, 100))),
			goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(fences{}, 100))),
		)...),
		policy: p,
		done:   make(map[*labs.Lab]func() (template.HTML, error)),
	}
}

// of gives a lab's guide. Whoever asks for one waits for that one alone: 500 KiB
// of Markdown may take a second.
func (g *guides) of(l *labs.Lab) (template.HTML, error) {
	g.mu.Lock()
	once, ok := g.done[l]
	if !ok {
		if len(g.done) >= maxGuides {
			clear(g.done) // versions and students that nobody asks for any more among them
		}
		once = sync.OnceValues(func() (template.HTML, error) { return g.render(l.Guide) })
		g.done[l] = once
	}
	g.mu.Unlock()
	h, err := once()
	if err != nil {
		return "", fmt.Errorf("rendering the guide of %s: %w", l.Slug, err)
	}
	return h, nil
}

func (g *guides) render(markdown string) (template.HTML, error) {
	var b bytes.Buffer
	if err := g.markdown.Convert([]byte(markdown), &b); err != nil {
		return "", err
	}
	return template.HTML(g.policy.SanitizeBytes(b.Bytes())), nil
}

// lowerHeadings moves a guide's headings one level down: the page's own title
// is its first.
type lowerHeadings struct{}

func (lowerHeadings) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if h, ok := n.(*ast.Heading); ok && entering {
			h.Level = min(h.Level+1, 6)
		}
		return ast.WalkContinue, nil
	})
}

// fences renders fenced code blocks. One with the info string "sh NODE" holds
// commands for that node: the page gives it a button that types them there.
type fences struct{}

func (f fences) RegisterFuncs(reg renderer.NodeRendererFuncRegisterer) {
	reg.Register(ast.KindFencedCodeBlock, f.render)
}

func (fences) render(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	block := n.(*ast.FencedCodeBlock)
	var info []string
	if block.Info != nil {
		info = strings.Fields(string(block.Info.Segment.Value(source)))
	}
	escape := func(s string) string { return string(util.EscapeHTML([]byte(s))) }
	if len(info) == 2 && info[0] == "sh" {
		fmt.Fprintf(w, `<pre class="commands" data-node="%s">`, escape(info[1]))
	} else {
		fmt.Fprint(w, `<pre>`)
	}
	if len(info) > 0 {
		fmt.Fprintf(w, `<code class="language-%s">`, escape(info[0]))
	} else {
		fmt.Fprint(w, `<code>`)
	}
	for i := range block.Lines().Len() {
		line := block.Lines().At(i)
		html.DefaultWriter.RawWrite(w, line.Value(source))
	}
	fmt.Fprint(w, "</code></pre>\n")
	return ast.WalkSkipChildren, nil
}
