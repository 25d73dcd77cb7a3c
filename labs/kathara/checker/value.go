package checker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/patchbay/patchbay/labs"
)

// Bounds of a configuration, which comes from a stranger. The largest of the
// checker's own examples has 10 KiB and is 6 deep.
const (
	maxConfig = 1 << 20
	maxDepth  = 32
	maxValues = 50_000
)

type kind int

const (
	null kind = iota
	scalar
	list
	mapping
)

// value is a value of the configuration and the line that it begins in,
// whichever of the two languages it is written in.
type value struct {
	line  int
	kind  kind
	text  string // of a scalar: a number and a truth value are as JSON writes them
	items []value
	keys  []entry // in the order of the file
}

type entry struct {
	key string
	at  int // the key's line
	value
}

// get is the value of a key, null when there is none.
func (v value) get(key string) value {
	for i := len(v.keys) - 1; i >= 0; i-- { // the last one counts, as for the checker
		if v.keys[i].key == key {
			return v.keys[i].value
		}
	}
	return value{line: v.line}
}

// read reads a configuration in JSON or YAML.
func read(name string, data []byte) (value, error) {
	if len(data) > maxConfig {
		return value{}, labs.Problems{{File: name, Line: 1, Col: 1, Message: "the file is larger than 1 MiB", Fix: "shorten it"}}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && trimmed[0] == '{' {
		r := jsonReader{name: name, data: data, dec: json.NewDecoder(bytes.NewReader(data))}
		r.dec.UseNumber()
		v, err := r.value(0)
		if err == nil {
			if _, more := r.dec.Token(); more != io.EOF {
				err = r.bad("something follows behind the configuration")
			}
		}
		return v, err
	}
	root, err := labs.ReadYAML(name, data)
	if err != nil {
		return value{}, err
	}
	r := yamlReader{name: name}
	return r.value(root, 0)
}

// jsonReader reads JSON and keeps lines.
type jsonReader struct {
	name string
	data []byte
	dec  *json.Decoder
	line int // of at
	at   int64
	n    int
}

// here is the line of the token that was read last.
func (r *jsonReader) here() int {
	off := min(r.dec.InputOffset(), int64(len(r.data)))
	r.line += bytes.Count(r.data[r.at:off], []byte("\n"))
	r.at = off
	return r.line + 1
}

func (r *jsonReader) bad(format string, args ...any) error {
	return labs.Problems{{File: r.name, Line: r.here(), Col: 1, Message: fmt.Sprintf(format, args...)}}
}

func (r *jsonReader) value(depth int) (value, error) {
	tok, err := r.dec.Token()
	if err != nil {
		return value{}, r.bad("this is no JSON: %v", err)
	}
	if r.n++; depth > maxDepth || r.n > maxValues {
		return value{}, r.bad("the configuration is too large or too deep")
	}
	v := value{line: r.here()}
	switch t := tok.(type) {
	case nil:
	case string:
		v.kind, v.text = scalar, t
	case json.Number:
		v.kind, v.text = scalar, t.String()
	case bool:
		v.kind, v.text = scalar, fmt.Sprint(t)
	case json.Delim:
		v.kind = map[json.Delim]kind{'[': list, '{': mapping}[t]
		for r.dec.More() {
			e := entry{}
			if v.kind == mapping {
				key, err := r.dec.Token()
				if err != nil {
					return value{}, r.bad("this is no JSON: %v", err)
				}
				e.key, _ = key.(string) // the decoder lets nothing else through
				e.at = r.here()
			}
			if e.value, err = r.value(depth + 1); err != nil {
				return value{}, err
			}
			if v.kind == mapping {
				v.keys = append(v.keys, e)
			} else {
				v.items = append(v.items, e.value)
			}
		}
		if _, err := r.dec.Token(); err != nil {
			return value{}, r.bad("this is no JSON: %v", err)
		}
	}
	return v, nil
}

type yamlReader struct {
	name string
	n    int
}

func (r *yamlReader) value(n ast.Node, depth int) (value, error) {
	if n == nil || n.GetToken() == nil {
		return value{}, nil
	}
	v := value{line: n.GetToken().Position.Line}
	if r.n++; depth > maxDepth || r.n > maxValues {
		return v, labs.Problems{{File: r.name, Line: v.line, Col: 1, Message: "the configuration is too large or too deep"}}
	}
	pair := func(m *ast.MappingValueNode) error {
		sub, err := r.value(m.Value, depth+1)
		if err == nil {
			v.keys = append(v.keys, entry{yamlText(m.Key), m.Key.GetToken().Position.Line, sub})
		}
		return err
	}
	switch t := n.(type) {
	case *ast.NullNode:
	case *ast.MappingNode:
		v.kind = mapping
		for _, m := range t.Values {
			if err := pair(m); err != nil {
				return v, err
			}
		}
	case *ast.MappingValueNode:
		v.kind = mapping
		if err := pair(t); err != nil {
			return v, err
		}
	case *ast.SequenceNode:
		v.kind = list
		for _, item := range t.Values {
			sub, err := r.value(item, depth+1)
			if err != nil {
				return v, err
			}
			v.items = append(v.items, sub)
		}
	default:
		v.kind, v.text = scalar, yamlText(n)
	}
	return v, nil
}

// yamlText is a scalar as text; of a block ("|") it is the block's.
func yamlText(n ast.Node) string {
	switch t := n.(type) {
	case *ast.StringNode:
		return t.Value
	case *ast.LiteralNode:
		return t.Value.Value
	case *ast.BoolNode:
		return fmt.Sprint(t.Value)
	}
	return strings.TrimSpace(n.GetToken().Value)
}
