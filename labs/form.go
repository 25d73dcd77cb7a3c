package labs

import (
	"reflect"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/param"
)

// Form describes a value of a lab.yaml: the decoder takes its keys from it,
// and package labs/schema makes the JSON Schema and the reference of it.
type Form struct {
	Name  string // of an object, as messages say it: "a node"
	Doc   string // one or two sentences, may be empty
	Type  FormType
	Keys  []FormKey // of an Object
	Item  *Form     // of a List or a Map
	Enum  []string  // of a Text: all that it may be
	Min   int       // of a Whole with Max > 0
	Max   int
	Short *Form // another way to write it, for short
}

// FormType is the type of a value.
type FormType string

// The types. Every single value may also be a text that names a parameter.
const (
	Text     FormType = "text"     // in quotes where YAML asks for them
	Scalar   FormType = "value"    // a text, a number, true or false, taken as it is written
	Quantity FormType = "quantity" // a number with a unit
	Whole    FormType = "number"   // a whole number
	Decimal  FormType = "decimal"  // a number
	Bool     FormType = "yes/no"   // true or false
	List     FormType = "list"
	Map      FormType = "map" // of the author's own keys
	Object   FormType = "object"
	Free     FormType = "anything"
)

// FormKey is a key of an object.
type FormKey struct {
	Name, Doc, Example string // Example is YAML; empty where the object's example shows it
	Form               *Form
	Trust              grade.Trust // of a kind of check
}

// LabForm describes a lab.yaml.
func LabForm() *Form { return labForm }

// recordForm is the form of a type that record decodes.
func recordForm(t reflect.Type, name string) *Form {
	switch {
	case t == durationType:
		return &Form{Type: Quantity}
	case t == addrType || t == prefixType:
		return &Form{Type: Text}
	case isText(t):
		return &Form{Type: Scalar}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return recordForm(t.Elem(), name)
	case reflect.Slice:
		f := &Form{Type: List, Item: recordForm(t.Elem(), name)}
		if isScalar(t.Elem()) {
			f.Short = f.Item
		}
		return f
	case reflect.Map:
		return &Form{Type: Map, Item: recordForm(t.Elem(), name)}
	case reflect.Struct:
		f := &Form{Type: Object, Name: name}
		for _, k := range recordFields(t) {
			f.Keys = append(f.Keys, FormKey{Name: k.name, Doc: k.doc, Form: recordForm(k.typ, k.name), Trust: grade.Trust(k.tag.Get("trust"))})
		}
		return f
	case reflect.Bool:
		return &Form{Type: Bool}
	case reflect.Interface:
		return &Form{Type: Free}
	case reflect.Float32, reflect.Float64:
		return &Form{Type: Decimal}
	case reflect.String:
		return &Form{Type: Scalar}
	}
	return &Form{Type: Whole}
}

var (
	checkForm     = recordForm(reflect.TypeFor[grade.Check](), "a check")
	parameterForm = recordForm(reflect.TypeFor[param.Decl](), "a parameter")
)
