package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/catalog"
	"github.com/patchbay/patchbay/labs/grade"
)

// check runs patchbay check and reads its report. Nothing of the rack may stay.
func (p *program) check(t *testing.T, args ...string) (r grade.Report, ok bool, told string) {
	t.Helper()
	cmd := exec.Command(p.path, append([]string{"check", "--format", "json"}, args...)...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if jsonErr := json.Unmarshal(out.Bytes(), &r); jsonErr != nil {
		t.Fatalf("patchbay check %s: %v, %v\n%s%s", strings.Join(args, " "), err, jsonErr, &out, &errs)
	}
	p.nothingLeft(t)
	return r, err == nil, errs.String()
}

// state is the program's state folder.
func (p *program) state() string {
	for _, kv := range slices.Backward(p.env) {
		if dir, ok := strings.CutPrefix(kv, "PATCHBAY_STATE="); ok {
			return dir
		}
	}
	return ""
}

func (p *program) nothingLeft(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(p.state(), "racks"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s was left behind", e.Name())
	}
}

// failed are the checks that did not pass, and those that could not be judged.
func failed(r *grade.Report) (failed, unjudged []string) {
	for _, c := range r.Results {
		switch c.Outcome {
		case grade.Pass:
		case grade.Error:
			unjudged = append(unjudged, c.Check+": "+c.Seen)
		default:
			failed = append(failed, c.Check)
		}
	}
	slices.Sort(failed)
	return failed, unjudged
}

// catalogVar says which built-in labs TestLabs takes: "all", or some by name.
const catalogVar = "PATCHBAY_CATALOG"

// catalogPart is how many labs a run takes that is not told which: one has some
// five rounds of ten seconds to two minutes each, and a run has 15 minutes.
const catalogPart = 2

// chosen are the labs that TestLabs takes. When nobody says which, each day has
// others, and all have their turn.
func chosen(t *testing.T, all []*labs.Lab, say string, day int) []*labs.Lab {
	t.Helper()
	if say == "all" || len(all) <= catalogPart && say == "" {
		return all
	}
	var some []*labs.Lab
	if say == "" {
		for i := range catalogPart {
			some = append(some, all[(day*catalogPart+i)%len(all)])
		}
		return some
	}
	for _, slug := range strings.FieldsFunc(say, func(r rune) bool { return r == ',' || r == ' ' }) {
		i := slices.IndexFunc(all, func(l *labs.Lab) bool { return l.Slug == slug })
		if i < 0 {
			t.Fatalf("%s=%s: the catalog has no lab %q", catalogVar, say, slug)
		}
		some = append(some, all[i])
	}
	return some
}

// TestLabs holds built-in labs to their word, on real machines: all of them in
// "make test-catalog", a part that changes from day to day otherwise.
func TestLabs(t *testing.T) {
	all, err := catalog.Labs()
	if err != nil {
		t.Fatal(err)
	}
	part := chosen(t, all, os.Getenv(catalogVar), time.Now().UTC().YearDay())
	var slugs []string
	for _, lab := range part {
		slugs = append(slugs, lab.Slug)
	}
	t.Logf("%d of %d labs; the same again: %s=%s go test ./cmd/patchbay -run TestLabs", len(part), len(all), catalogVar, strings.Join(slugs, ","))
	for _, lab := range slices.Backward(part) { // those that take longest come last in the catalog
		t.Run(lab.Slug, func(t *testing.T) { keepsItsWord(t, lab, lab.Slug) })
	}
}

// TestChosen wants every lab to have its turn within as many days as it takes.
func TestChosen(t *testing.T) {
	for n := 1; n <= 40; n++ {
		all := make([]*labs.Lab, n)
		for i := range all {
			all[i] = &labs.Lab{Slug: strconv.Itoa(i)}
		}
		seen := map[string]bool{}
		for day := range (n + catalogPart - 1) / catalogPart {
			part := chosen(t, all, "", 200+day)
			if len(part) != min(n, catalogPart) {
				t.Errorf("of %d labs a day has %d", n, len(part))
			}
			for _, l := range part {
				seen[l.Slug] = true
			}
		}
		if len(seen) != n {
			t.Errorf("of %d labs %d have their turn", n, len(seen))
		}
		if got := chosen(t, all, "all", 3); len(got) != n {
			t.Errorf("all of %d labs are %d", n, len(got))
		}
		if got := chosen(t, all, strconv.Itoa(n-1)+",0", 3); len(got) != 2 || got[0] != all[n-1] || got[1] != all[0] {
			t.Errorf("two by name are %v", got)
		}
	}
}

// TestNewLab holds the lab that a new author begins with to the same.
func TestNewLab(t *testing.T) {
	p := newProgram(t)
	root := t.TempDir()
	dir := filepath.Join(root, "my-lab")
	p.run(t, "", "lab", "new", dir)
	lab, err := labs.Load(os.DirFS(root), "my-lab")
	if err != nil {
		t.Fatal(err)
	}
	keepsItsWord(t, lab, dir)
}

// keepsItsWord wants a lab's solution to pass all checks, on a fresh boot too,
// the untouched lab to pass none, and of each wrong solution exactly those to
// fail that it says. arg is how the lab is named to the program.
func keepsItsWord(t *testing.T, lab *labs.Lab, arg string) {
	if len(lab.Checks) == 0 || len(lab.Solution) == 0 || len(lab.Mutants) == 0 {
		t.Fatalf("it has %d checks, scripts of the solution for %d nodes and %d wrong solutions", len(lab.Checks), len(lab.Solution), len(lab.Mutants))
	}
	run := func(name string, f func(t *testing.T, p *program)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of it is waiting for a network
			f(t, newProgram(t))
		})
	}
	run("solution", func(t *testing.T, p *program) {
		args := []string{"--solution", "--twice", arg}
		if len(lab.Parameters) > 0 {
			args = append(args, "--student", "7") // the others have the specimen's values
		}
		r, ok, told := p.check(t, args...)
		if bad, unjudged := failed(&r); !ok || len(bad)+len(unjudged) > 0 {
			t.Errorf("failed %q, not judged %q\n%s%s", bad, unjudged, told, seen(&r))
		}
	})
	run("untouched", func(t *testing.T, p *program) {
		r, ok, told := p.check(t, arg)
		if bad, unjudged := failed(&r); ok || len(bad) != len(lab.Checks) || len(unjudged) > 0 {
			t.Errorf("of %d checks %q failed, not judged %q\n%s%s", len(lab.Checks), bad, unjudged, told, seen(&r))
		}
	})
	for _, m := range lab.Mutants {
		run(m.Name, func(t *testing.T, p *program) {
			want := slices.Sorted(slices.Values(m.Fails))
			r, ok, told := p.check(t, "--mutant", m.Name, arg)
			if bad, unjudged := failed(&r); ok || len(unjudged) > 0 || !slices.Equal(bad, want) {
				t.Errorf("failed %q, want %q; not judged %q\n%s%s", bad, want, unjudged, told, seen(&r))
			}
			if !strings.Contains(told, "exactly the checks failed") {
				t.Errorf("it is not said that these were expected:\n%s", told)
			}
		})
	}
}

// seen is what each check saw, for who looks for the reason of a failure.
func seen(r *grade.Report) string {
	var out strings.Builder
	for _, c := range r.Results {
		fmt.Fprintf(&out, "%s %s: %s\n", c.Outcome, c.Check, c.Seen)
	}
	return out.String()
}

// TestCheckCleansUp ends a check in the middle, in order and not: nothing stays.
func TestCheckCleansUp(t *testing.T) {
	p := newProgram(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			cmd := exec.Command(p.path, "check", "two-hosts") // untouched, so it takes 10 s
			var out bytes.Buffer
			cmd.Env, cmd.Stdout, cmd.Stderr = p.env, &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			racks := filepath.Join(p.state(), "racks", "check-*")
			for limit := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				if found, _ := filepath.Glob(filepath.Join(racks, "nodes", "pc1", "disk.ext4")); len(found) == 1 {
					break // pc1 has come up
				}
				if time.Now().After(limit) {
					t.Error("no machine came up")
					break
				}
			}
			if err := cmd.Process.Signal(sig); err != nil {
				t.Error(err)
			}
			if err := cmd.Wait(); err == nil {
				t.Errorf("a check that was broken off passed:\n%s", &out)
			}
			for limit := time.Now().Add(40 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				found, err := filepath.Glob(racks)
				if err != nil {
					t.Fatal(err)
				}
				if len(found) == 0 {
					break
				}
				if time.Now().After(limit) || sig != syscall.SIGKILL {
					t.Fatalf("%v stayed\n%s", found, &out)
				}
			}
		})
	}
}
