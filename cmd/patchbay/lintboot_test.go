package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLintBoot boots a lab untouched, in which a check passes all the same.
func TestLintBoot(t *testing.T) {
	p := newProgram(t)
	dir := filepath.Join(t.TempDir(), "my-lab")
	p.run(t, "", "lab", "new", dir)
	file := filepath.Join(dir, "lab.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	easy := strings.Replace(string(text), "checks:\n", "checks:\n  easy:\n    title: pc1 has a neighbour\n    hint: It has.\n    step: forward\n    ping: {from: pc1, to: 10.0.1.1}\n", 1)
	if err := os.WriteFile(file, []byte(easy), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(p.path, "lab", "lint", "--boot", dir)
	cmd.Env = p.env
	out, err := cmd.Output()
	if err == nil || strings.Count(string(out), "\n") != 1 || !strings.Contains(string(out), "easy passes on the untouched lab") {
		t.Errorf("%v\n%s", err, out)
	}
}
