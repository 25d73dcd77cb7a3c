package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBenchGrade has three submissions graded again, for as long as a hundred
// keys take.
func TestBenchGrade(t *testing.T) {
	p := newProgram(t)
	tmp := t.TempDir()
	if err := os.Chmod(tmp, 0o711); err != nil {
		t.Fatal(err)
	}
	bench := func(args ...string) *exec.Cmd {
		cmd := exec.Command(p.path, append([]string{"bench", "grade", "--runs", "1", "--submissions", "3", "--keys", "100"}, args...)...)
		cmd.Env = append(p.env, "TMPDIR="+tmp)
		return cmd
	}

	t.Run("figures", func(t *testing.T) {
		cmd := bench()
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("bench grade: %v\n%s", err, stderr.Bytes())
		}
		for _, name := range []string{"checks20_ms", "check_wire_ms", "check_disk_ms", "check_guest_ms", "take_ms", "echo_p50_ms", "echo_p99_ms",
			"echo_regrading_p50_ms", "echo_regrading_p99_ms", "echo_p99_ratio", "regrades_per_minute"} {
			if v, err := figureOf(string(out), "grade."+name); err != nil || v <= 0 {
				t.Errorf("%s is %g, %v; it printed\n%s", name, v, err, out)
			}
		}
		var counts [3]float64
		for i, name := range []string{"passed", "failed", "errors"} {
			if counts[i], err = figureOf(string(out), "grade.regraded_"+name); err != nil {
				t.Error(err)
			}
		}
		if n := int(counts[0]); n < 3 || n%3 != 0 || counts[1]+counts[2] > 0 {
			t.Errorf("passed, failed, errors: %v; want all to pass\n%s", counts, stderr.Bytes())
		}
		nothingIn(t, tmp)
	})

	// Wherever an interrupt meets it, nothing is left: no server, no rack.
	t.Run("interrupt", func(t *testing.T) {
		for _, after := range []string{"handing in, 2 of 3", "typing while 3 submissions are graded again"} {
			cmd := bench()
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			said := bufio.NewScanner(stderr)
			for said.Scan() && said.Text() != after {
			}
			time.Sleep(500 * time.Millisecond) // in which a rack that grades has been started
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			kill := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Signal(syscall.SIGABRT) })
			var rest strings.Builder
			for said.Scan() {
				fmt.Fprintln(&rest, said.Text())
			}
			err = cmd.Wait()
			if !kill.Stop() || err == nil {
				t.Errorf("interrupted after %q it ended with %v:\n%s", after, err, rest.String())
			}
			for _, line := range withWord(t, tmp) {
				t.Errorf("interrupted after %q it left %s", after, line)
			}
			nothingIn(t, tmp)
		}
	})
}

// withWord finds the processes that have a word in their command line.
func withWord(t *testing.T, word string) (lines []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		b, err := os.ReadFile(path)
		if err == nil && bytes.Contains(b, []byte(word)) { // one that has ended is none
			lines = append(lines, fmt.Sprintf("%s: %s", path, bytes.ReplaceAll(b, []byte{0}, []byte(" "))))
		}
	}
	return lines
}
