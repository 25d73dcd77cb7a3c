package checker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// ordered is a mapping as it is to stand in the lab file.
type ordered []pair

type pair struct {
	key   string
	value any // string, int, bool, time.Duration, []string, []any, ordered
}

// check is one check of a lab.yaml.
type check struct {
	name, title  string
	points       int // 0 is 1
	not          bool
	within, hold time.Duration
	kind         string
	asks         ordered
}

// bare are texts that YAML takes as they are, whatever the reader.
var bare = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./-]*$|^[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?$`)

func quoted(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
	default:
		if bare.MatchString(s) {
			return s
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b) // a JSON text is a YAML text
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return `""` // a string can always be encoded
	}
	return strings.TrimSpace(b.String())
}

// key is a key; on and no are texts there for every reader of lab files.
func key(s string) string {
	if bare.MatchString(s) {
		return s
	}
	return quoted(s)
}

// flow writes a value in one line.
func flow(v any) string {
	switch t := v.(type) {
	case string:
		return quoted(t)
	case time.Duration:
		return t.String()
	case []string:
		parts := make([]string, len(t))
		for i, s := range t {
			parts[i] = quoted(s)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case []any:
		parts := make([]string, len(t))
		for i, s := range t {
			parts[i] = flow(s)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case ordered:
		parts := make([]string, len(t))
		for i, p := range t {
			parts[i] = key(p.key) + ": " + flow(p.value)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v)
}

// text is the part of a lab.yaml.
func text(checks []check) string {
	var b strings.Builder
	b.WriteString("checks:\n")
	for i := range checks {
		c := &checks[i]
		fmt.Fprintf(&b, "  %s:\n    title: %s\n", c.name, quoted(c.title))
		if c.points > 1 {
			fmt.Fprintf(&b, "    points: %d\n", c.points)
		}
		if c.not {
			fmt.Fprintf(&b, "    not: true\n    for: %v\n", c.hold)
		}
		if c.within > 0 {
			fmt.Fprintf(&b, "    within: %v\n", c.within)
		}
		fmt.Fprintf(&b, "    %s: %s\n", c.kind, flow(c.asks))
	}
	return b.String()
}
