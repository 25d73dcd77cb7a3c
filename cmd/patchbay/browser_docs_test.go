package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestDocs reads the documentation as somebody who is not logged in, wide and
// narrow, in light and dark, and looks at a drawing.
func TestDocs(t *testing.T) {
	s := newSite(t)
	p := s.browse()
	for _, look := range []struct {
		name, scheme  string
		width, height int64
	}{{"light", "light", 1280, 800}, {"dark", "dark", 1280, 800}, {"narrow", "light", 390, 844}} {
		p.do(chromedp.EmulateViewport(look.width, look.height))
		for _, page := range []string{"", "/writing", "/format", "/checks"} {
			p.do(chromedp.Navigate(s.url + "/docs" + page))
			p.wait("the page", `document.querySelector("article h1")`)
			eval[string](p, `document.documentElement.dataset.theme = "`+look.scheme+`"`)
			if over := eval[float64](p, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
				p.fail("/docs%s is %v pixels wider than the window of %d", page, over, look.width)
			}
			p.shot(strings.ReplaceAll(strings.TrimPrefix(page, "/")+"-"+look.name, "/", ""))
			if page == "/checks" || page == "/format" {
				eval[any](p, `(document.querySelector("article h2:nth-of-type(3)").scrollIntoView(), null)`)
				p.shot(strings.TrimPrefix(page, "/") + "-below-" + look.name)
			}
		}
	}
	p.do(chromedp.EmulateViewport(1280, 800))
	for _, lab := range []string{"two-hosts", "vlans", "static-routing", "ospf-triangle", "lossy-link"} {
		svg, err := exec.Command(s.exe, "lab", "graph", lab).Output()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "lab.svg")
		if err := os.WriteFile(file, svg, 0o644); err != nil {
			t.Fatal(err)
		}
		p.do(chromedp.Navigate("file://" + file))
		if n := eval[float64](p, `document.querySelectorAll("rect.node").length`); n < 2 {
			p.fail("the drawing of %s has %v nodes", lab, n)
		}
		p.shot("graph-" + lab)
	}
}
