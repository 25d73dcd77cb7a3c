package engine

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// decodeList reads a list of iproute2's. It prints nothing at all where there is
// nothing, and empty objects among the others where a filter left one out.
func decodeList[T any](text string) ([]T, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var list []T
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("what its programs say cannot be read (%w)", err)
	}
	return list, nil
}

func itoa(n int) string { return strconv.Itoa(n) }

// object is JSON that is looked at by names: FRR's differs between versions.
type object = map[string]any

// objectIn is a member that is an object, or an empty one.
func objectIn(o object, key string) object {
	m, _ := o[key].(object)
	return m
}

// objectsIn are the objects of a member that is a list, or is one itself.
func objectsIn(o object, key string) []object { return objects(o[key]) }

func objects(v any) []object {
	switch v := v.(type) {
	case object:
		return []object{v}
	case []any:
		var out []object
		for _, e := range v {
			if m, ok := e.(object); ok {
				out = append(out, m)
			}
		}
		return out
	}
	return nil
}

// textIn is the first of the members that is there, as text.
func textIn(o object, keys ...string) string {
	for _, key := range keys {
		if v, ok := o[key]; ok && v != nil {
			return plain(v)
		}
	}
	return ""
}

// numberIn is a member as a number; what is none is -1.
func numberIn(o object, keys ...string) int {
	for _, key := range keys {
		switch v := o[key].(type) {
		case json.Number:
			if n, err := strconv.Atoi(v.String()); err == nil {
				return n
			}
		case float64:
			if v >= math.MinInt32 && v <= math.MaxUint32 {
				return int(v)
			}
		case string:
			if n, err := strconv.Atoi(v); err == nil {
				return n
			}
		}
	}
	return -1
}

// plain writes a JSON value as a lab would.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return v.String()
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// parseObject reads an object; numbers stay as they are written.
func parseObject(text string) (object, error) {
	v, err := parseJSON(text)
	if err != nil {
		return nil, err
	}
	o, ok := v.(object)
	if !ok {
		return nil, fmt.Errorf("what its programs say is no JSON object")
	}
	return o, nil
}

func parseJSON(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("what its programs say cannot be read (%w)", err)
	}
	return v, nil
}

// atPath yields the values at a path: keys with dots between them, indexes of
// lists, * for any, and keys with dots in square brackets.
func atPath(v any, path string) []any {
	steps, ok := splitPath(path)
	if !ok {
		return nil
	}
	const most = 10_000 // of values on the way: a path of stars is wide
	at := []any{v}
	for _, step := range steps {
		var next []any
		for _, v := range at {
			switch v := v.(type) {
			case object:
				if e, ok := v[step]; ok {
					next = append(next, e)
				} else if step == "*" {
					for _, e := range v {
						next = append(next, e)
					}
				}
			case []any:
				if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(v) {
					next = append(next, v[i])
				} else if step == "*" {
					next = append(next, v...)
				}
			}
			if len(next) > most {
				return next[:most]
			}
		}
		at = next
	}
	return at
}

// splitPath takes a path apart: a.[b.c].0 is a, b.c and 0.
func splitPath(path string) (steps []string, ok bool) {
	for path != "" {
		if strings.HasPrefix(path, "[") {
			end := strings.IndexByte(path, ']')
			if end < 0 || end+1 < len(path) && path[end+1] != '.' {
				return nil, false
			}
			steps = append(steps, path[1:end])
			path = strings.TrimPrefix(path[end+1:], ".")
			continue
		}
		step, rest, _ := strings.Cut(path, ".")
		steps = append(steps, step)
		path = rest
	}
	return steps, true
}
