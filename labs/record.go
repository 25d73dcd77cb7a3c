package labs

import (
	"encoding"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/patchbay/patchbay/labs/grade"
)

const (
	maxText  = 16 << 10 // bytes of a text in a record
	maxItems = 1000     // of a list or mapping in a record
)

// places are the values of a record that were given, and where: "to",
// "via[0]", "peer.address".
type places map[string]text

// at is where a value stands, or else what it is in, or otherwise.
func (p places) at(path string, otherwise mark) mark {
	for path != "" {
		if t, ok := p[path]; ok {
			return t.mark
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return otherwise
}

// recordField is a key that a struct's tags describe.
type recordField struct {
	name, doc string
	index     []int
	typ       reflect.Type
	tag       reflect.StructTag
}

// recordFields are the keys of a struct: the tag yaml names them, those of a
// field that is ",inline" are the struct's own.
func recordFields(t reflect.Type) []recordField {
	var out []recordField
	for i := range t.NumField() {
		f := t.Field(i)
		name, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case option == "inline":
			for _, in := range recordFields(f.Type) {
				in.index = append([]int{i}, in.index...)
				out = append(out, in)
			}
		case name != "" && name != "-":
			out = append(out, recordField{name, f.Tag.Get("doc"), []int{i}, f.Type, f.Tag})
		}
	}
	return out
}

// record decodes a mapping into a struct by the struct's tags. what names it
// in messages; path is its own in at, and empty for the outermost.
func (d *decoder) record(n ast.Node, what string, v reflect.Value, at places, path string) {
	var fields []field
	for _, f := range recordFields(v.Type()) {
		fields = append(fields, field{f.name, func(n ast.Node) {
			p := f.name
			if path != "" {
				p = path + "." + f.name
			}
			d.recordValue(n, f.name, v.FieldByIndex(f.index), at, p)
		}})
	}
	form := checkForm
	if v.Type() != reflect.TypeFor[grade.Check]() {
		form = recordForm(v.Type(), what)
	}
	d.object(n, form, fields)
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	addrType     = reflect.TypeFor[netip.Addr]()
	prefixType   = reflect.TypeFor[netip.Prefix]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func isText(t reflect.Type) bool {
	return t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(textType)
}

// isScalar says whether a value of the type is written as one text.
func isScalar(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface:
		return false
	case reflect.Struct:
		return isText(t)
	}
	return true
}

// recordValue decodes one value of a record.
func (d *decoder) recordValue(n ast.Node, what string, v reflect.Value, at places, path string) {
	at[path] = text{mark: d.mark(n)}
	t := v.Type()
	_, listed := n.(*ast.SequenceNode)
	switch {
	case t == durationType:
		v.Set(reflect.ValueOf(d.duration(n, what)))
		return
	case t == addrType:
		v.Set(reflect.ValueOf(quantity(d, n, what, parseAddr)))
		return
	case t == prefixType:
		v.Set(reflect.ValueOf(quantity(d, n, what, parsePrefix)))
		return
	case isText(t) && (t.Kind() != reflect.Slice || !listed):
		d.recordText(n, what, v, at, path)
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		d.recordValue(n, what, v.Elem(), at, path)
	case reflect.Struct:
		d.record(n, what, v, at, path)
	case reflect.Slice:
		if !listed && isScalar(t.Elem()) {
			if _, null := n.(*ast.NullNode); !null { // one of them, written without brackets
				v.Set(reflect.MakeSlice(t, 1, 1))
				d.recordValue(n, what, v.Index(0), at, path)
				return
			}
		}
		items := d.list(n, what, maxItems)
		v.Set(reflect.MakeSlice(t, len(items), len(items)))
		for i, item := range items {
			d.recordValue(item, "an item of "+what, v.Index(i), at, fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Map:
		d.recordMap(n, what, v, at, path)
	case reflect.Interface:
		if x := d.free(n, what, 0); x != nil {
			v.Set(reflect.ValueOf(x))
		}
	default:
		d.recordScalar(n, what, v, at, path)
	}
}

// recordMap decodes a mapping whose keys are the author's own.
func (d *decoder) recordMap(n ast.Node, what string, v reflect.Value, at places, path string) {
	t := v.Type()
	v.Set(reflect.MakeMap(t))
	for i, e := range d.entries(n, "key", "write “key: value” below "+what) {
		if i == maxItems {
			d.probs.add(e.key.mark, "shorten it", "%s has more than %d keys", what, maxItems)
			return
		}
		item := reflect.New(t.Elem()).Elem()
		d.recordValue(e.value, e.key.s, item, at, path+"."+e.key.s)
		v.SetMapIndex(reflect.ValueOf(d.expand(e.key).s).Convert(t.Key()), item)
	}
}

// recordText decodes what reads itself from a text.
func (d *decoder) recordText(n ast.Node, what string, v reflect.Value, at places, path string) {
	s, ok := d.scalar(n, what, maxText)
	if !ok {
		return
	}
	at[path] = s
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s.s)); err != nil {
		d.bad(n, "", "%s: %v", what, err)
	}
}

// recordScalar decodes a text, a number or a truth value.
func (d *decoder) recordScalar(n ast.Node, what string, v reflect.Value, at places, path string) {
	s, ok := d.scalar(n, what, maxText)
	if !ok {
		return
	}
	at[path] = s
	t := v.Type()
	switch t.Kind() {
	case reflect.String:
		v.SetString(s.s)
	case reflect.Bool:
		if s.s != "true" && s.s != "false" {
			d.bad(n, "write true or false", "%s is true or false, found %s", what, quoteShort(s.s))
			return
		}
		v.SetBool(s.s == "true")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		x, err := strconv.ParseInt(s.s, 10, t.Bits())
		if err != nil {
			d.bad(n, "write it in digits", "%s is a whole number, found %s", what, quoteShort(s.s))
			return
		}
		v.SetInt(x)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		x, err := strconv.ParseUint(s.s, 10, t.Bits())
		if err != nil {
			d.bad(n, "write it in digits", "%s is a whole number from 0 to %d, found %s", what, uint64(math.MaxUint64)>>(64-t.Bits()), quoteShort(s.s))
			return
		}
		v.SetUint(x)
	case reflect.Float32, reflect.Float64:
		x, err := strconv.ParseFloat(s.s, t.Bits())
		if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
			d.bad(n, "write it like 2 or 0.5", "%s is a number, found %s", what, quoteShort(s.s))
			return
		}
		v.SetFloat(x)
	default:
		panic("labs: no decoder for " + t.String()) // a slip in a struct of ours, found by the first test
	}
}

// free decodes a value whose form is the author's: string, float64, bool,
// []any, map[string]any, or nil.
func (d *decoder) free(n ast.Node, what string, depth int) any {
	if depth > maxDepth {
		d.bad(n, "write it simpler", "this is nested more than %d deep", maxDepth)
		return nil
	}
	switch n := n.(type) {
	case *ast.NullNode, nil:
		return nil
	case *ast.BoolNode:
		return n.Value
	case *ast.IntegerNode, *ast.FloatNode:
		if x, err := strconv.ParseFloat(n.GetToken().Value, 64); err == nil {
			return x
		}
	case *ast.SequenceNode:
		out := []any{}
		for _, item := range d.list(n, what, maxItems) {
			out = append(out, d.free(item, "an item of "+what, depth+1))
		}
		return out
	case *ast.MappingNode, *ast.MappingValueNode:
		out := map[string]any{}
		for _, e := range d.entries(n, "key", "") {
			out[d.expand(e.key).s] = d.free(e.value, e.key.s, depth+1)
		}
		return out
	}
	s, _ := d.scalar(n, what, maxText)
	return s.s
}

func parseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Is4In6() {
		return netip.Addr{}, fmt.Errorf("%s is no address: write it like 10.0.0.1 or fd00::1", quoteShort(s))
	}
	return a, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%s is no network: write it like 10.0.0.0/24 or fd00::/64", quoteShort(s))
	}
	return p, nil
}
