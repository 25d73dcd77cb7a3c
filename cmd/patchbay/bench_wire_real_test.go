package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBenchWire measures with real guests, once and briefly.
func TestBenchWire(t *testing.T) {
	p := newProgram(t)
	tmp := t.TempDir()
	if err := os.Chmod(tmp, 0o711); err != nil {
		t.Fatal(err)
	}
	bench := func(runs string, args ...string) *exec.Cmd {
		cmd := exec.Command(p.path, append([]string{"bench", "wire", "--runs", runs, "--seconds", "1", "--pings", "20"}, args...)...)
		cmd.Env = append(p.env, "TMPDIR="+tmp)
		return cmd
	}

	t.Run("figures", func(t *testing.T) {
		cmd := bench("1", "--only", "switch,recorded,direct,kpps,ports-kpps")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("bench wire: %v\n%s", err, stderr.Bytes())
		}
		for _, name := range []string{"wire.tcp_mbps", "wire.loopback_tcp_mbps", "wire.ping_us", "wire.direct_tcp_mbps", "wire.direct_ping_us",
			"wire.recorded_tcp_mbps", "wire.record_ratio", "wire.switch_kpps", "wire.switch_ports_kpps", "wire.direct_ratio", "wire.loopback_ratio"} {
			v, err := figureOf(string(out), name)
			if err != nil || v <= 0 {
				t.Errorf("%s is %g, %v; it printed\n%s", name, v, err, out)
			}
		}
		nothingIn(t, tmp)
	})

	// Wherever an interrupt meets it, nothing is left.
	t.Run("interrupt", func(t *testing.T) {
		for i, after := range []string{"run 1 of 9: switch", "run 1 of 9: kpps", "run 2 of 9: switch"} {
			cmd := bench("9", "--only", "switch,kpps")
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
			time.Sleep(time.Duration(i*200) * time.Millisecond) // in another phase each
			children := descendants(t, cmd.Process.Pid)
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			kill := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Signal(syscall.SIGABRT) })
			var rest strings.Builder
			for said.Scan() {
				fmt.Fprintln(&rest, said.Text())
			}
			err = cmd.Wait()
			if !kill.Stop() || err == nil {
				t.Errorf("interrupted after %q it ended with %v:\n%s", after, err, rest.String())
			}
			for pid, began := range children {
				if startOf(pid) == began {
					t.Errorf("interrupted after %q it left process %d", after, pid)
				}
			}
			nothingIn(t, tmp)
		}
	})
}

// figureOf finds a figure among those that a benchmark printed.
func figureOf(out, name string) (float64, error) {
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == name {
			return strconv.ParseFloat(f[1], 64)
		}
	}
	return 0, fmt.Errorf("there is no line of %s", name)
}

func nothingIn(t *testing.T, dir string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// descendants are a process's children and theirs, with the times of their start.
func descendants(t *testing.T, pid int) map[int]string {
	t.Helper()
	all := map[int]string{}
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		b, err := os.ReadFile(list)
		if err != nil {
			continue // that thread has ended
		}
		for _, word := range strings.Fields(string(b)) {
			child, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			if began := startOf(child); began != "" {
				all[child] = began
			}
			for pid, began := range descendants(t, child) {
				all[pid] = began
			}
		}
	}
	return all
}

// startOf is when a process began, in the kernel's words; empty when there is
// none.
func startOf(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), ") ") // the name may hold anything
	if f := strings.Fields(rest); len(f) > 19 {
		return f[19]
	}
	return ""
}
