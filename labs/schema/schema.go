// Package schema describes lab.yaml for programs and people: as a JSON Schema
// for editors and as a reference in Markdown, both made of what the decoder
// takes its keys from.
package schema

import (
	"encoding/json"
	"fmt"

	"github.com/patchbay/patchbay/labs"
)

type object = map[string]any

// JSON is the JSON Schema (draft 2020-12) of a lab.yaml. Every single value
// may be a text that names a parameter, ((name)).
func JSON() ([]byte, error) {
	root := valueOf(labs.LabForm())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "lab.yaml of Patchbay"
	root["type"] = "object"
	root["anyOf"] = []any{object{"required": []string{"title", "nodes"}}, object{"required": []string{"title", "extends"}}}
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	return append(out, '\n'), nil
}

// reference is a text that names a parameter.
func reference() object {
	return object{"type": "string", "pattern": `\(\([a-z]`}
}

// valueOf is the schema of a form.
func valueOf(f *labs.Form) object {
	o := plainOf(f)
	if f.Short != nil {
		return object{"anyOf": []any{valueOf(f.Short), o}}
	}
	return o
}

func plainOf(f *labs.Form) object {
	switch f.Type {
	case labs.Text:
		if f.Enum != nil {
			return object{"anyOf": []any{object{"enum": f.Enum}, reference()}}
		}
		return object{"type": "string"}
	case labs.Scalar:
		return object{"type": []string{"string", "number", "boolean"}}
	case labs.Quantity:
		return object{"type": []string{"string", "number"}}
	case labs.Whole:
		n := object{"type": "integer"}
		if f.Max > 0 {
			n["minimum"], n["maximum"] = f.Min, f.Max
		}
		return object{"anyOf": []any{n, reference()}}
	case labs.Decimal:
		return object{"anyOf": []any{object{"type": "number"}, reference()}}
	case labs.Bool:
		return object{"anyOf": []any{object{"type": "boolean"}, reference()}}
	case labs.List:
		return object{"type": []string{"array", "null"}, "items": valueOf(f.Item)}
	case labs.Map:
		return object{"type": []string{"object", "null"}, "additionalProperties": valueOf(f.Item)}
	case labs.Object:
		return objectOf(f)
	}
	return object{}
}

func objectOf(f *labs.Form) object {
	properties := object{}
	var kinds []any
	for _, k := range f.Keys {
		p := valueOf(k.Form)
		if k.Doc != "" {
			p["description"] = k.Doc
		}
		properties[k.Name] = p
		if k.Trust != "" {
			kinds = append(kinds, object{"required": []string{k.Name}})
		}
	}
	o := object{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
	if kinds != nil { // one kind, or none for a check that changes one of the lab that is extended
		o["oneOf"] = append(kinds, object{"not": object{"anyOf": kinds}})
	}
	return o
}
