package grade

import "reflect"

// Kind is what every kind of check can say of itself.
type Kind interface {
	// Nodes and Segments are those that it names; the lab has to have them.
	Nodes() []string
	Segments() []string
	// Validate reports what is wrong with it. field is a key of the kind, with
	// dots between keys of keys and [i] for an item of a list; fix may be empty.
	Validate(report func(field, fix, format string, args ...any))
	// Expect is what is expected, in a sentence without a full stop, the
	// check's “not” left aside: "r1 has a route to 10.0.0.0/8 via 10.0.12.2".
	Expect() string
}

// Kind returns the kind that is set, its key in a lab file and what its
// verdict rests on. kind is nil when none is set; the first when several are.
func (k *Kinds) Kind() (name string, trust Trust, kind Kind) {
	v := reflect.ValueOf(k).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsNil() {
			t := v.Type().Field(i).Tag
			return t.Get("yaml"), Trust(t.Get("trust")), f.Interface().(Kind)
		}
	}
	return "", "", nil
}
