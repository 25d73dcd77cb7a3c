package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// TestLabs holds every built-in lab to its word, on real machines.
func TestLabs(t *testing.T) {
	all, err := catalog.Labs()
	if err != nil {
		t.Fatal(err)
	}
	for _, lab := range slices.Backward(all) { // those that take longest come last in the catalog
		t.Run(lab.Slug, func(t *testing.T) {
			t.Parallel() // most of it is waiting for a network
			keepsItsWord(t, lab, lab.Slug)
		})
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
	p := newProgram(t)
	if len(lab.Checks) == 0 || len(lab.Solution) == 0 || len(lab.Mutants) == 0 {
		t.Fatalf("it has %d checks, scripts of the solution for %d nodes and %d wrong solutions", len(lab.Checks), len(lab.Solution), len(lab.Mutants))
	}
	t.Run("solution", func(t *testing.T) {
		args := []string{"--solution", "--twice", arg}
		if len(lab.Parameters) > 0 {
			args = append(args, "--student", "7") // the others have the specimen's values
		}
		r, ok, told := p.check(t, args...)
		if bad, unjudged := failed(&r); !ok || len(bad)+len(unjudged) > 0 {
			t.Errorf("failed %q, not judged %q\n%s", bad, unjudged, told)
		}
	})
	t.Run("untouched", func(t *testing.T) {
		r, ok, told := p.check(t, arg)
		if bad, unjudged := failed(&r); ok || len(bad) != len(lab.Checks) || len(unjudged) > 0 {
			t.Errorf("of %d checks %q failed, not judged %q\n%s", len(lab.Checks), bad, unjudged, told)
		}
	})
	for _, m := range lab.Mutants {
		t.Run(m.Name, func(t *testing.T) {
			want := slices.Sorted(slices.Values(m.Fails))
			r, ok, told := p.check(t, "--mutant", m.Name, arg)
			if bad, unjudged := failed(&r); ok || len(unjudged) > 0 || !slices.Equal(bad, want) {
				t.Errorf("failed %q, want %q; not judged %q\n%s", bad, want, unjudged, told)
			}
			if !strings.Contains(told, "exactly the checks failed") {
				t.Errorf("it is not said that these were expected:\n%s", told)
			}
		})
	}
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
