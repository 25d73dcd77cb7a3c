package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/patchbay/patchbay/labs/grade"
)

// content says what is wrong with a file's text.
func content(k *grade.File, e *Entry) (wrong []string) {
	text := string(e.Data)
	miss := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, s := range k.Contains {
		if !strings.Contains(text, s) {
			miss("it does not hold %s", quote(s))
		}
	}
	for _, s := range k.Lacks {
		if e.Kind == "file" && strings.Contains(text, s) {
			miss("it holds %s", quote(s))
		}
	}
	if k.Regex != "" {
		if re, err := regexp.Compile("(?m)" + k.Regex); err != nil || !re.MatchString(text) {
			miss("nothing in it matches %s", k.Regex)
		}
	}
	if k.Equals != nil && strings.TrimSpace(*k.Equals) != strings.TrimSpace(text) {
		miss("it is %s", quote(text))
	}
	if len(k.Lines) > 0 {
		have := map[string]bool{}
		for _, l := range plainLines(text, k.Comments()) {
			have[l] = true
		}
		for _, l := range k.Lines {
			if !have[strings.Join(strings.Fields(l), " ")] {
				miss("it has no line %s", quote(l))
			}
		}
	}
	values(k.INI, iniValues(text, k.Comments()), "", miss)
	values(k.Settings, settings(text), ".", miss)
	if len(k.JSON) > 0 {
		v, err := jsonValues(e.Data)
		if err != nil {
			miss("it is no JSON: %v", err)
		} else {
			values(k.JSON, v, "", miss)
		}
	}
	return wrong
}

// values compares what is set with what is to be.
func values(want, have map[string]string, slash string, miss func(string, ...any)) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		name := key
		if slash != "" {
			name = strings.ReplaceAll(key, "/", slash)
		}
		got, set := have[name]
		switch {
		case !set:
			miss("%s is not set", key)
		case !matches(want[key], got):
			miss("%s is %s", key, quote(got))
		}
	}
}

// plainLines are a text's lines without comments, and with single spaces.
func plainLines(text string, comments []string) (lines []string) {
	for line := range strings.Lines(text) {
		line = strings.Join(strings.Fields(line), " ")
		for _, c := range comments {
			if c != "" && strings.HasPrefix(line, c) {
				line = ""
			}
			// Behind something a comment needs space before it: # and // occur in URLs.
			if at := strings.Index(line, " "+c); c != "" && c != "!" && at >= 0 && !quotedBefore(line, at) {
				line = line[:at]
			}
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// quotedBefore says whether a place in a line is within double quotes.
func quotedBefore(line string, at int) bool { return strings.Count(line[:at], `"`)%2 == 1 }

// iniValues are the values of an INI file by SECTION.KEY. The last one counts.
func iniValues(text string, comments []string) map[string]string {
	all := map[string]string{}
	section := ""
	for _, line := range plainLines(text, comments) {
		if line[0] == '[' && line[len(line)-1] == ']' {
			section = strings.TrimSpace(line[1:len(line)-1]) + "."
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			if key, value, ok = strings.Cut(line, ":"); !ok {
				continue
			}
		}
		all[section+strings.TrimSpace(key)] = unquote(strings.TrimSpace(value))
	}
	return all
}

// settings are the values of a file as sysctl.conf is. A line that begins with
// a dash counts too: it is one whose failure does not matter.
func settings(text string) map[string]string {
	all := map[string]string{}
	for _, line := range plainLines(text, []string{"#", ";"}) {
		if key, value, ok := strings.Cut(line, "="); ok {
			key = strings.ReplaceAll(strings.TrimSpace(strings.TrimPrefix(key, "-")), "/", ".")
			all[key] = unquote(strings.TrimSpace(value))
		}
	}
	return all
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// Bounds on what of a JSON file is looked at.
const (
	maxJSONDepth  = 64
	maxJSONValues = 100_000
)

// jsonValues are the values of a JSON text by path: a.b[0]; texts bare, all
// else as JSON writes it.
func jsonValues(data []byte) (map[string]string, error) {
	var v any
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	all := map[string]string{}
	flatten(all, "", v, 0)
	return all, nil
}

func flatten(all map[string]string, at string, v any, depth int) {
	if depth > maxJSONDepth || len(all) > maxJSONValues {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for k, item := range v {
			if at != "" {
				k = at + "." + k
			}
			flatten(all, k, item, depth+1)
		}
		all[at] = marshal(v)
	case []any:
		for i, item := range v {
			flatten(all, at+"["+strconv.Itoa(i)+"]", item, depth+1)
		}
		all[at] = marshal(v)
	case string:
		all[at] = v
	default:
		all[at] = marshal(v)
	}
}

func marshal(v any) string {
	if m, ok := v.(map[string]any); ok && len(m) > 0 {
		return "{…}"
	}
	if l, ok := v.([]any); ok && len(l) > 100 {
		return "[…]"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}
