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

// TestLabs holds every built-in lab with checks to its word, on real machines:
// its solution passes all, an untouched lab does not, and of a wrong solution
// exactly those fail that it says.
func TestLabs(t *testing.T) {
	p := newProgram(t)
	all, err := catalog.Labs()
	if err != nil {
		t.Fatal(err)
	}
	for _, lab := range all {
		if len(lab.Checks) == 0 {
			continue
		}
		t.Run(lab.Slug, func(t *testing.T) {
			if len(lab.Mutants) < 2 {
				t.Errorf("it has %d wrong solutions, and needs two", len(lab.Mutants))
			}
			t.Run("solution", func(t *testing.T) {
				r, ok, told := p.check(t, "--solution", "--twice", lab.Slug)
				if bad, unjudged := failed(&r); !ok || len(bad)+len(unjudged) > 0 {
					t.Errorf("failed %q, not judged %q\n%s", bad, unjudged, told)
				}
			})
			t.Run("untouched", func(t *testing.T) {
				r, ok, told := p.check(t, lab.Slug)
				if bad, unjudged := failed(&r); ok || len(bad) == 0 || len(unjudged) > 0 {
					t.Errorf("failed %q, not judged %q\n%s", bad, unjudged, told)
				}
			})
			for _, m := range lab.Mutants {
				t.Run(m.Name, func(t *testing.T) {
					want := slices.Sorted(slices.Values(m.Fails))
					r, ok, told := p.check(t, "--mutant", m.Name, lab.Slug)
					if bad, unjudged := failed(&r); !ok || len(unjudged) > 0 || !slices.Equal(bad, want) {
						t.Errorf("failed %q, want %q; not judged %q\n%s", bad, want, unjudged, told)
					}
					if !strings.Contains(told, "exactly the checks failed") {
						t.Errorf("it is not said that these were expected:\n%s", told)
					}
				})
			}
		})
	}
}

// TestNewLab: the lab that "lab new" writes keeps what it promises, after a
// boot too, and its wrong solution is seen through.
func TestNewLab(t *testing.T) {
	p := newProgram(t)
	dir := filepath.Join(t.TempDir(), "my-lab")
	if out, err := exec.Command(p.path, "lab", "new", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, args := range map[string][]string{"solution": {"--solution", "--twice", dir}, "mutant": {"--mutant", "no-forwarding", dir}} {
		if r, ok, told := p.check(t, args...); !ok {
			t.Errorf("%s: %+v\n%s", name, r.Results, told)
		}
	}
	if _, ok, told := p.check(t, dir); ok {
		t.Errorf("the untouched lab passes\n%s", told)
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
