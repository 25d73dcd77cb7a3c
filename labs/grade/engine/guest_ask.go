package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/labs/grade"
)

const (
	programTimeout = 10 * time.Second // of one program
	programLimit   = 4 << 20          // bytes of its output; a large routing table has some 200 each
)

// asker asks a node and keeps what was answered, for one try of one check.
type asker struct {
	ctx      context.Context
	name     string
	node     Node
	doubts   []string
	evidence []grade.Evidence
}

// shortfall is an answer that ends the asking: something in the lab, and no fault
// of ours.
type shortfall struct{ text string }

func (f *shortfall) Error() string { return f.text }

func found(format string, args ...any) error { return &shortfall{fmt.Sprintf(format, args...)} }

// ask has f ask a node. f says whether all is as expected and, in a sentence,
// what was seen.
func ask(ctx context.Context, t Target, node string, f func(a *asker) (ok bool, seen string, err error)) (verdict, error) {
	n, err := t.Node(node)
	if err != nil {
		return verdict{}, err
	}
	a := &asker{ctx: ctx, name: node, node: n}
	ok, seen, err := f(a)
	var end *shortfall
	if errors.As(err, &end) {
		ok, seen, err = false, end.text, nil
	}
	return verdict{ok: ok, seen: seen, doubt: strings.Join(a.doubts, "; "), evidence: a.evidence}, err
}

// silent is a node whose answer says nothing about what was asked. It is its
// student's, so a finding; and it must not let a negated check pass, so
// *NotRunning.
func (a *asker) silent(format string, args ...any) error {
	return &NotRunning{Node: a.name, Reason: fmt.Sprintf(format, args...)}
}

func (a *asker) doubt(text string) {
	if text != "" && !slices.Contains(a.doubts, text) {
		a.doubts = append(a.doubts, text)
	}
}

// run runs a program of the pristine image. That it fails is a result.
func (a *asker) run(e agent.Exec) (agent.ExecResult, error) {
	if e.Timeout == 0 {
		e.Timeout = programTimeout
	}
	if e.Limit == 0 {
		e.Limit = programLimit
	}
	res, err := a.node.Verify(a.ctx, e)
	if err != nil {
		return res, fmt.Errorf("asking %s: %w", a.name, err)
	}
	a.doubt(res.Doubt)
	a.keep(e.Args, res)
	return res, nil
}

// keep makes evidence of an output; the same one twice is one.
func (a *asker) keep(args []string, res agent.ExecResult) {
	name := a.name + ": " + strings.Join(args, " ")
	for _, have := range a.evidence {
		if have.Name == name {
			return
		}
	}
	data := slices.Clone(res.Stdout)
	if len(res.Stderr) > 0 {
		data = append(data, res.Stderr...)
	}
	kind := "text/plain"
	if json.Valid(data) {
		kind = "application/json"
	}
	a.evidence = append(a.evidence, grade.Evidence{Name: name, Type: kind, Data: data, Cut: res.Cut})
}

// text is the output of a program that has to succeed.
func (a *asker) text(args ...string) (string, error) {
	res, err := a.run(agent.Exec{Args: args})
	if err != nil {
		return "", err
	}
	if res.Code != 0 {
		return "", found("%s on %s said: %s", args[0], a.name, said(res))
	}
	if res.Cut {
		return "", found("%s on %s said more than can be looked at", args[0], a.name)
	}
	return string(res.Stdout), nil
}

// said is what a program that failed had to say.
func said(res agent.ExecResult) string {
	for _, b := range [][]byte{res.Stderr, res.Stdout} {
		if b = bytes.TrimSpace(b); len(b) > 0 {
			line, _, _ := bytes.Cut(b, []byte("\n"))
			return string(line)
		}
	}
	return fmt.Sprintf("exit code %d", res.Code)
}

// several puts what was seen into a sentence, and bounds it.
func several(list []string, none string) string {
	const most = 12
	if len(list) == 0 {
		return none
	}
	if len(list) > most {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", len(list)-most)
	}
	return strings.Join(list, ", ")
}

// differences gathers what is not as expected.
type differences []string

func (d *differences) add(format string, args ...any) { *d = append(*d, fmt.Sprintf(format, args...)) }

// want compares, where something is expected.
func (d *differences) want(what, want, have string) {
	if want != "" && !strings.EqualFold(want, have) {
		if have == "" {
			have = "none"
		}
		d.add("%s is %s", what, have)
	}
}

func (d *differences) wantInt(what string, want *int, have int) {
	if want != nil && *want != have {
		d.add("%s is %d", what, have)
	}
}

func (d *differences) wantBool(want *bool, have bool, yes, no string) {
	switch {
	case want == nil || *want == have:
	case have:
		d.add("%s", yes)
	default:
		d.add("%s", no)
	}
}

// result is the end of an evaluator.
func (d differences) result(good string) (bool, string, error) {
	if len(d) == 0 {
		return true, good, nil
	}
	return false, several(d, ""), nil
}
