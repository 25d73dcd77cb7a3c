package schema

import (
	"embed"
	"fmt"
	"strings"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
)

// examples has, for each kind of check, checks of that kind as a lab.yaml has
// them below "checks:".
//
//go:embed examples/*.yaml
var examples embed.FS

// Example is YAML with checks of a kind, as they stand below "checks:"; empty
// when there is no such kind.
func Example(kind string) string {
	b, err := examples.ReadFile("examples/" + kind + ".yaml")
	if err != nil {
		return ""
	}
	return string(b)
}

// trusts say in words what a verdict rests on.
var trusts = map[grade.Trust]string{
	grade.Wire:  "Asked of the wire: root on every node cannot forge it.",
	grade.Disk:  "Read from outside: root on the node cannot forge it.",
	grade.Guest: "Asked in the guest, with the programs of the pristine image.",
}

// Reference is the reference of lab.yaml's keys in Markdown, without checks.
func Reference() string {
	var b strings.Builder
	r := writer{b: &b, seen: map[string]bool{"a check": true}}
	r.object(labs.LabForm(), "The lab", "lab")
	return b.String()
}

// Checks is the reference of all kinds of check in Markdown.
func Checks() string {
	var b strings.Builder
	form := checkForm()
	b.WriteString("## What every check may say {#check}\n\n")
	var common, kinds []labs.FormKey
	for _, k := range form.Keys {
		if k.Trust == "" {
			common = append(common, k)
		} else {
			kinds = append(kinds, k)
		}
	}
	table(&b, common, false)
	b.WriteString("\n## The kinds {#kinds}\n\nA check is of exactly one kind.\n\n| kind | rests on | what it checks |\n|---|---|---|\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s |\n", k.Name, k.Name, k.Trust, cell(k.Doc))
	}
	for _, k := range kinds {
		fmt.Fprintf(&b, "\n## %s {#%s}\n\n%s %s\n\n", k.Name, k.Name, k.Doc, trusts[k.Trust])
		if e := Example(k.Name); e != "" {
			fmt.Fprintf(&b, "```yaml\nchecks:\n%s```\n\n", indent(e))
		}
		nested(&b, k.Form, "")
	}
	return b.String()
}

// nested writes the table of an object and of the objects in it.
func nested(b *strings.Builder, f *labs.Form, of string) {
	for f.Item != nil {
		f = f.Item
	}
	if f.Type != labs.Object {
		return
	}
	if of != "" {
		fmt.Fprintf(b, "\nEach of `%s`:\n\n", of)
	}
	table(b, f.Keys, false)
	for _, k := range f.Keys {
		nested(b, k.Form, k.Name)
	}
}

func checkForm() *labs.Form {
	for _, k := range labs.LabForm().Keys {
		if k.Name == "checks" {
			return k.Form.Item
		}
	}
	return &labs.Form{}
}

type writer struct {
	b    *strings.Builder
	seen map[string]bool
}

// object writes a section about an object, then those in it.
func (r *writer) object(f *labs.Form, title, id string) {
	if r.seen[f.Name] {
		return
	}
	r.seen[f.Name] = true
	fmt.Fprintf(r.b, "\n## %s {#%s}\n\n", title, id)
	table(r.b, f.Keys, f.Keys[0].Example != "")
	for _, k := range f.Keys {
		inner := k.Form
		for inner.Item != nil {
			inner = inner.Item
		}
		if inner.Type == labs.Object {
			_, noun, _ := strings.Cut(inner.Name, " ")
			if noun == "" {
				noun = inner.Name
			}
			r.object(inner, strings.ToUpper(inner.Name[:1])+inner.Name[1:], strings.ReplaceAll(noun, " ", "-"))
		}
	}
}

// table writes a table of keys.
func table(b *strings.Builder, keys []labs.FormKey, withExample bool) {
	if withExample {
		b.WriteString("| key | example | what it says |\n|---|---|---|\n")
	} else {
		b.WriteString("| key | is a | what it says |\n|---|---|---|\n")
	}
	for _, k := range keys {
		middle := typeName(k.Form)
		if withExample {
			middle = "`" + cell(k.Example) + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", k.Name, middle, cell(k.Doc))
	}
}

// typeName is the type of a form, in words.
func typeName(f *labs.Form) string {
	switch {
	case f.Type == labs.List && f.Short != nil:
		return "one or several"
	case f.Type == labs.List && f.Item.Type == labs.Object:
		return "list of objects"
	case f.Type == labs.Map:
		return "key: " + typeName(f.Item)
	}
	return string(f.Type)
}

// cell is a text for a table's cell.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s) }

func indent(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString("  " + line)
	}
	return b.String()
}
