package schema_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/catalog"
	"github.com/patchbay/patchbay/labs/schema"
)

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := schema.JSON()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("lab.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("lab.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// validate holds YAML against the schema, by way of JSON.
func validate(t *testing.T, s *jsonschema.Schema, text []byte) error {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	j, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	v, err = jsonschema.UnmarshalJSON(bytes.NewReader(j))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

// TestCatalog: an editor complains of no lab that Patchbay takes.
func TestCatalog(t *testing.T) {
	s := compile(t)
	files, err := fs.Glob(catalog.FS(), "*/lab.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no labs", err)
	}
	for _, name := range files {
		text, err := fs.ReadFile(catalog.FS(), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, s, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefuses(t *testing.T) {
	s := compile(t)
	const head = "title: x\nnodes: {pc1: }\n"
	for _, c := range []struct{ name, yaml string }{
		{"no title", "nodes: {pc1: }\n"},
		{"no nodes", "title: x\n"},
		{"unknown key", head + "colour: red\n"},
		{"unknown key of a node", "title: x\nnodes: {pc1: {colour: red}}\n"},
		{"a number for a text", "title: 3\nnodes: {pc1: }\n"},
		{"a segment of another kind", head + "segments: {lan: bus}\n"},
		{"vlan out of range", "title: x\nnodes: {pc1: {interfaces: {eth0: {vlan: 5000}}}}\n"},
		{"check of two kinds", head + "checks: {x: {reach: {node: pc1}, link: {node: pc1}}}\n"},
		{"unknown key of a check", head + "checks: {x: {reach: {node: pc1, colour: red}}}\n"},
		{"unknown kind of parameter", head + "parameters: {x: {colour: red}}\n"},
	} {
		if validate(t, s, []byte(c.yaml)) == nil {
			t.Errorf("%s is in order", c.name)
		}
	}
	if err := validate(t, s, []byte(head+"checks: {x: {points: ((p)), reach: {node: ((n)), count: ((c))}}}\n")); err != nil {
		t.Errorf("parameters in place of numbers: %v", err)
	}
}

// topology is what the examples are about.
const topology = `title: Examples
nodes:
  pc1: {interfaces: {eth0: {segment: lan, addresses: [10.0.1.2/24]}}}
  r1:
    interfaces: {eth0: {segment: lan, addresses: [10.0.1.1/24]}, eth1: {segment: far, addresses: [10.0.2.1/24]}}
  pc2: {interfaces: {eth0: {segment: far, addresses: [10.0.2.2/24]}}}
segments: {lan: switch, far: link}
checks:
`

// TestExamples: there is an example of every kind of check, the decoder takes
// it, and so does the schema.
func TestExamples(t *testing.T) {
	s := compile(t)
	kinds := 0
	for _, k := range labs.LabForm().Keys {
		if k.Name != "checks" {
			continue
		}
		for _, kind := range k.Form.Item.Keys {
			if kind.Trust == "" {
				continue
			}
			kinds++
			t.Run(kind.Name, func(t *testing.T) {
				text := topology
				for line := range strings.Lines(schema.Example(kind.Name)) {
					text += "  " + line
				}
				lab, err := labs.Load(fstest.MapFS{
					"lab/lab.yaml": {Data: []byte(text)},
					"lab/guide.md": {Data: []byte("# Examples\n")},
				}, "lab")
				if err != nil {
					t.Fatal(err)
				}
				if len(lab.Checks) == 0 {
					t.Fatal("there is no example")
				}
				for i := range lab.Checks {
					if name, _, _ := lab.Checks[i].Kind(); name != kind.Name {
						t.Errorf("the example %s is a %s", lab.Checks[i].Name, name)
					}
				}
				if err := validate(t, s, []byte(text)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	if kinds == 0 {
		t.Fatal("no kinds")
	}
}

// TestKeyExamples: the decoder takes the example of every key that is described,
// so that nothing is described which it does not know.
func TestKeyExamples(t *testing.T) {
	key := func(f *labs.Form, name string) *labs.Form {
		i := slices.IndexFunc(f.Keys, func(k labs.FormKey) bool { return k.Name == name })
		f = f.Keys[i].Form
		if f.Item != nil {
			f = f.Item
		}
		return f
	}
	root := labs.LabForm()
	node, segment := key(root, "nodes"), key(root, "segments")
	for _, c := range []struct {
		form *labs.Form
		yaml string // around KEY: EXAMPLE
	}{
		{form: root, yaml: "KEY: EXAMPLE\n"},
		{form: node, yaml: "title: x\nnodes: {pc1: {KEY: EXAMPLE}}\n"},
		{form: key(node, "interfaces"), yaml: "title: x\nnodes: {pc1: {interfaces: {eth0: {KEY: EXAMPLE}}}}\n"},
		{form: key(node, "files"), yaml: "title: x\nnodes: {pc1: {files: {/etc/x: {KEY: EXAMPLE}}}}\n"},
		{form: segment, yaml: "title: x\nsegments: {lan: {KEY: EXAMPLE}}\n"},
		{form: key(segment, "impair"), yaml: "title: x\nsegments: {lan: {impair: {KEY: EXAMPLE}}}\n"},
		{form: key(key(segment, "impair"), "burst"), yaml: "title: x\nsegments: {lan: {impair: {burst: {KEY: EXAMPLE}}}}\n"},
		{form: key(key(node, "interfaces"), "impair"), yaml: "title: x\nnodes: {pc1: {interfaces: {eth0: {impair: {KEY: EXAMPLE}}}}}\n"},
		{form: key(root, "events"), yaml: "title: x\nevents: [{KEY: EXAMPLE}]\n"},
		{form: key(root, "mutants"), yaml: "title: x\nmutants: {m: {KEY: EXAMPLE}}\n"},
	} {
		for _, k := range c.form.Keys {
			text := strings.NewReplacer("KEY", k.Name, "EXAMPLE", k.Example).Replace(c.yaml)
			if k.Example == "" || k.Doc == "" {
				t.Errorf("%s of %s lacks an example or a word about it", k.Name, c.form.Name)
			}
			_, err := labs.Load(fstest.MapFS{"lab/lab.yaml": {Data: []byte(text)}, "lab/guide.md": {Data: []byte("# x\n")}}, "lab")
			if err == nil {
				continue
			}
			if strings.Contains(err.Error(), "has no key") || strings.Contains(strings.ReplaceAll(err.Error(), "NODE/INTERFACE, found", ""), ", found ") {
				t.Errorf("%s of %s: %v", k.Name, c.form.Name, err)
			}
		}
	}
}

// TestReference holds that the reference names every key.
func TestReference(t *testing.T) {
	text := schema.Reference() + schema.Checks()
	var walk func(f *labs.Form)
	walk = func(f *labs.Form) {
		if f.Item != nil {
			walk(f.Item)
		}
		for _, k := range f.Keys {
			if !strings.Contains(text, "`"+k.Name+"`") {
				t.Errorf("%s of %s is not in the reference", k.Name, f.Name)
			}
			walk(k.Form)
		}
	}
	walk(labs.LabForm())
}
