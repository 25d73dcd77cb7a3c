package labs

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"github.com/patchbay/patchbay/labs/param"
)

// decoder takes YAML nodes apart and complains of what is not as it should be.
// Its methods report a problem and give a zero value; decoding goes on, so
// that an author sees all mistakes at once.
type decoder struct {
	file  string
	probs *collector

	values param.Values // what stands for ((name))
	plain  bool         // ((name)) is what it is: parameters themselves
	quiet  bool         // not all parameters are known: one that is missing is no problem
}

// text is a string and where it stands.
type text struct {
	mark
	s string
}

// entry is one "key: value" of a mapping.
type entry struct {
	key   text
	value ast.Node
}

// field is a key that an object may have.
type field struct {
	name   string
	decode func(ast.Node)
}

// synonyms are what people coming from elsewhere write.
var synonyms = map[string]string{
	"name": "title", "license": "licence", "authors": "author", "desc": "description", "level": "difficulty",
	"machines": "nodes", "hosts": "nodes", "devices": "nodes", "routers": "nodes",
	"networks": "segments", "links": "segments", "switches": "segments", "lans": "segments",
	"ram": "memory", "mem": "memory", "ifaces": "interfaces", "nics": "interfaces",
	"network": "segment", "lan": "segment", "ip": "addresses", "ips": "addresses", "gw": "gateway",
	"commands": "startup", "exec": "startup", "position": "at", "type": "kind", "src": "source", "perm": "mode",
	"tag": "vlan", "access": "vlan", "vlans": "trunk", "tagged": "trunk", "untagged": "native", "latency": "delay",
	"bandwidth": "rate", "speed": "rate", "netem": "impair", "impairment": "impair", "ports": "publish", "expose": "publish",
	"filter": "frame", "match": "frame", "action": "do", "span": "mirror", "script": "events",
	"params": "parameters", "variables": "parameters", "tests": "checks", "grading": "checks", "wrong": "mutants",
	"score": "points", "weight": "points", "worth": "points", "depends": "needs", "requires": "needs", "after": "needs",
	"timeout": "within", "retry": "within", "tip": "hint", "negate": "not", "list": "choice", "one_of": "choice", "range": "number",
}

func (d *decoder) bad(n ast.Node, fix, format string, args ...any) {
	d.probs.add(d.mark(n), fix, format, args...)
}

// mark is where a node begins.
func (d *decoder) mark(n ast.Node) mark {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return d.mark(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return d.mark(n.Key)
	case nil:
		return mark{d.file, 1, 1}
	}
	return markOf(d.file, n.GetToken())
}

// entries are those of a mapping whose keys are called what: "a key", "a
// node". Keys come once each; null has none.
func (d *decoder) entries(n ast.Node, what, fix string) []entry {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	case *ast.NullNode, nil:
		return nil
	default:
		d.bad(n, fix, "expected “key: value”, found %s", kindOf(n))
		return nil
	}
	out := make([]entry, 0, len(values))
	first := map[string]mark{}
	for _, v := range values {
		key, ok := d.key(v.Key)
		if !ok {
			continue
		}
		if at, twice := first[key.s]; twice {
			d.probs.add(key.mark, "remove or rename one of them", "%s %q comes twice, first on line %d", what, key.s, at.line)
			continue
		}
		first[key.s] = key.mark
		out = append(out, entry{key, v.Value})
	}
	return out
}

func (d *decoder) key(n ast.MapKeyNode) (text, bool) {
	switch k := n.(type) {
	case *ast.StringNode:
		return text{d.mark(k), k.Value}, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
		return text{d.mark(k), k.GetToken().Value}, true
	}
	d.bad(n, "write “key: value”", "this cannot be a key")
	return text{}, false
}

// object decodes a mapping with the keys of a form; fields say how, one for
// each of them.
func (d *decoder) object(n ast.Node, form *Form, fields []field) {
	names := make([]string, len(form.Keys))
	for i, k := range form.Keys {
		names[i] = k.Name
	}
	fix := "its keys are " + strings.Join(names, ", ")
	for _, e := range d.entries(n, "key", fix) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == e.key.s })
		if i >= 0 && slices.Contains(names, e.key.s) {
			fields[i].decode(e.value)
			continue
		}
		otherwise := fix
		for _, name := range names {
			if synonyms[strings.ToLower(e.key.s)] == name {
				otherwise = `did you mean "` + name + `"?`
			}
		}
		d.probs.add(e.key.mark, didYouMean(e.key.s, names, otherwise), "%s has no key %q", form.Name, e.key.s)
	}
}

// list gives the items of a list of at most limit; null has none.
func (d *decoder) list(n ast.Node, what string, limit int) []ast.Node {
	switch n := n.(type) {
	case *ast.SequenceNode:
		if len(n.Values) > limit {
			d.bad(n.Values[limit], "shorten the list", "%s has more than %d items", what, limit)
			return n.Values[:limit]
		}
		return n.Values
	case *ast.NullNode, nil:
		return nil
	}
	d.bad(n, "write [a, b], or one item a line after “- ”", "%s is a list, found %s", what, kindOf(n))
	return nil
}

// str gives a string of at most limit bytes, which may have several lines.
func (d *decoder) str(n ast.Node, what string, limit int) (text, bool) {
	t := text{mark: d.mark(n)}
	switch n := n.(type) {
	case *ast.StringNode:
		t.s = n.Value
	case *ast.LiteralNode:
		if n.Value != nil {
			t.s = n.Value.Value
		}
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		d.bad(n, "put it in quotes if it is meant as text", "%s is a text, found %s", what, kindOf(n))
		return t, false
	default:
		d.bad(n, "", "%s is a text, found %s", what, kindOf(n))
		return t, false
	}
	if strings.ContainsRune(t.s, 0) { // by an escape in quotes
		d.bad(n, "put binary content into a file of its own", "%s has a zero byte", what)
		return t, false
	}
	t = d.expand(t)
	if len(t.s) > limit {
		d.bad(n, "shorten it", "%s is longer than %s", what, byteSize(int64(limit)))
		return t, false
	}
	return t, true
}

// expand puts the values of parameters into a text, and complains of a
// parameter that is not there. What a $ precedes is the shell's: $((i)).
func (d *decoder) expand(t text) text {
	if d.plain || !strings.Contains(t.s, "((") {
		return t
	}
	expanded, undeclared := d.values.Expand(t.s)
	for _, ref := range undeclared {
		if d.quiet || !strings.Contains(strings.ReplaceAll(t.s, "$(("+ref+"))", ""), "(("+ref+"))") {
			continue
		}
		name, part, _ := strings.Cut(ref, ".")
		switch {
		case !d.values.Has(name):
			var names []string
			for _, v := range d.values.All() {
				names = append(names, v.Param)
			}
			d.probs.add(t.mark, didYouMean(name, names, "declare it below parameters"), "there is no parameter %s", quoteShort(name))
		case part == "":
			d.probs.add(t.mark, "write (("+name+".1))", "the parameter %s is a list", name)
		default:
			d.probs.add(t.mark, "(("+name+")) is there; networks have .1, .-1, .network, .length, .mask and .broadcast, addresses .length and .mask, a shuffle .1, .2 and so on",
				"the parameter %s has no %s", name, quoteShort(part))
		}
	}
	t.s = expanded
	return t
}

// line gives a string of one line of printable characters, at most limit of them.
func (d *decoder) line(n ast.Node, what string, limit int) text {
	t, ok := d.str(n, what, 4*limit)
	if !ok {
		return text{mark: t.mark}
	}
	t.s = strings.TrimSpace(t.s)
	switch {
	case t.s == "":
		d.bad(n, "write something, or remove the key", "%s is empty", what)
	case !printable(t.s):
		d.bad(n, "keep it to one line of text", "%s has a line break or a character that cannot be printed", what)
		t.s = ""
	case utf8.RuneCountInString(t.s) > limit:
		d.bad(n, "shorten it", "%s is longer than %d characters", what, limit)
	}
	return t
}

// scalar gives a text, number or truth value as it was written.
func (d *decoder) scalar(n ast.Node, what string, limit int) (text, bool) {
	switch n := n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return text{d.mark(n), n.GetToken().Value}, true
	}
	return d.str(n, what, limit)
}

// kindOf says what a node is, for messages.
func kindOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return fmt.Sprintf("the text %s", quoteShort(n.Value))
	case *ast.LiteralNode:
		return "a text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "the number " + n.GetToken().Value
	case *ast.BoolNode:
		return n.GetToken().Value
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "“key: value”"
	case *ast.NullNode, nil:
		return "nothing"
	}
	return "something else"
}

// quoteShort quotes the first 40 characters of s.
func quoteShort(s string) string {
	if r := []rune(s); len(r) > 40 {
		return fmt.Sprintf("%q…", string(r[:40]))
	}
	return fmt.Sprintf("%q", s)
}
