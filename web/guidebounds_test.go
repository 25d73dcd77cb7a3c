package web_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/web"
)

// TestWorstGuides renders the guides that labs.Load just lets through. One that
// took a time with the square of its length would not be done before the test's
// own end.
func TestWorstGuides(t *testing.T) {
	piece := func(sign string, n int) string {
		return strings.Repeat(sign, n) + strings.Repeat("a", 15<<10-n*len(sign)) + "\n\n"
	}
	fill := func(s string) string { return strings.Repeat(s, 500<<10/len(s)) }
	for name, guide := range map[string]string{
		"brackets": fill(piece("[", 1400)), "links": fill(piece("[a](", 700)), "pictures": fill(piece("![", 700)),
		"stars": fill(piece("*a ", 1400)), "underlines": fill(piece("_a ", 1400)), "less": fill(piece("<", 1400)),
		"comments": fill(piece("<!--", 350)), "ends": fill(piece("]", 1400)), "entities": fill(piece("&", 1400)),
		"quotes": fill(strings.Repeat(">", 16) + "a\n\n"), "lists": fill(strings.Repeat("- ", 16) + "a\n\n"),
		"headings": strings.Repeat("# a\n\n", 990), "definitions": fill(strings.Repeat("[a]: b\n", 300) + "\n"),
		"tables": strings.Repeat(strings.Repeat("|a", 100)+"\n"+strings.Repeat("|-", 100)+"\n"+strings.Repeat("a\n", 100)+"\n", 4),
		"words":  fill(strings.Repeat("a ", 8000) + "\n\n"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := labs.Load(fstest.MapFS{"t/lab.yaml": {Data: []byte("title: T\nnodes:\n  pc1:\n")}, "t/guide.md": {Data: []byte(guide)}}, "t")
			if err != nil {
				t.Fatalf("refused, so that this shows nothing: %v", err)
			}
			if _, err := web.RenderGuide(guide); err != nil {
				t.Error(err)
			}
		})
	}
}
