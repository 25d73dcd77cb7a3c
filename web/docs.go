package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"

	"github.com/goccy/go-yaml"
)

// document is as much of openapi.yaml as the page that lists it needs.
type document struct {
	Info struct {
		Title, Version, Description string
	}
	Tags []struct {
		Name, Description string
	}
	Paths map[string]struct {
		Get, Put, Post, Patch, Delete *operation
	}

	groups []operationGroup
}

type operation struct {
	Method  string `yaml:"-"`
	Path    string `yaml:"-"`
	Summary string
	Tags    []string
	Notes   string `yaml:"description"`
}

type operationGroup struct {
	Name, Description string
	Operations        []operation
}

// parseDocument reads the API's description.
func parseDocument(text []byte) (*document, error) {
	var d document
	if err := yaml.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("reading openapi.yaml: %w", err)
	}
	for _, t := range d.Tags {
		g := operationGroup{Name: t.Name, Description: t.Description}
		for path, item := range d.Paths {
			for method, op := range map[string]*operation{http.MethodGet: item.Get, http.MethodPut: item.Put,
				http.MethodPost: item.Post, http.MethodPatch: item.Patch, http.MethodDelete: item.Delete} {
				if op == nil || !slices.Contains(op.Tags, t.Name) {
					continue
				}
				op.Method, op.Path = method, path
				g.Operations = append(g.Operations, *op)
			}
		}
		slices.SortFunc(g.Operations, func(a, b operation) int {
			return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
		})
		d.groups = append(d.groups, g)
	}
	return &d, nil
}

func (s *Server) openapi(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openapiYAML) // the only error left is a client that has gone
	return nil
}

func (s *Server) docsPage(w http.ResponseWriter, r *http.Request) error {
	return s.render(w, r, http.StatusOK, view{Page: "docs", Title: s.docs.Info.Title, Data: struct {
		About  string
		Groups []operationGroup
	}{s.docs.Info.Description, s.docs.groups}})
}
