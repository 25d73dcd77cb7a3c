package param

import (
	"fmt"
	"math/big"
)

// Key is what a draw depends on, besides the declarations.
type Key struct {
	Secret  []byte // the server's, at least 16 bytes
	Lab     string // slug
	Student string // an identifier that stays, of a student or a team
	// Ordinal is the student's number among all who ever took the lab, from 0.
	// Distinct draws depend on it and not on Student.
	Ordinal int
}

// Draw draws all parameters. Its error is a sentence for the instructor: a
// range was too small. The declarations must be in order (see Validate).
//
// Within one lab no two parameters get the same value, nor networks that
// overlap; choices and shuffles are free. Parameters that are distinct and of
// the same range are drawn together, so that another one of that range changes
// them; else a parameter stays when others come and go.
func Draw(decls []Decl, key Key) (Values, error) {
	return drawAll(decls, key)
}

// Specimen draws values to check and show a lab with, no student's.
// Declarations that are not in order are left out.
func Specimen(decls []Decl) Values {
	sound := make([]Decl, 0, len(decls))
	for i := range decls {
		ok := true
		decls[i].Validate(func(string, string, string, ...any) { ok = false })
		if ok {
			sound = append(sound, decls[i])
		}
	}
	values, _ := drawAll(sound, Key{Secret: []byte("a specimen is no secret"), Lab: "specimen", Student: "specimen"})
	return values
}

// drawAll draws what can be drawn, and returns the first error.
func drawAll(decls []Decl, key Key) (Values, error) {
	values := Values{byName: make(map[string]drawn, len(decls))}
	out := make([]drawn, len(decls))
	spaces := make([]space, len(decls))
	shares := map[string]int64{} // how many are drawn together from a range
	for i := range decls {
		spaces[i] = decls[i].space()
		if decls[i].Distinct {
			shares[spaces[i].name]++
		}
	}
	var failure error
	fail := func(err error) {
		if failure == nil {
			failure = err
		}
	}
	// The distinct ones come first, for they cannot give way.
	share := map[string]int64{}
	for i := range decls {
		d, s := &decls[i], &spaces[i]
		if !d.Distinct {
			continue
		}
		n := shares[s.name]
		index := big.NewInt(int64(key.Ordinal))
		index.Mul(index, big.NewInt(n)).Add(index, big.NewInt(share[s.name]))
		share[s.name]++
		if key.Ordinal < 0 || index.Cmp(s.size) >= 0 {
			fail(fmt.Errorf("parameter %s has no value left for student number %d: its range has %s for %d each; widen it, or remove distinct", d.Name, key.Ordinal+1, s.size, n))
			continue
		}
		index = permute(derive(key.Secret, "distinct", key.Lab, s.name), s.size, index)
		out[i] = s.at(index, newSource(derive(key.Secret, "rest", key.Lab, s.name, d.Name, key.Student)))
	}
	for i := range decls {
		d, s := &decls[i], &spaces[i]
		if d.Distinct {
			continue
		}
		var ok bool
		if out[i], ok = s.free(newSource(derive(key.Secret, "draw", key.Lab, d.Name, s.name, key.Student)), d.apart(), out); !ok {
			fail(fmt.Errorf("parameter %s has no value left that no other parameter of the lab has: widen its range", d.Name))
		}
	}
	for i := range decls {
		v := &out[i]
		if v.kind == "" {
			continue
		}
		v.Param, v.Kind, v.Watch = decls[i].Name, v.kind, decls[i].Watched()
		values.byName[v.Param] = *v
		values.all = append(values.all, v.Value)
	}
	return values, failure
}

// Bounds of looking for a value that no other parameter has.
const (
	redraws = 64
	steps   = 4096
)

// free draws a value that none of the others has, when apart says so.
func (s *space) free(src *source, apart bool, others []drawn) (drawn, bool) {
	index := src.below(s.size)
	for range redraws {
		if v := s.at(index, src); !apart || !v.clashes(others) {
			return v, true
		}
		index = src.below(s.size)
	}
	one := big.NewInt(1)
	for range steps { // a small range that is nearly used up
		if v := s.at(index, src); !v.clashes(others) {
			return v, true
		}
		index.Add(index, one).Mod(index, s.size)
	}
	return s.at(index, src), false
}

// clashes says whether v cannot be used beside the others.
func (v *drawn) clashes(others []drawn) bool {
	for i := range others {
		o := &others[i]
		if o.kind != v.kind {
			continue
		}
		if v.kind == KindNetwork && o.prefix.Overlaps(v.prefix) || v.kind != KindNetwork && o.Text == v.Text {
			return true
		}
	}
	return false
}
