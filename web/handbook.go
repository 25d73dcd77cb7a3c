package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/schema"
)

//go:embed docs/*.md
var handbookFiles embed.FS

// chapter is a page of the documentation.
type chapter struct {
	Slug, Title string
	Body        template.HTML
}

// chapters are the pages in the order in which one reads them; each is
// docs/SLUG.md, and the first is the index.
var chapters = []string{"index", "writing", "format", "parameters", "wire", "checks", "courses", "kathara"}

// generated are texts that a page takes in by a line {{name}}.
var generated = map[string]func() string{"reference": schema.Reference, "checks": schema.Checks}

// parseHandbook renders the documentation. A page begins with “# Title”.
func parseHandbook(g *guides) ([]chapter, error) {
	var out []chapter
	for _, slug := range chapters {
		text, err := handbookFiles.ReadFile("docs/" + slug + ".md")
		if err != nil {
			return nil, fmt.Errorf("reading documentation: %w", err)
		}
		first, rest, _ := strings.Cut(string(text), "\n")
		title, ok := strings.CutPrefix(first, "# ")
		if !ok {
			return nil, fmt.Errorf("reading documentation: %s.md does not begin with a title", slug)
		}
		for name, text := range generated {
			rest = strings.ReplaceAll(rest, "\n{{"+name+"}}\n", "\n"+text()+"\n")
		}
		body, err := g.render(rest)
		if err != nil {
			return nil, fmt.Errorf("rendering %s.md: %w", slug, err)
		}
		html := strings.NewReplacer("<table>", `<div class="table-scroll" tabindex="0" role="region" aria-label="Table"><table class="table">`, "</table>", "</table></div>",
			// The page's title is not in the text, so its headings are lowered in vain.
			"<h3", "<h2", "</h3>", "</h2>", "<h4", "<h3", "</h4>", "</h3>").Replace(string(body))
		out = append(out, chapter{slug, title, template.HTML(html)})
	}
	return out, nil
}

func (c chapter) Path() string {
	if c.Slug == "index" {
		return "/docs"
	}
	return "/docs/" + c.Slug
}

func (s *Server) handbookPage(w http.ResponseWriter, r *http.Request) error {
	slug := chi.URLParam(r, "page")
	if slug == "" {
		slug = "index"
	}
	for i, c := range s.handbook {
		if c.Slug != slug || slug == "index" && r.URL.Path != "/docs" {
			continue
		}
		d := struct {
			Chapter  chapter
			Chapters []chapter
			Next     *chapter
		}{Chapter: c, Chapters: s.handbook}
		if i+1 < len(s.handbook) {
			d.Next = &s.handbook[i+1]
		}
		return s.render(w, r, http.StatusOK, view{Page: "handbook", Title: c.Title, Data: d})
	}
	return labs.Errorf(labs.NotFound, "The documentation has no such page.")
}

// labSchema answers with the JSON Schema of lab.yaml, for editors.
func (s *Server) labSchema(w http.ResponseWriter, _ *http.Request) error {
	text, err := schema.JSON()
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/schema+json")
	h.Set("Access-Control-Allow-Origin", "*") // an editor in a browser may read it
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	_, _ = bytes.NewReader(text).WriteTo(w) // the only error left is a client that has gone
	return nil
}
