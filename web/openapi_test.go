package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/goccy/go-yaml"

	"github.com/patchbay/patchbay/web"
)

// TestDocument holds the routes and their description together.
func TestDocument(t *testing.T) {
	s := newSite(t)
	routes := map[string]bool{}
	err := chi.Walk(s.web.Routes().(chi.Routes), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if strings.HasPrefix(route, "/api/") {
			routes[method+" "+route] = true
		}
		return nil
	})
	s.must(err)

	var doc struct {
		OpenAPI    string
		Tags       []struct{ Name string }
		Paths      map[string]map[string]any
		Components map[string]map[string]any
	}
	s.must(yaml.Unmarshal(web.OpenAPI(), &doc))
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("openapi: %q; want 3.1", doc.OpenAPI)
	}
	described := map[string]bool{}
	ids := map[string]string{}
	for path, item := range doc.Paths {
		var shared []any
		if p, ok := item["parameters"].([]any); ok {
			shared = p
		}
		for method, v := range item {
			if method == "parameters" {
				continue
			}
			name := strings.ToUpper(method) + " " + path
			described[name] = true
			op, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("%s is no operation", name)
			}
			if op["summary"] == nil || op["responses"] == nil {
				t.Errorf("%s lacks a summary or responses", name)
			}
			id, _ := op["operationId"].(string)
			if other := ids[id]; id == "" || other != "" {
				t.Errorf("%s has the operationId %q of %q", name, id, other)
			}
			ids[id] = name
			tags, _ := op["tags"].([]any)
			if len(tags) != 1 || !slices.ContainsFunc(doc.Tags, func(tag struct{ Name string }) bool { return tag.Name == tags[0] }) {
				t.Errorf("%s has the tags %v; want one of the document's", name, tags)
			}
			var params []any
			if p, ok := op["parameters"].([]any); ok {
				params = p
			}
			checkParameters(t, name, path, append(slices.Clone(shared), params...), doc.Components["parameters"])
		}
	}
	for r := range routes {
		if !described[r] {
			t.Errorf("%s is not in openapi.yaml", r)
		}
	}
	for d := range described {
		if !routes[d] {
			t.Errorf("%s is in openapi.yaml and nowhere else", d)
		}
	}
	checkRefs(t, doc.Components, mustAny(t))
}

// checkParameters: each {name} of a path is described, and no other.
func checkParameters(t *testing.T, name, path string, params []any, components map[string]any) {
	t.Helper()
	var inPath []string
	for _, p := range params {
		m, _ := p.(map[string]any)
		if ref, ok := m["$ref"].(string); ok {
			m, _ = components[strings.TrimPrefix(ref, "#/components/parameters/")].(map[string]any)
		}
		if m["in"] == "path" {
			inPath = append(inPath, m["name"].(string))
		}
	}
	var want []string
	for _, part := range strings.Split(path, "/") {
		if strings.HasPrefix(part, "{") {
			want = append(want, strings.Trim(part, "{}"))
		}
	}
	slices.Sort(inPath)
	slices.Sort(want)
	if !slices.Equal(inPath, want) {
		t.Errorf("%s: parameters %v are described; want %v", name, inPath, want)
	}
}

func mustAny(t *testing.T) any {
	t.Helper()
	var doc any
	if err := yaml.Unmarshal(web.OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// checkRefs: every $ref leads somewhere.
func checkRefs(t *testing.T, components map[string]map[string]any, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			parts := strings.Split(strings.TrimPrefix(ref, "#/components/"), "/")
			if len(parts) != 2 || components[parts[0]][parts[1]] == nil {
				t.Errorf("%s leads nowhere", ref)
			}
		}
		for _, w := range v {
			checkRefs(t, components, w)
		}
	case []any:
		for _, w := range v {
			checkRefs(t, components, w)
		}
	}
}

func TestDocsPage(t *testing.T) {
	s := newSite(t)
	s.browser().get("/api/docs").wants(t, http.StatusOK, "/api/v1/labs/{lab}/rack", "Start your rack for a lab", "DELETE")
	if a := s.browser().get("/api/openapi.yaml"); a.body != string(web.OpenAPI()) {
		t.Error("the document is served changed")
	}
}
