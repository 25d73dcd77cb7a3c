package labs_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/param"
)

const gradedLab = `
-- base/lab.yaml --
title: Base
parameters:
  lan: {network: 10.0.0.0/8, length: 24, distinct: true}
  word: {name: [ada, grace]}
nodes:
  pc1:
    interfaces: {eth0: {segment: lan, addresses: ["((lan.1))/((lan.length))"]}}
    files:
      /etc/((word)): {content: "((lan)) $((i)) ((word))\n"}
      /etc/source: {source: source}
  pc2: {interfaces: {eth0: lan}}
segments: {lan: switch}
checks:
  up: {title: "pc1 is up, says ((word))", points: 3, hint: base, within: 30s, sysctl: {node: pc1, key: net.ipv4.ip_forward, value: 1}}
  second: {needs: [up], not: true, process: {node: pc2, name: bird}}
mutants:
  lazy: {about: does nothing on pc2, fails: [second]}
-- base/guide.md --
# Base
-- base/source --
((word)) and ((nothing))
-- base/solution/pc1.sh --
echo ((lan.1))
-- base/solution/pc2.sh --
echo two
-- base/mutants/lazy/pc2.sh --
echo lazy
-- lab/lab.yaml --
title: Child
extends: ../base
parameters:
  word: {choice: [mary]}
  token: {secret: 16}
checks:
  second: {points: 0.5, step: second}
  up: {step: "one-more", ping: {segment: lan, to: 10.0.0.1}}
  third: {visible: after, reboot: false, for: 5s, sysctl: {node: pc1, key: net.ipv4.ip_forward, value: 1}}
-- lab/guide.md --
# One ((word)) {#one-more}

The ((token)) and the ((nothing)).

> ## No step

Second
------
-- lab/solution/pc2.sh --
echo ((token))
`

func load(t *testing.T, archive string) *labs.Lab {
	t.Helper()
	lab, err := labs.Load(txtarFS(txtar.Parse([]byte(archive))), "lab")
	if err != nil {
		t.Fatal(err)
	}
	return lab
}

// TestChecks holds what a lab's checks are after "extends" and with what was
// left out filled in.
func TestChecks(t *testing.T) {
	lab := load(t, gradedLab)
	var got []string
	for _, c := range lab.Checks {
		kind, trust, _ := c.Kind()
		got = append(got, fmt.Sprint(c.Name, " “", c.Title, "” ", c.Points, " ", c.Hint, " ", c.Step, " ", c.Needs, " ", c.Not, " ",
			c.Within, " ", c.For, " ", c.Visible, " ", c.Reboot != nil, " ", kind, " ", trust))
	}
	want := []string{
		"up “pc1 is up, says mary” 3 base one-more [] false 30s 2s always false ping wire",
		"second “second” 0.5  second [up] true 10s 2s always false process guest",
		"third “third” 1   [] false 10s 5s after true sysctl guest",
	}
	// A title that was left out is the kind's own sentence, whatever that is.
	for i := range got[1:] {
		a, b, _ := strings.Cut(got[i+1], "“")
		_, c, _ := strings.Cut(b, "”")
		got[i+1] = a + "“" + lab.Checks[i+1].Name + "”" + c
		if lab.Checks[i+1].Title == "" {
			t.Errorf("%s has no title", lab.Checks[i+1].Name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if lab.Checks[2].For != 5*time.Second || *lab.Checks[2].Reboot || lab.Checks[0].Ping.Segment != "lan" || lab.Checks[0].Sysctl != nil {
		t.Errorf("checks = %+v", lab.Checks)
	}
	if want := []labs.Step{{ID: "one-more", Title: "One mary"}, {ID: "second", Title: "Second"}}; !slices.Equal(lab.Steps, want) {
		t.Errorf("steps = %+v; want %+v", lab.Steps, want)
	}
	if len(lab.Mutants) != 1 {
		t.Fatalf("mutants = %+v", lab.Mutants)
	}
	m := lab.Mutants[0]
	if m.Name != "lazy" || m.About != "does nothing on pc2" || !slices.Equal(m.Fails, []string{"second"}) ||
		len(m.Scripts) != 2 || m.Scripts[0] != lab.Solution[0] || m.Scripts[1] != (labs.Script{Node: "pc2", Text: "echo lazy\n"}) {
		t.Errorf("mutant = %+v", m)
	}
}

// TestFor holds where the values of parameters go, and that they stay a
// student's own.
func TestFor(t *testing.T) {
	lab := load(t, gradedLab)
	if len(lab.Parameters) != 3 || lab.Parameters[1].Words != nil {
		t.Errorf("parameters = %+v; want the child's word in place of its parent's", lab.Parameters)
	}
	key := func(n int) param.Key {
		return param.Key{Secret: []byte("0123456789abcdef"), Student: fmt.Sprint(n), Ordinal: n}
	}
	seen := map[string]bool{}
	for n := range 20 {
		mine, err := lab.For(key(n))
		if err != nil {
			t.Fatal(err)
		}
		get := func(ref string) string {
			s, _ := mine.Values.Get(ref)
			return s
		}
		pc1 := mine.Topology.Nodes[0]
		for _, c := range []struct{ what, got, want string }{
			{"address", pc1.Interfaces[0].Addresses[0], get("lan.1") + "/24"},
			{"path", pc1.Files[0].Path, "/etc/mary"},
			{"content", string(pc1.Files[0].Data), get("lan") + " $((i)) mary\n"},
			{"source", string(pc1.Files[1].Data), "mary and ((nothing))\n"},
			{"solution", mine.Solution[0].Text, "echo " + get("lan.1") + "\n"},
			{"solution of the child", mine.Solution[1].Text, "echo " + get("token") + "\n"},
			{"title", mine.Checks[0].Title, "pc1 is up, says mary"},
			{"digest", mine.Digest, lab.Digest},
		} {
			if c.got != c.want {
				t.Errorf("student %d: %s = %q; want %q", n, c.what, c.got, c.want)
			}
		}
		if !strings.Contains(mine.Guide, "The "+get("token")+" and the ((nothing)).") {
			t.Errorf("guide:\n%s", mine.Guide)
		}
		if seen[get("lan")] {
			t.Errorf("student %d has %s, as another", n, get("lan"))
		}
		seen[get("lan")] = true
	}
	var wg sync.WaitGroup // a Lab may be shared
	for range 4 {
		wg.Go(func() {
			if mine, err := lab.For(key(3)); err != nil || !seen[mine.Values.All()[0].Text] {
				t.Error("For gave another draw at another time", err)
			}
		})
	}
	wg.Wait()

	plain := load(t, fullLab)
	if same, err := plain.For(key(1)); same != plain || err != nil {
		t.Errorf("a lab without parameters: For = %p, %v; want itself", same, err)
	}
}

// TestForErrors: a draw that does not fit is the author's to mend.
func TestForErrors(t *testing.T) {
	const archive = `
-- lab/lab.yaml --
title: x
parameters:
  net: {choice: ["10.0.0.1/24", "10.0.0.2/24"]}
  who: {name: [ada, grace], distinct: true}
nodes:
  pc1: {interfaces: {eth0: {segment: lan, addresses: ["((net))"]}}}
  pc2: {interfaces: {eth0: {segment: lan, addresses: [10.0.0.ADDRESS/24]}}}
segments: {lan: switch}
-- lab/guide.md --
# x
`
	var lab *labs.Lab
	for _, fixed := range []string{"1", "2"} { // one of them is what the specimen draws
		var err error
		if lab, err = labs.Load(txtarFS(txtar.Parse([]byte(strings.Replace(archive, "ADDRESS", fixed, 1)))), "lab"); err == nil {
			break
		}
	}
	if lab == nil {
		t.Fatal("neither loads")
	}
	key := param.Key{Secret: []byte("0123456789abcdef")}
	failed := 0
	for i := range 40 {
		key.Student = fmt.Sprint(i)
		if _, err := lab.For(key); err != nil {
			failed++
			if problems, ok := errors.AsType[labs.Problems](err); !ok || problems[0].Line != 7 {
				t.Errorf("For = %v; want the problem in line 7", err)
			}
		}
	}
	if failed == 0 {
		t.Error("no draw collided")
	}
	key.Ordinal = 2
	if _, err := lab.For(key); err == nil || !strings.Contains(err.Error(), "no value left") {
		t.Errorf("For the third of two = %v", err)
	}
}
