package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestValidateLab(t *testing.T) {
	const good = "title: Ping\nnodes:\n  pc1: {interfaces: {eth0: lan}}\nsegments:\n  lan: switch\n"
	tests := []struct {
		name     string
		files    map[string]string
		out      string
		problems string
		err      string
	}{
		{
			name:  "good",
			files: map[string]string{"lab/lab.yaml": good, "lab/guide.md": "# Ping\n\nPing it.\n", "lab/solution/pc1.sh": "true\n"},
			out:   "DIR/lab: “Ping” is in order: 1 node, 1 segment, a guide of 4 words, a solution for 1 node\n",
		},
		{
			name: "bad",
			files: map[string]string{
				"lab/lab.yaml":  "extends: ../base\nnodes:\n  pc1:\n    interfaces:\n      eth1: lam\ntitle: " + strings.Repeat("long ", 30) + "\n",
				"base/lab.yaml": "title: Base\nsegments: {lan: switch, dmz: switch}\nnodes: {pc1: {interfaces: {eth0: lan}}}\n",
			},
			problems: `DIR/base/lab.yaml:2:25: no interface is on segment "dmz"
    segments: {lan: switch, dmz: switch}
                            ^ join an interface to it, or remove it
DIR/lab/guide.md: there is no guide
    write what a student is to do
DIR/lab/lab.yaml:5:13: there is no segment "lam"
          eth1: lam
                ^ did you mean "lan"?
DIR/lab/lab.yaml:6:8: the title is longer than 100 characters
    title: long long long long long long long long 
           ^ shorten it
`,
			err: "4 problems in DIR/lab",
		},
		{
			name:     "terminal escapes",
			files:    map[string]string{"lab/lab.yaml": "\ttitle: \x1b[31mred\n", "lab/guide.md": "# Ping\n"},
			problems: "DIR/lab/lab.yaml:1:9: control character U+001B\n     title: \uFFFD[31mred\n            ^ remove it\n",
			err:      "1 problem in DIR/lab",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, data := range test.files {
				p := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(p, []byte(data), 0o444); err != nil {
					t.Fatal(err)
				}
			}
			var out, problems bytes.Buffer
			err := validateLab(&out, &problems, filepath.Join(dir, "lab"))
			var message string
			if err != nil {
				message = err.Error()
			}
			for _, c := range []struct{ what, got, want string }{
				{"output", out.String(), test.out}, {"problems", problems.String(), test.problems}, {"error", message, test.err},
			} {
				if got := strings.ReplaceAll(c.got, dir, "DIR"); got != c.want {
					t.Errorf("%s:\n%q\nwant:\n%q", c.what, got, c.want)
				}
			}
		})
	}
}

func TestFindLab(t *testing.T) {
	if l, err := findLab("two-hosts"); err != nil || l.Slug != "two-hosts" {
		t.Errorf("findLab(two-hosts) = %v, %v", l, err)
	}
	if l, err := findLab("../../labs/catalog/shelf/two-hosts"); err != nil || l.Slug != "two-hosts" {
		t.Errorf("findLab of a folder = %v, %v", l, err)
	}
	if _, err := findLab("no-such-lab"); err == nil || !strings.Contains(err.Error(), "two-hosts") {
		t.Errorf("findLab(no-such-lab) = %v; want the built-in ones named", err)
	}
}
