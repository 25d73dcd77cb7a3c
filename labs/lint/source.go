package lint

import (
	"fmt"
	"io/fs"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// source is a lab.yaml with the places of its keys.
type source struct {
	text string
	root ast.Node
}

// readSource reads a lab.yaml that labs.Load found in order.
func readSource(fsys fs.FS, file string) (*source, error) {
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, fmt.Errorf("reading lab: %w", err)
	}
	s := &source{text: text(data)}
	f, err := parser.ParseBytes([]byte(s.text), 0)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	if len(f.Docs) > 0 {
		s.root = f.Docs[0].Body
	}
	return s, nil
}

// line is where a key stands, found by the keys that lead to it; false when the
// file does not have it. No keys mean the file itself.
func (s *source) line(keys ...string) (int, bool) {
	n, line := s.root, 0
	for _, key := range keys {
		v := pick(n, key)
		if v == nil {
			return 0, false
		}
		n, line = v.Value, v.Key.GetToken().Position.Line
	}
	return line, true
}

// end is the last line of what stands below keys.
func (s *source) end(keys ...string) int {
	n := s.root
	for _, key := range keys {
		v := pick(n, key)
		if v == nil {
			return 0
		}
		n = v.Value
	}
	last := 0
	ast.Walk(lastLine{&last}, n)
	return last
}

type lastLine struct{ last *int }

func (v lastLine) Visit(n ast.Node) ast.Visitor {
	if t := n.GetToken(); t != nil && t.Position != nil {
		*v.last = max(*v.last, t.Position.Line)
	}
	return v
}

// pick is the value of a key of a mapping, or nil.
func pick(n ast.Node, key string) *ast.MappingValueNode {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = append(values, n)
	}
	for _, v := range values {
		if v.Key.GetToken().Value == key {
			return v
		}
	}
	return nil
}
