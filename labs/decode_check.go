package labs

import (
	"reflect"
	"slices"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/param"
)

const (
	maxMutants    = 32
	defaultWithin = 10 * time.Second
	defaultFor    = 2 * time.Second
	maxPoints     = 1000
)

// draftCheck is a check as it stands in its file.
type draftCheck struct {
	name  text
	check grade.Check
	at    places
}

// draftParam is a parameter as it stands in its file.
type draftParam struct {
	name text
	decl param.Decl
	at   places
}

// draftMutant is a wrong solution as it stands in its file; its scripts lie in
// the folder of the lab that declares it.
type draftMutant struct {
	name    text
	about   text
	fails   []text
	dir     string
	scripts map[string]string // by node
}

// kindNames are the keys of the kinds of check.
var kindNames = func() []string {
	var names []string
	for _, f := range recordFields(reflect.TypeFor[grade.Kinds]()) {
		names = append(names, f.name)
	}
	return names
}()

func (d *decoder) checks(n ast.Node) []*draftCheck {
	var out []*draftCheck
	for i, e := range d.entries(n, "check", "write the check's name, a colon, and what it checks below it") {
		if i == grade.MaxChecks {
			d.probs.add(e.key.mark, "split the lab", "more than %d checks", grade.MaxChecks)
			break
		}
		d.name(e.key, "check")
		dc := &draftCheck{name: e.key, at: places{}}
		d.record(e.value, "a check", reflect.ValueOf(&dc.check).Elem(), dc.at, "")
		out = append(out, dc)
	}
	return out
}

func (d *decoder) parameters(n ast.Node) []*draftParam {
	var out []*draftParam
	for i, e := range d.entries(n, "parameter", "write the parameter's name, a colon, and what it is drawn from: “port: {number: 2000..2999}”") {
		if i == param.MaxDecls {
			d.probs.add(e.key.mark, "remove some", "more than %d parameters", param.MaxDecls)
			break
		}
		dp := &draftParam{name: e.key, at: places{}}
		d.record(e.value, "a parameter", reflect.ValueOf(&dp.decl).Elem(), dp.at, "")
		dp.decl.Name = e.key.s
		out = append(out, dp)
	}
	return out
}

func (d *decoder) mutants(n ast.Node) []*draftMutant {
	var out []*draftMutant
	for i, e := range d.entries(n, "mutant", "write the mutant's name, a colon, and “fails: [CHECK]” below it") {
		if i == maxMutants {
			d.probs.add(e.key.mark, "remove some", "more than %d mutants", maxMutants)
			break
		}
		d.name(e.key, "mutant")
		dm := &draftMutant{name: e.key}
		d.object(e.value, mutantForm, []field{
			{"about", func(n ast.Node) { dm.about = d.line(n, "about", 300) }},
			{"fails", func(n ast.Node) {
				for _, item := range d.list(n, "fails", grade.MaxChecks) {
					if t, ok := d.str(item, "the name of a check", 100); ok {
						dm.fails = append(dm.fails, t)
					}
				}
			}},
		})
		out = append(out, dm)
	}
	return out
}

// mergeCheck lays a child's check over its parent's: what the child says
// replaces what the parent said, and a kind replaces the kind.
func mergeCheck(parent, child *draftCheck) *draftCheck {
	out := &draftCheck{name: child.name, check: parent.check, at: places{}}
	hasKind := slices.ContainsFunc(kindNames, func(k string) bool { _, ok := child.at[k]; return ok })
	if hasKind {
		out.check.Kinds = child.check.Kinds
	}
	for path, t := range parent.at {
		if !hasKind || !isKindPath(path) {
			out.at[path] = t
		}
	}
	from, to := reflect.ValueOf(&child.check).Elem(), reflect.ValueOf(&out.check).Elem()
	for _, f := range recordFields(from.Type()) {
		if _, given := child.at[f.name]; given && len(f.index) == 1 {
			to.FieldByIndex(f.index).Set(from.FieldByIndex(f.index))
		}
	}
	for path, t := range child.at {
		out.at[path] = t
	}
	return out
}

// isKindPath says whether a place belongs to the kind of a check.
func isKindPath(path string) bool {
	for i := range len(path) {
		if path[i] == '.' || path[i] == '[' {
			path = path[:i]
			break
		}
	}
	return slices.Contains(kindNames, path)
}
