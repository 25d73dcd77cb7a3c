package labs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/patchbay/patchbay/labs"
)

// hostileGuides would each take a renderer minutes.
func hostileGuides() map[string]string {
	const size = 500 << 10
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	var ticks, deep strings.Builder
	for i := 1; ticks.Len() < size; i++ {
		ticks.WriteString(strings.Repeat("`", i) + "a")
	}
	for i := 0; deep.Len() < size; i++ {
		deep.WriteString(strings.Repeat("  ", i) + "- a\n")
	}
	return map[string]string{
		"brackets": fill("["), "links": fill("[a]("), "link after link": fill("[a](b)"), "pictures": fill("!["),
		"quotes": fill(">"), "quotes with spaces": fill("> "), "lists in one line": fill("- "), "numbers": fill("1. "),
		"lists line by line": deep.String(), "stars": fill("*a "), "underlines": fill("_a "), "tildes": fill("~a "),
		"ticks": ticks.String(), "less": fill("<"), "comments": fill("<!--"), "instructions": fill("<?"), "cdata": fill("<![CDATA["),
		"headings": fill("# a\n"), "headings apart": fill("# a\n\n"), "underlined headings": fill("a\n=\n\n"),
		"definitions": fill("[a]: b\n"), "entities": fill("&"), "addresses": fill("a@"), "links by themselves": fill("http://a:"),
		"wide table": strings.Repeat("|a", 250) + "\n" + strings.Repeat("|-", 250) + "\n" + fill("a\n"),
		"tables":     fill(strings.Repeat("|a", 250) + "\n" + strings.Repeat("|-", 250) + "\n" + strings.Repeat("a\n", 2000) + "\n"),
		"one line":   fill("a "),
	}
}

// TestHostileGuides has guides refused that would keep a server busy.
func TestHostileGuides(t *testing.T) {
	for name, guide := range hostileGuides() {
		t.Run(name, func(t *testing.T) {
			_, err := labs.Load(fstest.MapFS{
				"t/lab.yaml": {Data: []byte("title: T\nnodes:\n  pc1:\n")}, "t/guide.md": {Data: []byte(guide)},
			}, "t")
			if err == nil || !strings.Contains(err.Error(), "guide.md:") {
				t.Errorf("loaded: %.200v", err)
			}
		})
	}
}

// TestOrdinaryGuides keeps the bounds away from what people write.
func TestOrdinaryGuides(t *testing.T) {
	files, err := filepath.Glob("catalog/shelf/*/guide.md")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
		all.WriteString("\n")
	}
	all.WriteString("- a\n  - b\n    - c\n\n> said\n> > before\n\n```\n" + strings.Repeat("key_of_it: [a, b] # <note>\n", 200) + "```\n")
	_, err = labs.Load(fstest.MapFS{
		"t/lab.yaml": {Data: []byte("title: T\nnodes:\n  pc1:\n")}, "t/guide.md": {Data: []byte(all.String())},
	}, "t")
	if err != nil && !strings.Contains(err.Error(), "there is no node") {
		t.Error(err)
	}
	if err != nil && (strings.Contains(err.Error(), "empty line") || strings.Contains(err.Error(), "nested")) {
		t.Error(err)
	}
}
