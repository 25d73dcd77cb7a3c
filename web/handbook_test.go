package web_test

import (
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/patchbay/patchbay/labs"
)

// TestHandbookLinks: every link of the documentation leads somewhere, to the
// very heading that it names.
func TestHandbookLinks(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	link := regexp.MustCompile(`href="(/[^"]*|#[^"]*)"`)
	id := regexp.MustCompile(`id="([^"]*)"`)
	pages := map[string]map[string]bool{} // path → ids
	open := func(path string) string {
		a := b.get(path)
		if a.status != http.StatusOK {
			t.Errorf("%s: %d", path, a.status)
		}
		ids := map[string]bool{}
		for _, m := range id.FindAllStringSubmatch(a.body, -1) {
			if ids[m[1]] {
				t.Errorf("%s has two elements %s", path, m[1])
			}
			ids[m[1]] = true
		}
		pages[path] = ids
		return a.body
	}
	todo, seen := []string{"/docs"}, map[string]bool{"/docs": true}
	targets := map[string]string{} // link → page that has it
	for len(todo) > 0 {
		path := todo[0]
		todo = todo[1:]
		for _, m := range link.FindAllStringSubmatch(open(path), -1) {
			to := m[1]
			if strings.HasPrefix(to, "#") {
				to = path + to
			}
			targets[to] = path
			page, _, _ := strings.Cut(to, "#")
			if strings.HasPrefix(page, "/docs") && !seen[page] {
				seen[page] = true
				todo = append(todo, page)
			}
		}
	}
	if len(seen) != 8 {
		t.Errorf("%d pages were found; want 8", len(seen))
	}
	for to, from := range targets {
		page, fragment, _ := strings.Cut(to, "#")
		if ids, ok := pages[page]; ok && fragment != "" && !ids[fragment] {
			t.Errorf("%s links to %s, where there is no such heading", from, to)
		}
	}
	b.get("/docs/checks").wants(t, http.StatusOK, "<code>ping</code>", "root on every node cannot forge it", `<h2 id="wireguard">`)
	b.get("/docs/format").wants(t, http.StatusOK, `<h2 id="node">`, "ip_forward")
	if a := b.get("/lab.schema.json"); !strings.Contains(a.body, `"additionalProperties": false`) || a.header.Get("Content-Type") != "application/schema+json" {
		t.Errorf("schema: %.200s", a.body)
	}
}

// TestHandbookExamples: what the documentation shows as a lab.yaml is one, or a
// part of one.
func TestHandbookExamples(t *testing.T) {
	files, err := fs.Glob(os.DirFS("docs"), "*.md")
	if err != nil || len(files) == 0 {
		t.Fatal("no pages", err)
	}
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	for _, file := range files {
		text, err := os.ReadFile("docs/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range block.FindAllStringSubmatch(string(text), -1) {
			yaml, whole := m[1], strings.Contains(m[1], "title:") && strings.HasPrefix(m[1], "title")
			if !whole {
				yaml = "title: Part\n" + yaml
			}
			_, err := labs.Load(fstest.MapFS{"lab/lab.yaml": {Data: []byte(yaml)}, "lab/guide.md": {Data: []byte("# x\n")}}, "lab")
			if err == nil {
				continue
			}
			for line := range strings.Lines(err.Error()) {
				// A part names what stands elsewhere.
				part := regexp.MustCompile(`there is no|has no (nodes|heading|scripts)|no interface is on|has no interface|is a link, which|not say which|so it is the solution`).MatchString(line)
				if whole || !part {
					t.Errorf("%s: %s\nin:\n%s", file, line, yaml)
				}
			}
		}
	}
}
