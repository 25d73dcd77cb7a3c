package main

import (
	"os/exec"
	"path/filepath"
	"testing"
)

func TestStartupScript(t *testing.T) {
	for _, tt := range []struct {
		name     string
		commands []string
		code     int
		want     string
	}{
		{"none", nil, 0, ""},
		{"state carries over", []string{"cd /usr; x='a b'", `echo "$x in $PWD"`}, 0, "a b in /usr\n"},
		{"a failure stops nothing", []string{"false", "echo on"}, 1, "startup: exit code 1: false\non\n"},
		{"several lines", []string{"if true\nthen echo yes\nfi"}, 0, "yes\n"},
		{"a comment at the end", []string{"echo one # comment", "echo two"}, 0, "one\ntwo\n"},
		{"percent", []string{"echo 100%s; (exit 3)"}, 1, "100%s\nstartup: exit code 3: echo 100%s; (exit 3)\n"},
	} {
		for _, shell := range shells {
			out, err := exec.Command(shell, append([]string{"-c", startupScript, "startup"}, tt.commands...)...).CombinedOutput()
			code := 0
			if exit, ok := err.(*exec.ExitError); ok {
				code = exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			if code != tt.code || string(out) != tt.want {
				t.Errorf("%s in %s: code %d, %q, want %d, %q", tt.name, shell, code, out, tt.code, tt.want)
			}
		}
	}
}

func TestPowerWord(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string // empty for an error
	}{
		{[]string{"reboot"}, "reboot"},
		{[]string{"reboot", "-f"}, "reboot"},
		{[]string{"poweroff"}, "poweroff"},
		{[]string{"halt", "-p"}, "poweroff"},
		{[]string{"shutdown"}, "poweroff"},
		{[]string{"shutdown", "-h", "now"}, "poweroff"},
		{[]string{"shutdown", "-r", "+0"}, "reboot"},
		{[]string{"shutdown", "-r", "23:00"}, ""},
		{[]string{"shutdown", "-c"}, ""},
		{[]string{"init", "0"}, "poweroff"},
		{[]string{"telinit", "6"}, "reboot"},
		{[]string{"init"}, ""},
		{[]string{"telinit", "q"}, ""},
		{[]string{"guestd"}, ""},
	} {
		word, problem := powerWord(tt.args[0], tt.args)
		if word != tt.want || (problem == "") != (tt.want != "") {
			t.Errorf("%v: %q, %q, want %q", tt.args, word, problem, tt.want)
		}
	}
}

func TestNoModules(t *testing.T) {
	if err := insertModules(filepath.Join(t.TempDir(), "modules")); err != nil {
		t.Errorf("a kernel without modules: %v", err)
	}
}
